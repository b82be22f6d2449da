"""Does the switch echo exactly the bytes that were sent, for every kind of flow there is?

On this rests that an unchanged reconnect sends nothing. Open vSwitch reorders, rewrites and drops what is not in its
own form, so every field and every action has to be shown to be in it.
"""

from collections.abc import Iterable, Iterator
from typing import get_args

import pytest

from controller.southbound.openflow.events import Failed, Synced
from flows import fields
from flows.compiler import compile_bridge
from flows.delta import Tables
from flows.fields import Field, Term
from flows.flow import (
    Action,
    Bucket,
    Flow,
    Group,
    Load,
    Meter,
    Move,
    Output,
    OutputInPort,
    OutputReg,
    Resubmit,
    SetField,
    ToController,
    ToGroup,
)
from flows.intent import BaseIntent, LocalPortIntent, PeerIntent, RemotePortIntent, SegmentIntent
from flows.pipeline import OUT_PORT, SEGMENT
from tests.contract.driver import SwitchDriver
from tests.contract.harness import Harness, a_flow, tables

MAC, ADDRESS = 0xFA163E000001, 0x0A000001
FIELDS = [*(value for value in vars(fields).values() if isinstance(value, Field)), *fields.REGISTERS]
IPV4 = fields.ETH_TYPE.eq(fields.ETH_TYPE_IPV4)
ARP = fields.ETH_TYPE.eq(fields.ETH_TYPE_ARP)
UDP = (IPV4, fields.IP_PROTO.eq(fields.IP_PROTO_UDP))
UNMASKABLE = {fields.IN_PORT, fields.ETH_TYPE, fields.IP_PROTO, fields.ARP_OP}
"""ovs-fields(7): not maskable."""
READ_ONLY = {fields.IN_PORT, fields.ETH_TYPE, fields.IP_PROTO}
"""ovs-fields(7): read-only, or nothing that set_field may change in OpenFlow 1.4 here."""
TAGGED = fields.VLAN_VID.masked(fields.VLAN_PRESENT, fields.VLAN_PRESENT)


def prerequisites(field: Field) -> tuple[Term, ...]:
    """Return what a match of the field, or an action on it, needs (OpenFlow 1.4 section 7.2.3.6)."""
    if field in {fields.UDP_SRC, fields.UDP_DST}:
        return UDP
    if field.oxm.startswith("arp_"):
        return (ARP,)
    if field.oxm.startswith(("ipv4_", "ip_")):
        return (IPV4,)
    return ()


def value(field: Field) -> int:
    """Return a value that OVS accepts."""
    known = {
        fields.IN_PORT: 5,
        fields.VLAN_VID: fields.VLAN_PRESENT | 5,
        fields.ETH_TYPE: 0x88CC,
        fields.IP_PROTO: 6,
        fields.ARP_OP: 2,
    }
    return known.get(field, 0x5A5A5A5A5A5A5A5A & field.full_mask)


def matching() -> Iterator[tuple[Term, ...]]:
    """Yield matches with every field, whole and masked, and with many together."""
    for field in FIELDS:
        yield (*(term for term in prerequisites(field) if term.field != field), field.eq(value(field)))
        if field not in UNMASKABLE:
            # A mask that is a prefix for addresses and no prefix for the rest.
            mask = field.full_mask & ~0xFF if field.bits > 16 else 0x1002 & field.full_mask
            yield (*prerequisites(field), field.masked(value(field), mask))
    common = [fields.IN_PORT.eq(3), fields.ETH_SRC.eq(MAC), fields.ETH_DST.eq(MAC), fields.VLAN_VID.eq(0x1005)]
    common += [fields.TUN_ID.eq(77), fields.TUN_SRC.eq(ADDRESS), fields.TUN_DST.eq(ADDRESS)]
    common += [register.masked(0x50, 0xF0) for register in fields.REGISTERS]
    addresses = [fields.IPV4_SRC.eq(ADDRESS), fields.IPV4_DST.masked(ADDRESS, 0xFFFFFF00)]
    yield (*common, *UDP, *addresses, fields.UDP_SRC.eq(68), fields.UDP_DST.eq(67))
    arp = [fields.ARP_OP.eq(1), fields.ARP_SPA.eq(ADDRESS), fields.ARP_TPA.eq(ADDRESS)]
    yield (*common, ARP, *arp, fields.ARP_SHA.eq(MAC), fields.ARP_THA.eq(MAC))
    yield ()


def acting() -> Iterator[tuple[tuple[Term, ...], tuple[Action, ...]]]:
    """Yield every action, with the match it needs."""
    for field in FIELDS:
        if field not in READ_ONLY:
            needed = (TAGGED,) if field == fields.VLAN_VID else prerequisites(field)
            yield needed, (SetField(field, value(field)),)
            other = next((f for f in FIELDS if f != field and f.bits == field.bits and f not in READ_ONLY), None)
            if other is not None and prerequisites(other) == prerequisites(field):
                yield needed, (Move(field, other),)
    for destination in (SEGMENT, OUT_PORT):
        yield (), (Load(destination, 5),)
    yield (), (OutputReg(OUT_PORT),)
    yield (), (Output(5), OutputInPort(), ToController(), ToGroup(7), Resubmit(70))
    yield (), (Resubmit(70), Load(SEGMENT, 1), Load(OUT_PORT, 2), Output(1))


def hand_made() -> Tables:
    """Return a state with every kind of flow, group and meter."""
    flows: list[Flow] = []
    for number, match in enumerate(matching()):
        flows.append(a_flow(number, table=1, priority=100 + number, match=match, goto=20))
    for number, (match, actions) in enumerate(acting()):
        flows.append(a_flow(number, table=2, priority=100 + number, match=match, actions=actions))
        flows.append(a_flow(number, table=3, priority=100 + number, match=match, actions=actions, goto=20, meter=4))
    flows.append(a_flow(1, table=4, match=()))
    flows.append(a_flow(2, table=5, match=(), meter=4))
    everything = (
        (SetField(fields.TUN_DST, ADDRESS), SetField(fields.TUN_ID, 7), Output(1)),
        (Load(OUT_PORT, 5), Resubmit(70)),
    )
    groups = [
        Group(id=7, buckets=tuple(Bucket(actions=actions) for actions in everything)),
        Group(id=8, buckets=()),
        Group(id=1 << 24 | 9, buckets=(Bucket(actions=(Output(1),)),)),
        Group(id=9, buckets=(Bucket(actions=(ToGroup(1 << 24 | 9),)),)),
    ]
    return tables(flows, groups, [Meter(id=4, rate_pps=50, burst=60)])


def compiled() -> Tables:
    """Return what the features make of one network with DHCP on two hosts."""
    segment = SegmentIntent(segment=5, service_mac=MAC, service_addresses=(ADDRESS,))
    local = [
        LocalPortIntent(
            port=n,
            segment=5,
            ofport=32768 + n,
            mac=MAC + n,
            guarded_macs=(MAC + n,) if n % 2 else (),
            dhcp=True,
            meter=n,
        )
        for n in range(1, 4)
    ]
    remote = RemotePortIntent(port=9, segment=5, vni=77, mac=MAC + 9, endpoint=ADDRESS, tunnel_ofport=32768)
    peer = PeerIntent(tunnel_ofport=32768, endpoint=ADDRESS)
    return compile_bridge([BaseIntent(), peer, segment, *local, remote]).tables()


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
