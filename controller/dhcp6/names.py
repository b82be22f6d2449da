"""Which option does a name in Neutron's extra_dhcp_opts mean for IPv6, and what form has its value?

The names are those ``dnsmasq --help dhcp6`` prints, because Neutron's users write them. Data only: values are encoded
in ``options``.
"""

from enum import Enum, auto
from typing import Final

from controller.dhcp6.codec import Code


class Form(Enum):
    """How the value of an option is written and sent."""

    ADDRESSES = auto()
    DOMAINS = auto()
    TIME = auto()
    TEXT = auto()
    STRINGS = auto()
    """Each with its length in two octets before it."""
    TIME_SERVERS = auto()
    """Addresses and names as suboptions (RFC 5908 section 4)."""
    GUESSED = auto()
    """A number nobody named: the form follows from the value (dnsmasq(8), --dhcp-option)."""


OPTION_NAMES: Final[tuple[tuple[str, int, Form], ...]] = (
    ("sip-server-domain", 21, Form.DOMAINS),  # RFC 3319 section 3.1
    ("sip-server", 22, Form.ADDRESSES),  # RFC 3319 section 3.2
    ("dns-server", Code.DNS_SERVERS, Form.ADDRESSES),
    ("domain-search", Code.DOMAIN_LIST, Form.DOMAINS),
    ("nis-server", 27, Form.ADDRESSES),  # RFC 3898 section 3
    ("nis+-server", 28, Form.ADDRESSES),  # RFC 3898 section 4
    ("nis-domain", 29, Form.DOMAINS),  # RFC 3898 section 5
    ("nis+-domain", 30, Form.DOMAINS),  # RFC 3898 section 6
    ("sntp-server", Code.SNTP_SERVERS, Form.ADDRESSES),
    ("information-refresh-time", Code.REFRESH_TIME, Form.TIME),
    ("posix-timezone", 41, Form.TEXT),  # RFC 4833 section 3
    ("tzdb-timezone", 42, Form.TEXT),  # RFC 4833 section 3
    ("ntp-server", Code.NTP_SERVER, Form.TIME_SERVERS),
    ("bootfile-url", Code.BOOTFILE_URL, Form.TEXT),
    ("bootfile-param", Code.BOOTFILE_PARAM, Form.STRINGS),
    ("sol-max-rt", Code.SOL_MAX_RT, Form.TIME),
    ("inf-max-rt", Code.INF_MAX_RT, Form.TIME),
)

RESERVED: Final = frozenset(
    {
        Code.CLIENT_ID,
        Code.SERVER_ID,
        Code.IA_NA,
        Code.IA_TA,
        Code.IA_ADDRESS,
        Code.OPTION_REQUEST,
        Code.PREFERENCE,
        Code.ELAPSED_TIME,
        Code.RELAY_MESSAGE,
        Code.AUTHENTICATION,
        Code.UNICAST,
        Code.STATUS,
        Code.RAPID_COMMIT,
        Code.INTERFACE_ID,
        Code.RECONFIGURE_MESSAGE,
        Code.RECONFIGURE_ACCEPT,
        Code.IA_PD,
        Code.IA_PREFIX,
    }
)
"""Set by the responder for each message or never sent by it (RFC 8415 section 21)."""
