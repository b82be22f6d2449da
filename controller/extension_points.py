"""What is the same for everything others can add: plug-ins and IPAM drivers, found by entry points and told settings?

What an entry point names is held against a contract before it is used, and the difference shown; what the operator
says to each is ``NAME.KEY=VALUE`` on the command line and a table ``[SECTION.NAME]`` in the configuration file.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from controller.errors import ConfigurationError

Told = Mapping[str, Mapping[str, str]]
"""Settings by name."""
Refusal = Callable[[str, str, str], Exception]
"""Makes the error of a name, what was expected and what was found."""
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


def check_class(
    factory: object, name: str, base: type, *, contract: int, methods: Sequence[str], refused: Refusal
) -> None:
    """Hold what an entry point names against its base class.

    Args:
        factory: What was loaded.
        name: The entry point's.
        base: What it must be a subclass of, with a ``name``, a ``version`` and a ``contract``.
        contract: The number it must have.
        methods: Those that must take what the base class' take.
        refused: The error to raise.
    """
    if not (isinstance(factory, type) and issubclass(factory, base)):
        raise refused(name, f"a subclass of {base.__module__}.{base.__name__}", repr(factory))
    if getattr(factory, "name", None) != name:
        raise refused(name, f"name = {name!r}, as the entry point says", repr(getattr(factory, "name", None)))
    if not _NAME.fullmatch(name):
        raise refused(name, f"a name like {_NAME.pattern}", repr(name))
    if not isinstance(getattr(factory, "version", None), str):
        raise refused(name, "version, a text", repr(getattr(factory, "version", None)))
    found = getattr(factory, "contract", None)
    if found != contract:
        raise refused(name, f"contract {contract}", f"contract {found!r}")
    missing = sorted(getattr(factory, "__abstractmethods__", ()))
    if missing:
        raise refused(name, f"methods {', '.join(missing)}", "a class without them")
    for method in methods:
        expected, given = _parameters(base, method), _parameters(factory, method)
        if given != expected:
            raise refused(name, f"{method}({', '.join(expected)})", f"{method}({', '.join(given)})")


def told_on_command_line(flag: str, given: Iterable[str] | None) -> dict[str, dict[str, str]]:
    """Return what the flags say, by name.

    Raises:
        ConfigurationError: one is not NAME.KEY=VALUE. It is not shown: it may be a secret.
    """
    told: dict[str, dict[str, str]] = {}
    for setting in given or ():
        path, equals, value = setting.partition("=")
        name, dot, key = path.partition(".")
        if not (equals and dot and name and key):
            raise ConfigurationError(f"{flag}: a value is not NAME.KEY=VALUE")
        told.setdefault(name, {})[key.replace("-", "_")] = value
    return told


def told_in_file(section: str, the_list: str, content: object) -> dict[str, dict[str, str]]:
    """Return what a section of the configuration file says, by name.

    Args:
        section: ``plugins`` or ``ipam``.
        the_list: The setting that enables them, which many look for in the section.
        content: What stands there.

    Raises:
        ConfigurationError: it is no table of tables of texts.
    """
    if not isinstance(content, dict):
        raise ConfigurationError(f"[{section}.NAME] must be a table, one for each; the list is `{the_list}`")
    told: dict[str, dict[str, str]] = {}
    for name, settings in content.items():
        if not isinstance(settings, dict) or not all(isinstance(value, str) for value in settings.values()):
            raise ConfigurationError(f"[{section}.{name}] must be a table whose values are strings")
        told[name] = {key.replace("-", "_"): value for key, value in settings.items()}
    return told


def together(first: Told, over: Told) -> dict[str, dict[str, str]]:
    """Return both, ``over`` where both say something."""
    return {name: {**first.get(name, {}), **over.get(name, {})} for name in {*first, *over}}


def flags(flag: str, told: Told) -> list[str]:
    """Return the flags that say the same on another command line."""
    return [f"--{flag}={name}.{key}={told[name][key]}" for name in sorted(told) for key in sorted(told[name])]


def _parameters(owner: type, method: str) -> list[str]:
    return list(inspect.signature(getattr(owner, method)).parameters)
