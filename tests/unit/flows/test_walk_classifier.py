"""Which flow a packet meets, as Open vSwitch's classifier decides it (lib/classifier.c)."""

from flows import fields
from flows.cookie import Feature, encode
from flows.fields import Term
from flows.flow import Action, Conjunction, Flow, Output, canonical_match
from flows.walk.classifier import Classifier
from flows.walk.packet import Values, packet


def a_flow(priority: int, *match: Term, actions: tuple[Action, ...] = (Output(1),), why: str = "") -> Flow:
    return Flow(
        table=0,
        priority=priority,
        match=canonical_match(match),
        actions=actions,
        goto=None,
        meter=None,
        cookie=encode(Feature.BASE),
        why=why or str(priority),
    )


def met(flows: list[Flow], values: Values) -> str | None:
    flow = Classifier(flows).look_up(values)[0]
    return None if flow is None else flow.why


UDP_53 = packet({fields.ETH_TYPE: 0x0800, fields.IP_PROTO: 17, fields.UDP_DST: 53, fields.IPV4_SRC: 0x0A000001})
FROM_10 = fields.IPV4_SRC.masked(0x0A000000, 0xFF000000)
MEMBER = a_flow(20, FROM_10, actions=(Conjunction(7, 2, 2),), why="member")
CLAUSE = a_flow(20, fields.UDP_DST.eq(53), actions=(Conjunction(7, 1, 2),), why="clause")
WHOLE = a_flow(5, fields.CONJ_ID.eq(7), why="whole")


def test_the_highest_priority_wins_whatever_the_mask() -> None:
    flows = [a_flow(1), a_flow(9, FROM_10), a_flow(5, fields.UDP_DST.eq(53)), a_flow(99, fields.UDP_DST.eq(54))]
    assert met(flows, UDP_53) == "9"
    assert met(flows[:1], UDP_53) == "1"
    assert met(flows[3:], UDP_53) is None


def test_of_flows_with_one_match_the_highest_priority_wins() -> None:
    assert met([a_flow(1, FROM_10), a_flow(2, FROM_10)], UDP_53) == "2"


def test_a_conjunctive_match_needs_every_dimension() -> None:
    assert met([MEMBER, CLAUSE, WHOLE], UDP_53) == "whole"
    assert met([MEMBER, WHOLE, a_flow(1)], UDP_53) == "1"
    assert met([CLAUSE, WHOLE], UDP_53) is None


def test_the_parts_that_held_are_told() -> None:
    flow, parts = Classifier([MEMBER, CLAUSE, WHOLE]).look_up(UDP_53)
    assert flow is WHOLE
    assert {part.why for part in parts} == {"member", "clause"}


def test_dimensions_of_different_priorities_are_not_one_match() -> None:
    """ovs-fields(7), "Conjunctive Match Fields": all flows of a conjunctive match have one priority."""
    other = a_flow(21, fields.UDP_DST.eq(53), actions=(Conjunction(7, 1, 2),))
    assert met([MEMBER, other, WHOLE, a_flow(1)], UDP_53) == "1"


def test_a_plain_flow_of_higher_priority_hides_a_conjunctive_match() -> None:
    assert met([MEMBER, CLAUSE, WHOLE, a_flow(30)], UDP_53) == "30"


def test_the_end_of_a_conjunctive_match_is_the_best_flow_for_its_id() -> None:
    """Seen on Open vSwitch 3.1: once the dimensions hold, flows without an id compete with the one that asks for it."""
    assert met([MEMBER, CLAUSE, WHOLE, a_flow(3)], UDP_53) == "whole"
    assert met([MEMBER, CLAUSE, WHOLE, a_flow(10)], UDP_53) == "10"


def test_one_dimension_may_hold_for_several_conjunctions() -> None:
    clauses = a_flow(20, fields.UDP_DST.eq(53), actions=(Conjunction(6, 1, 2), Conjunction(7, 1, 2)))
    assert met([MEMBER, clauses, WHOLE, a_flow(5, fields.CONJ_ID.eq(6), why="six")], UDP_53) == "whole"


def test_behind_a_conjunction_that_fails_the_next_flow_with_that_match_counts() -> None:
    assert met([MEMBER, a_flow(3, FROM_10), a_flow(2)], UDP_53) == "3"
    assert met([MEMBER, a_flow(3, FROM_10), a_flow(4)], UDP_53) == "4"


def test_a_packet_that_claims_a_conjunction_s_id_does_not_have_it() -> None:
    assert met([WHOLE], UDP_53) is None
    assert UDP_53[fields.CONJ_ID] == 0
