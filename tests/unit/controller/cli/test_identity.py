"""Do ``weft user`` and ``weft token`` say who may use the API, without showing a secret twice?"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.cli import main
from controller.cli.credentials import credentials
from controller.services import identities
from controller.store.database import Database


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("WEFT_NEW_PASSWORD", "correct horse")
    return f"sqlite:///{tmp_path}/weft.db"


def run(url: str, *words: str) -> int:
    return main([*words, "--database", url])


def shown(capsys: pytest.CaptureFixture[str], url: str, *words: str) -> object:
    capsys.readouterr()
    assert run(url, *words, "--format", "json") == 0
    return json.loads(capsys.readouterr().out)


def test_a_user_is_made_changed_listed_and_removed(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(url, "user", "add", "ann", "--project", "blue", "--role", "member") == 0
    assert run(url, "user", "set", "ann", "--role", "admin", "--role", "service") == 0
    assert shown(capsys, url, "user", "list") == [{"name": "ann", "project": "blue", "roles": ["admin", "service"]}]
    assert run(url, "user", "remove", "ann") == 0
    assert shown(capsys, url, "user", "list") == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("user", "add", "ann", "--project", "blue", "--role", "boss"), "roles are admin"),
        (("user", "add", "a:b", "--project", "blue", "--role", "member"), "colon"),
        (("user", "add", "ann", "--project", "", "--role", "member"), "project"),
        (("user", "remove", "ann"), "there is no user ann"),
        (("user", "set", "ann", "--role", "member"), "there is no user ann"),
        (("token", "revoke", "x"), "there is no token x"),
        (("token", "create", "--project", "p", "--role", "member", "--expires", "soon"), "--expires"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    url: str, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str
) -> None:
    assert run(url, *words) == 1
    error = capsys.readouterr().err
    assert why in error
    assert error.count("\n") == 1


def test_a_name_is_given_once(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    add = ("user", "add", "ann", "--project", "blue", "--role", "member")
    assert run(url, *add) == 0
    assert run(url, *add) == 1
    assert "weft user set ann" in capsys.readouterr().err


def test_a_short_password_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_NEW_PASSWORD", "short")
    assert run(url, "user", "add", "ann", "--project", "blue", "--role", "member") == 1


def test_a_tokens_secret_is_shown_once(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = shown(capsys, url, "token", "create", "--project", "blue", "--role", "member", "--expires", "12h")
    assert isinstance(made, dict)
    lifetime = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=11, minutes=59) < lifetime <= timedelta(hours=12)
    database = Database(url)
    with database.read() as tx:
        found = identities.token_of(tx, made["token"])
    database.close()
    assert found is not None
    assert found.id == made["id"]
    assert made["token"] not in json.dumps(shown(capsys, url, "token", "list"))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {}),
        ({"WEFT_TOKEN": "t", "WEFT_USER": "u", "WEFT_PASSWORD": "p"}, {"X-Auth-Token": "t"}),
        ({"OS_TOKEN": "t"}, {"X-Auth-Token": "t"}),
        ({"WEFT_USER": "u", "WEFT_PASSWORD": "p"}, {"Authorization": "Basic dTpw"}),
        ({"OS_USERNAME": "u", "OS_PASSWORD": "p"}, {"Authorization": "Basic dTpw"}),
        ({"WEFT_USER": "u"}, {}),
    ],
)
def test_a_command_says_who_runs_it_from_the_environment(environment: dict[str, str], expected: dict[str, str]) -> None:
    assert credentials(environment) == expected
