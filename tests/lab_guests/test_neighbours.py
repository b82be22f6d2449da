"""Who answers ARP (RFC 826) and neighbour discovery (RFC 4861)? The network, for addresses with exactly one owner."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from tests.lab.packets import Capture
from tests.lab.process import eventually
from tests.lab_guests.forged import REPLY, REQUEST, UNUSED_IP4, UNUSED_IP6, advertisement, arp
from tests.lab_guests.stage import Guest, Stage
from tests.lab_guests.wire import BROADCAST, FENCE_TYPE, arrived, counted, marked, settles

ANSWER_S = 2.0
SILENCE_S = 0.1
VIRTUAL_MAC = "00:00:5e:00:01:2a"
"""RFC 5798 section 7.3."""
VIRTUAL_IP4 = "10.10.0.100"


@dataclass(frozen=True, slots=True)
class Cast:
    """Who asks, who is asked for, and who has nothing to do with it."""

    asker: Guest
    near: Guest
    far: Guest
    """Owners of addresses, on the asker's host and on the other."""
    near_stranger: Guest
    far_stranger: Guest
    """Guests of another network with the same subnets."""

    @property
    def owners(self) -> tuple[Guest, Guest]:
        return self.near, self.far

    @property
    def strangers(self) -> tuple[Guest, Guest]:
        return self.near_stranger, self.far_stranger


@pytest.fixture(scope="module")
def cast(shared_stage: Stage) -> Iterator[Cast]:
    stage = shared_stage
    h1, h2 = stage.h1, stage.h2
    red, blue = stage.dual(), stage.dual()
    asker, near, far = stage.guests(red, [h1, h1, h2])
    yield Cast(asker, near, far, *stage.guests(blue, [h1, h2], first=41))
    stage.clear()


def solicited_node(address: str) -> tuple[str, str]:
    """Return the group and MAC a solicitation for an address goes to (RFC 4291 section 2.7.1, RFC 2464 section 7)."""
    last = IPv6(dst=address).build()[-3:]
    return f"ff02::1:ff{last[0]:02x}:{last[1]:02x}{last[2]:02x}", "33:33:ff:" + last.hex(":")


def who_has(asker: Guest, address: str, *, src: str | None = None) -> Packet:
    """Return an ARP request to all."""
    return arp(asker, BROADCAST, REQUEST, asker.mac, asker.ip4 if src is None else src, address)


def solicit(asker: Guest, address: str, *, src: str | None = None) -> Packet:
    """Return a solicitation to the address's group; from no address it names no MAC (RFC 4861 section 4.3)."""
    group, mac = solicited_node(address)
    source = asker.ip6 if src is None else src
    option = b"" if source == "::" else ICMPv6NDOptSrcLLAddr(lladdr=asker.mac)
    return Ether(src=asker.mac, dst=mac) / IPv6(src=source, dst=group, hlim=255) / ICMPv6ND_NS(tgt=address) / option


def arp_answers(frames: list[bytes], address: str) -> list[Packet]:
    """Return the ARP replies that speak for an address."""
    parsed = [Ether(frame) for frame in frames]
    return [p for p in parsed if ARP in p and p[ARP].op == REPLY and p[ARP].psrc == address]


def advertisements(frames: list[bytes], address: str) -> list[Packet]:
    """Return the neighbour advertisements that speak for an address."""
    parsed = [Ether(frame) for frame in frames]
    return [p for p in parsed if ICMPv6ND_NA in p and p[ICMPv6ND_NA].tgt == address]


def answers(asker: Guest, question: Packet, address: str, *, wanted: bool) -> list[Packet]:
    """Ask, and return the answers; when none is wanted, wait long enough to be sure."""
    find = arp_answers if ARP in question else advertisements
    with asker.vm.capture() as capture:
        asker.vm.send_frame(bytes(question))
        if wanted:
            eventually(lambda: find(capture.frames(), address), ANSWER_S, f"somebody answers for {address}")
        time.sleep(SILENCE_S)
        return find(capture.frames(), address)


