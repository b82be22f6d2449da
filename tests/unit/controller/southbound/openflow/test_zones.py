"""Are the conntrack zones found that a resync makes stale?"""

import pytest

from controller.southbound.openflow.encode import Encoder
from controller.southbound.openflow.zones import Zones
from flows.flow import Flow, Load
from flows.pipeline import CLASSIFY, FROM_RULES, FROM_ZONE, OUT_PORT, PORT_SECURITY, SEGMENT
from tests.contract.harness import a_flow

ENCODER = Encoder()
ZONES = Zones(ENCODER)


def an_admission(zone: int | None, *, table: int = CLASSIFY.id, rules: int = 16) -> Flow:
    zoned = () if zone is None else (Load(FROM_ZONE, zone),)
    return a_flow(5, table=table, actions=(Load(SEGMENT, 5), *zoned, Load(FROM_RULES, rules), Load(OUT_PORT, 7)))


@pytest.mark.parametrize(
    ("before", "after", "stale"),
    [
        (None, an_admission(40001), {40001}),
        (an_admission(40001), None, {40001}),
        (an_admission(40001), an_admission(40002), {40001, 40002}),
        (an_admission(40001), an_admission(40001, rules=17), set()),
        (an_admission(None), an_admission(65199), {65199}),
        (an_admission(None), None, set()),
        (None, an_admission(40001, table=PORT_SECURITY.id), set()),
    ],
)
def test_a_zone_is_stale_when_its_port_comes_or_goes(before: Flow | None, after: Flow | None, stale: set[int]) -> None:
    held = {} if before is None else dict([ENCODER.flow(before)])
    change: dict = dict.fromkeys(held)
    change |= {} if after is None else dict([ENCODER.flow(after)])
    assert ZONES.stale(held, change) == stale
