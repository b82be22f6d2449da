"""What is known of an address that somebody was seen to use?"""

# ruff: noqa: N818  (named as Neutron names what is not found, which goes on the wire)

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from controller.errors import Kind, WeftError
from controller.records import HostName, NetworkId, PortId


class How(StrEnum):
    """What its sender said of an address."""

    USED = "used"
    """It has the address: the sender of an ARP message (RFC 826), the source of a neighbour solicitation or the target
    of an advertisement (RFC 4861)."""
    PROBED = "probed"
    """It asked whether anybody has it, which it does before it uses one (RFC 5227 section 2.1.1, RFC 4862 section
    5.4)."""


class Sight(NamedTuple):
    """An address that somebody who is no port with it was seen to name just now."""

    network_id: NetworkId
    subnet_id: str
    ip_address: str
    mac_address: str
    how: How
    host: HostName
    port_id: PortId | None
    """The port without port security it came from; None: the physical network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A sight as it is stored, once for each address and MAC address."""

    id: str
    network_id: NetworkId
    subnet_id: str
    ip_address: str
    mac_address: str
    how: How
    host: HostName
    port_id: PortId | None
    first_seen: int
    """Seconds since 1970."""
    last_seen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressConflict:
    """A sighting, and what it means for the ports there are."""

    id: str
    project_id: str
    """The network's."""
    network_id: str
    subnet_id: str
    ip_address: str
    mac_address: str
    kind: str
    """``conflict``: a port has the address, with another MAC address; ``gateway``: it is the subnet's; ``outside``."""
    how: str
    host: str
    behind_port_id: str | None
    port_id: str | None
    """The port that has the address."""
    port_mac_address: str | None
    first_seen: datetime
    last_seen: datetime


class AddressConflictNotFound(WeftError):
    """No such sighting for this caller."""

    kind = Kind.NOT_FOUND

    def __init__(self, sighting_id: str) -> None:
        self.sighting_id = sighting_id
        super().__init__(f"Address conflict {sighting_id} could not be found.")
