"""What do OVN's DHCP servers tell? One row for each subnet that is served, one for a port with options of its own.

ovn-nb(5), DHCP_Options.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

from controller.dhcp.errors import InvalidOption
from controller.dhcp.names import OPTION_NAMES
from controller.dhcp.options import parse_extra
from controller.dns_names import domain_of, hostname_told, search_domains
from controller.plugins.ovn.rows import Row, RowKey
from controller.reconcile.leases import LEASE_S
from controller.reconcile.translate import SERVICE_MAC, server_id
from controller.records import Network, Port, Subnet

IPV4, IPV6 = 4, 6
STATELESS = "dhcpv6-stateless"
SLAAC = "slaac"
ADDRESSES, TEXT, NUMBER, ROUTES = "addresses", "text", "number", "routes"
ROUTES4, DEFAULT_ROUTE = "classless_static_route", "0.0.0.0/0"

NAMES4: Mapping[str, tuple[str, str]] = {
    "netmask": ("netmask", ADDRESSES),
    "router": ("router", ADDRESSES),
    "dns-server": ("dns_server", ADDRESSES),
    "log-server": ("log_server", ADDRESSES),
    "lpr-server": ("lpr_server", ADDRESSES),
    "hostname": ("hostname", TEXT),
    "domain-name": ("domain_name", TEXT),
    "swap-server": ("swap_server", ADDRESSES),
    "ip-forward-enable": ("ip_forward_enable", NUMBER),
    "policy-filter": ("policy_filter", ADDRESSES),
    "default-ttl": ("default_ttl", NUMBER),
    "mtu": ("mtu", NUMBER),
    "broadcast": ("broadcast_address", ADDRESSES),
    "router-discovery": ("router_discovery", NUMBER),
    "router-solicitation": ("router_solicitation", ADDRESSES),
    "arp-timeout": ("arp_cache_timeout", NUMBER),
    "ethernet-encap": ("ethernet_encap", NUMBER),
    "tcp-ttl": ("tcp_ttl", NUMBER),
    "tcp-keepalive": ("tcp_keepalive_interval", NUMBER),
    "nis-server": ("nis_server", ADDRESSES),
    "ntp-server": ("ntp_server", ADDRESSES),
    "netbios-ns": ("netbios_name_server", ADDRESSES),
    "netbios-nodetype": ("netbios_node_type", NUMBER),
    "lease-time": ("lease_time", NUMBER),
    "t1": ("T1", NUMBER),
    "t2": ("T2", NUMBER),
    "tftp-server": ("tftp_server", TEXT),
    "bootfile-name": ("bootfile_name", TEXT),
    "domain-search": ("domain_search_list", TEXT),
    "classless-static-route": ("classless_static_route", ROUTES),
    "tftp-server-address": ("tftp_server_address", ADDRESSES),
    "server-ip-address": ("next_server", ADDRESSES),
    "210": ("path_prefix", TEXT),
    "249": ("ms_classless_static_route", ROUTES),
    "252": ("wpad", TEXT),
}
"""Neutron's (dnsmasq's) names, OVN's (ovn-nb(5), DHCP_Options:options) and the form of the value."""
NUMBERS4: Mapping[str, str] = {str(int(code)): name for name, code, _ in OPTION_NAMES if name in NAMES4}
NAMES6: Mapping[str, tuple[str, str]] = {"dns-server": ("dns_server", ADDRESSES)}
"""Its `domain_search` would be sent as plain text, which no client reads (RFC 3646 section 4 wants RFC 1035's form)."""
NUMBERS6: Mapping[str, str] = {"23": "dns-server"}
PREFIXES = {IPV4: ("option:",), IPV6: ("option6:", "option:")}
"""As dnsmasq(8) takes them before a name, --dhcp-option."""


