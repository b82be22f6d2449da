"""Is as little done as possible, and enough?"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.containers.difference import Change, Changeable, Found, difference
from controller.containers.expand import Wanted
from controller.containers.expressions import Reference, references

CAN = {
    "network": Changeable(updatable=frozenset({"name", "mtu"}), resettable=frozenset({"name"})),
    "subnet": Changeable(updatable=frozenset({"name"}), resettable=frozenset({"name"})),
    "port": Changeable(updatable=frozenset({"name", "fixed_ips"}), resettable=frozenset({"name"})),
}


def network(path: str = "n", **properties: Any) -> Wanted:
    return Wanted(path=path, type="network", properties=properties)


def subnet(path: str = "s", on: str = "n", **properties: Any) -> Wanted:
    return Wanted(path=path, type="subnet", properties={"network_id": Reference(on), **properties})


def port(path: str = "p", on: str = "n", **properties: Any) -> Wanted:
    return Wanted(path=path, type="port", properties={"network_id": Reference(on), **properties})


def changes(old: list[Wanted], new: list[Wanted], **found: Any) -> list[str]:
    plan = difference(Found(members=old, **found), new, CAN)
    return [f"{one.change} {one.path} {' '.join(one.attributes)}".strip() for one in plan.changes]


def test_what_keeps_its_attributes_is_not_touched() -> None:
    assert changes([network(), subnet(), port()], [port(), subnet(), network()]) == []


def test_what_can_be_updated_is_and_what_cannot_is_replaced_with_all_that_cannot_follow() -> None:
    old = [network(name="a"), subnet(cidr="x"), port()]
    assert changes(old, [network(name="b"), subnet(cidr="x"), port()]) == ["changed n name"]
    assert changes(old, [network(name="a", vlan=1), subnet(cidr="x"), port()]) == [
        "replaced n vlan",
        "replaced s network_id",
        "replaced p network_id",
    ]


def test_a_port_keeps_its_identity_when_a_subnet_of_its_network_is_replaced_or_goes() -> None:
    old = [network(), subnet(cidr="x"), port()]
    assert changes(old, [network(), subnet(cidr="y"), port()]) == ["replaced s cidr", "changed p fixed_ips"]
    assert changes(old, [network(), port()]) == ["changed p fixed_ips", "deleted s"]


def test_what_is_said_no_more_goes_back_to_its_default_or_the_member_is_replaced() -> None:
    assert changes([network(name="a", mtu=1)], [network(mtu=1)]) == ["changed n name"]
    assert changes([network(mtu=1)], [network()]) == ["replaced n mtu"]


def test_deletions_come_last_and_in_the_reverse_order() -> None:
    old = [network(), subnet(), port()]
    assert changes(old, [network("other")]) == ["created other", "deleted p", "deleted s", "deleted n"]


def test_what_names_an_attribute_that_changes_changes_too() -> None:
    follower = network("f", name=Reference("p", ("fixed_ips", 0)))
    old = [network(), port(fixed_ips=[1]), follower]
    assert changes(old, [network(), port(fixed_ips=[2]), follower]) == ["changed p fixed_ips", "changed f name"]
    assert changes(old, [network(), port(fixed_ips=[1], name="x"), follower]) == ["changed p name"]


def test_drift_is_put_right() -> None:
    old = [network(name="a"), subnet(), port()]
    assert changes(old, old, drifted={"n": {"name"}}) == ["changed n name"]
    assert changes(old, old, missing={"s"}) == ["created s", "changed p fixed_ips"]
    assert changes(old, old, missing={"n"}) == ["created n", "replaced s network_id", "replaced p network_id"]


_NAMES = st.sampled_from("abc")
_MEMBERS = st.dictionaries(
    st.sampled_from(["n1", "n2", "s1", "s2", "p1", "p2"]), st.tuples(_NAMES, st.sampled_from(["n1", "n2"]), _NAMES)
)


def _members(drawn: dict[str, tuple[str, str, str]]) -> list[Wanted]:
    made = []
    for path, (name, on, stuck) in sorted(drawn.items()):
        if path[0] == "n":
            made.append(network(path, name=name, vlan=stuck))
        elif on in drawn:
            made.append((subnet if path[0] == "s" else port)(path, on, name=name, stuck=stuck))
    return made


@given(_MEMBERS, _MEMBERS)
@settings(max_examples=60, deadline=None)
def test_a_plan_carried_out_leaves_nothing_to_do_and_no_member_on_what_has_gone(
    before: dict[str, tuple[str, str, str]], after: dict[str, tuple[str, str, str]]
) -> None:
    old, new = _members(before), _members(after)
    plan = difference(Found(members=old), new, CAN).changes
    assert len({one.path for one in plan}) == len(plan)
    reached, renewed = _carried_out(plan, old, new)
    assert reached == {one.path: one for one in new}
    assert changes(list(reached.values()), new) == []
    for one in new:
        kept = one.path not in renewed
        assert not (kept and any(reference.path in renewed for reference in references(one.properties)))


def _carried_out(plan: tuple[Change, ...], old: list[Wanted], new: list[Wanted]) -> tuple[dict[str, Wanted], set[str]]:
    reached, wanted = {one.path: one for one in old}, {one.path: one for one in new}
    renewed = set()
    for one in plan:
        if one.change == "deleted":
            del reached[one.path]
        else:
            reached[one.path] = wanted[one.path]
            renewed |= {one.path} if one.change in ("replaced", "created") else set()
    return reached, renewed
