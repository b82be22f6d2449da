"""Does the API answer as Neutron 29 did? Its recorded requests are replayed in order on an empty database.

``scripts/replay_samples.py`` does the same against a running Weft, and knows which differences stay and why.
"""

import json
import random
import uuid
from collections.abc import Mapping
from typing import Any
from unittest.mock import ANY

import pytest

from api.app import create_app
from api.auth import NoAuth
from controller.store.database import Database
from scripts.replay_samples import DIFFERENT, Answer, Outcome, Replay, samples

SAMPLES = samples()
BY_NAME = {sample["name"]: sample for sample in SAMPLES}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Outcome]:
    """Every sample, answered anew."""
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

    def ask(method: str, path: str, headers: Mapping[str, str], content: str | None) -> Answer:
        reply = client.open(path, method=method, data=content, headers=dict(headers))
        return Answer(
            status=reply.status_code, headers={k.lower(): v for k, v in reply.headers.items()}, content=reply.data
        )

    replay = Replay(ask)
    replay.prepare()
    found = {}
    for sample in SAMPLES:
        if sample["method"] == "POST" and sample["status"] == 201:
            (made,) = sample["answer"].values()
            beginnings[:] = [one["id"][:8] for one in (made if isinstance(made, list) else [made])]
        found[sample["name"]] = replay.run(sample)
        beginnings.clear()
    database.close()
    return found


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in DIFFERENT])
def test_neutron_s_recorded_answer_is_given(name: str, answers: Mapping[str, Outcome]) -> None:
    """Status, headers and body of the recording; a new difference needs a reason in ``DIFFERENT``."""
    assert list(answers[name].differences()) == []


def test_only_recorded_requests_are_explained() -> None:
    assert set(DIFFERENT) <= set(BY_NAME)


def test_content_length_is_neutron_s_where_the_body_is() -> None:
    """The bytes are Neutron's too: same separators, same escapes."""
    sample = BY_NAME["001-versions"]
    assert int(sample["answer_headers"]["Content-Length"]) == len(json.dumps(sample["answer"]))


def test_extensions_are_announced_in_neutron_s_words(answers: Mapping[str, Outcome]) -> None:
    outcome = answers["003-extensions"]
    ours = {extension["alias"]: extension for extension in outcome.ours.body["extensions"]}
    ours["standard-attr-tag"]["name"] = ANY  # it names what can have tags
    assert outcome.theirs["extensions"] == [ours[extension["alias"]] for extension in outcome.theirs["extensions"]]


def test_a_binding_profile_may_be_set_without_authentication(answers: Mapping[str, Outcome]) -> None:
    ours = answers["012-403-port-create-binding-profile"].ours
    assert (ours.status, ours.body["port"]["binding:profile"]) == (201, {})


def test_a_rule_inside_its_group_is_shown_as_neutron_shows_it(answers: Mapping[str, Outcome]) -> None:
    """All but ``standard_attr_id``, a row number of Neutron's database that slipped into its answers."""
    body, theirs = answers["128-list-security-groups"].ours.body, answers["128-list-security-groups"].theirs
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


def test_the_project_header_is_honoured(answers: Mapping[str, Outcome]) -> None:
    ours = answers["160-project-header"].ours
    assert (ours.status, ours.body["network"]["project_id"]) == (201, "0123456789abcdef0123456789abcdef")