def subnet_row(network: Network, subnet: Subnet) -> Row | None:
    """Return what a subnet's ports are told, None when OVN does not serve it."""
    options = options_of(network, subnet)
    if options is None:
        return None
    return Row(
        table="DHCP_Options",
        key=subnet_key(subnet.id),
        columns={"cidr": subnet.cidr, "options": options},
        external_ids={"subnet": subnet.id},
    )


def port_row(network: Network, subnet: Subnet, port: Port) -> Row | None:
    """Return what one port is told when it has a name or options of its own, else None."""
    asked = [(name, value) for name, value, version in port.extra_dhcp_opts if version == subnet.ip_version]
    shared = _shared(network, subnet)
    if shared is None:
        return None
    names = _names4(network, port) if subnet.ip_version == IPV4 else {}
    options = _with({**shared, **names}, asked, subnet.ip_version)
    if options == shared:
        return None
    options = _with_default_route(options)
    return Row(
        table="DHCP_Options",
        key=port_key(port.id, subnet.ip_version),
        columns={"cidr": subnet.cidr, "options": options},
        external_ids={"subnet": subnet.id, "port": port.id},
    )


def subnet_key(subnet_id: str) -> RowKey:
    """Return the key of a subnet's options."""
    return RowKey(f"subnet/{subnet_id}")


def port_key(port_id: str, version: int) -> RowKey:
    """Return the key of a port's own options."""
    return RowKey(f"port-options/{port_id}/{version}")


def options_of(network: Network, subnet: Subnet) -> dict[str, str] | None:
    """Return the options of a subnet that is served."""
    shared = _shared(network, subnet)
    return None if shared is None else _with_default_route(shared)


def _shared(network: Network, subnet: Subnet) -> dict[str, str] | None:
    if not subnet.enable_dhcp:
        return None
    return _options4(network, subnet) if subnet.ip_version == IPV4 else _options6(subnet)


def unknown_option(name: str, version: int) -> bool:
    """Whether OVN has no option of a name."""
    return version not in (IPV4, IPV6) or _named(name, version) is None


def is_search_list(name: str) -> bool:
    """Whether an option of DHCPv6 is the one OVN has but cannot write."""
    return _bare(name, IPV6) in {"domain-search", "24"}


def _bare(written: str, version: int) -> str:
    name = written.strip().lower()
    for prefix in PREFIXES[version]:
        name = name.removeprefix(prefix)
    return name


def _named(written: str, version: int) -> tuple[str, str] | None:
    """Return OVN's name of an option and the form of its value, None where it has none."""
    name = _bare(written, version)
    names, numbers = (NAMES6, NUMBERS6) if version == IPV6 else (NAMES4, NUMBERS4)
    return names.get(numbers.get(name, name))


def _options4(network: Network, subnet: Subnet) -> dict[str, str]:
    options = {
        "server_id": server_id(network, subnet),
        "server_mac": SERVICE_MAC,
        "lease_time": str(LEASE_S),
        "mtu": str(network.mtu),
    }
    servers = [one for one in subnet.dns_nameservers if ip_address(one).version == IPV4]
    if servers:
        options["dns_server"] = _list(servers)
    options |= _domain4(network.dns_domain)
    if subnet.gateway_ip is not None:
        options["router"] = subnet.gateway_ip
    if subnet.host_routes:
        options[ROUTES4] = _list([f"{destination},{hop}" for destination, hop in subnet.host_routes])
    return options


def _with_default_route(options: dict[str, str]) -> dict[str, str]:
    """Say the default route among the classless ones: a client that gets option 121 ignores option 3 (RFC 3442)."""
    routes, router = options.get(ROUTES4), options.get("router")
    if routes is None:
        return options
    if router is not None and f"{DEFAULT_ROUTE}," not in routes:
        first = router.strip("{}").split(",")[0]
        routes = _list([routes.strip("{}"), f"{DEFAULT_ROUTE},{first}"])
    # Windows asks for 249 ([MS-DHCPE] section 2.2.8); OVN sends what there is, asked for or not.
    return {"ms_classless_static_route": routes, **options, ROUTES4: routes}


