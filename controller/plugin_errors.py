"""What can go wrong with plug-ins, and who is to be told?

::

    WeftError (controller.errors)
    ├── INVALID      NoSuchPlugin, FeatureNotSupportedByPlugin
    ├── NOT_FOUND    PluginNotFound
    ├── CONFLICT     NoPluginCanRealise, NetworkCannotMove, NetworkIsMoving
    ├── UNAVAILABLE  TraceUnavailable
    └── (internal)   PluginRefused: a plug-in that cannot be used; shown in the directory, never sent
"""

# ruff: noqa: N818 - as in controller.errors, a class is named after what is wrong

from collections.abc import Mapping, Sequence

from controller.errors import Kind, WeftError


class NoSuchPlugin(WeftError):
    """A request names a plug-in that is not enabled, or does not work."""

    kind = Kind.INVALID

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"Plug-in '{name}' is not there: `weft plugin list` shows those that are.")


class TraceUnavailable(WeftError):
    """A plug-in cannot say now what becomes of a packet."""

    kind = Kind.UNAVAILABLE

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"The packet cannot be traced now: {why}.")


class PluginNotFound(WeftError):
    """The directory has no such plug-in."""

    kind = Kind.NOT_FOUND

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"Plugin {name} could not be found.")


class FeatureNotSupportedByPlugin(WeftError):
    """A subnet, a port or a rule asks for what its network's plug-in does not do; all of it is told at once."""

    kind = Kind.INVALID

    def __init__(self, name: str, objections: Sequence[tuple[str, str]]) -> None:
        self.name, self.objections = name, tuple(objections)
        super().__init__(
            " ".join(
                f"{attribute}: plug-in '{name}', which realises the network, cannot do that: {reason}."
                for attribute, reason in self.objections
            )
        )


class NoPluginCanRealise(WeftError):
    """Every plug-in objects to a network."""

    kind = Kind.CONFLICT

    def __init__(self, reasons: Mapping[str, Sequence[str]]) -> None:
        self.reasons = {name: tuple(found) for name, found in reasons.items()}
        said = "; ".join(f"{name}: {', '.join(found)}" for name, found in self.reasons.items())
        super().__init__(f"No plug-in can realise the network ({said or 'none is enabled'}).")


class NetworkCannotMove(WeftError):
    """A network would lose something in another plug-in, or cannot get there; every reason is told."""

    kind = Kind.CONFLICT

    def __init__(self, network_id: str, target: str, reasons: Sequence[str]) -> None:
        self.network_id, self.target, self.reasons = network_id, target, tuple(reasons)
        said = "; ".join(self.reasons)
        super().__init__(f"Network {network_id} cannot move to plug-in '{target}', nothing was changed: {said}.")


class NetworkIsMoving(WeftError):
    """A network is on its way to yet another plug-in."""

    kind = Kind.CONFLICT

    def __init__(self, network_id: str, source: str, target: str) -> None:
        self.network_id, self.source, self.target = network_id, source, target
        super().__init__(
            f"Network {network_id} is moving from plug-in '{source}' to '{target}': wait until it has arrived, "
            f"or take it back to '{source}' first."
        )


class PluginRefused(WeftError):
    """A plug-in does not keep the contract; the text shows what was expected beside what was found."""

    def __init__(self, name: str, expected: str, found: str) -> None:
        self.name, self.expected, self.found = name, expected, found
        super().__init__(f"plug-in '{name}': expected {expected}, found {found}")
