"""What did a network advertise that it no longer does, and must guests still be told so?

A prefix, a name server or a router that is just not mentioned any more stays with a guest until its lifetime is over:
weeks, for a prefix. So what has gone is advertised a few times more, with lifetimes that end it (RFC 4861 section
6.2.5, RFC 4862 section 5.5.3, RFC 8106 section 5.1). Nothing is known of what was advertised before a restart.
"""

from collections.abc import Iterable
from dataclasses import replace

from controller.dhcp6.ra import RouterFacts
from controller.records import NetworkId

ROUNDS = 3
"""RFC 4861 section 10, MAX_FINAL_RTR_ADVERTISEMENTS."""
ROUND_INTERVAL_S = 16
"""RFC 4861 section 10, MAX_INITIAL_RTR_ADVERT_INTERVAL."""
VALID_S = 7_200
"""RFC 4862 section 5.5.3 e: a guest lets nobody shorten the valid lifetime of its addresses to less than two hours."""


def ended(before: Iterable[RouterFacts], now: Iterable[RouterFacts]) -> tuple[RouterFacts, ...]:
    """Return the advertisements that end what `before` says and `now` does not, none where there is nothing to end.

    Each speaks in the name of the gateway that was advertised. Flags are the link's and the same in all (RFC 4861
    section 6.2.7), so they are those of `now` if there is anything left to say.
    """
    now = tuple(now)
    prefixes = {prefix.cidr for one in now for prefix in one.prefixes}
    servers = {server for one in now for server in one.dns_servers}
    domains = {domain for one in now for domain in one.search_domains}
    gateways = {one.gateway for one in now}
    return tuple(
        replace(
            one,
            prefixes=lost_prefixes,
            managed=now[0].managed if now else False,
            other=now[0].other if now else False,
            dns_servers=lost_servers,
            search_domains=lost_domains,
            dns_lifetime_s=0,
            is_default=one.gateway in gateways and one.is_default,
        )
        for one in before
        if any(
            (
                lost_prefixes := tuple(
                    replace(prefix, valid_s=VALID_S, preferred_s=0)
                    for prefix in one.prefixes
                    if prefix.cidr not in prefixes
                ),
                lost_servers := tuple(server for server in one.dns_servers if server not in servers),
                lost_domains := tuple(domain for domain in one.search_domains if domain not in domains),
                one.gateway not in gateways and one.gateway is not None,
            )
        )
    )


class Withdrawals:
    """What each network advertised last, and what it still has to end; owned by the advertiser."""

    def __init__(self) -> None:
        self._said: dict[NetworkId, tuple[RouterFacts, ...]] = {}
        self._ending: dict[NetworkId, tuple[tuple[RouterFacts, ...], int]] = {}
        """What is being ended, and how many rounds are left with the present one."""

    def begin_round(self, network_id: NetworkId, facts: tuple[RouterFacts, ...]) -> bool:
        """Note what a network advertises from now on; whether a further round is needed to end what it said before."""
        before, (ending, left) = self._said.pop(network_id, ()), self._ending.pop(network_id, ((), 0))
        if facts:
            self._said[network_id] = facts
        gone = ended((*before, *ending), facts) if before != facts else ending
        left = left - 1 if gone == ending else ROUNDS
        if gone and left:
            self._ending[network_id] = (gone, left)
        return left > 1 and bool(gone)

    def of(self, network_id: NetworkId) -> tuple[RouterFacts, ...]:
        """Return the advertisements by which a network ends, in this round, what it said before."""
        return self._ending.get(network_id, ((), 0))[0]

    def has_said(self, network_id: NetworkId) -> bool:
        """Whether there is something that the network said and has not ended."""
        return network_id in self._said or network_id in self._ending

    def forget(self, network_id: NetworkId) -> None:
        """Forget a network that is gone."""
        self._said.pop(network_id, None)
        self._ending.pop(network_id, None)
