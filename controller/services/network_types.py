"""What kinds of networks are there, and which number does one get on the wire?

Neutron's type drivers vxlan, geneve, vlan and flat, with their checks and messages. Numbers are drawn at random out of
the ranges a project may use and the database's constraints decide; a number just given back is unlikely to come again
at once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from controller.errors import InvalidInput, NoNetworkAvailable, TunnelIdInUse, WeftError
from controller.network_errors import (
    FlatNetworkInUse,
    NetworkMTUSubnetConflict,
    SegmentsContainDuplicateEntry,
    SegmentsSetInConjunctionWithProviders,
    VlanIdInUse,
)
from controller.records import NetworkId, Segment, SegmentId, SegmentKey
from controller.services.hosts import physical_networks
from controller.store.dialects import insert_or_ignore
from controller.store.schema import SEGMENTS
from controller.store.segment_ranges import Numbers, numbers_for
from controller.store.transaction import Transaction

VXLAN, GENEVE, VLAN, FLAT = "vxlan", "geneve", "vlan", "flat"
OVERLAYS = frozenset({VXLAN, GENEVE})
NUMBERED = frozenset({VXLAN, GENEVE, VLAN})
"""Types whose segments have a number on the wire, and whose numbers are Weft's to give; others are a plug-in's own."""
NETWORK_TYPES = (VXLAN, GENEVE, VLAN, FLAT)
IP_HEADER = {4: 20, 6: 40}
"""Bytes (RFC 791 section 3.1 without options, RFC 8200 section 3)."""
OVERHEAD = {VXLAN: 30, GENEVE: 30}
"""Bytes between the outer IP header and the guest's packet: UDP 8, VXLAN 8 (RFC 7348 section 5) or Geneve 8 without
options, which Weft sends none of (RFC 8926 section 3.4), and the guest's own Ethernet header 14. Neutron's numbers."""
LEAST_MTU = {4: 68, 6: 1280}
"""Bytes every link must carry (RFC 791 section 3.2, RFC 8200 section 5)."""
LAST_VNI = 16_777_215
FIRST_VLAN, LAST_VLAN = 1, 4094
"""IEEE 802.1Q section 9.6: 0 is no VLAN, 4095 is reserved."""
LAST_SEGMENT_KEY = 16_777_215
DRAWS = 32
WINDOW = 4096
PROVIDER_ATTRIBUTES = ("network_type", "physical_network", "segmentation_id")

_INSERT_SEGMENT = insert_or_ignore(SEGMENTS, returning=(SEGMENTS.c.key,))
_KEYS = Numbers(physical_network=None, first=1, last=LAST_SEGMENT_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What is asked of a segment."""

    network_type: str
    physical_network: str | None = None
    segmentation_id: int | None = None
    """None: any of the project's that is free, where the type has numbers."""

    @property
    def is_partial(self) -> bool:
        """Whether a number is still to be chosen."""
        return self.network_type in NUMBERED and self.segmentation_id is None


def wanted_wires(tx: Transaction, wanted: Mapping[str, Any]) -> list[Wire]:
    """Return the segments a new network asks for: its provider attributes, its list of segments, or none at all.

    Raises:
        InvalidInput, SegmentsSetInConjunctionWithProviders, SegmentsContainDuplicateEntry
    """
    given = {name: wanted.get(name) for name in PROVIDER_ATTRIBUTES}
    segments: Sequence[Mapping[str, Any]] = wanted.get("segments") or ()
    if any(value is not None for value in given.values()):
        if segments:
            raise SegmentsSetInConjunctionWithProviders
        segments = [given]
    wires = [checked(tx, segment) for segment in segments]
    whole = [wire for wire in wires if not wire.is_partial]
    if len(set(whole)) != len(whole):
        raise SegmentsContainDuplicateEntry
    return wires


