"""DHCPv4 with real clients, from the port's binding, through the switch."""

import re
import time
from ipaddress import IPv4Address
from typing import Literal

import pytest

from flows.pipeline import ADDRESSES
from tests.lab.cloud import Cloud, address

OPTIONS = {
    "dns_nameservers": ["192.0.2.53", "192.0.2.54"],
    "host_routes": [{"destination": "198.51.100.0/24", "nexthop": "10.10.0.9"}],
}


@pytest.mark.parametrize("client", ["udhcpc", "dhclient"])
def test_a_real_client_gets_everything_its_port_has(cloud: Cloud, client: Literal["udhcpc", "dhclient"]) -> None:
    red = cloud.network(subnet=OPTIONS, mtu=1400)
    port = cloud.port(red, cloud.h1, extra_dhcp_opts=[{"opt_name": "ntp-server", "opt_value": "192.0.2.123"}])
    vm = cloud.boot(cloud.h1, port)
    lease = vm.dhcp(client)
    assert lease.address == address(port)
    assert lease.prefix_length == 24
    assert lease.router == "10.10.0.1"
    assert lease.dns == ("192.0.2.53", "192.0.2.54")
    assert lease.mtu == 1400
    assert lease.lease_s == 86400
    assert lease.server_id == "10.10.0.1"
    assert ("198.51.100.0/24", "10.10.0.9") in lease.routes


def test_two_vms_with_addresses_by_dhcp_ping_each_other_across_hosts(cloud: Cloud) -> None:
    red = cloud.network()
    ports = [cloud.port(red, host) for host in (cloud.h1, cloud.h2)]
    one, two = (cloud.boot(host, port) for host, port in zip((cloud.h1, cloud.h2), ports, strict=True))
    assert [one.dhcp().address, two.dhcp().address] == [address(p) for p in ports]
    one.ping_until_answered(address(ports[1]))


def test_a_lease_is_renewed_by_unicast_to_the_server_address(cloud: Cloud) -> None:
    """RFC 2131 section 4.3.2: in RENEWING the client asks the server itself, so somebody must answer ARP for it."""
    red = cloud.network()
    port = cloud.port(red, cloud.h1)
    vm = cloud.boot(cloud.h1, port)
    vm.dhcp(stay=True)
    assert vm.renew().address == address(port)
    wanted = f"table={ADDRESSES.id},reg7=0x0a0a0001"
    [answers] = cloud.h1.ofctl("dump-flows", "br-int", wanted).splitlines()[1:]
    assert "n_packets=0" not in answers, "the client asked for the server's MAC and was answered"
    assert vm.ping("10.10.0.1", count=1).received == 0, "a layer-2 network routes nothing"
    assert vm.neighbour("10.10.0.1") == "02:57:45:46:54:01"


def test_a_subnet_without_gateway_is_served_from_a_link_local_address(cloud: Cloud) -> None:
    red = cloud.network(subnet={"gateway_ip": None})
    vm = cloud.boot(cloud.h1, cloud.port(red, cloud.h1))
    lease = vm.dhcp()
    assert lease.server_id == "169.254.0.1"
    assert lease.router is None


def test_no_answer_where_dhcp_is_off_until_it_is_switched_on(cloud: Cloud) -> None:
    red = cloud.network(subnet={"enable_dhcp": False})
    port = cloud.port(red, cloud.h1)
    vm = cloud.boot(cloud.h1, port)
    cloud.weft.wait_for_port(port["id"])
    with pytest.raises(TimeoutError):
        vm.dhcp(timeout_s=3)
    [subnet] = cloud.weft.api.list("subnets", network_id=red)
    cloud.weft.api.put(f"/v2.0/subnets/{subnet['id']}", {"subnet": {"enable_dhcp": True}})
    assert vm.dhcp().address == address(port)


