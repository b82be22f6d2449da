"""Does the control client survive everything a controller process may do to it?"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.control import MOST_WAITING, ControlClient
from api.errors import ControllerAbsent, ControllerBusy, ControllerRefused, ControllerSilent
from controller.errors import Kind

Answer = Callable[[dict[str, object]], bytes | None]


class Controller:
    """The other end: answers each line with what ``answer`` returns; None closes the connection."""

    def __init__(self, path: Path, answer: Answer) -> None:
        self.received: list[dict[str, object]] = []
        self.connections = 0
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                self.received.append(message)
                reply = self._answer(message)
                if reply is None:
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(reply)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client in self._clients:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def echo(message: dict[str, object]) -> bytes:
    return json.dumps({"id": message["id"], "result": message["args"]}).encode() + b"\n" if "id" in message else b""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def client(path: Path) -> Iterator[ControlClient]:
    client = ControlClient(str(path), deadline_s=0.5)
    yield client
    client.close()


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_questions_from_many_threads_get_their_own_answers_over_one_connection(
    path: Path, client: ControlClient
) -> None:
    controller = Controller(path, echo)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: client.call("flows", {"n": n}), range(200)))
    assert [{"n": n} for n in range(200)] == answers
    assert controller.connections == 1
    controller.close()


def test_an_absent_controller_is_said_to_be_absent(client: ControlClient) -> None:
    with pytest.raises(ControllerAbsent):
        client.call("flows", {})


def test_a_silent_controller_is_not_waited_for_beyond_the_deadline(path: Path, client: ControlClient) -> None:
    controller = Controller(path, lambda _message: b"")
    started = time.monotonic()
    with pytest.raises(ControllerSilent, match=r"'flows' within 0\.5 s"):
        client.call("flows", {})
    assert 0.4 < time.monotonic() - started < 2
    controller.close()


def test_a_silent_controller_does_not_take_every_thread(path: Path, client: ControlClient) -> None:
    """The API thread never waits for a switch beyond half of the threads."""
    controller = Controller(path, lambda _message: b"")
    with ThreadPoolExecutor(MOST_WAITING) as threads:
        waiting = [threads.submit(client.call, "flows", {}) for _ in range(MOST_WAITING)]
        assert until(lambda: len(controller.received) == MOST_WAITING)
        with pytest.raises(ControllerBusy):
            client.call("flows", {})
        assert {type(one.exception()) for one in waiting} == {ControllerSilent}
    controller.close()


def test_a_connection_lost_while_waiting_is_an_absent_controller(path: Path, client: ControlClient) -> None:
    controller = Controller(path, lambda _message: None)
    with pytest.raises(ControllerAbsent):
        client.call("flows", {})
    controller.close()


def test_a_restarted_controller_is_found_again(path: Path, client: ControlClient) -> None:
    first = Controller(path, echo)
    client.call("flows", {})
    first.close()
    path.unlink()
    second = Controller(path, echo)
    assert until(lambda: _works(client))
    second.close()


def _works(client: ControlClient) -> bool:
    try:
        return client.call("flows", {"n": 1}) == {"n": 1}
    except ControllerAbsent:
        return False


@pytest.mark.parametrize("kind", [Kind.NOT_FOUND.name, Kind.NOT_FOUND.value])
def test_an_error_of_the_controller_keeps_its_kind(path: Path, client: ControlClient, kind: str) -> None:
    def refuse(message: dict[str, object]) -> bytes:
        error = {"type": "HostNotFound", "message": "Host h9 could not be found.", "kind": kind}
        return json.dumps({"id": message["id"], "error": error}).encode() + b"\n"

    controller = Controller(path, refuse)
    with pytest.raises(ControllerRefused, match="Host h9 could not be found") as raised:
        client.call("flows", {})
    assert (raised.value.remote_kind, raised.value.remote_type) == (Kind.NOT_FOUND, "HostNotFound")
    controller.close()


@pytest.mark.parametrize("reply", [b"nonsense\n", b"[1]\n", b'{"id": 999, "result": 1}\n{"id": "x"}\n{}\n'])
def test_nonsense_from_the_controller_is_an_error_and_not_a_hang(
    path: Path, client: ControlClient, reply: bytes
) -> None:
    controller = Controller(path, lambda _message: reply)
    with pytest.raises((ControllerAbsent, ControllerSilent)):
        client.call("flows", {})
    controller.close()


def test_a_wake_reaches_the_controller(path: Path, client: ControlClient) -> None:
    controller = Controller(path, echo)
    client.wake()
    assert until(lambda: {"op": "wake"} in controller.received)
    controller.close()


def test_a_wake_that_nobody_hears_neither_fails_nor_waits(client: ControlClient) -> None:
    started = time.monotonic()
    for _ in range(1000):
        client.wake()
    assert time.monotonic() - started < 0.5
