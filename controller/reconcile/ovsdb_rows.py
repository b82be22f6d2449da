"""Which OVSDB rows must a host have?

The bridge, its tunnel port, and a row for every bound port before its device exists.
"""

from collections.abc import Iterable

from controller.reconcile.status import device_name
from controller.reconcile.translate import TUNNEL_TYPE
from controller.records import Host, Port
from controller.southbound.ovsdb.model import BridgeConfig, HostDesired, PrewiredPort, TunnelPort

TUNNEL_NAME = "weft-vxlan"
TUNNEL_OFPORT = 65279
"""The last number OVS does not assign by itself; bindings stay below (ovs-vswitchd.conf.db(5)
Interface:ofport_request)."""


def desired_rows(host: Host, controller_target: str, ports: Iterable[Port]) -> HostDesired:
    """Return the rows of a host whose bound ports are `ports`."""
    return HostDesired(
        bridge=BridgeConfig(
            datapath_type=host.datapath_type,
            datapath_id=host.datapath_id,
            controller_target=controller_target,
            tunnels=() if host.tunnel_ip is None else (_tunnel(host.tunnel_ip),),
        ),
        prewired=frozenset(
            PrewiredPort(name=device_name(port.id), iface_id=port.id, mac=port.mac_address, ofport=port.binding.ofport)
            for port in ports
            if port.binding is not None
        ),
    )


def _tunnel(tunnel_ip: str) -> TunnelPort:
    return TunnelPort(
        name=TUNNEL_NAME,
        type=TUNNEL_TYPE,
        ofport_request=TUNNEL_OFPORT,
        options=(("key", "flow"), ("local_ip", tunnel_ip), ("remote_ip", "flow")),
    )
