"""Do bytes read as what the flow does, and unknown bytes as bytes?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.openflow.decode import flow_text, instructions_text, match_text
from controller.southbound.openflow.encode import Encoder
from controller.southbound.openflow.osken import ofp, parser
from flows import fields
from flows.flow import (
    Action,
    Conjunction,
    CopyToController,
    Ct,
    CtClear,
    Load,
    Move,
    Output,
    OutputInPort,
    OutputReg,
    Resubmit,
    SetField,
    ToController,
    ToGroup,
)
from flows.pipeline import FROM_ZONE, L2_LOOKUP, OUT_PORT, OUTPUT, OWNER_MAC, SERVICES
from tests.contract.harness import a_flow

ENCODER = Encoder()


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (SetField(fields.TUN_DST, 0x0A000001), "set_field:10.0.0.1->tun_ipv4_dst"),
        (Load(OUT_PORT, 5), "load:0x5->reg1[0..15]"),
        (Move(fields.ARP_SHA, fields.ARP_THA), "move:arp_sha_nxm[0..47]->arp_tha_nxm[0..47]"),
        (Move(OWNER_MAC, fields.ND_TLL), "move:xreg1[0..47]->nd_tll[0..47]"),
        (SetField(fields.ND_RESERVED, 0x60000000), "set_field:0x60000000->nd_reserved"),
        (Ct(FROM_ZONE, table=OUTPUT.id), "ct(table=output,zone=reg2[16..31])"),
        (Ct(FROM_ZONE, commit=True, mark=1), "ct(commit,zone=reg2[16..31],exec(set_field:0x1->ct_mark))"),
        (CtClear(), "ct_clear"),
        (Conjunction(1 << 31, 2, 3), "conjunction(2147483648,2/3)"),
        (Output(5), "output:5"),
        (OutputReg(OUT_PORT), "output:reg1[0..15]"),
        (OutputInPort(), "IN_PORT"),
        (ToController(), "CONTROLLER:65535"),
        (CopyToController(1 << 30 | 5), "controller(meter_id=1073741829)"),
        (ToGroup(7), "group:7"),
        (Resubmit(OUTPUT.id), "resubmit(,output)"),
    ],
)
def test_every_action_of_ours_reads_as_what_it_does(action: Action, text: str) -> None:
    assert instructions_text(ENCODER.flow(a_flow(1, actions=(action,))).entry[8:]) == text


def test_a_flow_reads_as_one_line() -> None:
    flow = a_flow(
        1,
        table=SERVICES.id,
        match=[fields.ETH_DST.masked(1 << 40, 1 << 40)],
        meter=9,
        actions=(Output(1),),
        goto=L2_LOOKUP.id,
    )
    wire = ENCODER.flow(flow)
    assert flow_text(wire.id, wire.entry[8:]) == (
        "table=services,priority=100,eth_dst=01:00:00:00:00:00/01:00:00:00:00:00"
        " actions=meter:9,output:1,goto_table:l2_lookup"
    )
    nothing = ENCODER.flow(a_flow(1, table=99, match=()))
    assert flow_text(nothing.id, b"") == "table=99,priority=100,* actions=drop"


def test_what_others_write_is_shown_by_name() -> None:
    octets = bytearray()
    applied = [parser.OFPActionOutput(ofp.OFPP_NORMAL, 0), parser.OFPActionPopVlan()]
    parser.OFPInstructionActions(ofp.OFPIT_WRITE_ACTIONS, applied).serialize(octets, 0)
    parser.OFPInstructionWriteMetadata(5, 7).serialize(octets, len(octets))
    assert instructions_text(bytes(octets)) == (
        "write_actions(NORMAL,OFPActionPopVlan()),OFPInstructionWriteMetadata(metadata=5,metadata_mask=7)"
    )


@given(st.binary(max_size=60))
def test_any_bytes_read_as_something(octets: bytes) -> None:
    assert match_text(octets)
    assert instructions_text(octets)
