"""How are addresses had from NetBox?

NetBox REST API, models ``ipam.prefix``, ``ipam.iprange`` and ``ipam.ipaddress`` of 4.x. Any address is asked for at
``prefixes/ID/available-ips/`` (or at those of IP ranges that are the subnet's pools), where NetBox chooses under a lock
of its own; a named one is created at ``ip-addresses/``. A reservation is an IP address object of status ``reserved``
whose description begins with the owner's word and the mark; it becomes ``active`` when it is a port's.
"""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests

from controller.errors import ConfigurationError
from ipam.addresses import Pool, parse_address, text
from ipam.errors import AddressesExhausted, AddressTaken, ServiceUnavailable, SubnetRefused
from ipam.remote import AddressService, Held, SubnetFacts, Wanted

_log = logging.getLogger(__name__)
TIMEOUT_S = 5.0
PAGE = 250
"""Objects a page; NetBox gives 1,000 at most unless told otherwise (MAX_PAGE_SIZE)."""
LOOK_AHEAD = 1000
"""Free addresses looked at where NetBox's first one is not in an allocation pool."""
_KNOWN = frozenset({"url", "token_file", "vrf", "owner", "timeout", "ca_file"})
_CREATED, _OK, _GONE, _BAD, _CONFLICT, _MISSING = 201, 200, 204, 400, 409, 404
_DENIED = frozenset({401, 403})
_FIRST_REDIRECT, _FIRST_REFUSAL, _FIRST_FAILURE = 300, 400, 500

Object = Mapping[str, Any]


