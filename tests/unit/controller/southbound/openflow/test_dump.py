"""Is a dump read as what the switch holds, and nonsense noticed?"""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.openflow import dump
from controller.southbound.openflow.encode import Encoder
from controller.southbound.openflow.errors import FramingError
from flows.flow import Output
from tests.contract.harness import a_flow, a_group, a_meter

ENCODER = Encoder()
HEAD = bytes(dump.BODY_AT)
FLOWS = [a_flow(1, goto=20), a_flow(2, actions=(Output(5),)), a_flow(3, match=())]


def flow_entry(key: int, *, idle_timeout: int = 0, flags: int = 0) -> bytes:
    (table, priority, match), entry = ENCODER.flow(FLOWS[key])
    body = match + bytes(-len(match) % 8) + entry[8:]
    head = struct.pack("!HBxIIHHHHH2x", 48 + len(body), table, 9, 9, priority, idle_timeout, 0, flags, 0)
    return head + entry[:8] + struct.pack("!QQ", 11, 22) + body


def test_flows_are_read_from_all_parts() -> None:
    replies = [HEAD + flow_entry(0) + flow_entry(1), HEAD, HEAD + flow_entry(2)]
    assert dump.flow_entries(replies) == dict(ENCODER.flow(flow) for flow in FLOWS)
    read = list(dump.flows(replies))
    assert [flow.id for flow in read] == [ENCODER.flow_id(flow) for flow in FLOWS]
    assert [flow.cookie for flow in read] == [flow.cookie for flow in FLOWS]
    assert {(flow.packets, flow.bytes) for flow in read} == {(11, 22)}


@pytest.mark.parametrize("drift", [{"idle_timeout": 5}, {"flags": 1}])
def test_a_flow_that_would_expire_is_not_the_desired_one(drift: dict[str, int]) -> None:
    wire = ENCODER.flow(FLOWS[0])
    found = dump.flow_entries([HEAD + flow_entry(0, **drift)])
    assert found.keys() == {wire.id}
    assert found[wire.id] != wire.entry
    assert found[wire.id][:8] == wire.entry[:8]


def test_groups_and_meters_are_read_and_other_kinds_are_not_taken_for_ours() -> None:
    group, band = ENCODER.group(a_group(5, 1)), ENCODER.meter(a_meter(6))
    kind, buckets = group[0], group[1:]
    groups = [struct.pack("!HBxI", 8 + len(buckets), k, 5 + k) + buckets for k in (kind, kind + 1)]
    assert dump.group_bodies([HEAD + b"".join(groups)]) == {5 + kind: group, 6 + kind: bytes([kind + 1]) + buckets}
    meters = struct.pack("!HHI", 8 + len(band), 6, 6) + band + struct.pack("!HHI", 8 + len(band), 1, 7) + band
    assert dump.meter_bodies([HEAD + meters])[6] == band
    assert dump.meter_bodies([HEAD + meters])[7] != band
    assert dump.meter_bodies([HEAD + struct.pack("!HHI", 8, 6, 0xFFFFFFFE)]) == {}


@given(st.binary(max_size=200))
def test_nonsense_is_an_error_of_ours_or_nothing(body: bytes) -> None:
    for read in (dump.flow_entries, dump.group_bodies, dump.meter_bodies, lambda parts: list(dump.flows(parts))):
        with contextlib.suppress(FramingError):
            read([HEAD + body])


@pytest.mark.parametrize(
    "body", [b"\0", b"\0\x08" + bytes(6), b"\1\0" + bytes(60), b"\0\x38" + bytes(49) + b"\xff" + bytes(4)]
)
def test_entries_of_impossible_length_are_an_error(body: bytes) -> None:
    with pytest.raises(FramingError, match="octets"):
        dump.flow_entries([HEAD + body])


@given(st.data())
def test_a_dump_cut_short_or_changed_is_never_read_past_its_end(data: st.DataObject) -> None:
    octets = bytearray(flow_entry(0) + flow_entry(1))
    octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(octets)))
    try:
        found = dump.flow_entries([HEAD + bytes(octets[:end])])
    except FramingError:
        return
    assert sum(len(match) + len(entry) for (_, _, match), entry in found.items()) <= end + 100


def test_the_flows_of_all_tables_are_counted() -> None:
    table = struct.Struct("!B3xIQQ")
    part = bytes(16) + table.pack(0, 3, 1 << 40, 5) + table.pack(10, 4, 0, 0)
    assert dump.flow_count([part, part, bytes(16)]) == 14
    with pytest.raises(FramingError):
        dump.flow_count([part[:-1]])


def port_entry(number: int, *counts: int) -> bytes:
    """One port's statistics (OpenFlow 1.4 section 7.3.5.6), with a property behind them."""
    fixed = struct.pack("!HxxIII", 88, number, 7, 0) + struct.pack("!8Q", *counts, 0, 0, 0, 0)
    return fixed + struct.pack("!HHI", 0xFFFF, 8, 0)


def test_port_counters_are_read_from_all_parts_and_ports_that_do_not_count_left_out() -> None:
    unknown = 2**64 - 1
    replies = [HEAD + port_entry(1, 10, 20, 30, 40) + port_entry(2, 1, 2, unknown, 4), HEAD + port_entry(3, 0, 0, 0, 0)]
    found = dump.port_counters(replies)
    assert found.keys() == {1, 3}
    assert found[1] == dump.PortCounters(packets_received=10, packets_sent=20, bytes_received=30, bytes_sent=40)
    with pytest.raises(FramingError):
        dump.port_counters([HEAD + port_entry(1, 10, 20, 30, 40)[:-1]])