def checked(tx: Transaction, segment: Mapping[str, Any]) -> Wire:
    """Return what a segment asks for, if there can be such a one.

    Raises:
        InvalidInput: with the type driver's sentence.
    """
    network_type = segment.get("network_type")
    physical_network, segmentation_id = segment.get("physical_network"), segment.get("segmentation_id")
    if network_type is None:
        raise InvalidInput("network_type required")
    if network_type not in NETWORK_TYPES and network_type not in tx.faces.network_types:
        raise InvalidInput(f"network_type value '{network_type}' not supported")
    wire = Wire(network_type=network_type, physical_network=physical_network, segmentation_id=segmentation_id)
    if network_type in OVERLAYS:
        _check_overlay(wire)
    elif network_type == VLAN:
        _check_vlan(tx, wire)
    elif network_type == FLAT:
        _check_flat(tx, wire)
    return wire


def largest_mtu(tx: Transaction, wires: Iterable[Wire | Segment]) -> int:
    """Return the largest packet every segment carries (Neutron API reference, net-mtu)."""
    return min(_mtu(tx, wire) for wire in wires)


def checked_mtu(tx: Transaction, wires: Iterable[Wire | Segment], wanted: int | None) -> int:
    """Return a network's MTU; none or zero means the largest that fits.

    Raises:
        InvalidInput: it does not fit.
    """
    largest = largest_mtu(tx, wires)
    if wanted and wanted > largest:
        raise InvalidInput(f"Requested MTU is too big, maximum is {largest}")
    return wanted or largest


def check_mtu_of_subnets(network_id: str, mtu: int, ip_versions: Iterable[int]) -> None:
    """Refuse an MTU that subnets of these versions cannot live with (RFC 791 and RFC 8200 section 5).

    Raises:
        NetworkMTUSubnetConflict: it is less than every host must take.
    """
    for version in sorted(ip_versions):
        lowest = LEAST_MTU[version] if mtu >= LEAST_MTU[4] else LEAST_MTU[4]
        if mtu < lowest:
            raise NetworkMTUSubnetConflict(network_id, lowest)


def create_segment(
    tx: Transaction,
    network_id: NetworkId,
    project_id: str,
    wire: Wire,
    *,
    position: int = 0,
    name: str | None = None,
    description: str | None = None,
) -> Segment:
    """Store a segment with numbers of its own.

    Raises:
        TunnelIdInUse, VlanIdInUse, FlatNetworkInUse: another segment has what was asked for.
        NoNetworkAvailable: no number is left.
    """
    row: dict[str, Any] = {
        "id": tx.new_id(),
        "network_id": network_id,
        "network_type": wire.network_type,
        "position": position,
        "name": name,
        "description": description,
        "created_at": tx.timestamp,
        "updated_at": tx.timestamp,
        "revision_number": 1,
    }
    keys = _candidates(tx, _KEYS, select(SEGMENTS.c.key), SEGMENTS.c.key)
    places = _free_places(tx, project_id, wire) if wire.is_partial else _asked(tx, wire)
    for key, (physical_network, segmentation_id) in zip(keys, places, strict=False):
        row |= {"key": key, "physical_network": physical_network, "segmentation_id": segmentation_id}
        if tx.connection.execute(tx.variant(_INSERT_SEGMENT), row).first() is not None:
            return Segment(
                id=SegmentId(row["id"]),
                key=SegmentKey(key),
                network_id=network_id,
                network_type=wire.network_type,
                physical_network=physical_network,
                segmentation_id=segmentation_id,
                name=name,
                description=description,
                created_at=tx.now,
                updated_at=tx.now,
                revision_number=1,
            )
    raise NoNetworkAvailable


def _check_overlay(wire: Wire) -> None:
    if wire.physical_network:
        raise InvalidInput(f"provider:physical_network specified for {wire.network_type} network")
    if wire.segmentation_id is not None and not 1 <= wire.segmentation_id <= LAST_VNI:
        raise InvalidInput(f"segmentation_id out of range (1 through {LAST_VNI})")


def _check_vlan(tx: Transaction, wire: Wire) -> None:
    if wire.physical_network:
        if wire.physical_network not in known_physical_networks(tx):
            raise InvalidInput(f"physical_network '{wire.physical_network}' unknown for VLAN provider network")
        if wire.segmentation_id is not None and not FIRST_VLAN <= wire.segmentation_id <= LAST_VLAN:
            raise InvalidInput(f"segmentation_id out of range ({FIRST_VLAN} through {LAST_VLAN})")
    elif wire.segmentation_id is not None:
        raise InvalidInput("segmentation_id requires physical_network for VLAN provider network")


