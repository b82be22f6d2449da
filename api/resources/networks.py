"""What is a network on the wire?

Neutron API reference, networks; extensions external-net, multi-provider, net-mtu, net-mtu-writable, provider, pvlan.
"""

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter

from api.attributes import (
    Attribute,
    Default,
    Resource,
    Service,
    by,
    by_constant,
    flag,
    number,
    optional,
)
from api.common import TAG_FILTERS, bookkeeping, identity
from api.resources.dns_values import NETWORK_DNS
from api.resources.segment_values import LONGEST_PHYSNET, LONGEST_TYPE, segmentation_id, wanted_segments
from api.schema import BOOLEAN, INTEGER, TEXT, UUID, array, or_null
from api.validators import boolean, described, integer, list_of, nullable, text, without_duplicates
from controller.caller import Caller
from controller.records import Network
from controller.services import availability_zones, networks, sharing
from controller.store.transaction import Transaction

"""RFC 791 section 3.2: every IPv4 module forwards 68 octets."""
_HIGHEST_MTU = 65535
_MOST_ZONES = 10
"""Neutron's limit (its column has 255 characters)."""


def _record(network: Network) -> Network:
    return network


@described({"type": ["integer", "null"], "minimum": 0, "maximum": _HIGHEST_MTU})
def _mtu(value: object) -> object:
    """Return an MTU; 0 asks for the default, as null does (extension net-mtu-writable)."""
    if value is None or integer()(value) == 0:
        return None
    return integer(lowest=0, highest=_HIGHEST_MTU)(value)


def _provider(network: Network, name: str) -> object:
    """Return a provider attribute; a network of several segments has none of its own (extension multi-provider)."""
    return getattr(network.segments[0], name) if len(network.segments) == 1 else Default.ABSENT


def _segments(network: Network) -> object:
    """Return the segments of a network that has several; Nova refuses to boot on a list of one without a physnet."""
    if len(network.segments) == 1:
        return Default.ABSENT
    return [
        {
            "provider:network_type": segment.network_type,
            "provider:physical_network": segment.physical_network,
            "provider:segmentation_id": segment.segmentation_id,
        }
        for segment in network.segments
    ]


def _look(tx: Transaction, caller: Caller, records: Sequence[Network]) -> list[Network]:
    """Say of each network whether it is shared with the one who looks, and in which zones it is."""
    shared = sharing.marked(tx, caller, sharing.NETWORK, records)
    known = availability_zones.names(tx)
    return [
        replace(
            one,
            shared=shared[one.id],
            availability_zones=availability_zones.of_network(one.availability_zone_hints, known),
        )
        for one in records
    ]


