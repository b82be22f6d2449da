"""Somebody out there uses addresses that ports have or could get: is it told, and are they not given out then?"""

import re
from ipaddress import IPv6Address
from typing import Any

import pytest

from tests.lab.api import ApiError
from tests.lab.cloud import address
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.packets import ethertype
from tests.lab.process import eventually
from tests.lab_kinds.conftest import PATIENCE_S, Kinds

VLAN = 120
SQUATTER, OTHER = "02:00:00:00:02:00", "02:00:00:00:02:01"
BROADCAST = b"\xff" * 6
FOUR_POOL, SIX_POOL = ("10.10.0.10", "10.10.0.14"), ("fd00:10::10", "fd00:10::14")
ARP_ETHERTYPE = 0x0806
ALL_NODES = IPv6Address("ff02::1")


def octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def announcement(mac: str, ip_address: str) -> bytes:
    """Return a gratuitous ARP request (RFC 5227 section 2.3)."""
    ip = bytes(map(int, ip_address.split(".")))
    return BROADCAST + octets(mac) + bytes.fromhex("08060001080006040001") + octets(mac) + ip + bytes(6) + ip


def seen(kinds: Kinds, network: str, ip_address: str) -> dict[str, Any] | None:
    found = kinds.weft.api.list("address_conflicts", network_id=network, ip_address=ip_address)
    return found[0] if found else None


def wait_for(kinds: Kinds, network: str, ip_address: str) -> dict[str, Any]:
    return eventually(lambda: seen(kinds, network, ip_address), PATIENCE_S, f"{ip_address} is seen in use")


def heard(host: Hypervisor) -> int:
    """Return how many copies the host's meters have met: every other meter is of ports."""
    text = host.ofctl("meter-stats", "br-int")
    found = re.findall(r"meter:(\d+) .*?packet_in_count:(\d+)", text)
    return sum(int(count) for number, count in found if int(number) >> 30)


def dual_stack(kinds: Kinds) -> str:
    pools = {"allocation_pools": [{"start": FOUR_POOL[0], "end": FOUR_POOL[1]}]}
    network = kinds.provider(VLAN, pools)
    kinds.weft.api.create(
        "subnet",
        network_id=network,
        ip_version=6,
        cidr="fd00:10::/64",
        allocation_pools=[{"start": SIX_POOL[0], "end": SIX_POOL[1]}],
    )
    return network


def squatter(kinds: Kinds) -> Vm:
    """Start a machine on the physical network, with IPv6 and no address yet."""
    switch = kinds.physical.switch
    machine = switch.boot_vm("squatter", device="s-squatter", mac=SQUATTER)
    switch.vsctl("add-port", "br-trunk", machine.device, f"tag={VLAN}")
    switch.ofport(machine.device)
    return machine


def advertisement(mac: str, ip_address: str) -> bytes:
    """Return an unsolicited neighbour advertisement (RFC 4861 section 4.4)."""
    target = IPv6Address(ip_address).packed
    message = bytes((136, 0, 0, 0)) + bytes.fromhex("20000000") + target + bytes((2, 1)) + octets(mac)
    header = bytes.fromhex("60000000") + len(message).to_bytes(2) + bytes((58, 255)) + target + ALL_NODES.packed
    return octets("33:33:00:00:00:01") + octets(mac) + bytes.fromhex("86dd") + header + message


def status_of(kinds: Kinds, port: dict[str, Any]) -> str:
    return str(kinds.weft.api.get(f"/v2.0/ports/{port['id']}/status")["port_status"]["detail"])


