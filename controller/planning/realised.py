"""What would other plug-ins be asked for? Each says itself how many rows of its own a change touches, if it can."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from controller.planning.preview import Count, of_plugin
from controller.planning.scope import Scope
from controller.plugins.openflow import OpenFlowPlugin
from controller.plugins.registry import Loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginDelta:
    """What a change asks of one plug-in."""

    plugin: str
    networks: int
    """Of the plug-in's, how many are concerned."""
    rows: Count | None = None
    unknown: str | None = None
    """Why the number of rows is not known."""


def of_plugins(scope: Scope, loaded: Mapping[str, Loaded]) -> list[PluginDelta]:
    """Return what a change asks of the plug-ins whose networks it concerns, other than Weft's own."""
    concerned = {(one.id, one.plugin) for one in scope.before.networks if one.id in scope.whole}
    concerned |= {(i, one.plugin) for i, one in scope.changes.networks.items() if one is not None}
    counted = Counter(plugin for _, plugin in concerned)  # a network that changes hands concerns both
    del counted[OpenFlowPlugin.name]
    return [_of_plugin(scope, loaded, name, networks) for name, networks in sorted(counted.items())]


def _of_plugin(scope: Scope, loaded: Mapping[str, Loaded], name: str, networks: int) -> PluginDelta:
    if scope.unread or scope.too_many:
        count = scope.unread or scope.too_many
        return PluginDelta(plugin=name, networks=networks, unknown=f"{count} ports are concerned, too many for a plan")
    if name not in loaded:
        return PluginDelta(plugin=name, networks=networks, unknown=f"the plug-in {name} is not enabled here")
    rows = loaded[name].plugin.rows_changed(*of_plugin(scope.before, scope.changes, name))
    if rows is None:
        return PluginDelta(plugin=name, networks=networks, unknown=f"the plug-in {name} does not say")
    added, modified, deleted = rows
    return PluginDelta(plugin=name, networks=networks, rows=Count(added=added, modified=modified, deleted=deleted))
