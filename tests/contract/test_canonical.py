"""Does the switch echo exactly the bytes that were sent, for every kind of flow there is?

On this rests that an unchanged reconnect sends nothing, and that a change somebody else makes is told from one of ours.
Open vSwitch reorders, rewrites and drops what is not in its own form, so every field and every action has to be shown
to be in it: in a dump, in a group description and in an update of the flow monitor.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from controller.southbound.openflow.events import Failed, Synced
from flows import fields
from flows.compiler import compile_bridge
from flows.delta import Tables
from flows.fields import Field, RegField, Term
from flows.flow import (
    Action,
    Bucket,
    Conjunction,
    CopyToController,
    Ct,
    CtClear,
    Flow,
    Group,
    GroupKind,
    Load,
    Meter,
    Move,
    Output,
    OutputInPort,
    OutputReg,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
    ToController,
    ToGroup,
)
from flows.intent import (
    DENY_ALL,
    NO_RULES,
    AddressGroupIntent,
    BaseIntent,
    Guard,
    LocalPortIntent,
    Owned,
    PeerIntent,
    Prefix,
    RemotePortIntent,
    RuleIntent,
    RulesetIntent,
    Seen,
    SegmentIntent,
    Wire,
    address_group_id,
)
from flows.ofctl import flow_text, group_text
from flows.pipeline import OUT_PORT, REGISTER_FIELDS, SEGMENT, TABLE_BY_NAME
from tests.contract.driver import SwitchDriver
from tests.contract.harness import Harness, a_flow, tables
from tests.contract.listener import monitored
from tests.contract.ovs import OpenVSwitch

MAC, ADDRESS, ADDRESS6 = 0xFA163E000001, 0x0A000001, 0xFD00 << 112 | 1
FIELDS = [*(value for value in vars(fields).values() if isinstance(value, Field)), *fields.REGISTERS]
IPV4 = fields.ETH_TYPE.eq(fields.ETH_TYPE_IPV4)
IPV6 = fields.ETH_TYPE.eq(fields.ETH_TYPE_IPV6)
ARP = fields.ETH_TYPE.eq(fields.ETH_TYPE_ARP)
PROTOCOLS = {
    "icmpv4": fields.IP_PROTO_ICMP,
    "tcp": fields.IP_PROTO_TCP,
    "udp": fields.IP_PROTO_UDP,
    "icmpv6": fields.IP_PROTO_ICMPV6,
    "sctp": fields.IP_PROTO_SCTP,
}
NEIGHBOUR = (IPV6, fields.IP_PROTO.eq(fields.IP_PROTO_ICMPV6))
SOLICITATION = (*NEIGHBOUR, fields.ICMP6_TYPE.eq(135))
ADVERTISEMENT = (*NEIGHBOUR, fields.ICMP6_TYPE.eq(136))
UNMASKABLE = {
    fields.IN_PORT,
    fields.ETH_TYPE,
    fields.IP_PROTO,
    fields.ARP_OP,
    fields.ICMP_TYPE,
    fields.ICMP_CODE,
    fields.ICMP6_TYPE,
    fields.ICMP6_CODE,
    fields.ND_RESERVED,
    fields.ND_OPTIONS_TYPE,
    fields.CONJ_ID,
}
"""ovs-fields(7): not maskable."""
READ_ONLY = {
    fields.IN_PORT,
    fields.ETH_TYPE,
    fields.IP_PROTO,
    fields.IP_FRAG,
    fields.CT_STATE,
    fields.CT_MARK,
    fields.CONJ_ID,
}
"""ovs-fields(7): read-only, or nothing that set_field may change in OpenFlow 1.4 here."""
TAGGED = fields.VLAN_VID.masked(fields.VLAN_PRESENT, fields.VLAN_PRESENT)
ZONE = RegField(name="zone", reg=2, lo=16, hi=31, doc="")
HALF = RegField(name="half", reg=2, lo=0, hi=47, wide=2, doc="")
DOUBLE = RegField(name="double", reg=14, lo=0, hi=63, wide=2, doc="")
QUAD = RegField(name="quad", reg=4, lo=0, hi=127, wide=4, doc="")
HIGH = RegField(name="high", reg=8, lo=64, hi=127, wide=4, doc="")
LAST = RegField(name="last", reg=7, lo=0, hi=31, doc="")
MIDDLE = RegField(name="middle", reg=13, lo=3, hi=18, doc="")


def prerequisites(field: Field) -> tuple[Term, ...]:
    """Return what a match of the field, or an action on it, needs (OpenFlow 1.4 section 7.2.3.6)."""
    front = field.oxm.partition("_")[0]
    if field in {fields.ND_TARGET, fields.ND_SLL}:
        return SOLICITATION
    if field in {fields.ND_TLL, fields.ND_RESERVED, fields.ND_OPTIONS_TYPE}:
        return ADVERTISEMENT
    if front in PROTOCOLS:
        return (IPV6 if front == "icmpv6" else IPV4, fields.IP_PROTO.eq(PROTOCOLS[front]))
    known = {"arp": (ARP,), "ipv4": (IPV4,), "ip": (IPV4,), "ipv6": (IPV6,)}
    return known.get(front, ())


def value(field: Field) -> int:
    """Return a value that OVS accepts."""
    known = {
        fields.IN_PORT: 5,
        fields.VLAN_VID: fields.VLAN_PRESENT | 5,
        fields.ETH_TYPE: 0x88CC,
        fields.IP_PROTO: 6,
        fields.ARP_OP: 2,
        fields.IP_FRAG: fields.FRAG_ANY,
        fields.CT_STATE: fields.CT_TRK | fields.CT_NEW,
    }
    return known.get(field, 0x5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A & field.full_mask)


def mask(field: Field) -> int:
    """Return a mask that OVS accepts: a prefix for addresses, none for the rest."""
    if field is fields.CT_STATE:
        return fields.CT_TRK | fields.CT_NEW | fields.CT_INV
    if field is fields.IP_FRAG:
        return fields.FRAG_LATER
    return field.full_mask & ~0xFF if field.bits > 16 else 0x1002 & field.full_mask


def matching() -> Iterator[tuple[Term, ...]]:
    """Yield matches with every field, whole and masked, and with many together."""
    for field in FIELDS:
        needed = tuple(term for term in prerequisites(field) if term.field != field)
        if field is not fields.CT_STATE:  # Open vSwitch has no use for all 32 bits of it, the encoder refuses
            yield (*needed, field.eq(value(field)))
        if field not in UNMASKABLE:
            yield (*needed, field.masked(value(field), mask(field)))
    yield from _fragments_and_states()
    yield from _rules()
    yield from _neighbours()
    common = [fields.IN_PORT.eq(3), fields.ETH_SRC.eq(MAC), fields.ETH_DST.eq(MAC), fields.VLAN_VID.eq(0x1005)]
    common += [fields.TUN_ID.eq(77), fields.TUN_SRC.eq(ADDRESS), fields.TUN_DST.eq(ADDRESS)]
    common += [register.masked(0x50, 0xF0) for register in fields.REGISTERS]
    common += [fields.CONJ_ID.eq(9), fields.CT_STATE.masked(fields.CT_TRK, fields.CT_TRK), fields.CT_MARK.eq(1)]
    addresses = [fields.IPV4_SRC.eq(ADDRESS), fields.IPV4_DST.masked(ADDRESS, 0xFFFFFF00)]
    addresses6 = [fields.IPV6_SRC.eq(ADDRESS6), fields.IPV6_DST.masked(ADDRESS6, ~0xFFFF & (1 << 128) - 1)]
    whole = fields.IP_FRAG.eq(0)
    udp, tcp = fields.IP_PROTO.eq(fields.IP_PROTO_UDP), fields.IP_PROTO.eq(fields.IP_PROTO_TCP)
    yield (*common, IPV4, udp, *addresses, whole, fields.UDP_SRC.eq(68), fields.UDP_DST.eq(67))
    yield (*common, IPV6, tcp, *addresses6, whole, fields.TCP_DST.masked(0x1000, 0xF000))
    for ports in ([fields.ICMP_TYPE.eq(8), fields.ICMP_CODE.eq(0)],):
        yield (*common, *addresses, whole, IPV4, fields.IP_PROTO.eq(fields.IP_PROTO_ICMP), *ports)
    neighbour = [fields.ND_TARGET.eq(ADDRESS6), fields.ND_RESERVED.eq(0x60000000), fields.ND_OPTIONS_TYPE.eq(2)]
    neighbour += [fields.ICMP6_CODE.eq(0), whole, *addresses6]
    yield (*common, *neighbour, *ADVERTISEMENT, fields.ND_TLL.eq(MAC))
    yield (*common, *neighbour, *SOLICITATION, fields.ND_SLL.eq(MAC))
    arp = [fields.ARP_OP.eq(1), fields.ARP_SPA.eq(ADDRESS), fields.ARP_TPA.eq(ADDRESS)]
    yield (*common, ARP, *arp, fields.ARP_SHA.eq(MAC), fields.ARP_THA.eq(MAC))
    yield ()


def _fragments_and_states() -> Iterator[tuple[Term, ...]]:
    """Yield every value of the fields whose bits each have a meaning (ovs-fields(7), ip_frag and ct_state)."""
    for version in (IPV4, IPV6):
        for bits, of in ((0, 3), (1, 1), (1, 3), (3, 3), (2, 2), (0, 2)):
            yield (version, fields.IP_FRAG.masked(bits, of))
        yield version, fields.IP_PROTO.eq(17), fields.IP_FRAG.eq(1), fields.UDP_DST.eq(53)
    for bit in (fields.CT_NEW, fields.CT_EST, fields.CT_REL, fields.CT_RPL, fields.CT_INV, fields.CT_TRK):
        for wanted in (0, bit):
            yield (fields.CT_STATE.masked(wanted, bit),)
            yield IPV4, fields.CT_STATE.masked(wanted | fields.CT_TRK, bit | fields.CT_TRK), fields.CT_MARK.eq(1)
    yield (fields.CT_STATE.masked(fields.CT_TRK, 0x3F), fields.CT_MARK.masked(1, 1))


def _rules() -> Iterator[tuple[Term, ...]]:
    """Yield what rules of a security group match, every port mask among it."""
    for version, address in ((IPV4, fields.IPV4_SRC.eq(ADDRESS)), (IPV6, fields.IPV6_SRC.eq(ADDRESS6))):
        for protocol, port in ((6, fields.TCP_DST), (17, fields.UDP_DST), (132, fields.SCTP_DST)):
            for length in range(1, 17):
                part = 0xFFFF << 16 - length & 0xFFFF
                yield (
                    version,
                    address,
                    fields.IP_PROTO.eq(protocol),
                    port.masked(0xABCD, part),
                    fields.REGISTERS[8].eq(7),
                )
        for number in (1, 1 << 31, 0xFFFFFFFF):
            yield version, fields.CONJ_ID.eq(number), fields.REGISTERS[9].eq(7)
    for length in range(1, 129):
        yield IPV6, fields.IPV6_DST.masked(ADDRESS6, (1 << 128) - (1 << 128 - length))
    for length in range(1, 33):
        yield IPV4, fields.IPV4_DST.masked(ADDRESS, (1 << 32) - (1 << 32 - length))


def _neighbours() -> Iterator[tuple[Term, ...]]:
    """Yield what tells one neighbour discovery message from another (RFC 4861 section 4)."""
    for number in (133, 134, 137):
        yield (*NEIGHBOUR, fields.ICMP6_TYPE.eq(number), fields.ICMP6_CODE.eq(0))
    for base, option in ((SOLICITATION, fields.ND_SLL), (ADVERTISEMENT, fields.ND_TLL)):
        for address in (0, MAC):
            yield (*base, option.eq(address), fields.ND_TARGET.eq(ADDRESS6), fields.ETH_SRC.eq(MAC))
        for kind in (0, 1, 2):
            yield (*base, fields.ND_OPTIONS_TYPE.eq(kind))


def acting() -> Iterator[tuple[tuple[Term, ...], tuple[Action, ...]]]:
    """Yield every action, with the match it needs."""
    for field in FIELDS:
        if field not in READ_ONLY:
            needed = (TAGGED,) if field == fields.VLAN_VID else prerequisites(field)
            yield needed, (SetField(field, value(field)),)
            other = next((f for f in FIELDS if f != field and f.bits == field.bits and f not in READ_ONLY), None)
            if other is not None and prerequisites(other) == prerequisites(field):
                yield needed, (Move(field, other),)
    for destination in (*REGISTER_FIELDS, ZONE, HALF, DOUBLE, HIGH, LAST, MIDDLE):
        if destination.bits <= 64:
            yield (), (Load(destination, 5),)
            yield (), (Load(destination, (1 << destination.bits) - 1),)
    yield from _moving()
    yield from _tracking()
    yield (), (OutputReg(OUT_PORT),)
    yield (), (Output(5), OutputInPort(), ToController(), CopyToController(4), ToGroup(7), Resubmit(70))
    tagged = fields.VLAN_VID.eq(fields.VLAN_PRESENT | 100)
    yield (), (PushVlan(), SetField(fields.VLAN_VID, fields.VLAN_PRESENT | 100), Output(5))
    yield (tagged,), (PopVlan(), Output(5))
    yield (), (Resubmit(70), Load(SEGMENT, 1), Load(OUT_PORT, 2), Output(1))
    yield (IPV4,), (Conjunction(5, 1, 2),)
    yield (IPV6,), (Conjunction(1 << 31 | 7, 2, 2), Conjunction(3, 1, 3), *(Conjunction(n, 1, 2) for n in range(100)))


def _moving() -> Iterator[tuple[tuple[Term, ...], tuple[Action, ...]]]:
    """Yield moves between fields and joined registers, and what answers a neighbour solicitation."""
    for field, place in (
        *((field, HALF) for field in (fields.ETH_SRC, fields.ETH_DST, fields.ARP_SHA, fields.ARP_THA)),
        *((field, HALF) for field in (fields.ND_SLL, fields.ND_TLL)),
        *((field, QUAD) for field in (fields.IPV6_SRC, fields.IPV6_DST, fields.ND_TARGET)),
        *((field, LAST) for field in (fields.ARP_SPA, fields.ARP_TPA, fields.IPV4_SRC, fields.IPV4_DST)),
        *((field, MIDDLE) for field in (fields.TCP_DST, fields.UDP_SRC, fields.SCTP_DST)),
        (fields.TUN_ID, DOUBLE),
        (fields.CT_MARK, LAST),
    ):
        yield prerequisites(field), (Move(field, place),)
        if field not in READ_ONLY:
            yield prerequisites(field), (Move(place, field),)
    yield (), (Move(DOUBLE, HIGH), Move(LAST, fields.REGISTERS[3]), Move(ZONE, MIDDLE))
    yield (
        SOLICITATION,
        (
            Move(fields.ND_TARGET, fields.IPV6_SRC),
            SetField(fields.ND_RESERVED, 0x60000000),
            SetField(fields.ND_OPTIONS_TYPE, 2),
            SetField(fields.ICMP6_TYPE, 136),
            SetField(fields.ICMP6_CODE, 0),
            Resubmit(70),
        ),
    )


def _tracking() -> Iterator[tuple[tuple[Term, ...], tuple[Action, ...]]]:
    """Yield every way to ask conntrack."""
    for version in (IPV4, IPV6):
        for table in (None, 31):
            yield (version,), (Ct(ZONE, table=table),)
            for number in (None, 0, 1, 0xFFFFFFFF):
                yield (version,), (Ct(ZONE, table=table, commit=True, mark=number),)
        yield (version,), (CtClear(), Ct(MIDDLE, table=31))
        yield (version,), (Ct(ZONE, commit=True, mark=1), Ct(MIDDLE, commit=True), Output(1))


def hand_made() -> Tables:
    """Return a state with every kind of flow, group and meter."""
    flows: list[Flow] = []
    for number, match in enumerate(matching()):
        flows.append(a_flow(number, table=1, priority=100 + number, match=match, goto=20))
    for number, (match, actions) in enumerate(acting()):
        flows.append(a_flow(number, table=2, priority=100 + number, match=match, actions=actions))
        if any(isinstance(action, Conjunction) for action in actions):
            continue  # they stand alone (ovs-actions(7), conjunction)
        flows.append(a_flow(number, table=3, priority=100 + number, match=match, actions=actions, goto=20, meter=4))
    flows.append(a_flow(1, table=4, match=()))
    flows.append(a_flow(2, table=5, match=(), meter=4))
    everything = (
        (SetField(fields.TUN_DST, ADDRESS), SetField(fields.TUN_ID, 7), Output(1)),
        (Load(OUT_PORT, 5), Resubmit(70)),
        (Load(HALF, MAC), Move(HALF, fields.ETH_DST), Move(QUAD, QUAD), Resubmit(70)),
        (Ct(ZONE, table=31),),
        (Ct(ZONE, commit=True, mark=1), CtClear(), Resubmit(70)),
    )
    groups = [
        Group(id=7, buckets=tuple(Bucket(actions=actions) for actions in everything)),
        Group(id=8, buckets=()),
        Group(id=1 << 24 | 9, buckets=(Bucket(actions=(Output(1),)),)),
        Group(id=9, buckets=(Bucket(actions=(ToGroup(1 << 24 | 9),)),)),
        Group(id=1 << 31 | 1 << 24, kind=GroupKind.SELECT, buckets=(Bucket(actions=(Resubmit(70),)),)),
        Group(id=11, kind=GroupKind.SELECT, buckets=tuple(Bucket(actions=actions) for actions in everything)),
        Group(id=12, kind=GroupKind.SELECT, buckets=()),
    ]
    return tables(flows, groups, [Meter(id=4, rate_pps=50, burst=60), Meter(id=65199 | 1 << 17, rate_pps=9, burst=9)])


def compiled() -> Tables:
    """Return what the features make of one network with DHCP, rules and both families on two hosts."""
    watched = (Prefix(4, ADDRESS & ~0xFF, 24), Prefix(6, ADDRESS6 & ~0xFFFF, 64))
    seen = (Seen(Prefix(4, ADDRESS + 77, 32), MAC + 77), Seen(Prefix(6, ADDRESS6 + 77, 128), MAC + 77))
    segment = SegmentIntent(
        segment=5,
        service_mac=MAC,
        service_addresses=(ADDRESS,),
        wire=Wire(ofport=65201, vlan=100),
        watched=watched,
        seen=seen,
    )
    local = [_local_port(n) for n in range(1, 6)]
    remote = RemotePortIntent(
        port=9,
        segment=5,
        vni=77,
        mac=MAC + 9,
        endpoint=ADDRESS,
        tunnel_ofport=32768,
        owned=_owned(9),
        ruleset=17,
        groups=(17,),
    )
    peer = PeerIntent(tunnel_ofport=32768, endpoint=ADDRESS)
    rulesets = [
        RulesetIntent(ruleset=17, stateful=True, from_port=_allowed(), to_port=_allowed()),
        RulesetIntent(ruleset=18, stateful=False, from_port=_allowed(), to_port=_allowed()),
    ]
    book = AddressGroupIntent(key=33, prefixes=(Prefix(4, 0xC0A80000, 16), Prefix(6, ADDRESS6 & ~0xFF, 120)))
    return compile_bridge([BaseIntent(), peer, segment, *local, remote, *rulesets, book]).tables()


def _local_port(number: int) -> LocalPortIntent:
    """Return a port; all, some and no rules apply, with and without port security."""
    ruleset = {1: 17, 2: 18, 3: DENY_ALL}.get(number, NO_RULES)
    return LocalPortIntent(
        port=number,
        segment=5,
        ofport=32768 + number,
        mac=MAC + number,
        number=65199 - number,
        guarded=number < 5,
        guards=tuple(Guard(owned.mac, owned.prefix) for owned in _owned(number)),
        owned=_owned(number),
        ruleset=ruleset,
        groups=(ruleset,) if ruleset > DENY_ALL else (),
        dhcp=True,
        watched=() if number < 5 else (Prefix(4, ADDRESS & ~0xFF, 24), Prefix(6, ADDRESS6 & ~0xFFFF, 64)),
    )


def _owned(number: int) -> tuple[Owned, ...]:
    return (
        Owned(Prefix(4, ADDRESS + number, 32), MAC + number, True),
        Owned(Prefix(4, 0x0A010000, 24), MAC + number, False, pair=True),
        Owned(Prefix(6, ADDRESS6 + number, 128), MAC + number, True),
    )


def _allowed() -> tuple[RuleIntent, ...]:
    """Return rules of every kind."""
    far = ({"prefix": None}, {"group": 17}, {"group": address_group_id(33)})
    prefix = {4: Prefix(4, 0x0A000000, 8), 6: Prefix(6, ADDRESS6 & ~0xFFFF, 112)}
    ports = ({}, {"low": 80, "high": 80}, {"low": 1000, "high": 1999})
    types = ({}, {"low": 3}, {"low": 128, "high": 0})
    rules = []
    for version in (4, 6):
        for which in (*far, {"prefix": prefix[version]}):
            rules.append(RuleIntent(version=version, why="a test", **which))
            for protocol in (6, 17, 132, 1 if version == 4 else 58, 47):
                details = {1: types, 58: types, 47: ({},)}.get(protocol, ports)
                rules += [
                    RuleIntent(version=version, protocol=protocol, why="a test", **which, **detail)
                    for detail in details
                ]
    return tuple(rules)


def kinds(flows: Iterable[Flow]) -> set[type]:
    """Return which actions some flows use."""
    return {type(action) for flow in flows for action in flow.actions}


def test_every_field_and_every_action_is_tried() -> None:
    state = hand_made()
    assert {term.field for flow in state.flows.values() for term in flow.match} == set(FIELDS)
    assert kinds(state.flows.values()) == set(get_args(Action))


@pytest.mark.parametrize("state", [hand_made(), compiled()], ids=["hand_made", "compiled"])
def test_what_was_sent_is_what_is_dumped(driver: SwitchDriver, harness: Harness, state: Tables) -> None:
    switch = harness.switch(driver.dpid)
    switch.load(state, 1)
    driver.connect("127.0.0.1", harness.port)
    harness.wait(driver.dpid, (Synced, Failed))  # type: ignore[arg-type]
    assert harness.seen(driver.dpid, Failed) == []
    dumped = {flow.id: (flow.cookie, flow.instruction_bytes) for flow in switch.dump(5)}
    for flow in state.flows.values():
        wire = harness.service.encoder.flow(flow)
        assert wire.id in dumped, flow
        assert dumped[wire.id] == (flow.cookie, wire.entry[8:]), flow
    sent = switch.sent
    switch.load(state, 2)
    harness.wait(driver.dpid, Synced, 2)
    assert switch.sent == sent


@pytest.mark.parametrize("state", [hand_made(), compiled()], ids=["hand_made", "compiled"])
def test_what_was_sent_is_what_the_flow_monitor_tells_others(
    driver: SwitchDriver, harness: Harness, state: Tables
) -> None:
    if not isinstance(driver, OpenVSwitch):
        pytest.skip("how Open vSwitch writes an update is the question")
    with monitored(driver.management_socket) as told:
        harness.switch(driver.dpid).load(state, 1)
        driver.connect("127.0.0.1", harness.port)
        harness.wait(driver.dpid, (Synced, Failed))  # type: ignore[arg-type]
        assert harness.seen(driver.dpid, Failed) == []
        wanted = dict(harness.service.encoder.flow(flow) for flow in state.flows.values())
        updates = told(len(wanted))
    assert {update.flow: update.entry for update in updates} == wanted


@pytest.mark.parametrize("state", [hand_made(), compiled()], ids=["hand_made", "compiled"])
def test_the_text_of_a_flow_says_to_ovs_ofctl_what_the_flow_is(
    driver: SwitchDriver, harness: Harness, state: Tables, tmp_path: Path
) -> None:
    if not isinstance(driver, OpenVSwitch):
        pytest.skip("ovs-ofctl(8) is asked")
    switch = harness.switch(driver.dpid)
    switch.load(state, 1)
    driver.connect("127.0.0.1", harness.port)
    harness.wait(driver.dpid, Synced)
    sent = switch.sent
    readable = (flow for flow in state.flows.values() if not _LATER.intersection(flow.match))
    lines = [f"cookie={flow.cookie:#x},{_for_ofctl(flow_text(flow))}\n" for flow in readable]
    (tmp_path / "flows").write_text("".join(lines))
    driver.ofctl("add-flows", str(tmp_path / "flows"))
    for group in state.groups.values():
        driver.ofctl("mod-group", _for_ofctl(group_text(group)))
    switch.load(state, 2)
    harness.wait(driver.dpid, Synced, 2)
    assert (switch.sent, switch.state.drift_examples) == (sent, ())


_LATER = {fields.IP_FRAG.masked(fields.FRAG_LATER, fields.FRAG_LATER)}
"""Shown as nw_frag=later, which ovs-ofctl reads as both bits, though no packet has only the one."""


def _for_ofctl(text: str) -> str:
    """Write what ovs-ofctl cannot read otherwise: table numbers, for this bridge has no names, and no match as none."""
    for name, table in TABLE_BY_NAME.items():
        for before in ("table=", "goto_table:", "resubmit(,"):
            text = re.sub(rf"{re.escape(before)}{name}(?![a-z_])", f"{before}{table.id}", text)
    # OVS shows the field by its old name, which stands for 16 bits where it is written (ovs-fields(7), vlan_tci).
    return text.replace(",* actions=", " actions=").replace("vlan_tci", "vlan_vid")
