"""How is the fake switch looked at and hurt from outside?"""

import struct
import time

from tests.contract.driver import Identity, SwitchDriver
from tests.fakes.switch import FakeSwitch, HeldFlow, Tables


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
        match = struct.pack("!HHII", 1, 12, 0x80000004, in_port)
        self.switch.tables.flows[table, priority, match] = HeldFlow(cookie, b"")

    def delete_all(self) -> None:
        self.switch.tables = Tables()

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
