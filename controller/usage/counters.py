"""How much traffic was there between two readings of a counter that may have begun anew?

A switch's counters go back to zero when a device is plugged anew, when the switch restarts (unless the device outlives
it, as a kernel device does), and never otherwise. A total made of what was added between readings never goes back.
"""

from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Packets and octets, as the guest sees them: *in* is what it received."""

    packets_in: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    bytes_out: int = 0

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(
            packets_in=self.packets_in + other.packets_in,
            bytes_in=self.bytes_in + other.bytes_in,
            packets_out=self.packets_out + other.packets_out,
            bytes_out=self.bytes_out + other.bytes_out,
        )

    def __bool__(self) -> bool:
        """Whether there is any."""
        return any(astuple(self))


NONE = Traffic()


def grown(last: Traffic, now: Traffic) -> Traffic:
    """Return what was added since the last reading; all of it when any part has gone back, for then all began anew.

    A counter that began anew and has passed its last reading since cannot be told from one that went on: what it had
    counted up to then is left out, never counted twice.

    >>> grown(Traffic(bytes_in=100), Traffic(bytes_in=130)).bytes_in
    30
    >>> grown(Traffic(bytes_in=100), Traffic(bytes_in=30)).bytes_in
    30
    """
    before, after = astuple(last), astuple(now)
    if any(new < old for old, new in zip(before, after, strict=True)):
        return now
    packets_in, bytes_in, packets_out, bytes_out = (new - old for old, new in zip(before, after, strict=True))
    return Traffic(packets_in=packets_in, bytes_in=bytes_in, packets_out=packets_out, bytes_out=bytes_out)
