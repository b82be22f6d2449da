"""What happens in one seeded story of faults? Guests move, change networks and swap; processes die; nobody may notice.

Two networks have the same CIDR, and each MAC and address is in both: every guest has a twin in the other network. The
order of everything is the seed's; when exactly a kill falls is the machine's.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.lab import process
from tests.lab.api import ApiError
from tests.lab.process import CommandError, eventually
from tests.lab_faults.membership import MARGIN_S, Sighting
from tests.lab_faults.proxy import Way
from tests.lab_faults.stage import Stage
from tests.lab_faults.watch import Guest, Target, Watch

SLOTS = 3
TARGETS = tuple(Target(mac=f"02:00:00:00:aa:{n:02x}", address=f"10.50.0.{n + 10}") for n in range(1, SLOTS + 1))
CIDR = "10.50.0.0/24"
CONVERGED_S = 30.0
DELIVERED_S = 10.0
LONGEST_CUT = 20_000


@dataclass(slots=True)
class Seat:
    """One guest and the port it has."""

    guest: Guest
    slot: int
    network: str
    host: str
    plugged: bool
    """The device has a name of compute's own and is plugged by iface-id; otherwise it has the pre-wired name."""
    port: str = ""
    since: float | None = None
    """When the last change of its port was over, while that is not seen to be ACTIVE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one story."""

    seed: int
    steps: tuple[str, ...]
    sent: int
    sightings: int
    breaches: tuple[Sighting, ...]
    unsettled: str
    """What did not come right in the end; empty when everything did."""
    seconds: float
    began: float
    """Seconds since 1970: what sightings count from."""

    @property
    def told_breaches(self) -> tuple[str, ...]:
        """The breaches, with the seconds of the story at which their frames were sent."""
        return tuple(f"{sighting.sent - self.began:6.2f} {sighting}" for sighting in self.breaches)

    @property
    def is_good(self) -> bool:
        """Whether nothing leaked and everything converged."""
        return not self.breaches and not self.unsettled

    def __str__(self) -> str:
        """Return one line."""
        verdict = "ok" if self.is_good else f"FAILED breaches={len(self.breaches)} unsettled={self.unsettled!r}"
        first = f" first={self.breaches[0]}" if self.breaches else ""
        return f"seed {self.seed}: {verdict}{first} sightings={self.sightings} in {self.seconds:.1f} s"


