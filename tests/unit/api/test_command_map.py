"""Is what the command line knows made of the attribute map by rules that fit new resources too?"""

import doctest
import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import controller.cli.everyday
from api import command_map
from api.app import OPERATIONS, RESOURCES
from api.attributes import Action, Argument, Attribute, Default, Resource, by, itself
from api.command_map import describe
from api.operations import Operation
from api.resources.networks import NETWORK
from api.schema import TEXT, array, record
from api.validators import boolean, list_of, text, uuid


@pytest.fixture
def described(client: FlaskClient) -> dict[str, Any]:
    resources = client.application.extensions[RESOURCES]
    found: Any = describe(resources, OPERATIONS)
    return {one["noun"]: one for one in found["resources"]}


def attribute(noun: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (one for one in noun["attributes"] if one["name"] == name)
    return dict(found)


def test_the_examples_hold() -> None:
    assert doctest.testmod(command_map).failed == 0


def test_the_file_the_commands_read_is_what_the_api_says(client: FlaskClient) -> None:
    """``scripts/docs`` writes it, and checks it too."""
    written = Path(controller.cli.everyday.__file__).with_name("resources.json").read_text()
    assert json.loads(written) == describe(client.application.extensions[RESOURCES], OPERATIONS)


def test_names_are_options_as_people_say_them(described: dict[str, Any]) -> None:
    port = described["port"]
    assert attribute(port, "network_id")["option"] == "network"
    assert attribute(port, "network_id")["refers"] == "networks"
    assert attribute(port, "security_groups")["option"] == "security-group"
    assert attribute(port, "binding:host_id")["option"] == "host"
    assert "refers" not in attribute(port, "binding:host_id")
    assert [key["option"] for key in attribute(port, "fixed_ips")["keys"]] == ["subnet", "ip-address"]
    rule = described["security-group-rule"]
    assert attribute(rule, "remote_group_id")["refers"] == "security_groups"
    assert attribute(rule, "remote_address_group_id")["refers"] == "address_groups"
    assert "tenant_id" not in {one["name"] for one in port["attributes"]}


def test_what_must_be_given_is_required_unless_something_else_says_it(described: dict[str, Any]) -> None:
    assert attribute(described["subnet"], "network_id")["required"]
    assert attribute(described["subnet"], "ip_version")["derived_from"] == "cidr"
    assert "required" not in attribute(described["subnet"], "ip_version")


def test_what_one_object_can_be_told_is_a_verb(described: dict[str, Any]) -> None:
    verbs = [action["verb"] for action in described["address-group"]["actions"]]
    assert verbs == ["add-addresses", "remove-addresses"]
    (given,) = described["address-group"]["actions"][0]["attributes"]
    assert (given["option"], given["kind"], given["required"]) == ("address", "list", True)


def test_a_new_resource_needs_no_word_of_its_own() -> None:
    def show(view: object) -> object:
        return view

    pool: Resource[Any, Any] = Resource(
        collection="subnet_pools",
        member="subnet_pool",
        doc="Prefixes.",
        service=NETWORK.service,
        look=itself,
        identify=str,
        delete_options=("force",),
        actions=(
            Action(
                name="onboard",
                doc="Take in a network's subnets.",
                arguments=(Argument(name="network_id", doc="The network.", parse=uuid),),
                perform=lambda _tx, _caller, _object_id, _values: None,
            ),
        ),
        attributes=(
            Attribute(name="id", doc="", show=show, shows=TEXT),
            Attribute(name="name", doc="", show=show, parse=text(), post=True, put=True, default=Default.REQUIRED),
            Attribute(name="network_id", doc="", show=show, parse=uuid, post=True, filter=by("network_id")),
            Attribute(name="prefixes", doc="", show=show, parse=list_of(text(), what="prefix"), post=True, put=True),
            Attribute(name="limit", doc="", show=show, parse=boolean, post=True),
        ),
    )
    action = Operation(
        method="PUT",
        path="/v2.0/subnet-pools/<subnet_pool_id>/add_prefixes",
        name="add_prefixes",
        doc="Add prefixes.",
        body=record({"prefixes": array(TEXT)}, required=("prefixes",)),
    )
    found: Any = describe((NETWORK, pool), (action,))
    noun = found["resources"][1]
    said = noun["noun"], noun["columns"], noun["delete_options"]
    assert said == (
        "subnet-pool",
        ["id", "name", "network_id", "limit"],
        ["force"],
    )
    assert [one["option"] for one in noun["attributes"]] == ["id", "name", "network", "prefix", "limit-value"]
    assert [one["verb"] for one in noun["actions"]] == ["add-prefixes", "onboard"]
    (given,) = noun["actions"][1]["attributes"]
    assert (given["option"], given["refers"], given["doc"]) == ("network", "networks", "The network.")
