"""Which members does a template ask for?"""

from typing import Any

import pytest

from controller.containers.expand import Expansion, Lookup, Part, expand, levels
from controller.containers.expressions import Joined, Reference, from_json, to_json
from controller.containers.problems import TemplateError
from controller.containers.template import Template, of_document


def a_template(resources: Any, **more: Any) -> Template:
    return of_document({"weft_template": 1, "resources": resources, **more})


def nobody(name: str) -> Part:
    raise KeyError(name)


def expanded(template: Template, lookup: Lookup = nobody, /, **values: Any) -> Expansion:
    return expand(template, values, {}, lookup)


NETWORKS = a_template(
    {
        "web": {
            "type": "port",
            "count": "${parameters.n}",
            "properties": {"name": "web-${index}-$${x}", "network_id": "${net[index]}"},
        },
        "net": {"type": "network", "count": "${parameters.n}"},
        "sub": {"type": "subnet", "count": 1, "properties": {"network_id": "${net[0]}", "cidr": "10.${index}.0.0/24"}},
        "rule": {"type": "security_group_rule", "properties": {"remote_ip_prefix": "${web[0].fixed_ips[0].ip}/32"}},
    },
    parameters={"n": {"type": "integer", "default": 2}},
    outputs={"ids": {"value": "${web}"}, "first": {"value": {"of": "${web[0].fixed_ips}", "n": "${parameters.n}"}}},
)


def test_groups_are_counted_out_and_references_stand_for_members() -> None:
    found = {one.path: one.properties for one in expanded(NETWORKS).members}
    assert found == {
        "net[0]": {},
        "net[1]": {},
        "sub[0]": {"network_id": Reference("net[0]"), "cidr": "10.0.0.0/24"},
        "web[0]": {"name": "web-0-${x}", "network_id": Reference("net[0]")},
        "web[1]": {"name": "web-1-${x}", "network_id": Reference("net[1]")},
        "rule": {"remote_ip_prefix": Joined((Reference("web[0]", ("fixed_ips", 0, "ip")), "/32"))},
    }
    assert [found == from_json(to_json(found))] == [True]
    outputs = expanded(NETWORKS).outputs
    assert outputs["ids"] == [Reference("web[0]"), Reference("web[1]")]
    assert outputs["first"] == {"of": Reference("web[0]", ("fixed_ips",)), "n": 2}


def test_a_port_comes_after_the_subnets_of_its_network() -> None:
    steps = [[one.path for one in step] for step in levels(expanded(NETWORKS, n=1).members)]
    assert steps == [["net[0]"], ["sub[0]"], ["web[0]"], ["rule"]]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"n": "3"}, "parameters.n: '3' is no integer"),
        ({"m": 3}, "parameters.m: there is no such parameter; there are: n"),
        ({"n": 20_000}, "resources.net.count: 20000 is no number from 0 to 10000"),
        ({"n": 0}, "resources.sub[0].properties.network_id: ${net[0]}: net has 0 members, and none has the index 0"),
        ({"n": 9_999}, "there are more than 10000 members"),
    ],
)
def test_values_that_do_not_fit_are_refused_with_their_path(values: dict[str, Any], said: str) -> None:
    with pytest.raises(TemplateError) as raised:
        expanded(NETWORKS, **values)
    assert said in str(raised.value)


def test_nested_containers_have_their_own_names_and_are_wired_by_endpoints_and_outputs() -> None:
    inner = a_template(
        {"net": {"type": "network"}, "p": {"type": "port", "properties": {"network_id": "${endpoints.uplink}"}}},
        endpoints={"uplink": {"type": "network"}},
        parameters={"name": {"type": "string"}},
        outputs={"net": {"value": "${net}"}, "both": {"value": ["${net}", "${parameters.name}"]}},
    )
    backend = {
        "type": "container",
        "count": 2,
        "properties": {"flavor": "db:1", "parameters": {"name": "n-${index}"}, "endpoints": {"uplink": "${net}"}},
    }
    outer = a_template(
        {
            "net": {"type": "network"},
            "backend": backend,
            "p": {"type": "port", "properties": {"network_id": "${backend[1].net}", "name": "${backend[1].both[1]}"}},
        },
        outputs={"nets": {"value": "${backend.net}"}, "name": {"value": "${backend[0].both[0].name}"}},
    )

    def lookup(name: str) -> Part:
        assert name == "db:1"
        return Part(inner, nobody)

    found = expanded(outer, lookup)
    assert {one.path: one.properties for one in found.members} == {
        "net": {},
        "backend[0]/net": {},
        "backend[0]/p": {"network_id": Reference("net")},
        "backend[1]/net": {},
        "backend[1]/p": {"network_id": Reference("net")},
        "p": {"network_id": Reference("backend[1]/net"), "name": "n-1"},
    }
    assert found.outputs == {
        "nets": [Reference("backend[0]/net"), Reference("backend[1]/net")],
        "name": Reference("backend[0]/net", ("name",)),
    }
    for properties, said in (
        ({"endpoints": {}}, "resources.backend[0].properties.endpoints.uplink: has to be given"),
        ({"parameters": {}}, "resources.backend[0].properties.parameters.name: has no default"),
    ):
        wrong = {**backend, "properties": {**backend["properties"], **properties}}  # type: ignore[dict-item]
        with pytest.raises(TemplateError) as raised:
            expanded(a_template({"net": {"type": "network"}, "backend": wrong}), lookup)
        assert said in str(raised.value)
