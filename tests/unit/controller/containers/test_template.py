"""Is what is wrong with a template found, all of it, and said with its place?"""

from typing import Any

import pytest

from controller.containers import template
from controller.containers.problems import TemplateError


def _problems(text: str) -> list[str]:
    with pytest.raises(TemplateError) as raised:
        template.read(text)
    return [str(problem) for problem in raised.value.problems]


def _with(resources: Any, **more: Any) -> dict[str, Any]:
    return {"weft_template": 1, "resources": resources, **more}


def _of(document: Any) -> list[str]:
    with pytest.raises(TemplateError) as raised:
        template.of_document(document)
    return [str(problem) for problem in raised.value.problems]


def test_every_problem_is_named_with_its_path_line_and_column() -> None:
    found = _problems(
        "weft_template: 1\n"
        "parameters:\n"
        "  n: {type: integer, default: many, minimum: 1}\n"
        "resources:\n"
        "  red: {type: network}\n"
        "  web:\n"
        "    type: port\n"
        "    properties:\n"
        "      network_id: ${rad}\n"
        "      name: web-${index}\n"
    )
    assert found == [
        "parameters.n.default (line 3, column 31): 'many' is no integer",
        "resources.web.properties.network_id (line 9, column 19): ${rad}: there is no resource of this name; "
        "there are: red, web",
        "resources.web.properties.name (line 10, column 13): ${index}: there is an index only where a resource has a "
        "count",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("weft_template: 2\n", "weft_template (line 1, column 16): 1 was expected"),
        ("weft_template: 1\nresources: {r: {type: router}}\n", "'router' is not one of"),
        ("weft_template: 1\nresource: {}\n", "'resource' was unexpected; there are: weft_template"),
        ("weft_template: 1\nresources: {index: {type: network}}\n", "is no name, or one that is taken"),
        ("weft_template: 1\nresources: {c: {type: container, properties: {}}}\n", "'flavor' is a required property"),
        ("a: &x 1\nb: *x\n", "template (line 1, column 4): anchors and aliases are not taken"),
        ("a: 1\na: 2\n", "a (line 2, column 1): is there twice"),
        ("a: [\n", "line 2"),
        ("- 1\n", "is not of type 'object'"),
        ("a: !!python/object 1\n", "is not taken"),
        ("", "None is not of type 'object'"),
        ("a: 1.0e999\n", "'1.0e999' with the tag"),
        ("a: " + "[" * 40 + "]" * 40, "deeper than 32 levels"),
        ("#" * 200_000, "longer than 131072 characters"),
    ],
)
def test_what_is_no_template_is_refused(text: str, said: str) -> None:
    assert said in "; ".join(_problems(text))


def test_yaml_is_read_as_version_1_2_and_json_is_yaml() -> None:
    """yaml.org, spec 1.2.2, section 10.3: neither a MAC address nor ``on`` is anything but text."""
    text = "weft_template: 1\nresources: {a: {type: port, properties: {mac_address: 10:20:30:40:50:10, name: on}}}\n"
    assert template.read(text).resources["a"].properties == {"mac_address": "10:20:30:40:50:10", "name": "on"}
    assert template.read('{"weft_template": 1, "description": "j"}').description == "j"


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"name": "${b"}, "has '${' without '}'"),
        ({"name": "${}"}, "is no expression"),
        ({"name": "${parameters.x}"}, "there is no such one among the parameters"),
        ({"name": "${endpoints.x}"}, "there is no such one among the endpoints"),
        ({"name": "${b[0]}"}, "b has no count"),
        ({"name": {"$reference": ["b"]}}, "this name is taken"),
    ],
)
def test_expressions_must_name_what_is_there(properties: dict[str, Any], said: str) -> None:
    (problem,) = _of(_with({"a": {"type": "network", "properties": properties}, "b": {"type": "network"}}))
    assert problem.startswith("resources.a.properties.name") or "$reference" in problem
    assert said in problem


def test_an_object_may_not_be_deeper_than_text() -> None:
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    assert _of(_with({"a": {"type": "network", "properties": {"name": deep}}})) == ["template: deeper than 32 levels"]


def test_a_cycle_is_found_and_told() -> None:
    resources = {
        name: {"type": "network", "properties": {"name": f"${{{other}}}"}} for name, other in ("ab", "bc", "ca", "da")
    }
    assert _of(_with(resources)) == ["resources.a: a cycle: a -> b -> c -> a"]


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"type": "string", "minimum": 1}, "is for integer and number, not for string"),
        ({"type": "integer", "minimum": 5, "maximum": 1}, "5 is more than maximum, 1: no value fits"),
        ({"type": "string", "min_length": 3, "max_length": 2}, "3 is more than max_length, 2: no value fits"),
        ({"type": "integer", "enum": [1, "a"]}, "is no integer"),
        ({"type": "string", "pattern": "("}, "is no regular expression"),
        ({"type": "string", "pattern": "(a+)+"}, "repeats a group"),
        ({"type": "string", "pattern": "a*a*a*a*a*"}, "has more than 4"),
        ({"type": "cidr", "default": "10.0.0.0"}, "is no cidr"),
        ({"type": "mac", "default": "02:00"}, "is no mac"),
        ({"type": "integer", "default": True}, "True is no integer"),
        ({"type": "string", "enum": ["a"], "default": "b"}, "is not one of 'a'"),
        ({"type": "list", "max_length": 1, "default": [1, 2]}, "is longer than 1"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(declared: dict[str, Any], said: str) -> None:
    (problem,) = _of(_with({}, parameters={"p": declared}))
    assert problem.startswith("parameters.p.")
    assert said in problem


def test_a_count_is_a_number_or_an_integer_parameter() -> None:
    group = {"type": "network", "count": "${parameters.name}"}
    assert "a count is a number" in _of(_with({"a": group}, parameters={"name": {"type": "string"}}))[0]
    assert "is neither a number nor" in _of(_with({"a": {"type": "network", "count": "many"}}))[0]
