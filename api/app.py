"""What is the API made of? The application factory; every part is made here and handed to who needs it."""

import uuid
from collections.abc import Callable
from functools import partial

from flask import Flask, Response, request

from api import (
    extensions,
    faults,
    free_addresses,
    imports,
    instance_data,
    ipam_drivers,
    lookups,
    plugins,
    versions,
)
from api.application import Application
from api.auth import Auth, Gate
from api.control import Control
from api.extensions import EXTENSIONS, Extensions
from api.free_addresses import FreeAddresses
from api.imports import Imports
from api.instance_data import InstanceData
from api.ipam_drivers import IpamDrivers
from api.keystone import KeystoneAuth
from api.lookups import Lookups
from api.machinery import METHODS, Endpoint
from api.openapi import OpenApi
from api.planning import Planner
from api.plugins import Plugins
from api.resources import (
    address_groups,
    availability_zones,
    bindings,
    container_flavors,
    containers,
    network_moves,
    quotas,
    tags,
    traces,
    unrouted,
    usage,
)
from api.resources.address_conflicts import ADDRESS_CONFLICT
from api.resources.address_groups import ADDRESS_GROUP, AddressGroupEndpoint
from api.resources.address_scopes import ADDRESS_SCOPE
from api.resources.agents import AGENT
from api.resources.availability_zones import AvailabilityZones
from api.resources.bindings import Bindings
from api.resources.container_flavors import CONTAINER_FLAVOR, ContainerFlavorDocuments
from api.resources.containers import CONTAINER, ContainerDrift
from api.resources.default_security_group_rules import DEFAULT_SECURITY_GROUP_RULE
from api.resources.hosts import HOST
from api.resources.ip_availability import IP_AVAILABILITY
from api.resources.ip_reservations import IP_RESERVATION
from api.resources.network_moves import NetworkMoves
from api.resources.network_segment_ranges import NETWORK_SEGMENT_RANGE
from api.resources.networks import NETWORK
from api.resources.ports import PORT
from api.resources.quotas import Quotas
from api.resources.rbac_policies import RBAC_POLICY
from api.resources.security_group_rules import SECURITY_GROUP_RULE
from api.resources.security_groups import SECURITY_GROUP
from api.resources.segments import SEGMENT
from api.resources.subnetpools import SUBNETPOOL
from api.resources.subnets import SUBNET
from api.resources.tags import Tags
from api.resources.unrouted import Unrouted
from api.resources.usage import UsageDocuments
from api.resources.vnics import VNIC
from api.versions import Versions
from api.wire import API_ROOT, REQUEST_ID, Name, Spelling
from controller.store.database import Database

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes; a bulk request of 10,000 ports has some 2 MB."""
RESOURCES = "weft.resources"
"""The key of the declared resources among the application's extensions."""
OPERATIONS = (
    *versions.OPERATIONS,
    *extensions.OPERATIONS,
    *bindings.OPERATIONS,
    *address_groups.OPERATIONS,
    *traces.OPERATIONS,
    *instance_data.OPERATIONS,
    *usage.OPERATIONS,
    *lookups.OPERATIONS,
    *free_addresses.OPERATIONS,
    *quotas.OPERATIONS,
    *availability_zones.OPERATIONS,
    *unrouted.OPERATIONS,
    *plugins.OPERATIONS,
    *container_flavors.OPERATIONS,
    *containers.OPERATIONS,
    *network_moves.OPERATIONS,
    *ipam_drivers.OPERATIONS,
    *imports.OPERATIONS,
)
"""What the paths do that are no declared resource."""


