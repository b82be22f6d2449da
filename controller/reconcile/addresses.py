"""Which ports of a network own or claim an address? Fixed addresses are owned, allowed address pairs are claims."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Collection, Iterator
from functools import lru_cache
from ipaddress import ip_network

from controller.reconcile.index import decrement, discard
from controller.records import NetworkId, Port, PortId
from flows.intent import Prefix

WIDTH = {4: 32, 6: 128}
"""Bits of an address, by IP version."""


@lru_cache(maxsize=1 << 17)
def prefix_of(text: str) -> Prefix:
    """Return an address or CIDR as a value; host bits are cleared, a single address has the full length."""
    network = ip_network(text, strict=False)
    return Prefix(network.version, int(network.network_address), network.prefixlen)


def claims_of(port: Port | None) -> frozenset[Prefix]:
    """Return what a port may claim beside its own addresses (Neutron API reference, allowed_address_pairs)."""
    return frozenset(prefix_of(address) for _, address in port.allowed_address_pairs) if port else frozenset()


class _Network:
    """One network's addresses."""

    __slots__ = ("claims", "lengths", "ordered", "owners")

    def __init__(self) -> None:
        self.owners: dict[Prefix, set[PortId]] = {}
        self.claims: dict[Prefix, set[PortId]] = {}
        self.lengths: Counter[tuple[int, int]] = Counter()
        """How many claims there are of each IP version and length: few differ."""
        self.ordered: list[Prefix] | None = None
        """The owned addresses in order, once somebody asked which of them lie in a CIDR."""


class Addresses:
    """The addresses of all networks; every change costs as much as the port has addresses and pairs."""

    def __init__(self) -> None:
        self._networks: dict[NetworkId, _Network] = {}

    def add(self, port: Port) -> None:
        """Take a port in."""
        if not port.fixed_ips and not port.allowed_address_pairs:
            return
        network = self._networks.setdefault(port.network_id, _Network())
        for fixed in port.fixed_ips:
            address = prefix_of(fixed.ip_address)
            owners = network.owners.setdefault(address, set())
            if not owners and network.ordered is not None:
                insort(network.ordered, address)
            owners.add(port.id)
        for claim in claims_of(port):
            network.claims.setdefault(claim, set()).add(port.id)
            network.lengths[claim.version, claim.length] += 1

    def remove(self, port: Port) -> None:
        """Forget a port, given as it was added."""
        network = self._networks.get(port.network_id)
        if network is None:
            return
        for address in {prefix_of(fixed.ip_address) for fixed in port.fixed_ips}:
            discard(network.owners, address, port.id)
            if network.ordered is not None and address not in network.owners:
                del network.ordered[bisect_left(network.ordered, address)]
        for claim in claims_of(port):
            discard(network.claims, claim, port.id)
            decrement(network.lengths, (claim.version, claim.length))
        if not network.owners and not network.claims:
            del self._networks[port.network_id]

    def is_owned(self, network_id: NetworkId, address: Prefix) -> bool:
        """Whether it is a fixed address of some port."""
        network = self._networks.get(network_id)
        return network is not None and address in network.owners

    def is_pair(self, network_id: NetworkId, prefix: Prefix) -> bool:
        """Whether it is an allowed pair of some port, as it stands."""
        network = self._networks.get(network_id)
        return network is not None and prefix in network.claims

    def is_claimed(self, network_id: NetworkId, address: Prefix, *, besides: PortId | None = None) -> bool:
        """Whether an allowed pair of some port, `besides` one, is the address or contains it.

        A pair with all addresses says that the port forwards for others, not that it is one of them.
        """
        network = self._networks.get(network_id)
        return network is not None and any(
            claimants - {besides} for claimants in _claimants(network, address) if claimants
        )

    def claimants(self, network_id: NetworkId, address: Prefix) -> set[PortId]:
        """Return the ports with an allowed pair that is the address or contains it, but not every address."""
        network = self._networks.get(network_id)
        return set() if network is None else set().union(*_claimants(network, address))

    def owners_within(self, network_id: NetworkId, prefix: Prefix) -> Collection[PortId]:
        """Return the ports with a fixed address in a prefix that claims addresses, which the whole of them does not."""
        network = self._networks.get(network_id)
        if network is None or not prefix.length:
            return ()
        if prefix.length == WIDTH[prefix.version]:
            return network.owners.get(prefix, ())
        if network.ordered is None:
            network.ordered = sorted(network.owners)
        end = prefix.address + (1 << WIDTH[prefix.version] - prefix.length)
        first = bisect_left(network.ordered, Prefix(prefix.version, prefix.address, 0))
        last = bisect_left(network.ordered, Prefix(prefix.version, end, 0))
        return {owner for address in network.ordered[first:last] for owner in network.owners[address]}


def contains(outer: Prefix, inner: Prefix) -> bool:
    """Whether every address of one prefix is one of the other."""
    return (
        outer.version == inner.version
        and outer.length <= inner.length
        and (outer.address ^ inner.address) >> WIDTH[outer.version] - outer.length == 0
    )


def _claimants(network: _Network, address: Prefix) -> Iterator[set[PortId]]:
    for version, length in network.lengths:
        if version == address.version and length:  # every address: the port routes, it does not claim one
            host_bits = WIDTH[version] - length
            yield network.claims.get(Prefix(version, address.address >> host_bits << host_bits, length), set())
