"""Who realises what is asked for? Services ask here; the plug-ins' faces answer (``controller.plugins.faces``)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import not_, select

from controller.plugins.contract import AskedNetwork, AskedSegment, Condition, Feature
from controller.plugins.faces import OF_GROUPS, GroupNeeds, network_features
from controller.records import Binding, Network, Port, Subnet
from controller.services import network_types
from controller.services.network_types import Wire
from controller.store.loading import in_chunks
from controller.store.plugin_states import load_conditions
from controller.store.rulesets import has_group
from controller.store.schema import NETWORKS, PORTS, SECURITY_GROUP_RULES, SECURITY_GROUPS
from controller.store.snapshot import load_networks
from controller.store.transaction import Transaction

BINDING_FAILED = "binding_failed"
"""Neutron's vif_type where a binding leads nowhere."""
SILENT_S = 60
"""A plug-in whose engine has told nothing for so long is taken for down."""


def of_new_network(tx: Transaction, wanted: Mapping[str, Any]) -> tuple[str, list[Wire]]:
    """Return the name of the plug-in that realises a new network, and its segments.

    Raises:
        NoSuchPlugin, NoPluginCanRealise, and what ``network_types.wanted_wires`` raises
    """
    wires = network_types.wanted_wires(tx, wanted)
    segments = tuple(
        AskedSegment(
            network_type=wire.network_type,
            physical_network=wire.physical_network,
            segmentation_id=wire.segmentation_id,
        )
        for wire in wires
    )
    asked = AskedNetwork(
        segments=segments,
        features=network_features(pvlan=bool(wanted.get("pvlan")), segments=segments),
        mtu=wanted["mtu"],
    )
    choice = tx.faces.choose(
        asked,
        default_type=tx.settings.default_network_type,
        explicit=wanted.get("plugin"),
        conditions=lambda: _conditions(tx),
    )
    return choice.plugin.name, wires or [Wire(network_type=choice.default_type)]


def check_subnet(tx: Transaction, subnet: Subnet) -> None:
    """Refuse a subnet that its network's plug-in cannot realise.

    Raises:
        FeatureNotSupportedByPlugin
    """
    tx.faces.check_subnet(lambda: load_networks(tx, [subnet.network_id])[subnet.network_id], subnet)


def check_ports(tx: Transaction, ports: Sequence[Port], plugins: Mapping[str, str] | None = None) -> None:
    """Refuse ports that their networks' plug-ins cannot realise.

    Args:
        tx: where the rest is read.
        ports: as they would be stored.
        plugins: of each network, by its id, if whoever calls has read it already.

    Raises:
        FeatureNotSupportedByPlugin
    """

    def networks(ids: frozenset[str]) -> Mapping[str, Network]:
        return load_networks(tx, ids)

    def groups(ids: frozenset[str]) -> GroupNeeds:
        return needs_of_groups(tx, ids)

    known = _plugins_of(tx, {port.network_id for port in ports}) if plugins is None else plugins
    tx.faces.check_ports(ports, plugins=known, networks=networks, groups=groups)


def check_rules(tx: Transaction, group_ids: Collection[str]) -> None:
    """Refuse what the rules of security groups ask for if some of their ports are where that cannot be realised.

    Raises:
        FeatureNotSupportedByPlugin
    """
    lacking = frozenset().union(*(tx.faces.lacking(feature) for feature in OF_GROUPS))
    if not lacking:
        return
    for group_id, needs in needs_of_groups(tx, group_ids).items():
        used = select(NETWORKS.c.plugin).join(PORTS, PORTS.c.network_id == NETWORKS.c.id).where(has_group([group_id]))
        tx.faces.check_rules(lacking.intersection(tx.connection.scalars(used.distinct())), needs)


def needs_of_groups(tx: Transaction, group_ids: Collection[str]) -> GroupNeeds:
    """Return which features security groups ask for, those that ask for any."""
    needs: dict[str, set[Feature]] = {}
    rules = SECURITY_GROUP_RULES.c
    for chunk in in_chunks(list(group_ids)):
        stateless = select(SECURITY_GROUPS.c.id).where(
            SECURITY_GROUPS.c.id.in_(chunk), not_(SECURITY_GROUPS.c.stateful)
        )
        for group_id in tx.connection.scalars(stateless):
            needs.setdefault(group_id, set()).add(Feature.STATELESS_SECURITY_GROUPS)
        referring = select(rules.security_group_id).where(
            rules.security_group_id.in_(chunk), rules.remote_address_group_id.is_not(None)
        )
        for group_id in tx.connection.scalars(referring.distinct()):
            needs.setdefault(group_id, set()).add(Feature.ADDRESS_GROUPS)
    return {group_id: frozenset(found) for group_id, found in needs.items()}


def condition_of(tx: Transaction, plugin: str) -> Condition:
    """Return how a plug-in is; one that has told nothing for long is down."""
    return _conditions(tx).get(plugin, Condition.DOWN)


def with_vifs(tx: Transaction, ports: Sequence[Port]) -> list[Port]:
    """Return ports as they are shown: with what compute must know of each of their bindings."""
    bound = {port.network_id for port in ports if port.binding is not None or port.standby is not None}
    plugins = _plugins_of(tx, bound)

    def told(binding: Binding | None, plugin: str) -> Binding | None:
        return None if binding is None else _with_vif(tx, binding, plugin)

    return [
        port
        if port.network_id not in plugins
        else replace(
            port,
            binding=told(port.binding, plugins[port.network_id]),
            standby=told(port.standby, plugins[port.network_id]),
        )
        for port in ports
    ]


def bindings_with_vifs(tx: Transaction, port_id: str, bindings: Sequence[Binding]) -> list[Binding]:
    """Return one port's bindings as they are shown."""
    of_port = select(PORTS.c.network_id).where(PORTS.c.id == port_id).scalar_subquery()
    plugin = tx.connection.execute(select(NETWORKS.c.plugin).where(NETWORKS.c.id == of_port)).scalar_one()
    return [_with_vif(tx, binding, plugin) for binding in bindings]


def _with_vif(tx: Transaction, binding: Binding, plugin: str) -> Binding:
    if binding.datapath_type is None:
        return replace(binding, vif_type=BINDING_FAILED)
    vif = tx.faces.vif(plugin, binding.datapath_type)
    return replace(binding, vif_type=vif.vif_type, vif_details=vif.details)


def _plugins_of(tx: Transaction, network_ids: Collection[str]) -> Mapping[str, str]:
    loaded = tx.faces.registry.loaded
    if len(loaded) == 1:
        return dict.fromkeys(network_ids, next(iter(loaded)))
    statement = select(NETWORKS.c.id, NETWORKS.c.plugin)
    return {
        row.id: row.plugin
        for chunk in in_chunks(list(network_ids))
        for row in tx.connection.execute(statement.where(NETWORKS.c.id.in_(chunk)))
    }


def _conditions(tx: Transaction) -> Mapping[str, Condition]:
    return {
        name: health.condition if tx.timestamp - seen_at < SILENT_S else Condition.DOWN
        for name, (health, seen_at) in load_conditions(tx).items()
    }
