"""Does the service keep hosts apart, and its own thread alive? Real servers are in lab_ovsdb; these misbehave."""

import contextlib
import copy
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from controller.southbound.ovsdb.errors import HostExistsError, NotDesiredError, TargetError, UnknownHostError
from controller.southbound.ovsdb.model import RowChanges
from controller.southbound.ovsdb.service import OvsdbService
from tests.unit.controller.southbound.ovsdb.builders import a_desire, a_port
from tests.unit.controller.southbound.ovsdb.fake import FakeDatabase

_T = TypeVar("_T")


class Server:
    """Listens on a unix socket and says the same to everybody."""

    def __init__(self, path: Path, says: bytes, *, hang_up: bool = False) -> None:
        self.target = f"unix:{path}"
        self.connections: list[socket.socket] = []
        self._says, self._hang_up = says, hang_up
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self.connections.append(peer)
                peer.sendall(self._says)
                if self._hang_up:
                    peer.close()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for each in (self._listener, *self.connections):
            each.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def make(says: bytes, *, hang_up: bool = False) -> Server:
        made.append(Server(tmp_path / str(len(made)), says, hang_up=hang_up))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def service() -> Iterator[OvsdbService]:
    made = OvsdbService(lambda _: None)
    made.start()
    yield made
    made.stop()


def monitor_reply(database: FakeDatabase | None = None) -> bytes:
    return json.dumps({"id": "monitor_cond", "result": (database or FakeDatabase()).initial(), "error": None}).encode()


def wait_for(ask: Callable[[], _T]) -> _T:
    """Ask until the answer is not empty."""
    deadline = time.monotonic() + 5
    while not (answer := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return answer


def wait_until(is_met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not is_met():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_host_has_one_name_and_one_address(service: OvsdbService) -> None:
    service.add_host("h1", "unix:/nonexistent/db.sock")
    with pytest.raises(HostExistsError):
        service.add_host("h1", "unix:/nonexistent/other.sock")
    with pytest.raises(TargetError):
        service.add_host("h2", "ssl:192.0.2.1:6640")
    with pytest.raises(UnknownHostError, match="h2"):
        service.view("h2")


def test_a_removed_host_is_unknown(service: OvsdbService) -> None:
    service.add_host("h1", "unix:/nonexistent/db.sock")
    service.remove_host("h1", clear=False)
    for ask in (
        lambda: service.view("h1"),
        lambda: service.write_error("h1"),
        lambda: service.set_desired("h1", a_desire()),
        lambda: service.set_bridge("h1", a_desire().bridge),
        lambda: service.set_ports("h1", {}),
        lambda: service.take_changes("h1"),
        lambda: service.remove_host("h1", clear=False),
    ):
        with pytest.raises(UnknownHostError):
            ask()
    service.add_host("h1", "unix:/nonexistent/db.sock")


def test_everything_may_be_stated_before_the_start(serve: Callable[..., Server]) -> None:
    service = OvsdbService(lambda _: None)
    service.add_host("h1", serve(monitor_reply()).target)
    service.set_desired("h1", a_desire())
    assert service.view("h1").error is None
    service.start()
    wait_until(lambda: service.view("h1").synced)
    service.stop()


def test_a_change_of_what_was_never_stated_whole_is_refused(service: OvsdbService) -> None:
    """The ports it does not name would be taken off."""
    service.add_host("h1", "unix:/nonexistent/db.sock")
    for change in (lambda: service.set_ports("h1", {}), lambda: service.set_bridge("h1", a_desire().bridge)):
        with pytest.raises(NotDesiredError, match="state it whole"):
            change()
    service.set_desired("h1", a_desire())
    service.set_ports("h1", {a_port().iface_id: a_port()})


def test_rows_are_told_once_and_whole_at_first(service: OvsdbService, serve: Callable[..., Server]) -> None:
    database = FakeDatabase()
    database.add_bridge()
    server = serve(monitor_reply(database))
    service.add_host("h1", server.target)
    wait_until(lambda: service.view("h1").synced)
    first = service.take_changes("h1")
    assert (first.whole, [row.name for row in first.rows.values() if row]) == (True, ["br-int"])
    assert service.take_changes("h1") == RowChanges(view=first.view, rows={})

    tables = copy.deepcopy(database.tables)
    uuid = database.add_port(next(iter(tables["Bridge"])), "tap1")
    update = {"method": "update2", "id": None, "params": [None, database.differences(tables)]}
    server.connections[0].sendall(json.dumps(update).encode())
    seen = wait_for(lambda: service.take_changes("h1").rows)
    assert [(u, row.name) for u, row in seen.items() if row] == [(uuid, "tap1")]

    server.connections[0].close()
    wait_until(lambda: len(server.connections) > 1 and service.view("h1").synced)
    again = service.take_changes("h1")
    assert (again.whole, len(again.rows)) == (True, 1)


def test_rows_nobody_took_before_they_went_are_not_told(service: OvsdbService, serve: Callable[..., Server]) -> None:
    database = FakeDatabase()
    bridge = database.add_bridge()
    uuid = database.add_port(bridge, "tap1")
    server = serve(monitor_reply(database))
    service.add_host("h1", server.target)
    wait_until(lambda: service.view("h1").synced)
    update = {"method": "update2", "id": None, "params": [None, {"Interface": {uuid: {"delete": None}}}]}
    marker = {"Bridge": {bridge: {"modify": {"fail_mode": "secure"}}}}
    server.connections[0].sendall(json.dumps(update).encode())
    server.connections[0].sendall(json.dumps(update | {"params": [None, marker]}).encode())
    wait_until(lambda: service.view("h1").bridge.fail_mode == "secure")
    changes = service.take_changes("h1")
    assert (changes.whole, [row.name for row in changes.rows.values()]) == (True, ["br-int"])


def test_a_host_that_cannot_be_reached_says_why(service: OvsdbService) -> None:
    service.add_host("h1", "unix:/nonexistent/db.sock")
    wait_until(lambda: service.view("h1").error is not None)
    assert (
        service.view("h1").error
        == "OVSDB server unix:/nonexistent/db.sock cannot be reached: No such file or directory"
    )


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak JSON-RPC"),
        (b'{"id":"monitor_cond","result":null,"error":{"error":"unknown database"}}', "unknown database"),
        (
            b'{"id":"monitor_cond","result":{"Interface":{"u":{"initial":{"name":7}}}},"error":null}',
            "where the schema has a string",
        ),
    ],
)
def test_a_server_that_talks_nonsense_is_named_and_disturbs_nobody(
    service: OvsdbService, serve: Callable[..., Server], says: bytes, why: str
) -> None:
    service.add_host("bad", serve(says).target)
    service.add_host("good", serve(monitor_reply()).target)
    wait_until(lambda: service.view("good").synced and why in (service.view("bad").error or ""))
    assert not service.view("bad").connected


