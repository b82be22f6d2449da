"""Does a frame from a guest reach the hook whole, and its answer the port it came from?"""

from controller.southbound.openflow.events import Synced
from flows.cookie import Feature, encode
from flows.flow import ToController
from tests.contract.driver import SwitchDriver
from tests.contract.harness import Harness, a_flow, eventually, tables

PUNT = encode(Feature.DHCP, 7)
FRAME = bytes.fromhex("ffffffffffff02000000000188cc") + bytes(range(256)) * 5


def _punting(driver: SwitchDriver, harness: Harness) -> None:
    state = tables(flows=[a_flow(1, table=0, actions=(ToController(),), cookie=PUNT)])
    harness.switch(driver.dpid).load(state, 1)
    driver.connect("127.0.0.1", harness.port)
    harness.wait(driver.dpid, Synced)


def test_a_frame_is_answered_out_of_the_port_it_came_from(driver: SwitchDriver, harness: Harness) -> None:
    seen: list[tuple[int, int, int, bytes]] = []

    def answer(dpid: int, cookie: int, in_port: int, frame: bytes) -> bytes:
        seen.append((dpid, cookie, in_port, frame))
        return frame[6:12] + frame[:6] + frame[12:]

    harness.hook = answer
    _punting(driver, harness)
    driver.inject(1, PUNT, FRAME)
    assert eventually(lambda: driver.transmitted(1)) == [FRAME[6:12] + FRAME[:6] + FRAME[12:]]
    assert seen == [(driver.dpid, PUNT, 1, FRAME)]
    assert driver.transmitted(2) == []
    assert harness.service.packet_in_counts == {"answered": 1}


def test_a_failing_hook_costs_one_answer_and_not_the_connection(driver: SwitchDriver, harness: Harness) -> None:
    def answer(_dpid: int, _cookie: int, _in_port: int, frame: bytes) -> bytes | None:
        if frame[-1] == 0xFF:
            raise ValueError("cannot answer that")
        return None

    harness.hook = answer
    _punting(driver, harness)
    for _ in range(3):
        driver.inject(1, PUNT, FRAME)
    driver.inject(1, PUNT, FRAME[:-1])
    assert eventually(lambda: harness.service.packet_in_counts.get("ignored"))
    assert harness.service.packet_in_counts == {"failed": 3, "ignored": 1}
    assert harness.switch(driver.dpid).state.connected
