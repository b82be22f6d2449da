"""Does the model say what its sources say? Small clouds whose outcome anybody can read off."""

from dataclasses import replace

import pytest

from tests.lab_matrix.intent import Cloud, Group, Network, Port, Rule
from tests.lab_matrix.semantics import Frame, Kind, answers, receivers

MACS = tuple(f"fa:16:3e:00:00:0{number}" for number in range(5))
BROADCAST, STRANGER = "ff:ff:ff:ff:ff:ff", "fa:16:3e:ff:ff:ff"
OUT = Rule(direction="egress", version=4)
MEMBERS = Rule(direction="ingress", version=4, group=0)
WEB = Rule(direction="ingress", version=4, protocol="udp", low=80, high=90)


def a_port(number: int, **more: object) -> Port:
    values = {"network": 0, "host": 0, "ips": (f"10.50.0.{number + 1}",), "groups": (0,)}
    return Port(number=number, mac=MACS[number], **(values | more))  # type: ignore[arg-type]


def a_cloud(*ports: Port, rules: tuple[Rule, ...] = (OUT, MEMBERS), stateful: bool = True, up: bool = True) -> Cloud:
    return Cloud(
        networks=(Network(kind="vxlan", up=up), Network(kind="vxlan")),
        groups=(Group(stateful=stateful, rules=rules), Group(stateful=True, rules=(WEB,))),
        address_groups=(("10.50.0.2/32",),),
        ports=ports,
    )


def udp(sender: int, target: int, **more: object) -> Frame:
    frame = Frame(
        sender=sender,
        kind=Kind.UDP,
        src_mac=MACS[sender],
        dst_mac=MACS[target],
        src_ip=f"10.50.0.{sender + 1}",
        dst_ip=f"10.50.0.{target + 1}",
        dst_port=53,
    )
    return replace(frame, **more)  # type: ignore[arg-type]


def test_members_of_a_group_reach_each_other_and_others_do_not() -> None:
    cloud = a_cloud(a_port(0), a_port(1), a_port(2, groups=()))
    assert receivers(cloud, udp(0, 1)) == {1}
    assert receivers(cloud, udp(0, 2)) == receivers(cloud, udp(2, 0)) == frozenset()


@pytest.mark.parametrize(("port", "gets"), [(79, False), (80, True), (90, True), (91, False)])
def test_a_range_of_ports_includes_both_ends(port: int, *, gets: bool) -> None:
    cloud = a_cloud(a_port(0), a_port(1, groups=(1,)))
    assert receivers(cloud, udp(0, 1, dst_port=port)) == ({1} if gets else set())


def test_networks_ports_and_networks_that_are_down_are_apart() -> None:
    assert receivers(a_cloud(a_port(0), a_port(1, network=1)), udp(0, 1)) == frozenset()
    assert receivers(a_cloud(a_port(0), a_port(1, up=False)), udp(0, 1)) == frozenset()
    assert receivers(a_cloud(a_port(0, up=False), a_port(1)), udp(0, 1)) == frozenset()
    assert receivers(a_cloud(a_port(0), a_port(1), up=False), udp(0, 1)) == frozenset()


def test_port_security_knows_the_port_s_addresses_and_pairs() -> None:
    cloud = a_cloud(a_port(0, pairs=((None, "10.50.0.200"),)), a_port(1), a_port(2, guarded=False, groups=()))
    assert receivers(cloud, udp(0, 1, src_ip="10.50.0.200")) == {1}
    assert receivers(cloud, udp(0, 1, src_ip="10.50.0.201")) == frozenset()
    assert receivers(cloud, udp(0, 1, src_mac=MACS[2])) == frozenset()
    assert receivers(cloud, udp(2, 1, src_ip="10.50.0.1")) == {1}  # without port security it may lie


def test_what_nobody_knows_goes_to_ports_without_port_security_alone() -> None:
    cloud = a_cloud(a_port(0), a_port(1), a_port(2, guarded=False, groups=()), a_port(3, network=1, guarded=False))
    assert receivers(cloud, udp(0, 1, dst_mac=STRANGER)) == {2}
    assert receivers(cloud, Frame(sender=0, kind=Kind.OTHER, src_mac=MACS[0], dst_mac=BROADCAST)) == {1, 2}


def test_answers_pass_where_groups_are_stateful() -> None:
    for stateful, gets in ((True, {0}), (False, set())):
        cloud = a_cloud(a_port(0), a_port(1, groups=(1,)), rules=(OUT,), stateful=stateful)
        assert receivers(cloud, udp(1, 0, begun_by=0)) == gets
    assert receivers(a_cloud(a_port(0), a_port(1, groups=(1,)), rules=(OUT,)), udp(1, 0)) == frozenset()


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        ("promiscuous", "isolated", True),
        ("promiscuous", "red", True),
        ("isolated", "isolated", False),
        ("isolated", "red", False),
        ("red", "red", True),
        ("red", "blue", False),
    ],
)
def test_private_vlans_are_those_of_rfc_5517(one: str, other: str, *, may: bool) -> None:
    ports = []
    for number, kind in enumerate((one, other)):
        is_community = kind in {"red", "blue"}
        port = a_port(number, kind="community" if is_community else kind, community=kind if is_community else None)
        ports.append(port)
    cloud = a_cloud(*ports)
    cloud = replace(cloud, networks=(Network(kind="vxlan", pvlan=True), cloud.networks[1]))
    for sender, target in ((0, 1), (1, 0)):
        assert receivers(cloud, udp(sender, target)) == ({target} if may else set())
        question = udp(sender, target, kind=Kind.QUESTION, dst_mac=BROADCAST)
        assert receivers(cloud, question) == ({target} if may else set())
        assert answers(cloud, question) == ({MACS[target]} if may else set())


def test_a_rule_of_one_protocol_says_nothing_of_another_with_the_same_ports() -> None:
    cloud = a_cloud(a_port(0), a_port(1, groups=(1,)))
    assert receivers(cloud, udp(0, 1, dst_port=85)) == {1}
    assert receivers(cloud, udp(0, 1, dst_port=85, kind=Kind.TCP)) == frozenset()
