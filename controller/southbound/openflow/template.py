"""How are bytes of a known form made fast, while os-ken stays the only one who knows the form?

A template is what os-ken serialised once with every variable at zero, and where each variable's bits lie. The places
are found, not written down: os-ken serialises again with all bits of one variable set, and what differs is the
variable's place.
"""

from collections.abc import Callable, Sequence

from controller.southbound.openflow.errors import EncodeError

Build = Callable[[Sequence[int]], bytes]

_PROBES = (0x5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A, 0xA3C5A3C5A3C5A3C5A3C5A3C5A3C5A3C5)
"""Bit patterns without symmetry within an octet, as wide as the widest field."""


class Template:
    """Bytes with holes; the whole is kept as one integer, so that a hole may have any width and place."""

    __slots__ = ("_base", "_size", "_slots")

    def __init__(self, base: bytes, slots: Sequence[tuple[int, int]]) -> None:
        """Take the bytes with zeros in the holes, and each hole as (distance of its lowest bit from the end, width)."""
        self._size = len(base)
        self._base = int.from_bytes(base, "big")
        self._slots = tuple(slots)

    def pack(self, values: Sequence[int]) -> bytes:
        """Return the bytes with `values` in the holes.

        Raises:
            EncodeError: A value does not fit its hole.
        """
        whole = self._base
        for (shift, bits), value in zip(self._slots, values, strict=True):
            if value >> bits:  # also true for every negative number
                raise EncodeError(f"{value:#x} does not fit {bits} bits")
            whole |= value << shift
        return whole.to_bytes(self._size, "big")


def compile_template(build: Build, widths: Sequence[int]) -> Template:
    """Find the places of the variables in what `build` makes; `widths` are theirs in bits.

    Raises:
        EncodeError: The bytes are not constant but for these variables.
    """
    zeros = [0] * len(widths)
    try:
        base = build(zeros)
    except EncodeError:
        raise
    except Exception as error:  # os-ken has no errors of its own for what it does not know
        raise EncodeError(f"os-ken cannot write this: {error!r}") from error
    slots: list[tuple[int, int]] = []
    for at, bits in enumerate(widths):
        ones = build([*zeros[:at], (1 << bits) - 1, *zeros[at + 1 :]])
        if len(ones) != len(base):
            raise EncodeError(f"the length of the message depends on variable {at}")
        moved = int.from_bytes(ones, "big") ^ int.from_bytes(base, "big")
        shift = (moved & -moved).bit_length() - 1
        if moved != ((1 << bits) - 1) << max(shift, 0):
            raise EncodeError(f"variable {at} is not once, whole and in one place in the message")
        slots.append((shift, bits))
    template = Template(base, slots)
    for probe in _PROBES:
        values = [(probe >> at % 8) & (1 << bits) - 1 for at, bits in enumerate(widths)]
        if template.pack(values) != build(values):
            raise EncodeError("bytes outside the variables change with them")
    return template
