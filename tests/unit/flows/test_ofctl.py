"""Do flows read as ovs-ofctl writes them? That it reads them so is held against Open vSwitch in `tests/contract`."""

import pytest

from flows import fields
from flows.fields import Term
from flows.flow import Action, Bucket, Conjunction, Ct, CtClear, Group, GroupKind, Load, Move, Resubmit
from flows.ofctl import action_text, group_text, match_text, term_text
from flows.pipeline import ADDRESS, FROM_STATE, FROM_ZONE, OWNER_MAC, TO_ZONE


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (fields.CT_STATE.masked(fields.CT_TRK | fields.CT_EST, 0x2A), "ct_state=+est-rpl+trk"),
        (fields.CT_STATE.masked(0, fields.CT_INV), "ct_state=-inv"),
        (fields.CT_STATE.masked(0x40, 0x40), "ct_state=0x40/0x40"),
        (fields.IP_FRAG.eq(0), "nw_frag=no"),
        (fields.IP_FRAG.masked(fields.FRAG_ANY, fields.FRAG_ANY), "nw_frag=yes"),
        (fields.IP_FRAG.masked(fields.FRAG_LATER, fields.FRAG_LATER), "nw_frag=later"),
        (fields.IP_FRAG.masked(0, fields.FRAG_LATER), "nw_frag=not_later"),
        (fields.IPV4_SRC.masked(0x0A000000, 0xFF000000), "nw_src=10.0.0.0/8"),
        (fields.IPV4_SRC.masked(0x0A000000, 0xFF0000FF), "nw_src=10.0.0.0/255.0.0.255"),
        (fields.IPV6_DST.masked(1 << 127, 1 << 127), "ipv6_dst=8000::/1"),
        (fields.ETH_DST.masked(0, fields.MULTICAST_BIT), "dl_dst=00:00:00:00:00:00/01:00:00:00:00:00"),
        (fields.TCP_DST.masked(0x1F40, 0xFFC0), "tcp_dst=8000/65472"),
        (fields.ND_RESERVED.eq(0x60000000), "nd_reserved=0x60000000"),
        (fields.CONJ_ID.eq(1 << 31 | 5), "conj_id=2147483653"),
    ],
)
def test_a_condition_reads_as_ovs_writes_it(term: Term, text: str) -> None:
    assert term_text(term) == text


def test_a_protocol_stands_for_its_prerequisites() -> None:
    sctp = (fields.ETH_TYPE.eq(fields.ETH_TYPE_IPV6), fields.IP_PROTO.eq(fields.IP_PROTO_SCTP))
    assert match_text((*sctp, fields.SCTP_DST.eq(80))) == "sctp6,sctp_dst=80"


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (Load(OWNER_MAC, 0xFA163E000001), "load:0xfa163e000001->xreg1[0..47]"),
        (Move(OWNER_MAC, fields.ND_TLL), "move:xreg1[0..47]->nd_tll[]"),
        (Move(fields.IPV6_SRC, ADDRESS), "move:ipv6_src[]->xxreg1[0..127]"),
        (Ct(FROM_ZONE, table=FROM_STATE.id), "ct(table=from_state,zone=reg2[16..31])"),
        (Ct(TO_ZONE, commit=True, mark=1), "ct(commit,zone=reg1[16..31],exec(set_field:0x1->ct_mark))"),
        (CtClear(), "ct_clear"),
        (Conjunction(7, 1, 2), "conjunction(7,1/2)"),
    ],
)
def test_an_action_reads_as_ovs_writes_it(action: Action, text: str) -> None:
    assert action_text(action) == text


def test_a_group_says_what_it_does_with_its_buckets() -> None:
    group = Group(id=5, buckets=(Bucket(actions=(Resubmit(FROM_STATE.id),)),), kind=GroupKind.SELECT)
    assert group_text(group) == "group_id=5,type=select,bucket=actions=resubmit(,from_state)"