def questions_heard(capture: Capture, mark: bytes) -> list[bytes]:
    return [frame for frame in capture.frames() if mark in frame]


# ---- answers


@pytest.mark.parametrize("place", ["near", "far"])
def test_the_network_answers_arp_and_does_not_trouble_the_owner(cast: Cast, place: str) -> None:
    owner: Guest = getattr(cast, place)
    frame, mark = marked(who_has(cast.asker, owner.ip4))
    with cast.asker.vm.capture() as own, owner.vm.capture() as theirs:
        cast.asker.vm.send_frame(frame)
        own.wait_for(lambda f: bool(arp_answers([f], owner.ip4)), ANSWER_S)
        time.sleep(SILENCE_S)
        (answer,) = arp_answers(own.frames(), owner.ip4)
        assert not questions_heard(theirs, mark)
    assert (answer.src, answer.dst) == (owner.mac, cast.asker.mac)
    said = answer[ARP]
    assert (said.hwsrc, said.hwdst, said.pdst) == (owner.mac, cast.asker.mac, cast.asker.ip4)


@pytest.mark.parametrize("place", ["near", "far"])
def test_the_network_answers_solicitations_and_does_not_trouble_the_owner(cast: Cast, place: str) -> None:
    owner: Guest = getattr(cast, place)
    frame, mark = marked(solicit(cast.asker, owner.ip6))
    with cast.asker.vm.capture() as own, owner.vm.capture() as theirs:
        cast.asker.vm.send_frame(frame)
        own.wait_for(lambda f: bool(advertisements([f], owner.ip6)), ANSWER_S)
        time.sleep(SILENCE_S)
        (answer,) = advertisements(own.frames(), owner.ip6)
        assert not questions_heard(theirs, mark)
    assert (answer.src, answer.dst) == (owner.mac, cast.asker.mac)
    assert (answer[IPv6].src, answer[IPv6].dst, answer[IPv6].hlim) == (owner.ip6, cast.asker.ip6, 255)
    said = answer[ICMPv6ND_NA]
    assert (said.S, said.O, said.R) == (1, 1, 0)
    assert said[ICMPv6NDOptDstLLAddr].lladdr == owner.mac
    computed = answer.copy()
    del computed[ICMPv6ND_NA].cksum
    assert Ether(bytes(computed))[ICMPv6ND_NA].cksum == said.cksum, "a receiver checks it (RFC 4443 section 2.3)"


def test_kernels_resolve_each_other(cast: Cast) -> None:
    cast.asker.vm.forget_neighbours()
    for owner in cast.owners:
        assert cast.asker.vm.ping(owner.ip4, count=2).lost == 0
        assert cast.asker.vm.ping(owner.ip6, count=2).lost == 0
        assert cast.asker.vm.neighbour(owner.ip4) == owner.mac
        assert cast.asker.vm.neighbour(owner.ip6) == owner.mac


def test_the_network_answers_for_a_guest_that_does_not_run(stage: Stage, cast: Cast) -> None:
    red = cast.asker.port["network_id"]
    bound = [
        stage.port(red, host, fixed_ips=stage.addresses(red, last)) for last, host in ((31, stage.h1), (32, stage.h2))
    ]
    stopped = stage.guest(red, stage.h2, 33)
    stopped.host.destroy_vm(stopped.vm)
    for port in [*bound, stopped.port]:
        four, six = (str(fixed["ip_address"]) for fixed in port["fixed_ips"])
        for question, address in ((who_has(cast.asker, four), four), (solicit(cast.asker, six), six)):
            eventually(
                lambda q=question, a=address: answers(cast.asker, q, a, wanted=False), 5, f"an answer for {address}"
            )
            assert {a.src for a in answers(cast.asker, question, address, wanted=True)} == {port["mac_address"]}
        stage.weft.api.delete(f"/v2.0/ports/{port['id']}")
        for question, address in ((who_has(cast.asker, four), four), (solicit(cast.asker, six), six)):
            settles(lambda q=question, a=address: answers(cast.asker, q, a, wanted=False), [])


