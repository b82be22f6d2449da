"""Which option does a name in Neutron's extra_dhcp_opts mean, and what form has its value?

The names are those ``dnsmasq --help dhcp`` prints, because Neutron's users write them; codes and forms are RFC 2132's
unless noted. Data only: values are encoded in ``options``.
"""

from enum import Enum, auto
from typing import Final

from controller.dhcp.codec import Code


class Form(Enum):
    """How the value of an option is written and sent."""

    ADDRESS = auto()
    ADDRESSES = auto()
    ADDRESS_PAIRS = auto()
    BYTE = auto()
    SHORT = auto()
    LONG = auto()
    TIME = auto()
    TEXT = auto()
    DOMAINS = auto()
    ROUTES = auto()
    OCTETS = auto()
    GUESSED = auto()
    """A number dnsmasq has no name for: the form follows from the value (dnsmasq(8), --dhcp-option)."""


SERVER_ADDRESS: Final = "server-ip-address"
"""dnsmasq's name for the siaddr field (RFC 2131 section 2); it has no option number."""

OPTION_NAMES: Final[tuple[tuple[str, int, Form], ...]] = (
    ("netmask", Code.SUBNET_MASK, Form.ADDRESS),
    ("time-offset", 2, Form.LONG),
    ("router", Code.ROUTER, Form.ADDRESSES),
    ("dns-server", Code.DNS_SERVER, Form.ADDRESSES),
    ("log-server", 7, Form.ADDRESSES),
    ("lpr-server", 9, Form.ADDRESSES),
    ("hostname", Code.HOSTNAME, Form.TEXT),
    ("boot-file-size", 13, Form.SHORT),
    ("domain-name", Code.DOMAIN_NAME, Form.TEXT),
    ("swap-server", 16, Form.ADDRESS),
    ("root-path", 17, Form.TEXT),
    ("extension-path", 18, Form.TEXT),
    ("ip-forward-enable", 19, Form.BYTE),
    ("non-local-source-routing", 20, Form.BYTE),
    ("policy-filter", 21, Form.ADDRESS_PAIRS),
    ("max-datagram-reassembly", 22, Form.SHORT),
    ("default-ttl", 23, Form.BYTE),
    ("mtu", Code.MTU, Form.SHORT),
    ("all-subnets-local", 27, Form.BYTE),
    ("broadcast", 28, Form.ADDRESS),
    ("router-discovery", 31, Form.BYTE),
    ("router-solicitation", 32, Form.ADDRESS),
    ("static-route", 33, Form.ADDRESS_PAIRS),
    ("trailer-encapsulation", 34, Form.BYTE),
    ("arp-timeout", 35, Form.LONG),
    ("ethernet-encap", 36, Form.BYTE),
    ("tcp-ttl", 37, Form.BYTE),
    ("tcp-keepalive", 38, Form.LONG),
    ("nis-domain", 40, Form.TEXT),
    ("nis-server", 41, Form.ADDRESSES),
    ("ntp-server", 42, Form.ADDRESSES),
    ("vendor-encap", 43, Form.OCTETS),
    ("netbios-ns", 44, Form.ADDRESSES),
    ("netbios-dd", 45, Form.ADDRESSES),
    ("netbios-nodetype", 46, Form.BYTE),
    ("netbios-scope", 47, Form.TEXT),
    ("x-windows-fs", 48, Form.ADDRESSES),
    ("x-windows-dm", 49, Form.ADDRESSES),
    ("lease-time", Code.LEASE_TIME, Form.TIME),
    ("t1", Code.T1, Form.TIME),
    ("t2", Code.T2, Form.TIME),
    ("vendor-class", 60, Form.TEXT),
    ("nis+-domain", 64, Form.TEXT),
    ("nis+-server", 65, Form.ADDRESSES),
    ("tftp-server", Code.TFTP_SERVER, Form.TEXT),
    ("bootfile-name", Code.BOOTFILE, Form.TEXT),
    ("mobile-ip-home", 68, Form.ADDRESSES),
    ("smtp-server", 69, Form.ADDRESSES),
    ("pop3-server", 70, Form.ADDRESSES),
    ("nntp-server", 71, Form.ADDRESSES),
    ("irc-server", 74, Form.ADDRESSES),
    ("posix-timezone", 100, Form.TEXT),  # RFC 4833 section 2
    ("tzdb-timezone", 101, Form.TEXT),  # RFC 4833 section 2
    ("ipv6-only", 108, Form.LONG),  # RFC 8925 section 3.1
    ("domain-search", 119, Form.DOMAINS),  # RFC 3397 section 2
    ("classless-static-route", Code.CLASSLESS_ROUTES, Form.ROUTES),  # RFC 3442
    ("tftp-server-address", Code.TFTP_ADDRESS, Form.ADDRESSES),  # RFC 5859 section 2
)

RESERVED: Final = frozenset(
    {
        Code.PAD,
        Code.REQUESTED_ADDRESS,
        Code.OVERLOAD,
        Code.MESSAGE_TYPE,
        Code.SERVER_ID,
        Code.PARAMETERS,
        Code.MESSAGE,
        Code.MAX_MESSAGE_SIZE,
        Code.CLIENT_ID,
        Code.RELAY_AGENT,
        Code.MS_CLASSLESS_ROUTES,
        Code.END,
    }
)
"""Set by the responder for each message (RFC 2131 section 4.3.1, table 3), a relay's (RFC 3046), or a copy of 121."""

MANDATORY: Final = frozenset({Code.LEASE_TIME})
"""RFC 2131 section 4.3.1, table 3: MUST be in every offer, so it cannot be left out."""
