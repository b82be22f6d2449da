"""Who realises what is asked for? Services ask here; the plug-ins' faces answer (``controller.plugins.faces``)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from controller.plugins.contract import AskedNetwork, AskedSegment, Condition
from controller.plugins.faces import network_features
from controller.records import Binding, Network, Port, Subnet
from controller.services import network_types
from controller.services.network_types import Wire
from controller.store.loading import in_chunks
from controller.store.plugin_states import load_conditions
from controller.store.schema import NETWORKS, PORTS
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


def check_ports(tx: Transaction, ports: Sequence[Port]) -> None:
    """Refuse ports that their networks' plug-ins cannot realise.

    Raises:
        FeatureNotSupportedByPlugin
    """

    def networks(ids: frozenset[str]) -> Mapping[str, Network]:
        return load_networks(tx, ids)

    tx.faces.check_ports(networks, ports)


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
