"""What ``weft trace`` asks and prints, against a server that says what a trace of a tunnel says."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from controller.cli import main
from tests.unit.controller.trace.desk import a_desk

DELIVERED, DROPPED = 0, 3


class Server:
    """Answers POST /v2.0/traces with what a tracer says, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        desk, asked = a_desk(), self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["trace"]
                asked.append(question)
                answer = json.dumps({"trace": desk.tracer.trace(question)}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ([], {}),
        (["--tcp", "80"], {"protocol": "tcp", "port": 80}),
        (["--udp", "53", "--reply"], {"protocol": "udp", "port": 53, "state": "reply"}),
        (["--icmp", "--established"], {"state": "established"}),
        (["--arp", "--live"], {"protocol": "arp", "live": True}),
        (
            ["--source-ip", "10.0.0.9", "--source-mac", "fa:16:3e:00:00:09"],
            {"source_ip": "10.0.0.9", "source_mac": "fa:16:3e:00:00:09"},
        ),
    ],
)
def test_the_words_of_the_command_are_the_question(server: Server, words: list[str], asked: dict[str, Any]) -> None:
    main(["trace", "--from", "web-1", "--to", "web-2", "--url", server.url, *words])
    assert server.asked == [{"from": "web-1", "to": "web-2", "live": False} | asked]


def test_the_way_is_printed_host_by_host(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--from", "web-1", "--to", "web-3", "--url", server.url]) == DELIVERED
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "icmp echo request from 10.0.0.11 to 10.0.0.13, new, in network red"
    assert "host h1: from port web-1 (p1)" in lines
    assert "  => through the tunnel to host h2, VNI 101" in lines
    assert "host h2: through the tunnel from host h1, VNI 101" in lines
    assert lines[-1] == "Delivered: it reaches port web-3 (p3) on host h2, through the tunnel from host h1"
    assert not any("actions=" in line for line in lines)


def test_flows_are_printed_when_asked_for(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    main(["trace", "--from", "web-1", "--to", "web-2", "--url", server.url, "--flows"])
    assert "priority=100 in_port=32769 actions=load:0x1->reg0[0..23]" in capsys.readouterr().out


def test_a_drop_is_an_exit_status_of_its_own(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--from", "web-1", "--to", "web-2", "--tcp", "81", "--url", server.url]) == DROPPED
    assert capsys.readouterr().out.splitlines()[-1].startswith("Dropped: no ingress rule of port web-2")


def test_json_is_the_answer_itself(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    main(["trace", "--from", "web-1", "--to", "web-2", "--url", server.url, "--format", "json"])
    assert json.loads(capsys.readouterr().out)["verdict"] == "delivered"


@pytest.mark.parametrize(
    "words",
    [["--tcp", "80", "--udp", "80"], ["--tcp", "x"], ["--reply", "--established"], ["--tcp"]],
)
def test_words_that_contradict_each_other_end_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["trace", "--from", "a", "--to", "b", *words])
    assert ended.value.code == 2
