"""What can be wrong with a frame, an option, a lease or a network's facts?

What DHCPv6 shares with DHCP differs by the protocol's name; a router advertisement's facts come beside it.
"""

from typing import ClassVar

from controller.dhcp import errors


class MalformedFrame(errors.MalformedFrame):
    """A guest sent bytes that are no router solicitation, or no DHCPv6 message."""

    protocol: ClassVar = "IPv6"


class InvalidOption(errors.InvalidOption):
    """An option of DHCPv6 cannot be sent as it is written."""

    protocol: ClassVar = "DHCPv6"


class InvalidLease(errors.InvalidLease):
    """A lease of DHCPv6 lacks what every answer needs."""

    protocol: ClassVar = "DHCPv6"


class InvalidFacts(errors.DhcpError):
    """The facts about a network cannot be advertised: the caller's mistake.

    Attributes:
        field: The attribute of the facts.
        value: What it holds.
        reason: What it must hold.
    """

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"router advertisement with {field} {value!r} cannot be sent: {field} must be {reason}")
        self.field = field
        self.value = value
        self.reason = reason
