"""How does a switch with OpenFlow 1.4 semantics behave, without Open vSwitch?

It speaks over a real TCP socket and connects by itself, as a switch does. What it does is held against Open vSwitch by
`tests/contract`, which runs on both. The `Faults` make it misbehave in ways that Open vSwitch cannot be made to.
"""

import contextlib
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

VERSION = 5
"""OpenFlow 1.4 on the wire."""
HEADER = struct.Struct("!BBHI")
RECONNECT_S = 0.02
REPLY_OCTETS = 60_000
MORE = 1

HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, FEATURES_REQUEST, FEATURES_REPLY = 0, 1, 2, 3, 5, 6
PACKET_IN, PACKET_OUT, FLOW_MOD, GROUP_MOD = 10, 13, 14, 15
MULTIPART_REQUEST, MULTIPART_REPLY, BARRIER_REQUEST, BARRIER_REPLY = 18, 19, 20, 21
METER_MOD, BUNDLE_CONTROL, BUNDLE_ADD = 29, 33, 34
SET_ASYNC, REQUESTFORWARD, MP_TABLE, MP_FLOW_MONITOR = 28, 32, 3, 16
ADDED, REMOVED, MODIFIED, ABBREVIATED, PAUSED, RESUMED = 1, 2, 3, 4, 5, 6
GROUP_DELETED = 3
"""Why a flow was removed (OpenFlow 1.4 section 7.4.2): told whole even to who deleted the group."""
MP_DESC, MP_FLOW, MP_GROUP_DESC, MP_GROUP_FEATURES, MP_METER_CONFIG, MP_METER_FEATURES, MP_PORT_DESC = (
    0,
    1,
    7,
    8,
    10,
    11,
    13,
)
ADD, MODIFY, DELETE, DELETE_STRICT = 0, 1, 2, 4
GROUP_DELETE = METER_DELETE = 2
OPEN, OPENED, COMMIT, COMMITTED, DISCARD, DISCARDED = 0, 1, 4, 5, 6, 7

FlowId = tuple[int, int, bytes]
Error = tuple[int, int]

BAD_OUT_GROUP: Error = (2, 9)
BAD_PREREQ: Error = (4, 9)
TABLE_FULL: Error = (5, 1)
GROUP_EXISTS: Error = (6, 0)
UNKNOWN_GROUP: Error = (6, 8)
METER_EXISTS: Error = (12, 1)
INVALID_METER: Error = (12, 2)
UNKNOWN_METER: Error = (12, 3)
BUNDLE_MSG_UNSUPPORTED: Error = (17, 10)
BUNDLE_MSG_FAILED: Error = (17, 13)
BAD_TYPE: Error = (1, 1)
CT_FLUSH_ZONE = struct.pack("!II6x", 0x2320, 29)
"""Nicira's message that empties a conntrack zone, in front of the zone's 16 bits (nicira-ext.h, NXT_CT_FLUSH_ZONE)."""


@dataclass(frozen=True, slots=True)
class HeldFlow:
    """A flow's cookie and instructions."""

    cookie: int
    instructions: bytes


@dataclass(slots=True)
class Tables:
    """What the switch holds."""

    flows: dict[FlowId, HeldFlow] = field(default_factory=dict)
    groups: dict[int, bytes] = field(default_factory=dict)
    """Type, one octet, then the buckets."""
    meters: dict[int, tuple[int, bytes]] = field(default_factory=dict)

    def copy(self) -> "Tables":
        """Return the same, for a bundle that may fail."""
        return Tables(flows=dict(self.flows), groups=dict(self.groups), meters=dict(self.meters))


@dataclass(slots=True)
class Faults:
    """How it misbehaves.

    Attributes:
        refused_early: Cookies of flows that are refused when they arrive.
        refused_late: Cookies of flows that are refused when they are executed.
        is_deaf: Nothing is read.
        is_mute_on_barrier: Barriers are not answered.
        tells_nothing: Flow monitors and forwarded requests are refused.
        has_no_conntrack: Zones cannot be emptied.
        cut_after: Flow, group and meter modifications after which the connection is cut, once.
    """

    refused_early: set[int] = field(default_factory=set)
    refused_late: set[int] = field(default_factory=set)
    is_deaf: bool = False
    is_mute_on_barrier: bool = False
    tells_nothing: bool = False
    has_no_conntrack: bool = False
    cut_after: int | None = None


