"""Do the nested values of a port fit: fixed IPs, address pairs, DHCP options, binding profile?"""

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence

from api.attributes import ip
from api.errors import BadAddressPair, DuplicateAddressPair, MissingPairAddress, TooManyAddressPairs
from api.schema import ADDRESS, MAC, OBJECT, UUID, array, or_null, record
from api.validators import (
    Refused,
    described,
    integer,
    ip_address,
    ip_or_prefix,
    list_of,
    mac_address,
    members,
    nullable,
    one_of,
    schema_of,
    shown,
    text,
    uuid,
)
from controller.errors import InvalidInput
from controller.records import Binding
from controller.services.dhcp_options import MAY_BE_BLANK
from controller.services.pvlan import COMMUNITY_NAME
from controller.services.query import Filter

VNIC_TYPES = (
    "normal",
    "direct",
    "macvtap",
    "baremetal",
    "direct-physical",
    "virtio-forwarder",
    "smart-nic",
    "accelerator-direct",
    "accelerator-direct-physical",
    "remote-managed",
    "vdpa",
)
"""Neutron's (portbindings.VNIC_TYPES)."""
_MOST_PAIRS = 10
"""Neutron's max_allowed_address_pair."""
_MOST_FIXED_IPS = 128
_IPV4 = 4
_LONGEST_PROFILE = 4095
"""Neutron's width of a binding profile in characters of JSON."""


@described(record({"subnet_id": UUID, "ip_address": ADDRESS}))
def _fixed_ip(value: object) -> dict[str, object]:
    given = members(value, what="fixed IP", required=(), optional=("subnet_id", "ip_address"))
    found: dict[str, object] = {}
    if given.get("ip_address") is not None:
        found["ip_address"] = ip_address(given["ip_address"])
    if given.get("subnet_id") is not None:
        found["subnet_id"] = uuid(given["subnet_id"])
    if not found:
        raise Refused(f"Invalid data format for fixed IP: '{shown(value)}'")
    return found


_every_fixed_ip = list_of(_fixed_ip, what="fixed IP", longest=_MOST_FIXED_IPS)


@described(schema_of(_every_fixed_ip))
def fixed_ips(value: object) -> object:
    """Return a list of ``{subnet_id?, ip_address?}``, no address twice."""
    found = _every_fixed_ip(value)
    seen = set()
    for fixed in found if isinstance(found, list) else ():
        address = fixed.get("ip_address")
        if address is not None and address in seen:
            raise Refused(f"Duplicate IP address '{address}'")
        seen.add(address)
    return found


@described(
    array(
        record({"mac_address": or_null(MAC), "ip_address": schema_of(ip_or_prefix)}, required=("ip_address",)),
        longest=_MOST_PAIRS,
    )
)
def address_pairs(value: object) -> object:
    """Return a list of (MAC or None, address or prefix); None means the port's own MAC."""
    pairs = list_of(_address_pair, what="allowed address pair")(value)
    seen: set[object] = set()
    for pair in pairs if isinstance(pairs, list) else ():
        if pair in seen:
            raise DuplicateAddressPair(*pair)
        seen.add(pair)
    if len(seen) > _MOST_PAIRS:
        raise TooManyAddressPairs(_MOST_PAIRS)
    return pairs


def _address_pair(value: object) -> tuple[object, object]:
    if not isinstance(value, dict):
        raise Refused(f"'{shown(value)}' is not a dictionary")
    if "ip_address" not in value:
        raise MissingPairAddress
    unknown = value.keys() - {"mac_address", "ip_address"}
    if unknown:
        raise BadAddressPair(f"Unrecognized attribute(s) '{', '.join(sorted(unknown))}'")
    try:
        mac, address = nullable(mac_address)(value.get("mac_address")), ip_or_prefix(value["ip_address"])
    except Refused as refused:
        raise BadAddressPair(refused.reason) from None
    _refuse_multicast(mac, str(address))
    return mac, address


