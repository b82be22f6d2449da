"""Which addresses may Weft hand out in the laboratory? Some only, so that a test may name any other.

An address is drawn at random; one that a test names itself (of a guest, a router, somebody who lies) would be drawn
before it once in some hundred runs.
"""

from ipaddress import IPv4Network
from typing import Any

FIRST, LAST = 101, 149
SMALL = 24
"""The prefix length from which on those are the addresses; larger networks leave their first 256 to the tests."""


def body(network_id: str, cidr: str, **attributes: Any) -> dict[str, Any]:
    """Return what creates a subnet of a laboratory's network, with a pool if it is of IPv4."""
    if ":" in cidr:
        return {"network_id": network_id, "ip_version": 6, "cidr": cidr, **attributes}
    addresses = IPv4Network(cidr)
    first, last = (FIRST, LAST) if addresses.prefixlen >= SMALL else (1 << 32 - SMALL, -2)
    pool = {"start": str(addresses[first]), "end": str(addresses[last])}
    return {"network_id": network_id, "ip_version": 4, "cidr": cidr, "allocation_pools": [pool], **attributes}
