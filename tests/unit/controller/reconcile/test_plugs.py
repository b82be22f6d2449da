"""Does the table of plugs say the same as reading all rows at once, whatever became of them, and what it turned?"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.reconcile.plugs import UNPLUGGED, Plugs, read_plugs
from controller.records import OfPort, PortId
from controller.southbound.ovsdb.model import HostView, InterfaceRow, RowChanges
from tests.unit.controller.reconcile.world import a_row

_uuids = st.sampled_from(["u1", "u2", "u3", "u4"])


@st.composite
def rows(draw: st.DrawFn, uuid: str) -> InterfaceRow:
    """A row as a hypervisor, Weft or OVS may leave it; names are unique, as the schema has them."""
    iface_id, number = draw(st.sampled_from([None, "p1", "p2"])), draw(st.sampled_from([None, -1, 1, 2]))
    name = draw(st.sampled_from([f"tap-{uuid}", "tunnel"])) if uuid == "u4" else f"tap-{uuid}"
    return a_row(
        name,
        draw(st.sampled_from(["", "vxlan", "geneve", "patch"])) if uuid == "u4" else "",
        iface_id,
        number,
        uuid=uuid,
        iface_status=draw(st.sampled_from([None, "active", "inactive"])),
        error=draw(st.sampled_from([None, "no such device"])),
        prewired=draw(st.booleans()),
        device_gone=draw(st.booleans()),
        link_state=draw(st.sampled_from([None, "up", "down"])),
    )


@st.composite
def steps(draw: st.DrawFn) -> tuple[bool, dict[str, InterfaceRow | None]]:
    uuids = draw(st.sets(_uuids))
    whole = draw(st.integers(0, 5)) == 0
    return whole, {u: draw(rows(u)) if whole or draw(st.booleans()) else None for u in uuids}


@given(st.lists(steps(), max_size=12))
def test_any_history_of_rows_gives_what_reading_all_of_them_gives(
    history: list[tuple[bool, dict[str, InterfaceRow | None]]],
) -> None:
    table = Plugs()
    there: dict[str, InterfaceRow] = {}
    table.update(changes(whole=True))
    before = read_plugs(())
    for whole, news in history:
        there = {u: row for u, row in ({} if whole else there).items() if u not in news}
        there |= {u: row for u, row in news.items() if row is not None}
        turned = table.update(changes(news, whole=whole))

        after = read_plugs(there.values())
        assert (table.by_port, table.ofports) == (after.by_port, after.ofports)
        assert turned.ports == differing(before.by_port, after.by_port)
        assert turned.ofports == differing(before.ofports, after.ofports)
        before = after


def test_changes_before_the_first_whole_reading_say_nothing() -> None:
    """Completeness gate (DESIGN invariant 3)."""
    table = Plugs()
    turned = table.update(changes({"u1": a_row("tap1", "", "p1", 1)}))
    assert (table.synced, turned.is_first, turned.ports) == (False, False, frozenset())
    assert table.plug(PortId("p1")) == UNPLUGGED
    assert table.update(changes(whole=True)).is_first
    assert not table.update(changes(whole=True)).is_first


@pytest.mark.parametrize("change", [{"mtu": 1400}, {"attached_mac": "fa:16:3e:00:00:01"}, {"tag": 7}])
def test_what_plugs_do_not_show_turns_nothing(change: dict[str, Any]) -> None:
    table = Plugs()
    table.update(changes({"u1": a_row("tap1", "", "p1", 1)}, whole=True))
    turned = table.update(changes({"u1": a_row("tap1", "", "p1", 1, **change)}))
    assert (turned.ports, turned.ofports, turned.ways) == (frozenset(), frozenset(), False)


def test_a_number_that_changes_hands_names_its_new_owner() -> None:
    table = Plugs()
    table.update(changes({"u1": a_row("tap1", "", "p1", 5), "u2": a_row("tap2", "", "p2", None)}, whole=True))
    turned = table.update(changes({"u1": None, "u2": a_row("tap2", "", "p2", 5)}))
    assert turned.ports == {"p1", "p2"}
    assert turned.ofports == {5}
    assert table.ofports == {OfPort(5): "p2"}


def test_a_patch_with_the_number_it_asked_for_is_news_of_the_ways() -> None:
    table = Plugs()
    table.update(changes(whole=True))
    row = a_row("wi-br-p", "patch", None, 65200, ofport_request=65200)
    assert table.update(changes({"u1": row})).ways
    assert not table.update(changes({"u1": replace(row, mtu=1400)})).ways
    assert table.update(changes({"u1": None})).ways


def changes(news: dict[str, InterfaceRow | None] | None = None, *, whole: bool = False) -> RowChanges:
    return RowChanges(view=HostView(connected=True, synced=True), whole=whole, rows=news or {})


def differing(old: Any, new: Any) -> set[Any]:
    return {key for key in old.keys() | new.keys() if key not in old or key not in new or old[key] != new[key]}
