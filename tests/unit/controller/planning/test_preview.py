"""Does a plan say what the controller then really sends? The same change planned and made, over and over."""

import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from controller.errors import WeftError
from controller.planning.preview import Count, Preview, models, preview
from controller.planning.scope import scope_of
from controller.reconcile.feed import KINDS, Changes, load_changes
from controller.store.touched import Touched
from controller.store.transaction import Transaction
from flows.delta import Tables, diff
from tests.unit.controller.reconcile import test_reconciler
from tests.unit.controller.reconcile.test_reconciler import (
    ACTS,
    HOSTS,
    Actor,
    create_network,
    write,
)
from tests.unit.controller.reconcile.world import World

ELSEWHERE = {"plug", "unplug", "arrive", "settle"}
"""What hypervisors do: a plan is about what is asked for."""
STEPS = 60


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.reconciler.start()
    for number, host in enumerate(HOSTS, start=1):
        world.register(host, number, *(("public",) if number != 3 else ()))
    # The world has Geneve tunnels whether anything needs them or not; so let something do.
    write(world, lambda tx: create_network(tx, network_type="geneve"))
    world.settle()
    yield world
    world.close()


def planned(world: World, call: Callable[[Transaction], Any]) -> Preview:
    """Return what a change would send, without making it."""
    found: list[tuple[Transaction, Changes]] = []

    def look(before: Transaction, after: Transaction, _touched: Touched) -> None:
        found.append((before, load_changes(after, {kind: after.journalled(kind) for kind in KINDS})))

    with world.database.planning(look):
        with world.database.write() as tx:
            call(tx)
        scope = scope_of(*found[0])
        return preview(scope, "openflow", models(scope))


def counts(before: Mapping[str, Tables], after: Mapping[str, Tables]) -> dict[str, tuple[Count, Count, Count]]:
    """Return what really was sent to each host that was sent anything."""
    nothing = Tables(flows={}, groups={}, meters={})
    found = {}
    for host in before.keys() | after.keys():
        old, new = before.get(host, nothing), after.get(host, nothing)
        delta = diff(old, new)
        known = (
            sum(flow.key in old.flows for flow in delta.flows),
            sum(group.id in old.groups for group in delta.groups),
            sum(meter.id in old.meters for meter in delta.meters),
        )
        flows = Count(added=len(delta.flows) - known[0], modified=known[0], deleted=len(delta.deleted_flows))
        groups = Count(added=len(delta.groups) - known[1], modified=known[1], deleted=len(delta.deleted_groups))
        meters = Count(added=len(delta.meters) - known[2], modified=known[2], deleted=len(delta.deleted_meters))
        if flows or groups or meters:
            found[host] = (flows, groups, meters)
    return found


def said(found: Preview) -> dict[str, tuple[Count, Count, Count]]:
    assert found.unknown is None
    return {str(one.host): (one.flows, one.groups, one.meters) for one in found.hosts}


def compare(world: World, call: Callable[[Transaction], Any]) -> Any:
    """Plan a change, make it, and hold the two against each other."""
    rng = world.database._rng.getstate()  # the addresses drawn are to be the same
    try:
        expected = said(planned(world, call))
    except WeftError as refused:
        world.database._rng.setstate(rng)
        with pytest.raises(type(refused)), world.database.write() as tx:
            call(tx)
        raise
    world.database._rng.setstate(rng)
    world.settle()
    before = world.told()
    with world.database.write() as tx:
        made = call(tx)
    world.settle()
    assert counts(before, world.told()) == expected
    return made


@pytest.mark.parametrize("seed", range(4))
def test_what_is_planned_is_what_is_sent(world: World, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    rng = random.Random(seed)
    actor = Actor(world)
    monkeypatch.setattr(test_reconciler, "write", compare)
    for what in ("network", "network", "group", "group", "group", "address_group", "address_group"):
        actor.do(what, rng.randrange(100), rng.randrange(100))
    acts = [act for act in ACTS if act not in ELSEWHERE]
    for _ in range(STEPS):
        actor.do(rng.choice(acts), rng.randrange(100), rng.randrange(100))
