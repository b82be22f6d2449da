"""Does what an operator says of plug-ins arrive, from file and command line, in this process and the next?"""

import argparse
from pathlib import Path

import pytest

from controller.config import load
from controller.errors import ConfigurationError
from controller.plugins import settings

FILE = """
enabled-plugins = "ovn, openflow"
[plugins.ovn]
northbound = "tcp:192.0.2.1:6641"
ca-cert = "/etc/ca.pem"
"""


def test_the_file_enables_plugins_and_tells_them_things_and_flags_win(tmp_path: Path) -> None:
    file = tmp_path / "weft.toml"
    file.write_text(FILE)
    told = settings.told_on_command_line(["ovn.northbound=tcp:192.0.2.2:6641", "mine.colour=red"])
    config = load(file, {}, told)
    assert settings.names_of(config.enabled_plugins) == ("ovn", "openflow")
    assert config.plugins == {
        "ovn": {"northbound": "tcp:192.0.2.2:6641", "ca_cert": "/etc/ca.pem"},
        "mine": {"colour": "red"},
    }


def test_the_flags_for_another_process_say_the_same() -> None:
    told = {"ovn": {"northbound": "ssl:[2001:db8::1]:6641", "key": "a=b.c"}}
    parser = argparse.ArgumentParser()
    settings.add_arguments(parser)
    again = parser.parse_args(settings.flags(("ovn", "openflow"), told))
    assert settings.names_of(again.enabled_plugins) == ("ovn", "openflow")
    assert settings.told_on_command_line(again.plugin_setting) == told


def test_the_default_is_wefts_own_engine() -> None:
    assert settings.names_of(load(None, {}).enabled_plugins) == ("openflow",)


@pytest.mark.parametrize("setting", ["northbound=x", "ovn.=x", ".a=x", "ovn.northbound"])
def test_a_flag_that_is_not_understood_is_refused_with_the_form_it_should_have(setting: str) -> None:
    with pytest.raises(ConfigurationError, match=r"NAME\.KEY=VALUE"):
        settings.told_on_command_line([setting])


@pytest.mark.parametrize("content", ['plugins = "ovn"', "plugins.ovn = 1", "[plugins.ovn]\nport = 6641"])
def test_a_table_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "weft.toml"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"\[plugins\."):
        load(file, {})


def test_no_plugin_at_all_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="enabled-plugins"):
        load(None, {"enabled_plugins": " , "})
