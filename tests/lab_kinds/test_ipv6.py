"""IPv6 with real clients: kernels that form addresses from advertisements, and dhclient.

What is advertised is read off the wire with scapy, whose reading is not ours.
"""

import ipaddress
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet6 import (
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import Ether

from tests.lab import dhcp6
from tests.lab.api import ApiError
from tests.lab.cloud import address
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.netns import inside
from tests.lab.process import eventually
from tests.lab_kinds.conftest import PATIENCE_S, SIX, Kinds

SLAAC, STATEFUL, STATELESS = "slaac", "dhcpv6-stateful", "dhcpv6-stateless"
MODES = (None, SLAAC, STATEFUL, STATELESS)
DNS, GATEWAY = "fd00:10::53", "fd00:10::1"
SERVICE_MAC = "02:57:45:46:54:01"
ROUTERS_MAC, ROUTERS = "33:33:00:00:00:02", "ff02::2"
ANSWER_S = 0.5
"""An answer takes milliseconds; so long is silence."""
FLAGS = {SLAAC: (1, 0, 0), STATEFUL: (0, 1, 1), STATELESS: (1, 0, 1)}
"""A, M and O by ``ipv6_ra_mode`` (Neutron's networking guide, IPv6)."""


def v6(kinds: Kinds, ra: str | None, addresses: str | None, **more: Any) -> str:
    """Create a network with one IPv6 subnet; return its id."""
    attributes = {name: more.pop(name) for name in ("mtu",) if name in more}
    modes = {"ipv6_ra_mode": ra, "ipv6_address_mode": addresses}
    subnet = {"ip_version": 6, **{name: value for name, value in modes.items() if value is not None}, **more}
    return kinds.network(SIX, subnet, **attributes)


def ready(kinds: Kinds, network: str, host: Hypervisor, **attributes: Any) -> tuple[Vm, dict[str, Any]]:
    """Start a guest whose kernel does what it does by itself; return it when its port is ACTIVE."""
    port = kinds.port(network, host, **attributes)
    vm = kinds.boot(host, port)
    return vm, kinds.weft.wait_for_port(port["id"])


def global_addresses(vm: Vm) -> dict[str, str]:
    """Return the guest's global IPv6 addresses that it may use, and where each is from ("ra" is the kernel's)."""
    links = json.loads(vm.run(["ip", "-j", "-6", "addr", "show", "dev", "eth0", "scope", "global"]).stdout)
    found = (one for link in links for one in link.get("addr_info", ()))
    return {
        one["local"]: "temporary" if one.get("temporary") else "ra" if one.get("dynamic") else "set"
        for one in found
        if one and not one.get("tentative")  # of another scope only a shell is shown
    }


def solicited(vm: Vm) -> Ether | None:
    """Ask for routers as a host does, and return what came; None for silence."""
    octets = bytes.fromhex(vm.mac.replace(":", ""))
    identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]  # RFC 4291 appendix A
    source = str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + identifier))
    head = Ether(src=vm.mac, dst=ROUTERS_MAC) / IPv6(src=source, dst=ROUTERS, hlim=255)
    with vm.capture() as capture:
        vm.send_frame(bytes(head / ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=vm.mac)))
        try:
            return Ether(capture.wait_for(lambda frame: ICMPv6ND_RA in Ether(frame), ANSWER_S))
        except TimeoutError:
            return None


def test_a_kernel_forms_the_very_address_its_port_has_and_reaches_others_by_it(kinds: Kinds) -> None:
    """RFC 4862 with the EUI-64 identifier, on which IPAM and the kernel agree without a word."""
    red = v6(kinds, SLAAC, SLAAC)
    one, one_port = ready(kinds, red, kinds.h1)
    two, two_port = ready(kinds, red, kinds.h2)
    for vm, port in ((one, one_port), (two, two_port)):
        eventually(
            lambda: global_addresses(vm) == {address(port): "ra"},  # noqa: B023 - waited for here
            PATIENCE_S,
            lambda: f"{address(port)}; the guest has {global_addresses(vm)}",  # noqa: B023
        )
    one.ping_until_answered(address(two_port))
    assert one.ping(address(two_port)).lost == two.ping(address(one_port)).lost == 0
    assert one.run(["ip", "-6", "route", "show", "default"]).stdout == "", "no router is there: none was announced"