def test_nobody_answers_for_an_address_without_an_owner_and_all_members_hear_the_question(cast: Cast) -> None:
    questions = {"ARP": who_has(cast.asker, UNUSED_IP4), "ND": solicit(cast.asker, UNUSED_IP6)}
    members = {guest.name for guest in cast.owners}
    assert arrived(cast.asker, questions, [cast.asker, *cast.owners], cast.strangers) == {"ARP": members, "ND": members}
    assert answers(cast.asker, questions["ARP"], UNUSED_IP4, wanted=False) == []
    assert answers(cast.asker, questions["ND"], UNUSED_IP6, wanted=False) == []


def test_a_question_to_the_owner_alone_is_the_owners_to_answer(cast: Cast) -> None:
    """Neighbour unreachability detection (RFC 4861 section 7.3) asks whether the guest itself is there."""
    for owner in cast.owners:
        asked = {"ARP": arp(cast.asker, owner, REQUEST, cast.asker.mac, cast.asker.ip4, owner.ip4)}
        assert arrived(cast.asker, asked, [owner]) == {"ARP": {owner.name}}


def test_the_network_of_another_tenant_is_never_asked_nor_answered_for(cast: Cast) -> None:
    """Both networks have the same subnets; the strangers' addresses are nobody's in the asker's network."""
    for stranger in cast.strangers:
        assert answers(cast.asker, who_has(cast.asker, stranger.ip4), stranger.ip4, wanted=False) == []
        assert answers(cast.asker, solicit(cast.asker, stranger.ip6), stranger.ip6, wanted=False) == []
    one, other = cast.strangers
    assert {a.src for a in answers(one, who_has(one, other.ip4), other.ip4, wanted=True)} == {other.mac}


# ---- duplicate address detection


@pytest.mark.parametrize("place", ["near", "far"])
def test_an_owner_that_probes_for_its_address_hears_nobody_and_another_prober_does(cast: Cast, place: str) -> None:
    """As ``arping -D`` (RFC 5227 section 2.1.1): the sender's address is 0.0.0.0."""
    owner: Guest = getattr(cast, place)
    assert answers(owner, who_has(owner, owner.ip4, src="0.0.0.0"), owner.ip4, wanted=False) == []
    assert answers(owner, who_has(owner, owner.ip4), owner.ip4, wanted=False) == []
    assert answers(owner, solicit(owner, owner.ip6, src="::"), owner.ip6, wanted=False) == []
    found = answers(cast.asker, who_has(cast.asker, owner.ip4, src="0.0.0.0"), owner.ip4, wanted=True)
    assert {answer[ARP].hwsrc for answer in found} == {owner.mac}
    defended = answers(cast.asker, solicit(cast.asker, owner.ip6, src="::"), owner.ip6, wanted=True)
    assert {answer.src for answer in defended} == {owner.mac}


def address_flags(guest: Guest, address: str) -> set[str]:
    """Return what ip-address(8) says of an address: tentative, dadfailed, ..."""
    shown = guest.vm.run(["ip", "-6", "-o", "addr", "show", "dev", "eth0"]).stdout
    line = next((line for line in shown.splitlines() if f" {address}/" in line), "")
    return set(re.findall(r"\b(tentative|dadfailed)\b", line)) if line else {"absent"}


def test_the_kernels_duplicate_address_detection_finds_what_is_taken_and_nothing_else(stage: Stage, cast: Cast) -> None:
    guest = stage.guest(cast.asker.port["network_id"], stage.h1, 35)
    guest.vm.run(["ip", "addr", "flush", "dev", "eth0", "scope", "global"])
    taken = (cast.near.ip6, cast.far.ip6)
    for address in (guest.ip6, *taken):
        guest.vm.run(["ip", "addr", "add", f"{address}/64", "dev", "eth0"])
    wanted: dict[str, set[str]] = {guest.ip6: set(), guest.link_local: set()} | {
        a: {"tentative", "dadfailed"} for a in taken
    }
    settles(lambda: {address: address_flags(guest, address) for address in wanted}, wanted, within_s=8)
    guest.host.destroy_vm(guest.vm)
    stage.weft.api.delete(f"/v2.0/ports/{guest.id}")


