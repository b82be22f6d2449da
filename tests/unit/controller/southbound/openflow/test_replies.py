"""Does every answer reach who waits for it, in time or not at all?"""

import struct
import threading
import time

import pytest

from controller.southbound.openflow.errors import ConnectionLostError, NoAnswerError, RequestRefusedError
from controller.southbound.openflow.replies import Replies

BARRIER, MULTIPART, ERROR = 21, 19, 1


def message(kind: int, xid: int, body: bytes = b"") -> bytes:
    return struct.pack("!BBHI", 5, kind, 8 + len(body), xid) + body


def test_ids_are_never_given_twice_by_any_thread() -> None:
    replies, found = Replies("peer"), []

    def take() -> None:
        for _ in range(500):
            first = replies.xids(3)
            found.extend(range(first, first + 3))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == len(found) == 6000
    assert 0 not in found


def test_ids_start_over_before_they_no_longer_fit() -> None:
    replies = Replies("peer")
    replies._next_xid = 0xFFFFFFF0
    assert replies.xids(100) == 1


def test_a_multipart_answer_is_whole_only_with_its_last_part() -> None:
    replies = Replies("peer")
    waiting = replies.expect()
    first = message(MULTIPART, waiting.xid, struct.pack("!HH4x", 1, 1))
    last = message(MULTIPART, waiting.xid, struct.pack("!HH4x", 1, 0))
    replies.route(first)
    with pytest.raises(NoAnswerError, match=r"flow dump within 0\.01 s"):
        replies.wait(waiting, "flow dump", 0.01)
    waiting = replies.expect()
    replies.route(first[:4] + waiting.xid.to_bytes(4, "big") + first[8:])
    replies.route(last[:4] + waiting.xid.to_bytes(4, "big") + last[8:])
    assert len(replies.wait(waiting, "flow dump", 0.01)) == 2


def test_an_answer_that_keeps_coming_is_waited_for() -> None:
    replies = Replies("peer")
    waiting = replies.expect()

    def answer() -> None:
        for more in (1, 1, 1, 0):
            time.sleep(0.1)
            replies.route(message(MULTIPART, waiting.xid, struct.pack("!HH4x", 1, more)))

    thread = threading.Thread(target=answer)
    thread.start()
    assert len(replies.wait(waiting, "flow dump", 0.3)) == 4
    thread.join()


def test_an_error_answers_a_request_and_names_itself() -> None:
    replies = Replies("peer")
    waiting = replies.expect()
    replies.route(message(ERROR, waiting.xid, struct.pack("!HH", 17, 13)))
    with pytest.raises(RequestRefusedError, match="OFPBFC_MSG_FAILED"):
        replies.wait(waiting, "bundle commit", 1)


def test_errors_go_to_the_watch_of_their_message_or_are_counted() -> None:
    replies = Replies("peer")
    first, second = replies.watch(3), replies.watch(3)
    replies.route(message(ERROR, second.first + 1, struct.pack("!HH", 5, 1)))
    replies.route(message(ERROR, 0, struct.pack("!HH", 2, 4)))
    replies.route(message(ERROR, second.last + 1))
    assert first.errors == {}
    assert list(second.errors) == [second.first + 1]
    assert "OFPFMFC_TABLE_FULL" in second.errors[second.first + 1]
    assert replies.unclaimed_errors == 2


def test_a_lost_connection_ends_waiting_at_once() -> None:
    replies = Replies("peer")
    waiting = replies.expect()
    timer = threading.Timer(0.05, replies.lose, ("gone",))
    timer.start()
    began = time.monotonic()
    with pytest.raises(ConnectionLostError, match="gone"):
        replies.wait(waiting, "barrier", 10)
    assert time.monotonic() - began < 2
    with pytest.raises(ConnectionLostError):
        replies.wait(replies.expect(), "barrier", 10)
    timer.join()
