"""Which versions and resources does the API have?

Neutron API reference, API versions.
"""

from collections.abc import Sequence

from flask import Flask, Response, request

from api.operations import Operation
from api.schema import TEXT, array, record
from api.wire import API_ROOT, answer, base_url

_READ = ("GET", "OPTIONS")

_LINK = record({"rel": TEXT, "href": TEXT})
_VERSION = record({"id": TEXT, "status": TEXT, "links": array(_LINK)})

OPERATIONS = (
    Operation(
        method="GET",
        path="/",
        name="list_versions",
        doc="List the versions of the API; clients discover it by this.",
        answer=record({"versions": array(_VERSION)}, required=("versions",)),
    ),
    Operation(
        method="GET",
        path=API_ROOT,
        name="list_resources",
        doc="List the collections of the API.",
        answer=record(
            {
                "resources": array(record({"name": TEXT, "collection": TEXT, "links": array(_LINK)})),
                "version": _VERSION,
            },
            required=("resources", "version"),
        ),
    ),
)


class Versions:
    """The documents at ``/`` and ``/v2.0``; neither asks who the caller is."""

    def __init__(self, names: Sequence[tuple[str, str]]) -> None:
        """Serve the (member, collection) pairs given."""
        self._names = tuple(names)

    def register(self, app: Flask) -> None:
        """Add both documents to the application."""
        for path, view in (("/", self.root), (API_ROOT, self.resources)):
            app.add_url_rule(
                path, endpoint=f"versions:{path}", view_func=view, methods=_READ, provide_automatic_options=False
            )

    def root(self) -> Response:
        """Return the version document clients discover the API by."""
        return answer(200, {"versions": [self._version()]})

    def resources(self) -> Response:
        """Return the collections, and the version document too.

        Neutron has only the collections here; with ``version`` an endpoint that ends in ``/v2.0`` can be discovered
        as well (keystoneauth reads either document).
        """
        base = base_url(request)
        listed = [
            {
                "name": member,
                "collection": collection,
                "links": [{"rel": "self", "href": f"{base}{API_ROOT}/{collection}"}],
            }
            for member, collection in self._names
        ]
        return answer(200, {"resources": listed, "version": self._version()})

    def _version(self) -> dict[str, object]:
        href = f"{base_url(request)}{API_ROOT}/"
        return {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": href}]}
