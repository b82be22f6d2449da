"""Which frames of a guest reach whom? Marked frames out, captures at the receivers, and a fence that closes the count.

A frame's mark stands behind its last octet, where padding would be, so it can be told apart from everything else
whatever protocol it is. When all are sent, a frame that is neither IP nor ARP follows: no rule concerns it and it is
from the sender's own address, so it arrives wherever the sender reaches anybody; what has not come before, will not.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack

from scapy.layers.l2 import Ether
from scapy.packet import Packet

from tests.lab.packets import Capture
from tests.lab.process import eventually
from tests.lab_guests.stage import Guest

MAGIC = b"\xf0MARK\x0f"
NUMBER_LENGTH = 6
MARK_LENGTH = len(MAGIC) + NUMBER_LENGTH
SHORTEST = 60
"""Octets of an Ethernet frame without its check sequence (IEEE 802.3)."""
FENCE_TYPE = 0x88B5
"""IEEE 802 local experimental EtherType 1."""
BROADCAST = "ff:ff:ff:ff:ff:ff"
FENCE_S, UNFENCED_S = 3.0, 0.2
BATCH_S = 0.005
"""Frames of one batch may overtake each other in the userspace datapath; after a pause the fence is in another one."""
SETTLE_S, CONFIRM_S = 4.0, 0.12
Frames = Packet | bytes | Iterable[Packet | bytes]


def marked(packet: Packet | bytes) -> tuple[bytes, bytes]:
    """Return a frame with a new mark behind it, and the mark."""
    mark = MAGIC + secrets.token_bytes(NUMBER_LENGTH)
    return bytes(packet).ljust(SHORTEST - MARK_LENGTH, b"\0") + mark, mark


def marks(frames: Iterable[bytes]) -> list[bytes]:
    """Return the marks in some frames, in order."""
    return [frame[at : at + MARK_LENGTH] for frame in frames if (at := frame.find(MAGIC)) >= 0]


def fence(sender: Guest) -> bytes:
    """Return a frame that reaches every member whatever the rules are."""
    return bytes(Ether(src=sender.mac, dst=BROADCAST, type=FENCE_TYPE))


def counted(
    sender: Guest,
    shots: Mapping[str, Frames],
    receivers: Iterable[Guest],
    strangers: Iterable[Guest] = (),
    *,
    fenced: bool = True,
) -> dict[str, dict[str, int]]:
    """Send frames and return, for each name, how many of its frames reached which receiver (by name).

    Args:
        sender: who sends.
        shots: a frame, or several that belong together, under a name.
        receivers: who is looked at; the sender may be among them: it sees what the network answers.
        strangers: who is looked at, too, and must not even get the last frame.
        fenced: end with a frame that must arrive; else the count ends after a moment.
    """
    with ExitStack() as stack:
        members = {guest.name: stack.enter_context(guest.vm.capture()) for guest in receivers}
        captures = members | {guest.name: stack.enter_context(guest.vm.capture()) for guest in strangers}
        names: dict[bytes, str] = {}
        frames: list[bytes] = []
        for name, shot in shots.items():
            for packet in [shot] if isinstance(shot, Packet | bytes) else shot:
                frame, mark = marked(packet)
                names[mark] = name
                frames.append(frame)
        sender.vm.send_frame(*frames)
        if fenced:
            time.sleep(BATCH_S)
            _close(sender, members)
        else:
            _linger(members, set(names))
        found: dict[str, dict[str, int]] = {name: {} for name in shots}
        for receiver, capture in captures.items():
            for mark in marks(capture.frames()):
                if mark in names:
                    tally = found[names[mark]]
                    tally[receiver] = tally.get(receiver, 0) + 1
        return found


def _linger(captures: Mapping[str, Capture], wanted: set[bytes]) -> None:
    """Wait until every frame has arrived somewhere, or long enough."""
    deadline = time.monotonic() + UNFENCED_S
    while time.monotonic() < deadline:
        if wanted <= {mark for capture in captures.values() for mark in marks(capture.frames())}:
            return
        time.sleep(0.01)


def _close(sender: Guest, captures: Mapping[str, Capture]) -> None:
    frame, mark = marked(fence(sender))
    sender.vm.send_frame(frame)
    for name, capture in captures.items():
        if name != sender.name:
            capture.wait_for(lambda seen: mark in seen, FENCE_S)
    time.sleep(BATCH_S)


def arrived(
    sender: Guest,
    shots: Mapping[str, Frames],
    receivers: Iterable[Guest],
    strangers: Iterable[Guest] = (),
    *,
    fenced: bool = True,
) -> dict[str, set[str]]:
    """Send frames and return, for each name, the receivers that got any of its frames."""
    found = counted(sender, shots, receivers, strangers, fenced=fenced)
    return {name: set(tally) for name, tally in found.items()}


def passed(sender: Guest, receiver: Guest, shots: Mapping[str, Frames]) -> set[str]:
    """Send frames and return the names of those that reached the receiver."""
    return {name for name, who in arrived(sender, shots, [receiver]).items() if who}


def settles(look: Callable[[], object], expected: object, within_s: float = SETTLE_S) -> None:
    """Hold that something becomes as expected soon and stays so: what was asked over REST takes a moment.

    Raises:
        AssertionError: it did not; with what was seen last.
    """
    seen: list[object] = []

    def agrees() -> bool:
        seen[:] = [look()]
        return seen[0] == expected

    try:
        eventually(agrees, within_s, "")
    except TimeoutError:
        assert seen[0] == expected
    time.sleep(CONFIRM_S)
    assert look() == expected
