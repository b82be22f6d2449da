"""What do the rows of the monitored tables look like, and how are they read from the wire?

Column names and types: vswitch.ovsschema, ovs-vswitchd.conf.db(5). No statistics or status columns: counters must not
wake us.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from controller.southbound.ovsdb import values
from controller.southbound.ovsdb.errors import PeerError

MARK = "weft"
"""Key in ``external_ids`` of every row Weft made or configures; the value says as what."""
MARK_PREWIRED = "weft-prewired"
"""Key in ``external_ids`` of an Interface written before its device exists."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "Open_vSwitch": ("ovs_version", "datapath_types", "next_cfg", "cur_cfg"),
    "Bridge": (
        "name",
        "datapath_id",
        "datapath_type",
        "fail_mode",
        "protocols",
        "controller",
        "ports",
        "other_config",
        "external_ids",
    ),
    "Port": ("name", "interfaces", "tag", "vlan_mode", "trunks"),
    "Interface": (
        "name",
        "type",
        "ofport",
        "ofport_request",
        "external_ids",
        "ifindex",
        "link_state",
        "error",
        "mtu",
        "options",
    ),
    "Controller": ("target", "connection_mode", "max_backoff", "inactivity_probe", "external_ids"),
}

Wire = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchRecord:
    """The one row of Open_vSwitch."""

    uuid: str
    ovs_version: str | None
    datapath_types: frozenset[str]
    next_cfg: int
    """Raised by who wants to know when ovs-vswitchd has taken a change in."""
    cur_cfg: int
    """The ``next_cfg`` ovs-vswitchd has taken in."""

    @classmethod
    def from_wire(cls, uuid: str, row: Wire) -> Self:
        """Read a row; raises KeyError or PeerError when it is not as the schema says."""
        return cls(
            uuid=uuid,
            ovs_version=values.optional_text(row["ovs_version"]),
            datapath_types=values.texts(row["datapath_types"]),
            next_cfg=values.integer(row["next_cfg"]),
            cur_cfg=values.integer(row["cur_cfg"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeRecord:
    """A row of Bridge."""

    uuid: str
    name: str
    datapath_id: int | None
    datapath_type: str
    fail_mode: str | None
    protocols: frozenset[str]
    controller: frozenset[str]
    ports: frozenset[str]
    other_config: Mapping[str, str]
    external_ids: Mapping[str, str]

    @classmethod
    def from_wire(cls, uuid: str, row: Wire) -> Self:
        """Read a row; raises KeyError or PeerError when it is not as the schema says."""
        return cls(
            uuid=uuid,
            name=values.text(row["name"]),
            datapath_id=_datapath_id(values.optional_text(row["datapath_id"])),
            datapath_type=values.text(row["datapath_type"]),
            fail_mode=values.optional_text(row["fail_mode"]),
            protocols=values.texts(row["protocols"]),
            controller=values.uuids(row["controller"]),
            ports=values.uuids(row["ports"]),
            other_config=values.text_map(row["other_config"]),
            external_ids=values.text_map(row["external_ids"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRecord:
    """A row of Port."""

    uuid: str
    name: str
    interfaces: frozenset[str]
    tag: int | None
    vlan_mode: str | None
    trunks: frozenset[int]

    @classmethod
    def from_wire(cls, uuid: str, row: Wire) -> Self:
        """Read a row; raises KeyError or PeerError when it is not as the schema says."""
        return cls(
            uuid=uuid,
            name=values.text(row["name"]),
            interfaces=values.uuids(row["interfaces"]),
            tag=values.optional_int(row["tag"]),
            vlan_mode=values.optional_text(row["vlan_mode"]),
            trunks=values.ints(row["trunks"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceRecord:
    """A row of Interface."""

    uuid: str
    name: str
    type: str
    ofport: int | None
    ofport_request: int | None
    external_ids: Mapping[str, str]
    ifindex: int | None
    """The kernel's number of the device; 0 when the device has gone, None when it never was there."""
    opened_ifindex: int | None
    """The device OVS opened, as far as we saw: OVS goes on with a dead socket when another takes its name."""
    link_state: str | None
    error: str | None
    mtu: int | None
    options: Mapping[str, str]

    @classmethod
    def from_wire(cls, uuid: str, row: Wire, previous: "InterfaceRecord | None" = None) -> Self:
        """Read a row; raises KeyError or PeerError when it is not as the schema says."""
        ofport, ifindex = values.optional_int(row["ofport"]), values.optional_int(row["ifindex"])
        opened = previous.opened_ifindex if previous else None
        if ofport is None or ofport < 1:
            opened = None
        elif opened is None:
            opened = ifindex or None
        return cls(
            uuid=uuid,
            name=values.text(row["name"]),
            type=values.text(row["type"]),
            ofport=ofport,
            ofport_request=values.optional_int(row["ofport_request"]),
            external_ids=values.text_map(row["external_ids"]),
            ifindex=ifindex,
            opened_ifindex=opened,
            link_state=values.optional_text(row["link_state"]),
            error=values.optional_text(row["error"]),
            mtu=values.optional_int(row["mtu"]),
            options=values.text_map(row["options"]),
        )

    @property
    def is_device(self) -> bool:
        """An ordinary network device, made by somebody else ("system" is written as the empty type)."""
        return self.type in {"", "system"}

    @property
    def is_live(self) -> bool:
        """OVS has given a number, and the device has not gone since."""
        return self.ofport is not None and self.ofport >= 1 and not self.is_gone

    @property
    def is_gone(self) -> bool:
        """The device OVS opened is not there any more, though OVS keeps the port's number (seen on OVS 3.1)."""
        return self.is_device and self.ifindex == 0

    @property
    def is_stale(self) -> bool:
        """OVS holds on to a device that has gone or was replaced: seen on netdev, the port receives nothing then."""
        if not self.is_device or self.ofport is None or self.ofport < 1:
            return False
        return self.is_gone or self.opened_ifindex not in {None, self.ifindex}


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerRecord:
    """A row of Controller."""

    uuid: str
    target: str
    connection_mode: str | None
    max_backoff: int | None
    inactivity_probe: int | None
    external_ids: Mapping[str, str]

    @classmethod
    def from_wire(cls, uuid: str, row: Wire) -> Self:
        """Read a row; raises KeyError or PeerError when it is not as the schema says."""
        return cls(
            uuid=uuid,
            target=values.text(row["target"]),
            connection_mode=values.optional_text(row["connection_mode"]),
            max_backoff=values.optional_int(row["max_backoff"]),
            inactivity_probe=values.optional_int(row["inactivity_probe"]),
            external_ids=values.text_map(row["external_ids"]),
        )


def _datapath_id(hexadecimal: str | None) -> int | None:
    if not hexadecimal:
        return None
    try:
        return int(hexadecimal, 16)
    except ValueError as error:
        raise PeerError(why=f"sent the datapath id {hexadecimal!r}, which is not hexadecimal") from error
