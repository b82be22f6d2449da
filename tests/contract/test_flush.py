"""Is a conntrack zone emptied when, and only when, what made it stale is in the switch?"""

import struct
from ipaddress import IPv4Address

import pytest

from controller.southbound.openflow.events import Applied, Disconnected, Failed, Synced
from flows import fields
from flows.delta import Delta, Tables
from flows.flow import Ct, Flow, Load, Output
from flows.pipeline import FROM_ZONE, SEGMENT
from tests.contract.driver import SwitchDriver
from tests.contract.fake import FakeDriver
from tests.contract.harness import Harness, a_flow, eventually, tables
from tests.contract.ovs import OpenVSwitch
from tests.contract.proxy import Proxy

STALE, KEPT = 40001, 40002
ZONES = {1: STALE, 2: KEPT}


def a_tracking_flow(ofport: int, *actions: Load | Ct) -> Flow:
    """Return a flow that commits what comes from a port into the port's zone, or does something else first."""
    commit = actions or (Load(FROM_ZONE, ZONES[ofport]), Ct(FROM_ZONE, commit=True))
    match = [fields.IN_PORT.eq(ofport), fields.ETH_TYPE.eq(fields.ETH_TYPE_IPV4)]
    return a_flow(ofport, table=0, match=match, actions=(*commit, Output(3 - ofport)))


TRACKING = tables([a_tracking_flow(1), a_tracking_flow(2)])


def a_datagram() -> bytes:
    """Return an Ethernet frame with UDP over IPv4 (RFC 768, RFC 791); the checksum of UDP is left out."""
    addresses = IPv4Address("192.0.2.1").packed + IPv4Address("192.0.2.2").packed
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28, 1, 0, 64, 17, 0) + addresses
    total = sum(struct.unpack("!10H", head))
    head = head[:10] + struct.pack("!H", ~(total % 0xFFFF) & 0xFFFF) + head[12:]
    return bytes.fromhex("fa163e000002fa163e0000010800") + head + struct.pack("!HHHH", 1000, 2000, 8, 0) + bytes(18)


def zones(driver: OpenVSwitch) -> set[int]:
    """Return the zones that have connections."""
    entries = driver.appctl("dpctl/dump-conntrack").split("zone=")[1:]
    return {int(entry.split()[0].split(",")[0]) for entry in entries}


def connect(driver: SwitchDriver) -> None:
    """Let a connection be in both zones."""
    if isinstance(driver, OpenVSwitch):
        for ofport in ZONES:
            driver.inject(ofport, 0, a_datagram())
        eventually(lambda: zones(driver) == {STALE, KEPT})


def is_flushed(driver: SwitchDriver) -> bool:
    """Whether the one zone is empty, and the other is not."""
    if isinstance(driver, FakeDriver):
        return [zone for zone, _ in driver.switch.flushed] == [STALE]
    assert isinstance(driver, OpenVSwitch)
    return zones(driver) == {KEPT}


def test_a_zone_is_emptied_after_the_change_that_names_it(driver: SwitchDriver, harness: Harness) -> None:
    harness.switch(driver.dpid).load(TRACKING, 1)
    driver.connect("127.0.0.1", harness.port)
    harness.wait(driver.dpid, Synced)
    if isinstance(driver, FakeDriver):
        driver.switch.flushed.clear()
    connect(driver)
    added = tuple(a_flow(n) for n in range(1000, 1003))
    harness.switch(driver.dpid).apply(Delta(flows=added, flushed_zones=(STALE,)), 2)
    harness.wait(driver.dpid, Applied)
    assert is_flushed(driver)
    if isinstance(driver, FakeDriver):
        assert driver.switch.flushed == [(STALE, len(TRACKING.flows) + len(added))]
    connect(driver)
    harness.switch(driver.dpid).apply(Delta(flows=(a_flow(1004),)), 3)
    harness.wait(driver.dpid, Applied, 2)
    assert not is_flushed(driver) or isinstance(driver, FakeDriver)


@pytest.mark.parametrize("is_replaced", [False, True], ids=["applied", "replaced by a load"])
def test_a_zone_named_while_the_switch_was_away_is_emptied_when_it_is_back(
    driver: SwitchDriver, harness: Harness, proxy: Proxy, is_replaced: bool
) -> None:
    harness.switch(driver.dpid).load(TRACKING, 1)
    driver.connect("127.0.0.1", proxy.port)
    harness.wait(driver.dpid, Synced)
    if isinstance(driver, FakeDriver):
        driver.switch.flushed.clear()
    connect(driver)
    target, proxy.target = proxy.target, ("127.0.0.1", 1)
    proxy.cut()
    harness.wait(driver.dpid, Disconnected)
    added = a_flow(1000)
    harness.switch(driver.dpid).apply(Delta(flows=(added,), flushed_zones=(STALE,)), 2)
    if is_replaced:
        harness.switch(driver.dpid).load(tables([*TRACKING.flows.values(), added]), 3)
    proxy.target = target
    harness.wait(driver.dpid, Synced, 2)
    assert is_flushed(driver)
    if isinstance(driver, FakeDriver):
        assert driver.switch.flushed == [(STALE, len(TRACKING.flows) + 1)]


@pytest.mark.parametrize(
    "after",
    [tables([a_tracking_flow(2)]), tables([a_tracking_flow(1, Load(SEGMENT, 5)), a_tracking_flow(2)])],
    ids=["deleted", "changed"],
)
def test_the_zone_of_a_port_that_a_resync_finds_gone_is_emptied(
    driver: SwitchDriver, harness: Harness, proxy: Proxy, after: Tables
) -> None:
    """Whoever removed the port may have ended before the switch was told: only the switch still knows the zone."""
    harness.switch(driver.dpid).load(TRACKING, 1)
    driver.connect("127.0.0.1", proxy.port)
    harness.wait(driver.dpid, Synced)
    if isinstance(driver, FakeDriver):
        driver.switch.flushed.clear()
    connect(driver)
    harness.switch(driver.dpid).load(after, 2)
    harness.wait(driver.dpid, Synced, 2)
    assert is_flushed(driver)


def test_a_zone_that_the_switch_does_not_empty_is_reported(driver: SwitchDriver, harness: Harness) -> None:
    if not isinstance(driver, FakeDriver):
        pytest.skip("Open vSwitch never refuses")
    harness.switch(driver.dpid).load(TRACKING, 1)
    driver.connect("127.0.0.1", harness.port)
    harness.wait(driver.dpid, Synced)
    driver.switch.faults.has_no_conntrack = True
    harness.switch(driver.dpid).apply(Delta(flushed_zones=(STALE, KEPT)), 2)
    failed = harness.wait(driver.dpid, Failed)
    assert failed.token == 2
    assert [refusal.what for refusal in failed.refusals] == [f"flush conntrack zone {zone}" for zone in (STALE, KEPT)]
