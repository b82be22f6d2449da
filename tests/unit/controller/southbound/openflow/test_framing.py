"""Are messages cut out of a stream however it arrives?"""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.openflow.errors import FramingError
from controller.southbound.openflow.framing import Framer

messages = st.lists(
    st.binary(max_size=100).map(lambda body: struct.pack("!BBHI", 5, 10, 8 + len(body), 1) + body), max_size=20
)


@given(messages=messages, cuts=st.lists(st.integers(0, 2000)))
def test_messages_are_the_same_however_the_stream_is_cut(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(messages)
    framer, at, found = Framer(), 0, []
    for end in [*sorted(c for c in cuts if c < len(stream)), len(stream)]:
        found += list(framer.feed(stream[at:end]))
        at = end
    assert found == messages


@pytest.mark.parametrize("size", [0, 7])
def test_a_message_shorter_than_its_header_ends_the_stream(size: int) -> None:
    good = struct.pack("!BBHI", 5, 2, 8, 1)
    messages = Framer().feed(good + struct.pack("!BBHI", 5, 2, size, 1))
    assert next(messages) == good
    with pytest.raises(FramingError, match=f"{size} octets"):
        next(messages)