def _check_flat(tx: Transaction, wire: Wire) -> None:
    if not wire.physical_network:
        raise InvalidInput("physical_network required for flat provider network")
    if wire.physical_network not in known_physical_networks(tx):
        raise InvalidInput(f"physical_network '{wire.physical_network}' unknown for flat provider network")
    if wire.segmentation_id is not None:
        raise InvalidInput("segmentation_id prohibited for flat provider network")


def known_physical_networks(tx: Transaction) -> frozenset[str]:
    """Return the physical networks of registered hosts and of the configuration."""
    ranged = {one.physical_network for one in tx.settings.segment_ranges if one.physical_network is not None}
    return physical_networks(tx) | ranged | set(tx.settings.physical_networks)


def _mtu(tx: Transaction, wire: Wire | Segment) -> int:
    settings = tx.settings
    if wire.network_type in OVERLAYS:
        overhead = tx.faces.overhead(wire.network_type, OVERHEAD[wire.network_type])
        return settings.underlay_mtu - IP_HEADER[settings.overlay_ip_version] - overhead
    return dict(settings.physnet_mtus).get(wire.physical_network or "", settings.underlay_mtu)


def _asked(tx: Transaction, wire: Wire) -> Iterator[tuple[str | None, int | None]]:
    """Yield what was asked for as long as it can only have been the key that was taken.

    Raises:
        TunnelIdInUse, VlanIdInUse, FlatNetworkInUse: another segment has it.
    """
    taken = select(SEGMENTS.c.key).where(
        SEGMENTS.c.network_type == wire.network_type,
        SEGMENTS.c.physical_network.is_not_distinct_from(wire.physical_network),
        SEGMENTS.c.segmentation_id.is_not_distinct_from(wire.segmentation_id),
    )
    is_on_a_wire = wire.physical_network is not None or wire.segmentation_id is not None
    while True:
        yield wire.physical_network, wire.segmentation_id
        if is_on_a_wire and tx.connection.execute(taken).first() is not None:
            raise _in_use(wire)


def _in_use(wire: Wire) -> WeftError:
    if wire.network_type == FLAT:
        return FlatNetworkInUse(wire.physical_network or "")
    if wire.network_type == VLAN:
        return VlanIdInUse(wire.segmentation_id or 0, wire.physical_network or "")
    return TunnelIdInUse(wire.segmentation_id or 0)


def _free_places(tx: Transaction, project_id: str, wire: Wire) -> Iterator[tuple[str | None, int]]:
    for numbers in numbers_for(tx, project_id, wire.network_type, wire.physical_network):
        used = select(SEGMENTS.c.segmentation_id).where(
            SEGMENTS.c.network_type == wire.network_type,
            SEGMENTS.c.physical_network.is_not_distinct_from(numbers.physical_network),
            SEGMENTS.c.segmentation_id.is_not(None),
        )
        for candidate in _candidates(tx, numbers, used, SEGMENTS.c.segmentation_id):
            yield numbers.physical_network, candidate


def _candidates(tx: Transaction, numbers: Numbers, used: Select[Any], column: ColumnElement[int]) -> Iterator[int]:
    """Yield numbers that may be free: some at random, then every one that is, once round from a random start."""
    first, last = numbers.first, numbers.last
    if len(numbers) > WINDOW:
        for _ in range(DRAWS):
            yield tx.rng.randint(first, last)
    start = tx.rng.randint(first, last)
    for low, high in _windows(start, last, first):
        taken = set(tx.connection.scalars(used.where(column.between(low, high))))
        yield from (number for number in range(low, high + 1) if number not in taken)


def _windows(start: int, last: int, first: int) -> Iterator[tuple[int, int]]:
    for low in range(start, last + 1, WINDOW):
        yield low, min(low + WINDOW - 1, last)
    for low in range(first, start, WINDOW):
        yield low, min(low + WINDOW - 1, start - 1)
