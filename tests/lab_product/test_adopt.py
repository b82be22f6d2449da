"""Is a bridge that others use left alone until somebody says so, and Weft's own never taken for one of others?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, Weft
from tests.lab.hypervisor import Hypervisor
from tests.lab.process import eventually

NORMAL = "priority=0 actions=NORMAL"
OTHERS = (
    "cookie=0x1234, priority=10,in_port=1 actions=drop",
    "cookie=0x1234, table=7, priority=20,arp actions=NORMAL",
    "table=9, priority=5,udp,tp_dst=53 actions=drop",
    "table=9, priority=4,tcp actions=drop",
)
CONTROLLER = "tcp:127.0.0.1:16633"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab(tmp_path / "lab") as made:
        yield made


@pytest.fixture
def h1(lab: Lab) -> Hypervisor:
    made = lab.hypervisor("h1")
    made.vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev")
    return made


@pytest.fixture
def weft(lab: Lab, tmp_path: Path) -> Iterator[Weft]:
    with Weft(tmp_path / "weft", lab=lab) as running:
        yield running


def flows(host: Hypervisor) -> list[str]:
    """Return the flows of br-int without counters and ages."""
    dumped = host.ofctl("--no-stats", "dump-flows", "br-int").splitlines()
    return sorted(line.strip().replace("reset_counts ", "") for line in dumped if "actions" in line)


def settings(host: Hypervisor) -> str:
    """Return what the database says of br-int."""
    columns = "--columns=name,controller,fail_mode,protocols,other_config,external_ids,datapath_id,ports"
    return host.vsctl(columns, "list", "bridge", "br-int")


def register(weft: Weft, host: Hypervisor, ovsdb: str, *arguments: str) -> None:
    weft.command("host", "add", host.name, "--ovsdb", ovsdb, "--datapath-type", "netdev", *arguments)


def refusal(weft: Weft) -> str:
    """Wait until h1 is refused, and return why."""

    def problem() -> str | None:
        found: Any = weft.api.show("host", "h1")["problem"]
        return found if found and "--adopt" in found else None

    return str(eventually(problem, 15, "the host is refused"))


@pytest.mark.parametrize("way", ["ovsdb", "ovsdb_unix"])
def test_a_bridge_with_flows_of_others_is_left_as_it_is_until_it_is_adopted(
    weft: Weft, h1: Hypervisor, way: str
) -> None:
    for flow in OTHERS:
        h1.ofctl("add-flow", "br-int", flow)
    before = flows(h1), settings(h1)
    register(weft, h1, getattr(h1, way))
    why = refusal(weft)
    assert "holds 4 flows that are not Weft's" in why
    assert "cookie=0x1234,table=0,priority=10,in_port=0x1 actions=drop" in why
    assert "weft host set h1 --adopt" in why
    assert weft.api.show("host", "h1")["status"] == "DEGRADED"
    assert (flows(h1), settings(h1)) == before

    weft.command("host", "set", "h1", "--adopt")
    weft.wait_for_host("h1")
    assert not any("0x1234" in line or "NORMAL" in line or line.startswith("table=9") for line in flows(h1))


def test_a_bridge_of_another_controller_is_adopted_with_its_flows_gone(weft: Weft, h1: Hypervisor) -> None:
    h1.vsctl("set-controller", "br-int", CONTROLLER)
    for flow in OTHERS:
        h1.ofctl("add-flow", "br-int", flow)
    before = flows(h1), settings(h1)
    register(weft, h1, h1.ovsdb)
    why = refusal(weft)
    assert f"has another controller ({CONTROLLER}) and holds 4 flows" in why
    assert (flows(h1), settings(h1)) == before

    weft.command("host", "set", "h1", "--adopt")
    weft.wait_for_host("h1")
    assert not any("cookie=0x1234" in line for line in flows(h1))
    assert CONTROLLER not in h1.vsctl("get-controller", "br-int")
    assert weft.api.show("host", "h1")["features"]["foreign_normal"] == 0

    h1.ofctl("add-flow", "br-int", OTHERS[0])
    eventually(lambda: "not Weft's" in (weft.api.show("host", "h1")["problem"] or ""), 10, "a later flow is reported")
    assert any("cookie=0x1234" in line for line in flows(h1))


def test_a_host_may_be_adopted_as_it_is_registered(weft: Weft, h1: Hypervisor) -> None:
    h1.vsctl("set-controller", "br-int", CONTROLLER)
    register(weft, h1, h1.ovsdb, "--adopt", "--wait", "20")
    assert CONTROLLER not in h1.vsctl("get-controller", "br-int")


@pytest.mark.parametrize("way", ["ovsdb", "ovsdb_unix"])
def test_a_new_bridge_that_nobody_uses_is_taken_without_a_word(weft: Weft, h1: Hypervisor, way: str) -> None:
    assert [line for line in flows(h1) if NORMAL not in line] == []
    register(weft, h1, getattr(h1, way), "--wait", "20")
    assert h1.vsctl("get-fail-mode", "br-int").strip() == "secure"
    assert "ptcp" not in h1.vsctl("get-controller", "br-int")


def test_what_weft_programmed_is_its_own_for_another_weft_that_knows_nothing(
    weft: Weft, h1: Hypervisor, lab: Lab, tmp_path: Path
) -> None:
    register(weft, h1, h1.ovsdb, "--wait", "20")
    port = weft.openflow
    weft.kill()
    h1.vsctl("clear", "bridge", "br-int", "external_ids")
    for uuid in h1.vsctl("get", "bridge", "br-int", "controller").strip("[]\n").split(","):
        h1.vsctl("clear", "controller", uuid.strip(), "external_ids")
    with Weft(tmp_path / "other", lab=lab, openflow_listen=port) as other:
        register(other, h1, h1.ovsdb, "--wait", "20")
