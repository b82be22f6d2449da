"""Which DHCP options of its own does a port have after it was told some?

Neutron API reference, ports, ``extra_dhcp_opts``: a change names the options it concerns, the others stay.
"""

from collections.abc import Iterable, Sequence

Option = tuple[str, str | None, int]
"""Name, value, IP version."""

MAY_BE_BLANK = frozenset({"router", "classless-static-route"})
"""Neutron's: with an empty text the subnet's own is not told."""


def kept(asked: Iterable[Option]) -> tuple[Option, ...]:
    """Return those of a new port's options that say something; null, and empty where it means nothing, are none."""
    return tuple(option for option in map(_as_option, asked) if _says_something(option))


def changed(old: Sequence[Option], asked: Iterable[Option]) -> tuple[Option, ...]:
    """Return a port's options after a change: by name and IP version a value replaces one or is added, null removes.

    An empty list removes all; Neutron does nothing then, and has no other way to say it.
    """
    asked = [_as_option(option) for option in asked]
    if not asked:
        return ()
    options = {(name, version): value for name, value, version in old}
    for name, value, version in asked:
        if value is None:
            options.pop((name, version), None)
        elif (name, version) in options or _says_something((name, value, version)):
            options[name, version] = value
    return tuple((name, value, version) for (name, version), value in options.items())


def replacing(old: Sequence[Option], wanted: Iterable[Option]) -> tuple[Option, ...]:
    """Return what to ask for so that a port has the wanted options and no others, as a template says it."""
    wanted = tuple(map(_as_option, wanted))
    named = {(name, version) for name, _, version in wanted}
    gone = tuple((name, None, version) for name, _, version in old if (name, version) not in named)
    return (*gone, *wanted)


def _as_option(asked: Iterable[object]) -> Option:
    name, value, version = asked
    return str(name), None if value is None else str(value), int(str(version))


def _says_something(option: Option) -> bool:
    name, value, _ = option
    return value is not None if name in MAY_BE_BLANK else bool(value)
