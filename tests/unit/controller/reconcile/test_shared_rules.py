"""Is what all hosts share of a set's rules worked out once, and does a rule more or less touch its own flows only?"""

from dataclasses import replace

from controller.reconcile.rulesets import Rulesets
from controller.reconcile.shared_rules import SharedRules
from flows.compiler import compile_unit
from flows.intent import RulesetIntent, Unit, UnitKind
from flows.state import BridgeState
from tests.unit.controller.reconcile.builders import Cloud, a_group, a_network, a_port, a_rule

RULES = [a_rule(f"r{port}", protocol="tcp", port_range_min=port, port_range_max=port) for port in range(2000, 2040, 2)]
"""No two of them are one range, so that each has a flow of its own."""


def intent(*rules: object) -> RulesetIntent:
    """Return what a set of these rules is translated to."""
    rulesets = Rulesets()
    rulesets.put_group("g16", a_group(16, *rules))  # type: ignore[arg-type]
    return rulesets.translated(16, ["g16"])


def test_rules_are_compiled_once_for_all_hosts() -> None:
    shared, rules = SharedRules(), intent(*RULES)
    assert shared.compiled(rules) is shared.compiled(rules)
    assert shared.compiled(intent(*RULES[1:])) != shared.compiled(rules)


def test_what_becomes_of_rules_is_found_once_for_all_hosts() -> None:
    shared, more, less = SharedRules(), intent(*RULES), intent(*RULES[1:])
    assert shared.turn(more, less) is shared.turn(more, less)
    assert shared.turn(more, less).is_narrower
    assert not shared.turn(less, more).is_narrower
    assert not shared.turn(more, intent(*RULES)).is_change
    assert shared.turn(more, replace(more, stateful=False)).is_narrower


def test_a_rule_more_leaves_the_flows_of_the_others_untouched() -> None:
    before, after = compile_unit(intent(*RULES[1:])), compile_unit(intent(*RULES))
    known = {id(flow) for flow in before.flows}
    assert len([flow for flow in after.flows if id(flow) not in known]) == 5, "its own, and four that are not a rule's"


def test_one_rule_more_and_one_less_are_one_flow_on_every_host() -> None:
    cloud = Cloud(3)
    cloud.put(a_network(), a_group(16, *RULES[1:]))
    cloud.put(*(a_port(number, host=f"h{number}", groups=["g16"]) for number in (1, 2, 3)))
    cloud.put(a_group(16, *RULES))
    assert [(len(delta.flows), len(delta.deleted_flows)) for delta in cloud.deltas.values()] == [(1, 0)] * 3
    cloud.put(a_group(16, *RULES[1:]))
    assert [(len(delta.flows), len(delta.deleted_flows)) for delta in cloud.deltas.values()] == [(0, 1)] * 3


def test_a_flow_that_two_rules_ask_for_stays_until_the_last_is_gone() -> None:
    """A range and a port inside of it may come down to the same match."""
    whole = a_rule("r1", protocol="tcp", port_range_min=2000, port_range_max=2001)
    parts = a_rule("r2", protocol="tcp", port_range_min=1999, port_range_max=2001)
    unit, state = Unit(UnitKind.RULESET, 16), BridgeState()
    for rules in ([whole, parts], [whole], [whole, parts], [parts], [parts, whole], []):
        wanted = compile_unit(intent(*rules))
        state.replace({unit: wanted})
        assert state.tables().flows == {flow.key: flow for flow in wanted.flows}
