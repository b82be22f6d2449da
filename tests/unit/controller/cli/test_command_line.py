"""Does ``weft`` read its command line well, and fail in words when nobody answers?"""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from controller.cli import main
from controller.cli.host import missing
from controller.cli.output import cell, print_table

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["nope"],
        ["host"],
        ["host", "add", "h1"],
        ["host", "add", "h1", "--ovsdb", "tcp:1:1", "--physnet", "blue"],
        ["host", "add", "h1", "--ovsdb", "tcp:1:1", "--wait", "long"],
        ["host", "add", "h1", "--ovsdb", "tcp:1:1", "--wait", "-1"],
        ["host", "add", "h1", "--ovsdb", "tcp:1:1", "--wait", "inf"],
        ["host", "add", "h1", "--ovsdb", "tcp:1:1", "--datapath-type", "dpdk"],
        ["host", "list", "--format", "xml"],
        ["port", "status"],
        ["port", "network-data"],
        ["port", "network-data", "one", "--device", "other"],
        ["flows"],
        ["usage", "one"],
    ],
)
def test_a_wrong_command_line_ends_with_2(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert "usage: weft" in capsys.readouterr().err


def test_an_unreachable_server_is_named_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert main(["host", "list", "--url", url]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert url in said.err
    assert "Connection refused" in said.err
    assert "weft serve" in said.err


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://127.0.0.1", "http://no.such.host.invalid:1"])
def test_a_url_that_leads_nowhere_fails_with_one_line(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "list", "--url", url]) == 1
    assert capsys.readouterr().err.count("\n") == 1


class Page(BaseHTTPRequestHandler):
    """A web server that is no Weft."""

    def do_GET(self) -> None:
        status = 500 if "h500" in self.path else 200
        self.send_response(status)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_args: object) -> None:
        return


@pytest.fixture
def page() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_something_else_at_the_url_is_recognised(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "list", "--url", page]) == 1
    assert "is no Weft API" in capsys.readouterr().err
    assert main(["host", "show", "h500", "--url", page]) == 1
    assert "answered 500" in capsys.readouterr().err


def test_the_environment_names_the_server(
    page: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WEFT_URL", page)
    assert main(["host", "list"]) == 1
    assert page in capsys.readouterr().err


def test_client_commands_do_not_load_the_server() -> None:
    """Loading SQLAlchemy, Flask or os-ken would cost every command half a second."""
    program = (
        "import sys, controller.cli\n"
        "try:\n    controller.cli.main(['host', 'list', '--url', 'http://127.0.0.1:1'])\n"
        "finally:\n    print([name for name in ('sqlalchemy', 'flask', 'os_ken') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (7, "7"),
        ([], "-"),
        (["a", "b"], "a, b"),
        ({"physical_network": "blue", "bridge": "br"}, "physical_network=blue, bridge=br"),
        ("red\x1b[31m\n", "red\\x1b[31m\\n"),
    ],
)
def test_every_value_is_one_harmless_line(value: object, text: str) -> None:
    assert text == cell(value)


def test_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "LONG"), [("aaa", None), ("b", "x")])
    assert capsys.readouterr().out == "A    LONG\naaa  -\nb    x\n"


def test_what_a_host_lacks_is_said() -> None:
    host = json.loads('{"ovsdb": "tcp:h:1", "ovsdb_connected": true, "problem": "wrong datapath id"}')
    assert missing(host) == (
        "its switch has not connected to the controller; its flows are not all confirmed (wrong datapath id)"
    )
