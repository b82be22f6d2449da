"""What is each identity association of a client told?

RFC 8415 sections 18.3.1 to 18.3.8. A port has a few addresses and one client, and nothing is remembered, so that which
association holds which address follows from the message alone: see ``shared``. Prefixes and temporary addresses are
never given.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from controller.dhcp6.answer import Answer6
from controller.dhcp6.codec import Code, IdentityAssociation, Status
from controller.dhcp6.options import option

_NO_TIMERS: Final = bytes(8)
_NO_LIFETIMES: Final = bytes(8)

_NONE_LEFT: Final = {
    int(Code.IA_NA): Status.NO_ADDRS_AVAIL,
    int(Code.IA_TA): Status.NO_ADDRS_AVAIL,
    int(Code.IA_PD): Status.NO_PREFIX_AVAIL,
}


class Told(NamedTuple):
    """The associations of one answer."""

    octets: bytes
    has_address: bool


def status(code: Status) -> bytes:
    """Write a status without a message (RFC 8415 section 21.13): guests log the number."""
    return option(Code.STATUS, struct.pack("!H", code))


def offered(answer: Answer6, asked: Sequence[IdentityAssociation]) -> Told:
    """Tell a soliciting client what it would get (RFC 8415 section 18.3.9); what it hints at is not binding."""
    held = shared(answer, asked)
    return _told(
        (_held(answer, association, mine) if mine else _refused(association, _NONE_LEFT[association.code]), bool(mine))
        for association, mine in zip(asked, held, strict=True)
    )


def granted(answer: Answer6, asked: Sequence[IdentityAssociation]) -> Told:
    """Tell a requesting client what it gets; an address of another link fails its association (section 18.3.2)."""
    fits = [all(map(answer.is_on_link, association.addresses)) for association in asked]
    held = iter(shared(answer, [association for association, is_fit in zip(asked, fits, strict=True) if is_fit]))

    def each() -> Iterator[tuple[bytes, bool]]:
        for association, is_fit in zip(asked, fits, strict=True):
            mine = next(held) if is_fit else ()
            if mine:
                yield _held(answer, association, mine), True
            else:
                yield _refused(association, _NONE_LEFT[association.code] if is_fit else Status.NOT_ON_LINK), False

    return _told(each())


def extended(answer: Answer6, asked: Sequence[IdentityAssociation]) -> Told:
    """Tell a renewing client what it keeps (RFC 8415 sections 18.3.4 and 18.3.5).

    Addresses the port does not have, or no longer has, come back with lifetimes of zero. Those that are new to the
    client come along, so that an address added to the port arrives with the next renewal.
    """

    def each() -> Iterator[tuple[bytes, bool]]:
        for association, mine in zip(asked, shared(answer, asked), strict=True):
            gone = [address for address in association.addresses if address not in answer.addresses]
            ended = b"".join(option(Code.IA_ADDRESS, address + _NO_LIFETIMES) for address in gone)
            if mine:
                yield _held(answer, association, mine, ended), True
            elif ended and (answer.addresses or not all(map(answer.is_on_link, gone))):
                yield _association(association, ended), False
            elif answer.addresses and association.code == Code.IA_NA:
                yield _refused(association, Status.NO_ADDRS_AVAIL), False
            else:
                yield _refused(association, Status.NO_BINDING), False

    return _told(each())


def noted(answer: Answer6, asked: Sequence[IdentityAssociation]) -> Told:
    """Name the associations that hold nothing, for a client that gives addresses back (RFC 8415 section 18.3.7)."""
    return _told(
        (_refused(association, Status.NO_BINDING), False)
        for association in asked
        if association.code != Code.IA_NA or not answer.addresses
    )


def shared(answer: Answer6, asked: Sequence[IdentityAssociation]) -> list[tuple[int, ...]]:
    """Give each association the numbers of its addresses, no address to two of them.

    First each keeps what it names. Of what is left, one goes to each association that has none, in their order, and
    the rest to the first. So the usual client with one association gets all, and one with two gets one for each.
    """
    held: list[list[int]] = [[] for _ in asked]
    places = [place for place, association in enumerate(asked) if association.code == Code.IA_NA]
    free = list(range(len(answer.addresses)))
    for place in places:
        held[place] = [number for number in free if answer.addresses[number] in asked[place].addresses]
        free = [number for number in free if number not in held[place]]
    for place in places:
        if free and not held[place]:
            held[place].append(free.pop(0))
    if places:
        held[places[0]] += free
    return [tuple(numbers) for numbers in held]


def _told(parts: Iterator[tuple[bytes, bool]]) -> Told:
    pairs = list(parts)
    return Told(b"".join(octets for octets, _ in pairs), any(has_address for _, has_address in pairs))


def _held(answer: Answer6, association: IdentityAssociation, numbers: Sequence[int], ended: bytes = b"") -> bytes:
    written = b"".join(answer.written[number] for number in numbers)
    return _association(association, written + ended, answer.timers)


def _refused(association: IdentityAssociation, why: Status) -> bytes:
    return _association(association, status(why))


def _association(association: IdentityAssociation, content: bytes, timers: bytes = _NO_TIMERS) -> bytes:
    """Write an association with the client's IAID; an IA_TA has no T1 and T2 (RFC 8415 section 21.5)."""
    fixed = association.iaid if association.code == Code.IA_TA else association.iaid + timers
    return option(association.code, fixed + content)
