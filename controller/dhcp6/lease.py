"""What may one port be told over DHCPv6?

Values only, as the caller holds them; how they look on the wire is decided in ``options`` and ``answer``.
"""

from dataclasses import dataclass

LIFETIME_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedAddress:
    """One address of the port that DHCPv6 gives it."""

    address: str
    preferred_s: int = LIFETIME_S
    """0..``valid_s`` (RFC 8415 section 21.6)."""
    valid_s: int = LIFETIME_S
    """1..4294967295; the last one means for ever (RFC 8415 section 7.7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease6:
    """The binding of one port, with the configuration that goes with it."""

    mac: str
    """The port's MAC, lower-case with colons."""
    server_mac: str
    """The network's own MAC: the server's DUID (RFC 8415 section 11.4) and link-local address are formed from it."""
    addresses: tuple[LeasedAddress, ...]
    """None at all: stateless, only configuration is given (RFC 8415 section 6.1)."""
    on_link: tuple[str, ...]
    """The prefixes of the port's network; an address of another one is refused with NotOnLink."""
    dns_servers: tuple[str, ...]
    search_domains: tuple[str, ...] = ()
    mtu: int | None = None
    """1280..65535: what the network carries; bounds the answers. DHCPv6 itself has no option for it."""
    refresh_s: int = LIFETIME_S
    """600..4294967295: when a stateless guest asks again (RFC 8415 section 21.23)."""
    extra_options: tuple[tuple[str, str | None], ...] = ()
    """Neutron's extra_dhcp_opts as (opt_name, opt_value), IPv6 ones only."""
