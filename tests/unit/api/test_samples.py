"""Does the API answer as Neutron 29 did? Its recorded requests are replayed in order on an empty database.

``samples/neutron29.json`` holds facts: request, status, headers and body of each answer. Ids and addresses that Neutron
chose are mapped to those Weft chose, by laying the answers to the create requests side by side.
"""

import json
import random
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.auth import NoAuth
from controller.store.database import Database

SAMPLES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "samples" / "neutron29.json").read_text())
BY_NAME = {sample["name"]: sample for sample in SAMPLES}

TOKEN = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # an id
    r"|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}"  # a MAC address
    r"|2001:db8::[0-9a-f:]*"
    r"|\d{1,3}(?:\.\d{1,3}){3}"
)

DIFFERENT: Mapping[str, str] = {
    "002-root": "no subnet pools yet; hosts are there, and `version` for endpoints that end in /v2.0",
    "003-extensions": "the list is what Weft has",
    "012-403-port-create-binding-profile": "without authentication every caller may set what Nova sets",
    "160-project-header": "X-Project-Id is honoured instead of refused",
}
"""Samples answered otherwise on purpose, and why."""

WHOLE_DATABASE = (
    "019-network-list",
    "020-subnet-list",
    "021-port-list",
    "128-list-security-groups",
    "129-list-security-group-rules",
    "154-options",
    "158-trailing-json",
    "159-trailing-slash",
)
"""Lists of everything, with what was there before the recording: their attributes are compared, not their objects."""

NEWER = frozenset(
    {
        "attachment",
        "pvlan",
        "pvlan_type",
        "pvlan_community",
        "dns_domain",
        "dns_name",
        "dns_assignment",
        "segment_id",
        "ip_allocation",
    }
)
"""Attributes of extensions, some of them Weft's own, that the recorded Neutron did not have."""

BEFORE = (
    # What was in Neutron's database already when the recording began.
    ("networks", {"network": {"provider:network_type": "vxlan", "provider:segmentation_id": 99999}}),
)


class Replay:
    """One run through the samples."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self._ours: dict[str, str] = {}

    def ask(self, sample: Mapping[str, Any]) -> Any:
        """Send a recorded request, with our ids in it."""
        body = sample["request"]
        content = None if body is None else body if isinstance(body, str) else json.dumps(body)
        headers = {"Host": "127.0.0.1:31696", **sample["headers"]}
        if content is not None:
            headers.setdefault("Content-Type", "application/json")
            content = self.ours(content)
        return self._client.open(self.ours(sample["path"]), method=sample["method"], data=content, headers=headers)

    def ours(self, text: str) -> str:
        """Return text with Neutron's choices replaced by Weft's."""
        return TOKEN.sub(lambda found: self._ours.get(found[0], found[0]), text)

    def learn(self, theirs: object, ours: object) -> None:
        """Lay two answers side by side and note which of their values is which of ours."""
        if isinstance(theirs, dict) and isinstance(ours, dict):
            for key in theirs.keys() & ours.keys():
                self.learn(theirs[key], ours[key])
        elif isinstance(theirs, list) and isinstance(ours, list):
            for left, right in zip(theirs, ours, strict=False):
                self.learn(left, right)
        elif isinstance(theirs, str) and isinstance(ours, str) and TOKEN.fullmatch(theirs):
            self._ours.setdefault(theirs, ours)


def comparable(body: object) -> object:
    """Return a body without what may differ: values Neutron chose, times, revisions, the order of ids."""
    text = json.dumps(body, sort_keys=True)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    text = re.sub(r'"revision_number": \d+', '"revision_number": 0', text)
    text = re.sub(r"current revision is \d+", "current revision is N", text)
    text = re.sub(r'"provider:segmentation_id": \d+', '"provider:segmentation_id": 0', text)
    text = re.sub(r'"tags": \[[^\]]*\]', '"tags": []', text)  # the recording set tags in between
    text = re.sub(r"these ports is: ([^.]*)\.", lambda found: ",".join(sorted(found[1].split(","))), text)
    return _without_newer(json.loads(text))


def _without_newer(body: object) -> object:
    if isinstance(body, dict):
        return {name: _without_newer(value) for name, value in body.items() if name not in NEWER}
    return [_without_newer(one) for one in body] if isinstance(body, list) else body


def by_id(body: object) -> object:
    """Return a list answer with its objects as a set: they have no order without a sort key."""
    if isinstance(body, dict):
        return {key: sorted(value, key=json.dumps) if isinstance(value, list) else value for key, value in body.items()}
    return body


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[Any, Any, Replay]]:
    """Every sample's answer, and Neutron's with our ids in it."""
    beginnings: list[str] = []

    def new_id() -> str:
        """Return an id that sorts as the recorded one does: lists and pages are in the order of ids."""
        made = str(uuid.uuid4())
        return beginnings.pop(0) + made[8:] if beginnings else made

    path = tmp_path_factory.mktemp("replay") / "weft.db"
    database = Database(f"sqlite:///{path}", rng=random.Random(7), new_id=new_id)
    database.migrate()

    class Nobody:
        def call(self, op: str, args: Mapping[str, object]) -> object:
            raise AssertionError(op, args)

    client = create_app(database, auth=NoAuth(), control=Nobody()).test_client()
    for collection, body in BEFORE:
        assert client.post(f"/v2.0/{collection}", json=body).status_code == 201
    assert client.get("/v2.0/security-groups").status_code == 200  # the project had its default group
    replay = Replay(client)
    found = {}
    for sample in SAMPLES:
        if sample["method"] == "POST" and sample["status"] == 201:
            (made,) = sample["answer"].values()
            beginnings[:] = [one["id"][:8] for one in (made if isinstance(made, list) else [made])]
        answer = replay.ask(sample)
        beginnings.clear()
        body = json.loads(answer.data) if answer.data else None
        if sample["method"] == "POST":
            replay.learn(sample["answer"], body)
        if sample["name"] in DIFFERENT and answer.status_code == 201:
            (made,) = body.values()  # Neutron did not make it, and the samples that follow do not know it
            assert client.delete(f"{sample['path']}/{made['id']}").status_code == 204
        theirs = json.loads(replay.ours(json.dumps(sample["answer"])))
        found[sample["name"]] = (answer, body, theirs)
    database.close()
    return found


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in DIFFERENT])
def test_neutron_s_recorded_answer_is_given(name: str, answers: Mapping[str, tuple[Any, Any, Any]]) -> None:
    """Status, headers and body of the recording."""
    sample = BY_NAME[name]
    answer, body, theirs = answers[name]
    assert sample["status"] == answer.status_code, body
    assert sample["answer_headers"].get("Content-Type") == answer.headers.get("Content-Type")
    assert sample["answer_headers"]["request-id"] == ("x-openstack-request-id" in answer.headers)
    assert "Content-Length" in answer.headers
    if name in WHOLE_DATABASE:
        (many,) = theirs
        assert set(theirs[many][0]) == set(body[many][0]) - NEWER
    elif "sort" not in name:
        assert by_id(comparable(theirs)) == by_id(comparable(body))
    else:
        assert comparable(theirs) == comparable(body)


def test_content_length_is_neutron_s_where_the_body_is() -> None:
    """The bytes are Neutron's too: same separators, same escapes."""
    sample = BY_NAME["001-versions"]
    assert int(sample["answer_headers"]["Content-Length"]) == len(json.dumps(sample["answer"]))


