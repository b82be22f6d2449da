"""Are messages whole, with the right length and transaction id, and as os-ken reads them?"""

import struct
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.openflow.encode import Encoder
from controller.southbound.openflow.messages import Messages, header
from controller.southbound.openflow.osken import ofp, ofproto_parser, parser, protocol
from flows import fields
from flows.cookie import MASK, OWNER_MARK
from flows.flow import GroupKind, Output, SetField
from tests.contract.harness import a_flow, a_group, a_meter

MESSAGES, ENCODER = Messages(), Encoder()
XIDS = st.integers(1, 0xFFFFFFFF)


def parsed(message: bytes) -> Any:
    version, kind, length, xid = header(message)
    assert length == len(message)
    return ofproto_parser.msg(protocol(), version, kind, length, xid, message)


def parsed_flow(key: int) -> Any:
    """Return the flow modification for `a_flow` as os-ken's users write it."""
    return parser.OFPFlowMod(
        protocol(),
        cookie=a_flow(key).cookie,
        table_id=10,
        priority=100,
        buffer_id=ofp.OFP_NO_BUFFER,
        out_port=ofp.OFPP_ANY,
        out_group=ofp.OFPG_ANY,
        match=parser.OFPMatch(in_port=key),
        instructions=[],
    )


@given(xid=XIDS, key=st.integers(1, 0xFFFF), goto=st.none() | st.integers(0, 254))
def test_a_flow_is_added_with_everything_it_has(xid: int, key: int, goto: int | None) -> None:
    flow = a_flow(key, actions=(Output(key),), goto=goto)
    message = parsed(MESSAGES.add_flow(xid, *ENCODER.flow(flow)))
    assert isinstance(message, parser.OFPFlowMod)
    assert (message.xid, message.command, message.flags) == (xid, ofp.OFPFC_ADD, 0)
    assert (message.table_id, message.priority, message.cookie) == (flow.table, flow.priority, flow.cookie)
    assert dict(message.match.items()) == {"in_port": key}
    assert len(message.instructions) == (1 if goto is None else 2)
    assert (message.idle_timeout, message.hard_timeout, message.buffer_id) == (0, 0, ofp.OFP_NO_BUFFER)


def test_only_our_own_flow_is_deleted() -> None:
    message = parsed(MESSAGES.delete_flow(9, ENCODER.flow_id(a_flow(5))))
    assert message.command == ofp.OFPFC_DELETE_STRICT
    assert (message.cookie, message.cookie_mask) == (OWNER_MARK << 56, MASK)
    assert (message.out_port, message.out_group) == (ofp.OFPP_ANY, ofp.OFPG_ANY)
    assert message.instructions == []


@given(xid=XIDS, number=st.integers(1, 0xFFFFFF), kind=st.sampled_from(GroupKind))
def test_groups_and_meters_are_written_as_os_ken_reads_them(xid: int, number: int, kind: GroupKind) -> None:
    body, band = ENCODER.group(replace(a_group(number, 1, 2), kind=kind)), ENCODER.meter(a_meter(number, 77))
    type_ = {GroupKind.ALL: ofp.OFPGT_ALL, GroupKind.SELECT: ofp.OFPGT_SELECT}[kind]
    cases = [
        (MESSAGES.add_group(xid, number, body), ofp.OFPGC_ADD, type_, 2),
        (MESSAGES.modify_group(xid, number, body), ofp.OFPGC_MODIFY, type_, 2),
        (MESSAGES.delete_group(xid, number), ofp.OFPGC_DELETE, ofp.OFPGT_ALL, 0),
    ]
    for octets, command, wanted, count in cases:
        group = parsed(octets)
        assert (group.xid, group.command, group.type, group.group_id) == (xid, command, wanted, number)
        assert len(group.buckets) == count
    cases = [
        (MESSAGES.add_meter(xid, number, band), ofp.OFPMC_ADD, 1),
        (MESSAGES.modify_meter(xid, number, band), ofp.OFPMC_MODIFY, 1),
        (MESSAGES.delete_meter(xid, number), ofp.OFPMC_DELETE, 0),
    ]
    for octets, command, count in cases:
        meter = parsed(octets)
        assert (meter.xid, meter.command, meter.meter_id) == (xid, command, number)
        assert meter.flags == ofp.OFPMF_PKTPS | ofp.OFPMF_BURST
        assert [(b.rate, b.burst_size) for b in meter.bands] == [(77, 77)] * count


