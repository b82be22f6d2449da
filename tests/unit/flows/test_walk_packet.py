"""What a packet has, and how registers that share bits are read and written (ovs-fields(7))."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import fields
from flows.fields import FRAG_ANY, FRAG_LATER, Field
from flows.pipeline import ADDRESS, ADDRESS_IPV4, FROM_ZONE, OWNER_MAC, REGISTER_FIELDS, SEGMENT
from flows.walk.packet import has, packet, read, write

ICMP6 = {fields.ETH_TYPE: 0x86DD, fields.IP_PROTO: 58}


@pytest.mark.parametrize(
    ("values", "field", "there"),
    [
        ({}, fields.ETH_SRC, True),
        ({fields.ETH_TYPE: 0x0800}, fields.IPV4_SRC, True),
        ({fields.ETH_TYPE: 0x86DD}, fields.IPV4_SRC, False),
        ({fields.ETH_TYPE: 0x8035}, fields.ARP_SPA, True),
        ({fields.ETH_TYPE: 0x0800, fields.IP_PROTO: 17}, fields.UDP_DST, True),
        ({fields.ETH_TYPE: 0x0800, fields.IP_PROTO: 6}, fields.UDP_DST, False),
        ({fields.ETH_TYPE: 0x0800, fields.IP_PROTO: 17, fields.IP_FRAG: FRAG_ANY}, fields.UDP_DST, True),
        ({fields.ETH_TYPE: 0x0800, fields.IP_PROTO: 17, fields.IP_FRAG: FRAG_ANY | FRAG_LATER}, fields.UDP_DST, False),
        ({fields.ETH_TYPE: 0x0806}, fields.IP_PROTO, False),
        (ICMP6 | {fields.ICMP6_TYPE: 135}, fields.ND_SLL, True),
        (ICMP6 | {fields.ICMP6_TYPE: 136}, fields.ND_SLL, False),
        (ICMP6 | {fields.ICMP6_TYPE: 136}, fields.ND_TLL, True),
        (ICMP6 | {fields.ICMP6_TYPE: 136, fields.ICMP6_CODE: 1}, fields.ND_TARGET, False),
        (ICMP6 | {fields.ICMP6_TYPE: 128}, fields.ICMP6_CODE, True),
    ],
)
def test_a_packet_has_the_fields_of_its_kind_only(values: dict[Field, int], field: Field, there: bool) -> None:
    assert has(packet(values), field) is there


def test_what_no_packet_has_is_refused() -> None:
    with pytest.raises(ValueError, match="udp_dst: 0x10000 does not fit 16 bits"):
        packet({fields.UDP_DST: 1 << 16})
    with pytest.raises(ValueError, match="xreg0"):
        packet({fields.DOUBLE_REGISTERS[0]: 1})


@given(st.sampled_from(REGISTER_FIELDS), st.integers(0, (1 << 128) - 1), st.integers(0, (1 << 512) - 1))
def test_writing_a_register_field_changes_its_bits_alone(place: fields.RegField, value: int, before: int) -> None:
    values = packet({register: before >> 32 * n & 0xFFFFFFFF for n, register in enumerate(fields.REGISTERS)})
    expected = dict(values)
    value &= (1 << place.bits) - 1
    for at in range(place.bits):
        bit = place.lo + at
        register = fields.REGISTERS[place.reg + place.wide - 1 - bit // 32]
        one = 1 << bit % 32
        expected[register] = expected[register] | one if value >> at & 1 else expected[register] & ~one
    write(values, place, value)
    assert values == expected
    assert read(values, place) == value


def test_wide_registers_hold_the_highest_bits_first() -> None:
    """ovs-fields(7), "Register Fields": xreg1 is reg2 and reg3, xxreg1 reg4 to reg7."""
    values = packet({})
    write(values, OWNER_MAC, 0xFA163E000001)
    write(values, FROM_ZONE, 0x8001)
    assert (values[fields.REGISTERS[2]], values[fields.REGISTERS[3]]) == (0x8001FA16, 0x3E000001)
    write(values, ADDRESS, 1 << 127 | 5)
    assert (values[fields.REGISTERS[4]], read(values, ADDRESS_IPV4)) == (1 << 31, 5)
    assert read(values, SEGMENT) == 0
