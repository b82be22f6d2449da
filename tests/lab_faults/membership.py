"""When was a frame of one network allowed to reach a guest? The rule by which a sighting is a breach; pure.

A guest changes its network while frames are under way, and no instant exists at which all of Weft, Open vSwitch and the
guest agree. So for each guest a history is kept of the networks it *may* belong to:

    settled in A ──▶ {A}
    from just before the first call that could end A, until Weft calls the port in B ACTIVE and
    MARGIN_S has passed ──▶ {A, B}
    settled in B ──▶ {B}

A frame sent at s and received at r (both on one clock, r stamped by the kernel) is legal if some network is in the
sender's history between s and r, and also in the receiver's history between s and r. Everything else is a breach: a
frame sent while its sender was a member is not counted against it, one sent a moment too late is. A guest without a
port keeps the network it was last in, which grants nothing to others. A frame with a forged source MAC is never legal.

MARGIN_S is there because a barrier does not flush the datapath's cache (megaflows are revalidated a little later).
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

MARGIN_S = 0.25
"""Time after ACTIVE in which the old network may still be seen."""


class Kind(IntEnum):
    """What was sent."""

    UNICAST = 1
    BROADCAST = 2
    ARP = 3
    IPV4 = 4
    FORGED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One marked frame that a guest received. Times in seconds since 1970."""

    sender: int
    receiver: int
    kind: Kind
    sent: float
    received: float


@dataclass(slots=True)
class History:
    """Which networks one guest may have belonged to, and since when."""

    times: list[float] = field(default_factory=list)
    networks: list[frozenset[str]] = field(default_factory=list)

    def become(self, networks: Iterable[str], now: float) -> None:
        """Note what holds from `now` on; times never go back."""
        self.times.append(max(now, self.times[-1] if self.times else now))
        self.networks.append(frozenset(networks))

    def between(self, first: float, last: float) -> frozenset[str]:
        """Return every network that was possible at some time from `first` to `last`, inclusive."""
        begin = max(0, bisect_right(self.times, first) - 1)
        end = bisect_right(self.times, last)
        return frozenset().union(*self.networks[begin:end])


def is_breach(seen: Sighting, histories: dict[int, History]) -> bool:
    """Whether a frame reached a guest that it must not reach."""
    if seen.kind == Kind.FORGED:
        return True
    of_sender = histories[seen.sender].between(seen.sent, seen.received)
    of_receiver = histories[seen.receiver].between(seen.sent, seen.received)
    return not of_sender & of_receiver
