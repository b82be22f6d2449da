"""What does a packet look like to a flow table, and which fields has it?

A packet is the values of fields; what it does not have is 0, as in Open vSwitch. Bytes are not parsed here.
"""

from collections.abc import Callable, Mapping

from flows import fields
from flows.fields import Field, RegField

Values = dict[Field, int]
"""Every field and register of `ALL_FIELDS`, and its value."""
INNER_VLAN = Field(name="inner_vlan", oxm="", bits=13, form="hex")
"""The tag behind `VLAN_VID`, in the same form. No flow matches it and no message bears it, but it comes to light when
the one in front is taken off."""

_KINDS = {
    fields.ETH_TYPE_ARP: (fields.ARP_OP, fields.ARP_SPA, fields.ARP_TPA, fields.ARP_SHA, fields.ARP_THA),
    fields.ETH_TYPE_IPV4: (fields.IPV4_SRC, fields.IPV4_DST),
    fields.ETH_TYPE_IPV6: (fields.IPV6_SRC, fields.IPV6_DST),
}
_IP = (fields.IP_PROTO, fields.IP_FRAG)
_LAYER_4 = {
    fields.TCP_DST: fields.IP_PROTO_TCP,
    fields.UDP_SRC: fields.IP_PROTO_UDP,
    fields.UDP_DST: fields.IP_PROTO_UDP,
    fields.SCTP_DST: fields.IP_PROTO_SCTP,
}
_ICMP = (fields.ICMP_TYPE, fields.ICMP_CODE)
_ICMP6 = (fields.ICMP6_TYPE, fields.ICMP6_CODE)
_ND = (fields.ND_TARGET, fields.ND_RESERVED, fields.ND_OPTIONS_TYPE)
NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 135, 136
"""ICMPv6 types of RFC 4861 section 4."""

PORTS: tuple[Field, ...] = (*_LAYER_4, *_ICMP, *_ICMP6)
"""What Open vSwitch keeps in its two transport port fields: 0 in later fragments and, unless the switch is told
otherwise, in first ones too (ovs-ofctl(8), set-frags)."""
HEADERS: tuple[Field, ...] = (
    fields.ETH_SRC,
    fields.ETH_DST,
    fields.ETH_TYPE,
    fields.VLAN_VID,
    INNER_VLAN,
    *_IP,
    *(field for kind in _KINDS.values() for field in kind),
    *PORTS,
    *_ND,
    fields.ND_SLL,
    fields.ND_TLL,
)
"""What stands in the packet itself."""
ALL_FIELDS: tuple[Field, ...] = (
    fields.IN_PORT,
    fields.TUN_ID,
    fields.TUN_SRC,
    fields.TUN_DST,
    *HEADERS,
    fields.CT_STATE,
    fields.CT_MARK,
    fields.CONJ_ID,
    *fields.REGISTERS,
)


def packet(values: Mapping[Field, int]) -> Values:
    """Return a packet as it comes into a switch.

    Raises:
        ValueError: A value does not fit its field, or a field is none a packet has.
    """
    whole = dict.fromkeys(ALL_FIELDS, 0)
    for field, value in values.items():
        if field not in whole:
            raise ValueError(f"no packet has a field {field.name}")
        if value < 0 or value >> field.bits:
            raise ValueError(f"{field.name}: {value:#x} does not fit {field.bits} bits")
        whole[field] = value
    return whole


def _is_ip(values: Values) -> bool:
    return values[fields.ETH_TYPE] in {fields.ETH_TYPE_IPV4, fields.ETH_TYPE_IPV6}


def _bears(values: Values, eth_type: int | None, protocol: int) -> bool:
    """Whether the packet shows a header of this protocol: later fragments bear none."""
    kind = _is_ip(values) if eth_type is None else values[fields.ETH_TYPE] == eth_type
    return kind and values[fields.IP_PROTO] == protocol and not values[fields.IP_FRAG] & fields.FRAG_LATER


def _is_icmp6(values: Values) -> bool:
    return _bears(values, fields.ETH_TYPE_IPV6, fields.IP_PROTO_ICMPV6)


def _discovers(*kinds: int) -> Callable[[Values], bool]:
    return lambda values: _is_icmp6(values) and values[fields.ICMP6_TYPE] in kinds and not values[fields.ICMP6_CODE]


def _has_type(kind: int) -> Callable[[Values], bool]:
    if kind == fields.ETH_TYPE_ARP:
        return lambda values: values[fields.ETH_TYPE] in {fields.ETH_TYPE_ARP, fields.ETH_TYPE_RARP}
    return lambda values: values[fields.ETH_TYPE] == kind


def _has_port(protocol: int) -> Callable[[Values], bool]:
    return lambda values: _bears(values, None, protocol)


_NEEDS: dict[Field, Callable[[Values], bool]] = {
    **{field: _has_type(kind) for kind, group in _KINDS.items() for field in group},
    **dict.fromkeys(_IP, _is_ip),
    **{field: _has_port(protocol) for field, protocol in _LAYER_4.items()},
    **dict.fromkeys(_ICMP, lambda values: _bears(values, fields.ETH_TYPE_IPV4, fields.IP_PROTO_ICMP)),
    **dict.fromkeys(_ICMP6, _is_icmp6),
    **dict.fromkeys(_ND, _discovers(NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT)),
    fields.ND_SLL: _discovers(NEIGHBOUR_SOLICITATION),
    fields.ND_TLL: _discovers(NEIGHBOUR_ADVERTISEMENT),
    fields.VLAN_VID: lambda values: bool(values[fields.VLAN_VID] & fields.VLAN_PRESENT),
}
"""Prerequisites (ovs-fields(7)); what is not here, every packet has."""


def has(values: Values, field: Field) -> bool:
    """Whether the packet has the field; a set or move of one it has not does nothing (ovs-actions(7), set_field)."""
    needs = _NEEDS.get(field)
    return needs is None or needs(values)


def read(values: Values, place: Field | RegField) -> int:
    """Return what a field or register field holds."""
    if isinstance(place, Field):
        return values[place]
    whole = 0
    for register in fields.REGISTERS[place.reg : place.reg + place.wide]:
        whole = whole << 32 | values[register]
    return (whole & place.mask) >> place.lo


def write(values: Values, place: Field | RegField, value: int) -> None:
    """Put a value into a field or register field."""
    if isinstance(place, Field):
        values[place] = value
        return
    mask, bits = place.mask, value << place.lo
    for register in reversed(fields.REGISTERS[place.reg : place.reg + place.wide]):
        if mask & 0xFFFFFFFF:
            values[register] = values[register] & ~mask & 0xFFFFFFFF | bits & mask & 0xFFFFFFFF
        mask >>= 32
        bits >>= 32
