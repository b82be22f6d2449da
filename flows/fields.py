"""Which packet and register fields may a flow match or set?

Names are those of ovs-fields(7). A `Field` is a fact about OpenFlow; a `RegField` is Weft's own meaning of some bits
of a register and is the only way to reach a register. What a flow does with them belongs into `flows.flow` and the
features.
"""

from dataclasses import dataclass


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

    def __post_init__(self) -> None:
        """Refuse a width no OXM has.

        Raises:
            ValueError: The declaration is wrong.
        """
        if not 1 <= self.bits <= 128:  # noqa: PLR2004 - the widest OXM is an IPv6 address
            raise ValueError(f"field {self.name}: {self.bits} bits is no OXM width")

    @property
    def full_mask(self) -> int:
        """All ones in the field's width."""
        return (1 << self.bits) - 1

    def eq(self, value: int) -> "Term":
        """Match the whole field.

        Raises:
            ValueError: The field cannot hold the value.
        """
        return self.masked(value, self.full_mask)

    def masked(self, value: int, mask: int) -> "Term":
        """Match the bits of `mask` only; bits of `value` outside it do not matter.

        Raises:
            ValueError: Value or mask has bits the field does not have, or the mask is empty.
        """
        if value >> self.bits or mask >> self.bits or not mask:
            raise ValueError(f"{self.name}: value {value:#x} mask {mask:#x} need {self.bits} bits")
        return Term(self, value & mask, mask)


@dataclass(frozen=True, slots=True)
class Term:
    """One condition of a match; its identity is canonical. Made by `Field.eq`, `Field.masked` and `RegField.eq`."""

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
ARP_OP = Field(name="arp_op", oxm="arp_op", bits=16)
ARP_SPA = Field(name="arp_spa", oxm="arp_spa", bits=32, form="ipv4")
ARP_TPA = Field(name="arp_tpa", oxm="arp_tpa", bits=32, form="ipv4")
ARP_SHA = Field(name="arp_sha", oxm="arp_sha", bits=48, form="mac")
ARP_THA = Field(name="arp_tha", oxm="arp_tha", bits=48, form="mac")
TUN_ID = Field(name="tun_id", oxm="tunnel_id", bits=64, form="hex")
TUN_SRC = Field(name="tun_src", oxm="tun_ipv4_src", bits=32, form="ipv4")
TUN_DST = Field(name="tun_dst", oxm="tun_ipv4_dst", bits=32, form="ipv4")

REGISTERS: tuple[Field, ...] = tuple(Field(name=f"reg{n}", oxm=f"reg{n}", bits=32, form="hex") for n in range(8))

ETH_TYPE_IPV4 = 0x0800
ETH_TYPE_ARP = 0x0806
IP_PROTO_UDP = 17
ARP_REQUEST = 1
ARP_REPLY = 2
VLAN_PRESENT = 0x1000
"""OpenFlow 1.4 section 7.2.3.8: OFPVID_PRESENT."""
MULTICAST_BIT = 0x010000000000
"""The group bit of a MAC address (IEEE 802 section 8.2); broadcast has it too."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegField:
    """Some bits of one register, with the meaning Weft gives them. There is one value each, as with `Field`.

    Attributes:
        name: What the bits say, e.g. ``segment``.
        reg: Register number, 0..7.
        lo: Least significant bit, inclusive; bit 0 is the register's least significant.
        hi: Most significant bit, inclusive.
        doc: One sentence for the pipeline manual.
    """

    name: str
    reg: int
    lo: int
    hi: int
    doc: str

    def __post_init__(self) -> None:
        """Refuse bits that no register has.

        Raises:
            ValueError: The declaration is wrong.
        """
        if not (0 <= self.reg < len(REGISTERS) and 0 <= self.lo <= self.hi <= 31):  # noqa: PLR2004
            raise ValueError(f"register field {self.name}: reg{self.reg}[{self.lo}..{self.hi}] does not exist")

    @property
    def bits(self) -> int:
        """Width."""
        return self.hi - self.lo + 1

    @property
    def field(self) -> Field:
        """The register the bits lie in."""
        return REGISTERS[self.reg]

    @property
    def mask(self) -> int:
        """The bits, as a mask of the register."""
        return ((1 << self.bits) - 1) << self.lo

    def eq(self, value: int) -> Term:
        """Match the whole register field."""
        if not 0 <= value < 1 << self.bits:
            raise ValueError(f"{self.name}: {value} does not fit {self.bits} bits")
        return self.field.masked(value << self.lo, self.mask)
