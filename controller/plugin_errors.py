"""What can go wrong with plug-ins, and who is to be told?

::

    WeftError (controller.errors)
    ├── INVALID      NoSuchPlugin, FeatureNotSupportedByPlugin
    ├── NOT_FOUND    PluginNotFound
    ├── CONFLICT     NoPluginCanRealise
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
    """A subnet or port asks for what its network's plug-in does not do."""

    kind = Kind.INVALID

    def __init__(self, name: str, attribute: str, reason: str) -> None:
        self.name, self.attribute, self.reason = name, attribute, reason
        super().__init__(f"{attribute}: plug-in '{name}', which realises the network, cannot do that: {reason}.")


class NoPluginCanRealise(WeftError):
    """Every plug-in objects to a network."""

    kind = Kind.CONFLICT

    def __init__(self, reasons: Mapping[str, Sequence[str]]) -> None:
        self.reasons = {name: tuple(found) for name, found in reasons.items()}
        said = "; ".join(f"{name}: {', '.join(found)}" for name, found in self.reasons.items())
        super().__init__(f"No plug-in can realise the network ({said or 'none is enabled'}).")


class PluginRefused(WeftError):
    """A plug-in does not keep the contract; the text shows what was expected beside what was found."""

    def __init__(self, name: str, expected: str, found: str) -> None:
        self.name, self.expected, self.found = name, expected, found
        super().__init__(f"plug-in '{name}': expected {expected}, found {found}")
