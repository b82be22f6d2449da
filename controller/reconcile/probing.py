"""Whom do the hosts probe, and what follows from what is found out?

    model, bridges ─▶ paths between hosts that share a segment ─▶ Prober ─▶ packet-outs
                          packet-ins ─▶ arrivals, bounded ────────┘  └──▶ problems of hosts and ports, log, counts

`underlay` decides, pure; this is its place among the reconciler's neighbours.
"""

import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from controller.reconcile.bridge import Bridge
from controller.reconcile.index import discard
from controller.reconcile.model import Model
from controller.reconcile.segments import segment_on
from controller.reconcile.translate import ipv4_number
from controller.reconcile.underlay import (
    INTERVAL_S,
    Path,
    Probe,
    Prober,
    Seal,
    Verdict,
    broken,
    choose_paths,
    way,
)
from controller.reconcile.ways import tunnel_ofport
from controller.records import HostName, Network, OfPort, Segment, SegmentKey
from flows.cookie import Feature, decode
from flows.flow import Action

_log = logging.getLogger(__name__)

MOST_WAITING = 4096
"""Arrivals that wait for the reconciler; at the prober's rate these are twenty seconds of them."""
LEAST_S = 0.05
"""Between two times at which probes are sent: what is due in between goes together."""
Bridges = Mapping[HostName, Bridge]
Offer = Callable[[int, tuple[Action, ...], bytes], bool]
"""(datapath id, actions, frame): sends without waiting; whether the switch took it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """Of whom something else is to be said than before."""

    hosts: frozenset[HostName] = frozenset()
    """Hosts with a path that died, came back or is no longer probed."""
    ports_of: frozenset[HostName] = frozenset()
    """Hosts whose ports' states are to be decided again."""


