"""Which collections do clients look into that have nothing in them? Those of routers, trunks and Neutron's agents.

Nova asks for floating IPs whenever it refreshes a server's addresses, clients list routers and trunks when they clean
up, and service providers before they look at anything else. An empty list is the true answer; the extensions are not
announced, and nothing but the list is there.
"""

from collections.abc import Callable

from flask import Flask, Response

from api.auth import Auth
from api.machinery import admit
from api.operations import Operation
from api.schema import Schema, array, record
from api.wire import API_ROOT, answer
from controller.services import agents, networks
from controller.store.database import Database

_READ = ("GET", "OPTIONS")
_EMPTY = ("flavors", "floatingips", "routers", "service_profiles", "service_providers", "trunks")
_DHCP_AGENTS = f"{API_ROOT}/networks/<network_id>/dhcp-agents"
_DHCP_NETWORKS = f"{API_ROOT}/agents/<agent_id>/dhcp-networks"


def _path(collection: str) -> str:
    return f"{API_ROOT}/{collection.replace('_', '-')}"


def _empty(collection: str) -> Schema:
    return record({collection: array({}, longest=0)}, required=(collection,))


OPERATIONS = (
    *(
        Operation(
            method="GET",
            path=_path(name),
            name=f"list_{name}",
            doc=f"List {name.replace('_', ' ')}: there are none.",
            answer=_empty(name),
        )
        for name in _EMPTY
    ),
    Operation(
        method="GET",
        path=_DHCP_AGENTS,
        name="list_dhcp_agents_of_network",
        doc="List the DHCP agents of a network: there are none.",
        answer=_empty("agents"),
    ),
    Operation(
        method="GET",
        path=_DHCP_NETWORKS,
        name="list_dhcp_networks_of_agent",
        doc="List the networks an agent answers DHCP for: there are none.",
        answer=_empty("networks"),
    ),
)


class Unrouted:
    """Documents that list nothing."""

    def __init__(self, *, database: Database, auth: Auth) -> None:
        self._database = database
        self._auth = auth

    def register(self, app: Flask) -> None:
        """Add the documents to the application."""
        views: list[tuple[str, Callable[..., Response]]] = [
            (path, self._nothing(name)) for name in _EMPTY for path in sorted({_path(name), f"{API_ROOT}/{name}"})
        ]
        views += [
            (_DHCP_AGENTS, self.dhcp_agents),
            (_DHCP_NETWORKS, self.dhcp_networks),
        ]
        for path, view in views:
            app.add_url_rule(
                path, endpoint=f"unrouted:{path}", view_func=view, methods=_READ, provide_automatic_options=False
            )

    def _nothing(self, collection: str) -> Callable[[], Response]:
        def view() -> Response:
            admit(self._auth)
            return answer(200, {collection: []})

        return view

    def dhcp_agents(self, network_id: str) -> Response:
        """List the DHCP agents of a network: none, the switch's controller answers DHCP for every port."""
        caller = admit(self._auth)
        with self._database.read() as tx:
            networks.get(tx, caller, network_id)
        return answer(200, {"agents": []})

    def dhcp_networks(self, agent_id: str) -> Response:
        """List the networks an agent answers DHCP for on its own: none."""
        caller = admit(self._auth)
        with self._database.read() as tx:
            agents.get(tx, caller, agent_id)
        return answer(200, {"networks": []})
