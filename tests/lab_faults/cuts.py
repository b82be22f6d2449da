"""What if a connection is cut at any octet in the middle of many changes? One seeded cut on each host, and a judgement.

Judged is what the switches hold against what a controller that was never cut would have made: a new controller compiles
everything afresh, reads the switches, and must find nothing to do.
"""

import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flows.pipeline import L2_LOOKUP
from tests.lab.process import eventually
from tests.lab_faults import observe
from tests.lab_faults.membership import Sighting
from tests.lab_faults.observe import Wire
from tests.lab_faults.proxy import Way
from tests.lab_faults.stage import Stage
from tests.lab_faults.watch import Guest, Target, Watch

NETWORKS = 2
BATCH = 15
ROUNDS = 6
DESTINATION = re.compile(rf"table={L2_LOOKUP.id}, .*dl_dst=([0-9a-f:]{{17}})")
MOST_OCTETS = {
    ("openflow", Way.TO_TARGET): 2_000,
    ("openflow", Way.TO_CLIENT): 20_000,
    ("ovsdb", Way.TO_TARGET): 12_000,
    ("ovsdb", Way.TO_CLIENT): 30_000,
}
"""About as much as passes during one seed: a cut that comes later than the changes is none."""
SETTLED_S = 30.0
TARGETS = tuple(Target(mac=f"02:00:00:00:cc:{n:02x}", address=f"10.50.3.{n}") for n in (1, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOutcome:
    """What came of one seed."""

    seed: int
    plan: str
    cuts: int
    breaches: tuple[Sighting, ...]
    missing: str
    """Ports whose flows are not there, or flows of ports that are not wanted; empty if none."""
    modifications: dict[str, Counter[str]]
    """What a fresh controller changed afterwards."""

    @property
    def is_good(self) -> bool:
        """Whether nothing leaked, nothing is missing and nothing was left to do."""
        return not self.breaches and not self.missing and not sum(c.total() for c in self.modifications.values())

    def __str__(self) -> str:
        """Return one line."""
        changed = {name: dict(count) for name, count in self.modifications.items() if count}
        verdict = "ok" if self.is_good else "FAILED"
        return (
            f"seed {self.seed}: {verdict} cuts={self.cuts} [{self.plan}] missing={self.missing!r} "
            f"changed_by_fresh_controller={changed} breaches={list(self.breaches[:3])}"
        )


class Cutting:
    """One seed's run on a stage that is whole and empty."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage, self._seed, self._rng = stage, seed, random.Random(seed)
        self._networks: list[str] = []
        self._plan: list[str] = []

    def run(self) -> CutOutcome:
        """Change much, cut in the middle, wait, and judge."""
        stage = self._stage
        with Watch(TARGETS) as watch:
            self._open(watch)
            before = self._cuts()
            for change in self._changes():
                change()
            stage.heal()
            cuts = self._cuts() - before
            missing = self._wait_until_complete()
            stage.settle(SETTLED_S)
            wire = Wire(*stage.hosts.values())
            stage.restart_controller()
            modifications = wire.modifications()
            wire.quiet()
        return CutOutcome(
            seed=self._seed,
            plan="; ".join(self._plan),
            cuts=cuts,
            breaches=tuple(watch.breaches()),
            missing=missing,
            modifications={name: count for name, count in modifications.items() if count},
        )

    def _open(self, watch: Watch) -> None:
        """Make two networks with the same addresses; in each, on each of two hosts, one guest that sends and looks."""
        number = 0
        for n in range(NETWORKS):
            network = self._stage.network("10.50.0.0/22", name=f"cut{n}")
            self._networks.append(network)
            for target, host in zip(TARGETS, self._stage.hosts, strict=False):
                number += 1
                fixed = [{"ip_address": target.address}]
                port = self._stage.port(network, host, mac_address=target.mac, fixed_ips=fixed)
                guest = Guest(number=number, mac=target.mac, address=target.address)
                guest.history.become([network], time.time())
                vm = self._stage.boot(host, port)
                self._stage.weft.wait_for_port(port["id"])
                watch.join(guest, vm)

    def _cuts(self) -> int:
        faults = [self._stage.switch(name) for name in self._stage.hosts]
        faults += [self._stage.database(name) for name in self._stage.hosts]
        return sum(fault.cuts for fault in faults)

    def _arm(self) -> None:
        """Choose for each host a connection, a direction and the octet at which it will be cut."""
        for name in self._stage.hosts:
            what, way = self._rng.choice(("openflow", "openflow", "ovsdb")), self._rng.choice(list(Way))
            most = MOST_OCTETS[what, way] if self._rng.random() < 0.7 else 500
            after = self._rng.randrange(most)
            faults = self._stage.switch(name) if what == "openflow" else self._stage.database(name)
            faults.cut_after[way] = after
            self._plan.append(f"{name} {what} {way.value} at {after}")

    def _changes(self) -> Iterator[Any]:
        """Yield batches of changes: ports made on every host, some bound elsewhere, some closed, some deleted."""
        yield self._arm
        for turn in range(ROUNDS):
            yield self._create
            if turn % 2:
                yield self._alter
            if turn == ROUNDS // 2:
                yield self._arm

    def _create(self) -> None:
        hosts = list(self._stage.hosts)
        network = self._rng.choice(self._networks)
        body = {"ports": [{"network_id": network, "binding:host_id": self._rng.choice(hosts)} for _ in range(BATCH)]}
        self._stage.weft.api.post("/v2.0/ports", body)

    def _alter(self) -> None:
        api = self._stage.weft.api
        ports = [p for n in self._networks for p in api.list("ports", network_id=n) if not self._is_guest(p)]
        for port in self._rng.sample(sorted(ports, key=lambda p: str(p["mac_address"])), 9):
            match self._rng.randrange(3):
                case 0:
                    api.delete(f"/v2.0/ports/{port['id']}")
                case 1:
                    up = not port["admin_state_up"]
                    api.put(f"/v2.0/ports/{port['id']}", {"port": {"admin_state_up": up}})
                case 2:
                    host = self._rng.choice(list(self._stage.hosts))
                    api.put(f"/v2.0/ports/{port['id']}", {"port": {"binding:host_id": host}})

    @staticmethod
    def _is_guest(port: dict[str, Any]) -> bool:
        return port["mac_address"] in {target.mac for target in TARGETS}

    def _wait_until_complete(self) -> str:
        """Wait until each host delivers to exactly the ports that are up; return how it differs if it never does."""
        wanted = {
            port["mac_address"]
            for network in self._networks
            for port in self._stage.weft.api.list("ports", network_id=network)
            if port["admin_state_up"]
        }

        def differences() -> dict[str, list[str]]:
            held = {name: self._destinations(name) for name in self._stage.hosts}
            return {name: sorted(found ^ wanted)[:5] for name, found in held.items() if found != wanted}

        try:
            eventually(lambda: not differences(), SETTLED_S, "complete", every_s=0.1)
        except TimeoutError:
            return str(differences())
        return ""

    def _destinations(self, name: str) -> set[str]:
        lines = observe.contents(self._stage.hosts[name])["flows"]
        found = {match[1] for line in lines if (match := DESTINATION.search(line))}
        return {mac for mac in found if mac.startswith(("fa:16:3e", "02:00:00:00:cc"))}