def _domain4(domain: str) -> dict[str, str]:
    """Return what tells a domain, nothing for one nobody chose."""
    return {name: _quoted(one) for one in search_domains([domain]) for name in ("domain_name", "domain_search_list")}


def _names4(network: Network, port: Port) -> dict[str, str]:
    """Return what tells a port's own name and domain."""
    name = hostname_told(port.dns_name, domain_of(port.dns_domain, network.dns_domain))
    return _domain4(port.dns_domain) | ({} if name is None else {"hostname": _quoted(name)})


def _options6(subnet: Subnet) -> dict[str, str] | None:
    """Return a subnet's options over DHCPv6; with SLAAC nobody asks (`controller.dhcp6.facts` has the table)."""
    if subnet.ipv6_address_mode == SLAAC or (subnet.ipv6_address_mode is None and subnet.ipv6_ra_mode is not None):
        return None
    options = {"server_id": SERVICE_MAC}
    servers = [one for one in subnet.dns_nameservers if ip_address(one).version == IPV6]
    if servers:
        options["dns_server"] = _list(servers)
    if subnet.ipv6_address_mode == STATELESS:
        options["dhcpv6_stateless"] = "true"
    return options


def _with(options: Mapping[str, str], asked: Iterable[tuple[str, str | None]], version: int) -> dict[str, str]:
    """Return options with those a port asks for; one without a value is taken away."""
    changed = dict(options)
    for written, value in asked:
        named = _named(written, version)
        # Either is refused where it is asked for; what was stored before the network was OVN's may be here.
        if named is None or wrong_value(written, value, version) is not None:
            continue
        name, form = named
        if value is None or not value.strip():
            changed.pop(name, None)
        else:
            changed[name] = _formed(written, value, form, version)
    return changed


def wrong_value(written: str, value: str | None, version: int) -> str | None:
    """Return why a value cannot be that of an option, or None.

    OVN takes an option it cannot read for an error of the whole flow: the guest would get no answer at all.
    """
    try:
        if version == IPV6:
            for part in (value or "").split(","):
                if part.strip():
                    IPv6Address(part.strip())
        else:
            _parsed(written, value)
    except InvalidOption as error:
        return error.reason
    except ValueError as error:
        return str(error)
    return None


def _parsed(written: str, value: str | None) -> bytes:
    """Return the octets of an option for IPv4; 249 is written as 121.

    Raises:
        InvalidOption: The value is not of its form.
    """
    named = _named(written, IPV4)
    name = "classless-static-route" if named is not None and named[1] == ROUTES else _bare(written, IPV4)
    return parse_extra(name, value)[1] or b""


def _formed(written: str, value: str, form: str, version: int) -> str:
    """Write a value that is not wrong as OVN reads it (ovn-nb(5), DHCP_Options:options)."""
    if form == TEXT:
        return _quoted(value.strip())
    if version == IPV6:
        return _list([part.strip() for part in value.split(",") if part.strip()])
    octets = _parsed(written, value)
    if form == NUMBER:
        return str(int.from_bytes(octets))
    if form == ROUTES:
        return _list([f"{destination},{hop}" for destination, hop in _routes(octets)])
    return _list([str(IPv4Address(octets[at : at + 4])) for at in range(0, len(octets), 4)])


def _routes(octets: bytes) -> Iterator[tuple[IPv4Network, IPv4Address]]:
    """Yield the routes of an option 121 (RFC 3442)."""
    while octets:
        length, end = octets[0], 1 + (octets[0] + 7) // 8
        yield IPv4Network((octets[1:end].ljust(4, b"\0"), length)), IPv4Address(octets[end : end + 4])
        octets = octets[end + 4 :]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _list(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 and "," not in values[0] else "{" + ", ".join(values) + "}"
