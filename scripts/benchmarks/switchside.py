"""How is the OpenFlow side of the product run alone? Its service in this process, with generated flows."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from controller.southbound.openflow.events import SwitchEvent
from controller.southbound.openflow.service import OpenFlowService
from flows.delta import Tables
from flows.features import l2
from flows.flow import Flow
from flows.intent import RemotePortIntent
from tests.lab.hypervisor import Hypervisor

T = TypeVar("T")
TUNNEL_OFPORT = 65279
FIRST_DPID = 0x5700000000000001


def remote_flows(count: int, first: int = 1) -> Iterator[Flow]:
    """Yield flows as those that send to ports of other hosts: the bulk of every large cloud."""
    for number in range(first, first + count):
        yield from l2.remote_flows(
            RemotePortIntent(
                port=number,
                segment=1 + number % 100,
                vni=1 + number % 100,
                mac=0x02_0000_000000 + number,
                endpoint=0xAC1F0000 + number % 200,
                tunnel_ofport=TUNNEL_OFPORT,
                owned=(),
                ruleset=0,
                groups=(),
            )
        )


def tables(flows: Iterator[Flow]) -> Tables:
    """Return a whole state."""
    return Tables(flows={flow.key: flow for flow in flows}, groups={}, meters={})


class OpenFlowSide:
    """The product's OpenFlow service on an address that switches reach, and what it reported, with times."""

    def __init__(self, dpids: range, address: str, port: int = 0) -> None:
        self.dpids = dpids
        self._seen: list[tuple[float, int, SwitchEvent]] = []
        self._changed = threading.Condition()
        listener = socket.create_server((address, port), backlog=1000)
        self.target = "tcp:{}:{}".format(*listener.getsockname()[:2])
        self.port: int = listener.getsockname()[1]
        self.service = OpenFlowService(
            listener, admit=lambda dpid: dpid in dpids, on_event=self._note, packet_in=lambda *_: None
        )

    def _note(self, dpid: int, event: SwitchEvent) -> None:
        with self._changed:
            self._seen.append((time.monotonic(), dpid, event))
            self._changed.notify_all()

    def forget(self) -> None:
        """Forget what was reported."""
        with self._changed:
            self._seen.clear()

    def first(self, kind: type[SwitchEvent], wait_s: float = 60.0) -> float:
        """Return when the first event of a kind came since `forget`."""
        return self.all(kind, 1, wait_s)[0]

    def all(self, kind: type[SwitchEvent], count: int, wait_s: float = 60.0) -> list[float]:
        """Wait until `count` datapaths have reported a kind of event, and return when each first did, in order.

        Raises:
            TimeoutError: fewer did.
        """

        def times() -> dict[int, float]:
            found: dict[int, float] = {}
            for at, dpid, event in self._seen:
                if isinstance(event, kind):
                    found.setdefault(dpid, at)
            return found

        with self._changed:
            if not self._changed.wait_for(lambda: len(times()) >= count, wait_s):
                raise TimeoutError(f"{len(times())} of {count} switches reported {kind.__name__} in {wait_s:g} s")
            return sorted(times().values())


def bridge_words(number: int, dpid: int, target: str) -> list[str]:
    """Return the words that make ovs-vsctl(8) add a bridge as Weft would make it."""
    name = f"s{number}"
    return [
        *("--", "add-br", name, "--", "set", "bridge", name, "datapath_type=netdev", "fail_mode=secure"),
        *("protocols=OpenFlow14", f"other_config:datapath-id={dpid:016x}", "other_config:disable-in-band=true"),
        *("--", "set-controller", name, target, "--", "set", "controller", name),
        *("connection_mode=out-of-band", "max_backoff=1000", "inactivity_probe=5000"),
    ]


def add_bridges(host: Hypervisor, dpids: range, target: str) -> None:
    """Make one bridge a datapath id, ``s0`` and on."""
    for at in range(0, len(dpids), 20):
        words = [w for n in range(at, min(at + 20, len(dpids))) for w in bridge_words(n, dpids[n], target)]
        host.vsctl(*words, timeout_s=120)


def timed(act: Callable[[], object]) -> float:
    """Return the seconds `act` takes."""
    began = time.monotonic()
    act()
    return time.monotonic() - began