# ---- who is told


def test_what_is_for_all_reaches_every_member_once_and_nobody_else(cast: Cast) -> None:
    me = cast.asker
    datagram = UDP(sport=4000, dport=9) / Raw(b"x")
    shots = {
        "IPv4 broadcast": Ether(src=me.mac, dst=BROADCAST) / IP(src=me.ip4, dst="255.255.255.255") / datagram,
        "subnet broadcast": Ether(src=me.mac, dst=BROADCAST) / IP(src=me.ip4, dst="10.10.0.255") / datagram,
        "IPv4 multicast": Ether(src=me.mac, dst="01:00:5e:01:02:03") / IP(src=me.ip4, dst="224.1.2.3") / datagram,
        "IPv6 multicast": Ether(src=me.mac, dst="33:33:00:00:00:01") / IPv6(src=me.ip6, dst="ff02::1") / datagram,
        "no IP": Ether(src=me.mac, dst=BROADCAST, type=FENCE_TYPE),
    }
    once = {guest.name: 1 for guest in cast.owners}
    assert counted(me, shots, [me, *cast.owners], cast.strangers) == dict.fromkeys(shots, once)


# ---- addresses that move


def claim(holder: Guest, mac: str | None = None) -> None:
    """Announce the virtual address (RFC 5798 section 6.4.1: a gratuitous ARP request from the new master)."""
    sha = mac or holder.mac
    body = ARP(op=REQUEST, hwsrc=sha, psrc=VIRTUAL_IP4, pdst=VIRTUAL_IP4)
    holder.vm.send_frame(bytes(Ether(src=sha, dst=BROADCAST) / body))


@pytest.fixture
def paired(stage: Stage, cast: Cast) -> Iterator[Cast]:
    """Allow the virtual address, with either MAC, to both owners."""
    pairs = [{"ip_address": VIRTUAL_IP4}, {"ip_address": VIRTUAL_IP4, "mac_address": VIRTUAL_MAC}]
    for guest in cast.owners:
        stage.change(guest, allowed_address_pairs=pairs)
    for guest in cast.owners:
        lie = {"from the pair": arp(guest, BROADCAST, REPLY, guest.mac, VIRTUAL_IP4, VIRTUAL_IP4)}
        settles(lambda g=guest, m=lie: arrived(g, m, [cast.asker]), {"from the pair": {cast.asker.name}})
    yield cast
    for guest in cast.owners:
        guest.vm.run(["ip", "addr", "del", f"{VIRTUAL_IP4}/24", "dev", "eth0"], check=False)
        stage.change(guest, allowed_address_pairs=[])
    cast.asker.vm.forget_neighbours()


def test_the_network_never_answers_for_an_allowed_pair(paired: Cast) -> None:
    """Only its present holder may: here nobody holds it."""
    question = who_has(paired.asker, VIRTUAL_IP4)
    assert answers(paired.asker, question, VIRTUAL_IP4, wanted=False) == []
    assert arrived(paired.asker, {"question": question}, paired.owners) == {
        "question": {guest.name for guest in paired.owners}
    }
    paired.far.vm.run(["ip", "addr", "add", f"{VIRTUAL_IP4}/24", "dev", "eth0"])
    assert {a.src for a in answers(paired.asker, question, VIRTUAL_IP4, wanted=True)} == {paired.far.mac}


