"""What does a path that is no declared resource do? One ``Operation`` says it for the API's description.

Modules with paths of their own have a tuple ``OPERATIONS`` beside the code that serves them. How the description is
put together is in ``api.openapi``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from api.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One verb of one path."""

    method: str
    path: str
    """As it is routed: ``/v2.0/ports/<port_id>/status``."""
    name: str
    """The operation's id in the description, a verb and what it is about: ``show_port_status``."""
    doc: str
    status: int = 200
    answer: Schema | None = None
    """The answer's body; None when it has none."""
    content_type: str = "application/json"
    body: Schema | None = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    required_query: tuple[str, ...] = ()
    faults: Mapping[int, Schema] = field(default_factory=dict)
    """Answers to bad requests that are no NeutronError, by status."""
