"""What is a port on the wire?

Neutron API reference, ports; extensions binding, port-security, extra_dhcp_opt, pvlan.
"""

from collections.abc import Sequence
from operator import attrgetter

from api.attributes import (
    Attribute,
    Default,
    Resource,
    Service,
    by,
    flag,
    mac,
    optional,
)
from api.common import TAG_FILTERS, bookkeeping, identity
from api.resources.dns_values import PORT_DNS
from api.resources.port_values import (
    VNIC_TYPES,
    address_pairs,
    by_fixed_ip,
    community_name,
    dhcp_options,
    fixed_ips,
    profile,
    vif_details,
    vif_type,
    wire_options,
    wire_pairs,
)
from api.resources.security_group_values import items
from api.schema import OBJECT, TEXT, UUID, or_null, record
from api.validators import boolean, mac_address, nullable, one_of, text, uuid
from controller.caller import Caller
from controller.records import Port
from controller.services import ports
from controller.services.pvlan import PVLAN_TYPES
from controller.services.realisation import with_vifs
from controller.services.sentinels import AUTO
from controller.store.database import Transaction

_MOST_SECURITY_GROUPS = 1_000


def _record(port: Port) -> Port:
    return port


_ATTACHMENT = record({"vnic_id": or_null(UUID), "device_id": TEXT, "device_owner": TEXT})


def _look(tx: Transaction, _caller: Caller, ports_: Sequence[Port]) -> Sequence[Port]:
    """Return the ports with what compute must know of them."""
    return with_vifs(tx, ports_)


def _attachment(port: Port) -> object:
    """Return what is attached to the port, whoever said so: a vNIC, or a client of Neutron by ``device_id``."""
    if port.vnic_id is None and not port.device_id:
        return None
    return {"vnic_id": port.vnic_id, "device_id": port.device_id, "device_owner": port.device_owner}


def _wire_fixed_ips(port: Port) -> object:
    return [{"subnet_id": fixed.subnet_id, "ip_address": fixed.ip_address} for fixed in port.fixed_ips]


