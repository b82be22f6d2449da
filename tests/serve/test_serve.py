"""``weft serve`` as a whole: what it says, how it ends, and what survives which death."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from controller.supervisor import runtime_directory
from tests.lab.process import eventually
from tests.lab.weft import ROOT, Weft, weft_command

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def weft(tmp_path: Path) -> Iterator[Weft]:
    with Weft(tmp_path / "weft") as running:
        yield running


def serve(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a ``weft serve`` that is expected to end by itself."""
    return subprocess.run(
        weft_command("serve", *arguments),
        cwd=directory,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_sigterm_stops_it_cleanly_with_status_0(weft: Weft) -> None:
    pids = children(weft.pid)
    assert len(pids) == 2
    weft.stop(check=True)
    assert not [pid for pid in pids if is_alive(pid)]


def test_a_kill_of_the_parent_alone_takes_the_children_along_and_the_next_start_keeps_the_ports(weft: Weft) -> None:
    pids = children(weft.pid)
    network = weft.api.create("network", name="kept")
    weft.kill(only_parent=True)
    eventually(lambda: not [pid for pid in pids if is_alive(pid)], 5, "children outlive their parent")
    weft.start()
    assert weft.api.show("network", network["id"])["name"] == "kept"


@pytest.mark.parametrize("which", [0, 1])
def test_a_child_that_dies_is_started_again_and_clients_find_it_where_it_was(weft: Weft, which: int) -> None:
    before = children(weft.pid)
    os.kill(before[which], signal.SIGKILL)
    eventually(lambda: len(set(children(weft.pid)) - set(before)) == 1, 15, "a new child")
    network = weft.api.create("network")
    assert weft.api.show("network", network["id"])["id"] == network["id"]


def test_a_second_weft_on_the_same_database_is_refused(weft: Weft, tmp_path: Path) -> None:
    done = serve(
        tmp_path, "--database", weft.database, "--api-listen", "127.0.0.1:0", "--openflow-listen", "127.0.0.1:0"
    )
    assert done.returncode == 2
    assert "another weft serve runs" in done.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = serve(tmp_path, "--api-listen", address, "--openflow-listen", "127.0.0.1:0")
    assert done.returncode == 2
    assert f"api-listen: cannot listen on {address}: Address already in use" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--api-listen", "0.0.0.0:9696"), "auth mode 'none'"),
        (("--api-listen", "9696"), "is not IP:PORT"),
        (("--database", "nonsense"), "is no database URL"),
        (("--database", "sqlite://"), "must be a file"),
        (("--auth", "kerberos"), "auth: 'kerberos'"),
        (("--config", "missing.toml"), "missing.toml"),
        (("--nonsense",), "there is no option --nonsense"),
    ],
)
def test_wrong_configuration_ends_with_status_2_and_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = serve(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_setting_in_the_configuration_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "weft.toml").write_text('api-lisen = "127.0.0.1:0"\n')
    done = serve(tmp_path, "--config", "weft.toml")
    assert done.returncode == 2
    assert "unknown setting 'api-lisen'" in done.stderr


def test_settings_come_from_the_file_and_flags_win(tmp_path: Path) -> None:
    (tmp_path / "weft.toml").write_text(f'database = "sqlite:///{tmp_path}/from-file.db"\napi-listen = "192.0.2.1:1"\n')
    arguments = ("--config", str(tmp_path / "weft.toml"))
    with Weft(tmp_path / "weft", arguments=arguments, database=f"sqlite:///{tmp_path}/from-flag.db") as running:
        running.api.list("networks")
    assert (tmp_path / "from-flag.db").exists()
    assert not (tmp_path / "from-file.db").exists()


def test_a_database_file_made_by_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("these are my notes, not a database" * 100)
    done = serve(
        tmp_path, "--database", "sqlite:///notes.db", "--api-listen", "127.0.0.1:0", "--openflow-listen", "127.0.0.1:0"
    )
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
    assert (tmp_path / "notes.db").read_text().startswith("these are my notes")


def test_health_is_told_without_a_token(weft: Weft) -> None:
    answer = requests.get(f"{weft.url}/healthz", timeout=5)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_the_flows_of_an_unreachable_host_are_refused_with_a_sentence(weft: Weft) -> None:
    weft.command("host", "add", "far", "--ovsdb", "tcp:127.0.0.1:1", "--datapath-type", "netdev")
    answer = weft.api.request("GET", "/v2.0/hosts/far/flows")
    assert answer.status_code == 503
    assert "weft host show far" in answer.json()["NeutronError"]["message"]
    shown = weft.api.show("host", "far")
    assert shown["status"] == "DOWN"


def test_what_a_killed_weft_left_behind_is_swept_by_the_next_and_living_ones_are_not(
    weft: Weft, tmp_path: Path
) -> None:
    runtime = runtime_directory()
    with Weft(tmp_path / "killed") as killed:
        before = {path.name for path in runtime.iterdir()}
        killed.kill()
    with Weft(tmp_path / "next") as _:
        after = {path.name for path in runtime.iterdir()}
        assert len(before - after) >= 2, "the lock and the socket of the killed one are gone"
        assert weft.api.list("networks") == [], "the living one still has its socket and lock"
        done = serve(
            tmp_path, "--database", weft.database, "--api-listen", "127.0.0.1:0", "--openflow-listen", "127.0.0.1:0"
        )
        assert "another weft serve runs" in done.stderr