def _refuse_multicast(mac: object, address: str) -> None:
    """A guest never owns a group's address (Neutron extension aap-reject-multicast)."""
    network = ipaddress.ip_network(address)
    groups = ipaddress.ip_network("224.0.0.0/4" if network.version == _IPV4 else "ff00::/8")
    if "/" not in address and network.is_multicast:
        raise BadAddressPair(f"IP {address} is a multicast address, which is not supported.")
    if "/" in address and address != "0.0.0.0/0" and network.overlaps(groups):
        raise BadAddressPair(f"Subnet {address} overlaps with multicast range {groups}, which is not supported.")
    if isinstance(mac, str) and int(mac[:2], 16) & 1:
        raise BadAddressPair(f"MAC address {mac} is a multicast address, which is not supported.")


_option_name = text(longest=64, shortest=1)
_option_value = nullable(text(shortest=1))
_blank_option_value = nullable(text())


@described(
    record(
        {
            "opt_name": schema_of(_option_name),
            "opt_value": schema_of(_blank_option_value),
            "ip_version": {"enum": [4, 6]},
        },
        required=("opt_name", "opt_value"),
    )
)
def _dhcp_option(value: object) -> object:
    option = members(value, what="extra DHCP option", required=("opt_name", "opt_value"), optional=("ip_version",))
    name = _option_name(option["opt_name"])
    opt_value = (_blank_option_value if name in MAY_BE_BLANK else _option_value)(option["opt_value"])
    return (name, opt_value, one_of((4, 6), of=integer())(option.get("ip_version", 4)))


dhcp_options = list_of(_dhcp_option, what="extra DHCP option")
"""The rule for a list of (name, value, IP version); the value None removes the option on update."""


@described(OBJECT)
def profile(value: object) -> object:
    """Return a binding profile: any JSON object, of bounded size; compute drivers decide what is in it."""
    if not isinstance(value, dict):
        raise Refused(f"'{shown(value)}' is not a dictionary")
    if len(json.dumps(value)) > _LONGEST_PROFILE:
        raise InvalidInput(f"binding:profile value too large, at most {_LONGEST_PROFILE} characters of JSON are kept")
    return value


@described({"type": "string", "pattern": f"^(?:{COMMUNITY_NAME})$"})
def community_name(value: object) -> object:
    """Return the name of a community."""
    if not isinstance(value, str) or not re.fullmatch(COMMUNITY_NAME, value):
        raise Refused(f"'{shown(value)}' is not a valid input")
    return value


def vif_type(binding: Binding | None) -> str:
    """Return how a binding is plugged, or that it cannot be."""
    return "unbound" if binding is None else binding.vif_type or "binding_failed"


def vif_details(binding: Binding | None) -> dict[str, object]:
    """Return what compute needs to plug the port."""
    return {} if binding is None else dict(binding.vif_details)


def by_fixed_ip(values: Sequence[str]) -> tuple[Filter, ...]:
    """Filter by ``fixed_ips=ip_address=A``, ``subnet_id=S`` or ``ip_address_substr=TEXT``.

    Several values of one key mean "one of them"; different keys must all hold.
    """
    grouped: dict[str, list[object]] = {}
    for value in values:
        key, equals, wanted = value.partition("=")
        if not equals:
            raise InvalidInput(f"'{shown(value)}' is not of the form <key>=[value]")
        if key not in _FIXED_IP_KEYS:
            raise InvalidInput(f"'{shown(key)}' is no key of fixed_ips, one of {sorted(_FIXED_IP_KEYS)} is")
        grouped.setdefault(key, []).append(ip(wanted) if key == "ip_address" else wanted)
    return tuple(Filter(name=f"fixed_ips:{key}", values=tuple(wanted)) for key, wanted in grouped.items())


_FIXED_IP_KEYS = frozenset({"ip_address", "subnet_id", "ip_address_substr"})


def wire_pairs(pairs: Sequence[tuple[str, str]]) -> list[Mapping[str, str]]:
    """Return address pairs as on the wire."""
    return [{"mac_address": mac, "ip_address": address} for mac, address in pairs]


def wire_options(options: Sequence[tuple[str, str | None, int]]) -> list[Mapping[str, object]]:
    """Return extra DHCP options as on the wire."""
    return [{"opt_name": name, "opt_value": value, "ip_version": version} for name, value, version in options]
