"""What is a range of segmentation ids on the wire?

Neutron API reference, network segment ranges; extension network-segment-range.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter

from api.attributes import Attribute, Default, Resource, Service, by, flag, number, optional
from api.common import TAG_FILTERS, bookkeeping, identity
from api.resources.segment_values import LONGEST_PHYSNET, LONGEST_TYPE, segment_number
from api.schema import BOOLEAN, INTEGER, OBJECT, TEXT, array, or_null
from api.validators import boolean, nullable, text
from controller.caller import Caller
from controller.records import NetworkSegmentRange
from controller.services import network_segment_ranges
from controller.services.network_segment_ranges import Usage
from controller.store.database import Transaction

View = tuple[NetworkSegmentRange, Usage]


class _Standard:
    """A range as the standard attributes want it."""

    def __init__(self, one: NetworkSegmentRange) -> None:
        self.id, self.name, self.description = one.id, one.name, one.description
        self.created_at, self.updated_at, self.revision_number = one.created_at, one.updated_at, one.revision_number
        self.project_id = one.project_id or ""


def _standard(view: View) -> _Standard:
    return _Standard(view[0])


def _look(tx: Transaction, _caller: Caller, ranges: Sequence[NetworkSegmentRange]) -> Sequence[View]:
    return [(one, network_segment_ranges.usage(tx, one)) for one in ranges]


def _bound(name: str) -> Callable[[View], object]:
    return lambda view: getattr(view[0], name)


def _used(view: View) -> dict[str, str]:
    return {str(taken): project_id for taken, project_id in view[1].used}


NETWORK_SEGMENT_RANGE: Resource[NetworkSegmentRange, View] = Resource(
    collection="network_segment_ranges",
    member="network_segment_range",
    doc="Segmentation ids that networks of one type may get; for administrators.",
    service=Service(
        create=network_segment_ranges.create,
        create_many=network_segment_ranges.create_many,
        get=network_segment_ranges.get,
        find=network_segment_ranges.find,
        update=network_segment_ranges.update,
        delete=network_segment_ranges.delete,
    ),
    look=_look,
    identify=attrgetter("id"),
    extra_filters=TAG_FILTERS,
    tagged=network_segment_ranges.RESOURCE,
    attributes=(
        # The standard attributes but for the project: a shared range has none.
        *(attribute for attribute in identity(_standard) if attribute.name in {"id", "name"}),
        *(
            Attribute(
                name=name,
                doc="The project whose networks draw from the range; null when it is shared.",
                show=lambda view: view[0].project_id,
                key="project_id",
                parse=text(shortest=1),
                post=True,
                filter=by("project_id"),
                sort="project_id",
                shows=or_null(TEXT),
            )
            for name in ("project_id", "tenant_id")
        ),
        Attribute(
            name="default",
            doc="True for a range of the configuration, which cannot be changed.",
            show=lambda view: view[0].default,
            filter=by("default", flag),
            shows=BOOLEAN,
        ),
        Attribute(
            name="shared",
            doc="True lets every project's networks draw from the range.",
            show=lambda view: view[0].shared,
            key="shared",
            parse=boolean,
            default=True,
            post=True,
            filter=by("shared", flag),
        ),
        Attribute(
            name="network_type",
            doc="vxlan, geneve or vlan.",
            show=lambda view: view[0].network_type,
            key="network_type",
            parse=text(longest=LONGEST_TYPE),
            default=Default.REQUIRED,
            post=True,
            filter=by("network_type"),
            sort="network_type",
        ),
        Attribute(
            name="physical_network",
            doc="The physical network of a range of VLANs.",
            show=lambda view: view[0].physical_network,
            key="physical_network",
            parse=nullable(text(longest=LONGEST_PHYSNET)),
            default=None,
            post=True,
            filter=by("physical_network", optional),
            sort="physical_network",
        ),
        *(
            Attribute(
                name=name,
                doc=doc,
                show=_bound(name),
                key=name,
                parse=segment_number,
                default=Default.REQUIRED,
                post=True,
                put=True,
                filter=by(name, number),
                sort=name,
            )
            for name, doc in (("minimum", "The lowest number."), ("maximum", "The highest number."))
        ),
        Attribute(name="used", doc="Numbers taken, with the project that has each.", show=_used, shows=OBJECT),
        Attribute(
            name="available",
            doc="Free numbers, from the lowest; at most 4,094 of them.",
            show=lambda view: list(view[1].available),
            shows=array(INTEGER),
        ),
        *bookkeeping(_standard),
    ),
)