class FakeSwitch:
    """One switch. It connects on `connect`, again and again until `close`."""

    def __init__(self, dpid: int) -> None:
        self.dpid = dpid
        self.tables = Tables()
        self.faults = Faults()
        self.packet_outs: list[tuple[int, bytes]] = []
        self.flushed: list[tuple[int, int]] = []
        """Conntrack zones that were emptied, in order, each with how many flows there were then."""
        self.connections = 0
        self._lock = threading.Lock()
        self._address: tuple[str, int] | None = None
        self._socket: socket.socket | None = None
        self._bundles: dict[int, list[bytes]] = {}
        self._is_monitored = self._forwards = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"fake-switch-{dpid:x}", daemon=True)

    # ---- what a test calls

    def connect(self, host: str, port: int) -> None:
        """Begin to connect."""
        self._address = (host, port)
        self._thread.start()

    def cut(self) -> None:
        """Drop the connection; it comes back."""
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End."""
        self._stopping.set()
        self.faults.is_deaf = False
        self.cut()
        if self._thread.ident is not None:
            self._thread.join()

    def packet_in(self, in_port: int, cookie: int, frame: bytes) -> None:
        """Send a frame to the controller."""
        match = struct.pack("!HHIII", 1, 12, 0x80000004, in_port, 0)
        self._send(PACKET_IN, 0, struct.pack("!IHBBQ", 0xFFFFFFFF, len(frame), 0, 0, cookie) + match + bytes(2) + frame)

    def change(self, alter: Callable[[Tables], None]) -> None:
        """Let somebody else change what it holds; the controller is told as it asked to be."""
        before = self.tables.copy()
        alter(self.tables)
        after = self.tables.copy()
        if self._forwards and (before.groups != after.groups or before.meters != after.meters):
            # Weft does not read which; the deletion of one group stands for whatever it was.
            with contextlib.suppress(OSError):  # the connection may be going just now
                self._send(REQUESTFORWARD, 0, HEADER.pack(VERSION, GROUP_MOD, 16, 0) + struct.pack("!HHI", 2, 0, 0))
        with contextlib.suppress(OSError):
            self._tell(before, after)

    def pause_and_resume(self) -> None:
        """Say that the flow monitor had no room for a while."""
        self._send_updates([struct.pack("!HH4x", 8, PAUSED), struct.pack("!HH4x", 8, RESUMED)])

    def _tell(self, before: Tables, after: Tables, reason: int = 0) -> None:
        """Tell of the flows that differ, whole."""
        if not self._is_monitored:
            return
        updates = []
        for flow_id in {**before.flows, **after.flows}:
            old, new = before.flows.get(flow_id), after.flows.get(flow_id)
            if old is not new:
                updates.append(_update(ADDED if new else REMOVED, reason, flow_id, new or old))
        self._send_updates(updates)

    def _send_updates(self, updates: list[bytes]) -> None:
        pending = deque(updates)
        while pending:
            body = b""
            while pending and len(body) + len(pending[0]) < REPLY_OCTETS:
                body += pending.popleft()
            self._send(MULTIPART_REPLY, 0, struct.pack("!HH4x", MP_FLOW_MONITOR, 0) + body)

    def _tell_own(self, before: Tables, xid: int) -> None:
        """Tell the connection of its own changes: in short, but whole where a group or meter took a flow with it."""
        if not self._is_monitored:
            return
        gone = before.groups.keys() - self.tables.groups.keys() or before.meters.keys() - self.tables.meters.keys()
        if gone:
            self._tell(before, self.tables, GROUP_DELETED)
        elif before.flows != self.tables.flows:
            self._send_updates([struct.pack("!HHI", 8, ABBREVIATED, xid)])

    def send_raw(self, message: bytes) -> None:
        """Send anything."""
        with self._lock:
            if self._socket is not None:
                self._socket.sendall(message)

    # ---- the connection

    def _run(self) -> None:
        while not self._stopping.wait(RECONNECT_S):
            assert self._address is not None
            try:
                with socket.create_connection(self._address, timeout=5) as sock:
                    sock.settimeout(0.2)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    with self._lock:
                        self._socket = sock
                    self.connections += 1
                    self._bundles.clear()
                    self._is_monitored = self._forwards = False
                    self._send(HELLO, 0)
                    self._converse(sock)
            except OSError:
                continue
            finally:
                with self._lock:
                    self._socket = None
                self._is_monitored = self._forwards = False

    def _converse(self, sock: socket.socket) -> None:
        rest = b""
        while not self._stopping.is_set():
            if self.faults.is_deaf:
                self._stopping.wait(0.05)
                continue
            try:
                piece = sock.recv(1 << 18)
            except TimeoutError:
                continue
            if not piece:
                return
            while self.faults.is_deaf and not self._stopping.is_set():
                self._stopping.wait(0.05)
            rest += piece
            at = 0
            while len(rest) - at >= HEADER.size:
                size = int.from_bytes(rest[at + 2 : at + 4], "big")
                if len(rest) - at < size:
                    break
                self._handle(rest[at : at + size])
                at += size
            rest = rest[at:]

    def _send(self, kind: int, xid: int, body: bytes = b"") -> None:
        self.send_raw(HEADER.pack(VERSION, kind, HEADER.size + len(body), xid) + body)

    def _error(self, error: Error, message: bytes) -> None:
        xid = HEADER.unpack_from(message)[3]
        self._send(ERROR, xid, struct.pack("!HH", *error) + message[:64])

    def _handle(self, message: bytes) -> None:  # noqa: C901, PLR0912 - one case a message type
        _, kind, _, xid = HEADER.unpack_from(message)
        body = message[HEADER.size :]
        match kind:
            case 0 | 1 | 3:  # hello, error, echo reply
                return
            case 2:
                self._send(ECHO_REPLY, xid, body)
            case 5:
                self._send(FEATURES_REPLY, xid, struct.pack("!QIBB2xII", self.dpid, 0, 254, 0, 0, 0))
            case 18:
                self._multipart(message, xid)
            case 20:
                if not self.faults.is_mute_on_barrier:
                    self._send(BARRIER_REPLY, xid)
            case 33:
                self._bundle(message, xid)
            case 34:
                self._add_to_bundle(message)
            case 13:
                self._packet_out(body)
            case 14 | 15 | 29:
                self._count_mod()
                before = self.tables.copy()
                error = self._refused_early(message) or execute(self.tables, message, self.faults.refused_late)
                if error is not None:
                    self._error(error, message)
                else:
                    self._tell_own(before, xid)
            case 4 if body.startswith(CT_FLUSH_ZONE) and not self.faults.has_no_conntrack:
                self.flushed.append((int.from_bytes(body[-2:], "big"), len(self.tables.flows)))
            case 28 if not self.faults.tells_nothing:
                self._forwards = True
            case _:
                self._error(BAD_TYPE, message)

    def _count_mod(self) -> None:
        if self.faults.cut_after is None:
            return
        self.faults.cut_after -= 1
        if self.faults.cut_after <= 0:
            self.faults.cut_after = None
            raise OSError("cut, as asked")

    def _refused_early(self, message: bytes) -> Error | None:
        if message[1] != FLOW_MOD:
            return None
        mod = FlowMod(message)
        if mod.cookie in self.faults.refused_early:
            return TABLE_FULL
        return None if has_prerequisites(mod.match) else BAD_PREREQ

    def _packet_out(self, body: bytes) -> None:
        actions_len = int.from_bytes(body[8:10], "big")
        port = int.from_bytes(body[20:24], "big")
        self.packet_outs.append((port, body[16 + actions_len :]))

    # ---- bundles (OpenFlow 1.4 section 6.8)

    def _bundle(self, message: bytes, xid: int) -> None:
        bundle, command, flags = struct.unpack_from("!IHH", message, HEADER.size)
        answer = {OPEN: OPENED, COMMIT: COMMITTED, DISCARD: DISCARDED}[command]
        if command == OPEN:
            self._bundles[bundle] = []
        elif command == DISCARD:
            del self._bundles[bundle]
        else:
            staged = self.tables.copy()
            for inner in self._bundles.pop(bundle):
                error = execute(staged, inner, self.faults.refused_late)
                if error is not None:
                    self._error(error, inner)
                    self._error(BUNDLE_MSG_FAILED, message)
                    return
            before, self.tables = self.tables, staged
            self._tell_own(before, xid)
        self._send(BUNDLE_CONTROL, xid, struct.pack("!IHH", bundle, answer, flags))

    def _add_to_bundle(self, message: bytes) -> None:
        bundle = int.from_bytes(message[8:12], "big")
        inner = message[16:]
        self._count_mod()
        error = BUNDLE_MSG_UNSUPPORTED if inner[1] == METER_MOD else self._refused_early(inner)
        if error is None:
            self._bundles[bundle].append(inner)
        else:
            self._error(error, inner)

    # ---- multipart

    def _multipart(self, message: bytes, xid: int) -> None:
        kind = int.from_bytes(message[8:10], "big")
        parts: dict[int, Callable[[], Iterator[bytes]]] = {
            MP_DESC: lambda: iter([struct.pack("!256s256s256s32s256s", b"Weft tests", b"fake", b"1", b"", b"")]),
            MP_FLOW: self._flow_stats,
            MP_GROUP_DESC: self._group_descriptions,
            MP_GROUP_FEATURES: lambda: iter([struct.pack("!II4I4I", 15, 0, *[1 << 20] * 4, *[0] * 4)]),
            MP_METER_CONFIG: self._meter_configurations,
            MP_METER_FEATURES: lambda: iter([struct.pack("!IIIBB2x", 1 << 18, 2, 2, 1, 0)]),
            MP_PORT_DESC: lambda: iter(()),
        }
        parts[MP_TABLE] = self._table_stats
        if not self.faults.tells_nothing:
            parts[MP_FLOW_MONITOR] = lambda: iter(())
            self._is_monitored = self._is_monitored or kind == MP_FLOW_MONITOR
        if kind not in parts:
            self._error(BAD_TYPE, message)
            return
        pending: deque[bytes] = deque(parts[kind]())
        while True:
            body = b""
            while pending and len(body) + len(pending[0]) < REPLY_OCTETS:
                body += pending.popleft()
            self._send(MULTIPART_REPLY, xid, struct.pack("!HH4x", kind, MORE if pending else 0) + body)
            if not pending:
                return

    def _flow_stats(self) -> Iterator[bytes]:
        for (table, priority, match), flow in list(self.tables.flows.items()):
            body = match + bytes(-len(match) % 8) + flow.instructions
            head = struct.pack("!HBxIIHHHHH2xQQQ", 48 + len(body), table, 1, 0, priority, 0, 0, 0, 0, flow.cookie, 0, 0)
            yield head + body

    def _table_stats(self) -> Iterator[bytes]:
        counts = Counter(table for table, _, _ in list(self.tables.flows))
        return (struct.pack("!B3xIQQ", table, counts[table], 0, 0) for table in range(254))

    def _group_descriptions(self) -> Iterator[bytes]:
        for group_id, body in self.tables.groups.items():
            yield struct.pack("!HBxI", 7 + len(body), body[0], group_id) + body[1:]

    def _meter_configurations(self) -> Iterator[bytes]:
        for meter_id, (flags, bands) in self.tables.meters.items():
            yield struct.pack("!HHI", 8 + len(bands), flags, meter_id) + bands


def _update(event: int, reason: int, flow_id: FlowId, flow: HeldFlow | None) -> bytes:
    """Return a full flow update (OpenFlow 1.4 section 7.3.5.18.2)."""
    assert flow is not None
    table, priority, match = flow_id
    rest = match + bytes(-len(match) % 8) + flow.instructions
    return struct.pack("!HHBBHHH4xQ", 24 + len(rest), event, table, reason, 0, 0, priority, flow.cookie) + rest


class FlowMod:
    """A flow modification taken apart (OpenFlow 1.4 section 7.3.4.1)."""

    def __init__(self, message: bytes) -> None:
        self.cookie, self.cookie_mask, self.table, self.command = struct.unpack_from("!QQBB", message, 8)
        self.priority = int.from_bytes(message[30:32], "big")
        length = int.from_bytes(message[50:52], "big")
        self.match = message[48 : 48 + length]
        self.instructions = message[48 + (length + 7 & ~7) :]

    @property
    def id(self) -> FlowId:
        """What identifies the flow."""
        return self.table, self.priority, self.match


def execute(tables: Tables, message: bytes, refused: set[int]) -> Error | None:
    """Do what a modification says; return the error that keeps it from happening."""
    match message[1]:
        case 14:
            return _execute_flow(tables, FlowMod(message), refused)
        case 15:
            command, group_id = struct.unpack_from("!H2xI", message, 8)
            return _execute_group(tables, command, group_id, message[10:11] + message[16:])
        case _:
            command, flags, meter_id = struct.unpack_from("!HHI", message, 8)
            return _execute_meter(tables, command, flags, meter_id, message[16:])


def _execute_flow(tables: Tables, mod: FlowMod, refused: set[int]) -> Error | None:
    if mod.command == DELETE_STRICT:
        held = tables.flows.get(mod.id)
        if held is not None and held.cookie & mod.cookie_mask == mod.cookie & mod.cookie_mask:
            del tables.flows[mod.id]
        return None
    if mod.cookie in refused:
        return TABLE_FULL
    if any(group not in tables.groups for group in used(mod.instructions, "group")):
        return BAD_OUT_GROUP
    if any(meter not in tables.meters for meter in used(mod.instructions, "meter")):
        return INVALID_METER
    tables.flows[mod.id] = HeldFlow(mod.cookie, mod.instructions)
    return None


def _execute_group(tables: Tables, command: int, group_id: int, body: bytes) -> Error | None:
    if command == GROUP_DELETE:
        tables.groups.pop(group_id, None)
        _drop_users(tables, "group", group_id)
        return None
    if (group_id in tables.groups) != (command == MODIFY):
        return GROUP_EXISTS if command == ADD else UNKNOWN_GROUP
    tables.groups[group_id] = body
    return None


def _execute_meter(tables: Tables, command: int, flags: int, meter_id: int, bands: bytes) -> Error | None:
    if command == METER_DELETE:
        tables.meters.pop(meter_id, None)
        _drop_users(tables, "meter", meter_id)
        return None
    if (meter_id in tables.meters) != (command == MODIFY):
        return METER_EXISTS if command == ADD else UNKNOWN_METER
    tables.meters[meter_id] = (flags, bands)
    return None


def _drop_users(tables: Tables, what: str, number: int) -> None:
    """Delete the flows that use a group or a meter that is gone (OpenFlow 1.4 section 6.5)."""
    for flow_id in [i for i, held in tables.flows.items() if number in used(held.instructions, what)]:
        del tables.flows[flow_id]


def used(instructions: bytes, what: str) -> Iterator[int]:
    """Yield the groups or the meters that some instructions use."""
    at = 0
    while at < len(instructions):
        kind, length = struct.unpack_from("!HH", instructions, at)
        if kind == 6 and what == "meter":
            yield int.from_bytes(instructions[at + 4 : at + 8], "big")
        if kind == 4 and what == "group":
            action = at + 8
            while action < at + length:
                action_kind, action_length = struct.unpack_from("!HH", instructions, action)
                if action_kind == 22:
                    yield int.from_bytes(instructions[action + 4 : action + 8], "big")
                action += action_length
        at += length


def has_prerequisites(match: bytes) -> bool:
    """Whether UDP ports are matched only where the protocol is UDP (OpenFlow 1.4 section 7.2.3.6)."""
    fields: dict[int, bytes] = {}
    at = 4
    while at < len(match):
        head, length = struct.unpack_from("!IB", match[at : at + 3] + b"\0" + match[at + 3 : at + 4])
        fields[head >> 9] = match[at + 4 : at + 4 + length]
        at += 4 + length
    udp = {0x8000 << 7 | 15, 0x8000 << 7 | 16}
    return not udp & fields.keys() or fields.get(0x8000 << 7 | 10) == b"\x11"