class NetBox(AddressService):
    """The driver ``netbox``."""

    name: ClassVar[str] = "netbox"
    version: ClassVar[str] = "1"

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(settings)
        self._url, self._headers, self._timeout_s = _address(settings), _headers(settings), _timeout(settings)
        self._owner = settings.get("owner", "weft")
        self._vrf = settings.get("vrf", "")
        if self._vrf and not self._vrf.isdecimal():
            raise ConfigurationError(f"IPAM driver netbox: vrf: {self._vrf!r} is not the number of a VRF")
        self._verify: bool | str = settings.get("ca_file", True)
        self._local = threading.local()

    def check_subnet(self, subnet: SubnetFacts) -> None:
        """Ask for the prefix; it is NetBox's own people who make it."""
        self._prefix(subnet)

    def reserve(self, mark: str, wanted: Sequence[Wanted]) -> Sequence[Held]:
        """Create the addresses; those of one subnet with one request."""
        made: dict[int, Held] = {}
        try:
            for position, one in enumerate(wanted):
                if one.address is not None:
                    made[position] = self._named(mark, one.subnets[0], one.address)
            alike: dict[tuple[SubnetFacts, ...], list[int]] = {}
            for position, one in enumerate(wanted):
                if one.address is None:
                    alike.setdefault(one.subnets, []).append(position)
            for subnets, positions in alike.items():
                made |= dict(zip(positions, self._any(mark, subnets, len(positions)), strict=True))
        except (AddressTaken, AddressesExhausted, SubnetRefused):
            self.release(list(made.values()))
            raise
        return [made[position] for position in range(len(wanted))]

    def commit(self, held: Sequence[Held], owners: Sequence[str]) -> None:
        """Make reserved addresses active, and name their ports."""
        for one, owner in zip(held, owners, strict=True):
            change = {"status": "active", "description": f"{self._owner}:{one.mark} port {owner}"}
            status, _body = self._ask("PATCH", f"ip-addresses/{one.handle}/", body=change, also=(_MISSING,))
            if status == _MISSING:
                _log.warning("netbox_address_gone address=%s id=%s port=%s", one, one.handle, owner)

    def release(self, held: Sequence[Held]) -> None:
        """Delete addresses."""
        for one in held:
            self._ask("DELETE", f"ip-addresses/{one.handle}/", also=(_MISSING,))

    def find(self, mark: str | None) -> Sequence[Held]:
        """List addresses by the beginning of their descriptions."""
        begin = f"{self._owner}:{mark or ''}"
        listed = self._all("ip-addresses/", {"description__isw": begin})
        return [self._held("", one) for one in listed if str(one["description"]).startswith(begin)]

    def _named(self, mark: str, subnet: SubnetFacts, address: int) -> Held:
        """Create one address.

        NetBox refuses a second one only where it is told that addresses are unique, so it is looked for before, and
        after: of two made at once the older stays.
        """
        written = text(subnet.cidr.version, address)
        where = {"address": written, "vrf_id": self._vrf or "null"}
        if self._all("ip-addresses/", where):
            raise AddressTaken(subnet.subnet_id, written)
        vrf = int(self._vrf) if self._vrf else None
        body = self._new(mark) | {"address": f"{written}/{subnet.cidr.prefix_length}", "vrf": vrf}
        status, made = self._ask("POST", "ip-addresses/", body=body, also=(_BAD,))
        if status == _BAD:
            if "uplicate" in str(made):
                raise AddressTaken(subnet.subnet_id, written)
            raise SubnetRefused(str(subnet.cidr), f"NetBox refuses {written}: {made}")
        held = self._held(subnet.subnet_id, made)
        if any(int(one["id"]) < int(held.handle) for one in self._all("ip-addresses/", where)):
            self.release([held])
            raise AddressTaken(subnet.subnet_id, written)
        return held

    def _any(self, mark: str, subnets: Sequence[SubnetFacts], count: int) -> list[Held]:
        """Create addresses of the first subnet with room for all, or else each where there is room."""
        for subnet in subnets:
            given = self._from(mark, subnet, count)
            if given is not None:
                return given
        if count == 1:
            raise AddressesExhausted(tuple(subnet.subnet_id for subnet in subnets))
        made: list[Held] = []
        try:
            for _ in range(count):
                made += self._any(mark, subnets, 1)
        except (AddressesExhausted, SubnetRefused):
            self.release(made)
            raise
        return made

    def _from(self, mark: str, subnet: SubnetFacts, count: int) -> list[Held] | None:
        """Create addresses of one subnet; None when it has not so many."""
        ranges = self._ranges(subnet)
        if ranges:
            for range_id in ranges:
                given = self._available(mark, subnet, f"ip-ranges/{range_id}/available-ips/", count)
                if given is not None:
                    return given
            return None
        path = f"prefixes/{self._prefix(subnet)}/available-ips/"
        given = self._available(mark, subnet, path, count)
        if given is None:
            return None
        good = [one for one in given if _is_in(subnet.pools, one)]
        self.release([one for one in given if one not in good])
        return self._more(mark, subnet, path, good, count)

    def _more(self, mark: str, subnet: SubnetFacts, path: str, good: list[Held], count: int) -> list[Held] | None:
        """Add free addresses of the pools by name: what NetBox chose itself is outside."""
        if len(good) == count:
            return good
        _status, free = self._ask("GET", path, query={"limit": str(LOOK_AHEAD)})
        for one in free:
            version, address = parse_address(str(one["address"]).partition("/")[0])
            if len(good) < count and any(address in pool for pool in subnet.pools if pool.version == version):
                try:
                    good = [*good, self._named(mark, subnet, address)]
                except AddressTaken:
                    continue  # somebody else was faster: the next one
        if len(good) == count:
            return good
        self.release(good)
        if len(free) < LOOK_AHEAD:
            return None
        raise SubnetRefused(
            str(subnet.cidr),
            f"the first {LOOK_AHEAD} free addresses in NetBox are outside the allocation pools; create IP ranges there "
            "with the bounds of the pools, which are asked instead",
        )

    def _available(self, mark: str, subnet: SubnetFacts, path: str, count: int) -> list[Held] | None:
        status, made = self._ask("POST", path, body=[self._new(mark)] * count, also=(_CONFLICT,))
        if status == _CONFLICT:
            return None
        return [self._held(subnet.subnet_id, one) for one in _list(made)]

    def _prefix(self, subnet: SubnetFacts) -> int:
        where = {"prefix": str(subnet.cidr), "vrf_id": self._vrf or "null"}
        found = self._all("prefixes/", where)
        if not found:
            place = f"VRF {self._vrf}" if self._vrf else "the global table"
            raise SubnetRefused(
                str(subnet.cidr), f"NetBox has no prefix {subnet.cidr} in {place}: create it there, then try again"
            )
        return int(found[0]["id"])

    def _ranges(self, subnet: SubnetFacts) -> list[int]:
        """Return the IP ranges that are the subnet's pools, one for each; none unless all are there."""
        found = self._all("ip-ranges/", {"parent": str(subnet.cidr), "vrf_id": self._vrf or "null"})
        bounds = {(_bare(one["start_address"]), _bare(one["end_address"])): int(one["id"]) for one in found}
        wanted = [(text(pool.version, pool.first), text(pool.version, pool.last)) for pool in subnet.pools]
        return [bounds[one] for one in wanted] if all(one in bounds for one in wanted) else []

    def _new(self, mark: str) -> dict[str, object]:
        return {"status": "reserved", "description": f"{self._owner}:{mark}"}

    def _held(self, subnet_id: str, one: Object) -> Held:
        try:
            version, address = parse_address(_bare(one["address"]))
            mark = str(one["description"]).removeprefix(f"{self._owner}:").partition(" ")[0]
            return Held(subnet_id=subnet_id, version=version, address=address, handle=str(one["id"]), mark=mark)
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceUnavailable(f"{self._url} answered with no IP address as NetBox has them") from error

    def _all(self, path: str, where: Mapping[str, str]) -> list[Object]:
        """Return every page of a list."""
        return list(self._pages(path, where))

    def _pages(self, path: str, where: Mapping[str, str]) -> Iterator[Object]:
        offset = 0
        while True:
            query = {**where, "limit": str(PAGE), "offset": str(offset), "ordering": "id"}
            _status, body = self._ask("GET", path, query=query)
            page = _list(body.get("results") if isinstance(body, dict) else None)
            yield from page
            offset += len(page)
            if not page or body.get("next") is None:  # not followed: it may name another host
                return

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        also: Sequence[int] = (),
    ) -> tuple[int, Any]:
        """Return status and body of an answer that is a success, or one of the refusals the caller knows.

        Raises:
            ServiceUnavailable
        """
        url = f"{self._url}/api/ipam/{path}"
        try:
            reply = self._session().request(
                method, url, params=query, json=body, timeout=self._timeout_s, allow_redirects=False
            )
        except requests.Timeout as error:
            raise ServiceUnavailable(f"{self._url} did not answer within {self._timeout_s:g} s") from error
        except requests.RequestException as error:
            raise ServiceUnavailable(f"{self._url} cannot be reached ({type(error).__name__})") from error
        status = reply.status_code
        if status in also:
            return status, _json(reply)
        if status in _DENIED:
            raise ServiceUnavailable(f"{self._url} refuses what the token in token-file may do ({status} at {path})")
        if _FIRST_REDIRECT <= status < _FIRST_REFUSAL:
            raise ServiceUnavailable(f"{self._url} redirects; set the url that it redirects to")
        if status >= _FIRST_FAILURE:
            raise ServiceUnavailable(f"{self._url} answered {status}")
        if status >= _FIRST_REFUSAL:
            raise ServiceUnavailable(f"{self._url} refused {method} {path} with {status}: {reply.text[:200]}")
        if status == _GONE:
            return status, None
        found = _json(reply)
        if found is None:
            raise ServiceUnavailable(f"{self._url} is no NetBox: it did not answer with JSON")
        return status, found

    def _session(self) -> requests.Session:
        """One a thread: sessions are not made for several."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
            session.headers.update(self._headers)
            session.verify = self._verify
        return session


def _address(settings: Mapping[str, str]) -> str:
    unknown = sorted(set(settings) - _KNOWN)
    if unknown:
        # Their values are not said: one may be a token in the wrong place.
        raise ConfigurationError(
            f"IPAM driver netbox: unknown setting {', '.join(unknown)}; known: {', '.join(sorted(_KNOWN))}. A token is "
            "read from token-file, never from a command line."
        )
    url = settings.get("url", "").rstrip("/")
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise ConfigurationError("IPAM driver netbox: set url, for example https://netbox.example")
    if urlsplit(url).username or urlsplit(url).password:
        raise ConfigurationError("IPAM driver netbox: url must have no user in it; the token is in token-file")
    return url


def _headers(settings: Mapping[str, str]) -> dict[str, str]:
    """Return what says who asks; tokens of version 2 (NetBox 4.5) begin with ``nbt_`` and are bearer tokens."""
    file = settings.get("token_file")
    if not file:
        raise ConfigurationError("IPAM driver netbox: set token-file, a file with an API token that may write")
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"IPAM driver netbox: token-file {file} cannot be read: {error}") from error
    if not token or not token.isascii() or any(character.isspace() for character in token):
        raise ConfigurationError(f"IPAM driver netbox: token-file {file} must hold one token and nothing else")
    kind = "Bearer" if token.startswith("nbt_") else "Token"
    return {"Authorization": f"{kind} {token}", "Accept": "application/json"}


def _timeout(settings: Mapping[str, str]) -> float:
    try:
        timeout_s = float(settings.get("timeout", TIMEOUT_S))
    except ValueError:
        timeout_s = 0
    if not 0 < timeout_s <= 30:  # noqa: PLR2004 - clients wait that long for Weft itself
        raise ConfigurationError("IPAM driver netbox: timeout must be a number of seconds, at most 30")
    return timeout_s


def _is_in(pools: Sequence[Pool], held: Held) -> bool:
    return any(held.address in pool for pool in pools if pool.version == held.version)


def _bare(address: object) -> str:
    return str(address).partition("/")[0]


def _list(found: object) -> list[Object]:
    if not isinstance(found, list):
        raise ServiceUnavailable("NetBox answered with something else than a list")
    return found


def _json(reply: requests.Response) -> Any:
    try:
        return reply.json()
    except ValueError:
        return None
