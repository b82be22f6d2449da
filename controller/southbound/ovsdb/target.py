"""Where is a host's OVSDB? Parsing of ``tcp:IP:PORT`` and ``unix:PATH`` (ovsdb(7), "Connection Methods")."""

import ipaddress
import socket
from dataclasses import dataclass

from controller.southbound.ovsdb.errors import TargetError

MAX_PORT = 65535
MAX_UNIX_PATH = 107
"""unix(7): sun_path holds 108 bytes with the final zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A parsed address, ready for ``socket.connect``."""

    text: str
    family: socket.AddressFamily
    address: str | tuple[str, int]


def parse_target(text: str) -> Target:
    """Parse the address of an OVSDB server.

    Host names are refused: resolving one would block the thread all hosts share.

    Raises:
        TargetError: the form is unknown, not supported yet (``ssl:``), or its parts are wrong.

    >>> parse_target("tcp:192.0.2.7:6640").address
    ('192.0.2.7', 6640)
    >>> parse_target("tcp:[2001:db8::7]:6640").address
    ('2001:db8::7', 6640)
    >>> parse_target("unix:/run/openvswitch/db.sock").address
    '/run/openvswitch/db.sock'
    """
    method, _, rest = text.partition(":")
    if method == "unix":
        return _unix(text, rest)
    if method == "tcp":
        return _tcp(text, rest)
    if method == "ssl":
        raise TargetError(target=text, why="uses ssl:, which is not supported yet: use tcp:IP:PORT or unix:PATH")
    raise TargetError(target=text, why="has no known method: use tcp:IP:PORT or unix:PATH")


def _unix(text: str, path: str) -> Target:
    if not path:
        raise TargetError(target=text, why="has no path: use unix:PATH")
    if "\0" in path or len(path.encode()) > MAX_UNIX_PATH:
        raise TargetError(
            target=text, why=f"has a path that is not usable: at most {MAX_UNIX_PATH} bytes, no zero byte"
        )
    return Target(text=text, family=socket.AF_UNIX, address=path)


def _tcp(text: str, rest: str) -> Target:
    host, _, port_text = rest.rpartition(":")
    if not (port_text.isascii() and port_text.isdigit() and 1 <= int(port_text) <= MAX_PORT):
        raise TargetError(target=text, why=f"has no port 1..{MAX_PORT} at its end: use tcp:IP:PORT")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError as error:
        raise TargetError(target=text, why="does not name the host by an IP address: use tcp:IP:PORT") from error
    if (address.version == 6) is not bracketed:  # noqa: PLR2004 - the protocol's own number
        raise TargetError(target=text, why="must write an IPv6 address, and no other, in brackets: tcp:[IP]:PORT")
    family = socket.AF_INET6 if bracketed else socket.AF_INET
    return Target(text=text, family=family, address=(str(address), int(port_text)))
