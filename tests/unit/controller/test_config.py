"""Flags and files become one configuration, or an error that names the setting."""

from pathlib import Path

import pytest

from controller.app import advertiser
from controller.config import Address, Config, load
from controller.errors import ConfigurationError
from controller.southbound.ovsdb.model import HostView


def test_nothing_said_means_the_documented_defaults() -> None:
    config = load(None, {})
    assert (str(config.api), str(config.openflow)) == ("127.0.0.1:9696", "127.0.0.1:6653")
    assert config.database == "sqlite:///var/weft.db"
    assert config.advertise is None


@pytest.mark.parametrize("text", ["9696", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "weft.example:1", ""])
def test_what_is_no_address_is_refused_with_the_setting_s_name(text: str) -> None:
    with pytest.raises(ConfigurationError, match="openflow-listen"):
        load(None, {"openflow_listen": text})


def test_ipv6_addresses_are_read_and_written_in_brackets() -> None:
    address = Address.parse("api-listen", "[::1]:9696")
    assert (address.host, address.is_loopback, str(address)) == ("::1", True, "[::1]:9696")


def test_a_file_may_use_dashes_or_underscores_and_flags_win(tmp_path: Path) -> None:
    file = tmp_path / "weft.toml"
    file.write_text('api-listen = "127.0.0.1:1"\nlog_level = "debug"\n')
    assert load(file, {"api_listen": "127.0.0.1:2"}) == Config(api_listen="127.0.0.1:2", log_level="debug")


@pytest.mark.parametrize("content", ["nonsense = 1", "api-listen = 9696", "api-listen ="])
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    file = tmp_path / "weft.toml"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"weft\.toml"):
        load(file, {})


@pytest.mark.parametrize(
    ("listening", "advertise", "local", "target"),
    [
        ("192.0.2.1:6653", None, "198.51.100.1", "tcp:192.0.2.1:6653"),
        ("0.0.0.0:6653", None, "198.51.100.1", "tcp:198.51.100.1:6653"),
        ("0.0.0.0:6653", None, None, None),
        ("0.0.0.0:6653", "203.0.113.1:7000", "198.51.100.1", "tcp:203.0.113.1:7000"),
        ("0.0.0.0:6653", "203.0.113.1:0", None, "tcp:203.0.113.1:6653"),
    ],
)
def test_hosts_are_told_where_to_connect(
    listening: str, advertise: str | None, local: str | None, target: str | None
) -> None:
    """Behind a wildcard it is the local address of that host's own OVSDB connection."""
    tell = advertiser(
        Address.parse("openflow-listen", listening),
        None if advertise is None else Address.parse("openflow-advertise", advertise),
    )
    assert tell(HostView(local_address=local)) == target


@pytest.mark.parametrize("mode", ["basic", "token"])
def test_callers_who_prove_who_they_are_may_come_from_elsewhere(mode: str) -> None:
    config = load(None, {"auth": mode, "api_listen": "0.0.0.0:9696"})
    assert config.access_flags == ["--auth", mode]
    assert "--open-monitoring" in load(None, {"auth": mode}).access_flags
    assert "--open-monitoring" in load(None, {"auth": mode, "open_monitoring": "true"}).access_flags


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"auth": "none", "api_listen": "0.0.0.0:9696"}, "api-listen"),
        ({"auth": "magic"}, "auth: 'magic'"),
        ({"auth": "keystone"}, "keystone-config"),
        ({"auth": "basic", "keystone_config": "x"}, "keystone-config"),
        ({"auth": "basic", "open_monitoring": "maybe"}, "open-monitoring"),
        ({"policy_file": "/no/such/file"}, "policy-file /no/such/file"),
    ],
)
def test_a_wrong_setting_about_who_may_is_named(flags: dict[str, str | None], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        load(None, flags)
