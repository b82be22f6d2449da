"""What can go wrong with services outside Weft that give out addresses, and who is to be told?

::

    WeftError (controller.errors)
    ├── INVALID      NoSuchIpamDriver
    ├── CONFLICT     SubnetRefusedByDriver, AddressServiceInconsistent, NotPlannable
    ├── UNAVAILABLE  AddressServiceUnavailable
    └── (internal)   DriverRefused: a driver that cannot be used; shown in the log and by `weft ipam list`
"""

# ruff: noqa: N818 - as in controller.errors, a class is named after what is wrong

from controller.errors import Kind, WeftError


class NoSuchIpamDriver(WeftError):
    """A request names a driver that is not enabled, or does not work."""

    kind = Kind.INVALID

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"IPAM driver '{name}' is not there: `weft ipam list` shows those that are.")


class SubnetRefusedByDriver(WeftError):
    """The service cannot give out addresses of a subnet."""

    kind = Kind.CONFLICT

    def __init__(self, name: str, cidr: str, reason: str) -> None:
        self.name, self.cidr, self.reason = name, cidr, reason
        super().__init__(f"IPAM driver '{name}' cannot give out addresses of {cidr}: {reason}")


class AddressServiceInconsistent(WeftError):
    """The service gave an address that is somebody's already, or none that was asked for."""

    kind = Kind.CONFLICT

    def __init__(self, name: str, given: str, problem: str) -> None:
        self.name, self.given, self.problem = name, given, problem
        super().__init__(
            f"IPAM driver '{name}' gave {given}, {problem}. Nothing was stored, and it was given back: compare what "
            "the service holds with what Weft does, then try again."
        )


class NotPlannable(WeftError):
    """No address can stand in a plan for one that a service would choose."""

    kind = Kind.CONFLICT

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"This cannot be planned: IPAM driver '{name}' would choose addresses, asking it reserves them, and none "
            "was found that could stand for them. Send it without plan."
        )


class AddressServiceUnavailable(WeftError):
    """The service does not answer; nothing was stored."""

    kind = Kind.UNAVAILABLE

    def __init__(self, name: str, why: str) -> None:
        self.name, self.why = name, why
        super().__init__(
            f"IPAM driver '{name}' cannot give out addresses now: {why}. Nothing was stored. Try again later, or see "
            "`weft ipam list`; subnets of other drivers are not concerned."
        )


class DriverRefused(WeftError):
    """A driver does not keep the contract; the text shows what was expected beside what was found."""

    def __init__(self, name: str, expected: str, found: str) -> None:
        self.name, self.expected, self.found = name, expected, found
        super().__init__(f"IPAM driver '{name}': expected {expected}, found {found}")
