"""Can an application of three tiers be made from a flavor, and scaled while its machines talk to each other?

``scripts/run --example three-tier``: ``examples/three-tier.yaml`` goes into the catalog and becomes a container by the
command line a user has; guests are plugged into its ports, and ping each other before and after it is scaled.
"""

import contextlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import Lab, Vm, Weft
from tests.lab.hypervisor import Hypervisor

ROOT = Path(__file__).resolve().parents[1]
FLAVOR = ROOT / "examples" / "three-tier.yaml"
NAME = "shop"
FIRST = {"web_servers": 2, "app_servers": 1}
SCALED = {"web_servers": 3, "app_servers": 2}
PASSES = frozenset({("web", "app_front"), ("app_back", "db")})
"""Which tier reaches which; an application server has an interface in each network, here a guest for each."""
PINGS = 2
PATIENCE_S = 0.5
AT_ONCE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A machine's interface."""

    tier: str
    vm: Vm
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of pings, how many answers were expected and how many came."""

    what: str
    expected: int
    seen: int

    @property
    def is_right(self) -> bool:
        """Whether all answers came, or none, as was expected."""
        return self.expected == self.seen


@dataclass(kw_only=True)
class Application:
    """The container and the guests in it."""

    weft: Weft
    hosts: Sequence[Hypervisor]
    template: Path = FLAVOR
    by_dhcp: bool = False
    """Guests ask for their addresses; else they are told."""
    guests: dict[str, Guest] = field(default_factory=dict)
    """By the path of their port."""

    def create(self) -> dict[str, Any]:
        """Put the flavor into the catalog and make a container of it."""
        self.weft.command("container-flavor", "create", "three-tier", "--template", str(self.template))
        return self._container("create", NAME, "--flavor", "three-tier", *_options(FIRST))

    def scale(self) -> dict[str, Any]:
        """Change the parameters of the running container."""
        return self._container("set", NAME, *_options(SCALED))

    def boot(self) -> list[str]:
        """Plug a guest into every port that has none; return what was started where."""
        started = []
        members = self._container("show", NAME)["members"]
        for member in members:
            if member["type"] != "port" or member["path"] in self.guests:
                continue
            port = self.weft.api.show("port", member["id"])
            host = self.hosts[len(self.guests) % len(self.hosts)]
            vm = host.boot_vm(port["name"], device=f"tap{port['id'][:11]}", mac=port["mac_address"])
            host.plug(vm, port["id"])
            self.weft.wait_for_port(port["id"])
            address = str(port["fixed_ips"][0]["ip_address"])
            if self.by_dhcp:
                vm.dhcp()
            else:
                vm.address_set(f"{address}/24")
            tier = member["path"].partition("[")[0]
            self.guests[member["path"]] = Guest(tier=tier, vm=vm, address=address)
            started.append(f"{port['name']:12} on {host.name}: {address}")
        return started

    def pings(self) -> list[Row]:
        """Ping from the newest guest of every tier to every guest, several at a time."""
        pairs = [(source, path) for source in self._askers() for path in self.guests if path != source]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda pair: self._ping(*pair), pairs))

    def _ping(self, source: str, target: str) -> Row:
        here, there = self.guests[source], self.guests[target]
        passes = (here.tier, there.tier) in PASSES
        if passes:
            with contextlib.suppress(TimeoutError):
                here.vm.ping_until_answered(there.address)  # a new way takes its time; the count below tells
        result = here.vm.ping(there.address, count=PINGS if passes else 1, timeout_s=PATIENCE_S)
        return Row(what=f"{source} pings {target}", expected=PINGS if passes else 0, seen=result.received)

    def close(self) -> None:
        """End the guests, and delete the container and its flavor."""
        for guest in self.guests.values():
            host = next(host for host in self.hosts if guest.vm.name in host.vms)
            host.unplug(guest.vm)
            host.destroy_vm(guest.vm)
        self.guests.clear()
        self.weft.command("container", "delete", NAME)
        self.weft.command("container-flavor", "delete", "three-tier")

    def _askers(self) -> list[str]:
        """Return the newest guest of each tier."""
        return list({guest.tier: path for path, guest in self.guests.items()}.values())

    def _container(self, *arguments: str) -> dict[str, Any]:
        return dict(json.loads(self.weft.command("container", *arguments, "--format", "json")))


def _options(parameters: dict[str, int]) -> list[str]:
    return [word for name, value in parameters.items() for word in ("--parameter", f"{name}={value}")]


def demonstrate(weft: Weft, lab: Lab, tell: Any) -> bool:
    """Tell the whole story; true when every ping was as expected and none was lost while it was scaled."""
    application = Application(weft=weft, hosts=list(lab.hypervisors.values()), by_dhcp=True)
    tell(f"weft container-flavor create three-tier --template {FLAVOR.relative_to(ROOT)}")
    tell(f"weft container create {NAME} --flavor three-tier {' '.join(_options(FIRST))}")
    made = application.create()
    front = next(one["id"] for one in made["members"] if one["path"] == "front")
    plugin = weft.api.show("network", front)["weft:plugin"]
    tell(f"  {len(made['members'])} members, realised by {plugin}")
    is_right = _boot_and_ping(application, tell)
    web, app = application.guests["web[0]"], application.guests["app_front[0]"]
    tell(f"\nweft container set {NAME} {' '.join(_options(SCALED))}    (web[0] goes on pinging app_front[0])")
    with web.vm.pinging(app.address) as going:
        changed = application.scale()
        for change in changed["changes"]:
            tell(f"  {change['change']:8} {change['type']:20} {change['path']}")
        is_right = _boot_and_ping(application, tell) and is_right
        lost = going.stop()
    tell(f"\nmeanwhile web[0] pinged app_front[0] {lost.sent} times, {lost.lost} lost")
    tell(f"weft container drift {NAME}")
    tell(weft.command("container", "drift", NAME))
    application.close()
    left = weft.api.list("networks") + weft.api.list("ports")
    tell(f"weft container delete {NAME}: {len(left)} networks and ports left")
    return is_right and lost.lost == 0 and not left


def _boot_and_ping(application: Application, tell: Any) -> bool:
    tell("plugging guests")
    for line in application.boot():
        tell(f"  {line}")
    rows = application.pings()
    for row in rows:
        verdict = "ok" if row.is_right else "FAILED"
        tell(f"  {row.what:32} answers: {row.seen}, expected: {row.expected}  {verdict}")
    return all(row.is_right for row in rows)
