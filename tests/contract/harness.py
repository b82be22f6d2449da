"""What does a contract test hold in its hands? A running service, what it reported, and flows to put into a switch."""

import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from controller.southbound.openflow.events import SwitchEvent
from controller.southbound.openflow.service import OpenFlowService
from controller.southbound.openflow.switch import Misnumbered, Switch
from controller.southbound.openflow.watchdog import Limits
from flows import fields
from flows.cookie import Feature, encode
from flows.delta import Tables
from flows.fields import Term
from flows.flow import Action, Bucket, Flow, Group, Meter, Output, ToGroup, canonical_match

T = TypeVar("T")
WAIT_S = 15.0


class Harness:
    """One service on a port of its own."""

    def __init__(self, dpids: Iterable[int], *, limits: Limits | None = None, deadline_s: float = 10.0) -> None:
        self.events: list[tuple[int, SwitchEvent]] = []
        self.hook: Callable[[int, int, int, bytes], bytes | None] = lambda *_: None
        self.misnumbered: Misnumbered = lambda _dpid, _devices: None
        self.admitted = set(dpids)
        self._changed = threading.Condition()
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        self.service = OpenFlowService(
            listener,
            admit=lambda dpid: dpid in self.admitted,
            on_event=self._note,
            packet_in=self._punt,
            misnumbered=lambda dpid, devices: self.misnumbered(dpid, devices),  # noqa: PLW0108 - tests replace it
            limits=limits,
            deadline_s=deadline_s,
        )
        for dpid in self.admitted:
            self.service.switch(dpid)
        self.service.start()

    def _note(self, dpid: int, event: SwitchEvent) -> None:
        with self._changed:
            self.events.append((dpid, event))
            self._changed.notify_all()

    def _punt(self, dpid: int, cookie: int, in_port: int, frame: bytes) -> bytes | None:
        return self.hook(dpid, cookie, in_port, frame)

    def switch(self, dpid: int) -> Switch:
        """Return a worker."""
        return self.service.switch(dpid)

    def seen(self, dpid: int, kind: type[T]) -> list[T]:
        """Return the events of a kind, in order."""
        with self._changed:
            return [event for of, event in self.events if of == dpid and isinstance(event, kind)]

    def wait(self, dpid: int, kind: type[T], count: int = 1, wait_s: float = WAIT_S) -> T:
        """Return the `count`-th event of a kind, waiting for it."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._matching(dpid, kind)) >= count, wait_s):
                raise AssertionError(f"no {kind.__name__} number {count} within {wait_s} s; events: {self.events}")
            return self._matching(dpid, kind)[count - 1]

    def _matching(self, dpid: int, kind: type[T]) -> list[T]:
        return [event for of, event in self.events if of == dpid and isinstance(event, kind)]

    def stop(self) -> None:
        """End the service."""
        self.service.stop()


def eventually(condition: Callable[[], T], wait_s: float = WAIT_S) -> T:
    """Return the first true result."""
    deadline = time.monotonic() + wait_s
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {result!r} after {wait_s} s")
        time.sleep(0.01)
    return result


def a_flow(
    key: int,
    *,
    table: int = 10,
    priority: int = 100,
    match: Iterable[Term] | None = None,
    actions: tuple[Action, ...] = (),
    goto: int | None = None,
    meter: int | None = None,
    cookie: int | None = None,
) -> Flow:
    """Return a flow that matches in_port `key` unless told otherwise."""
    return Flow(
        table=table,
        priority=priority,
        match=canonical_match([fields.IN_PORT.eq(key)] if match is None else match),
        actions=actions,
        goto=goto,
        meter=meter,
        cookie=encode(Feature.PORT_ADMISSION, key) if cookie is None else cookie,
        why="a test",
    )


def a_group(group_id: int, *ofports: int) -> Group:
    """Return a group that copies to some ports."""
    return Group(id=group_id, buckets=tuple(Bucket(actions=(Output(ofport),)) for ofport in ofports))


def a_group_flow(key: int, group_id: int) -> Flow:
    """Return a flow that uses a group."""
    return a_flow(key, actions=(ToGroup(group_id),))


def a_meter(meter_id: int, rate: int = 50) -> Meter:
    """Return a meter."""
    return Meter(id=meter_id, rate_pps=rate, burst=rate)


def tables(flows: Iterable[Flow] = (), groups: Iterable[Group] = (), meters: Iterable[Meter] = ()) -> Tables:
    """Return a whole state."""
    return Tables(
        flows={flow.key: flow for flow in flows},
        groups={group.id: group for group in groups},
        meters={meter.id: meter for meter in meters},
    )


def identities(state: Tables) -> set[tuple[int, int, int]]:
    """Return what a driver shows of a state's flows."""
    return {(flow.table, flow.priority, flow.cookie) for flow in state.flows.values()}
