"""Which deletes are carried out, and which wait for somebody's word?"""

import pytest

from controller.southbound.openflow.encode import Encoder, cookie_of
from controller.southbound.openflow.fuse import FUSE_LEAST, Ruling, judge
from controller.southbound.openflow.intent_mark import IntentMark
from controller.southbound.openflow.mark import Mark
from controller.southbound.openflow.mirror import Change, Holdings, Removed, difference
from flows.cookie import LAYOUT, Feature, encode, is_ours
from tests.contract.harness import a_flow

ENCODER = Encoder()
INTENT = IntentMark(epoch=7, seq=100, first=50)
OLDER = Mark(epoch=7, seq=60)
LATER = Mark(epoch=7, seq=101)


def held(count: int, *, start: int = 1, layout: int = LAYOUT, groups: int = 0) -> Holdings:
    """Return flows of a layout, by their keys, and groups."""
    cookies = {n: encode(Feature.PORT_ADMISSION, n) ^ (LAYOUT ^ layout) << 48 for n in range(start, start + count)}
    flows = [a_flow(n, table=10 if layout == LAYOUT else 110, cookie=cookie) for n, cookie in cookies.items()]
    return Holdings(flows=dict(map(ENCODER.flow, flows)), groups=dict.fromkeys(range(groups), b"x"))


def ruled(
    installed: Holdings,
    desired: Holdings | None = None,
    mark: Mark | None = LATER,
    *,
    removed: Removed | None = None,
    intent: IntentMark | None = INTENT,
    before: Ruling | None = None,
) -> Ruling:
    wanted = desired or Holdings()
    change = difference(wanted, installed, is_ours=lambda entry: is_ours(cookie_of(entry)))
    return judge(
        change,
        desired=wanted,
        installed=installed,
        removed=removed or Removed(),
        mark=mark,
        intent=intent,
        before=before or Ruling(),
    )


@pytest.mark.parametrize(
    ("installed", "desired", "deletes"),
    [
        (held(FUSE_LEAST), None, 0),
        (held(FUSE_LEAST + 1), None, FUSE_LEAST + 1),
        (held(FUSE_LEAST, groups=1), None, FUSE_LEAST + 1),
        (held(1000), held(700), 0),
        (held(1000), held(699), 301),
    ],
)
def test_more_than_a_few_and_more_than_a_share_are_withheld(
    installed: Holdings, desired: Holdings | None, deletes: int
) -> None:
    ruling = ruled(installed, desired)
    assert (ruling.deletes, bool(ruling.why), ruling.problem is None) == (deletes, deletes > 0, deletes == 0)


@pytest.mark.parametrize(
    ("mark", "why"),
    [
        (OLDER, ""),
        (Mark(epoch=7, seq=49), ""),
        (Mark(epoch=7, seq=48), "journal begins at 50"),
        (Mark(epoch=7, seq=100), ""),
        (Mark(epoch=7, seq=101), "at change 101"),
        (Mark(epoch=8, seq=60), "another database"),
        (Mark(epoch=7, seq=0xFFFFFFFF), "withheld before"),
        (None, "no mark"),
    ],
)
def test_only_an_older_mark_that_the_journal_covers_explains(mark: Mark | None, why: str) -> None:
    found = ruled(held(100), mark=mark).why
    assert (why in found) if why else not found


def test_what_deltas_removed_is_explained_one_by_one() -> None:
    installed = held(100, groups=2)
    flows = list(installed.flows)
    ruling = ruled(installed, removed=Removed(flows=set(flows[:40]), groups={0}))
    assert (ruling.flows, ruling.groups) == (frozenset(flows[40:]), {1})
    assert ruled(installed, removed=Removed(flows=set(flows[:60]), groups={0})) == Ruling()


def test_a_caller_that_names_no_intent_has_no_fuse() -> None:
    assert ruled(held(1000), intent=None) == Ruling()


@pytest.mark.parametrize(("desired", "is_upgrade"), [(held(100), True), (held(70), True), (held(69), False)])
def test_a_layout_is_an_upgrade_when_the_new_one_is_as_large(desired: Holdings, is_upgrade: bool) -> None:
    assert ruled(held(100, layout=LAYOUT + 1), desired).is_upgrade is is_upgrade


def test_one_stale_flow_of_this_layout_makes_it_no_upgrade() -> None:
    installed = held(100, layout=LAYOUT + 1)
    installed.flows.update(held(1, start=500).flows)
    assert not ruled(installed, held(100)).is_upgrade


def test_an_upgrade_that_is_refused_in_part_deletes_nothing() -> None:
    ruling = ruled(held(100, layout=LAYOUT + 1), held(100))
    change, after = ruling.upgraded(has_refusals=False)
    assert (change.flows, after) == (dict.fromkeys(ruling.flows), Ruling())
    change, after = ruling.upgraded(has_refusals=True)
    assert (bool(change), after.flows, after.is_upgrade) == (False, ruling.flows, False)


def test_what_was_withheld_stays_so_below_the_least() -> None:
    before = ruled(held(100))
    rest = ruled(held(100), held(90), before=before)
    assert rest.deletes == 10
    assert ruled(held(100), held(90)) == Ruling()
    assert ruled(held(100), held(90), OLDER, before=before) == Ruling()


def test_a_ruling_keeps_its_deletes_out_of_a_change_and_forgets_what_is_set_again() -> None:
    installed = held(100, groups=2)
    ruling = ruled(installed)
    one, other, *_ = installed.flows
    change = Change(flows={one: None, other: b"new"}, groups={0: None, 1: b"new"})
    spared = ruling.spare(change)
    assert (spared.flows, spared.groups, spared.had_groups) == ({other: b"new"}, {1: b"new"}, {0, 1})
    assert ruling.without(spared).deletes == ruling.deletes - 2
    gone = Change(flows=dict.fromkeys(ruling.flows), groups=dict.fromkeys(ruling.groups))
    assert ruling.without(gone) == Ruling()
    assert len(ruling.subjects()) == ruling.deletes
