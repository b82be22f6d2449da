"""To whom does a held address give way?

To a port of the project it is held for - the one that had it last, or the one it is reserved for - that asks for it by
name, and to the port that makes it of its MAC address. Administrators and owners of the network take back what is
quarantined with ``restore``, which says for which port.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from controller.ipam_errors import IpAddressHeld
from controller.ipam_records import HeldAs
from controller.store import holds
from controller.store.loading import instant
from controller.store.schema import PORTS
from controller.store.transaction import Transaction
from ipam.addresses import parse_address
from ipam.driver import AddressRequest, SpecificAddress


def give_way(tx: Transaction, requests: Mapping[str, Sequence[AddressRequest]], subnet_id: str, address: str) -> bool:
    """Make an address free that one of the ports (by id) may have; False when nobody holds it, or a port has it.

    Raises:
        IpAddressHeld: it is held for another project.
    """
    row = holds.held(tx, subnet_id, address)
    if row is None:
        return False
    until = row.held_until
    if until <= tx.timestamp:
        return holds.let_go(tx, [row.id]) > 0
    number = parse_address(address)[1]
    for port_id, asked in requests.items():
        if any(
            isinstance(one, SpecificAddress) and (one.subnet_id, one.address) == (subnet_id, number) for one in asked
        ):
            owner = tx.connection.execute(select(PORTS.c.project_id).where(PORTS.c.id == port_id)).scalar()
            if owner != row.held_for:
                end = None if until == holds.FOREVER else instant(until)
                raise IpAddressHeld(address, subnet_id, HeldAs(row.held_as), end)
    return holds.let_go(tx, [row.id]) > 0
