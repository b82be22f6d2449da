"""Where does one JSON-RPC message end and the next begin? RFC 7047 section 4: bare JSON objects, no delimiter.

Only braces outside strings are counted; every byte is looked at once, however many pieces a message arrives in. OVSDB
writes sets and maps with square brackets, so there are few braces, and the way from one to the next is one step of the
regex engine.
"""

import json
import re
from typing import Any

from controller.southbound.ovsdb.errors import PeerError

MAX_MESSAGE_BYTES = 128 * 1024 * 1024
"""A peer that sends more in one message is not an OVSDB server; 10,000 interfaces are some 6 MiB."""

# One way to match any text, so giving up costs no more than going on. Not possessive: the ones of CPython 3.11.2, which
# Debian 12 has, stop too early.
_TO_NEXT_BRACE = re.compile(rb'[^{}"]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^{}"]*)*', re.DOTALL)
_REST_OF_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_BLANKS = re.compile(rb"[ \t\r\n]*")

_QUOTE, _OPEN, _BACKSLASH = ord('"'), ord("{"), ord("\\")


class Framer:
    """Cut a byte stream into decoded JSON objects."""

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._buffer = bytearray()
        self._at = 0
        """Everything before this offset has been scanned."""
        self._depth = 0
        self._in_string = False
        self._max_bytes = max_bytes

    def feed(self, piece: bytes) -> list[dict[str, Any]]:
        """Take what was received and return the messages it completed.

        Raises:
            PeerError: what comes is no sequence of JSON objects, or one is too long.
        """
        self._buffer += piece
        messages = []
        while (end := self._scan()) is not None:
            messages.append(_decode(bytes(self._buffer[:end])))
            del self._buffer[:end]
            self._at = 0
        if len(self._buffer) > self._max_bytes:
            raise PeerError(why=f"sent a message of more than {self._max_bytes} bytes")
        return messages

    def _scan(self) -> int | None:
        """Return the end of the message the buffer begins with, or None while it is not complete."""
        buffer = self._buffer
        if self._depth == 0 and not self._skip_blanks():
            return None
        while True:
            if self._in_string and not self._finish_string():
                return None
            self._at = _end(_TO_NEXT_BRACE, buffer, self._at)
            if self._at == len(buffer):
                return None
            byte = buffer[self._at]
            self._at += 1
            if byte == _QUOTE:  # a string that does not end in what is here yet
                self._in_string = True
            elif byte == _OPEN:
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth == 0:
                    return self._at

    def _skip_blanks(self) -> bool:
        """Drop blanks before a message; return whether one begins."""
        del self._buffer[: _end(_BLANKS, self._buffer, 0)]
        if not self._buffer:
            return False
        if self._buffer[0] != _OPEN:
            raise PeerError(why=f"does not speak JSON-RPC (it sent {bytes(self._buffer[:20])!r})")
        return True

    def _finish_string(self) -> bool:
        self._at = _end(_REST_OF_STRING, self._buffer, self._at)
        if self._at == len(self._buffer) or self._buffer[self._at] == _BACKSLASH:
            return False
        self._at += 1
        self._in_string = False
        return True


def _end(pattern: re.Pattern[bytes], buffer: bytearray, at: int) -> int:
    found = pattern.match(buffer, at)
    return found.end() if found else at


def _decode(text: bytes) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PeerError(why=f"sent text that is not JSON: {error}") from error
    if not isinstance(message, dict):
        raise PeerError(why="sent JSON that is not an object")
    return message
