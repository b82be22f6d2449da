"""Is what passes through a port counted, once, whatever restarts: the device, Open vSwitch, Weft?"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, Weft
from tests.lab.cloud import Cloud, address
from tests.lab.process import eventually

PINGS, SIZE = 10, 1000
PASSED = PINGS * (SIZE + 8 + 20 + 14)
"""ICMP (RFC 792), IPv4 and Ethernet headers around each echo."""
SLACK = PASSED // 4
"""ARP, neighbour and router discovery, MLD: what a guest's kernel sends by itself."""
SETTLED_S = 10


@pytest.fixture(scope="module")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A laboratory whose Weft reads counters every second."""
    directory: Path = tmp_path_factory.mktemp("usage")
    arguments = ("--usage-period", "1", "--usage-sample", "2")
    with Lab(directory / "lab") as lab, Weft(directory / "weft", lab=lab, arguments=arguments) as weft:
        h1, h2 = lab.hypervisor("h1"), lab.hypervisor("h2")
        lab.warm_up()
        weft.add_host(h1)
        weft.add_host(h2)
        yield Cloud(lab=lab, weft=weft, h1=h1, h2=h2)


def passed(cloud: Cloud, port_id: str) -> tuple[int, int]:
    """Return octets in and out of a port, in all."""
    (found,) = cloud.weft.api.get("/v2.0/usage/ports", id=port_id)["port_usage"]
    return int(found["bytes_in"]), int(found["bytes_out"])


def wait_for_more(cloud: Cloud, port_id: str, before: tuple[int, int]) -> tuple[int, int]:
    """Wait until another run of pings is in the totals of a port, in both directions, and only that."""

    def more() -> tuple[int, int] | None:
        now = passed(cloud, port_id)
        return now if all(new - old >= PASSED for new, old in zip(now, before, strict=True)) else None

    now = eventually(more, SETTLED_S, lambda: f"{PASSED} more than {before}; Weft says {passed(cloud, port_id)}")
    assert all(new - old <= PASSED + SLACK for new, old in zip(now, before, strict=True)), (before, now)
    return now


def test_traffic_is_counted_once_whatever_restarts(cloud: Cloud) -> None:
    red = cloud.network()
    one, port = cloud.vm(red, cloud.h1)
    two, other = cloud.vm(red, cloud.h1)
    peer, port_id = address(other), port["id"]
    total = passed(cloud, port_id)

    def ping() -> None:
        one.ping_until_answered(peer)
        assert one.ping(peer, count=PINGS, size=SIZE, timeout_s=5).lost == 0

    ping()
    total = wait_for_more(cloud, port_id, total)

    cloud.h1.stop_vswitchd()
    cloud.h1.start_vswitchd()
    cloud.weft.wait_for_host("h1")
    cloud.weft.wait_for_port(port_id)
    ping()
    total = wait_for_more(cloud, port_id, total)

    cloud.h1.destroy_vm(one)
    cloud.weft.wait_for_port(port_id, "DOWN")
    one = cloud.boot(cloud.h1, port)  # the same name, another device: it counts from zero
    cloud.weft.wait_for_port(port_id)
    one.address_set(f"{address(port)}/24")
    ping()
    total = wait_for_more(cloud, port_id, total)

    cloud.weft.stop()
    ping()
    cloud.weft.start()
    total = wait_for_more(cloud, port_id, total)

    def project() -> dict[str, int]:
        (found,) = (u for u in cloud.weft.api.get("/v2.0/usage")["usage"] if u["project_id"] == port["project_id"])
        return dict(found)

    before = project()
    assert before["bytes_in"] >= total[0] + PASSED, "the other port's traffic is the project's too"
    assert (before["ports"], before["hosts"], before["addresses"]) == (2, 1, 2)
    assert before["flows"] > 0
    cloud.h1.destroy_vm(one)
    cloud.weft.api.delete(f"/v2.0/ports/{port_id}")
    after = project()
    assert (after["ports"], after["bytes_in"] >= before["bytes_in"]) == (1, True)
    assert two.name in cloud.h1.vms


def test_usage_over_time_and_on_the_command_line(cloud: Cloud) -> None:
    red = cloud.network()
    _, port = cloud.vm(red, cloud.h1)

    def samples() -> list[dict[str, int]]:
        found = cloud.weft.api.get("/v2.0/usage", start="2020-01-01T00:00:00Z", project_id=port["project_id"])
        (history,) = found["usage"]
        return list(history["samples"])

    latest = eventually(lambda: samples() if samples()[-1]["ports"] == 1 else None, SETTLED_S, "a sample with the port")
    assert all(earlier["bytes_in"] <= later["bytes_in"] for earlier, later in itertools.pairwise(latest))
    assert "BYTES_IN" in cloud.weft.command("usage")
    assert port["id"] in cloud.weft.command("usage", "--ports")
    assert len(cloud.weft.command("usage", "--start", "2020-01-01").splitlines()) > len(latest)
