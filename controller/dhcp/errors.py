"""What can be wrong with a DHCP frame, an option or a lease?

::

    DhcpError
    |- MalformedFrame   a guest's mistake: the frame is dropped and counted
    |- InvalidOption    a user's mistake: one option is skipped and reported, the others stand
    '- InvalidLease     the caller's mistake: there is no address to hand out

DHCPv6 has the same three by the name of its own protocol.
"""

from typing import ClassVar


class DhcpError(Exception):
    """Base of everything this package raises."""

    protocol: ClassVar = "DHCP"


class MalformedFrame(DhcpError):  # noqa: N818 (named for what the frame is)
    """A guest sent bytes that are no message of the protocol.

    Attributes:
        reason: What is wrong with the frame, as one clause.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"malformed {self.protocol} frame: {reason}")
        self.reason = reason


class InvalidOption(DhcpError):  # noqa: N818
    """An option cannot be sent as it is written.

    Attributes:
        name: The option as the user wrote it.
        value: Its value as the user wrote it.
        reason: What is wrong and what to write instead, as one clause.
    """

    def __init__(self, name: str, value: str | None, reason: str) -> None:
        super().__init__(f"{self.protocol} option {name!r} with value {value!r} is not sent: {reason}")
        self.name = name
        self.value = value
        self.reason = reason


class InvalidLease(DhcpError):  # noqa: N818
    """A lease lacks what every answer needs.

    Attributes:
        field: The attribute of the lease.
        value: What it holds.
        reason: What it must hold.
    """

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"{self.protocol} lease with {field} {value!r} cannot be answered: {field} must be {reason}")
        self.field = field
        self.value = value
        self.reason = reason
