"""What is asked of the bridge that is tried? Two guests with addresses, security groups and port security."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from flows.compiler import compile_bridge
from flows.delta import Tables
from flows.intent import (
    BaseIntent,
    Guard,
    LocalPortIntent,
    Owned,
    Prefix,
    RuleIntent,
    RulesetIntent,
    SegmentIntent,
    UnitIntent,
)

SEGMENT = 1
SERVICE_MAC = 0x025745465401
SENDER_RULES, RECEIVER_RULES = 1, 2
OPEN_PORT, CLOSED_PORT = 7007, 7008
"""TCP ports of the receiver: one that its security group lets in, and one that it does not."""
ICMP, TCP, ECHO_REQUEST = 1, 6, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """One of the guests."""

    name: str
    number: int
    """OpenFlow number of its device; port key and conntrack zone as well."""
    mac: str
    address: str
    ruleset: int

    @property
    def mac_number(self) -> int:
        """Its MAC address, 48 bits."""
        return int(self.mac.replace(":", ""), 16)

    @property
    def prefix(self) -> Prefix:
        """Its address as a prefix."""
        return Prefix(4, int(IPv4Address(self.address)), 32)


SENDER = Guest(name="a", number=32768, mac="fa:16:3e:57:00:01", address="10.254.254.11", ruleset=SENDER_RULES)
RECEIVER = Guest(name="b", number=32769, mac="fa:16:3e:57:00:02", address="10.254.254.12", ruleset=RECEIVER_RULES)
FORGED = "10.254.254.99"
"""An address of nobody, which the sender uses although it is not its own."""


def wanted() -> Tables:
    """Return the flows, groups and meters of the bridge, compiled as those of any other."""
    let_out = RuleIntent(version=4, why="everything may leave")
    let_in = (
        RuleIntent(version=4, protocol=ICMP, low=ECHO_REQUEST, high=0, why="echo requests"),
        RuleIntent(version=4, protocol=TCP, low=OPEN_PORT, high=OPEN_PORT, why="one TCP port"),
    )
    intents: tuple[UnitIntent, ...] = (
        BaseIntent(),
        SegmentIntent(segment=SEGMENT, service_mac=SERVICE_MAC, service_addresses=()),
        RulesetIntent(ruleset=SENDER_RULES, stateful=True, from_port=(let_out,), to_port=()),
        RulesetIntent(ruleset=RECEIVER_RULES, stateful=True, from_port=(let_out,), to_port=let_in),
        *(_port(guest) for guest in (SENDER, RECEIVER)),
    )
    return compile_bridge(intents).tables()


def _port(guest: Guest) -> LocalPortIntent:
    return LocalPortIntent(
        port=guest.number,
        segment=SEGMENT,
        ofport=guest.number,
        mac=guest.mac_number,
        number=guest.number,
        guarded=True,
        guards=(Guard(guest.mac_number, guest.prefix),),
        owned=(Owned(guest.prefix, guest.mac_number, True),),
        ruleset=guest.ruleset,
        groups=(guest.ruleset,),
        dhcp=False,
    )