def test_a_bundled_message_bears_the_transaction_id_of_its_envelope() -> None:
    inner = MESSAGES.add_flow(77, *ENCODER.flow(a_flow(5)))
    (octets,) = MESSAGES.bundled(3, [inner])
    assert header(octets) == (ofp.OFP_VERSION, ofp.OFPT_BUNDLE_ADD_MESSAGE, len(octets), 77)
    assert octets.endswith(inner)
    expected = parser.OFPBundleAddMsg(protocol(), 3, ofp.OFPBF_ATOMIC | ofp.OFPBF_ORDERED, parsed_flow(5), [])
    expected.set_xid(77)
    expected.serialize()
    assert octets == bytes(expected.buf)
    opened, committed = parsed(MESSAGES.open_bundle(5, 3)), parsed(MESSAGES.commit_bundle(6, 3))
    assert (opened.type, committed.type) == (ofp.OFPBCT_OPEN_REQUEST, ofp.OFPBCT_COMMIT_REQUEST)
    assert {opened.bundle_id, committed.bundle_id} == {3}
    assert {opened.flags, committed.flags} == {ofp.OFPBF_ATOMIC | ofp.OFPBF_ORDERED}


@given(ofport=st.integers(1, 0xFFFFFFFF), frame=st.binary(max_size=1500))
def test_a_packet_out_leaves_by_one_port(ofport: int, frame: bytes) -> None:
    expected = parser.OFPPacketOut(
        protocol(), ofp.OFP_NO_BUFFER, ofp.OFPP_CONTROLLER, [parser.OFPActionOutput(ofport, 0)], frame
    )
    expected.set_xid(0)
    expected.serialize()
    assert MESSAGES.packet_out(ofport, frame) == bytes(expected.buf)


@given(
    endpoint=st.integers(0, 0xFFFFFFFF),
    vni=st.integers(0, 0xFFFFFF),
    ofport=st.integers(1, 0xFFFFFFFF),
    frame=st.binary(max_size=100),
)
def test_a_packet_out_does_what_its_actions_say(endpoint: int, vni: int, ofport: int, frame: bytes) -> None:
    actions = (SetField(fields.TUN_DST, endpoint), SetField(fields.TUN_ID, vni), Output(ofport))
    expected = parser.OFPPacketOut(
        protocol(),
        ofp.OFP_NO_BUFFER,
        ofp.OFPP_CONTROLLER,
        [
            parser.OFPActionSetField(tun_ipv4_dst=str(IPv4Address(endpoint))),
            parser.OFPActionSetField(tunnel_id=vni),
            parser.OFPActionOutput(ofport, 0),
        ],
        frame,
    )
    expected.set_xid(0)
    expected.serialize()
    assert MESSAGES.packet_out_by(actions, frame) == bytes(expected.buf)


def test_the_flow_monitor_tells_all_foreign_changes_and_own_ones_in_short() -> None:
    """OpenFlow 1.4 section 7.3.5.18.1."""
    message = MESSAGES.monitor_flows(7)
    assert message[:24] == bytes.fromhex("051200280000000700100000000000000000000100000000")[:20] + b"\xff" * 4
    flags, table, command = struct.unpack_from("!HBB", message, 28)
    assert flags == ofp.OFPFMF_ADD | ofp.OFPFMF_REMOVED | ofp.OFPFMF_MODIFY | ofp.OFPFMF_INSTRUCTIONS
    assert (table, command) == (ofp.OFPTT_ALL, ofp.OFPFMC_ADD)
    assert message[32:] == bytes.fromhex("0001000400000000")  # a match of everything


@given(xid=XIDS, zone=st.integers(0, 0xFFFF))
def test_a_conntrack_zone_is_flushed_by_a_message_of_nicira(xid: int, zone: int) -> None:
    """nicira-ext.h, NXT_CT_FLUSH_ZONE: 24 octets, the zone last."""
    expected = struct.pack("!BBHIII6xH", ofp.OFP_VERSION, ofp.OFPT_EXPERIMENTER, 24, xid, 0x2320, 29, zone)
    assert MESSAGES.flush_zone(xid, zone) == expected


def test_group_and_meter_requests_of_others_are_forwarded_in_every_role() -> None:
    assert MESSAGES.forward_requests(3) == bytes.fromhex("051c001800000003000a000800000003000b000800000003")


def test_a_device_is_set_up_by_a_port_modification() -> None:
    """OpenFlow 1.4 section 7.3.4.3: the bits of the mask alone are changed."""
    expected = parser.OFPPortMod(protocol(), 32769, "02:00:00:00:00:07", 0, ofp.OFPPC_PORT_DOWN, [])
    expected.set_xid(0)
    expected.serialize()
    assert MESSAGES.raise_port(32769, "02:00:00:00:00:07") == bytes(expected.buf)
