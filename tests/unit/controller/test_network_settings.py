"""What the operator says about networks becomes settings, or an error that names the setting."""

import argparse

import pytest

from controller.config import load
from controller.errors import ConfigurationError
from controller.network_settings import NAMES, add_arguments, flags, parse
from controller.store.transaction import DefaultRange, Settings

WRITTEN = {
    "default_network_type": "vlan",
    "vxlan_ranges": "1:10,20:30",
    "geneve_ranges": "",
    "vlan_ranges": "physnet1:100:199,physnet2",
    "flat_networks": "physnet3",
    "underlay_mtu": "9000",
    "physnet_mtus": "physnet1:8000",
    "overlay_ip_version": "6",
    "quotas": "port=500, network=-1",
    "ipam_quarantine": "60",
}
MEANT = Settings(
    default_network_type="vlan",
    segment_ranges=(
        DefaultRange(network_type="vxlan", minimum=1, maximum=10),
        DefaultRange(network_type="vxlan", minimum=20, maximum=30),
        DefaultRange(network_type="vlan", physical_network="physnet1", minimum=100, maximum=199),
    ),
    physical_networks=("physnet2", "physnet3"),
    underlay_mtu=9000,
    physnet_mtus=(("physnet1", 8000),),
    overlay_ip_version=6,
    quotas=(("rbac_policy", 10), ("port", 500), ("network", -1)),
    ipam_quarantine_s=60,
)


def test_nothing_said_means_the_usual() -> None:
    assert parse({}) == Settings() == load(None, {}).settings


def test_everything_said_is_understood() -> None:
    assert parse(WRITTEN) == MEANT


def test_another_process_is_told_the_same() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args(flags(WRITTEN))
    assert parse({name: getattr(args, name) for name in NAMES}) == MEANT
    assert load(None, WRITTEN).network_flags == flags(WRITTEN)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("default_network_type", "flat"),
        ("vxlan_ranges", "1"),
        ("vxlan_ranges", "0:5"),
        ("geneve_ranges", "1:16777216"),
        ("vlan_ranges", "physnet1:1:4095"),
        ("vlan_ranges", "physnet1:20:10"),
        ("vlan_ranges", ":1:2"),
        ("underlay_mtu", "500"),
        ("underlay_mtu", "x"),
        ("physnet_mtus", "9000"),
        ("overlay_ip_version", "5"),
        ("quotas", "router=1"),
        ("quotas", "port"),
        ("quotas", "port=-2"),
        ("quotas", "port=2147483648"),
    ],
)
def test_a_wrong_value_is_refused_with_the_setting_s_name(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name.replace("_", "-")):
        load(None, {name: value})
