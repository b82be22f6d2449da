"""What changed in the store since last time? Journal entries in, whole records out.

The journal is the truth and a wake-up only a hint: a poll without one finds the same changes. Only ids are taken from
the journal; the records are read in the same transaction, so several changes of one object are one.

A feed may be of one plug-in: then networks of others, with their subnets and ports, and their hosts are not there. A
network that moves to another plug-in is gone for the one and new for the other, whole each time. To an engine that
prepares moves the network is there, whole, before it comes and until it has left, and says so (``Network.move``).
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from controller.records import (
    AddressGroup,
    Host,
    Network,
    NetworkId,
    Port,
    PortId,
    PortState,
    SecurityGroup,
    Snapshot,
    Subnet,
)
from controller.sighting_records import Sighting
from controller.southbound.openflow.intent_mark import IntentMark
from controller.store import sightings
from controller.store import snapshot as store
from controller.store.database import Database
from controller.store.network_moves import NetworkMove, load_moves, with_moves
from controller.store.schema import PORTS, SUBNETS
from controller.store.states import load_port_statuses
from controller.store.transaction import Transaction

_Inside = TypeVar("_Inside", Subnet, Port, Sighting)
BATCH = 5_000
"""Journal entries read at once."""
KINDS = ("network", "subnet", "port", "host", "security_group", "address_group", sightings.KIND)
"""What journal entries speak of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Objects that changed, as they are now; None for one that is gone."""

    networks: Mapping[NetworkId, Network | None] = field(default_factory=dict)
    subnets: Mapping[str, Subnet | None] = field(default_factory=dict)
    ports: Mapping[PortId, Port | None] = field(default_factory=dict)
    hosts: Mapping[str, Host | None] = field(default_factory=dict)
    security_groups: Mapping[str, SecurityGroup | None] = field(default_factory=dict)
    """Each with its rules."""
    address_groups: Mapping[str, AddressGroup | None] = field(default_factory=dict)
    sightings: Mapping[str, Sighting | None] = field(default_factory=dict)
    more: bool = False
    """There was more than one poll reads: poll again."""
    lost: bool = False
    """The journal does not go back far enough, or the database is another one: read everything again."""


def load_changes(tx: Transaction, ids: Mapping[str, Collection[str]]) -> Changes:
    """Return some objects, by the kinds of the journal, as they are in a transaction; None for what is not there."""
    networks = store.load_networks(tx, ids.get("network", ()))
    subnets = store.load_subnets(tx, ids.get("subnet", ()))
    ports = store.load_ports(tx, ids.get("port", ()))
    hosts = store.load_hosts(tx, ids.get("host", ()))
    security_groups = store.load_security_groups(tx, ids.get("security_group", ()))
    address_groups = store.load_address_groups(tx, ids.get("address_group", ()))
    seen = sightings.load_sightings(tx, ids.get(sightings.KIND, ()))
    return Changes(
        networks={NetworkId(i): networks.get(i) for i in ids.get("network", ())},
        subnets={i: subnets.get(i) for i in ids.get("subnet", ())},
        ports={PortId(i): ports.get(i) for i in ids.get("port", ())},
        hosts={i: hosts.get(i) for i in ids.get("host", ())},
        security_groups={i: security_groups.get(i) for i in ids.get("security_group", ())},
        address_groups={i: address_groups.get(i) for i in ids.get("address_group", ())},
        sightings={i: seen.get(i) for i in ids.get(sightings.KIND, ())},
    )


class Feed:
    """Follows the journal of one database."""

    def __init__(self, database: Database, *, plugin: str | None = None, prepares_moves: bool = False) -> None:
        """Prepare; `open` begins. With `plugin` only its networks are told, with what is in them."""
        self._database = database
        self._plugin = plugin
        self._prepares_moves = prepares_moves
        self._own: set[NetworkId] = set()
        self._epoch = ""
        self._seq = 0
        self._first = 0

    @property
    def position(self) -> IntentMark:
        """How far the intent handed out so far goes: which database, which journal number."""
        epoch = int.from_bytes(hashlib.sha256(self._epoch.encode()).digest()[:4], "big")
        return IntentMark(epoch=epoch, seq=self._seq, first=self._first)

    def open(self) -> tuple[Snapshot, Mapping[PortId, PortState]]:
        """Return the whole intent and the port states last stored; following polls go on from there."""
        with self._database.read() as tx:
            snapshot = store.load_snapshot(tx)
            states = load_port_statuses(tx)
            self._first = store.journal_span(tx).first
            moves = self._moves(tx, None)
        self._epoch, self._seq = snapshot.epoch, snapshot.seq
        if self._plugin is None:
            return snapshot, states
        told = with_moves({one.id: one for one in snapshot.networks}, moves, self._plugin)
        networks = tuple(one for one in told.values() if self._is_told(one))
        self._own = {network.id for network in networks}
        ports = tuple(one for one in snapshot.ports if one.network_id in self._own)
        subnets = tuple(one for one in snapshot.subnets if one.network_id in self._own)
        hosts = tuple(one for one in snapshot.hosts if one.plugin == self._plugin)
        seen = tuple(one for one in snapshot.sightings if one.network_id in self._own)
        own = {port.id: states[port.id] for port in ports if port.id in states}
        return replace(snapshot, networks=networks, subnets=subnets, ports=ports, hosts=hosts, sightings=seen), own

    def poll(self) -> Changes:
        """Return what changed since the last poll."""
        with self._database.read() as tx:
            span = store.journal_span(tx)
            if span.epoch != self._epoch or span.last < self._seq or span.first > self._seq + 1:
                return Changes(lost=True)
            self._first = span.first
            if span.last == self._seq:
                return Changes()
            entries = store.journal_after(tx, self._seq, BATCH)
            ids: dict[str, set[str]] = {kind: set() for kind in KINDS}
            for entry in entries:
                ids[entry.kind].add(entry.object_id)
            networks = store.load_networks(tx, ids["network"])
            if self._plugin is not None:
                networks = with_moves(networks, self._moves(tx, networks), self._plugin)
            moved = self._moved(ids["network"], networks)
            ids["subnet"] |= store.ids_in_networks(tx, SUBNETS, moved)
            ids["port"] |= store.ids_in_networks(tx, PORTS, moved)
            ids[sightings.KIND] |= store.ids_in_networks(tx, sightings.ADDRESS_SIGHTINGS, moved)
            changes = load_changes(tx, {**ids, "network": ()})
        self._seq = entries[-1].seq
        return replace(
            changes,
            networks={NetworkId(i): networks.get(i) if self._is_own(i) else None for i in ids["network"]},
            subnets={i: self._inside(subnet) for i, subnet in changes.subnets.items()},
            ports={i: self._inside(port) for i, port in changes.ports.items()},
            hosts={i: self._own_host(host) for i, host in changes.hosts.items()},
            sightings={i: self._inside(seen) for i, seen in changes.sightings.items()},
            more=len(entries) == BATCH,
        )

    def _is_own(self, network_id: str) -> bool:
        return self._plugin is None or network_id in self._own

    def _own_host(self, host: Host | None) -> Host | None:
        return host if host is not None and self._plugin in {None, host.plugin} else None

    def _inside(self, record: _Inside | None) -> _Inside | None:
        return record if record is not None and self._is_own(record.network_id) else None

    def _is_told(self, network: Network) -> bool:
        """Whether a network is the plug-in's, comes to it, or is about to leave it."""
        return network.plugin == self._plugin or network.move is not None

    def _moves(self, tx: Transaction, ids: Collection[str] | None) -> Mapping[str, NetworkMove]:
        return load_moves(tx, ids) if self._prepares_moves else {}

    def _moved(self, ids: Iterable[str], networks: Mapping[str, Network]) -> list[str]:
        """Note which networks became or ceased to be the plug-in's; return those, what is in them changes too."""
        moved = []
        for network_id in ids:
            network = networks.get(network_id)
            is_own = network is not None and self._is_told(network)
            if is_own == (network_id in self._own):
                continue
            if is_own:
                self._own.add(NetworkId(network_id))
            else:
                self._own.discard(NetworkId(network_id))
            moved.append(network_id)
        return moved if self._plugin is not None else []
