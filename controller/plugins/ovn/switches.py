"""What does a network, or a port of it, mean to OVN? A logical switch, a logical switch port (ovn-nb(5))."""

from collections.abc import Iterator, Mapping

from controller.plugins.ovn import dhcp
from controller.plugins.ovn.acls import DROP_KEY, group_key
from controller.plugins.ovn.names import localnet_name, switch_name
from controller.plugins.ovn.rows import Member, Row, RowKey
from controller.reconcile.rules import is_guarded
from controller.records import Network, Port, Subnet

NO_ADDRESS = "0.0.0.0"
"""Where a guarded port has no address of its own: with none at all OVN would let it use any."""
UNKNOWN = "unknown"
HAS_LOCALNET = frozenset({"vlan", "flat"})
HAS_NUMBER = frozenset({"geneve"})


def switch_key(network_id: str) -> RowKey:
    """Return the key of a network's logical switch."""
    return RowKey(f"network/{network_id}")


def port_key(port_id: str) -> RowKey:
    """Return the key of a port's logical switch port."""
    return RowKey(f"port/{port_id}")


def network_rows(network: Network) -> Iterator[Row]:
    """Yield a network's switch, and the port that leads to its physical network."""
    key = switch_key(network.id)
    segment = network.segments[0]
    # The number on the wire is the one the API shows (ovn-nb(5), Logical_Switch:other_config:requested-tnl-key).
    config = {"requested-tnl-key": str(segment.segmentation_id)} if segment.network_type in HAS_NUMBER else {}
    yield Row(
        table="Logical_Switch",
        key=key,
        columns={"name": switch_name(network.id), "other_config": config},
        external_ids={"network": network.id, "name": network.name},
    )
    if segment.network_type in HAS_LOCALNET:
        tag = frozenset() if segment.network_type == "flat" else frozenset({segment.segmentation_id or 0})
        yield Row(
            table="Logical_Switch_Port",
            key=RowKey(f"segment/{segment.id}"),
            columns={
                "name": localnet_name(segment.id),
                "type": "localnet",
                "addresses": frozenset({UNKNOWN}),
                "options": {"network_name": segment.physical_network or ""},
                "tag": tag,
                "enabled": frozenset({network.admin_state_up}),
            },
            members=frozenset({Member("Logical_Switch", key, "ports")}),
            external_ids={"segment": segment.id},
        )


def port_rows(
    network: Network, port: Port, subnets: Mapping[str, Subnet], groups: Mapping[str, object]
) -> Iterator[Row]:
    """Yield a port's row, and its own DHCP options where it has any.

    Args:
        network: the port's.
        port: as it is asked for.
        subnets: of the network, by id.
        groups: the security groups there are, by id.
    """
    columns: dict[str, object] = {}
    for version, column in ((dhcp.IPV4, "dhcpv4_options"), (dhcp.IPV6, "dhcpv6_options")):
        subnet = _served(network, port, subnets, version)
        if subnet is None:
            continue
        own = dhcp.port_row(network, subnet, port)
        columns[column] = dhcp.subnet_key(subnet.id) if own is None else own.key
        if own is not None:
            yield own
    guarded = is_guarded(port)
    is_up = port.admin_state_up and network.admin_state_up
    members = {Member("Logical_Switch", switch_key(network.id), "ports")}
    if guarded:
        members.add(Member("Port_Group", DROP_KEY, "ports"))
        members |= {
            Member("Port_Group", group_key(group, network.id), "ports")
            for group in port.security_group_ids
            if group in groups
        }
    yield Row(
        table="Logical_Switch_Port",
        key=port_key(port.id),
        columns={
            "name": port.id,  # what compute writes into iface-id
            # OVN would go on answering ARP for a disabled port (ovn-northd(8), ARP/ND responder).
            "addresses": addresses(port, guarded=guarded) if is_up else frozenset(),
            "port_security": allowed(port) if guarded else frozenset(),
            "enabled": frozenset({is_up}),
            "options": placement(port),
            **columns,  # type: ignore[dict-item]  # keys of rows
        },
        members=frozenset(members),
        external_ids={"port": port.id, "name": port.name, "device": port.device_id, "device_owner": port.device_owner},
    )


def addresses(port: Port, *, guarded: bool) -> frozenset[str]:
    """Return where frames to a port are known to go.

    A port without port security gets what nobody else is known to have, and so does one that may use other MAC
    addresses: which of those who may is using one now, OVN does not know.
    """
    own = " ".join([port.mac_address, *sorted(fixed.ip_address for fixed in port.fixed_ips)])
    foreign = any(mac and mac.lower() != port.mac_address for mac, _ in port.allowed_address_pairs)
    return frozenset({own, UNKNOWN} if foreign or not guarded else {own})


def allowed(port: Port) -> frozenset[str]:
    """Return what a guarded port may send from, by MAC address (ovn-nb(5), Logical_Switch_Port:port_security)."""
    by_mac: dict[str, set[str]] = {port.mac_address: {fixed.ip_address for fixed in port.fixed_ips}}
    for mac, address in port.allowed_address_pairs:
        by_mac.setdefault((mac or port.mac_address).lower(), set()).add(address)
    return frozenset(" ".join([mac, *(sorted(known) or [NO_ADDRESS])]) for mac, known in by_mac.items())


def placement(port: Port) -> dict[str, str]:
    """Return where a port may be: on the host it is bound to; while it migrates on both, silent on the new one.

    It speaks there once its guest has announced itself (ovn-nb(5), Logical_Switch_Port:options:activation-strategy).
    """
    if port.binding is None:
        return {}
    if port.standby is None:
        return {"requested-chassis": str(port.binding.host)}
    return {
        "requested-chassis": f"{port.binding.host},{port.standby.host}",
        "activation-strategy": "rarp",
    }


def _served(network: Network, port: Port, subnets: Mapping[str, Subnet], version: int) -> Subnet | None:
    """Return the subnet whose DHCP serves a port."""
    for fixed in port.fixed_ips:
        subnet = subnets.get(fixed.subnet_id)
        if subnet is not None and subnet.ip_version == version and dhcp.options_of(network, subnet) is not None:
            return subnet
    return None
