"""What does the API say about how many addresses are left?

Neutron API reference, network IP availability; extensions network-ip-availability, network-ip-availability-details.
"""

from operator import attrgetter

from api.attributes import Attribute, Resource, Service, by, itself, number
from api.schema import INTEGER, TEXT, UUID, array, record
from controller.services import ip_availability
from controller.services.ip_availability import Counts, NetworkAvailability, SubnetAvailability

_DETAILS = record(
    dict.fromkeys(
        (
            "total_ips_in_subnet",
            "total_ips_in_allocation_pool",
            "used_ips_in_subnet",
            "used_ips_in_allocation_pool",
        ),
        INTEGER,
    )
)
_SUBNET = record(
    {
        "subnet_id": UUID,
        "ip_version": INTEGER,
        "cidr": TEXT,
        "subnet_name": TEXT,
        "used_ips": INTEGER,
        "total_ips": INTEGER,
        "ip_availability_details": _DETAILS,
    }
)


def _details(counts: Counts) -> dict[str, int]:
    return {
        "total_ips_in_subnet": counts.total_in_subnet,
        "total_ips_in_allocation_pool": counts.total_in_pools,
        "used_ips_in_subnet": counts.used,
        "used_ips_in_allocation_pool": counts.used_in_pools,
    }


def _subnet(one: SubnetAvailability) -> dict[str, object]:
    return {
        "subnet_id": one.subnet_id,
        "ip_version": one.ip_version,
        "cidr": one.cidr,
        "subnet_name": one.name,
        "used_ips": one.counts.used,
        "total_ips": one.counts.total,
        "ip_availability_details": _details(one.counts),
    }


def _owner(name: str) -> Attribute[NetworkAvailability]:
    return Attribute(
        name=name,
        doc="The network's owner.",
        show=attrgetter("project_id"),
        filter=by("project_id"),
        sort="project_id",
        shows=TEXT,
    )


IP_AVAILABILITY: Resource[NetworkAvailability, NetworkAvailability] = Resource(
    collection="network_ip_availabilities",
    member="network_ip_availability",
    doc="How many addresses of a network are used, and how many there are; for administrators.",
    service=Service(get=ip_availability.get, find=ip_availability.find),
    look=itself,
    identify=attrgetter("network_id"),
    extra_filters={"ip_version": by(ip_availability.IP_VERSION, number)},
    attributes=(
        Attribute(
            name="network_id", doc="The network.", show=attrgetter("network_id"), filter=by("id"), sort="id", shows=UUID
        ),
        Attribute(
            name="network_name", doc="Its name.", show=attrgetter("name"), filter=by("name"), sort="name", shows=TEXT
        ),
        _owner("project_id"),
        Attribute(
            name="subnet_ip_availability",
            doc="The same for each subnet.",
            show=lambda view: [_subnet(one) for one in view.subnets],
            shows=array(_SUBNET),
        ),
        Attribute(name="used_ips", doc="Addresses that ports have.", show=attrgetter("counts.used"), shows=INTEGER),
        Attribute(
            name="total_ips",
            doc="Addresses of the allocation pools; of a subnet without pools, all.",
            show=attrgetter("counts.total"),
            shows=INTEGER,
        ),
        Attribute(
            name="ip_availability_details",
            doc="Both, inside and outside the allocation pools.",
            show=lambda view: _details(view.counts),
            shows=_DETAILS,
        ),
        _owner("tenant_id"),
    ),
)
