"""How is the fake switch looked at and hurt from outside?"""

import struct
import time

from tests.contract.driver import Identity, SwitchDriver
from tests.fakes.switch import FakeSwitch, FlowId, HeldFlow, Tables, execute


def _in_port(ofport: int) -> bytes:
    return struct.pack("!HHII", 1, 12, 0x80000004, ofport)


class FakeDriver(SwitchDriver):
    """The fake switch."""

    def __init__(self, dpid: int) -> None:
        self.dpid = dpid
        self.switch = FakeSwitch(dpid)

    def connect(self, host: str, port: int) -> None:
        self.switch.connect(host, port)

    def flows(self) -> set[Identity]:
        held = self.switch.tables.flows
        return {(table, priority, flow.cookie) for (table, priority, _), flow in list(held.items())}

    def groups(self) -> set[int]:
        return set(self.switch.tables.groups)

    def meters(self) -> set[int]:
        return set(self.switch.tables.meters)

    def add_flow(self, table: int, priority: int, cookie: int, in_port: int) -> None:
        self._put((table, priority, _in_port(in_port)), HeldFlow(cookie, b""))

    def normal_flow(self, table: int, priority: int, cookie: int) -> None:
        output = struct.pack("!HH4xHHIH6x", 4, 24, 0, 16, 0xFFFFFFFA, 0)
        self._put((table, priority, struct.pack("!HH", 1, 4)), HeldFlow(cookie, output))

    def _put(self, flow: FlowId, held: HeldFlow) -> None:
        def alter(tables: Tables) -> None:
            tables.flows[flow] = held

        self.switch.change(alter)

    def delete_flow(self, table: int, priority: int, in_port: int) -> None:
        def alter(tables: Tables) -> None:
            del tables.flows[table, priority, _in_port(in_port)]

        self.switch.change(alter)

    def set_group(self, group_id: int, ofport: int) -> None:
        bucket = struct.pack("!HHII4xHHIH6x", 32, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0, 16, ofport, 0)
        message = struct.pack("!BBHIHBxI", 5, 15, 16 + len(bucket), 0, 1, 0, group_id) + bucket
        self._execute(message)

    def delete_group(self, group_id: int) -> None:
        self._execute(struct.pack("!BBHIHBxI", 5, 15, 16, 0, 2, 0, group_id))

    def delete_meter(self, meter_id: int) -> None:
        self._execute(struct.pack("!BBHIHHI", 5, 29, 16, 0, 2, 0, meter_id))

    def _execute(self, message: bytes) -> None:
        def alter(tables: Tables) -> None:
            execute(tables, message, set())

        self.switch.change(alter)

    def delete_all(self) -> None:
        def alter(tables: Tables) -> None:
            tables.flows.clear()
            tables.groups.clear()
            tables.meters.clear()

        self.switch.change(alter)

    def hang(self) -> None:
        self.switch.faults.is_deaf = True

    def resume(self) -> None:
        self.switch.faults.is_deaf = False

    def inject(self, ofport: int, cookie: int, frame: bytes) -> None:
        self.switch.packet_in(ofport, cookie, frame)

    def transmitted(self, ofport: int) -> list[bytes]:
        time.sleep(0.01)
        return [frame for port, frame in self.switch.packet_outs if port == ofport]

    def close(self) -> None:
        self.switch.close()
