"""What is a host on the wire? Weft's own resource (extension weft-host): a hypervisor with Open vSwitch."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from api.attributes import Attribute, Default, Resource, Service, by, ip, wire_time
from api.schema import BOOLEAN, INTEGER, OBJECT, TEXT, TIME, UUID, Schema, or_null, record
from api.validators import (
    Refused,
    boolean,
    described,
    ip_address,
    list_of,
    members,
    nullable,
    one_of,
    schema_of,
    shown,
    text,
)
from controller.caller import Caller
from controller.records import Host, HostState
from controller.services import hosts
from controller.store.database import Transaction
from controller.store.states import load_host_states

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,254}")
"""What fits in a path unquoted: host names, and the identifiers compute services use for hosts."""
_BRIDGE = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.:-]{0,14}")
"""A bridge has a device of the same name; Linux keeps 15 characters (IFNAMSIZ)."""
_TCP = re.compile(r"tcp:(\[[0-9A-Fa-f:.]+\]|[0-9.]+):([0-9]{1,5})")
_UNIX = re.compile(r"unix:/[^\x00-\x1f\x7f]{1,106}")
"""A socket's path has at most 107 bytes (unix(7), sun_path)."""
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """A host, and what the controller last saw of it."""

    host: Host
    state: HostState | None


def _look(tx: Transaction, _caller: Caller, records: Sequence[Host]) -> list[HostView]:
    states = load_host_states(tx)
    return [HostView(host=host, state=states.get(host.name)) for host in records]


@described({"type": "string", "pattern": f"^{_NAME.pattern}$"})
def _name(value: object) -> object:
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise Refused(f"'{shown(value)}' is not a valid host name: letters, digits and _ . : - only, at most 255")


@described({"type": "string", "pattern": f"^(?:{_TCP.pattern}|{_UNIX.pattern})$"})
def _ovsdb(value: object) -> object:
    """Return an OVSDB address (ovsdb(7), "Connection Methods", active ones)."""
    if isinstance(value, str) and value.startswith("ssl:"):
        raise Refused(f"'{shown(value)}': ssl: is not supported yet, use tcp:IP:PORT or unix:PATH")
    if isinstance(value, str):
        found = _TCP.fullmatch(value)
        if found and 0 < int(found[2]) <= _HIGHEST_PORT and _is_address(found[1].strip("[]"), "[" in value):
            return value
        if _UNIX.fullmatch(value):
            return value
    raise Refused(f"'{shown(value)}' is not an OVSDB address: tcp:IP:PORT, tcp:[IPV6]:PORT or unix:/PATH")


def _is_address(address: str, bracketed: bool) -> bool:
    try:
        return ipaddress.ip_address(address).version == (6 if bracketed else 4)
    except ValueError:
        return False


@described({"type": "string", "format": "ipv4"})
def _tunnel_ip(value: object) -> object:
    address = str(ip_address(value))
    parsed = ipaddress.ip_address(address)
    if parsed.version != 4:  # noqa: PLR2004
        raise Refused(f"'{address}' is an IPv6 address; tunnel endpoints must be IPv4 for now")
    if parsed.is_multicast or parsed.is_unspecified:
        raise Refused(f"'{address}' cannot be a tunnel endpoint")
    return address


_physnet_name = text(longest=64, shortest=1)


@described(
    record(
        {
            "physical_network": schema_of(_physnet_name),
            "bridge": {"type": "string", "pattern": f"^{_BRIDGE.pattern}$"},
        },
        required=("physical_network", "bridge"),
    )
)
def _physnet(value: object) -> tuple[object, object]:
    given = members(value, what="physnet", required=("physical_network", "bridge"))
    bridge = given["bridge"]
    if not isinstance(bridge, str) or not _BRIDGE.fullmatch(bridge):
        raise Refused(f"'{shown(bridge)}' is not a valid bridge name")
    return _physnet_name(given["physical_network"]), bridge


_every_physnet = list_of(_physnet, what="physnet")


@described(schema_of(_every_physnet))
def _physnets(value: object) -> object:
    pairs = _every_physnet(value)
    names = [name for name, _bridge in pairs] if isinstance(pairs, list) else []
    for name in names:
        if names.count(name) > 1:
            raise Refused(f"Duplicate physical network '{name}'")
    return pairs


def _status(view: HostView) -> str:
    state = view.state
    if state is None or not (state.ovsdb_connected or state.openflow_connected):
        return "DOWN"
    is_well = state.ovsdb_connected and state.openflow_connected and state.programmed and state.problem is None
    return "UP" if is_well else "DEGRADED"


