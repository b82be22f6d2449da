"""Is a chassis that no longer follows told from one that lags, and from a database that stands still?"""

from controller.plugins.ovn.heartbeat import MISSED, NEVER, NORTHD, Heartbeat

INTERVAL_S = 10.0
PATIENCE_S = MISSED * INTERVAL_S


def silent(heart: Heartbeat, now: float, wanted: int, asked: int, **reports: int) -> set[str]:
    return set(heart.silent(now, wanted, asked, reports))


def test_a_beat_is_due_at_once_and_then_at_intervals() -> None:
    heart = Heartbeat(INTERVAL_S)
    assert [heart.beat(now) is not None for now in (0.0, 1.0, 9.9, 10.0, 19.0, 20.0)] == [
        True,
        False,
        False,
        True,
        False,
        True,
    ]


def test_who_never_follows_is_silent_after_some_beats_and_alive_once_it_has_caught_up() -> None:
    heart = Heartbeat(INTERVAL_S)
    assert not silent(heart, 0, 1, 1, h1=1, h2=1)
    assert not silent(heart, 10, 2, 2, h1=2, h2=1)
    assert not silent(heart, 30, 4, 4, h1=4, h2=1)
    assert heart.due_at == 10 + PATIENCE_S
    assert silent(heart, 10 + PATIENCE_S, 5, 5, h1=5, h2=1) == {"h2"}
    assert silent(heart, 99, 9, 9, h1=9, h2=1) == {"h2"}
    assert not silent(heart, 100, 9, 9, h1=9, h2=9)


def test_who_lags_but_gets_on_is_alive() -> None:
    heart = Heartbeat(INTERVAL_S)
    for number in range(1, 20):
        assert not silent(heart, number * INTERVAL_S, number + 2, number + 2, h1=number)


def test_when_northd_stands_still_it_is_told_and_no_chassis_is() -> None:
    heart = Heartbeat(INTERVAL_S)
    for number in range(4):
        told = silent(heart, number * INTERVAL_S, 5 + number, 4, h1=4)
    assert told == {NORTHD}


def test_one_that_is_removed_is_forgotten_and_begins_anew() -> None:
    heart = Heartbeat(INTERVAL_S)
    silent(heart, 0, 5, 5, h1=1)
    silent(heart, 10, 5, 5)
    assert not silent(heart, 99, 5, 5, h1=1)


def test_one_that_was_silent_before_a_restart_is_silent_until_it_answers() -> None:
    heart = Heartbeat(INTERVAL_S)
    heart.presume(["h1", "h2"])
    assert silent(heart, 0, 5, 5, h1=1, h2=5) == {"h1"}
    assert silent(heart, 1, 6, 6, h1=1, h2=5) == {"h1"}
    assert not silent(heart, 2, 6, 6, h1=6, h2=6)


def test_nobody_is_judged_while_a_database_is_away_or_when_nobody_is_asked() -> None:
    heart, reports = Heartbeat(INTERVAL_S), {"h1": 1}
    silent(heart, 0, 5, 5, h1=1)
    assert not heart.silent(99, None, 5, reports)
    assert not heart.silent(100, 5, 5, reports), "its time begins anew"
    assert silent(heart, 999, 5, 5, h1=1) == {"h1"}
    assert not heart.silent(1000, None, 5, reports)
    assert silent(heart, 1001, 5, 5, h1=1) == {"h1"}, "it was silent before, and still is"
    off = Heartbeat(0)
    assert off.beat(0) is None
    assert not [now for now in (0, 99, 999) if off.silent(now, 5, 5, reports)]
    assert off.due_at == NEVER
