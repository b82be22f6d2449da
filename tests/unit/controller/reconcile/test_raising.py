"""Is a device that its switch left down set up again, and nobody else's decision undone?"""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from controller.reconcile.raising import PATIENCE_S, Raising
from controller.southbound.ovsdb.model import HostView, InterfaceRow, RowChanges
from tests.unit.controller.reconcile.world import a_row

DPID, MAC = 0x57, "02:00:00:00:00:07"
DOWN = replace(a_row("tap1", "", "p1", 32768, uuid="u1"), is_down=True, mac=MAC)
UP = replace(DOWN, is_down=False)


@dataclass
class Bench:
    """A raising with a clock of its own and a switch that may be away."""

    now: float = 100.0
    is_connected: bool = True
    raised: list[tuple[int, int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.raising = Raising(self.take, lambda: self.now)

    def take(self, dpid: int, ofport: int, mac: str) -> bool:
        if self.is_connected:
            self.raised.append((dpid, ofport, mac))
        return self.is_connected

    def said(
        self, *rows: InterfaceRow, gone: tuple[str, ...] = (), whole: bool = False, is_first: bool = False
    ) -> None:
        told: dict[str, InterfaceRow | None] = {row.uuid: row for row in rows} | dict.fromkeys(gone)
        self.raising.said(DPID, RowChanges(view=HostView(), whole=whole, rows=told), is_first=is_first)

    def after(self, seconds: float) -> list[tuple[int, int, str]]:
        self.now += seconds
        self.raising.run()
        return self.raised


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.said(whole=True, is_first=True)
    return made


def test_a_device_that_stays_down_after_its_adoption_is_set_up_once(bench: Bench) -> None:
    bench.said(DOWN)
    assert bench.raising.wait_s(10.0) == PATIENCE_S
    assert bench.after(PATIENCE_S / 2) == []
    assert bench.after(PATIENCE_S) == [(DPID, 32768, MAC)]
    bench.said(DOWN)
    assert bench.after(10 * PATIENCE_S) == [(DPID, 32768, MAC)]
    assert bench.raising.wait_s(10.0) == 10.0


@pytest.mark.parametrize(
    "then",
    [
        UP,
        replace(DOWN, device_gone=True),
        replace(DOWN, iface_id=None),
        replace(DOWN, ofport=-1),
        replace(DOWN, type="internal"),
    ],
)
def test_a_device_is_left_alone_that_came_up_or_went(bench: Bench, then: InterfaceRow) -> None:
    bench.said(DOWN)
    bench.said(then)
    assert bench.after(2 * PATIENCE_S) == []


def test_a_device_of_which_nothing_is_said_yet_is_neither(bench: Bench) -> None:
    bench.said(replace(DOWN, is_down=None))
    assert bench.after(2 * PATIENCE_S) == []
    bench.said(DOWN)
    assert len(bench.after(PATIENCE_S)) == 1


def test_a_device_that_was_up_and_is_set_down_stays_down(bench: Bench) -> None:
    bench.said(UP)
    bench.said(DOWN)
    assert bench.after(2 * PATIENCE_S) == []


def test_what_was_down_when_weft_began_stays_down() -> None:
    bench = Bench()
    bench.said(DOWN, whole=True, is_first=True)
    bench.said(DOWN)
    assert bench.after(2 * PATIENCE_S) == []


def test_the_next_device_of_a_row_is_another(bench: Bench) -> None:
    bench.said(UP)
    bench.said(replace(DOWN, device_gone=True))
    bench.said(DOWN)
    assert len(bench.after(PATIENCE_S)) == 1
    bench.said(gone=("u1",))
    bench.said(DOWN)
    assert len(bench.after(PATIENCE_S)) == 2


@pytest.mark.parametrize("hinders", [{"is_connected": False}, {"mac": None}])
def test_what_cannot_be_set_up_yet_is_tried_again(bench: Bench, hinders: dict[str, Any]) -> None:
    bench.is_connected = hinders.get("is_connected", True)
    bench.said(replace(DOWN, mac=hinders.get("mac", MAC)))
    assert bench.after(PATIENCE_S) == []
    bench.is_connected = True
    bench.said(DOWN)
    assert bench.after(PATIENCE_S) == [(DPID, 32768, MAC)]


def test_a_host_that_is_removed_is_forgotten(bench: Bench) -> None:
    bench.said(DOWN)
    bench.raising.forget(DPID)
    assert bench.after(2 * PATIENCE_S) == []