class Probing:
    """Owned by the reconciler's thread, but for `packet_in` and `counts`, which any thread may call."""

    def __init__(
        self, *, offer: Offer, seal: Seal, monotonic: Callable[[], float], interval_s: float = INTERVAL_S
    ) -> None:
        """Begin with no path.

        Args:
            offer: The OpenFlow side.
            seal: Writes and reads probes.
            monotonic: Seconds of a clock that never goes back.
            interval_s: Between two probes of one path, as long as there are few enough.
        """
        self._offer, self._seal, self._monotonic = offer, seal, monotonic
        self._prober = Prober(monotonic(), interval_s=interval_s)
        self._arrivals: queue.Queue[tuple[int, Probe]] = queue.Queue(MOST_WAITING)
        self._lock = threading.Lock()
        self._counts = Counter(dict.fromkeys(("sent", "unsent", "arrived", "forged", "dropped"), 0))
        self._told: set[int] = set()
        """Datapath ids of the switches that hold what is desired, and with it the flows that punt probes."""
        self._is_outdated, self._is_complete = True, True
        self._names: Mapping[int, HostName] = {}
        self._endpoints: Mapping[int, int] = {}
        self._dead: dict[int, set[Path]] = {}
        """The dead paths of each host that has any, by datapath id."""

    # what other threads call ------------------------------------------------------------------------------------------

    def packet_in(self, dpid: int, cookie: int, in_port: int, frame: bytes) -> bool:
        """Take a punted frame if it was punted as a probe; whether it was.

        Whoever sends on the underlay from the address of a registered host decides how many there are, up to the rate
        of a meter: what bears no right mark ends here.
        """
        owner = decode(cookie)
        if owner is None or owner.feature is not Feature.PROBE:
            return False
        probe = self._seal.read(frame)
        if probe is None or probe.path.tunnel != in_port:
            self._count("forged")
            return True
        try:
            self._arrivals.put_nowait((dpid, probe))
        except queue.Full:
            self._count("dropped")
        return True

    def counts(self) -> Mapping[str, int]:
        """Return how many probes were sent, not taken by a switch, arrived, bore a wrong mark, and were dropped."""
        with self._lock:
            return dict(self._counts)

    # what the reconciler tells ----------------------------------------------------------------------------------------

    def outdated(self) -> None:
        """Note that other hosts may have segments in common than before; they are looked at again with the tick."""
        self._is_outdated = True

    def told(self, dpid: int) -> None:
        """Note that a switch holds what is desired of it."""
        if dpid not in self._told:
            self._told.add(dpid)
            self._is_outdated = True

    def lost(self, dpid: int) -> None:
        """Note that a switch is not connected, or that its host is removed."""
        if dpid in self._told:
            self._told.discard(dpid)
            self._is_outdated = True

    def wait_s(self, most: float) -> float:
        """Return in how many seconds `run` should be called again, at most `most`."""
        deadline = self._prober.deadline
        return most if deadline is None else min(most, max(LEAST_S, deadline - self._monotonic()))

    def run(self, model: Model, bridges: Bridges, *, is_tick: bool) -> Turned:
        """Hear what arrived, send what is due, and return who is concerned by what that turned."""
        now = self._monotonic()
        self._hear()  # before anything is found missing
        is_chosen_anew = is_tick and self._is_outdated
        if is_chosen_anew:
            self._choose(model, bridges, now)
        for probe in self._prober.due(now):
            self._send(probe)
        hosts = self._take_turned()
        # With dead paths about, a host that has joined or left a network changes what is said of that network's ports.
        more = frozenset(self._named(self._dead)) if is_chosen_anew else frozenset[HostName]()
        return Turned(hosts=hosts, ports_of=hosts | more)

    # what is concluded ------------------------------------------------------------------------------------------------

    def problem(self, dpid: int) -> str | None:
        """Return one sentence about a host's dead paths, None when it has none."""
        return broken(self._dead.get(dpid, ()), dpid, self._name)

    def cut_off(self, model: Model, network: Network, dpid: int) -> str | None:
        """Return one sentence about dead paths between a host and others with ports of a network, None without any."""
        dead = self._dead.get(dpid)
        if not dead:
            return None
        segment = segment_on(network, model.hosts.get(self._names.get(dpid, HostName(""))))
        tunnel = tunnel_ofport(segment.network_type)
        ends = ((path, path.source if path.target == dpid else path.target) for path in dead if path.tunnel == tunnel)
        return broken({path for path, other in ends if self._is_on(model, network, segment, other)}, dpid, self._name)

    def paths(self) -> Mapping[str, int]:
        """Return how many paths are in which state."""
        return self._prober.counts()

    def dead_paths(self, dpid: int) -> int:
        """Return how many dead paths a host has, from it and to it."""
        return len(self._dead.get(dpid, ()))

    # the work ---------------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        for _ in range(self._arrivals.qsize()):
            dpid, probe = self._arrivals.get_nowait()
            self._prober.arrived(probe, dpid)
            self._count("arrived")

    def _send(self, probe: Probe) -> None:
        endpoint = self._endpoints[probe.path.target]
        if self._offer(probe.path.source, way(probe.path, endpoint), self._seal.frame(probe)):
            self._count("sent")
        else:
            self._prober.unsent(probe)
            self._count("unsent")

    def _choose(self, model: Model, bridges: Bridges, now: float) -> None:
        """Probe between the hosts that share a segment now."""
        self._is_outdated = False
        self._names = {bridge.host.datapath_id: name for name, bridge in bridges.items()}
        self._endpoints = {
            bridge.host.datapath_id: ipv4_number(bridge.host.tunnel_ip)
            for bridge in bridges.values()
            if bridge.host.tunnel_ip and bridge.host.datapath_id in self._told
        }
        choice = choose_paths(self._meetings(model, bridges))
        if choice.is_complete != self._is_complete:
            self._is_complete = choice.is_complete
            _log.warning("underlay_probed paths=%d complete=%s", len(choice.paths), choice.is_complete)
        self._prober.want(choice.paths, now)

    def _meetings(self, model: Model, bridges: Bridges) -> Iterator[tuple[int, Collection[int]]]:
        """Yield the tunnel of each segment, and the hosts with ports in it that can be probed through it."""
        for network in model.networks.values():
            members = model.members(network.id)
            if len(members) == 1:
                continue
            met: dict[tuple[SegmentKey, OfPort], list[int]] = {}
            for bridge in filter(None, map(bridges.get, members)):
                segment = segment_on(network, bridge.host)
                tunnel = bridge.plugs.ways.tunnel(segment.network_type)
                if tunnel is not None and bridge.host.datapath_id in self._endpoints:
                    met.setdefault((segment.key, tunnel), []).append(bridge.host.datapath_id)
            yield from ((tunnel, dpids) for (_, tunnel), dpids in met.items())

    def _is_on(self, model: Model, network: Network, segment: Segment, dpid: int) -> bool:
        """Whether a host has ports in a network, and realises this segment of it."""
        name = self._names.get(dpid, HostName(""))
        return name in model.members(network.id) and segment_on(network, model.hosts.get(name)).key == segment.key

    def _take_turned(self) -> frozenset[HostName]:
        """Take in which paths died and which did not stay dead; return the hosts concerned."""
        changed: set[int] = set()
        for path in self._prober.take_turned():
            is_dead = self._prober.verdict(path) is Verdict.DEAD
            for dpid in (path.source, path.target):
                if is_dead and path not in self._dead.get(dpid, ()):
                    self._dead.setdefault(dpid, set()).add(path)
                    changed.add(dpid)
                elif not is_dead and path in self._dead.get(dpid, ()):
                    discard(self._dead, dpid, path)
                    changed.add(dpid)
        for dpid in changed:
            host, dead = self._name(dpid), self.dead_paths(dpid)
            if dead:
                _log.warning("underlay_broken host=%s dead_paths=%d problem=%r", host, dead, self.problem(dpid))
            else:
                _log.info("underlay_unbroken host=%s", host)
        return frozenset(self._named(changed))

    def _named(self, dpids: Iterable[int]) -> Iterator[HostName]:
        return (self._names[dpid] for dpid in dpids if dpid in self._names)

    def _name(self, dpid: int) -> str:
        return str(self._names.get(dpid, f"{dpid:016x}"))

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1
