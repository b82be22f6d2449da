"""How does a cloud become real? Over REST, with guests that are booted and whose network cards are raw sockets here."""

import contextlib
import itertools
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from tests.lab import Lab, Weft, netns
from tests.lab.api import ApiError
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.packets import ETH_P_ALL, RECEIVE_BUFFER, SNAP_LENGTH
from tests.lab.process import eventually, run
from tests.lab_matrix.frames import Seen, read
from tests.lab_matrix.intent import CIDR, Cloud, Group, Network, Offer, Port, Rule

PHYSICAL_NETWORK, PROVIDER_BRIDGE = "physnet1", "br-provider"
FIRST_VLAN = 100
KINDS = ("vxlan", "geneve", "vlan", "flat")
PATCH_S = 5.0
HANDS = 4
"""Threads that boot and end guests."""
BATCH, PAUSE_S = 24, 0.004
"""Frames one guest sends before the others have their turn, so that no queue overflows."""
SETTLE_S = 0.3
"""A port is ACTIVE once its own host has its flows; the others have theirs at once, but nothing says when."""


class Nic:
    """A guest's network card."""

    def __init__(self, vm: Vm) -> None:
        self._out, self._in = netns.inside(vm.namespace, _sockets)

    def send(self, frames: Iterable[bytes]) -> None:
        """Send frames as they are."""
        for frame in frames:
            self._out.send(frame)

    def receive(self) -> Iterator[Seen]:
        """Yield the probes that arrived meanwhile."""
        while True:
            try:
                frame, address = self._in.recvfrom(SNAP_LENGTH, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            seen = None if address[2] == socket.PACKET_OUTGOING else read(frame)
            if seen is not None:
                yield seen

    def close(self) -> None:
        """Let the namespace go."""
        self._out.close()
        self._in.close()


def _sockets() -> tuple[socket.socket, socket.socket]:
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    out.bind(("eth0", 0))  # protocol 0 receives nothing (packet(7))
    back = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    back.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    back.bind(("eth0", ETH_P_ALL))
    return out, back


@dataclass(frozen=True, slots=True, kw_only=True)
class Realised:
    """A cloud that is there."""

    port_ids: tuple[str, ...]
    nics: tuple[Nic, ...]


class Stage:
    """Hosts under a running Weft, joined by an underlay and by a physical network."""

    has_traces = True
    """Whether the walker can be asked what becomes of a frame."""

    def __init__(self, lab: Lab, weft: Weft, hosts: int = 2) -> None:
        self.weft = weft
        self.hosts = [lab.hypervisor(f"h{number}") for number in range(1, hosts + 1)]
        lab.warm_up()
        connect(lab, self.hosts)
        for host in self.hosts:
            weft.add_host(host, "--physnet", f"{PHYSICAL_NETWORK}:{PROVIDER_BRIDGE}")
        self._booted = itertools.count(1)
        self._offer: Offer | None = None

    def offer(self) -> Offer:
        """Return what this Weft can do."""
        if self._offer is None:
            self._offer = self._ask()
        return self._offer

    def _ask(self) -> Offer:
        for host in self.hosts:
            eventually(lambda: _has_patch(host), PATCH_S, f"{host.name} is joined to its provider bridge")  # noqa: B023
        return Offer(
            kinds=tuple(kind for kind in KINDS if self._makes(Network(kind=kind))),
            has_private_vlans=self._makes(Network(kind="vxlan", pvlan=True)),
            hosts=len(self.hosts),
        )

    def _makes(self, network: Network) -> bool:
        try:
            made = self.weft.api.create("network", **_attributes(network, 0))
        except ApiError as error:
            if error.status == 400:  # a type or an attribute it does not know
                return False
            raise
        self.weft.api.delete(f"/v2.0/networks/{made['id']}")
        return True

    @contextlib.contextmanager
    def realised(self, cloud: Cloud) -> Iterator[Realised]:
        """Give the cloud as long as the block lasts."""
        ids = _Ids(self.weft, [host.name for host in self.hosts])
        vms: list[Vm] = []
        nics: list[Nic] = []
        with ThreadPoolExecutor(HANDS) as hands, contextlib.ExitStack() as leaving:
            leaving.callback(ids.delete)
            leaving.callback(lambda: list(hands.map(self._end, vms)))
            leaving.callback(_close, nics)
            ids.create(cloud)
            vms += hands.map(self._boot, cloud.ports, ids.ports)
            nics += (Nic(vm) for vm in vms)
            for port, port_id in zip(cloud.ports, ids.ports, strict=True):
                if port.up and cloud.networks[port.network].up:
                    self.weft.wait_for_port(port_id)
            self.settle()
            yield Realised(port_ids=tuple(ids.ports), nics=tuple(nics))

    def settle(self) -> None:
        """Wait until every host has what is asked for."""
        time.sleep(SETTLE_S)

    def _boot(self, port: Port, port_id: str) -> Vm:
        host = self.hosts[port.host]
        name = f"m{next(self._booted)}"
        # The guest's kernel has no address: whatever it gets, it says nothing.
        return host.boot_vm(name, device=f"tap{port_id[:11]}", mac=port.mac, ipv6=False)

    def _end(self, vm: Vm) -> None:
        next(host for host in self.hosts if vm.name in host.vms).destroy_vm(vm)


def _close(nics: Iterable[Nic]) -> None:
    for nic in nics:
        nic.close()


def connect(lab: Lab, hosts: Sequence[Hypervisor]) -> None:
    """Join the hosts' provider bridges by a hub that lets VLANs pass.

    A switch that learns would send frames for an address that several ports bear to one of them alone, and what it
    keeps from a host could not prove that the host takes no more than it should.
    """
    switch = f"{netns.NAMESPACE_PREFIX}{lab.id}-net"
    run(["ip", "-n", switch, "link", "add", "physical", "type", "bridge", "ageing_time", "0"])
    run(["ip", "-n", switch, "link", "set", "physical", "up"])
    for number, host in enumerate(hosts, 1):
        inside, outside = ["ip", "-n", host.namespace, "link"], ["ip", "-n", switch, "link"]
        peer = ["peer", "name", f"p{number}", "netns", switch]
        run([*inside, "add", "pn", "type", "veth", *peer])
        run([*outside, "set", f"p{number}", "master", "physical", "up"])
        run([*inside, "set", "pn", "up"])
        bridge = ("--", "set", "Bridge", PROVIDER_BRIDGE, "datapath_type=netdev")
        host.vsctl("add-br", PROVIDER_BRIDGE, *bridge, "--", "add-port", PROVIDER_BRIDGE, "pn")
        host.ofctl("add-flow", PROVIDER_BRIDGE, "priority=1,actions=FLOOD")


def _has_patch(host: Hypervisor) -> bool:
    """Whether the host's bridge is joined to its provider bridge."""
    return "patch" in host.vsctl("--columns=type", "find", "Interface", "type=patch")


def _attributes(network: Network, number: int) -> dict[str, Any]:
    wanted: dict[str, Any] = {"provider:network_type": network.kind, "admin_state_up": network.up}
    if network.pvlan:
        wanted["pvlan"] = True
    if network.kind in {"vlan", "flat"}:
        wanted["provider:physical_network"] = PHYSICAL_NETWORK
    if network.kind == "vlan":
        wanted["provider:segmentation_id"] = FIRST_VLAN + number
    return wanted


class _Ids:
    """What was created, and how."""

    def __init__(self, weft: Weft, hosts: Sequence[str]) -> None:
        self._api, self._hosts = weft.api, hosts
        self.networks: list[str] = []
        self.subnets: dict[tuple[int, int], str] = {}
        self.groups: list[str] = []
        self.address_groups: list[str] = []
        self.ports: list[str] = []

    def create(self, cloud: Cloud) -> None:
        """Ask for everything."""
        for number, network in enumerate(cloud.networks):
            self._network(number, network)
        for number, prefixes in enumerate(cloud.address_groups):
            given: dict[str, object] = {
                "name": f"a{number}",
                "addresses": sorted({str(ip_network(prefix)) for prefix in prefixes}),
            }
            made = self._api.post("/v2.0/address-groups", {"address_group": given})
            self.address_groups.append(made["address_group"]["id"])
        for number in range(len(cloud.groups)):
            given = {"name": f"g{number}", "stateful": cloud.groups[number].stateful}
            made = self._api.post("/v2.0/security-groups", {"security_group": given})["security_group"]
            self.groups.append(made["id"])
            for rule in made["security_group_rules"]:
                self._api.delete(f"/v2.0/security-group-rules/{rule['id']}")
        for group_id, group in zip(self.groups, cloud.groups, strict=True):
            self._rules(group_id, group)
        for port in cloud.ports:
            self.ports.append(self._port(port, cloud.networks[port.network])["id"])

    def _network(self, number: int, network: Network) -> None:
        made = self._api.create("network", name=f"n{number}", **_attributes(network, number))
        self.networks.append(made["id"])
        for version, cidr in CIDR.items():
            subnet = self._api.create("subnet", network_id=made["id"], ip_version=version, cidr=cidr)
            self.subnets[number, version] = subnet["id"]

    def _rules(self, group_id: str, group: Group) -> None:
        rules = [{"security_group_id": group_id, **self._rule(rule)} for rule in group.rules]
        if rules:
            self._api.post("/v2.0/security-group-rules", {"security_group_rules": rules})

    def _rule(self, rule: Rule) -> dict[str, Any]:
        numbers = {"port_range_min": rule.low, "port_range_max": rule.high}
        body = {
            "direction": rule.direction,
            "ethertype": f"IPv{rule.version}",
            "protocol": rule.protocol,
            **numbers,
            "remote_ip_prefix": None if rule.prefix is None else str(ip_network(rule.prefix)),
            "remote_group_id": None if rule.group is None else self.groups[rule.group],
            "remote_address_group_id": None if rule.addresses is None else self.address_groups[rule.addresses],
        }
        return {name: value for name, value in body.items() if value is not None}

    def _port(self, port: Port, network: Network) -> dict[str, Any]:
        fixed = [{"subnet_id": self.subnets[port.network, 6 if ":" in ip else 4], "ip_address": ip} for ip in port.ips]
        pairs = [{"ip_address": ip, **({} if mac is None else {"mac_address": mac})} for mac, ip in port.pairs]
        private = {"pvlan_type": port.kind} if network.pvlan else {}
        return self._api.create(
            "port",
            network_id=self.networks[port.network],
            name=f"p{port.number}",
            mac_address=port.mac,
            fixed_ips=fixed,
            admin_state_up=port.up,
            port_security_enabled=port.guarded,
            **({"security_groups": [self.groups[number] for number in port.groups]} if port.guarded else {}),
            **({"allowed_address_pairs": pairs} if pairs else {}),
            **{"binding:host_id": self._hosts[port.host]},
            **private,
            **({"pvlan_community": port.community} if port.community else {}),
        )

    def delete(self) -> None:
        """Take everything away."""
        for collection, ids in (
            ("ports", self.ports),
            ("networks", self.networks),
            ("security-groups", self.groups),
            ("address-groups", self.address_groups),
        ):
            self._all(collection, ids)

    def _all(self, collection: str, ids: Sequence[str]) -> None:
        left = list(ids)
        for _ in ids:  # groups refer to each other: who is referred to goes later
            for one in list(left):
                with contextlib.suppress(ApiError) if len(left) > 1 else contextlib.nullcontext():
                    self._api.delete(f"/v2.0/{collection}/{one}")
                    left.remove(one)


def exchange(
    nics: Sequence[Nic],
    outgoing: Mapping[int, Sequence[bytes]],
    take: Callable[[int, Seen], None],
    is_done: Callable[[], bool],
    *,
    timeout_s: float,
) -> None:
    """Let all guests send, by turns, and take what arrives until it is all there or nothing has come for a while.

    Args:
        nics: By number of the port.
        outgoing: Frames by number of the port that sends them.
        take: Called for each probe with the number of the port that got it.
        is_done: Whether no more is missed.
        timeout_s: How long nothing may come.
    """
    longest = max((len(frames) for frames in outgoing.values()), default=0)
    for begin in range(0, longest, BATCH):
        for number, frames in outgoing.items():
            nics[number].send(frames[begin : begin + BATCH])
        time.sleep(PAUSE_S)
        _take(nics, take)
    last = time.monotonic()
    while time.monotonic() - last < timeout_s and not is_done():
        if _take(nics, take):
            last = time.monotonic()
        else:
            time.sleep(0.01)


def _take(nics: Sequence[Nic], take: Callable[[int, Seen], None]) -> int:
    count = 0
    for number, nic in enumerate(nics):
        for seen in nic.receive():
            take(number, seen)
            count += 1
    return count
