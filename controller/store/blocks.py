"""How many addresses of a block are free? Counted when an address is taken or becomes free, and nowhere else."""

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import bindparam, update

from controller.store.direct import Direct
from controller.store.schema import ADDRESS_BLOCKS
from controller.store.transaction import Transaction

_COUNT = Direct(
    update(ADDRESS_BLOCKS)
    .where(ADDRESS_BLOCKS.c.subnet_id == bindparam("of_subnet"), ADDRESS_BLOCKS.c.number == bindparam("block"))
    .values(free=ADDRESS_BLOCKS.c.free + bindparam("change"))
)


def count(tx: Transaction, blocks: Iterable[tuple[str, int | None]], *, sign: int) -> None:
    """Add to or take from the free addresses of blocks (subnet id, number); blocks are counted anew when they open."""
    changes = Counter((subnet_id, block) for subnet_id, block in blocks if block is not None)
    if changes:
        rows = [
            {"of_subnet": subnet_id, "block": block, "change": sign * times}
            for (subnet_id, block), times in sorted(changes.items())
        ]
        _COUNT.run(tx.connection, rows)
