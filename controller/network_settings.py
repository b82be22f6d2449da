"""What may the operator say about kinds of networks, quotas and addresses, and which values does that make?

The words are Neutron's (ml2_conf.ini): ``1:1000,2000:2999`` for VNIs, ``physnet1:100:199,physnet2`` for VLANs, where a
physical network without numbers is known but gives out none by itself.
"""

import argparse
from collections.abc import Iterator, Mapping

from controller.errors import ConfigurationError
from controller.ipam_records import LONGEST_QUARANTINE_S
from controller.store.quotas import HIGHEST_LIMIT, NO_LIMIT, QUOTA_RESOURCES
from controller.store.transaction import DefaultRange, Settings

_LAST_VNI = 16_777_215
_LAST_VLAN = 4094
_LEAST_UNDERLAY_MTU = 1280 + 20 + 30
"""IPv6 asks 1280 of every link (RFC 8200 section 5), and a VXLAN tunnel over IPv4 takes 50."""
_LARGEST_MTU = 65_535
_HELP: Mapping[str, tuple[str, str]] = {
    "default_network_type": ("TYPE", "of networks that name none: vxlan, geneve or vlan (default vxlan)"),
    "vxlan_ranges": ("RANGES", "VNIs given out, for example 1:1000,2000:2999 (default all)"),
    "geneve_ranges": ("RANGES", "VNIs given out (default all)"),
    "vlan_ranges": ("RANGES", "VLANs given out, for example physnet1:100:199,physnet2 (default none)"),
    "flat_networks": ("NAMES", "further physical networks no host has yet, for example physnet3,physnet4"),
    "underlay_mtu": ("BYTES", "largest IP packet between hosts (default 1500)"),
    "physnet_mtus": ("LIST", "MTUs of physical networks that differ, for example physnet1:9000"),
    "overlay_ip_version": ("VERSION", "of tunnel endpoints, 4 or 6 (default 4)"),
    "ipam_quarantine": ("SECONDS", "for which a released address is given to nobody, where its subnet does not say"),
    "quotas": ("LIST", "limits of each project that has none of its own, for example network=100,port=500 (-1: none)"),
}
NAMES = tuple(_HELP)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each setting."""
    for name, (metavar, text) in _HELP.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=text)


def flags(settings: Mapping[str, str]) -> list[str]:
    """Return the flags that say the same on another command line."""
    return [f"--{name.replace('_', '-')}={settings[name]}" for name in NAMES]


def parse(given: Mapping[str, str | None]) -> Settings:
    """Return the settings; what is not given is as usual.

    Raises:
        ConfigurationError: a value is wrong; it names the setting.
    """
    usual = Settings()
    network_type = given.get("default_network_type") or usual.default_network_type
    if network_type not in {"vxlan", "geneve", "vlan"}:
        raise ConfigurationError(f"default-network-type: {network_type!r} is not one of vxlan, geneve, vlan")
    ranges: list[DefaultRange] = []
    for overlay in ("vxlan", "geneve"):
        written = given.get(f"{overlay}_ranges")
        ranges += _vnis(overlay, f"1:{_LAST_VNI}" if written is None else written)
    vlan_ranges = _items(given.get("vlan_ranges"))
    vlans = [_vlans(item) for item in vlan_ranges if ":" in item]
    named = [item for item in vlan_ranges if ":" not in item]
    version = given.get("overlay_ip_version") or "4"
    if version not in {"4", "6"}:
        raise ConfigurationError(f"overlay-ip-version: {version!r} is neither 4 nor 6")
    return Settings(
        default_network_type=network_type,
        segment_ranges=(*ranges, *vlans),
        physical_networks=(*named, *_items(given.get("flat_networks"))),
        underlay_mtu=_mtu("underlay-mtu", given.get("underlay_mtu") or str(usual.underlay_mtu)),
        physnet_mtus=tuple(_physnet_mtu(item) for item in _items(given.get("physnet_mtus"))),
        overlay_ip_version=int(version),
        ipam_quarantine_s=_quarantine(given.get("ipam_quarantine") or "0"),
        quotas=tuple((dict(usual.quotas) | dict(_quota(item) for item in _items(given.get("quotas")))).items()),
    )


def _items(written: str | None) -> list[str]:
    return [item.strip() for item in (written or "").split(",") if item.strip()]


def _vnis(network_type: str, written: str) -> Iterator[DefaultRange]:
    for item in _items(written):
        first, _, last = item.partition(":")
        minimum, maximum = _bounds(f"{network_type}-ranges", item, (first, last), highest=_LAST_VNI)
        yield DefaultRange(network_type=network_type, minimum=minimum, maximum=maximum)


def _vlans(item: str) -> DefaultRange:
    physical_network, _, numbers = item.partition(":")
    first, _, last = numbers.partition(":")
    if not physical_network:
        raise ConfigurationError(f"vlan-ranges: {item!r} names no physical network")
    minimum, maximum = _bounds("vlan-ranges", item, (first, last), highest=_LAST_VLAN)
    return DefaultRange(network_type="vlan", physical_network=physical_network, minimum=minimum, maximum=maximum)


def _bounds(setting: str, item: str, bounds: tuple[str, str], *, highest: int) -> tuple[int, int]:
    if not all(bound.isascii() and bound.isdigit() for bound in bounds):
        raise ConfigurationError(f"{setting}: {item!r} is no range, write FIRST:LAST")
    minimum, maximum = (int(bound) for bound in bounds)
    if not 1 <= minimum <= maximum <= highest:
        raise ConfigurationError(f"{setting}: {item!r} is not within 1:{highest}, lowest first")
    return minimum, maximum


def _physnet_mtu(item: str) -> tuple[str, int]:
    physical_network, _, written = item.rpartition(":")
    if not physical_network:
        raise ConfigurationError(f"physnet-mtus: {item!r} is not NAME:BYTES")
    return physical_network, _mtu("physnet-mtus", written, lowest=68)


def _quota(item: str) -> tuple[str, int]:
    resource, _, written = item.partition("=")
    limit = written.removeprefix("-")
    if resource not in QUOTA_RESOURCES:
        raise ConfigurationError(f"quotas: {item!r} does not begin with one of {', '.join(QUOTA_RESOURCES)}")
    if not (limit.isascii() and limit.isdigit() and NO_LIMIT <= int(written) <= HIGHEST_LIMIT):
        raise ConfigurationError(f"quotas: {item!r} is not RESOURCE=LIMIT, with a limit from -1 to {HIGHEST_LIMIT}")
    return resource, int(written)


def _quarantine(written: str) -> int:
    if not (written.isascii() and written.isdigit() and int(written) <= LONGEST_QUARANTINE_S):
        raise ConfigurationError(
            f"ipam-quarantine: {written!r} is no number of seconds from 0 to {LONGEST_QUARANTINE_S}"
        )
    return int(written)


def _mtu(setting: str, written: str, *, lowest: int = _LEAST_UNDERLAY_MTU) -> int:
    if not (written.isascii() and written.isdigit() and lowest <= int(written) <= _LARGEST_MTU):
        raise ConfigurationError(f"{setting}: {written!r} is not a number of bytes from {lowest} to {_LARGEST_MTU}")
    return int(written)