def test_a_dhcp_server_run_by_a_guest_is_not_heard(cloud: Cloud) -> None:
    red = cloud.network(subnet={"enable_dhcp": False})
    rogue, port = cloud.vm(red, cloud.h1)
    victim, _ = cloud.vm(red, cloud.h1)
    offer = _udp_frame(src=rogue.mac, sport=67, dport=68, source=address(port))
    harmless = _udp_frame(src=rogue.mac, sport=5353, dport=5353, source=address(port))
    with victim.capture() as capture:
        rogue.send_frame(offer, harmless)
        capture.wait_for(lambda frame: frame == harmless)
        assert not capture.frames(lambda frame: frame == offer)


def test_malformed_dhcp_is_dropped_and_the_next_client_is_served(cloud: Cloud) -> None:
    red = cloud.network()
    port = cloud.port(red, cloud.h1)
    vm = cloud.boot(cloud.h1, port)
    cloud.weft.wait_for_port(port["id"])
    good = _udp_frame(src=vm.mac, sport=68, dport=67, payload=b"\x01\x01\x06\x00" + bytes(232) + b"\x63\x82\x53\x63")
    for length in (43, 60, 200, 281):
        vm.send_frame(good[:length].ljust(60, b"\0"))
    for options in (b"\x35", b"\x35\xff", b"\x35\x01", b"\xff" * 300, b"\x34\x01\x03" * 50):
        vm.send_frame(_udp_frame(src=vm.mac, sport=68, dport=67, payload=good[42:] + options))
    assert vm.dhcp().address == address(port)
    assert "Traceback" not in cloud.weft.log.read_text()


def test_a_flood_of_requests_from_one_port_does_not_keep_another_from_its_lease(cloud: Cloud) -> None:
    red = cloud.network()
    noisy, _ = cloud.vm(red, cloud.h1)
    port = cloud.port(red, cloud.h1)
    vm = cloud.boot(cloud.h1, port)
    frame = _udp_frame(src=noisy.mac, sport=68, dport=67, payload=bytes(300))
    for _ in range(20):  # in pieces: what the guest's cable cannot hold never reaches the switch
        noisy.send_frame(*[frame] * 100)
        time.sleep(0.01)
    assert vm.dhcp(timeout_s=5).address == address(port)
    came, dropped = _metered(cloud)
    assert came > 500
    assert came - dropped < 300, "50 a second and a burst of 50 pass"


def _metered(cloud: Cloud) -> tuple[int, int]:
    """Return how many packets came to the meters of h1, and how many they dropped."""
    text = cloud.h1.ofctl("meter-stats", "br-int")
    came = re.findall(r"packet_in_count:(\d+)", text)
    dropped = re.findall(r" packet_count:(\d+)", text)
    return sum(map(int, came)), sum(map(int, dropped))


def _udp_frame(*, src: str, sport: int, dport: int, payload: bytes = b"x" * 300, source: str = "0.0.0.0") -> bytes:
    udp = (
        sport.to_bytes(2, "big") + dport.to_bytes(2, "big") + (8 + len(payload)).to_bytes(2, "big") + b"\0\0" + payload
    )
    header = bytearray(
        b"\x45\0"
        + (20 + len(udp)).to_bytes(2, "big")
        + b"\0\0\0\0\x40\x11\0\0"
        + IPv4Address(source).packed
        + b"\xff" * 4
    )
    total = sum(int.from_bytes(header[i : i + 2], "big") for i in range(0, 20, 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    header[10:12] = (~total & 0xFFFF).to_bytes(2, "big")
    return b"\xff" * 6 + bytes.fromhex(src.replace(":", "")) + b"\x08\x00" + bytes(header) + udp


@pytest.mark.parametrize("client", ["udhcpc", "dhclient"])
def test_a_guest_is_told_its_name_and_domain(cloud: Cloud, client: Literal["udhcpc", "dhclient"]) -> None:
    """RFC 2132 sections 3.14 and 3.17, RFC 3397 section 2."""
    red = cloud.network(dns_domain="red.example.org.")
    vm = cloud.boot(cloud.h1, cloud.port(red, cloud.h1, dns_name="web"))
    told = vm.dhcp(client).variables
    names = ("hostname", "domain", "search") if client == "udhcpc" else ("new_host_name", "new_domain_name")
    assert [told.get(name) for name in names[:2]] == ["web", "red.example.org"]
    if client == "udhcpc":
        assert told["search"] == "red.example.org"
