"""Which plug-ins are there, and do they keep the contract?

They are found by entry points, checked when they are loaded, and one that does not work is left out: what is wrong
with it stands in the directory, and Weft starts without it.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from controller.extension_points import check_class
from controller.plugin_errors import PluginRefused
from controller.plugins.contract import CONTRACT, ENTRY_POINTS, Advertisement, Plugin

_log = logging.getLogger(__name__)
BUILT_IN = (
    EntryPoint(name="openflow", value="controller.plugins.openflow:OpenFlowPlugin", group=ENTRY_POINTS),
    EntryPoint(name="ovn", value="controller.plugins.ovn.plugin:OvnPlugin", group=ENTRY_POINTS),
)
"""Those of Weft itself: they are there when it runs from its source, too, and nobody else's may take their names."""
_FACE = ("advertise", "verify_network", "verify_subnet", "verify_port", "vif", "engine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A plug-in that works."""

    plugin: Plugin
    advertisement: Advertisement
    distribution: str
    """Whose it is: the package and its version, or ``weft``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """One that was asked for and does not work."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Registry:
    """The plug-ins of one process, in the operator's order."""

    loaded: Mapping[str, Loaded]
    broken: Sequence[Broken]


def load(names: Sequence[str], settings: Mapping[str, Mapping[str, str]]) -> Registry:
    """Load the plug-ins an operator enabled, and check them.

    Args:
        names: as in the configuration, the preferred one first.
        settings: what the configuration says for each.
    """
    found = {point.name: point for point in (*entry_points(group=ENTRY_POINTS), *BUILT_IN)}
    loaded: dict[str, Loaded] = {}
    broken: list[Broken] = []
    for name in dict.fromkeys(names):
        try:
            loaded[name] = _load(name, found, settings.get(name, {}))
        except PluginRefused as refused:
            broken.append(Broken(name=name, reason=str(refused)))
        except Exception as error:  # noqa: BLE001 - somebody else's code: whatever it raises, Weft starts without it
            _log.exception("plugin_not_loaded name=%s", name)
            broken.append(Broken(name=name, reason=f"plug-in '{name}' could not be loaded: {error!r}"))
    for one in broken:
        _log.error("plugin_left_out name=%s reason=%s", one.name, one.reason)
    return Registry(loaded, tuple(broken))


def check(factory: object, name: str) -> None:
    """Hold what an entry point names against the contract.

    Raises:
        PluginRefused: with what was expected and what was found.
    """
    check_class(factory, name, Plugin, contract=CONTRACT, methods=_FACE, refused=PluginRefused)


def check_advertisement(name: str, advertisement: object) -> Advertisement:
    """Return a plug-in's advertisement if it is one.

    Raises:
        PluginRefused: it says nothing, or the same thing twice.
    """
    if not isinstance(advertisement, Advertisement):
        raise PluginRefused(name, "an Advertisement from advertise()", repr(advertisement))
    if not advertisement.network_types:
        raise PluginRefused(name, "at least one network type", "none")
    twice = _repeated([*advertisement.network_types, *(str(c.feature) for c in advertisement.capabilities)])
    if twice:
        raise PluginRefused(name, "each type and feature advertised once", f"{', '.join(twice)} more than once")
    both = sorted(str(feature) for feature in advertisement.missing if advertisement.has(feature))
    if both:
        raise PluginRefused(name, "a feature to be there or missing", f"{', '.join(both)} as both")
    return advertisement


def _load(name: str, found: Mapping[str, EntryPoint], settings: Mapping[str, str]) -> Loaded:
    point = found.get(name)
    if point is None:
        known = ", ".join(sorted(found)) or "none"
        raise PluginRefused(name, f"an entry point of that name in group {ENTRY_POINTS}", f"only {known}")
    factory = point.load()
    check(factory, name)
    plugin: Plugin = factory(settings)
    distribution = "weft" if point.dist is None else f"{point.dist.name} {point.dist.version}"
    advertisement = check_advertisement(name, plugin.advertise())
    return Loaded(plugin=plugin, advertisement=advertisement, distribution=distribution)


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if times > 1)
