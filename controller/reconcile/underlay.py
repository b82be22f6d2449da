"""Do frames that one host sends into its tunnel arrive at another? Weft's own probes, for BFD needs fixed peers.

    controller ─packet-out(tun_dst)─▶ A ══ underlay ══▶ B ─packet-in─▶ controller

A probe goes one way: that frames from A reach B says nothing of the way back, which has a probe of its own. It bears
VNI 0, which no segment has, so no guest can send one; and a keyed mark, so that nobody else on the underlay can. The
first probe of a path is expected to be lost: Open vSwitch learns the peer's MAC address from it.

Pure: the caller sends, hears and has the clock; it must tell of arrivals before it asks what is due.
"""

import heapq
import struct
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2s
from hmac import compare_digest
from typing import NamedTuple

from controller.reconcile.ways import GENEVE_OFPORT, TUNNEL_OFPORT
from flows import fields
from flows.features.tunnel import PROBE_VNI
from flows.flow import Action, Output, SetField

ETHERTYPE = 0x88B6
"""Local Experimental Ethertype 2 (IEEE 802 section 9.2.4): who dumps the underlay sees what it is."""
INTERVAL_S = 5.0
"""Between two probes of one path, as long as there are few enough paths."""
ROUND_MOST_S = 30.0
"""Between two probes of one path at most: what would take longer is not probed."""
RATE_PPS = 200
"""Most probes a second, of all hosts together; a target's meter must let twice as many pass."""
MOST_PATHS = int(RATE_PPS * ROUND_MOST_S)
ANSWER_S = 1.0
"""How long a probe may take, and the time between probes of a path that has not been proved yet."""
MISSES = 3
"""So many probes in a row that do not arrive make a path dead."""
FIRST_MISSES = 7
"""So many do it for a path that was not proved yet: with one a second, a switch that says nothing of what arrives
because it is silent altogether is found out first, and its paths are not blamed (`southbound.openflow.watchdog`)."""
KEY_BYTES = 32
_SHOWN = 4
_TUNNELS: Mapping[int, str] = {TUNNEL_OFPORT: "VXLAN", GENEVE_OFPORT: "Geneve"}

_TO, _FROM = bytes.fromhex("025745465402"), bytes.fromhex("025745465403")
"""Locally administered addresses (IEEE 802 section 8.2) that no port has."""
_BODY = struct.Struct("!6s6sH4sHQQQ")
"""Ethernet header; magic; the tunnel's OpenFlow number, datapath ids of source and target, number of the probe."""
_MAGIC = b"WEFT"
_MARK_BYTES = 16
_PERSON = b"probe"
"""Keeps the marks of probes apart from whatever else the key may be used for (RFC 7693 section 2.8)."""


class Path(NamedTuple):
    """One direction between two hosts that have a segment in common."""

    tunnel: int
    """OpenFlow number of the tunnel port, the same on all hosts: VXLAN and Geneve fail apart."""
    source: int
    """Datapath id."""
    target: int


class Probe(NamedTuple):
    """One frame on its way."""

    path: Path
    number: int
    """64 bits; larger than that of every earlier probe of the path."""


class Verdict(Enum):
    """What is known of a path."""

    UNPROVED = "unproved"
    ALIVE = "alive"
    DEAD = "dead"


class Seal:
    """Writes probes as frames, and reads those that bear the mark of the same key."""

    def __init__(self, key: bytes) -> None:
        """Take a secret of this process: `KEY_BYTES` random octets, new at every start, so that nothing old counts."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key of probes needs {KEY_BYTES} octets, not {len(key)}")
        self._key = key

    def frame(self, probe: Probe) -> bytes:
        """Return the frame of a probe: 60 octets, the least there may be before the FCS (IEEE 802.3 section 3.2.8)."""
        path = probe.path
        body = _BODY.pack(_TO, _FROM, ETHERTYPE, _MAGIC, path.tunnel, path.source, path.target, probe.number)
        return body + self._mark(body)

    def read(self, frame: bytes) -> Probe | None:
        """Return the probe a frame is, None when it is none or has no right mark. What follows it does not matter."""
        body, mark = frame[: _BODY.size], frame[_BODY.size : _BODY.size + _MARK_BYTES]
        if len(body) != _BODY.size or not compare_digest(mark, self._mark(body)):
            return None
        _, _, _, _, tunnel, source, target, number = _BODY.unpack(body)
        return Probe(Path(tunnel, source, target), number)

    def _mark(self, body: bytes) -> bytes:
        return blake2s(body, key=self._key, digest_size=_MARK_BYTES, person=_PERSON).digest()


def way(path: Path, endpoint: int) -> tuple[Action, ...]:
    """Return what the source's switch must do with a probe that comes from the controller (a packet-out).

    Args:
        path: The probe's.
        endpoint: IPv4 address of the target's tunnel endpoint.
    """
    return (SetField(fields.TUN_DST, endpoint), SetField(fields.TUN_ID, PROBE_VNI), Output(path.tunnel))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The paths to probe."""

    paths: frozenset[Path]
    is_complete: bool
    """Whether these are all there are; else every host is probed with its neighbours in the order of datapath ids."""


