"""What does a frame say of the address its sender uses? Bytes in, a value out; what was just heard is not passed on.

A frame comes here only because a flow found that it names an address within a watched subnet
(`flows.features.sightings`), but who sent it decides what else is in it: nothing here raises and nothing here logs.
"""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from controller.sighting_records import How
from flows import fields
from flows.cookie import Feature, Owner
from flows.intent import Prefix

REPEATED_S = 5.0
"""As long as this what was heard is taken to be under way to the store, and to the switch as a flow."""
MOST_REMEMBERED = 8192
_GROUP_BIT = 0x01
_ETHERNET, _ARP_SIZE = 14, 28
_ARP_HEAD = bytes.fromhex("000108000604")
"""Ethernet, IPv4, and the lengths of their addresses (RFC 826)."""
_IPV6_SIZE, _NEXT_HEADER, _SOURCE, _ND_TARGET, _ND_SIZE = 40, 6, 8, 8, 24
"""RFC 8200 section 3; RFC 4861 sections 4.3 and 4.4: type, code, checksum, reserved, target."""
_SOLICITATION, _ADVERTISEMENT = 135, 136


class Heard(NamedTuple):
    """Somebody named an address."""

    dpid: int
    feature: Feature
    """`SIGHTING`: it came from the port `key`; `WIRE_SIGHTING`: from the physical network of the segment `key`."""
    key: int
    address: Prefix
    mac: int
    how: How


def said_by(frame: bytes) -> tuple[Prefix, int, How] | None:
    """Return the address a frame's sender names as its own, its MAC address and how; None when it names none."""
    if len(frame) < _ETHERNET or frame[6] & _GROUP_BIT:
        return None
    ethertype, payload = int.from_bytes(frame[12:14], "big"), frame[_ETHERNET:]
    if ethertype == fields.ETH_TYPE_ARP:
        return _said_by_arp(payload)
    if ethertype == fields.ETH_TYPE_IPV6:
        return _said_by_nd(payload, int.from_bytes(frame[6:12], "big"))
    return None


def _said_by_arp(message: bytes) -> tuple[Prefix, int, How] | None:
    if len(message) < _ARP_SIZE or not message.startswith(_ARP_HEAD) or message[8] & _GROUP_BIT:
        return None
    mac = int.from_bytes(message[8:14], "big")
    sender, target = int.from_bytes(message[14:18], "big"), int.from_bytes(message[24:28], "big")
    if not mac or not (sender or target):
        return None
    return Prefix(4, sender or target, 32), mac, How.USED if sender else How.PROBED


def _said_by_nd(packet: bytes, mac: int) -> tuple[Prefix, int, How] | None:
    if len(packet) < _IPV6_SIZE + _ND_SIZE or packet[_NEXT_HEADER] != fields.IP_PROTO_ICMPV6 or not mac:
        return None
    source = int.from_bytes(packet[_SOURCE : _SOURCE + 16], "big")
    kind, target = packet[_IPV6_SIZE], _IPV6_SIZE + _ND_TARGET
    named = int.from_bytes(packet[target : target + 16], "big")
    if kind == _ADVERTISEMENT:
        return Prefix(6, named, 128), mac, How.USED
    if kind == _SOLICITATION:
        return Prefix(6, source or named, 128), mac, How.USED if source else How.PROBED
    return None


class Hearing:
    """Passes on what senders say of themselves, each thing once in a while; may be called from any thread."""

    def __init__(self, tell: Callable[[Heard], None], monotonic: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing heard; `tell` must not block."""
        self._tell, self._monotonic = tell, monotonic
        self._lock = threading.Lock()
        self._last: dict[Heard, float] = {}
        self._counts = dict.fromkeys(("heard", "repeated", "unreadable"), 0)

    def packet_in(self, dpid: int, owner: Owner, frame: bytes) -> None:
        """Take in a frame that was copied to the controller; `owner` is whose flow did."""
        said = said_by(frame)
        heard = None if said is None else Heard(dpid, owner.feature, owner.key, *said)
        outcome = "unreadable" if heard is None else "heard" if self._is_new(heard) else "repeated"
        with self._lock:
            self._counts[outcome] += 1
        if heard is not None and outcome == "heard":
            self._tell(heard)

    def counts(self) -> dict[str, int]:
        """Return what became of the frames so far."""
        with self._lock:
            return dict(self._counts)

    def _is_new(self, heard: Heard) -> bool:
        now = self._monotonic()
        with self._lock:
            last = self._last.get(heard)
            if last is not None and now - last < REPEATED_S:
                return False
            if len(self._last) >= MOST_REMEMBERED:
                self._last = {one: at for one, at in self._last.items() if now - at < REPEATED_S}
            if len(self._last) < MOST_REMEMBERED:
                self._last[heard] = now
            return True
