"""Which HTTP answer does an error get?

One table says it: kind of error to status. Whatever nobody foresaw is logged with the request's id and answered with
that id and nothing else.
"""

import logging
from collections.abc import Mapping

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from api.errors import ControllerRefused, ControllerSilent, Unauthenticated
from api.wire import API_ROOT, REQUEST_ID, answer
from controller.errors import Kind, WeftError

LOG = logging.getLogger("weft.api")

STATUS: Mapping[Kind, int] = {
    Kind.INVALID: 400,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.EXHAUSTED: 409,
    Kind.PRECONDITION: 412,
    Kind.UNAVAILABLE: 503,
}
"""Neutron has 409 for exhaustion (IpAddressGenerationFailure)."""

_SERVER_ERROR = 500
_GATEWAY_TIMEOUT = 504
_NOT_FOUND = 404
_UNAUTHORIZED = 401
_MALFORMED = "The server could not comply with the request since it is either malformed or otherwise incorrect."
_HTTP: Mapping[int, tuple[str, str]] = {
    400: ("HTTPBadRequest", _MALFORMED),
    404: ("HTTPNotFound", "The resource could not be found."),
    405: ("HTTPMethodNotAllowed", _MALFORMED),
    406: ("HTTPNotAcceptable", _MALFORMED),
    413: ("HTTPRequestEntityTooLarge", "The body of your request was too large for this server."),
}
"""Type and message by status, for what fails before a resource is found; the words are Neutron's (webob's)."""


def fault(status: int, error_type: str, message: str, detail: str = "") -> Response:
    """Return an error as Neutron writes it."""
    return answer(status, {"NeutronError": {"type": error_type, "message": message, "detail": detail}})


def status_of(error: WeftError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, ControllerSilent):
        return _GATEWAY_TIMEOUT
    if isinstance(error, ControllerRefused):
        # The controller waits for a switch no longer than we wait for the controller, and then says so.
        return _GATEWAY_TIMEOUT if error.remote_type == ControllerSilent.neutron_type else STATUS[error.remote_kind]
    return STATUS[error.kind]


def install(app: Flask) -> None:
    """Answer every error of the application."""
    app.register_error_handler(WeftError, _expected)
    app.register_error_handler(Unauthenticated, _unauthenticated)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def _expected(error: WeftError) -> Response:
    status = status_of(error)
    if status >= _SERVER_ERROR:
        LOG.warning(
            "request_unavailable request_id=%s method=%s path=%s error=%s",
            request.environ.get(REQUEST_ID),
            request.method,
            request.path,
            error,
        )
    error_type = error.remote_type if isinstance(error, ControllerRefused) else error.neutron_type
    return fault(status, error_type, str(error), error.detail)


def _unauthenticated(error: Unauthenticated) -> Response:
    # Nothing of what was sent is logged: a password may stand in the place of a name.
    LOG.info("request_unauthenticated request_id=%s path=%s", request.environ.get(REQUEST_ID), request.path)
    response = answer(_UNAUTHORIZED, {"error": {"code": _UNAUTHORIZED, "title": "Unauthorized", "message": str(error)}})
    if error.challenge:
        response.headers["WWW-Authenticate"] = error.challenge
    return response


def _http(error: HTTPException) -> Response:
    status = error.code or _SERVER_ERROR
    if status == _NOT_FOUND and not is_api(request.path):
        # Neutron's answer outside /v2.0 comes from its version switch and is no NeutronError.
        return answer(status, {"code": status, "title": "Not Found", "description": None})
    error_type, message = _HTTP.get(status, (f"HTTP{type(error).__name__}", error.description or _MALFORMED))
    response = fault(status, error_type, message)
    for name, value in error.get_headers():
        if name == "Allow":  # RFC 9110 section 15.5.6
            response.headers[name] = value
    return response


def _unforeseen(error: Exception) -> Response:
    request_id = request.environ.get(REQUEST_ID)
    LOG.error(
        "request_failed request_id=%s method=%s path=%s", request_id, request.method, request.path, exc_info=error
    )
    return fault(
        _SERVER_ERROR,
        "HTTPInternalServerError",
        f"The server failed in a way nobody foresaw. Its log says more under request id {request_id}.",
    )


def is_api(path: str) -> bool:
    """Say whether a path is under the API's root."""
    return path == API_ROOT or path.startswith(API_ROOT + "/")
