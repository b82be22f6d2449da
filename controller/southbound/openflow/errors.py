"""What can go wrong between Weft and a switch's OpenFlow?

OpenFlowError
|-- EncodeError          a flow, group or meter has no OpenFlow form (the caller's mistake)
|-- NotLoadedError       a change was given before the complete state (the caller's mistake)
|-- FramingError         the peer's bytes are no OpenFlow messages
`-- UnavailableError     the switch cannot be asked now
    |-- NotConnectedError    no connection
    |-- ConnectionLostError  the connection ended while something waited for it
    |-- NoAnswerError        no answer within the deadline
    `-- RequestRefusedError  the switch answered with an error
"""


class OpenFlowError(Exception):
    """Root of this package's errors."""


class EncodeError(OpenFlowError, ValueError):
    """A value that does not fit OpenFlow 1.4."""


class NotLoadedError(OpenFlowError, RuntimeError):
    """A change of a state that was never given whole."""

    def __init__(self, dpid: int) -> None:
        self.dpid = dpid
        super().__init__(f"switch {dpid:016x}: apply() before load(); give the complete state first")


class FramingError(OpenFlowError):
    """Bytes that cannot be cut into OpenFlow messages."""


class UnavailableError(OpenFlowError):
    """The switch cannot be asked now; try again later."""


class NotConnectedError(UnavailableError):
    """There is no connection."""

    def __init__(self, dpid: int) -> None:
        self.dpid = dpid
        super().__init__(f"switch {dpid:016x} is not connected")


class ConnectionLostError(UnavailableError):
    """The connection ended."""

    def __init__(self, peer: str, why: str) -> None:
        self.peer, self.why = peer, why
        super().__init__(f"connection to {peer} lost: {why}")


class NoAnswerError(UnavailableError):
    """Nothing came within the deadline."""

    def __init__(self, peer: str, what: str, seconds: float) -> None:
        self.peer, self.what, self.seconds = peer, what, seconds
        super().__init__(f"{peer} did not answer a {what} within {seconds:g} s")


class RequestRefusedError(UnavailableError):
    """A request was answered with an OpenFlow error."""

    def __init__(self, peer: str, what: str, error: str) -> None:
        self.peer, self.what, self.error = peer, what, error
        super().__init__(f"{peer} refused a {what}: {error}")
