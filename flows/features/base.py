"""Which flows and groups does every bridge have? What each feature wants whatever is asked of it."""

from collections.abc import Iterator

from flows.cookie import Feature
from flows.features import admission, isolation, neighbours, rules
from flows.flow import Flow, Group, OutputReg
from flows.pipeline import OUT_PORT, OUTPUT, Priority


def flows() -> Iterator[Flow]:
    """Yield the flows that depend on no object."""
    yield from admission.base_flows()
    yield from neighbours.base_flows()
    yield from isolation.base_flows()
    yield from rules.base_flows()
    yield OUTPUT.flow(
        priority=Priority.MISS,
        feature=Feature.BASE,
        actions=[OutputReg(OUT_PORT)],
        why="deliver to the port the lookup chose",
    )


def groups() -> Iterator[Group]:
    """Yield the groups that depend on no object."""
    yield from neighbours.base_groups()
