"""From which state of the intent was a desired state compiled? How it is written on a switch is in ``mark``."""

from dataclasses import dataclass

BITS = 32
"""Of each number on the switch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentMark:
    """Which state of the intent a desired state was compiled from.

    Attributes:
        epoch: The first 32 bits of a hash of the database's epoch.
        seq: Number of the last journal entry taken in, 32 bits.
        first: Number of the oldest journal entry that is kept.
    """

    epoch: int
    seq: int
    first: int = 0

    def __post_init__(self) -> None:
        """Refuse what the mark cannot hold.

        Raises:
            ValueError: A number does not fit 32 bits.
        """
        for name, value in (("epoch", self.epoch), ("seq", self.seq)):
            if not 0 <= value < (1 << BITS) - (name == "seq"):
                raise ValueError(f"intent mark: {name} {value} does not fit {BITS} bits")
