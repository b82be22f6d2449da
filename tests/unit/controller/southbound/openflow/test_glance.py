"""Is what a bridge holds told apart from what Open vSwitch or Weft put there, whatever answers?"""

import socket
import threading

import pytest

from controller.southbound.openflow.dump import DumpedFlow
from controller.southbound.openflow.errors import FramingError, UnavailableError
from controller.southbound.openflow.glance import Glance, is_default, others
from flows.cookie import OWNER_MARK

DEFAULT = DumpedFlow(
    table=0,
    priority=0,
    cookie=0,
    match_bytes=bytes.fromhex("00010004"),
    instruction_bytes=bytes.fromhex("000400180000000000000010fffffffa0000000000000000"),
    packets=0,
    bytes=0,
)


def a_flow(cookie: int = 5, table: int = 3) -> DumpedFlow:
    return DumpedFlow(
        table=table,
        priority=7,
        cookie=cookie,
        match_bytes=bytes.fromhex("00010004"),
        instruction_bytes=b"",
        packets=0,
        bytes=0,
    )


def test_the_default_flow_of_a_new_bridge_is_nobody_s() -> None:
    assert is_default(DEFAULT)
    assert others([DEFAULT]) == []


def test_flows_of_others_read_as_ovs_ofctl_writes_them() -> None:
    (text,) = others([DEFAULT, a_flow()]) or []
    assert text.startswith("cookie=0x5,table=3,priority=7,")


def test_a_bridge_with_one_flow_of_weft_s_is_weft_s() -> None:
    assert others([a_flow(), a_flow(OWNER_MARK << 56)]) is None


def ask(*answers: bytes) -> int:
    """Ask a peer which switch it is that says these things, one after each message it hears, and then no more."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        for answer in answers:
            theirs.recv(4096)
            theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve)
    thread.start()
    with ours, theirs:
        try:
            return Glance(ours, 5).datapath_id()
        finally:
            thread.join()


def test_a_switch_with_openflow_1_0_alone_is_said_to_need_another_version() -> None:
    with pytest.raises(UnavailableError, match="OpenFlow14"):
        ask(bytes.fromhex("0100000800000001"))


def test_a_switch_with_openflow_1_3_is_asked_in_it() -> None:
    hello = bytes.fromhex("0400000800000001")
    features = bytes.fromhex("0406002000000002") + (9).to_bytes(8, "big") + bytes(16)
    assert ask(hello, features) == 9


def test_what_speaks_something_else_or_nothing_is_an_error() -> None:
    with pytest.raises(FramingError):
        ask(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 1000)
    with pytest.raises(UnavailableError):
        ask()