def test_dhclient_gets_the_ports_address_where_addresses_come_by_dhcpv6(kinds: Kinds) -> None:
    red = v6(kinds, STATEFUL, STATEFUL, dns_nameservers=[DNS])
    one, one_port = ready(kinds, red, kinds.h1)
    two, two_port = ready(kinds, red, kinds.h2)
    for vm, port in ((one, one_port), (two, two_port)):
        lease = dhcp6.ask(vm, "address")
        assert lease is not None, dhcp6.tail(vm)
        assert (lease.address, lease.dns) == (address(port), (DNS,))
        assert set(global_addresses(vm)) == {address(port)}, "the advertised prefix is not for forming addresses"
    one.ping_until_answered(address(two_port))
    assert one.ping(address(two_port)).lost == 0


def test_dhclient_gets_name_servers_where_only_those_come_by_dhcpv6(kinds: Kinds) -> None:
    red = v6(kinds, STATELESS, STATELESS, dns_nameservers=[DNS])
    vm, port = ready(kinds, red, kinds.h1)
    eventually(lambda: global_addresses(vm) == {address(port): "ra"}, PATIENCE_S, "the address by advertisement")
    lease = dhcp6.ask(vm, "options")
    assert lease is not None, dhcp6.tail(vm)
    assert (lease.address, lease.dns) == (None, (DNS,))


@pytest.mark.parametrize(("ra", "addresses"), list(itertools.product(MODES, MODES)))
def test_every_combination_of_modes_is_refused_or_advertised_as_the_guide_says(
    kinds: Kinds, ra: str | None, addresses: str | None
) -> None:
    if ra and addresses and ra != addresses:
        with pytest.raises(ApiError) as refused:
            v6(kinds, ra, addresses)
        assert refused.value.status == 400
        return
    port = kinds.port(v6(kinds, ra, addresses, dns_nameservers=[DNS], mtu=1400), kinds.h1)
    # Its kernel is silent, so that what comes is the answer to what is sent here.
    vm = kinds.h1.boot_vm("asking", device=f"tap{port['id'][:11]}", mac=port["mac_address"], ipv6=False)
    kinds.weft.wait_for_port(port["id"])
    heard = solicited(vm)
    if ra is None:
        assert heard is None
        return
    assert heard is not None
    said, prefix = heard[ICMPv6ND_RA], heard[ICMPv6NDOptPrefixInfo]
    assert FLAGS[ra] == (prefix.A, said.M, said.O)
    assert (said.routerlifetime, heard[ICMPv6NDOptMTU].mtu, heard[ICMPv6NDOptRDNSS].dns) == (0, 1400, [DNS])
    assert ipaddress.ip_network(f"{prefix.prefix}/{prefix.prefixlen}") == ipaddress.ip_network(SIX)
    assert (heard[IPv6].hlim, heard.src) == (255, SERVICE_MAC)
    assert ipaddress.ip_address(address(port)) in ipaddress.ip_network(SIX)


def test_the_mtu_of_an_advertisement_is_the_kernels_and_packets_of_that_size_pass(kinds: Kinds) -> None:
    """RFC 4861 section 4.6.4."""
    red = v6(kinds, SLAAC, SLAAC, mtu=1400)
    one, _ = ready(kinds, red, kinds.h1)
    _, two_port = ready(kinds, red, kinds.h2)
    eventually(lambda: _mtu(one) == 1400, PATIENCE_S, lambda: f"the guest has {_mtu(one)}")
    one.ping_until_answered(address(two_port))
    assert one.ping(address(two_port), size=1400 - 48).lost == 0


def _mtu(vm: Vm) -> int:
    return int(vm.run(["cat", "/proc/sys/net/ipv6/conf/eth0/mtu"]).stdout)


