"""What changed in the store since last time? Journal entries in, whole records out.

The journal is the truth and a wake-up only a hint: a poll without one finds the same changes. Only ids are taken from
the journal; the records are read in the same transaction, so several changes of one object are one.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

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
from controller.southbound.openflow.mark import IntentMark
from controller.store import snapshot as store
from controller.store.database import Database
from controller.store.states import load_port_statuses

BATCH = 5_000
"""Journal entries read at once."""
KINDS = ("network", "subnet", "port", "host", "security_group", "address_group")
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
    more: bool = False
    """There was more than one poll reads: poll again."""
    lost: bool = False
    """The journal does not go back far enough, or the database is another one: read everything again."""


class Feed:
    """Follows the journal of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
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
            self._first, _ = store.journal_span(tx)
        self._epoch, self._seq = snapshot.epoch, snapshot.seq
        return snapshot, states

    def poll(self) -> Changes:
        """Return what changed since the last poll."""
        with self._database.read() as tx:
            first, last = store.journal_span(tx)
            if store.load_epoch(tx) != self._epoch or last < self._seq or first > self._seq + 1:
                return Changes(lost=True)
            self._first = first
            entries = store.journal_after(tx, self._seq, BATCH)
            if not entries:
                return Changes()
            ids: dict[str, set[str]] = {kind: set() for kind in KINDS}
            for entry in entries:
                ids[entry.kind].add(entry.object_id)
            networks = store.load_networks(tx, ids["network"])
            subnets = store.load_subnets(tx, ids["subnet"])
            ports = store.load_ports(tx, ids["port"])
            hosts = store.load_hosts(tx, ids["host"])
            security_groups = store.load_security_groups(tx, ids["security_group"])
            address_groups = store.load_address_groups(tx, ids["address_group"])
        self._seq = entries[-1].seq
        return Changes(
            networks={NetworkId(i): networks.get(i) for i in ids["network"]},
            subnets={i: subnets.get(i) for i in ids["subnet"]},
            ports={PortId(i): ports.get(i) for i in ids["port"]},
            hosts={i: hosts.get(i) for i in ids["host"]},
            security_groups={i: security_groups.get(i) for i in ids["security_group"]},
            address_groups={i: address_groups.get(i) for i in ids["address_group"]},
            more=len(entries) == BATCH,
        )
