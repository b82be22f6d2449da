"""Where is each port plugged? What the Interface rows of one host say, read the way DECISIONS.md A wants it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controller.records import OfPort, PortId
from controller.southbound.ovsdb.model import HostView, InterfaceRow

INACTIVE = "inactive"
"""external_ids:iface-status of an interface that its owner has put aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """The devices of one host that carry a port's id."""

    ofport: OfPort | None = None
    """Number of the one live device; None when there is none or more than one."""
    live: tuple[str, ...] = ()
    """Names of the devices OVS has opened, sorted."""
    absent: tuple[str, ...] = ()
    """Names of rows without a device yet, sorted."""
    error: str | None = None
    """What OVS says about a device that somebody plugged and that it could not open."""
    link_state: str | None = None


UNPLUGGED = Plug()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugs:
    """What one host's bridge has plugged."""

    synced: bool = False
    """Whether the rows were ever read whole; until then nothing may be concluded from an absent one."""
    by_port: Mapping[PortId, Plug] = field(default_factory=dict)
    ofports: Mapping[OfPort, PortId | None] = field(default_factory=dict)
    """Who has each OpenFlow number: a port id, or None for a device that is no plug."""
    tunnels: Mapping[str, OfPort] = field(default_factory=dict)
    """OpenFlow number of each opened tunnel port, by its type."""

    def plug(self, port_id: PortId) -> Plug:
        """Return where a port is plugged on this host."""
        return self.by_port.get(port_id, UNPLUGGED)


def read_plugs(view: HostView, tunnel_names: Iterable[str]) -> Plugs:
    """Return what a view says; an unsynced view says nothing."""
    if not view.synced:
        return Plugs()
    rows: dict[PortId, list[InterfaceRow]] = {}
    ofports: dict[OfPort, PortId | None] = {}
    tunnels: dict[str, OfPort] = {}
    wanted = frozenset(tunnel_names)
    for row in view.interfaces:
        owner = PortId(row.iface_id) if row.iface_id and row.iface_status != INACTIVE else None
        if owner is not None:
            rows.setdefault(owner, []).append(row)
        if row.live:
            number = OfPort(row.ofport or 0)
            ofports[number] = owner
            if row.name in wanted:
                tunnels[row.type] = number
    return Plugs(synced=True, by_port={p: _plug(found) for p, found in rows.items()}, ofports=ofports, tunnels=tunnels)


def _plug(rows: list[InterfaceRow]) -> Plug:
    live = sorted((row for row in rows if row.live), key=lambda row: row.name)
    absent = sorted(row.name for row in rows if not row.live)
    errors = [row.error for row in rows if not row.live and row.error and not row.prewired]
    return Plug(
        ofport=OfPort(live[0].ofport or 0) if len(live) == 1 else None,
        live=tuple(row.name for row in live),
        absent=tuple(absent),
        error=errors[0] if errors and not live else None,
        link_state=live[0].link_state if len(live) == 1 else None,
    )
