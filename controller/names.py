"""What do people call what a flow belongs to? Names out of the intent, for answers that are read."""

from ipaddress import IPv4Address

from controller.reconcile.model import Model
from controller.records import Network, NetworkId, Port, PortKey, RuleKey, SegmentKey
from flows.cookie import ObjectKind, Owner


def label(name: str, object_id: str) -> str:
    """Return a name with enough of the id to tell it from others, or the id alone."""
    return f"{name} ({object_id[:8]})" if name else object_id


def port_name(port: Port) -> str:
    """Return what a port is called in a sentence."""
    return f"port {label(port.name, port.id)}"


def network_name(network: Network) -> str:
    """Return what a network is called in a sentence."""
    return f"network {label(network.name, network.id)}"


def group_names(model: Model, port: Port) -> str:
    """Return a port's security groups, by name."""
    groups = (model.rulesets.security_groups.get(group_id) for group_id in port.security_group_ids)
    return ", ".join(label(group.name, group.id) for group in groups if group is not None) or "none"


def owner_name(model: Model, owner: Owner) -> str:
    """Return what the object of a cookie is called."""
    match owner.kind:
        case ObjectKind.PORT:
            port = model.port_by_key.get(PortKey(owner.key))
            return f"port key {owner.key}, deleted" if port is None else port_name(port)
        case ObjectKind.SEGMENT:
            network = model.networks.get(model.network_by_segment.get(SegmentKey(owner.key), NetworkId("")))
            return f"segment key {owner.key}, deleted" if network is None else network_name(network)
        case ObjectKind.PEER:
            address = str(IPv4Address(owner.key))
            return f"host {host_of(model, address) or 'unknown'} ({address})"
        case ObjectKind.RULESET:
            return _ruleset_name(model, owner.key)
        case ObjectKind.ADDRESS_GROUP:
            group = model.rulesets.address_group_by_key.get(RuleKey(owner.key))
            return f"address group key {owner.key}, deleted" if group is None else _address_group(group.name, group.id)
        case ObjectKind.NONE:
            return "weft"


def host_of(model: Model, endpoint: str) -> str:
    """Return the names of the hosts with a tunnel endpoint; empty when there is none."""
    return ", ".join(str(host.name) for host in model.hosts.values() if host.tunnel_ip == endpoint)


def _address_group(name: str, group_id: str) -> str:
    return f"address group {label(name, group_id)}"


def _ruleset_name(model: Model, key: int) -> str:
    """Name the groups of a ruleset: of a single one the key is its own, of several the ports know."""
    if not key:
        return "security groups"
    plain = key & (1 << 31) - 1
    address_group = model.rulesets.address_group_by_key.get(RuleKey(plain))
    if address_group is not None:
        return _address_group(address_group.name, address_group.id)
    for group in model.rulesets.security_groups.values():
        if group.key == plain:
            return f"security group {label(group.name, group.id)}"
    port = next((port for port in model.ports.values() if port.ruleset == plain), None)
    return f"ruleset {plain}, deleted" if port is None else f"security groups {group_names(model, port)}"