def choose_paths(meetings: Iterable[tuple[int, Collection[int]]], most: int = MOST_PATHS) -> Choice:
    """Return which paths to probe, both directions of each.

    Too many hosts are joined in rings, near neighbours first: a host that is cut off is still found, one broken path
    among thousands may not be.

    Args:
        meetings: For every segment, the OpenFlow number of its tunnel and the datapath ids of the hosts with ports in
            it whose switches are connected and have been told to punt probes.
        most: How many paths may be chosen.
    """
    rings = sorted({(tunnel, tuple(sorted(set(hosts)))) for tunnel, hosts in meetings})
    paths: set[Path] = set()
    for distance in range(1, max((len(hosts) for _, hosts in rings), default=0) // 2 + 1):
        rings = [ring for ring in rings if len(ring[1]) // 2 >= distance]
        for tunnel, hosts in rings:
            for place, host in enumerate(hosts):
                other = hosts[(place + distance) % len(hosts)]
                both = {Path(tunnel, host, other), Path(tunnel, other, host)} - paths
                if len(paths) + len(both) > most:
                    return Choice(paths=frozenset(paths), is_complete=False)
                paths |= both
    return Choice(paths=frozenset(paths), is_complete=True)


@dataclass(slots=True)
class _Watch:
    """What is known of one path."""

    due_at: float
    sent: int = 0
    """Number of the last probe; 0 for none."""
    heard: int = 0
    """Number of the last probe that arrived."""
    missed: int = 0
    """Probes in a row that did not arrive."""
    verdict: Verdict = Verdict.UNPROVED


class Prober:
    """Says which probes are due, and concludes from those that arrive; owned by the reconciler's thread."""

    def __init__(self, now: float, *, rate_pps: float = RATE_PPS, interval_s: float = INTERVAL_S) -> None:
        """Begin with no path.

        Args:
            now: Seconds of a clock that never goes back, as everywhere here.
            rate_pps: Most probes a second.
            interval_s: Between two probes of one path, or more when the rate is not enough for all.
        """
        self._rate_pps, self._interval_s = rate_pps, interval_s
        self._allowance, self._allowed_at = rate_pps, now
        self._watches: dict[Path, _Watch] = {}
        self._queue: list[tuple[float, Path]] = []
        self._number = 0
        self._turned: set[Path] = set()

    # what is probed ---------------------------------------------------------------------------------------------------

    def want(self, paths: Collection[Path], now: float) -> None:
        """Probe these paths from now on and no others; nothing is known of a path that is not probed."""
        wanted = frozenset(paths)
        for path in self._watches.keys() - wanted:
            if self._watches.pop(path).verdict is not Verdict.UNPROVED:
                self._turned.add(path)
        for path in sorted(wanted - self._watches.keys()):
            self._watches[path] = _Watch(now)
            heapq.heappush(self._queue, (now, path))

    @property
    def interval_s(self) -> float:
        """The time between two probes of one path now."""
        return max(self._interval_s, len(self._watches) / self._rate_pps)

    @property
    def deadline(self) -> float | None:
        """When `due` should be asked next; None while there is nothing to probe."""
        if not self._queue:
            return None
        return max(self._queue[0][0], self._allowed_at + max(0.0, 1 - self._allowance) / self._rate_pps)

    # sending and hearing ----------------------------------------------------------------------------------------------

    def due(self, now: float) -> list[Probe]:
        """Return the probes to send now, and conclude from those that should have arrived since."""
        earned = (now - self._allowed_at) * self._rate_pps
        self._allowance, self._allowed_at = min(self._rate_pps, self._allowance + earned), now
        probes: list[Probe] = []
        while self._queue and self._queue[0][0] <= now and self._allowance >= 1:
            due_at, path = heapq.heappop(self._queue)
            watch = self._watches.get(path)
            if watch is None or watch.due_at != due_at:
                continue  # no longer wanted, or wanted anew since
            if watch.sent > watch.heard:
                self._miss(path, watch)
            self._number += 1
            watch.sent = self._number
            self._schedule(path, watch, now)
            self._allowance -= 1
            probes.append(Probe(path, self._number))
        return probes

    def unsent(self, probe: Probe) -> None:
        """Note that a probe could not be handed to the switch of its source: that it is missing says nothing."""
        watch = self._watches.get(probe.path)
        if watch is not None and watch.sent == probe.number:
            watch.sent = watch.heard

    def arrived(self, probe: Probe, at: int) -> None:
        """Note a probe that the switch with datapath id `at` punted; old ones, and those gone astray, do not count."""
        watch = self._watches.get(probe.path)
        if watch is None or at != probe.path.target or not watch.heard < probe.number <= watch.sent:
            return
        watch.heard, watch.missed = probe.number, 0
        self._turn(probe.path, watch, Verdict.ALIVE)

    def _miss(self, path: Path, watch: _Watch) -> None:
        watch.missed += 1
        if watch.missed >= (FIRST_MISSES if watch.verdict is Verdict.UNPROVED else MISSES):
            self._turn(path, watch, Verdict.DEAD)

    def _turn(self, path: Path, watch: _Watch, verdict: Verdict) -> None:
        if watch.verdict is not verdict:
            watch.verdict = verdict
            self._turned.add(path)

    def _schedule(self, path: Path, watch: _Watch, now: float) -> None:
        watch.due_at = now + (ANSWER_S if watch.verdict is Verdict.UNPROVED else self.interval_s)
        heapq.heappush(self._queue, (watch.due_at, path))

    # what is concluded ------------------------------------------------------------------------------------------------

    def verdict(self, path: Path) -> Verdict:
        """Return what is known of a path."""
        watch = self._watches.get(path)
        return Verdict.UNPROVED if watch is None else watch.verdict

    def take_turned(self) -> frozenset[Path]:
        """Return the paths of which something else is to be said than when this was last asked."""
        turned, self._turned = frozenset(self._turned), set()
        return turned

    def dead(self, dpid: int) -> frozenset[Path]:
        """Return the dead paths from and to a host."""
        return frozenset(p for p, w in self._watches.items() if w.verdict is Verdict.DEAD and dpid in p[1:])

    def counts(self, dpid: int | None = None) -> Mapping[str, int]:
        """Return how many paths from and to a host, or all of them, are in which state."""
        counts = {verdict.value: 0 for verdict in Verdict}
        for path, watch in self._watches.items():
            if dpid is None or dpid in path[1:]:
                counts[watch.verdict.value] += 1
        return counts

    def problem(self, dpid: int, name: Callable[[int], str]) -> str | None:
        """Return one sentence about a host's dead paths, None when it has none; `name` tells a datapath's host."""
        return broken(self.dead(dpid), dpid, name)


def broken(dead: Collection[Path], dpid: int, name: Callable[[int], str]) -> str | None:
    """Return one sentence about dead paths from and to a host, None when there is none."""
    parts = []
    for tunnel in sorted({path.tunnel for path in dead}, reverse=True):
        frames = f"no {_TUNNELS.get(tunnel, 'tunnel')} frames"
        if sources := {path.source for path in dead if (path.tunnel, path.target) == (tunnel, dpid)}:
            parts.append(f"{frames} arrive from {_listed(sources, name)}")
        if targets := {path.target for path in dead if (path.tunnel, path.source) == (tunnel, dpid)}:
            parts.append(f"{frames} reach {_listed(targets, name)}")
    if not parts:
        return None
    return f"{', '.join(parts)}: check the underlay between them (address, route, firewall)"


def _listed(dpids: Collection[int], name: Callable[[int], str]) -> str:
    names = sorted(name(dpid) for dpid in dpids)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
