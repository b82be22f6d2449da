"""Which packet and register fields may a flow match or set?

Names are those of ovs-fields(7). A `Field` is a fact about OpenFlow; a `RegField` is Weft's own meaning of some bits
of a register and is the only way to reach a register. What a flow does with them belongs into `flows.flow` and the
features.
"""

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """One field of ovs-fields(7). There is one value a field, so identity is equality, and hashing costs nothing.

    Attributes:
        name: The name OVS prints in ``ovs-ofctl dump-flows``.
        oxm: The name of its OXM in OpenFlow 1.4, as os-ken spells it.
        bits: Width.
        form: How its value is written as text: ``int``, ``hex``, ``mac``, ``ipv4`` or ``ipv6``.
    """

    name: str
    oxm: str
    bits: int
    form: str = "int"
    full_mask: int = field(init=False)
    """All ones in the field's width."""

    def __post_init__(self) -> None:
        """Refuse a width no OXM has.

        Raises:
            ValueError: The declaration is wrong.
        """
        if not 1 <= self.bits <= 128:  # noqa: PLR2004 - the widest OXM is an IPv6 address
            raise ValueError(f"field {self.name}: {self.bits} bits is no OXM width")
        object.__setattr__(self, "full_mask", (1 << self.bits) - 1)

    def eq(self, value: int) -> "Term":
        """Match the whole field.

        Raises:
            ValueError: The field cannot hold the value.
        """
        if value >> self.bits:
            raise ValueError(f"{self.name}: {value:#x} does not fit {self.bits} bits")
        return Term(self, value, self.full_mask)

    def masked(self, value: int, mask: int) -> "Term":
        """Match the bits of `mask` only; bits of `value` outside it do not matter.

        Raises:
            ValueError: Value or mask has bits the field does not have, or the mask is empty.
        """
        if value >> self.bits or mask >> self.bits or not mask:
            raise ValueError(f"{self.name}: value {value:#x} mask {mask:#x} need {self.bits} bits")
        return Term(self, value & mask, mask)


class Term(NamedTuple):
    """One condition of a match; its identity is canonical. Made by `Field.eq`, `Field.masked` and `RegField.eq`.

    A plain tuple, because matches are keys: it is hashed and compared without a call of Python.
    """

    field: Field
    value: int
    mask: int

    @property
    def is_exact(self) -> bool:
        """Whether every bit of the field is matched."""
        return self.mask == self.field.full_mask


IN_PORT = Field(name="in_port", oxm="in_port", bits=32)
ETH_SRC = Field(name="dl_src", oxm="eth_src", bits=48, form="mac")
ETH_DST = Field(name="dl_dst", oxm="eth_dst", bits=48, form="mac")
ETH_TYPE = Field(name="dl_type", oxm="eth_type", bits=16, form="hex")
VLAN_VID = Field(name="vlan_tci", oxm="vlan_vid", bits=13, form="hex")
IP_PROTO = Field(name="nw_proto", oxm="ip_proto", bits=8)
IPV4_SRC = Field(name="nw_src", oxm="ipv4_src", bits=32, form="ipv4")
IPV4_DST = Field(name="nw_dst", oxm="ipv4_dst", bits=32, form="ipv4")
UDP_SRC = Field(name="udp_src", oxm="udp_src", bits=16)
UDP_DST = Field(name="udp_dst", oxm="udp_dst", bits=16)
IPV6_SRC = Field(name="ipv6_src", oxm="ipv6_src", bits=128, form="ipv6")
IPV6_DST = Field(name="ipv6_dst", oxm="ipv6_dst", bits=128, form="ipv6")
TCP_DST = Field(name="tcp_dst", oxm="tcp_dst", bits=16)
SCTP_DST = Field(name="sctp_dst", oxm="sctp_dst", bits=16)
IP_FRAG = Field(name="nw_frag", oxm="ip_frag", bits=2, form="hex")
ICMP_TYPE = Field(name="icmp_type", oxm="icmpv4_type", bits=8)
ICMP_CODE = Field(name="icmp_code", oxm="icmpv4_code", bits=8)
ICMP6_TYPE = Field(name="icmpv6_type", oxm="icmpv6_type", bits=8)
ICMP6_CODE = Field(name="icmpv6_code", oxm="icmpv6_code", bits=8)
ND_TARGET = Field(name="nd_target", oxm="ipv6_nd_target", bits=128, form="ipv6")
ND_SLL = Field(name="nd_sll", oxm="ipv6_nd_sll", bits=48, form="mac")
ND_TLL = Field(name="nd_tll", oxm="ipv6_nd_tll", bits=48, form="mac")
ND_RESERVED = Field(name="nd_reserved", oxm="nd_reserved", bits=32, form="hex")
ND_OPTIONS_TYPE = Field(name="nd_options_type", oxm="nd_options_type", bits=8)
CT_STATE = Field(name="ct_state", oxm="ct_state", bits=32, form="hex")
CT_MARK = Field(name="ct_mark", oxm="ct_mark", bits=32, form="hex")
CONJ_ID = Field(name="conj_id", oxm="conj_id", bits=32)
ARP_OP = Field(name="arp_op", oxm="arp_op", bits=16)
ARP_SPA = Field(name="arp_spa", oxm="arp_spa", bits=32, form="ipv4")
ARP_TPA = Field(name="arp_tpa", oxm="arp_tpa", bits=32, form="ipv4")
ARP_SHA = Field(name="arp_sha", oxm="arp_sha", bits=48, form="mac")
ARP_THA = Field(name="arp_tha", oxm="arp_tha", bits=48, form="mac")
TUN_ID = Field(name="tun_id", oxm="tunnel_id", bits=64, form="hex")
TUN_SRC = Field(name="tun_src", oxm="tun_ipv4_src", bits=32, form="ipv4")
TUN_DST = Field(name="tun_dst", oxm="tun_ipv4_dst", bits=32, form="ipv4")

