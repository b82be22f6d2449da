"""Does the face of the plug-in keep the contract, and say what is wrong with what an operator or a user writes?"""

from dataclasses import replace

import pytest

from controller.errors import ConfigurationError
from controller.plugins.contract import Feature
from controller.plugins.ovn.plugin import OvnPlugin
from controller.plugins.ovn.settings import settings_of
from controller.plugins.registry import load
from tests.unit.controller.reconcile.builders import a_network, a_port

TOLD = {"northbound": "tcp:192.0.2.1:6641,tcp:192.0.2.2:6641", "southbound": "unix:/run/ovn/sb.sock"}


def test_it_is_loaded_by_its_name_with_its_settings() -> None:
    registry = load(["ovn"], {"ovn": TOLD})
    assert registry.loaded["ovn"].advertisement.network_types == ("geneve", "vlan", "flat")


def test_without_settings_it_is_left_out_and_says_what_is_missing() -> None:
    registry = load(["ovn"], {})
    assert not registry.loaded
    assert "northbound is missing" in registry.broken[0].reason


def test_every_feature_is_there_or_has_a_reason() -> None:
    advertised = OvnPlugin(TOLD).advertise()
    assert {f for f in Feature if not advertised.has(f)} == set(advertised.missing)
    assert all(advertised.missing.values())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"northbound": "192.0.2.1"}, "'192.0.2.1' is not tcp:HOST:PORT"),
        ({"southbound": ""}, "southbound is missing"),
        ({"northbond": "x"}, "no setting northbond"),
        ({"southbound": "ssl:192.0.2.1:6642"}, "private_key is missing"),
        ({"heartbeat": "often"}, "heartbeat: 'often' is no number of seconds"),
        ({"heartbeat": "-1"}, "heartbeat"),
    ],
)
def test_a_wrong_setting_is_named(changed: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        settings_of({**TOLD, **changed})


def test_remotes_may_be_ipv6_and_have_spaces_between() -> None:
    assert settings_of({**TOLD, "northbound": "tcp:[2001:db8::1]:6641, tcp:db.example:6641"}).northbound == (
        "tcp:[2001:db8::1]:6641,tcp:db.example:6641"
    )


def test_a_dhcp_option_that_ovn_has_no_name_for_is_refused_by_name() -> None:
    port = a_port(1, extra_dhcp_opts=(("mtu", "1400", 4), ("nis-domain", "x", 4)))
    [objection] = OvnPlugin(TOLD).verify_port(a_network(), port)
    assert objection.attribute == "extra_dhcp_opts"
    assert "nis-domain" in objection.reason
    assert not OvnPlugin(TOLD).verify_port(a_network(), replace(port, extra_dhcp_opts=()))


def test_a_dhcpv6_option_that_ovn_sends_in_a_form_nobody_reads_is_refused() -> None:
    port = a_port(1, extra_dhcp_opts=(("domain-search", "weft.example", 6), ("option6:dns-server", "2001:db8::53", 6)))
    [objection] = OvnPlugin(TOLD).verify_port(a_network(), port)
    assert "plain text" in objection.reason


@pytest.mark.parametrize(
    ("name", "value", "version"),
    [
        ("ntp-server", "time.example", 4),
        ("mtu", "large", 4),
        ("mtu", "99999", 4),
        ("classless-static-route", "10.0.0.0/8", 4),
        ("249", "10.0.0.0/8", 4),
        ("dns-server", "192.0.2.1", 6),
    ],
)
def test_a_value_that_is_none_of_its_option_is_refused(name: str, value: str, version: int) -> None:
    """ovn-controller cannot parse the flow then, and the guest gets no answer at all."""
    [objection] = OvnPlugin(TOLD).verify_port(a_network(), a_port(1, extra_dhcp_opts=((name, value, version),)))
    assert f"{value!r} is no value of option {name}" in objection.reason


def test_ports_are_plugged_into_the_integration_bridge() -> None:
    vif = OvnPlugin(TOLD).vif("netdev")
    assert (vif.vif_type, vif.details["bridge_name"], vif.details["datapath_type"]) == ("ovs", "br-int", "netdev")
    assert vif.details["bound_drivers"] == {"0": "ovn"}