def test_what_a_machine_on_the_physical_network_uses_is_told_and_not_given_out(kinds: Kinds) -> None:
    network = dual_stack(kinds)
    own = [{"ip_address": "10.10.0.10"}, {"ip_address": "fd00:10::10"}]
    _, port = kinds.guest(network, kinds.h1, fixed_ips=own)
    machine = squatter(kinds)
    machine.address_set("10.10.0.12/24")
    machine.ping("10.10.0.10", count=1, timeout_s=0.5)
    outside = wait_for(kinds, network, "10.10.0.12")
    assert (outside["kind"], outside["mac_address"], outside["how"]) == ("outside", SQUATTER, "used")
    assert (outside["host"], outside["behind_port_id"], outside["port_id"]) == ("h1", None, None)
    machine.run(["ip", "addr", "add", "fd00:10::12/64", "dev", "eth0"])  # its kernel asks for it first (RFC 4862)
    assert wait_for(kinds, network, "fd00:10::12")["mac_address"] == SQUATTER

    given = {one["ip_address"] for _ in range(3) for one in kinds.port(network, kinds.h1)["fixed_ips"]}
    assert given == {f"{prefix}{n}" for prefix in ("10.10.0.", "fd00:10::") for n in (11, 13, 14)}
    with pytest.raises(ApiError) as full:
        kinds.port(network, kinds.h1)
    assert (full.value.status, full.value.kind) == (409, "IpAddressGenerationFailure")

    # It may be asked for by name; then both MAC addresses are told.
    named = kinds.port(network, kinds.h1, fixed_ips=[{"ip_address": "10.10.0.12"}])
    conflict = seen(kinds, network, "10.10.0.12")
    assert conflict is not None
    assert (conflict["kind"], conflict["port_id"]) == ("conflict", named["id"])
    assert (conflict["mac_address"], conflict["port_mac_address"]) == (SQUATTER, named["mac_address"])
    kinds.weft.api.delete(f"/v2.0/ports/{named['id']}")

    machine.send_frame(announcement(SQUATTER, "10.10.0.10"), advertisement(SQUATTER, "fd00:10::10"))
    for mine in ("10.10.0.10", "fd00:10::10"):
        conflict = wait_for(kinds, network, mine)
        assert (conflict["kind"], conflict["port_id"]) == ("conflict", port["id"])
        assert (conflict["mac_address"], conflict["port_mac_address"]) == (SQUATTER, port["mac_address"])
        clause = f"{SQUATTER} uses its address {mine} too"
        eventually(lambda: clause in status_of(kinds, port), PATIENCE_S, clause)  # noqa: B023

    kinds.weft.api.delete(f"/v2.0/address-conflicts/{outside['id']}")
    assert kinds.port(network, kinds.h1, fixed_ips=[{"subnet_id": outside["subnet_id"]}])["fixed_ips"] == [
        {"subnet_id": outside["subnet_id"], "ip_address": "10.10.0.12"}
    ]


def test_what_is_known_is_not_told_again_and_no_frame_waits_for_what_is_told(kinds: Kinds) -> None:
    network = dual_stack(kinds)
    guest, port = kinds.guest(network, kinds.h1)
    far, far_port = kinds.guest(network, kinds.h2)
    machine = squatter(kinds)
    machine.send_frame(announcement(SQUATTER, "10.10.0.200"))
    wait_for(kinds, network, "10.10.0.200")
    before = eventually(lambda: heard(kinds.h1), PATIENCE_S, "the copy was counted")

    def is_quiet() -> bool:
        """Send, and see whether it is told: the flow that keeps it back follows the row in the store."""
        told = heard(kinds.h1)
        machine.send_frame(announcement(SQUATTER, "10.10.0.200"))
        guest.ping(address(far_port), count=1)
        return heard(kinds.h1) == told

    eventually(is_quiet, PATIENCE_S, "what is known is not told again")
    told = heard(kinds.h1)
    machine.send_frame(*[announcement(SQUATTER, "10.10.0.200")] * 50)
    far.forget_neighbours()
    far.ping_until_answered(address(port))
    assert heard(kinds.h1) == told >= before
    strangers = [announcement(f"02:00:00:00:03:{n:02x}", "10.10.0.201") for n in range(150)]
    with guest.capture() as capture:
        machine.send_frame(*strangers)
        mark = announcement(SQUATTER, "10.10.0.200")
        machine.send_frame(mark)
        capture.wait_for(lambda frame: frame == mark)
        arrived = capture.frames(lambda frame: ethertype(frame) == ARP_ETHERTYPE and frame in strangers)
    assert len(arrived) == len(strangers), "the meter holds back copies, not frames"
    wait_for(kinds, network, "10.10.0.201")
    rows = kinds.weft.api.list("address_conflicts", network_id=network, ip_address="10.10.0.201")
    assert 0 < len(rows) < len(strangers) / 2
    assert {row["ip_address"] for row in kinds.weft.api.list("address_conflicts")} == {"10.10.0.200", "10.10.0.201"}


def test_a_port_without_port_security_that_takes_another_s_address_is_told_of(kinds: Kinds) -> None:
    network = kinds.network("10.10.0.0/24")
    _, victim = kinds.guest(network, kinds.h1)
    thief, port = kinds.guest(network, kinds.h3, port_security_enabled=False, security_groups=[])
    assert kinds.weft.api.list("address_conflicts") == [], "what it says of its own address is no matter"
    thief.send_frame(announcement(thief.mac, address(victim)))
    conflict = wait_for(kinds, network, address(victim))
    assert (conflict["kind"], conflict["port_id"]) == ("conflict", victim["id"])
    assert (conflict["behind_port_id"], conflict["mac_address"]) == (port["id"], thief.mac)
    kinds.weft.api.delete(f"/v2.0/ports/{port['id']}")
    assert seen(kinds, network, address(victim)) is None, "it is gone with the port"
