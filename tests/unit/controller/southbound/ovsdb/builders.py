"""Builders of what the tests want and of what others plugged."""

from dataclasses import replace

from controller.southbound.ovsdb.model import BridgeConfig, HostDesired, PatchPair, PrewiredPort, TunnelPort

TARGET = "tcp:192.0.2.100:6653"
VXLAN = TunnelPort(name="vxlan0", type="vxlan", ofport_request=65279, options=(("remote_ip", "flow"), ("key", "flow")))


def a_port(number: int = 1) -> PrewiredPort:
    return PrewiredPort(
        name=f"tap{number:08x}-00",
        iface_id=f"{number:08x}-0000-4000-8000-000000000000",
        mac=f"fa:16:3e:00:00:{number:02x}",
        ofport=32767 + number,
    )


def a_patch(color: str = "blue", ofport: int = 65200) -> PatchPair:
    return PatchPair(
        name=f"wi-br-{color}", far_name=f"wp-br-{color}", bridge=f"br-{color}", physical_network=color, ofport=ofport
    )


def a_desire(
    *ports: PrewiredPort,
    target: str = TARGET,
    datapath_type: str = "netdev",
    tunnels: tuple[TunnelPort, ...] = (VXLAN,),
    patches: tuple[PatchPair, ...] = (),
) -> HostDesired:
    bridge = BridgeConfig(
        datapath_type=datapath_type,
        datapath_id=0x5EF7,
        controller_target=target,
        tunnels=tunnels,
        patches=patches,
    )
    return HostDesired(bridge=bridge, prewired=frozenset(ports))


def named(port: PrewiredPort, name: str) -> PrewiredPort:
    return replace(port, name=name)
