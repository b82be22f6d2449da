"""What does Weft see on a host's Open vSwitch, and what does it want there? Pure values.

Column names and meanings are those of ovs-vswitchd.conf.db(5). Nothing here knows JSON, sockets or threads.
"""

from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_BRIDGE = "br-int"


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceRow:
    """One Interface of the integration bridge, with what matters of its Port."""

    uuid: str
    name: str
    bridge: str
    port_name: str
    type: str
    """Empty for an ordinary device ("system"), else ``internal``, ``vxlan``, ``patch``, ..."""
    ofport: int | None
    """OpenFlow port number; None while OVS has not decided, -1 when it could not open the device."""
    ofport_request: int | None
    iface_id: str | None
    iface_status: str | None
    attached_mac: str | None
    link_state: str | None
    """``up``, ``down`` or None when there is no device to ask."""
    error: str | None
    mtu: int | None
    options: tuple[tuple[str, str], ...]
    """Sorted by key."""
    prewired: bool
    """The row carries Weft's own mark: Weft made it before the device."""
    tag: int | None
    """The Port's access VLAN; 4095 is what os-vif leaves on a port it isolates."""
    device_gone: bool = False
    """The device went after OVS opened it; OVS keeps ``ofport`` (seen on 3.1, netdev)."""
    is_down: bool | None = None
    """Somebody set the device down, or nobody has set it up yet (``admin_state``); not that its cable is pulled. None
    as long as OVS has not said."""
    mac: str | None = None
    """Of the device itself, not of the guest behind it (``mac_in_use``)."""

    @property
    def live(self) -> bool:
        """The port has an OpenFlow number and its device is there."""
        return self.ofport is not None and self.ofport >= 1 and not self.device_gone


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeRow:
    """The integration bridge as it is."""

    name: str
    datapath_id: int | None
    """64 bits; None until ovs-vswitchd has opened the bridge."""
    datapath_type: str
    fail_mode: str | None
    protocols: tuple[str, ...]
    controllers: tuple[str, ...]
    """Targets, sorted."""
    others: tuple[str, ...] = ()
    """Those that Weft did not make."""
    marked: bool = False
    """Weft has configured this bridge: it is marked, or has a controller of Weft's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """What Weft knows of one host's database at one instant, its interfaces apart: those come as ``RowChanges``.

    While ``synced`` is False everything is as last known (nothing before the first sync): it may be shown, but nothing
    may be concluded from a row that is missing.
    """

    connected: bool = False
    synced: bool = False
    bridge: BridgeRow | None = None
    ovs_version: str | None = None
    datapath_types: tuple[str, ...] = ()
    local_address: str | None = None
    """Our own end of the (last) connection: the address this host can reach us at. 127.0.0.1 for a unix socket."""
    error: str | None = None
    """Why the host is not connected, one sentence."""
    drift_count: int = 0
    """How often a row of Weft's, or a setting of its bridge, was found changed behind its back since the start."""
    last_drift: str | None = None
    """What was found changed last, as it is mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChanges:
    """What became of the integration bridge's interfaces since somebody last asked, and the view that goes with it."""

    view: HostView
    whole: bool = False
    """``rows`` is all there is: whatever was known before and is not in it does not exist any more."""
    rows: Mapping[str, InterfaceRow | None]
    """By uuid; None for one that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelPort:
    """A tunnel port wanted on the bridge."""

    name: str
    """At most 15 characters (Linux IFNAMSIZ less one), as every interface name."""
    type: str
    ofport_request: int
    options: tuple[tuple[str, str], ...]
    """For example ``(("key", "flow"), ("remote_ip", "flow"))``; the order does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchPair:
    """A way wanted between our bridge and a provider bridge, which is the operator's: two ports, one on each."""

    name: str
    """Of the end on our bridge; at most 15 characters, as every interface name."""
    far_name: str
    """Of the end on the provider bridge."""
    bridge: str
    """The provider bridge."""
    physical_network: str
    ofport: int
    """Wanted for the end on our bridge; the number of the other end is nobody's business."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeConfig:
    """The integration bridge as it should be."""

    name: str = DEFAULT_BRIDGE
    datapath_type: str
    """``system`` or ``netdev``."""
    datapath_id: int
    """64 bits, not 0."""
    controller_target: str
    """``tcp:IP:PORT`` of Weft's OpenFlow listener, as this host reaches it."""
    tunnels: tuple[TunnelPort, ...] = ()
    patches: tuple[PatchPair, ...] = ()
    adopt: bool = False
    """Controllers of others are removed from it; else nothing is written as long as there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrewiredPort:
    """A port whose row is written before its device exists."""

    name: str
    """The device Nova and Neutron would use: ``tap`` and the first 11 characters of the port id."""
    iface_id: str
    mac: str
    ofport: int
    """32768..65199: OVS assigns numbers below by itself (ovs-vswitchd.conf.db(5) Interface:ofport_request)."""
    taken_from: str | None = None
    """A bridge of somebody else whose device for the port comes to ours; the row, if there is one, moves with it."""
    given_to: str | None = None
    """A bridge of somebody else that gets the port's device; the port has no place on ours then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDesired:
    """All that Weft wants in one host's database, stated whole; later changes of ports are stated one by one."""

    bridge: BridgeConfig
    prewired: frozenset[PrewiredPort] = frozenset()
