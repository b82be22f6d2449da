"""Which plug-in realises a network? The first in the operator's order that can do all that is asked.

One that is down is taken only when no other can do it. When none can, the refusal says for each why not: a network
that no host will ever carry is an error of the request, not something to be found out from a port that stays down.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.plugin_errors import NoPluginCanRealise, NoSuchPlugin
from controller.plugins.contract import Advertisement, AskedNetwork, Condition, Objection, Plugin

TYPE_ATTRIBUTE = "provider:network_type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One enabled plug-in as dispatch sees it."""

    plugin: Plugin
    advertisement: Advertisement
    condition: Condition

    @property
    def name(self) -> str:
        """What networks call it."""
        return self.plugin.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The plug-in of a network, and the type of a network that named none."""

    plugin: Plugin
    default_type: str


def choose(
    candidates: Sequence[Candidate], asked: AskedNetwork, *, default_type: str, explicit: str | None = None
) -> Choice:
    """Return who realises a network.

    Args:
        candidates: the plug-ins that work, in the operator's order.
        asked: what the network needs.
        default_type: of networks that name no type.
        explicit: the administrator's own choice, if there is one.

    Raises:
        NoSuchPlugin: the explicit choice is not enabled.
        NoPluginCanRealise: with each plug-in's objections.
    """
    if explicit is not None:
        candidates = [candidate for candidate in candidates if candidate.name == explicit]
        if not candidates:
            raise NoSuchPlugin(explicit)
    refusals: dict[str, Sequence[Objection]] = {}
    able: list[Candidate] = []
    for candidate in candidates:
        objections = objections_of(candidate, asked)
        if objections:
            refusals[candidate.name] = objections
        else:
            able.append(candidate)
    if not able:
        raise NoPluginCanRealise({name: [o.reason for o in found] for name, found in refusals.items()})
    chosen = min(able, key=lambda candidate: candidate.condition is Condition.DOWN)  # min keeps the operator's order
    types = chosen.advertisement.network_types
    return Choice(plugin=chosen.plugin, default_type=default_type if default_type in types else types[0])


def objections_of(candidate: Candidate, asked: AskedNetwork) -> Sequence[Objection]:
    """Return why a plug-in cannot realise a network: what its advertisement lacks, then what it says itself."""
    advertisement = candidate.advertisement
    found = [
        Objection(
            attribute=TYPE_ATTRIBUTE,
            reason=f"network type '{segment.network_type}' is not among {', '.join(advertisement.network_types)}",
        )
        for segment in asked.segments
        if segment.network_type not in advertisement.network_types
    ]
    for feature in sorted(asked.features):
        if not advertisement.has(feature):
            why = advertisement.missing.get(feature)
            reason = f"it does not do {feature}" + (f": {why}" if why else "")
            found.append(Objection(attribute=str(feature), reason=reason))
    return found or candidate.plugin.verify_network(asked)
