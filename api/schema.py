"""Which JSON schemas do values have, and how are larger ones made of smaller ones?

JSON Schema 2020-12, which OpenAPI 3.1 uses as it is. A schema says what a client should send and will get; what the
API takes beyond that, as Neutron does (``"true"`` for a boolean, digits for an integer), is not described.
"""

from collections.abc import Mapping, Sequence

Schema = Mapping[str, object]

ANYTHING: Schema = {}
TEXT: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
UUID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {"type": "string", "format": "date-time"}
ADDRESS: Schema = {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
PREFIX: Schema = {"type": "string", "pattern": "^[0-9A-Fa-f.:]+/[0-9]{1,3}$"}
PREFIX_OR_ADDRESS: Schema = {"type": "string", "pattern": "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"}
MAC: Schema = {"type": "string", "pattern": "^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$"}
OBJECT: Schema = {"type": "object"}


def array(items: Schema, *, longest: int | None = None, is_set: bool = False) -> Schema:
    """Return the schema of a list."""
    found: dict[str, object] = {"type": "array", "items": items}
    if longest is not None:
        found["maxItems"] = longest
    if is_set:
        found["uniqueItems"] = True
    return found


def record(properties: Mapping[str, Schema], *, required: Sequence[str] = (), is_closed: bool = True) -> Schema:
    """Return the schema of an object; a closed one has no other members."""
    found: dict[str, object] = {"type": "object", "properties": dict(properties)}
    if required:
        found["required"] = list(required)
    if is_closed:
        found["additionalProperties"] = False
    return found


def or_null(schema: Schema) -> Schema:
    """Return the schema of a value that may be null.

    >>> or_null({"type": "string"})
    {'type': ['string', 'null']}
    """
    if not schema:
        return schema  # anything includes null
    kind, listed, either = schema.get("type"), schema.get("enum"), schema.get("anyOf")
    if (isinstance(kind, list) and "null" in kind) or (isinstance(either, list) and {"type": "null"} in either):
        return schema
    if "anyOf" in schema or "$ref" in schema or (kind is not None and not isinstance(kind, str)):
        return {"anyOf": [schema, {"type": "null"}]}
    found = dict(schema)
    if isinstance(kind, str):
        found["type"] = [kind, "null"]
    if isinstance(listed, list) and None not in listed:
        found["enum"] = [*listed, None]
    return found


def without_null(schema: Schema) -> Schema:
    """Return the schema of a value that is not null, whatever else it may be.

    >>> without_null({"type": ["string", "null"]})
    {'type': 'string'}
    """
    found = dict(schema)
    kind, listed, either = schema.get("type"), schema.get("enum"), schema.get("anyOf")
    if isinstance(either, list) and {"type": "null"} in either:
        (rest,) = [one for one in either if one != {"type": "null"}]
        return dict(rest)
    if isinstance(kind, list):
        left = [one for one in kind if one != "null"]
        found["type"] = left[0] if len(left) == 1 else left
    if isinstance(listed, list):
        found["enum"] = [one for one in listed if one is not None]
    return found
