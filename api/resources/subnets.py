"""What is a subnet on the wire?

Neutron API reference, subnets; extension subnet-external-network.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from api.attributes import (
    Action,
    Argument,
    Attribute,
    Audience,
    Default,
    Resource,
    Service,
    by,
    canonical,
    flag,
    ip,
    number,
    optional,
)
from api.common import TAG_FILTERS, bookkeeping, identity
from api.errors import InvalidInputSubnetServiceType, InvalidSubnetServiceType
from api.resources import ipam_values
from api.schema import ADDRESS, BOOLEAN, PREFIX, record
from api.validators import (
    Refused,
    boolean,
    cidr,
    described,
    integer,
    ip_address,
    list_of,
    members,
    nullable,
    one_of,
    shown,
    text,
    uuid,
    without_duplicates,
)
from controller.caller import Caller
from controller.records import Port, Subnet
from controller.services import free_addresses, networks, subnets
from controller.services.query import Filter, Query
from controller.services.sentinels import DEFAULT_GATEWAY
from controller.store.database import Transaction

_IPV6_MODES = ("dhcpv6-stateful", "dhcpv6-stateless", "slaac")
_MOST_NAMESERVERS = 5
_MOST_ROUTES = 20
"""Neutron's own limits (max_dns_nameservers, max_subnet_host_routes)."""
_MOST_SERVICE_TYPES = 100
_LONGEST_DRIVER = 63
_OWNERS = ("network:", "neutron:", "baremetal:", *"compute:")
"""How a service type begins: Neutron (extension subnet-service-types) takes any of the octets of ``compute:``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetView:
    """A subnet, and what its network says about it."""

    subnet: Subnet
    router_external: bool


def _look(tx: Transaction, caller: Caller, records: Sequence[Subnet]) -> list[SubnetView]:
    external: set[str] = set()
    if records:
        # External networks are few, so one question serves a page of any length.
        query = Query(filters=(Filter(name="router_external", values=(True,)),))
        external = {network.id for network in networks.find(tx, caller, query)}
    return [SubnetView(subnet=subnet, router_external=subnet.network_id in external) for subnet in records]


@described(record({"start": ADDRESS, "end": ADDRESS}, required=("start", "end")))
def _pool(value: object) -> object:
    pool = members(value, what="IP pool", required=("start", "end"))
    return (ip_address(pool["start"]), ip_address(pool["end"]))


@described(ADDRESS)
def _nameserver(value: object) -> object:
    try:
        return ip_address(value)
    except Refused as refused:
        raise Refused(f"'{shown(value)}' is not a valid nameserver. {refused.reason}") from None


@described(record({"destination": PREFIX, "nexthop": ADDRESS}, required=("destination", "nexthop")))
def _host_route(value: object) -> object:
    route = members(value, what="hostroute", required=("destination", "nexthop"))
    destination = route["destination"]
    if isinstance(destination, str) and "%" not in destination:
        try:
            prefix = str(ipaddress.ip_network(destination))
        except ValueError:
            pass
        else:
            return (prefix, ip_address(route["nexthop"]))
    raise Refused(f"'{shown(destination)}' is not a valid CIDR")


def _not_shown(_view: SubnetView) -> object:
    return Default.ABSENT


def _wire_pools(view: SubnetView) -> object:
    return [{"start": start, "end": end} for start, end in view.subnet.allocation_pools]


def _wire_routes(view: SubnetView) -> object:
    return [{"destination": destination, "nexthop": nexthop} for destination, nexthop in view.subnet.host_routes]


@described({"type": "string", "maxLength": 255})
def _service_type(value: object) -> object:
    if not isinstance(value, str):
        raise InvalidInputSubnetServiceType(shown(value))
    if not value.startswith(_OWNERS):
        raise InvalidSubnetServiceType(shown(value))
    return text()(value)


def _restore(tx: Transaction, caller: Caller, object_id: str, values: Mapping[str, object]) -> Port:
    return free_addresses.restore(tx, caller, object_id, values)


def _restored(done: object) -> object:
    if not isinstance(done, Port):
        raise TypeError(f"{done!r} is no port")
    fixed_ips = [{"subnet_id": one.subnet_id, "ip_address": one.ip_address} for one in done.fixed_ips]
    return {"restored": {"port_id": done.id, "fixed_ips": fixed_ips}}


SUBNET: Resource[Subnet, SubnetView] = Resource(
    collection="subnets",
    member="subnet",
    doc="A range of addresses of a network, with its gateway and DHCP options.",
    service=Service(
        create=subnets.create,
        create_many=subnets.create_many,
        get=subnets.get,
        find=subnets.find,
        update=subnets.update,
        delete=subnets.delete,
    ),
    look=_look,
    identify=attrgetter("id"),
    extra_filters=TAG_FILTERS,
    tagged=subnets.RESOURCE,
    actions=(
        Action(
            name="restore",
            doc="Takes an address out of quarantine and gives it to a port, whose addresses are the answer.",
            arguments=(
                Argument(name="ip_address", doc="The address.", parse=ip_address),
                Argument(name="port_id", doc="The port.", parse=uuid),
            ),
            perform=_restore,
            show=_restored,
        ),
    ),
    attributes=(
        *identity(lambda view: view.subnet),
        Attribute(
            name="network_id",
            doc="The network the subnet belongs to.",
            show=attrgetter("subnet.network_id"),
            key="network_id",
            parse=uuid,
            default=Default.REQUIRED,
            post=True,
            filter=by("network_id"),
            sort="network_id",
        ),
        Attribute(
            name="ip_version",
            doc="4 or 6.",
            show=attrgetter("subnet.ip_version"),
            key="ip_version",
            parse=one_of((4, 6), of=integer()),
            default=Default.REQUIRED,
            post=True,
            filter=by("ip_version", number),
            sort="ip_version",
        ),
        Attribute(
            name="subnetpool_id",
            doc="The pool the prefix is from; null, none.",
            show=attrgetter("subnet.subnetpool_id"),
            key="subnetpool_id",
            parse=nullable(uuid),
            default=None,
            post=True,
            filter=by("subnetpool_id", optional),
            sort="subnetpool_id",
        ),
        Attribute(
            name="shared",
            doc="Whether the network is shared; a filter only.",
            show=_not_shown,
            shows=BOOLEAN,
            filter=by("shared", flag),
        ),
        Attribute(
            name="use_default_subnetpool",
            doc="True asks for the default pool of the IP version.",
            show=_not_shown,
            key="use_default_subnetpool",
            parse=boolean,
            default=False,
            post=True,
        ),
        Attribute(
            name="prefixlen",
            doc="Length of the prefix wanted of the pool; left out, the pool's default_prefixlen.",
            show=_not_shown,
            key="prefixlen",
            parse=integer(lowest=0),
            default=None,
            post=True,
        ),
        Attribute(
            name="enable_dhcp",
            doc="True answers the DHCP requests of ports with an address of the subnet.",
            show=attrgetter("subnet.enable_dhcp"),
            key="enable_dhcp",
            parse=boolean,
            default=True,
            post=True,
            put=True,
            filter=by("enable_dhcp", flag),
            sort="enable_dhcp",
        ),
        *(
            Attribute(
                name=name,
                doc=doc,
                show=attrgetter(f"subnet.{name}"),
                key=name,
                parse=nullable(one_of(_IPV6_MODES)),
                default=None,
                post=True,
                filter=by(name, optional),
                sort=name,
            )
            for name, doc in (
                ("ipv6_ra_mode", "Who sends router advertisements, and for which way of addressing."),
                ("ipv6_address_mode", "How guests get their IPv6 addresses."),
            )
        ),
        Attribute(
            name="segment_id",
            doc="The segment where the addresses can be used; all subnets of a network have one, or none has.",
            show=attrgetter("subnet.segment_id"),
            key="segment_id",
            parse=nullable(uuid),
            default=None,
            post=True,
            put=True,
            shown_to=Audience.ADMIN,
            set_by=Audience.ADMIN,
            filter=by("segment_id", optional),
            sort="segment_id",
        ),
        Attribute(
            name="gateway_ip",
            doc="The router's address; left out, the first of the subnet; null, none.",
            show=attrgetter("subnet.gateway_ip"),
            key="gateway_ip",
            parse=nullable(ip_address),
            default=DEFAULT_GATEWAY,
            post=True,
            put=True,
            filter=by("gateway_ip", ip),
            sort="gateway_ip",
        ),
        Attribute(
            name="cidr",
            doc="The prefix; host bits are cleared. May be left out where a pool gives one.",
            show=attrgetter("subnet.cidr"),
            key="cidr",
            parse=nullable(cidr),
            default=None,
            post=True,
            filter=by("cidr", canonical(cidr)),
            sort="cidr",
            shows=PREFIX,
        ),
        Attribute(
            name="allocation_pools",
            doc="Ranges, both ends included, that addresses are chosen from; left out, everything but the gateway.",
            show=_wire_pools,
            key="allocation_pools",
            parse=nullable(list_of(_pool, what="IP pool"), null=()),
            default=None,
            post=True,
            put=True,
        ),
        Attribute(
            name="host_routes",
            doc="Routes for the guests (DHCP option 121, RFC 3442).",
            show=_wire_routes,
            key="host_routes",
            parse=nullable(
                without_duplicates(list_of(_host_route, what="hostroute", longest=_MOST_ROUTES), what="hostroute"),
                null=[],
            ),
            default=(),
            post=True,
            put=True,
        ),
        Attribute(
            name="dns_nameservers",
            doc="Resolvers for the guests.",
            show=lambda view: list(view.subnet.dns_nameservers),
            key="dns_nameservers",
            parse=nullable(
                without_duplicates(
                    list_of(_nameserver, what="nameserver", longest=_MOST_NAMESERVERS), what="nameserver"
                ),
                null=[],
            ),
            default=(),
            post=True,
            put=True,
        ),
        Attribute(
            name="router:external",
            doc="True on an external network.",
            show=attrgetter("router_external"),
            shows=BOOLEAN,
            filter=by("router:external", flag),
        ),
        Attribute(
            name="service_types",
            doc="Device owners whose ports get addresses of the subnet unasked; none, all ports do.",
            show=lambda view: list(view.subnet.service_types),
            key="service_types",
            parse=nullable(
                without_duplicates(
                    list_of(_service_type, what="service type", longest=_MOST_SERVICE_TYPES), what="service type"
                ),
                null=[],
            ),
            default=(),
            post=True,
            put=True,
        ),
        Attribute(
            name="ipam:driver",
            doc="Who gives out the addresses: built-in, or a service outside that the operator enabled.",
            show=attrgetter("subnet.driver"),
            key="driver",
            parse=text(shortest=1, longest=_LONGEST_DRIVER),
            default=None,
            post=True,
            set_by=Audience.ADMIN,
            filter=by("driver"),
        ),
        *ipam_values.attributes(),
        *bookkeeping(lambda view: view.subnet),
    ),
)
