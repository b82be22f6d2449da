"""What is one unit of work given? A connection, one instant, sources of chance and identity, and the journal."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Insert, func, insert, select

from controller.plugins.faces import Faces
from controller.store.direct import Direct
from controller.store.schema import JOURNAL

if TYPE_CHECKING:  # it writes with transactions itself
    from controller.ipam_drivers.hand import Hand

JOURNAL_LOCK = 0x57454654
"""Key of the advisory lock that makes journal numbers visible in commit order on PostgreSQL ("WEFT")."""

_NOTE = Direct(insert(JOURNAL), columns=("kind", "object_id", "network_id", "at"))

Variants = Mapping[str, Insert]
"""One statement in the words of each supported dialect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultRange:
    """Segmentation ids that networks of a type get when nobody asks for one; bounds are inclusive."""

    network_type: str
    physical_network: str | None = None
    minimum: int
    maximum: int


_EVERY_VNI = tuple(
    DefaultRange(network_type=network_type, minimum=1, maximum=16_777_215) for network_type in ("vxlan", "geneve")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator may choose about stored intent."""

    default_network_type: str = "vxlan"
    """Of networks that name none."""
    segment_ranges: tuple[DefaultRange, ...] = _EVERY_VNI
    """VNIs have 24 bits (RFC 7348 section 5, RFC 8926 section 3.4)."""
    physical_networks: tuple[str, ...] = ()
    """Known although no registered host has them (yet)."""
    underlay_mtu: int = 1500
    """Largest IP packet between hosts, and on physical networks that say nothing else."""
    physnet_mtus: tuple[tuple[str, int], ...] = ()
    """(physical network, MTU) pairs."""
    overlay_ip_version: int = 4
    """Of tunnel endpoints; an IPv6 header takes 20 bytes more."""
    quotas: tuple[tuple[str, int], ...] = (("rbac_policy", 10),)
    """(resource, limit) pairs of projects that have no limit of their own; -1, and what is not named, is no limit."""
    ipam_quarantine_s: int = 0
    """Seconds for which a released address is given to nobody, in subnets that do not say it themselves."""


class Transaction:
    """One unit of work; made by ``Database.read`` and ``Database.write`` only."""

    __slots__ = ("_journal", "connection", "faces", "hand", "new_id", "now", "rng", "settings", "timestamp")

    def __init__(
        self,
        connection: Connection,
        *,
        now: datetime,
        rng: random.Random,
        new_id: Callable[[], str],
        settings: Settings,
        faces: Faces,
        hand: "Hand | None" = None,
    ) -> None:
        self.connection = connection
        self.now = now
        """One instant for the whole transaction: UTC, whole seconds, as Neutron shows times."""
        self.timestamp = int(now.timestamp())
        """The same instant in seconds since 1970, as it is stored."""
        self.rng = rng
        self.new_id = new_id
        self.settings = settings
        self.faces = faces
        """The plug-ins, which say what they can realise."""
        self.hand = hand
        """What services outside Weft have given for this unit of work; None where they cannot be asked."""
        self._journal: dict[tuple[str, str], dict[str, object]] = {}

    @property
    def is_journalled(self) -> bool:
        """Whether this transaction changes intent."""
        return bool(self._journal)

    def variant(self, variants: Variants) -> Insert:
        """Return the statement in the words of this connection's dialect."""
        return variants[self.connection.dialect.name]

    def journal(self, kind: str, object_id: str, network_id: str | None = None) -> None:
        """Note a change of one object; the row is written at the end of the transaction, once per object."""
        row: dict[str, object] = {"kind": kind, "object_id": object_id, "network_id": network_id, "at": self.timestamp}
        self._journal.setdefault((kind, object_id), row)

    def journalled(self, kind: str) -> frozenset[str]:
        """Return the ids of the objects of a kind whose change was noted."""
        return frozenset(object_id for noted, object_id in self._journal if noted == kind)

    def write_journal(self) -> None:
        """Write the noted changes; the last thing before the commit.

        PostgreSQL hands out sequence numbers when a row is inserted, not when it is committed, so that a reader could
        pass over a smaller number that is committed later. The lock is held from the first number to the commit.
        """
        if not self._journal:
            return
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(select(func.pg_advisory_xact_lock(JOURNAL_LOCK)))
        _NOTE.run(self.connection, list(self._journal.values()))
