"""How does the API's description say what a client must show, and what happens when it does not?

OpenAPI 3.1, security scheme object and security requirement object. Mode ``none`` needs nothing and says nothing.
"""

from collections.abc import Collection, Mapping
from typing import Any

from api.auth import Auth
from api.basic import BasicAuth
from api.keystone import KeystoneAuth
from api.schema import INTEGER, TEXT, Schema, record
from api.tokens import TokenAuth

_TOKEN_HEADER = {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}
_UNAUTHENTICATED = "Unauthenticated"
_REFUSAL: Schema = record(
    {"error": record({"code": INTEGER, "title": TEXT, "message": TEXT}, required=("code", "title", "message"))},
    required=("error",),
)
"""Keystone's form of an error, which clients expect of a 401 whoever answers."""


def scheme_of(auth: Auth) -> tuple[str, Mapping[str, str]] | None:
    """Return the name and the security scheme of an authentication mode; None where nobody is asked."""
    match auth:
        case BasicAuth():
            return "basic", {"type": "http", "scheme": "basic", "description": "A user of Weft's own (RFC 7617)."}
        case TokenAuth():
            return "token", {**_TOKEN_HEADER, "description": "A token of Weft's own (weft token create)."}
        case KeystoneAuth():
            return "keystone", {**_TOKEN_HEADER, "description": "A token of OpenStack's Keystone, with a project."}
    return None


def secured(document: dict[str, Any], auth: Auth, *, open_paths: Collection[str]) -> dict[str, Any]:
    """Return an API's description with its security scheme, and with a 401 wherever it is asked for.

    Args:
        document: without a word about security.
        auth: what tells who the callers are.
        open_paths: those that are for everybody.
    """
    scheme = scheme_of(auth)
    if scheme is None:
        return document
    name, described = scheme
    paths = {
        path: {method: _secured(operation, is_open=path in open_paths) for method, operation in verbs.items()}
        for path, verbs in document["paths"].items()
    }
    components = document["components"]
    responses = {**components["responses"], _UNAUTHENTICATED: _response()}
    return document | {
        "security": [{name: []}],
        "paths": paths,
        "components": components | {"securitySchemes": {name: described}, "responses": responses},
    }


def _secured(operation: Mapping[str, Any], *, is_open: bool) -> dict[str, Any]:
    if is_open:
        return {**operation, "security": []}
    missing = {"401": {"$ref": f"#/components/responses/{_UNAUTHENTICATED}"}}
    return {**operation, "responses": {**missing, **operation["responses"]}}


def _response() -> dict[str, object]:
    challenge = {"description": "How to authenticate (RFC 9110 section 11.6.1).", "schema": TEXT}
    return {
        "description": "Nobody is known to send this request: what it shows is missing, wrong or expired.",
        "headers": {"WWW-Authenticate": challenge},
        "content": {"application/json": {"schema": _REFUSAL}},
    }
