"""What do others have on a bridge that Weft has not taken yet? Looked at without changing what the bridge does.

    database on a unix socket ──▶ the bridge's management socket beside it; nothing is written anywhere
    database on TCP           ──▶ the bridge listens for a moment (`ovsdb.door`), and is asked there

Runs in a thread of its own, as it waits for the host.
"""

import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.southbound.openflow.errors import OpenFlowError
from controller.southbound.openflow.glance import Glance, others
from controller.southbound.ovsdb.door import door
from controller.southbound.ovsdb.errors import OvsdbError
from controller.southbound.ovsdb.target import Target, parse_target

DEADLINE_S = 5.0
"""The longest a survey waits for any one answer."""
OPENING_S = 2.0
"""How long ovs-vswitchd may take to listen once its database says so."""
_AGAIN_S = 0.02
PORTS = range(20000, 30000)
"""Where a bridge listens while it is looked at; below the numbers that Linux gives to connections of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found on a bridge.

    Attributes:
        is_ours: Weft programmed it before.
        flows: The flows of others, as text.
        problem: Why they could not be read, None when they were.
    """

    is_ours: bool = False
    flows: tuple[str, ...] = ()
    problem: str | None = None


class Surveyor:
    """Looks at bridges."""

    def __init__(self, rng: random.Random) -> None:
        """Take what draws the ports at which bridges listen for a moment."""
        self._rng = rng

    def survey(self, ovsdb: str, bridge: str, datapath_id: int | None) -> Survey:
        """Look at a bridge.

        Args:
            ovsdb: The host's database, as `parse_target` takes it.
            bridge: Its name.
            datapath_id: What the database says is its datapath id; another switch's flows are not taken for its own.
        """
        try:
            with self._way(parse_target(ovsdb), bridge) as connected:
                glance = Glance(connected, DEADLINE_S)
                answering = glance.datapath_id()
                if datapath_id is not None and answering != datapath_id:
                    return Survey(problem=f"the switch {answering:016x} answers in its place")
                found = others(glance.flows())
        except (OpenFlowError, OvsdbError, OSError) as error:
            return Survey(problem=str(error))
        return Survey(is_ours=True) if found is None else Survey(flows=tuple(found))

    @contextmanager
    def _way(self, target: Target, bridge: str) -> Iterator[socket.socket]:
        if target.family == socket.AF_UNIX:
            # ovs-vswitchd(8): every bridge has a management socket in the run-time directory, as the database has its.
            with _connected(Target(text="", family=target.family, address=_beside(target, bridge)), 0.0) as connected:
                yield connected
            return
        port = self._rng.choice(PORTS)
        at = Target(text="", family=target.family, address=(str(target.address[0]), port))
        with door(target, bridge, port, DEADLINE_S), _connected(at, OPENING_S) as connected:
            yield connected


def _beside(target: Target, bridge: str) -> str:
    return str(Path(str(target.address)).with_name(f"{bridge}.mgmt"))


def _connected(target: Target, patience_s: float) -> socket.socket:
    """Return a connected socket; for `patience_s` seconds it is tried again when nobody listens yet."""
    give_up = time.monotonic() + patience_s
    while True:
        made = socket.socket(target.family, socket.SOCK_STREAM)
        made.settimeout(DEADLINE_S)
        try:
            made.connect(target.address)
        except ConnectionRefusedError:
            made.close()
            if time.monotonic() >= give_up:
                raise
            time.sleep(_AGAIN_S)
        except OSError:
            made.close()
            raise
        else:
            return made