def _seen(name: str, doc: str, unseen: object, shows: Schema) -> Attribute[HostView]:
    return Attribute(
        name=name,
        doc=doc,
        show=lambda view: unseen if view.state is None else getattr(view.state, name),
        shows=shows,
    )


HOST: Resource[Host, HostView] = Resource(
    collection="hosts",
    member="host",
    doc="A hypervisor whose Open vSwitch the controller programs.",
    service=Service(
        create=hosts.create,
        create_many=hosts.create_many,
        get=hosts.get,
        find=hosts.find,
        update=hosts.update,
        delete=hosts.delete,
    ),
    look=_look,
    identify=attrgetter("id"),
    delete_options=("force",),
    attributes=(
        Attribute(name="id", doc="Identifier.", show=attrgetter("host.id"), filter=by("id"), sort="id", shows=UUID),
        Attribute(
            name="name",
            doc="Unique name; ports name it in binding:host_id.",
            show=attrgetter("host.name"),
            key="name",
            parse=_name,
            default=Default.REQUIRED,
            post=True,
            filter=by("name"),
            sort="name",
        ),
        Attribute(
            name="ovsdb",
            doc="Where its OVSDB server listens: tcp:IP:PORT or unix:/PATH.",
            show=attrgetter("host.ovsdb"),
            key="ovsdb",
            parse=_ovsdb,
            default=Default.REQUIRED,
            post=True,
            put=True,
            filter=by("ovsdb"),
        ),
        Attribute(
            name="tunnel_ip",
            doc="Its tunnel endpoint; null, it has no tunnels.",
            show=attrgetter("host.tunnel_ip"),
            key="tunnel_ip",
            parse=nullable(_tunnel_ip),
            default=None,
            post=True,
            put=True,
            filter=by("tunnel_ip", ip),
        ),
        Attribute(
            name="datapath_type",
            doc="system (kernel) or netdev (userspace).",
            show=attrgetter("host.datapath_type"),
            key="datapath_type",
            parse=one_of(("system", "netdev")),
            default="system",
            post=True,
            put=True,
            filter=by("datapath_type"),
        ),
        Attribute(
            name="datapath_id",
            doc="16 hexadecimal digits, set by Weft on the integration bridge.",
            show=lambda view: f"{view.host.datapath_id:016x}",
            shows={"type": "string", "pattern": "^[0-9a-f]{16}$"},
        ),
        Attribute(
            name="physnets",
            doc="Physical networks and the bridges that lead to them.",
            show=lambda view: [{"physical_network": one.name, "bridge": one.bridge} for one in view.host.physnets],
            key="physnets",
            parse=nullable(_physnets, null=[]),
            default=(),
            post=True,
            put=True,
        ),
        Attribute(
            name="adopt",
            doc="Take its integration bridge although another controller or flows of others are there.",
            show=attrgetter("host.adopt"),
            key="adopt",
            parse=boolean,
            default=False,
            post=True,
            put=True,
        ),
        Attribute(
            name="availability_zone",
            doc="What fails together with it; networks may be wanted in some zones only.",
            show=attrgetter("host.availability_zone"),
            key="availability_zone",
            parse=text(shortest=1),
            default="nova",
            post=True,
            put=True,
            filter=by("availability_zone"),
            sort="availability_zone",
        ),
        Attribute(
            name="status",
            doc="UP, DEGRADED (partly connected or programmed) or DOWN.",
            show=_status,
            shows={"enum": ["UP", "DEGRADED", "DOWN"]},
        ),
        _seen("ovsdb_connected", "The controller is connected to its OVSDB server.", unseen=False, shows=BOOLEAN),
        _seen("openflow_connected", "Its switch is connected to the controller.", unseen=False, shows=BOOLEAN),
        _seen("programmed", "Every flow of the current intent is confirmed.", unseen=False, shows=BOOLEAN),
        _seen("problem", "What is wrong, in one sentence.", unseen=None, shows=or_null(TEXT)),
        Attribute(
            name="features",
            doc="What was probed when it connected.",
            show=lambda view: dict(view.state.features) if view.state else {},
            shows=OBJECT,
        ),
        Attribute(
            name="seen_at",
            doc="When the controller last heard of it.",
            show=lambda view: wire_time(view.state.seen_at) if view.state else None,
            shows=or_null(TIME),
        ),
        Attribute(
            name="created_at",
            doc="When it was registered.",
            show=lambda view: wire_time(view.host.created_at),
            shows=TIME,
        ),
        Attribute(
            name="updated_at",
            doc="When it last changed.",
            show=lambda view: wire_time(view.host.updated_at),
            shows=TIME,
        ),
        Attribute(
            name="revision_number",
            doc="Grows with every change; compare with If-Match.",
            show=attrgetter("host.revision_number"),
            shows=INTEGER,
        ),
    ),
)
