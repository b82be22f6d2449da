"""Which frames does a guest's device carry? Raw frames out, and captures that miss nothing, VLAN tags included.

Parsing beyond the few fields needed to choose a frame does not belong here.
"""

import socket
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.lab import netns

ETH_P_ALL = 0x0003
"""packet(7): every protocol."""
SOL_PACKET = 263
PACKET_AUXDATA = 8
TP_STATUS_VLAN_VALID = 0x10
"""linux/if_packet.h: the kernel took an 802.1Q tag off the frame and tells it apart."""
AUXDATA = struct.Struct("@IIIHHHH")
"""struct tpacket_auxdata: status, length, captured length, offsets, VLAN TCI, VLAN TPID."""
RECEIVE_BUFFER = 8 << 20
SNAP_LENGTH = 65_535
ETHERTYPE_8021Q = 0x8100


def open_socket(namespace: str, device: str) -> socket.socket:
    """Open a packet socket on a device inside a namespace."""

    def open_inside() -> socket.socket:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        opened.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        opened.bind((device, ETH_P_ALL))
        return opened

    return netns.inside(namespace, open_inside)


class Capture:
    """Frames received by a device since the capture was opened; the kernel keeps them until they are read."""

    def __init__(self, namespace: str, device: str = "eth0") -> None:
        self._socket = open_socket(namespace, device)
        self._seen: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop capturing; an open capture would keep the guest's namespace alive."""
        self._socket.close()

    def frames(self, wanted: Callable[[bytes], bool] | None = None) -> list[bytes]:
        """Return what has arrived so far, oldest first; frames the guest sent itself are left out."""
        self._drain()
        return [frame for frame in self._seen if wanted is None or wanted(frame)]

    def wait_for(self, wanted: Callable[[bytes], bool], timeout_s: float = 5.0) -> bytes:
        """Return the first frame that is `wanted`.

        Raises:
            TimeoutError: none arrived in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            for frame in self.frames(wanted):
                return frame
            if time.monotonic() >= deadline:
                raise TimeoutError(f"no such frame within {timeout_s:g} s; {len(self._seen)} others arrived")
            time.sleep(0.005)

    def _drain(self) -> None:
        while True:
            try:
                frame, ancillary, _, source = self._socket.recvmsg(SNAP_LENGTH, 256, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                # ENETDOWN: the device went away under us (the guest was destroyed); what was seen stays.
                return
            if source[2] != socket.PACKET_OUTGOING:
                self._seen.append(_with_tag(frame, ancillary))


def _with_tag(frame: bytes, ancillary: list[tuple[int, int, bytes]]) -> bytes:
    """Put a VLAN tag back that the kernel took off (packet(7), PACKET_AUXDATA)."""
    for level, kind, payload in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA) and len(payload) >= AUXDATA.size:
            status, _, _, _, _, tci, tpid = AUXDATA.unpack_from(payload)
            if status & TP_STATUS_VLAN_VALID:
                return frame[:12] + struct.pack("!HH", tpid or ETHERTYPE_8021Q, tci) + frame[12:]
    return frame


def ethertype(frame: bytes) -> int:
    """Return the EtherType of a frame; 0x8100 for a tagged one."""
    return int.from_bytes(frame[12:14])


def is_echo_request(frame: bytes) -> bool:
    """Say whether a frame is an ICMP echo request (RFC 792, type 8)."""
    header_length = (frame[14] & 0x0F) * 4 if len(frame) > 14 else 0
    return (
        ethertype(frame) == 0x0800
        and len(frame) > 14 + header_length
        and frame[23] == 1
        and frame[14 + header_length] == 8
    )


def ipv4_addresses(frame: bytes) -> tuple[str, str]:
    """Return source and destination of an IPv4 frame as text."""
    return socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34])
