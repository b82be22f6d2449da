"""Does the API process keep connections, stop without losing requests, and die with its parent?"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.api.conftest import ROOT, Server


def test_one_connection_serves_many_requests_deletions_included(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.connect()
    used = connection.sock
    for _ in range(3):
        connection.request(
            "POST", "/v2.0/networks", body='{"network": {}}', headers={"Content-Type": "application/json"}
        )
        reply = connection.getresponse()
        location = reply.read()
        network_id = location.split(b'"id": "')[1][:36].decode()
        connection.request("DELETE", f"/v2.0/networks/{network_id}")
        reply = connection.getresponse()
        assert (reply.status, reply.headers["Content-Length"], reply.read()) == (204, "0", b"")
        connection.request("HEAD", "/v2.0/networks")
        reply = connection.getresponse()
        assert (reply.status, reply.read()) == (405, b"")
        assert connection.sock is used
    connection.close()


def test_head_and_body_of_an_answer_arrive_together(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        for _ in range(20):
            client.sendall(b"GET /v2.0/networks HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(4096).endswith(b'\r\n\r\n{"networks": []}')


def test_an_old_client_s_connection_is_closed(server: Server) -> None:
    """HTTP/1.0 without keep-alive ends with the answer (RFC 9112 section 9.3)."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"GET /v2.0/networks HTTP/1.0\r\n\r\n")
        received = b"".join(iter(lambda: client.recv(4096), b""))
    assert received.startswith(b"HTTP/1.0 200 OK\r\n")
    assert received.endswith(b'{"networks": []}')


def test_forwarded_headers_reach_the_links(server: Server) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "api.example.org"}
    body = requests.get(server.url, headers=headers, timeout=10).json()
    assert body["versions"][0]["links"][0]["href"] == "https://api.example.org/v2.0/"


def test_sigterm_answers_what_is_in_flight_and_ends_cleanly(server: Server) -> None:
    """A question to a controller that does not answer takes its deadline; SIGTERM comes in the middle."""
    requests.post(
        f"{server.url}/v2.0/hosts", json={"host": {"name": "h1", "ovsdb": "tcp:192.0.2.1:1"}}, timeout=10
    ).raise_for_status()
    asked = threading.Event()
    with socket.socket(socket.AF_UNIX) as controller:
        controller.bind(str(server.control))
        controller.listen()

        def answer() -> None:
            client, _address = controller.accept()
            with client, client.makefile("rwb") as lines:
                for line in lines:
                    if b'"flows"' in line:
                        asked.set()
                        time.sleep(0.5)
                        lines.write(b'{"id": 1, "result": {"flows": [{"table": "classify"}]}}\n')
                        lines.flush()

        threading.Thread(target=answer, daemon=True).start()
        replies: list[requests.Response] = []
        asking = threading.Thread(
            target=lambda: replies.append(requests.get(f"{server.url}/v2.0/hosts/h1/flows", timeout=10))
        )
        asking.start()
        assert asked.wait(10)
        assert server.stop() == 0
        asking.join()
    assert (replies[0].status_code, replies[0].json()) == (200, {"flows": [{"table": "classify"}]})


def test_an_idle_server_stops_at_once_though_clients_are_connected(server: Server) -> None:
    with requests.Session() as session:
        session.get(server.url, timeout=10)
        started = time.monotonic()
        assert server.stop() == 0
    assert time.monotonic() - started < 3


def test_the_process_dies_with_its_parent(tmp_path: Path) -> None:
    """prctl(2), PR_SET_PDEATHSIG: also when the parent is killed without a word."""
    program = (
        "import sys, time; from pathlib import Path; from tests.api.conftest import start\n"
        f"print(start(Path({str(tmp_path)!r})).process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert _is_running(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while _is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("address", ["0.0.0.0"])
def test_an_exposed_socket_is_refused(tmp_path: Path, address: str) -> None:
    with socket.create_server((address, 0)) as listener:
        fd = str(listener.fileno())
        done = subprocess.run(
            [
                *(sys.executable, "-P", "-m", "api.serve", "--database", f"sqlite:///{tmp_path}/weft.db"),
                *("--fd", fd, "--control", str(tmp_path / "c"), "--ready-fd", "1"),
            ],
            pass_fds=(listener.fileno(),),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"every caller is an administrator" in done.stderr


def test_sigint_is_left_to_the_parent(server: Server) -> None:
    server.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert requests.get(server.url, timeout=10).ok
