"""What is the one flow of several units that want different things under one key?

A switch holds one flow for a table, priority and match. Two kinds of flow are meant to be shared: conjunctive flows,
whose actions are collected, and deliveries to an address that several ports may bear, of which each gets a copy. Where
any other flows collide, the lowest unit's counts, whatever the order in which they came.
"""

from collections.abc import Mapping

from flows.cookie import Feature, decode, encode
from flows.flow import Action, Conjunction, Flow
from flows.intent import Unit


def merge_flows(claims: Mapping[Unit, Flow]) -> Flow:
    """Return the flow that stands for all `claims`, which have one key and differ."""
    flows = [claims[unit] for unit in sorted(claims)]
    first = flows[0]
    if all(_is_conjunctive(flow) for flow in flows):
        return _with_actions(first, flows, sorted({a for flow in flows for a in flow.actions}, key=_conjunction_order))
    if all(_feature(flow) is Feature.SHARED_DELIVERY for flow in flows):
        copies = dict.fromkeys(flow.actions for flow in flows)
        return _with_actions(first, flows, [action for copy in copies for action in copy])
    return first


def _is_conjunctive(flow: Flow) -> bool:
    return bool(flow.actions) and all(isinstance(action, Conjunction) for action in flow.actions)


def _conjunction_order(action: Action) -> tuple[int, int]:
    return (action.id, action.clause) if isinstance(action, Conjunction) else (-1, -1)


def _feature(flow: Flow) -> Feature | None:
    owner = decode(flow.cookie)
    return None if owner is None else owner.feature


def _with_actions(first: Flow, flows: list[Flow], actions: list[Action]) -> Flow:
    """A flow of several owners names none, only what it is for."""
    feature = _feature(first)
    shared = len({flow.cookie for flow in flows}) > 1 and feature is not None
    return Flow(
        table=first.table,
        priority=first.priority,
        match=first.match,
        actions=tuple(actions),
        goto=first.goto,
        meter=first.meter,
        cookie=encode(feature, 0) if shared and feature is not None else first.cookie,
        why=first.why,
    )
