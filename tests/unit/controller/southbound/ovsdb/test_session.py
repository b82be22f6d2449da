"""Does the conversation follow RFC 7047, and end when the server falls silent or talks nonsense?"""

import copy
import json
from typing import Any

import pytest

from controller.southbound.ovsdb.errors import PeerError
from controller.southbound.ovsdb.session import DEAD_AFTER_S, PROBE_AFTER_S, TRANSACTION_TIMEOUT_S, Outcome, Session
from tests.unit.controller.southbound.ovsdb.fake import FakeDatabase


def sent(session: Session) -> list[dict[str, Any]]:
    """What the session has sent since last asked."""
    text, at, messages = session.outgoing.decode(), 0, []
    while at < len(text):
        message, at = json.JSONDecoder().raw_decode(text, at)
        messages.append(message)
    session.outgoing.clear()
    return messages


def give(session: Session, message: dict[str, Any], now: float = 0.0) -> list[Outcome]:
    return session.feed(json.dumps(message).encode(), now)


def a_synced_session() -> Session:
    session = Session(0.0)
    sent(session)
    give(session, {"id": "monitor_cond", "result": FakeDatabase().initial(), "error": None})
    return session


def test_a_session_begins_with_a_monitor_of_no_statistics() -> None:
    (request,) = sent(Session(0.0))
    assert (request["method"], request["params"][0]) == ("monitor_cond", "Open_vSwitch")
    columns = {
        column for selects in request["params"][2].values() for select in selects for column in select["columns"]
    }
    assert {"ofport", "external_ids"} <= columns
    assert columns.isdisjoint({"statistics", "status", "link_resets", "rstp_statistics"})


def test_a_session_is_synced_only_when_the_initial_reply_is_whole() -> None:
    session = Session(0.0)
    reply = json.dumps({"id": "monitor_cond", "result": {}, "error": None}).encode()
    session.feed(reply[:-1], 0.0)
    assert not session.is_synced
    session.feed(reply[-1:], 0.0)
    assert session.is_synced


def test_an_update_shows_what_changed() -> None:
    session, database = a_synced_session(), FakeDatabase()
    before = copy.deepcopy(database.tables)
    database.add_bridge()
    give(session, {"method": "update2", "id": None, "params": [None, database.differences(before)]})
    assert session.replica.bridge("br-int")


def test_a_server_too_old_to_send_differences_is_monitored_by_whole_rows() -> None:
    """RFC 7047 section 4.1.5; monitor_cond came with Open vSwitch 2.6."""
    session, database = Session(0.0), FakeDatabase()
    sent(session)
    give(session, {"id": "monitor_cond", "error": "unknown method"})
    (request,) = sent(session)
    assert request["method"] == "monitor"
    assert not session.is_synced

    give(session, {"id": request["id"], "result": database.wholes(), "error": None})
    assert session.is_synced
    database.add_bridge()
    give(session, {"method": "update", "id": None, "params": [None, database.wholes()]})
    assert session.replica.bridge("br-int")

    with pytest.raises(PeerError):
        give(session, {"method": "update", "id": None, "params": [None, []]})


def test_an_echo_is_answered_with_its_own_parameters() -> None:
    session = a_synced_session()
    give(session, {"method": "echo", "id": "x", "params": [1, "two"]})
    assert sent(session) == [{"id": "x", "result": [1, "two"], "error": None}]


def test_a_silent_server_is_probed_once_and_then_given_up() -> None:
    session = a_synced_session()
    session.tick(PROBE_AFTER_S - 0.1)
    assert sent(session) == []
    assert session.deadline == PROBE_AFTER_S
    session.tick(PROBE_AFTER_S)
    session.tick(PROBE_AFTER_S + 1)
    assert [message["method"] for message in sent(session)] == ["echo"]
    assert session.deadline == DEAD_AFTER_S
    with pytest.raises(PeerError, match="silent for 5 s"):
        session.tick(DEAD_AFTER_S)


def test_any_word_from_the_server_begins_the_silence_anew() -> None:
    session = a_synced_session()
    session.tick(PROBE_AFTER_S)
    give(session, {"id": "echo", "result": [], "error": None}, now=4.0)
    session.tick(DEAD_AFTER_S)
    assert session.deadline == 4.0 + PROBE_AFTER_S


def test_a_transaction_left_unanswered_by_a_living_server_has_an_unknown_outcome() -> None:
    session = a_synced_session()
    session.transact([], 0.0)
    session.feed(b" ", TRANSACTION_TIMEOUT_S - 0.5)
    assert session.deadline == TRANSACTION_TIMEOUT_S
    with pytest.raises(PeerError, match="unknown"):
        session.tick(TRANSACTION_TIMEOUT_S)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ({"result": [{}, {"count": 1}], "error": None}, Outcome()),
        ({"result": [{}, {"error": "timed out"}, None], "error": None}, Outcome(outdated=True)),
        (
            {"result": [{}, {"error": "constraint violation", "details": "two rows"}], "error": None},
            Outcome(error="the server refused the transaction: constraint violation (two rows)"),
        ),
        (
            {"result": None, "error": "unknown database"},
            Outcome(error="the server refused the transaction: unknown database"),
        ),
    ],
    ids=["done", "outdated", "refused", "rejected"],
)
def test_the_outcome_of_a_transaction_is_read(reply: dict[str, Any], outcome: Outcome) -> None:
    session = a_synced_session()
    session.transact([{"op": "comment", "comment": "x"}], 0.0)
    (request,) = sent(session)
    assert request["params"] == ["Open_vSwitch", {"op": "comment", "comment": "x"}]
    assert session.is_transacting
    assert give(session, {"id": request["id"], **reply}) == [outcome]
    assert not session.is_transacting


def test_a_reply_to_nothing_we_asked_is_ignored() -> None:
    session = a_synced_session()
    assert give(session, {"id": 99, "result": [], "error": None}) == []
    assert give(session, {"method": "stolen", "id": None, "params": ["lock"]}) == []


@pytest.mark.parametrize(
    "message",
    [
        {"id": "monitor_cond", "result": None, "error": {"error": "unknown database"}},
        {"id": "monitor_cond", "result": [], "error": None},
        {"method": "update2", "id": None, "params": [None, {}]},
    ],
    ids=["refused", "no tables", "update before sync"],
)
def test_a_bad_beginning_ends_the_session(message: dict[str, Any]) -> None:
    with pytest.raises(PeerError):
        give(Session(0.0), message)


def test_a_server_that_takes_nothing_is_given_up() -> None:
    session = a_synced_session()
    echo = json.dumps({"method": "echo", "id": 1, "params": ["x" * (1 << 20)]}).encode()
    for _ in range(50):
        session.feed(echo, 0.0)
    with pytest.raises(PeerError, match="does not take"):
        session.feed(echo * 50, 0.0)
