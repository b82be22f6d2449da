"""What can be wrong with a frame, an option, a lease or a network's facts?

::

    Ipv6ConfigurationError
    |- MalformedFrame   a guest's mistake: the frame is dropped and counted
    |- InvalidOption    a user's mistake: one option is skipped and reported, the others stand
    |- InvalidLease     the caller's mistake: there is nothing to answer DHCPv6 with
    '- InvalidFacts     the caller's mistake: there is nothing to advertise
"""


class Ipv6ConfigurationError(Exception):
    """Base of everything this package raises."""


class MalformedFrame(Ipv6ConfigurationError):  # noqa: N818 (named for what the frame is)
    """A guest sent bytes that are no router solicitation, or no DHCPv6 message.

    Attributes:
        reason: What is wrong with the frame, as one clause.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"malformed frame: {reason}")
        self.reason = reason


class InvalidOption(Ipv6ConfigurationError):  # noqa: N818
    """An option cannot be sent as it is written.

    Attributes:
        name: The option as the user wrote it.
        value: Its value as the user wrote it.
        reason: What is wrong and what to write instead, as one clause.
    """

    def __init__(self, name: str, value: str | None, reason: str) -> None:
        super().__init__(f"DHCPv6 option {name!r} with value {value!r} is not sent: {reason}")
        self.name = name
        self.value = value
        self.reason = reason


class InvalidLease(Ipv6ConfigurationError):  # noqa: N818
    """A lease lacks what every answer needs.

    Attributes:
        field: The attribute of the lease.
        value: What it holds.
        reason: What it must hold.
    """

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"DHCPv6 lease with {field} {value!r} cannot be answered: {field} must be {reason}")
        self.field = field
        self.value = value
        self.reason = reason


class InvalidFacts(Ipv6ConfigurationError):  # noqa: N818
    """The facts about a network cannot be advertised.

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
