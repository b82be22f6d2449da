"""May a subnet's addresses be chosen like this? What callers say about it, checked against the subnet."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from controller.errors import InvalidInput
from controller.ipam_records import SubnetIpam
from ipam.addresses import EUI64_PREFIX_LENGTH, IPV4, IPV6, Cidr, parse_pool, text
from ipam.allocator import Strategy
from ipam.errors import PoolInvalid

STRATEGY, QUARANTINE, EXCLUSIONS = "ipam_strategy", "ipam_quarantine", "ipam_exclusions"


def checked(cidr: Cidr, old: SubnetIpam, wanted: Mapping[str, Any]) -> SubnetIpam:
    """Return what a request asks for, and the old where it says nothing.

    ``wanted`` may have ipam_strategy, ipam_quarantine, and ipam_exclusions: {"start", "end"} and {"octets"} members.

    Raises:
        InvalidInput: it does not fit the subnet.
    """
    new = old
    if wanted.get(STRATEGY) is not None:
        new = replace(new, strategy=Strategy(wanted[STRATEGY]))
    if QUARANTINE in wanted:
        new = replace(new, quarantine_s=wanted[QUARANTINE])
    if wanted.get(EXCLUSIONS) is not None:
        new = _with_exclusions(cidr, new, wanted[EXCLUSIONS])
    if new.strategy is Strategy.EUI64 and (cidr.version, cidr.prefix_length) != (IPV6, EUI64_PREFIX_LENGTH):
        raise InvalidInput(f"ipam:strategy eui64 needs an IPv6 /{EUI64_PREFIX_LENGTH} (RFC 4291), and {cidr} is none")
    return new


def _with_exclusions(cidr: Cidr, old: SubnetIpam, given: list[Mapping[str, Any]]) -> SubnetIpam:
    ranges, octets = [], set[int]()
    for one in given:
        if "octets" in one:
            octets |= set(one["octets"])
            continue
        try:
            found = parse_pool(one["start"], one["end"])
        except PoolInvalid as error:
            raise InvalidInput(f"ipam:exclusions: {one['start']}-{one['end']} is no range of addresses") from error
        if found.version != cidr.version or found.first not in cidr or found.last not in cidr:
            raise InvalidInput(f"ipam:exclusions: {found} is not within {cidr}")
        ranges.append((text(found.version, found.first), text(found.version, found.last)))
    if octets and cidr.version != IPV4:
        raise InvalidInput(f"ipam:exclusions: octets are of IPv4 addresses, and {cidr} has none; exclude ranges")
    return replace(old, excluded_ranges=tuple(ranges), excluded_octets=tuple(sorted(octets)))
