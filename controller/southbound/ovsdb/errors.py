"""What can go wrong between Weft and a host's OVSDB?

OvsdbError
|-- TargetError        the address of the database cannot be used (the caller's mistake)
|-- UnknownHostError   no host of that name was added (the caller's mistake)
|-- HostExistsError    a host of that name is there already (the caller's mistake)
|-- NotDesiredError    a change was stated of what was never stated whole (the caller's mistake)
`-- PeerError          the server, or the way to it, failed: the connection is given up and made anew
"""


class OvsdbError(Exception):
    """Root of this package's errors."""


class TargetError(OvsdbError, ValueError):
    """An OVSDB address that cannot be used."""

    def __init__(self, *, target: str, why: str) -> None:
        self.target = target
        self.why = why
        super().__init__(f"OVSDB address {target!r} {why}")


class UnknownHostError(OvsdbError, LookupError):
    """A host that was never added, or was removed."""

    def __init__(self, *, host: str) -> None:
        self.host = host
        super().__init__(f"host {host!r} is not known to the OVSDB service: add it first")


class HostExistsError(OvsdbError, ValueError):
    """A host added twice."""

    def __init__(self, *, host: str) -> None:
        self.host = host
        super().__init__(f"host {host!r} is already known to the OVSDB service: remove it first")


class NotDesiredError(OvsdbError, ValueError):
    """A change stated for a host of which nothing is desired yet."""

    def __init__(self, *, host: str) -> None:
        self.host = host
        super().__init__(f"nothing is desired of host {host!r} yet: state it whole (set_desired) before any change")


class PeerError(OvsdbError):
    """The database server broke the protocol, fell silent, or went away."""

    def __init__(self, *, why: str) -> None:
        self.why = why
        super().__init__(why)
