"""Which free address does a port get?

The built-in driver. A subnet's strategy says which: a free address is drawn at random, as Neutron does, so that an
address just given back is seldom the next one given out; or it is the first free one; or the one a host would make of
its MAC address (RFC 4291 appendix A), and a random one where that is not to be had. The cost of an allocation does not
grow with the number of addresses taken; a random one is found so, and a sequential one by the second step alone:

1. a few random candidates are looked up with one query; the first free one is taken (many requests at once share the
   query, with fewer candidates each, and those without luck draw again);
2. when all are taken, the subnet is nearly full: the store names a block of 256 with room (its free addresses are
   counted), and one of the block's free addresses is drawn;
   what somebody who is no port was seen to use is passed over, here and before, unless it is asked for by name;
3. when no open block has room, more blocks are opened (``ipam.blocks``) until the pools end: exhausted.

The store's unique constraint is the arbiter; a candidate is only ever a proposal until ``commit``.
"""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import chain
from typing import Protocol

from ipam.addresses import Cidr, Pool, eui64, text
from ipam.blocks import OPEN_STEP, block_count, block_of, block_range, nth_address, open_size
from ipam.driver import AddressRequest, AnyAddress, Assigned, Reservation, SpecificAddress
from ipam.errors import AddressesExhausted, AddressTaken
from ipam.exclusions import OCTETS, count

CANDIDATES = 8
"""Random candidates for one request: at half occupancy 1 draw in 256 goes on to the blocks."""
CANDIDATES_AT_ONCE = 64
"""Candidates that several requests share in one query."""

Candidate = tuple[str, int, int]
"""Subnet id, IP version, address."""