def test_a_server_that_never_shows_a_database_is_complained_of_once(
    service: OvsdbService, serve: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = serve(b"HTTP/1.1 400 Bad Request\r\n", hang_up=True)
    service.add_host("h1", server.target)
    wait_until(lambda: len(server.connections) >= 4)
    said = [text for text in caplog.messages if text.startswith(("ovsdb_connected", "ovsdb_lost"))]
    # It hangs up before or after it was asked something; each is said once.
    assert len(said) == len(set(said))
    assert [one.split()[0] for one in said].count("ovsdb_connected") == 1


def test_a_server_that_hangs_up_is_asked_ever_more_rarely(service: OvsdbService, serve: Callable[..., Server]) -> None:
    server = serve(b"", hang_up=True)
    service.add_host("h1", server.target)
    time.sleep(1.6)  # 0, 0.1, 0.3, 0.7, 1.5
    assert 3 <= len(server.connections) <= 5


def test_a_callback_that_fails_does_not_end_the_service(
    serve: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str) -> None:
        raise ValueError(name)

    service = OvsdbService(fail)
    service.start()
    service.add_host("h1", serve(monitor_reply()).target)
    wait_until(lambda: service.view("h1").synced)
    service.stop()
    assert "ovsdb_callback_failed host=h1" in caplog.text


def test_the_callback_finds_the_new_view(serve: Callable[..., Server]) -> None:
    seen: list[bool] = []
    service = OvsdbService(lambda name: seen.append(service.view(name).synced))
    service.start()
    service.add_host("h1", serve(monitor_reply()).target)
    wait_until(lambda: seen[-1:] == [True])
    service.stop()


def test_an_idle_service_uses_no_time(service: OvsdbService, serve: Callable[..., Server]) -> None:
    service.add_host("h1", serve(monitor_reply()).target)
    wait_until(lambda: service.view("h1").synced)
    begun = time.process_time()
    time.sleep(1.0)
    assert time.process_time() - begun < 0.1


def test_stop_may_be_called_twice_and_leaves_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    before = threading.active_count()
    service = OvsdbService(lambda _: None)
    service.start()
    service.add_host("h1", "unix:/nonexistent/db.sock")
    service.stop()
    service.stop()
    assert threading.active_count() == before
