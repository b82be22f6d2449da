"""A new version with another table layout takes over while packets flow."""

import re
import shutil
from pathlib import Path

import pytest

from flows.cookie import LAYOUT
from tests.lab.cloud import Cloud, address
from tests.lab.process import eventually
from tests.lab.weft import ROOT

COMMON = {"0", "250"}
"""Table 0, and that of the mark which says what intent a switch was filled from."""


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """Return a copy of the packages whose layout is one further: as a release with other tables would be."""
    for package in ("flows", "ipam", "controller", "api"):
        shutil.copytree(ROOT / package, tmp_path / package)
    cookie = tmp_path / "flows" / "cookie.py"
    text = cookie.read_text()
    assert f"LAYOUT = {LAYOUT}\n" in text
    cookie.write_text(text.replace(f"LAYOUT = {LAYOUT}\n", f"LAYOUT = {LAYOUT + 1}\n"))
    return tmp_path


@pytest.mark.parametrize("more_ports", [0, 300], ids=["in one bundle", "in many bundles"])
def test_a_changed_table_layout_takes_over_without_a_lost_packet(
    cloud: Cloud, next_version: Path, monkeypatch: pytest.MonkeyPatch, more_ports: int
) -> None:
    red = cloud.network(cidr="10.10.0.0/20")
    one, _ = cloud.vm(red, cloud.h1, fixed_ips=[{"ip_address": "10.10.0.10"}])
    _, port = cloud.vm(red, cloud.h2, fixed_ips=[{"ip_address": "10.10.0.11"}])
    for at in range(0, more_ports, 100):
        body = [{"network_id": red, "binding:host_id": "h1", "name": f"p{at + n}"} for n in range(100)]
        cloud.weft.api.post("/v2.0/ports", {"ports": body})
    eventually(lambda: cloud.weft.api.show("host", "h1")["status"] == "UP", 20, "h1 is programmed")
    one.ping_until_answered(address(port))
    before = tables(cloud)
    with one.pinging(address(port), interval_s=0.005) as going:
        with monkeypatch.context() as patch:
            patch.setitem(cloud.weft._environment, "PYTHONPATH", str(next_version))
            cloud.weft.restart()
            eventually(lambda: not tables(cloud) & before - COMMON, 15, "the tables of the old layout are gone")
            assert "0" in tables(cloud)
            wanted = {(LAYOUT + 1) % 2 == 0}
            eventually(
                lambda: {number >= 1 << 31 for number in groups(cloud)} == wanted,
                5,
                lambda: f"only new groups: {groups(cloud)}",
            )
        cloud.weft.restart()
        eventually(lambda: tables(cloud) == before, 15, "the first layout is back")
        balance = going.stop()
    assert balance.sent > 100
    assert balance.lost == 0


def tables(cloud: Cloud) -> set[str]:
    """Return the ids of the tables that hold flows on h1 and h2."""
    lines = [line for host in (cloud.h1, cloud.h2) for line in host.ofctl("dump-flows", "br-int").splitlines()]
    return {line.partition("table=")[2].partition(",")[0] for line in lines if "table=" in line}


def groups(cloud: Cloud) -> list[int]:
    """Return the ids of the groups on h1."""
    return [int(number) for number in re.findall(r"group_id=(\d+)", cloud.h1.ofctl("dump-groups", "br-int"))]