def create_app(
    database: Database,
    *,
    auth: Auth,
    control: Control,
    is_monitoring_open: bool = True,
    new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
) -> Flask:
    """Return the WSGI application.

    Args:
        database: migrated already.
        auth: says who the callers are.
        control: reaches the controller process, for what only a switch knows.
        is_monitoring_open: whether metrics, health and the API's description are for everybody.
        new_id: makes request ids.
    """
    app = Application("weft", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters["default"] = Name
    app.wsgi_app = Spelling(app.wsgi_app, new_id)  # type: ignore[method-assign] # Flask's documented way
    app.after_request(_with_request_id)
    faults.install(app)
    if isinstance(auth, KeystoneAuth):
        app.wsgi_app = auth.around(app.wsgi_app)  # type: ignore[method-assign]
    gate = Gate(auth, is_monitoring_open=is_monitoring_open)
    app.before_request(gate.check)

    core = (
        Endpoint(NETWORK, database=database, auth=auth),
        Endpoint(SUBNET, database=database, auth=auth),
        Endpoint(SUBNETPOOL, database=database, auth=auth),
        Endpoint(PORT, database=database, auth=auth),
        Endpoint(HOST, database=database, auth=auth),
    )
    groups = AddressGroupEndpoint(ADDRESS_GROUP, database=database, auth=auth)
    groups.register_actions(app)
    extended = (
        Endpoint(SECURITY_GROUP, database=database, auth=auth),
        Endpoint(SECURITY_GROUP_RULE, database=database, auth=auth),
        Endpoint(DEFAULT_SECURITY_GROUP_RULE, database=database, auth=auth),
        groups,
        Endpoint(ADDRESS_SCOPE, database=database, auth=auth),
        Endpoint(IP_RESERVATION, database=database, auth=auth),
        Endpoint(VNIC, database=database, auth=auth),
        Endpoint(SEGMENT, database=database, auth=auth),
        Endpoint(NETWORK_SEGMENT_RANGE, database=database, auth=auth),
        Endpoint(RBAC_POLICY, database=database, auth=auth),
        Endpoint(AGENT, database=database, auth=auth),
        Endpoint(IP_AVAILABILITY, database=database, auth=auth),
        Endpoint(ADDRESS_CONFLICT, database=database, auth=auth),
        Endpoint(CONTAINER_FLAVOR, database=database, auth=auth),
        Endpoint(CONTAINER, database=database, auth=auth),
    )
    for endpoint in (*core, *extended):
        # Clients spell some collections with hyphens and some with underscores (network_segment_ranges).
        names = sorted({endpoint.resource.path, endpoint.resource.collection})
        for name in names:
            root = f"{API_ROOT}/{name}"
            for path, view in ((root, endpoint.collection), (f"{root}/<object_id>", endpoint.item)):
                app.add_url_rule(path, endpoint=path, view_func=view, methods=METHODS, provide_automatic_options=False)
            for action in endpoint.resource.actions:
                path = f"{root}/<object_id>/{action.name}"
                act = partial(endpoint.act, action)
                app.add_url_rule(path, endpoint=path, view_func=act, methods=("PUT",), provide_automatic_options=False)
        if endpoint.resource.tagged is not None:
            Tags(endpoint.resource.tagged, names=names, database=database, auth=auth).register(app)
    Versions([(endpoint.resource.member, endpoint.resource.collection) for endpoint in core]).register(app)
    Extensions(EXTENSIONS, features=database.faces.features, auth=auth).register(app)
    Bindings(database=database, auth=auth).register(app)
    Quotas(database=database, auth=auth).register(app)
    AvailabilityZones(database=database, auth=auth).register(app)
    Unrouted(database=database, auth=auth).register(app)
    UsageDocuments(database=database, auth=auth).register(app)
    InstanceData(database=database, auth=auth).register(app)
    Lookups(database=database, auth=auth, control=control).register(app)
    FreeAddresses(database=database, auth=auth).register(app)
    Plugins(database=database, auth=auth).register(app)
    ContainerFlavorDocuments(database=database, auth=auth).register(app)
    ContainerDrift(database=database, auth=auth).register(app)
    NetworkMoves(database=database, auth=auth).register(app)
    IpamDrivers(database=database, auth=auth).register(app)
    Imports(database=database, auth=auth).register(app)
    app.extensions[RESOURCES] = tuple(endpoint.resource for endpoint in (*core, *extended))
    Planner(endpoints=(*core, *extended), database=database, auth=auth).register(app)
    described = (*OPERATIONS, *(one for resource in app.extensions[RESOURCES] for one in tags.operations(resource)))
    OpenApi(
        app.url_map,
        resources=app.extensions[RESOURCES],
        operations=described,
        auth=auth,
        open_paths=gate.open_paths,
    ).register(app)
    return app


def _with_request_id(response: Response) -> Response:
    if faults.is_api(request.path):
        response.headers["x-openstack-request-id"] = request.environ[REQUEST_ID]
    return response