NETWORK: Resource[Network, Network] = Resource(
    collection="networks",
    member="network",
    doc="An isolated layer-2 network.",
    service=Service(
        create=networks.create,
        create_many=networks.create_many,
        get=networks.get,
        find=networks.find,
        update=networks.update,
        delete=networks.delete,
    ),
    look=_look,
    identify=attrgetter("id"),
    extra_filters=TAG_FILTERS,
    tagged=networks.RESOURCE,
    attributes=(
        *identity(_record),
        Attribute(
            name="admin_state_up",
            doc="False stops all traffic of the network.",
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
            name="mtu",
            doc="Largest packet of the network in bytes; left out, the largest that fits the encapsulation.",
            show=attrgetter("mtu"),
            key="mtu",
            parse=_mtu,
            default=None,
            post=True,
            put=True,
            filter=by("mtu", number),
            sort="mtu",
            shows=INTEGER,
        ),
        Attribute(
            name="status",
            doc="Always ACTIVE: a network is usable as soon as it exists.",
            show=lambda _network: "ACTIVE",
            filter=by_constant("ACTIVE"),
            shows={"const": "ACTIVE"},
        ),
        Attribute(
            name="subnets",
            doc="Ids of the subnets.",
            show=lambda network: list(network.subnet_ids),
            shows=array(UUID),
        ),
        Attribute(
            name="shared",
            doc="True lets every project use the network.",
            show=attrgetter("shared"),
            key="shared",
            parse=boolean,
            default=False,
            post=True,
            put=True,
            filter=by("shared", flag),
        ),
        Attribute(
            name="port_security_enabled",
            doc="What ports of the network start with.",
            show=attrgetter("port_security_enabled"),
            key="port_security_enabled",
            parse=boolean,
            default=True,
            post=True,
            put=True,
            filter=by("port_security_enabled", flag),
        ),
        Attribute(
            name="router:external",
            doc="Marks a network that leads outside.",
            show=attrgetter("router_external"),
            key="router_external",
            parse=boolean,
            default=False,
            post=True,
            put=True,
            filter=by("router_external", flag),
        ),
        Attribute(
            name="provider:network_type",
            doc="How frames travel between hosts.",
            show=lambda network: _provider(network, "network_type"),
            key="network_type",
            parse=nullable(text(longest=LONGEST_TYPE)),
            default=None,
            post=True,
            put=True,
            filter=by("segment:network_type"),
        ),
        Attribute(
            name="provider:physical_network",
            doc="The physical network underneath, if there is one.",
            show=lambda network: _provider(network, "physical_network"),
            key="physical_network",
            parse=nullable(text(longest=LONGEST_PHYSNET)),
            default=None,
            post=True,
            put=True,
            filter=by("segment:physical_network", optional),
        ),
        Attribute(
            name="provider:segmentation_id",
            doc="The VNI or VLAN id on the wire; left out, one is chosen.",
            show=lambda network: _provider(network, "segmentation_id"),
            key="segmentation_id",
            parse=nullable(segmentation_id),
            default=None,
            post=True,
            put=True,
            filter=by("segment:segmentation_id", number),
        ),
        Attribute(
            name="segments",
            doc="Several segments, each with its provider attributes; those of the network must be left out then.",
            show=_segments,
            key="segments",
            parse=nullable(wanted_segments),
            default=None,
            post=True,
            put=True,
        ),
        Attribute(
            name="weft:plugin",
            doc="The plug-in that realises the network; left out, the first that can do what is asked.",
            show=attrgetter("plugin"),
            shows=TEXT,
            key="plugin",
            parse=nullable(text(longest=64)),
            default=None,
            post=True,
            filter=by("plugin"),
            sort="plugin",
        ),
        Attribute(
            name="pvlan",
            doc="True gives each port a private VLAN type (RFC 5517); needs port security.",
            show=attrgetter("pvlan"),
            key="pvlan",
            parse=boolean,
            default=False,
            post=True,
            put=True,
            filter=by("pvlan", flag),
        ),
        Attribute(
            name="availability_zone_hints",
            doc="Zones the network is wanted in; empty, all of them.",
            show=lambda network: list(network.availability_zone_hints),
            key="availability_zone_hints",
            parse=without_duplicates(
                list_of(text(shortest=1), what="availability_zone_hints", longest=_MOST_ZONES),
                what="availability zone",
            ),
            default=(),
            post=True,
        ),
        Attribute(
            name="availability_zones",
            doc="Zones with hosts that realise the network.",
            show=lambda network: list(network.availability_zones),
            shows=array(TEXT),
        ),
        *(
            Attribute(
                name=name,
                doc="The address scope that the pools of the subnets are in.",
                show=attrgetter(name),
                filter=by(name, optional),
                shows=or_null(UUID),
            )
            for name in ("ipv4_address_scope", "ipv6_address_scope")
        ),
        Attribute(
            name="l2_adjacency",
            doc="False on a routed network, whose subnets belong to segments.",
            show=attrgetter("l2_adjacency"),
            shows=BOOLEAN,
        ),
        *NETWORK_DNS,
        *bookkeeping(_record),
    ),
)
