"""What may one port be told over DHCPv4?

Values only, as the caller holds them; how they look on the wire is decided in ``options`` and ``responder``.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The binding of one port, with the configuration that goes with its address."""

    mac: str
    """The port's MAC, lower-case with colons."""
    address: str
    prefix_length: int
    """0..32."""
    server_id: str
    """Source address of the answers and option 54; renewals are sent there (RFC 2131 section 4.4.5)."""
    server_mac: str
    router: str | None
    dns_servers: tuple[str, ...]
    mtu: int | None
    """68..65535 (RFC 2132 section 5.1), None for no option 26."""
    lease_s: int = 86400
    """8..4294967295; the last one means for ever (RFC 2131 section 3.3)."""
    routes: tuple[tuple[str, str], ...] = ()
    """(destination cidr, nexthop) pairs."""
    extra_options: tuple[tuple[str, str | None], ...] = ()
    """Neutron's extra_dhcp_opts as (opt_name, opt_value), IPv4 ones only."""
    hostname: str | None = None
    domain: str | None = None
    search_domains: tuple[str, ...] = ()
    """For option 119 (RFC 3397)."""
