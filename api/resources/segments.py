"""What is a segment on the wire?

Neutron API reference, segments; extensions segment and standard-attr-segment.
"""

from collections.abc import Callable
from operator import attrgetter

from api.attributes import Attribute, Default, Resource, Service, by, itself, number, optional, wire_time
from api.resources.segment_values import LONGEST_PHYSNET, LONGEST_TYPE, segmentation_id
from api.schema import INTEGER, TIME, UUID
from api.validators import nullable, text, uuid
from controller.records import Segment
from controller.services import segments


def _time(name: str) -> Callable[[Segment], object]:
    return lambda segment: wire_time(getattr(segment, name))


SEGMENT: Resource[Segment, Segment] = Resource(
    collection="segments",
    member="segment",
    doc="One layer-2 broadcast domain of a network; for administrators.",
    service=Service(
        create=segments.create,
        create_many=segments.create_many,
        get=segments.get,
        find=segments.find,
        update=segments.update,
        delete=segments.delete,
    ),
    look=itself,
    identify=attrgetter("id"),
    attributes=(
        Attribute(
            name="id",
            doc="Identifier, chosen by the server.",
            show=attrgetter("id"),
            filter=by("id"),
            sort="id",
            shows=UUID,
        ),
        *(
            Attribute(
                name=name,
                doc=doc,
                show=attrgetter(name),
                key=name,
                parse=nullable(text()),
                default=None,
                post=True,
                put=True,
                filter=by(name, optional),
                sort=name,
            )
            for name, doc in (("name", "Name for people; may be null."), ("description", "Text for people."))
        ),
        Attribute(
            name="tenant_id",
            doc="Taken and ignored, as Neutron does: a segment is its network's.",
            show=lambda _segment: Default.ABSENT,
            parse=text(),
            post=True,
        ),
        Attribute(
            name="network_id",
            doc="The network the segment belongs to.",
            show=attrgetter("network_id"),
            key="network_id",
            parse=uuid,
            default=Default.REQUIRED,
            post=True,
            filter=by("network_id"),
            sort="network_id",
        ),
        Attribute(
            name="network_type",
            doc="vxlan, geneve, vlan or flat.",
            show=attrgetter("network_type"),
            key="network_type",
            parse=text(longest=LONGEST_TYPE),
            default=Default.REQUIRED,
            post=True,
            filter=by("network_type"),
            sort="network_type",
        ),
        Attribute(
            name="physical_network",
            doc="The physical network underneath, if there is one.",
            show=attrgetter("physical_network"),
            key="physical_network",
            parse=nullable(text(longest=LONGEST_PHYSNET)),
            default=None,
            post=True,
            filter=by("physical_network", optional),
            sort="physical_network",
        ),
        Attribute(
            name="segmentation_id",
            doc="The VNI or VLAN id on the wire; left out, one is chosen.",
            show=attrgetter("segmentation_id"),
            key="segmentation_id",
            parse=nullable(segmentation_id),
            default=None,
            post=True,
            filter=by("segmentation_id", number),
            sort="segmentation_id",
        ),
        *(
            Attribute(name=name, doc=doc, show=_time(name), sort=name, shows=TIME)
            for name, doc in (
                ("created_at", "When the segment was created."),
                ("updated_at", "When the segment last changed."),
            )
        ),
        Attribute(
            name="revision_number",
            doc="Grows with every change; compare with If-Match.",
            show=attrgetter("revision_number"),
            filter=by("revision_number", number),
            sort="revision_number",
            shows=INTEGER,
        ),
    ),
)
