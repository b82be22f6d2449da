"""Does an operator's file change the policy, and is a wrong one refused by name?"""

from pathlib import Path

import pytest

from controller.errors import ConfigurationError
from controller.policy.override import load

ADMIN, MEMBER = frozenset({"admin"}), frozenset({"member"})


def test_a_rule_of_the_file_replaces_the_tables(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('create_network = "admin"\n"create_port:mac_address" = "any"\n')
    policy = load(file)
    assert policy.rights(MEMBER).rule("create_network") is False
    assert policy.rights(MEMBER).rule("create_port:mac_address") is True
    assert policy.rights(ADMIN).rule("create_network") is True


def test_without_a_file_the_table_holds() -> None:
    assert load(None).rights(MEMBER).rule("create_host") is False


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('create_castle = "admin"', "create_castle"),
        ('create_network = "admin or boss"', "boss"),
        ('create_network = "admin or boss"', "create_network"),
        ('create_network = ""', "create_network"),
        ("create_network = true", "create_network"),
        ("create_network = ", "policy.toml"),
    ],
)
def test_a_wrong_file_is_a_configuration_error_that_names_what_is_wrong(
    tmp_path: Path, content: str, named: str
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=named):
        load(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml")
