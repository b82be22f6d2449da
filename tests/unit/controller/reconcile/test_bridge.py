"""Which conntrack zones must forget their connections, and do refused rules show at their ports?"""

from typing import Any

import pytest

from controller.reconcile.status import Progress
from controller.records import PortKey, SegmentKey
from flows.intent import Unit, UnitKind
from tests.unit.controller.reconcile.builders import Cloud, a_group, a_network, a_port, a_rule, an_address_group

ZONE = 32768
"""Port number n has the zone ZONE + n."""


def a_cloud() -> Cloud:
    """Ports 1 and 2 of group 16 on one host, port 3 of it on another, port 4 of group 17 beside the first."""
    cloud = Cloud()
    cloud.put(a_network(), a_group(16, a_rule("r1"), a_rule("r2", protocol="tcp")), a_group(17, a_rule("r3")))
    cloud.put(a_port(1, groups=["g16"]), a_port(2, groups=["g16"]), a_port(3, host="h2", groups=["g16"]))
    cloud.put(a_port(4, groups=["g17"]))
    return cloud


def flushed(cloud: Cloud) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(z - ZONE for z in sorted((*delta.flushed_zones, *delta.revoked_zones)))
        for name, delta in cloud.deltas.items()
    }


def test_a_lost_rule_flushes_the_zones_of_the_ports_that_had_it() -> None:
    """A stream of which only answers still pass is not asked about again by any rule."""
    cloud = a_cloud()
    cloud.put(a_group(16, a_rule("r2", protocol="tcp")))
    assert flushed(cloud) == {"h1": (1, 2), "h2": (3,)}
    assert cloud.deltas["h1"].deleted_flows
    cloud.put(a_group(16))
    assert flushed(cloud) == {"h1": (1, 2), "h2": (3,)}


@pytest.mark.parametrize(
    "rules",
    [
        [a_rule("r1"), a_rule("r2", protocol="tcp"), a_rule("r9", protocol="udp")],
        [a_rule("r1")],
        [a_rule("r7"), a_rule("r8", protocol="6")],
    ],
    ids=["one more", "one less that another contains", "the same by other rules"],
)
def test_what_is_still_allowed_is_not_disturbed(rules: list[Any]) -> None:
    cloud = a_cloud()
    cloud.put(a_group(16, *rules))
    assert flushed(cloud) == {"h1": (), "h2": ()}


def test_a_port_with_other_rules_forgets_its_connections() -> None:
    cloud = a_cloud()
    cloud.put(a_port(1, groups=["g17"]))
    assert flushed(cloud) == {"h1": (1,), "h2": ()}
    cloud.put(a_group(17))
    assert flushed(cloud) == {"h1": (1, 4), "h2": ()}
    cloud.put(a_group(16))
    assert flushed(cloud) == {"h1": (2,), "h2": (3,)}


def test_zones_are_flushed_when_their_port_comes_and_goes() -> None:
    cloud = a_cloud()
    cloud.put(a_port(5, groups=["g16"]))
    assert flushed(cloud) == {"h1": (5,), "h2": ()}
    cloud.put(a_port(5, groups=["g16"], host="h2"))
    assert flushed(cloud) == {"h1": (5,), "h2": (5,)}
    cloud.put(a_group(16))
    assert flushed(cloud) == {"h1": (1, 2), "h2": (3, 5)}
    cloud.remove(a_port(5))
    assert flushed(cloud) == {"h1": (), "h2": (5,)}


def test_stateful_or_not_flushes_what_was_remembered_before() -> None:
    cloud = a_cloud()
    cloud.put(a_group(16, a_rule("r1"), a_rule("r2", protocol="tcp"), stateful=False))
    assert flushed(cloud) == {"h1": (1, 2), "h2": (3,)}


def test_an_address_less_in_a_group_makes_forget_what_it_let_in() -> None:
    """A stream of answers alone would never be asked again."""
    cloud = a_cloud()
    cloud.put(an_address_group(50, "10.0.0.0/8", "10.1.0.0/16"), a_group(17, a_rule(remote_address_group_id="a50")))
    cloud.put(an_address_group(50, "10.0.0.0/8"))
    assert flushed(cloud) != {"h1": (), "h2": ()}
    assert len(cloud.deltas["h1"].deleted_flows) == 2, "one for each direction"


def test_refused_rules_show_at_the_ports_that_have_them() -> None:
    cloud = a_cloud()
    bridge = cloud.bridges[cloud.hosts[0].name]
    bridge.loaded = True
    bridge.confirm(99)
    bridge.refuse({Unit(UnitKind.RULESET, 16): "table full"})
    assert bridge.progress(PortKey(1), SegmentKey(1)) == (Progress.REFUSED, "table full")
    assert bridge.progress(PortKey(4), SegmentKey(1)) == (Progress.CONFIRMED, "")
    assert bridge.accept_all() == {Unit(UnitKind.RULESET, 16)}
    assert bridge.progress(PortKey(1), SegmentKey(1)) == (Progress.CONFIRMED, "")


def test_nothing_is_kept_of_ports_that_are_gone() -> None:
    cloud = a_cloud()
    cloud.remove(*(a_port(n) for n in range(1, 5)))
    assert not any(vars(bridge)["_zones"] for bridge in cloud.bridges.values())
