"""Where does one OpenFlow message end and the next begin?"""

from collections.abc import Iterator

from controller.southbound.openflow.errors import FramingError
from controller.southbound.openflow.messages import HEADER_SIZE


class Framer:
    """Cuts a stream of bytes into messages; keeps at most the beginning of one message, 65,535 octets."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the messages that are complete with `piece`.

        Raises:
            FramingError: A message is shorter than its own header (OpenFlow 1.4 section 7.1); nothing after it can be
            cut.
        """
        stream = self._rest + piece if self._rest else piece
        at, end = 0, len(stream)
        while end - at >= HEADER_SIZE:
            size = stream[at + 2] << 8 | stream[at + 3]
            if size < HEADER_SIZE:
                self._rest = b""
                raise FramingError(f"a message of {size} octets is shorter than its header")
            if end - at < size:
                break
            yield stream[at : at + size]
            at += size
        self._rest = stream[at:]