def test_extensions_are_announced_in_neutron_s_words(answers: Mapping[str, tuple[Any, Any, Any]]) -> None:
    _answer, body, theirs = answers["003-extensions"]
    ours = {extension["alias"]: extension for extension in body["extensions"]}
    assert theirs["extensions"] == [ours[extension["alias"]] for extension in theirs["extensions"]]


def test_a_binding_profile_may_be_set_without_authentication(answers: Mapping[str, tuple[Any, Any, Any]]) -> None:
    answer, body, _theirs = answers["012-403-port-create-binding-profile"]
    assert (answer.status_code, body["port"]["binding:profile"]) == (201, {})


def test_a_rule_inside_its_group_is_shown_as_neutron_shows_it(answers: Mapping[str, tuple[Any, Any, Any]]) -> None:
    """All but ``standard_attr_id``, a row number of Neutron's database that slipped into its answers."""
    _answer, body, theirs = answers["128-list-security-groups"]
    (our_group,) = body["security_groups"]
    their_group = next(one for one in theirs["security_groups"] if one["project_id"] == "fake_project_id")
    told_apart = ("id", "security_group_id", "remote_group_id", "standard_attr_id", "created_at", "updated_at")

    def rules(group: Mapping[str, Any]) -> list[dict[str, Any]]:
        shown = [{key: rule[key] for key in rule if key not in told_apart} for rule in group["security_group_rules"]]
        return sorted(shown, key=json.dumps)

    assert rules(their_group) == [rule | {"revision_number": 0} for rule in rules(our_group)]
    assert set(their_group["security_group_rules"][0]) - {"standard_attr_id"} == set(
        our_group["security_group_rules"][0]
    )
    members = [rule["remote_group_id"] for rule in our_group["security_group_rules"] if rule["direction"] == "ingress"]
    assert members == [our_group["id"]] * 2


def test_the_project_header_is_honoured(answers: Mapping[str, tuple[Any, Any, Any]]) -> None:
    answer, body, _theirs = answers["160-project-header"]
    assert (answer.status_code, body["network"]["project_id"]) == (201, "0123456789abcdef0123456789abcdef")