def test_the_network_does_not_answer_for_an_address_that_two_ports_may_use(stage: Stage, cast: Cast) -> None:
    owner = cast.far
    stage.change(cast.near, allowed_address_pairs=[{"ip_address": owner.ip4}, {"ip_address": owner.ip6}])
    questions = {"ARP": who_has(cast.asker, owner.ip4), "ND": solicit(cast.asker, owner.ip6)}
    settles(lambda: arrived(cast.asker, questions, [owner]), {"ARP": {owner.name}, "ND": {owner.name}})
    assert {a.src for a in answers(cast.asker, questions["ARP"], owner.ip4, wanted=True)} == {owner.mac}
    stage.change(cast.near, allowed_address_pairs=[])
    settles(lambda: arrived(cast.asker, questions, [owner]), {"ARP": set(), "ND": set()})


def test_an_allowed_address_fails_over_with_the_holders_own_mac(paired: Cast) -> None:
    address = f"{VIRTUAL_IP4}/24"
    for holder, other in ((paired.near, paired.far), (paired.far, paired.near), (paired.near, paired.far)):
        other.vm.run(["ip", "addr", "del", address, "dev", "eth0"], check=False)
        holder.vm.run(["ip", "addr", "add", address, "dev", "eth0"])
        claim(holder)
        assert paired.asker.vm.ping_until_answered(VIRTUAL_IP4, 3) < 1.0
        assert paired.asker.vm.ping(VIRTUAL_IP4, count=2).lost == 0
        assert paired.asker.vm.neighbour(VIRTUAL_IP4) == holder.mac


def test_a_virtual_mac_fails_over_and_both_that_may_use_it_receive(paired: Cast) -> None:
    """The virtual router's MAC moves with its address (RFC 5798 section 7.3); whoever may use it is told all for it."""
    asker = paired.asker
    for holder in paired.owners:
        claim(holder, VIRTUAL_MAC)
        eventually(
            lambda h=holder: heard(asker, h),
            2,
            f"the asker hears {holder.name} announce",
        )
        to_virtual = (
            Ether(src=asker.mac, dst=VIRTUAL_MAC) / IP(src=asker.ip4, dst=VIRTUAL_IP4) / UDP(dport=9) / Raw(b"x")
        )
        once = {guest.name: 1 for guest in paired.owners}
        assert counted(asker, {"to the virtual MAC": to_virtual}, paired.owners) == {"to the virtual MAC": once}
        back = Ether(src=VIRTUAL_MAC, dst=asker.mac) / IP(src=VIRTUAL_IP4, dst=asker.ip4) / UDP(sport=9, dport=53)
        assert arrived(holder, {"from it": back}, [asker]) == {"from it": {asker.name}}


def heard(asker: Guest, holder: Guest) -> bool:
    """Say whether a gratuitous ARP from the virtual MAC reaches the asker."""
    announcement = Ether(src=VIRTUAL_MAC, dst=BROADCAST) / ARP(
        op=REQUEST, hwsrc=VIRTUAL_MAC, psrc=VIRTUAL_IP4, pdst=VIRTUAL_IP4
    )
    return bool(arrived(holder, {"announcement": announcement}, [asker])["announcement"])


def test_an_advertised_pair_moves_ipv6_too(stage: Stage, cast: Cast) -> None:
    address = "fd00:10::100"
    for guest in cast.owners:
        stage.change(guest, allowed_address_pairs=[{"ip_address": address}])
    for holder in cast.owners:
        unsolicited = advertisement(holder, cast.asker, address, holder.mac, address)
        settles(lambda h=holder, u=unsolicited: arrived(h, {"NA": u}, [cast.asker]), {"NA": {cast.asker.name}})
        holder.vm.run(["ip", "addr", "add", f"{address}/64", "dev", "eth0", "nodad"])
        claimed = advertisement(holder, cast.asker, address, holder.mac, address)
        holder.vm.send_frame(bytes(claimed))
        assert cast.asker.vm.ping_until_answered(address, 3) < 1.0
        assert cast.asker.vm.neighbour(address) == holder.mac
        holder.vm.run(["ip", "addr", "del", f"{address}/64", "dev", "eth0"])
    for guest in cast.owners:
        stage.change(guest, allowed_address_pairs=[])
