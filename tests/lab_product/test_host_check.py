"""Does ``weft host check`` tell a switch that does what Weft asks from one that does not, and leave nothing behind?"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.lab.hypervisor import Hypervisor
from tests.lab.process import run
from tests.lab.weft import ROOT, weft_command


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hypervisor]:
    directory: Path = tmp_path_factory.mktemp("check")
    with Lab(directory / "lab") as lab:
        yield lab.hypervisor("h1")


def check(host: Hypervisor, *arguments: str) -> tuple[int, dict[str, bool], str]:
    """Run the command on a host; return its status, what it tried and whether that was found, and all it printed."""
    words = ("host", "check", "--database", str(host.ovsdb_unix), "--format", "json", *arguments)
    argv = ["ip", "netns", "exec", host.namespace, *weft_command(*words)]
    environment = {**host.environment, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
    found = {one["check"]: one["ok"] for one in json.loads(done.stdout)}
    return done.returncode, found, done.stdout + done.stderr


def standing(host: Hypervisor) -> tuple[set[str], set[str]]:
    """Return the bridges and devices there are; the cables go with the namespaces of the guests."""
    devices = {one["ifname"] for one in json.loads(run(["ip", "-n", host.namespace, "-j", "link"]).stdout)}
    return set(host.vsctl("list-br").split()), devices


def test_a_switch_that_does_what_is_asked_passes_every_trial(host: Hypervisor) -> None:
    before = standing(host)
    status, found, printed = check(host, "--datapath-type", "netdev")
    assert status == 0, printed
    assert set(found) >= {"ARP, ping", "connection tracking", "closed TCP port", "port security", "fragments"}
    assert all(found.values())
    assert standing(host) == before


def test_what_a_switch_lacks_is_named_and_nothing_stays(host: Hypervisor) -> None:
    """The laboratory's kernel has no datapath of Open vSwitch."""
    before = standing(host)
    status, found, printed = check(host, "--datapath-type", "system")
    assert status == 1
    assert found == {"version": True, "bridge": False}, printed
    assert "datapath type system" in printed
    assert standing(host) == before