class Story:
    """One seed's run on a stage that is whole and empty."""

    def __init__(self, stage: Stage, seed: int, *, steps: int) -> None:
        self._stage, self._seed, self._length = stage, seed, steps
        self._rng = random.Random(seed)
        self._fault_rng = random.Random(seed + 1_000_003)
        self._watch = Watch(TARGETS)
        self._told: list[str] = []
        self._began = time.monotonic()
        self._over = threading.Event()
        self._failure: list[BaseException] = []
        self._devices = 0
        self._seats: list[Seat] = []
        self._networks: tuple[str, ...] = ()

    def run(self) -> Outcome:
        """Play it to its end and judge."""
        unsettled = ""
        with self._watch:
            self._open()
            faults = threading.Thread(target=self._hurt, name="faults", daemon=True)
            faults.start()
            try:
                for _ in range(self._length):
                    self._act()
                    self._note_settled()
            finally:
                self._over.set()
                faults.join()
            if self._failure:
                raise self._failure[0]
            try:
                self._converge()
            except TimeoutError as error:
                unsettled = str(error)
        return Outcome(
            seed=self._seed,
            steps=tuple(self._told),
            sent=self._watch.sent,
            sightings=len(self._watch.sightings),
            breaches=tuple(self._watch.breaches()),
            unsettled=unsettled,
            seconds=time.monotonic() - self._began,
            began=time.time() - (time.monotonic() - self._began),
        )

    def _tell(self, what: str) -> None:
        self._told.append(f"{time.monotonic() - self._began:6.2f} {what}")

    # ---- the cast

    def _open(self) -> None:
        self._networks = tuple(self._stage.network(CIDR, name=name) for name in ("red", "blue"))
        for network in self._networks:
            for slot, target in enumerate(TARGETS):
                guest = Guest(number=len(self._seats) + 1, mac=target.mac, address=target.address)
                host = self._rng.choice(list(self._stage.hosts))
                seat = Seat(guest, slot, network, host, plugged=self._rng.random() < 0.5)
                guest.history.become([network], time.time())
                self._seats.append(seat)
                self._create(seat)
                self._boot(seat)
        for seat in self._seats:
            self._stage.weft.wait_for_port(seat.port)

    def _name(self, seat: Seat) -> str:
        network = self._networks.index(seat.network)
        return f"guest {seat.guest.number} ({'red' if network == 0 else 'blue'}.{seat.slot} on {seat.host})"

    def _boot(self, seat: Seat) -> None:
        host = self._stage.hosts[seat.host]
        self._devices += 1
        device = f"x{self._devices}" if seat.plugged else f"tap{seat.port[:11]}"
        vm = host.boot_vm(f"g{seat.guest.number}n{self._devices}", device=device, mac=seat.guest.mac, ipv6=False)
        self._watch.join(seat.guest, vm)
        if seat.plugged:
            self._plug(seat)

    def _vsctl(self, seat: Seat, *arguments: str) -> None:
        """Run ovs-vsctl on the seat's host, again while its database is away; never wait for ovs-vswitchd."""
        deadline = time.monotonic() + 30
        while True:
            try:
                self._stage.hosts[seat.host].vsctl("--no-wait", *arguments)
            except CommandError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def _plug(self, seat: Seat) -> None:
        assert seat.guest.vm is not None
        device = seat.guest.vm.device
        self._vsctl(
            seat,
            *("--may-exist", "add-port", "br-int", device, "--", "set", "Interface", device),
            *(f"external_ids:iface-id={seat.port}", f'external_ids:attached-mac="{seat.guest.mac}"'),
        )

    def _unplug(self, seat: Seat) -> None:
        assert seat.guest.vm is not None
        self._vsctl(seat, "--if-exists", "del-port", "br-int", seat.guest.vm.device)

    def _replug(self, seat: Seat) -> None:
        """Make the guest's device that of its new port."""
        vm = seat.guest.vm
        assert vm is not None
        if seat.plugged:
            self._plug(seat)
            return
        ip = ["ip", "-n", vm.host_namespace, "link", "set", vm.device]
        process.run([*ip, "down"])
        vm.device = f"tap{seat.port[:11]}"
        process.run([*ip, "name", vm.device, "up"])

    def _create(self, seat: Seat) -> None:
        """Create the seat's port; a try whose answer was lost is found again by its MAC."""
        target = TARGETS[seat.slot]
        body = {
            "network_id": seat.network,
            "binding:host_id": seat.host,
            "mac_address": target.mac,
            "fixed_ips": [{"ip_address": target.address}],
        }
        api = self._stage.weft

        def create() -> str:
            try:
                return str(api.api.create("port", **body)["id"])
            except ApiError as error:
                if error.status != 409:
                    raise
                return str(api.api.list("ports", network_id=seat.network, mac_address=target.mac)[0]["id"])

        seat.port = self._stage.persist(create)

    # ---- what happens

    def _act(self) -> None:
        self._rng.choice((self._swap, self._swap, self._move, self._flip, self._recreate))()
        time.sleep(self._rng.uniform(0.0, 0.5))

    def _twins(self) -> tuple[Seat, Seat]:
        slot = self._rng.randrange(SLOTS)
        one, two = (seat for seat in self._seats if seat.slot == slot)
        return (one, two) if self._rng.random() < 0.5 else (two, one)

    def _swap(self) -> None:
        """Two guests with the same MAC and address exchange their networks."""
        pair = self._twins()
        self._tell(f"swap {self._name(pair[0])} and {self._name(pair[1])}")
        for seat in pair:
            seat.since = None
            seat.guest.history.become(self._networks, time.time())
        for seat in pair:
            if seat.plugged and self._rng.random() < 0.3:
                self._unplug(seat)
            self._stage.delete_port(seat.port)
        pair[0].network, pair[1].network = pair[1].network, pair[0].network
        if self._rng.random() < 0.5:
            for seat in pair:
                self._create(seat)
                self._replug(seat)
        else:
            for seat in pair:
                self._create(seat)
            for seat in reversed(pair):
                self._replug(seat)
        for seat in pair:
            seat.since = time.monotonic()

    def _recreate(self) -> None:
        """A port is deleted and made again with the same MAC and address in the same network."""
        seat = self._rng.choice(self._seats)
        self._tell(f"recreate {self._name(seat)}")
        self._stage.delete_port(seat.port)
        self._create(seat)
        self._replug(seat)
        if seat.since is not None:
            seat.since = time.monotonic()

    def _move(self) -> None:
        """A guest moves to another host; its port is the same."""
        seat = self._rng.choice(self._seats)
        to = self._rng.choice([name for name in self._stage.hosts if name != seat.host])
        self._tell(f"move {self._name(seat)} to {to}")
        vm = seat.guest.vm
        assert vm is not None
        bind_first = self._rng.random() < 0.5
        if bind_first:
            self._put(f"ports/{seat.port}", "port", {"binding:host_id": to})
        self._watch.leave(seat.guest)
        if seat.plugged:
            self._unplug(seat)
        self._stage.hosts[seat.host].destroy_vm(vm)
        seat.host = to
        self._boot(seat)
        if not bind_first:
            self._put(f"ports/{seat.port}", "port", {"binding:host_id": to})

    def _flip(self) -> None:
        """The administrator closes a port or a whole network for a moment."""
        seat = self._rng.choice(self._seats)
        whole = self._rng.random() < 0.4
        path, resource = (f"networks/{seat.network}", "network") if whole else (f"ports/{seat.port}", "port")
        self._tell(f"flip the {resource} of {self._name(seat)}")
        self._put(path, resource, {"admin_state_up": False})
        time.sleep(self._rng.uniform(0.0, 0.2))
        self._put(path, resource, {"admin_state_up": True})

    def _put(self, path: str, resource: str, changes: dict[str, Any]) -> None:
        self._stage.persist(lambda: self._stage.weft.api.put(f"/v2.0/{path}", {resource: changes}))

    def _note_settled(self) -> None:
        """Narrow what a guest may belong to, once its new port is proven."""
        for seat in self._seats:
            if seat.since is not None and time.monotonic() - seat.since > 0.0 and self._is_active(seat):
                seat.since = None
                seat.guest.history.become([seat.network], time.time() + MARGIN_S)

    def _is_active(self, seat: Seat) -> bool:
        shown = self._stage.persist(lambda: self._stage.weft.api.show("port", seat.port))
        return bool(shown["status"] == "ACTIVE" and shown["binding:host_id"] == seat.host)

    # ---- what dies

    def _hurt(self) -> None:
        """Kill and cut at random points until the story is over; everything is whole again afterwards."""
        faults: tuple[Callable[[], None], ...] = (
            self._kill_vswitchd,
            self._kill_ovsdb,
            self._stage_kill_controller,
            self._kill_weft,
            self._cut_switch,
            self._cut_switch,
            self._cut_database,
        )
        try:
            while not self._over.wait(self._fault_rng.uniform(0.1, 1.2)):
                self._fault_rng.choice(faults)()
        except BaseException as error:  # noqa: BLE001 - shown by the thread that runs the story
            self._failure.append(error)

    def _any_host(self) -> str:
        return self._fault_rng.choice(list(self._stage.hosts))

    def _kill_vswitchd(self) -> None:
        name = self._any_host()
        self._tell(f"  kill ovs-vswitchd of {name}")
        self._stage.hosts[name].kill_vswitchd()
        time.sleep(self._fault_rng.uniform(0.0, 0.4))
        self._stage.hosts[name].start_vswitchd()
        self._stage.lab.warm_up()

    def _kill_ovsdb(self) -> None:
        name = self._any_host()
        self._tell(f"  kill ovsdb-server of {name}")
        self._stage.hosts[name].kill_ovsdb()
        time.sleep(self._fault_rng.uniform(0.0, 0.4))
        self._stage.hosts[name].start_ovsdb()

    def _stage_kill_controller(self) -> None:
        self._tell("  kill the controller process")
        try:
            self._stage.kill_controller()
        except process.LabError:
            self._tell("  (it was dead already)")

    def _kill_weft(self) -> None:
        self._tell("  kill weft serve")
        self._stage.weft.kill()
        time.sleep(self._fault_rng.uniform(0.0, 0.3))
        self._stage.weft.start()

    def _cut_switch(self) -> None:
        name, way = self._any_host(), self._fault_rng.choice(list(Way))
        after = self._fault_rng.choice((0, self._fault_rng.randrange(LONGEST_CUT), self._fault_rng.randrange(600)))
        self._tell(f"  cut OpenFlow of {name} after {after} octets {way.value}")
        self._stage.switch(name).cut_after[way] = after

    def _cut_database(self) -> None:
        name, way = self._any_host(), self._fault_rng.choice(list(Way))
        after = self._fault_rng.randrange(LONGEST_CUT)
        self._tell(f"  cut OVSDB of {name} after {after} octets {way.value}")
        self._stage.database(name).cut_after[way] = after

    # ---- the end

    def _converge(self) -> None:
        """Wait until everything is as asked for, and every two guests of one network reach each other.

        Raises:
            TimeoutError: It is not, after a generous time.
        """
        self._stage.heal()
        self._stage.lab.warm_up()
        began = time.monotonic()
        for seat in self._seats:
            self._wait_until_active(seat)
            seat.guest.history.become([seat.network], time.time() + MARGIN_S)
        self._tell(f"all ports are ACTIVE after {time.monotonic() - began:.2f} s")
        self._stage.settle(CONVERGED_S)
        since = time.time()
        legal = {
            (one.guest.number, two.guest.number)
            for one in self._seats
            for two in self._seats
            if one is not two and one.network == two.network
        }
        eventually(
            lambda: legal <= self._watch.pairs(since),
            DELIVERED_S,
            lambda: f"pairs that cannot reach each other: {sorted(legal - self._watch.pairs(since))}; {self._cast()}",
        )
        time.sleep(MARGIN_S)
        self._tell("every legal pair has been heard")

    def _wait_until_active(self, seat: Seat) -> None:
        eventually(lambda: self._is_active(seat), CONVERGED_S, lambda: self._why(seat))

    def _why(self, seat: Seat) -> str:
        status = self._stage.weft.api.request("GET", f"/v2.0/ports/{seat.port}/status").text
        return f"{self._name(seat)} port {seat.port} is ACTIVE; Weft says {status}"

    def _cast(self) -> str:
        return "; ".join(f"{self._name(seat)} port {seat.port}" for seat in self._seats)
