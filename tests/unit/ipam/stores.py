"""Where do the allocator's tests keep addresses? In memory; ``test_allocator`` holds the fake equal to the real one."""

from collections.abc import Collection, Mapping, Sequence

from ipam.allocator import Claim
from ipam.driver import Assigned


class MemoryStore:
    """Implements ``ipam.allocator.AllocationStore`` for one transaction after the other."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, int], tuple[str, int | None]] = {}
        self.free: dict[tuple[str, int], int] = {}
        self.seen_in: dict[str, Collection[int]] = {}

    def taken(self, candidates: Collection[tuple[str, int, int]]) -> set[tuple[str, int]]:
        return {(subnet_id, address) for subnet_id, _, address in candidates if (subnet_id, address) in self.held}

    def blocks_with_room(self, subnet_id: str, at_most: int, *, alone: bool = False) -> list[int]:
        return sorted(number for (of, number), free in self.free.items() if of == subnet_id and free)[:at_most]

    def taken_in_block(self, subnet_id: str, block: int) -> set[int]:
        return {address for (of, address), (_, number) in self.held.items() if of == subnet_id and number == block}

    def seen(self, subnet_id: str) -> Collection[int]:
        return self.seen_in.get(subnet_id, ())

    def open_blocks(self, subnet_id: str, sizes: Mapping[int, int]) -> None:
        for number, size in sizes.items():
            self.free[subnet_id, number] = size - len(self.taken_in_block(subnet_id, number))

    def claim(self, claims: Sequence[Claim]) -> Collection[tuple[str, int]]:
        stored = set()
        for claim in claims:
            place = (claim.subnet_id, claim.address)
            if place not in self.held:
                self.held[place] = (claim.owner, claim.block)
                stored.add(place)
                self._count(claim.subnet_id, claim.block, -1)
        return stored

    def release(self, addresses: Sequence[Assigned]) -> None:
        for one in addresses:
            held = self.held.pop((one.subnet_id, one.address), None)
            if held is not None:
                self._count(one.subnet_id, held[1], 1)

    def _count(self, subnet_id: str, block: int | None, change: int) -> None:
        if block is not None and (subnet_id, block) in self.free:
            self.free[subnet_id, block] += change
