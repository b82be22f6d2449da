"""What does the controller process hold after a great many faults? The same whether it is 200 of them or 1,000."""

import dataclasses
import random
import time
from dataclasses import dataclass

from tests.fakes.switch import FakeSwitch
from tests.lab.process import eventually
from tests.lab_faults import observe
from tests.lab_faults.observe import Usage
from tests.lab_faults.proxy import Proxy
from tests.lab_faults.stage import Stage

SICK = "h3"
LONGEST_LIFE_S = 0.03
"""A connection is cut at a random time within: in the negotiation, in the reading, or when all is done."""
WARM_UP = 20
CALM_S = 15.0
PORTS = 20
POOLED = 4
"""Descriptors of one more connection to SQLite: the file, its log, its index, and one to spare (sqlite.org, wal)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the controller process held before and after."""

    before: Usage
    after: Usage
    times: int

    def leaks(self, growth_kib: int) -> bool:
        """Whether there are more threads or descriptors than before, or more memory than `growth_kib` above it.

        A connection to the database that was opened meanwhile, by what runs once a minute, stays open: no leak.
        """
        return (
            self.after.threads > self.before.threads
            or self.after.descriptors > self.before.descriptors + POOLED
            or self.after.rss_kib - self.before.rss_kib > growth_kib
        )

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.times} times: before {self.before}, after {self.after}"


def switch_reconnects(stage: Stage, times: int, rng: random.Random) -> Held:
    """Let a switch come and be cut many times.

    A real one waits a second between two tries (ovs-vswitchd.conf.db(5) Controller:max_backoff), so one of ours takes
    the place of the host's; its database is the real one.
    """
    host = stage.hosts[SICK]
    stage.port(stage.network(), SICK)
    stage.settle()
    host.stop_vswitchd()
    fake = FakeSwitch(_datapath_id(stage, SICK))
    try:
        fake.connect(*stage.openflow.address)
        _cut_often(stage, WARM_UP, rng)
        before = _calm(stage)
        _cut_often(stage, times, rng)
        return Held(before=before, after=_calm(stage), times=times)
    finally:
        fake.close()
        host.start_vswitchd()
        stage.lab.warm_up()


def _datapath_id(stage: Stage, name: str) -> int:
    text = stage.hosts[name].vsctl("get", "Bridge", "br-int", "other_config:datapath-id")
    return int(text.strip().strip('"'), 16)


def _cut_often(stage: Stage, times: int, rng: random.Random) -> None:
    for _ in range(times):
        time.sleep(rng.uniform(0, LONGEST_LIFE_S))
        _cut_and_wait(stage.openflow, stage.lab.controller_ip)


def _cut_and_wait(proxy: Proxy, client: str) -> None:
    """Cut a client's connection and wait until it has another."""
    seen = proxy.accepted
    proxy.cut(client)
    eventually(lambda: proxy.accepted > seen, 5, f"{client} connects again", every_s=0.002)


def _calm(stage: Stage) -> Usage:
    """Return what is held once the switch is there and everything of the earlier connections had time to end."""
    stage.settle(CALM_S)
    eventually(lambda: stage.openflow.open() == len(stage.hosts), CALM_S, "one connection for each host")
    time.sleep(0.5)
    return Usage.of(observe.child(stage.weft))


def database_reconnects(stage: Stage, times: int) -> Held:
    """Cut the connection to a host's database many times, as soon as it is back."""
    before = _calm(stage)
    proxy = stage.ovsdb[SICK]
    for _ in range(times):
        _cut_and_wait(proxy, stage.lab.controller_ip)
    return Held(before=before, after=_calm(stage), times=times)


def changes_for_a_stalled_switch(stage: Stage, times: int) -> Held:
    """Change ports that a stalled switch should hear of, and heal it in the end."""
    network = stage.network()
    ports = [str(stage.port(network, ("h1", "h2")[n % 2])["id"]) for n in range(PORTS)]
    stage.port(network, SICK)
    flip(stage, ports, WARM_UP // 2 * PORTS)  # allocators and caches are as large as they get
    stage.settle()
    pid = observe.child(stage.weft)
    before = Usage.of(pid)
    stage.switch(SICK).stalled = True
    flip(stage, ports, times)
    after = Usage.of(pid)
    stage.switch(SICK).heal()
    after = dataclasses.replace(_calm(stage), rss_kib=after.rss_kib)  # memory is looked at while it waits
    macs = {p["mac_address"] for p in stage.weft.api.list("ports", network_id=network)}
    eventually(
        lambda: all(mac in "\n".join(stage.hosts[SICK].flows()) for mac in macs), 20, "the stalled switch is complete"
    )
    return Held(before=before, after=after, times=times)


def flip(stage: Stage, ports: list[str], times: int) -> None:
    """Close and open ports in turn; all are open in the end."""
    api = stage.weft.api
    for n in range(times):
        body = {"port": {"admin_state_up": (n // len(ports)) % 2 == 1}}
        api.put(f"/v2.0/ports/{ports[n % len(ports)]}", body)
    for port in ports:
        api.put(f"/v2.0/ports/{port}", {"port": {"admin_state_up": True}})