class Strategy(Enum):
    """Which of a subnet's free addresses is given to who asks for any."""

    RANDOM = "random"
    SEQUENTIAL = "sequential"
    EUI64 = "eui64"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetSpace:
    """What the allocator must know of a subnet."""

    subnet_id: str
    cidr: Cidr
    pools: tuple[Pool, ...]
    """Without the ranges that are excluded."""
    open_blocks: int
    has_seen: bool = False
    """Somebody was seen to use an address of it that nobody holds: the store says which."""
    strategy: Strategy = Strategy.RANDOM
    octets: frozenset[int] = frozenset()
    """Last octets that are passed over."""

    def block_of(self, address: int) -> int | None:
        """Return the number of the block that counts an address; None for one that is never chosen."""
        if self.octets and address % OCTETS in self.octets:
            return None
        return block_of(self.pools, address)

    def block_size(self, number: int) -> int:
        """Return how many addresses of a block may be chosen."""
        return count(block_range(self.pools, number), self.octets)

    @property
    def size(self) -> int:
        """How many addresses may be chosen in all."""
        return sum(count(pool, self.octets) for pool in self.pools)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An address about to be stored, with the block that counts it."""

    subnet_id: str
    version: int
    address: int
    block: int | None
    owner: str


class AllocationStore(Protocol):
    """What the allocator needs of a store; every call is part of one transaction."""

    def taken(self, candidates: Collection[Candidate]) -> set[tuple[str, int]]:
        """Return which (subnet id, address) of the (subnet id, version, address) candidates are held."""

    def blocks_with_room(self, subnet_id: str, at_most: int, *, alone: bool = False) -> list[int]:
        """Return the numbers of the first open blocks that have a free address; ``alone``: others wait to ask so."""

    def taken_in_block(self, subnet_id: str, block: int) -> set[int]:
        """Return the addresses held in one block; at most 256."""

    def seen(self, subnet_id: str) -> Collection[int]:
        """Return the addresses somebody was seen to use, whether they are held or not; some thousands at most."""

    def open_blocks(self, subnet_id: str, sizes: Mapping[int, int]) -> None:
        """Start to count the free addresses of blocks (number -> number of addresses), which follow the open ones."""

    def claim(self, claims: Sequence[Claim]) -> Collection[tuple[str, int]]:
        """Store the claims and return those that were free; the unique constraint decides."""

    def release(self, addresses: Sequence[Assigned]) -> None:
        """Mark addresses as free again."""


class BuiltInDriver:
    """Gives out addresses of the subnets it is told about; implements ``ipam.driver.Driver``."""

    def __init__(self, *, spaces: Sequence[SubnetSpace], store: AllocationStore, rng: random.Random) -> None:
        self._spaces = {space.subnet_id: space for space in spaces}
        self._store = store
        self._rng = rng
        self._seen: dict[str, Collection[int]] = {}

    def reserve(self, requests: Sequence[AddressRequest]) -> Reservation:
        """Choose an address for each request; fixed ones first, so that no random one takes them."""
        chosen = self._fixed(requests)
        reserved = {(one.subnet_id, one.address) for one in chosen.values()}
        waiting = {position: one for position, one in enumerate(requests) if isinstance(one, AnyAddress)}
        looked_up = [(one.subnet_id, one.version, one.address) for one in chosen.values()]
        for drawn in self._rounds(waiting):
            looked_up += chain.from_iterable(drawn.values())
            taken = self._store.taken(looked_up) if looked_up else set()
            for one in chosen.values():
                if (one.subnet_id, one.address) in taken:
                    raise AddressTaken(one.subnet_id, text(one.version, one.address))
            for position, candidates in drawn.items():
                free = self._first_free(candidates, taken, reserved)
                if free is not None:
                    reserved.add((free.subnet_id, free.address))
                    chosen[position] = free
                    del waiting[position]
            looked_up = []
        seen: _Seen = {}
        for position, request in waiting.items():
            free = self._search(request.subnet_ids, reserved, seen)
            reserved.add((free.subnet_id, free.address))
            chosen[position] = free
        return Reservation(addresses=tuple(chosen[position] for position in range(len(requests))))

    def commit(self, reservation: Reservation, owners: Sequence[str]) -> None:
        """Store each address as its owner's."""
        if not reservation.addresses:
            return
        claims = [
            Claim(
                subnet_id=one.subnet_id,
                version=one.version,
                address=one.address,
                block=self._spaces[one.subnet_id].block_of(one.address),
                owner=owner,
            )
            for one, owner in zip(reservation.addresses, owners, strict=True)
        ]
        stored = self._store.claim(claims)
        lost = [one for one in reservation.addresses if (one.subnet_id, one.address) not in stored]
        if lost:
            self.release([one for one in reservation.addresses if one not in lost])
            raise AddressTaken(lost[0].subnet_id, text(lost[0].version, lost[0].address))

    def release(self, addresses: Sequence[Assigned]) -> None:
        """Give addresses back."""
        if addresses:
            self._store.release(addresses)

    def _fixed(self, requests: Sequence[AddressRequest]) -> dict[int, Assigned]:
        """Return the addresses that the requests themselves name, by position.

        Raises:
            AddressTaken: two requests name one.
        """
        named: dict[int, Assigned] = {}
        seen: set[Assigned] = set()
        for position, request in enumerate(requests):
            if isinstance(request, AnyAddress):
                continue
            cidr = self._spaces[request.subnet_id].cidr
            address = request.address if isinstance(request, SpecificAddress) else eui64(cidr, request.mac_address)
            one = Assigned(subnet_id=request.subnet_id, version=cidr.version, address=address)
            if one in seen:
                raise AddressTaken(one.subnet_id, text(one.version, one.address))
            seen.add(one)
            named[position] = one
        return named

    def _rounds(self, waiting: Mapping[int, AnyAddress]) -> Iterator[Mapping[int, Sequence[Candidate]]]:
        """Draw candidates for the requests that still wait, until none does or each had its share; once at least."""
        left = CANDIDATES
        while left > 0:
            each = min(CANDIDATES, max(1, CANDIDATES_AT_ONCE // max(1, len(waiting))))
            left -= each
            yield {position: self._draw(request, each) for position, request in waiting.items()}
            if not waiting:
                return

    def _draw(self, request: AnyAddress, count: int) -> Sequence[Candidate]:
        """Draw candidates of the first subnet that has open blocks; none of a sequential one."""
        for subnet_id in request.subnet_ids:
            space = self._spaces[subnet_id]
            size = open_size(space.pools, space.open_blocks)
            if not size:
                continue
            if space.strategy is Strategy.SEQUENTIAL:
                return ()
            positions = {self._rng.randrange(size): None for _ in range(count)}
            drawn = [nth_address(space.pools, position) for position in positions]
            if space.strategy is Strategy.EUI64 and request.mac_address is not None:
                own = eui64(space.cidr, request.mac_address)
                drawn = [own, *drawn] if space.block_of(own) is not None else drawn
            version, octets = space.cidr.version, space.octets
            return [(subnet_id, version, one) for one in drawn if not octets or one % OCTETS not in octets]
        return ()

    def _avoided(self, subnet_id: str) -> Collection[int]:
        """Return the addresses that are not given out unless somebody names them: they are in use, held or not."""
        if subnet_id not in self._seen:
            self._seen[subnet_id] = self._store.seen(subnet_id) if self._spaces[subnet_id].has_seen else ()
        return self._seen[subnet_id]

    def _first_free(
        self, candidates: Sequence[Candidate], taken: Collection[tuple[str, int]], reserved: Collection[tuple[str, int]]
    ) -> Assigned | None:
        for subnet_id, version, address in candidates:
            is_free = (subnet_id, address) not in taken and (subnet_id, address) not in reserved
            if is_free and address not in self._avoided(subnet_id):
                return Assigned(subnet_id=subnet_id, version=version, address=address)
        return None

    def _search(self, subnet_ids: tuple[str, ...], reserved: Collection[tuple[str, int]], seen: "_Seen") -> Assigned:
        """Find a free address where random draws did not, block by block.

        Raises:
            AddressesExhausted: there is none in any of the subnets.
        """
        for subnet_id in subnet_ids:
            address = self._search_subnet(self._spaces[subnet_id], {a for s, a in reserved if s == subnet_id}, seen)
            if address is not None:
                return Assigned(subnet_id=subnet_id, version=self._spaces[subnet_id].cidr.version, address=address)
        raise AddressesExhausted(subnet_ids)

    def _search_subnet(self, space: SubnetSpace, reserved: Collection[int], seen: "_Seen") -> int | None:
        address = self._search_open(space, reserved, seen)
        total = block_count(space.pools)
        while address is None and space.open_blocks < total:
            space = open_more(space, self._store)
            self._spaces[space.subnet_id] = space
            address = self._search_open(space, reserved, seen)
        return address

    def _search_open(self, space: SubnetSpace, reserved: Collection[int], seen: "_Seen") -> int | None:
        """Look into one block more than can be full of what is not counted: own choices, and what is avoided."""
        uncounted = len(reserved) + len(self._avoided(space.subnet_id))
        is_first = space.strategy is Strategy.SEQUENTIAL  # everybody wants the same one
        for number in self._store.blocks_with_room(space.subnet_id, uncounted + 1, alone=is_first):
            if (space.subnet_id, number) not in seen:
                seen[space.subnet_id, number] = self._free_in_block(space, number)
            free = [address for address in seen[space.subnet_id, number] if address not in reserved]
            if free:
                return free[0] if is_first else self._rng.choice(free)
        return None

    def _free_in_block(self, space: SubnetSpace, number: int) -> list[int]:
        block = block_range(space.pools, number)
        closed = {*self._store.taken_in_block(space.subnet_id, number), *self._avoided(space.subnet_id)}
        octets = space.octets
        return [
            address
            for address in range(block.first, block.last + 1)
            if address not in closed and not (octets and address % OCTETS in octets)
        ]


_Seen = dict[tuple[str, int], list[int]]
"""What blocks (subnet id, number) had free when one request first looked."""


def open_more(space: SubnetSpace, store: AllocationStore) -> SubnetSpace:
    """Open the next step of blocks and return the space with them."""
    end = min(space.open_blocks + OPEN_STEP, block_count(space.pools))
    store.open_blocks(space.subnet_id, {number: space.block_size(number) for number in range(space.open_blocks, end)})
    return replace(space, open_blocks=end)