PORT: Resource[Port, Port] = Resource(
    collection="ports",
    member="port",
    doc="A place in a network for one virtual network interface.",
    service=Service(
        create=ports.create,
        create_many=ports.create_many,
        get=ports.get,
        find=ports.find,
        update=ports.update,
        delete=ports.delete,
    ),
    look=_look,
    identify=attrgetter("id"),
    extra_filters=TAG_FILTERS,
    weighs=True,
    tagged=ports.RESOURCE,
    attributes=(
        *identity(_record),
        Attribute(
            name="network_id",
            doc="The network the port is in.",
            show=attrgetter("network_id"),
            key="network_id",
            parse=uuid,
            default=Default.REQUIRED,
            post=True,
            filter=by("network_id"),
            sort="network_id",
        ),
        Attribute(
            name="mac_address",
            doc="Left out, one is generated; null in an update, another one.",
            show=attrgetter("mac_address"),
            key="mac_address",
            parse=nullable(mac_address),
            default=None,
            post=True,
            put=True,
            filter=by("mac_address", mac),
            sort="mac_address",
        ),
        Attribute(
            name="admin_state_up",
            doc="False stops all traffic of the port.",
            show=attrgetter("admin_state_up"),
            key="admin_state_up",
            parse=boolean,
            default=True,
            post=True,
            put=True,
            filter=by("admin_state_up", flag),
            sort="admin_state_up",
        ),
        Attribute(
            name="status",
            doc="ACTIVE when the switch has the device and all its flows; see ports/ID/status for the reason.",
            show=lambda port: str(port.status),
            filter=by("status"),
            shows={"enum": ["ACTIVE", "BUILD", "DOWN", "ERROR"]},
            sort="status",
        ),
        *(
            Attribute(
                name=name,
                doc=doc,
                show=attrgetter(name),
                key=name,
                parse=text(),
                default="",
                post=True,
                put=True,
                filter=by(name),
                sort=name,
            )
            for name, doc in (
                ("device_id", "The machine the port belongs to."),
                ("device_owner", "What kind of thing uses the port, for example compute:nova."),
            )
        ),
        Attribute(
            name="attachment",
            doc="What is attached: vnic_id (null when no vNIC is), device_id, device_owner; null when nothing is.",
            show=_attachment,
            shows=or_null(_ATTACHMENT),
        ),
        Attribute(
            name="fixed_ips",
            doc="Addresses, asked for by subnet, by address or both; left out, one of each IP version.",
            show=_wire_fixed_ips,
            key="fixed_ips",
            parse=fixed_ips,
            default=AUTO,
            post=True,
            put=True,
            filter=by_fixed_ip,
        ),
        Attribute(
            name="ip_allocation",
            doc="immediate; deferred on a routed network until the port has a host; none without fixed_ips.",
            show=attrgetter("ip_allocation"),
            shows={"enum": ["immediate", "deferred", "none"]},
            filter=by("ip_allocation"),
            sort="ip_allocation",
        ),
        Attribute(
            name="port_security_enabled",
            doc="True keeps the guest to its own addresses; left out, as its network says.",
            show=attrgetter("port_security_enabled"),
            key="port_security_enabled",
            parse=boolean,
            default=None,
            post=True,
            put=True,
            filter=by("port_security_enabled", flag),
        ),
        Attribute(
            name="security_groups",
            doc="Ids of the groups whose rules let traffic pass; left out, the project's default group.",
            show=lambda port: list(port.security_group_ids),
            key="security_group_ids",
            parse=nullable(items(uuid, longest=_MOST_SECURITY_GROUPS), null=[]),
            default=AUTO,
            post=True,
            put=True,
            filter=by("security_group_ids"),
        ),
        Attribute(
            name="allowed_address_pairs",
            doc="Further addresses the guest may use; without a MAC address, the port's.",
            show=lambda port: wire_pairs(port.allowed_address_pairs),
            key="allowed_address_pairs",
            parse=nullable(address_pairs, null=[]),
            default=(),
            post=True,
            put=True,
        ),
        Attribute(
            name="pvlan_type",
            doc="isolated, promiscuous or community in a private VLAN, where null means promiscuous; ports of the "
            "network itself (owner network:*) are always promiscuous.",
            show=attrgetter("pvlan_type"),
            key="pvlan_type",
            parse=nullable(one_of(PVLAN_TYPES)),
            default=None,
            post=True,
            put=True,
            filter=by("pvlan_type", optional),
        ),
        Attribute(
            name="pvlan_community",
            doc="Name of a community port's community, within its network.",
            show=attrgetter("pvlan_community"),
            key="pvlan_community",
            parse=nullable(community_name),
            default=None,
            post=True,
            put=True,
            filter=by("pvlan_community", optional),
        ),
        Attribute(
            name="extra_dhcp_opts",
            doc="DHCP options for this port alone. A change names those it concerns; null removes one, [] all.",
            show=lambda port: wire_options(port.extra_dhcp_opts),
            key="extra_dhcp_opts",
            parse=nullable(dhcp_options, null=[]),
            default=(),
            post=True,
            put=True,
        ),
        Attribute(
            name="binding:vnic_type",
            doc="What kind of interface the guest gets.",
            show=attrgetter("vnic_type"),
            key="vnic_type",
            parse=one_of(VNIC_TYPES),
            default="normal",
            post=True,
            put=True,
            filter=by("vnic_type"),
        ),
        Attribute(
            name="binding:profile",
            doc="What the compute service tells the binding; replaced whole.",
            show=lambda port: dict(port.profile),
            key="profile",
            parse=nullable(profile, null={}),
            default={},
            post=True,
            put=True,
        ),
        Attribute(
            name="binding:host_id",
            doc="The host the port is bound to; null or empty unbinds it.",
            show=lambda port: port.binding.host if port.binding else "",
            key="host",
            parse=nullable(text(), null=""),
            default="",
            post=True,
            put=True,
            filter=by("host"),
        ),
        Attribute(
            name="binding:vif_type",
            doc="unbound, ovs, or binding_failed when the host is not registered or lacks the physical network.",
            show=lambda port: vif_type(port.binding),
            shows=TEXT,
        ),
        Attribute(
            name="binding:vif_details",
            doc="How compute plugs the port.",
            show=lambda port: vif_details(port.binding),
            shows=OBJECT,
        ),
        *PORT_DNS,
        *bookkeeping(_record, tags_in_post=True),
    ),
)