def test_a_router_with_a_port_is_announced_in_its_own_name_and_guests_send_to_it(kinds: Kinds) -> None:
    """Its link-local address is known by its port's MAC address: so may a lifetime be, and its MAC must be its own."""
    red = v6(kinds, SLAAC, SLAAC, gateway_ip=GATEWAY)
    owner = {"device_owner": "network:router_interface", "fixed_ips": [{"ip_address": GATEWAY}]}
    router, router_port = ready(kinds, red, kinds.h2, **owner)
    vm, _ = ready(kinds, red, kinds.h1)
    heard = solicited(vm)
    assert heard is not None
    link_local = dhcp6.wait_for_link_local(router)
    assert (heard[IPv6].src, heard[ICMPv6ND_RA].routerlifetime) == (link_local, 1800)
    assert heard[ICMPv6NDOptSrcLLAddr].lladdr == router_port["mac_address"]
    route = eventually(lambda: vm.run(["ip", "-6", "route", "show", "default"]).stdout, PATIENCE_S, "a default route")
    assert f"via {link_local}" in route
    router.address_set(f"{GATEWAY}/64")
    inside(router.namespace, lambda: Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1"))
    router.run(["ip", "-6", "addr", "add", "2001:db8::1/128", "dev", "lo"])
    vm.ping_until_answered(GATEWAY)
    assert vm.ping("2001:db8::1").lost == 0, "what is elsewhere goes through the router"


def test_a_guest_that_plays_router_is_not_believed_anywhere(kinds: Kinds) -> None:
    """RFC 6105's danger, on the host of the liar and on another."""
    red = v6(kinds, SLAAC, SLAAC)
    rogue, _ = ready(kinds, red, kinds.h1)
    victims = [ready(kinds, red, host)[0] for host in (kinds.h1, kinds.h2)]
    source = dhcp6.wait_for_link_local(rogue)
    prefix = ICMPv6NDOptPrefixInfo(prefix="fd66::", prefixlen=64, L=1, A=1)
    head = Ether(src=rogue.mac, dst="33:33:00:00:00:01") / IPv6(src=source, dst="ff02::1", hlim=255)
    lie = head / ICMPv6ND_RA(routerlifetime=1800) / ICMPv6NDOptSrcLLAddr(lladdr=rogue.mac) / prefix
    mark = bytes(Ether(src=rogue.mac, dst="ff:ff:ff:ff:ff:ff", type=0x88B5) / b"the end".ljust(46, b"\0"))
    with victims[0].capture() as near, victims[1].capture() as far:
        rogue.send_frame(bytes(lie), mark)
        for capture in (near, far):
            capture.wait_for(lambda frame: frame == mark)
            assert not capture.frames(lambda frame: frame == bytes(lie))
    for victim in victims:
        assert "default" not in victim.run(["ip", "-6", "route", "show"]).stdout
        assert not any(one.startswith("fd66:") for one in global_addresses(victim))


@pytest.fixture
def private(kinds: Kinds) -> tuple[Vm, dict[str, Any], str]:
    """Give a guest that forms temporary addresses, its port, and such an address (RFC 8981)."""
    port = kinds.port(v6(kinds, SLAAC, SLAAC), kinds.h1)
    vm = kinds.boot(kinds.h1, port)
    inside(vm.namespace, _prefer_temporary)
    kinds.weft.wait_for_port(port["id"])
    vm.run(["ip", "link", "set", "eth0", "down"])
    vm.run(["ip", "link", "set", "eth0", "up"])

    def formed() -> str | None:
        found = global_addresses(vm)
        return next((one for one, kind in found.items() if kind == "temporary"), None)

    return vm, port, eventually(formed, PATIENCE_S + 3, lambda: f"a temporary address; {global_addresses(vm)}")


def _prefer_temporary() -> None:
    for scope in ("all", "default", "eth0"):
        Path(f"/proc/sys/net/ipv6/conf/{scope}/use_tempaddr").write_text("2")


def test_temporary_addresses_are_dropped_until_a_pair_allows_them(
    kinds: Kinds, private: tuple[Vm, dict[str, Any], str]
) -> None:
    """Neutron knows the address it allotted; a guest that wants privacy is allowed its whole prefix."""
    vm, port, temporary = private
    far, other = ready(kinds, port["network_id"], kinds.h2)
    eventually(lambda: address(other) in global_addresses(far), PATIENCE_S, "the other guest has its address")
    eventually(lambda: address(port) in global_addresses(vm), PATIENCE_S, "the guest has its own address, too")
    assert _pings(vm, address(other), address(port))
    assert not _pings(vm, address(other), temporary)
    pairs = [{"ip_address": SIX}]
    kinds.weft.api.put(f"/v2.0/ports/{port['id']}", {"port": {"allowed_address_pairs": pairs}})
    eventually(lambda: _pings(vm, address(other), temporary), PATIENCE_S, "the temporary address is allowed now")


def _pings(vm: Vm, target: str, source: str) -> bool:
    done = vm.run(["ping", "-n", "-c", "3", "-i", "0.2", "-W", "0.5", "-I", source, target], check=False)
    return " 0 received" not in done.stdout