REGISTERS: tuple[Field, ...] = tuple(Field(name=f"reg{n}", oxm=f"reg{n}", bits=32, form="hex") for n in range(16))
DOUBLE_REGISTERS: tuple[Field, ...] = tuple(
    Field(name=f"xreg{n}", oxm=f"xreg{n}", bits=64, form="hex") for n in range(8)
)
"""Number n is reg2n (high half) and reg2n+1 (ovs-fields(7), "Register Fields"); an action may name it, a match not."""
QUAD_REGISTERS: tuple[Field, ...] = tuple(
    Field(name=f"xxreg{n}", oxm=f"xxreg{n}", bits=128, form="hex") for n in range(4)
)
"""Number n is reg4n (most significant) to reg4n+3; an action may name it, a match not."""

ETH_TYPE_IPV4 = 0x0800
ETH_TYPE_ARP = 0x0806
ETH_TYPE_RARP = 0x8035
ETH_TYPE_IPV6 = 0x86DD
IP_PROTO_ICMP = 1
IP_PROTO_TCP = 6
IP_PROTO_UDP = 17
IP_PROTO_ICMPV6 = 58
IP_PROTO_SCTP = 132
ARP_REQUEST = 1
ARP_REPLY = 2
FRAG_ANY = 0x01
"""Bit of `IP_FRAG`: the packet is a fragment (ovs-fields(7), ip_frag)."""
FRAG_LATER = 0x02
"""Bit of `IP_FRAG`: not the first fragment, so that it bears no ports."""
CT_NEW, CT_EST, CT_REL, CT_RPL, CT_INV, CT_TRK = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
"""Bits of `CT_STATE` (ovs-fields(7), ct_state)."""
VLAN_PRESENT = 0x1000
"""OpenFlow 1.4 section 7.2.3.8: OFPVID_PRESENT."""
MULTICAST_BIT = 0x010000000000
"""The group bit of a MAC address (IEEE 802 section 8.2); broadcast has it too."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegField:
    """Some bits of one or several registers, with the meaning Weft gives them. One value each, as with `Field`.

    Attributes:
        name: What the bits say, e.g. ``segment``.
        reg: Number of the first register, 0..15.
        lo: Least significant bit, inclusive; bit 0 is the least significant of the (joined) register.
        hi: Most significant bit, inclusive.
        wide: How many registers are joined: 1, 2 or 4; the first holds the most significant bits.
        doc: One sentence for the pipeline manual.
    """

    name: str
    reg: int
    lo: int
    hi: int
    doc: str
    wide: int = 1

    def __post_init__(self) -> None:
        """Refuse bits that no register has.

        Raises:
            ValueError: The declaration is wrong.
        """
        if not (
            self.wide in _JOINED
            and 0 <= self.reg < len(REGISTERS)
            and self.reg % self.wide == 0
            and 0 <= self.lo <= self.hi < 32 * self.wide
        ):
            raise ValueError(f"register field {self.name}: reg{self.reg}[{self.lo}..{self.hi}] does not exist")

    @property
    def bits(self) -> int:
        """Width."""
        return self.hi - self.lo + 1

    @property
    def field(self) -> Field:
        """The register the bits lie in."""
        return _JOINED[self.wide][self.reg // self.wide]

    @property
    def fields(self) -> tuple[Field, ...]:
        """The single registers the bits lie in; a match names these."""
        first = self.reg + self.wide - 1 - self.hi // 32
        return REGISTERS[first : self.reg + self.wide - self.lo // 32]

    @property
    def mask(self) -> int:
        """The bits, as a mask of the (joined) register."""
        return ((1 << self.bits) - 1) << self.lo

    def eq(self, value: int) -> Term:
        """Match the whole register field, which lies in one register.

        Raises:
            ValueError: The field cannot hold the value, or needs several terms (`matching`).
        """
        if self.wide > 1:
            raise ValueError(f"{self.name}: lies in {self.wide} registers, which one term cannot match")
        if not 0 <= value < 1 << self.bits:
            raise ValueError(f"{self.name}: {value} does not fit {self.bits} bits")
        return self.field.masked(value << self.lo, self.mask)

    def matching(self, value: int, prefix: int | None = None) -> tuple[Term, ...]:
        """Return the terms that match the field's first `prefix` bits (all by default), one a register.

        Raises:
            ValueError: The field cannot hold the value, or the prefix is longer than the field.
        """
        length = self.bits if prefix is None else prefix
        if not (0 <= value < 1 << self.bits and 0 <= length <= self.bits):
            raise ValueError(f"{self.name}: {value:#x}/{length} does not fit {self.bits} bits")
        mask = ((1 << length) - 1) << self.bits - length << self.lo
        terms = []
        for place, register in enumerate(REGISTERS[self.reg : self.reg + self.wide]):
            shift = 32 * (self.wide - 1 - place)
            part = mask >> shift & 0xFFFFFFFF
            if part:
                terms.append(register.masked((value << self.lo) >> shift & part, part))
        return tuple(terms)


_JOINED: dict[int, tuple[Field, ...]] = {1: REGISTERS, 2: DOUBLE_REGISTERS, 4: QUAD_REGISTERS}
