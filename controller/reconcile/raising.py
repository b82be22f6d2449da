"""Which guest's device was left down by the switch that opened it?

When Open vSwitch opens a device it reads its flags, adds promiscuous mode and writes them back
(lib/netdev-linux.c, update_flags). Whoever sets the device up in between is undone: the device is there, its port has a
number, and no frame ever passes. Compute that makes a device and sets it up a moment later meets this whenever the row
was there before the device. OpenFlow can set a device up again (OpenFlow 1.4 section 7.3.4.3), so one that is still
down some time after it was adopted is raised, once: one that was up and is set down later is left to whoever did that.
"""

import logging
from collections.abc import Callable
from typing import Final

from controller.southbound.ovsdb.model import InterfaceRow, RowChanges

_log = logging.getLogger(__name__)

PATIENCE_S: Final = 0.5
"""Between the adoption of a device and the time at which it should be up; what OVSDB says of it lags some 0.1 s."""

Raise = Callable[[int, int, str], bool]
"""(datapath id, OpenFlow number, MAC of the device): sends without waiting; whether the switch took it."""


class Raising:
    """The devices of guests that were adopted and are not up yet; owned by the reconciler's thread."""

    def __init__(self, raise_: Raise, monotonic: Callable[[], float]) -> None:
        """Begin with no device."""
        self._raise, self._monotonic = raise_, monotonic
        self._waiting: dict[tuple[int, str], tuple[float, InterfaceRow]] = {}
        self._settled: dict[int, set[str]] = {}
        """By datapath id, the rows whose device was up once, or raised, or there when the first were read."""

    def said(self, dpid: int, changes: RowChanges, *, is_first: bool) -> None:
        """Take in what the database says of interfaces; of devices there at first nothing is concluded."""
        settled = self._settled.setdefault(dpid, set())
        if changes.whole:
            settled.intersection_update(changes.rows)
        for uuid, row in changes.rows.items():
            if row is None or not row.live or row.iface_id is None or row.type:
                settled.discard(uuid)
                self._waiting.pop((dpid, uuid), None)
            elif uuid in settled:
                continue
            elif is_first or row.is_down is False:
                settled.add(uuid)
                self._waiting.pop((dpid, uuid), None)
            elif row.is_down:
                due, _ = self._waiting.get((dpid, uuid), (self._monotonic() + PATIENCE_S, row))
                self._waiting[dpid, uuid] = due, row

    def forget(self, dpid: int) -> None:
        """Forget a host that is removed."""
        self._settled.pop(dpid, None)
        for key in [key for key in self._waiting if key[0] == dpid]:
            del self._waiting[key]

    def wait_s(self, most: float) -> float:
        """Return in how many seconds `run` should be called again, at most `most`."""
        if not self._waiting:
            return most
        return max(0.0, min(most, min(due for due, _ in self._waiting.values()) - self._monotonic()))

    def run(self) -> None:
        """Raise what has been down for long enough; a switch that is not there is asked again later."""
        now = self._monotonic()
        for key, (due, row) in list(self._waiting.items()):
            if now < due:
                continue
            dpid, uuid = key
            if row.ofport is not None and row.mac is not None and self._raise(dpid, row.ofport, row.mac):
                _log.warning("device_raised dpid=%016x device=%s ofport=%d", dpid, row.name, row.ofport)
                self._settled[dpid].add(uuid)
                del self._waiting[key]
            else:
                self._waiting[key] = now + PATIENCE_S, row
