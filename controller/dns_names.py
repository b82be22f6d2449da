"""Which names do a port's addresses have? Neutron's rules (extensions dns-integration and dns-domain-ports).

Names are made here and handed out over DHCP; nothing in Weft answers DNS (docs/adr/0006-no-name-server.md). Which text
is a name at all is checked where requests are read (``api.resources.dns_values``).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.errors import InvalidInput
from controller.records import Port

DEFAULT_DOMAIN = "openstacklocal."
"""Of ports where neither they nor their network have a domain (Neutron, ``dns_domain``'s default)."""
LONGEST_FQDN = 255
"""RFC 1035 section 2.3.4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The names of one address."""

    ip_address: str
    hostname: str
    fqdn: str


def domain_of(port_domain: str, network_domain: str) -> str:
    """Return the domain a port's names are in, with the closing dot: its own comes before its network's."""
    return port_domain or network_domain or DEFAULT_DOMAIN


def check_name(dns_name: str, domain: str) -> None:
    """Refuse a name that is not one label or more in the domain, or too long with it.

    Raises:
        InvalidInput: with what would be right.
    """
    if dns_name.endswith("."):
        if not dns_name.endswith(f".{domain}") or dns_name == f".{domain}":
            raise InvalidInput(
                f"The dns_name passed is a FQDN. Its higher level labels must be equal to the domain of the port, "
                f"which is '{domain}'. It must also include one or more valid DNS labels to the left of '{domain}'"
            )
    elif dns_name and len(dns_name) + 1 + len(domain) > LONGEST_FQDN:
        raise InvalidInput(
            f"The dns_name passed is a PQDN and its size is '{len(dns_name)}'. With the domain '{domain}' the "
            f"resulting length exceeds the maximum size of '{LONGEST_FQDN}'"
        )


def assignments(port: Port) -> tuple[Assignment, ...]:
    """Return the names of each of a port's addresses; an address of a port without a name is called after itself."""
    domain = domain_of(port.dns_domain, port.network_dns_domain)
    return tuple(_assignment(port.dns_name, domain, fixed.ip_address) for fixed in port.fixed_ips)


def _assignment(dns_name: str, domain: str, address: str) -> Assignment:
    hostname = dns_name or f"host-{address.replace('.', '-').replace(':', '-')}"
    fqdn = hostname if hostname.endswith(".") else f"{hostname}.{domain}"
    return Assignment(ip_address=address, hostname=hostname, fqdn=fqdn)


def hostname_told(dns_name: str, domain: str) -> str | None:
    """Return what a guest is told its name is, the domain apart; None for a port without a name."""
    return dns_name.removesuffix(f".{domain}") or None


def search_domains(domains: Iterable[str]) -> tuple[str, ...]:
    """Return the domains guests search, each once and without the closing dot; the default one is nobody's wish."""
    return tuple(dict.fromkeys(domain.rstrip(".") for domain in domains if domain))
