"""How do sets of prefixes add up, and what is left when one is taken out?

A set is kept in its canonical form: the fewest prefixes that cover it, by address. Two prefixes either contain one
another or share nothing, so a prefix is free exactly when one free prefix contains it, and the canonical form after a
change follows from the few prefixes around the change. Nothing here knows pools, subnets or a database.
"""

from collections.abc import Callable, Collection, Iterable, Iterator

from ipam.addresses import IPV4, Cidr


def compact(prefixes: Iterable[Cidr]) -> tuple[Cidr, ...]:
    """Return the canonical form of a union of prefixes of one IP version.

    >>> from ipam.addresses import parse_cidr
    >>> [str(one) for one in compact(map(parse_cidr, ["10.0.1.0/24", "10.0.0.0/24", "10.0.0.128/25"]))]
    ['10.0.0.0/23']
    """
    found: list[Cidr] = []
    for prefix in sorted(prefixes, key=lambda one: (one.first, one.prefix_length)):
        if found and prefix.first <= found[-1].last:
            continue
        found.append(prefix)
        while len(found) > 1 and found[-2] == buddy(found[-1]):
            upper = found.pop()
            found[-1] = parent(upper)
    return tuple(found)


def subtract(prefixes: Iterable[Cidr], others: Iterable[Cidr]) -> tuple[Cidr, ...]:
    """Return the canonical form of what is in ``prefixes`` and not in ``others``."""
    left = list(compact(prefixes))
    for other in compact(others):
        left = [rest for one in left for rest in without(one, other)]
    return compact(left)


def intersect(prefixes: Iterable[Cidr], others: Iterable[Cidr]) -> tuple[Cidr, ...]:
    """Return the canonical form of what is in both."""
    among = compact(others)
    inner = (_inner(one, other) for one in compact(prefixes) for other in among)
    return compact(one for one in inner if one is not None)


def without(prefix: Cidr, taken: Cidr) -> tuple[Cidr, ...]:
    """Return what is left of a prefix, which need not contain what is taken.

    >>> from ipam.addresses import parse_cidr
    >>> [str(one) for one in without(parse_cidr("10.0.0.0/22"), parse_cidr("10.0.1.0/24"))]
    ['10.0.0.0/24', '10.0.2.0/23']
    """
    inner = _inner(prefix, taken)
    if inner is None:
        return (prefix,)
    left: list[Cidr] = []
    while inner != prefix:
        left.append(buddy(inner))
        inner = parent(inner)
    return tuple(sorted(left, key=lambda one: one.first))


def parent(prefix: Cidr) -> Cidr:
    """Return the prefix that is one bit shorter; everything has none and stays itself."""
    if prefix.prefix_length == 0:
        return prefix
    first = prefix.first & ~(1 << prefix.host_bits)
    return Cidr(version=prefix.version, first=first, prefix_length=prefix.prefix_length - 1)


def buddy(prefix: Cidr) -> Cidr:
    """Return the other half of the parent; everything has none and stays itself."""
    if prefix.prefix_length == 0:
        return prefix
    return Cidr(
        version=prefix.version, first=prefix.first ^ (1 << prefix.host_bits), prefix_length=prefix.prefix_length
    )


def containing(prefix: Cidr) -> Iterator[Cidr]:
    """Yield the prefix and every one that contains it, longest first."""
    yield prefix
    while prefix.prefix_length:
        prefix = parent(prefix)
        yield prefix


def buddies(prefix: Cidr) -> Iterator[Cidr]:
    """Yield what could be merged with a prefix, step by step, to ever shorter ones."""
    for one in containing(prefix):
        if one.prefix_length:
            yield buddy(one)


def merged(prefix: Cidr, is_free: Callable[[Cidr], bool]) -> tuple[Cidr, Collection[Cidr]]:
    """Return the prefix that a given back one becomes part of, and the free ones that are part of it then."""
    absorbed: list[Cidr] = []
    while prefix.prefix_length and is_free(buddy(prefix)):
        absorbed.append(buddy(prefix))
        prefix = parent(prefix)
    return prefix, absorbed


def first_of(prefix: Cidr, prefix_length: int) -> Cidr:
    """Return the lowest prefix of a length, which is not shorter than its own, inside a prefix."""
    return Cidr(version=prefix.version, first=prefix.first, prefix_length=prefix_length)


def size(version: int, prefix_length: int) -> int:
    """Return how many addresses a prefix of a length has.

    >>> size(4, 24)
    256
    """
    return 1 << ((32 if version == IPV4 else 128) - prefix_length)


def _inner(one: Cidr, other: Cidr) -> Cidr | None:
    """Return the one that is inside the other, or None when they share nothing."""
    if one.version != other.version or one.last < other.first or other.last < one.first:
        return None
    return max(one, other, key=lambda prefix: prefix.prefix_length)
