"""Are JSON-RPC messages cut out of the stream whole, wherever the pieces end?"""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.ovsdb.errors import PeerError
from controller.southbound.ovsdb.framing import Framer

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('{}[]"\\ ,:aé€\n😀')),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('{}"\\a'), inner, max_size=3),
    max_leaves=8,
)
_messages = st.dictionaries(st.text('{}"\\a'), _values, max_size=3)


@given(
    messages=st.lists(_messages, max_size=5),
    ascii_only=st.booleans(),
    cuts=st.lists(st.integers(0, 400)),
    gap=st.text(" \n\t"),
)
def test_any_messages_cut_anywhere_arrive_whole(
    messages: list[dict[str, object]], ascii_only: bool, cuts: list[int], gap: str
) -> None:
    stream = gap.join(json.dumps(message, ensure_ascii=ascii_only) for message in messages).encode()
    framer, got, at = Framer(), [], 0
    for cut in [*sorted(cut for cut in cuts if cut < len(stream)), len(stream)]:
        got += framer.feed(stream[at:cut])
        at = cut
    assert messages == got


@given(message=_messages)
def test_a_message_is_complete_with_its_last_byte_and_not_before(message: dict[str, object]) -> None:
    framer = Framer()
    pieces = [framer.feed(bytes([byte])) for byte in json.dumps(message).encode()]
    assert pieces[-1] == [message]
    assert not any(pieces[:-1])


@pytest.mark.parametrize("stream", [b"HTTP/1.1 400 Bad Request", b"[1]", b"}", b'{"a":1}x', b"{a}", b'{"\xff":1}'])
def test_what_is_not_json_rpc_is_refused(stream: bytes) -> None:
    with pytest.raises(PeerError):
        Framer().feed(stream)


def test_a_message_without_end_is_refused_at_the_limit() -> None:
    framer = Framer(max_bytes=1000)
    framer.feed(b'{"a":"' + b"x" * 900)
    with pytest.raises(PeerError, match="more than 1000 bytes"):
        framer.feed(b"x" * 100)


@pytest.mark.parametrize("row", [{"name": "tap", "ofport": ["set", []]}, {"name": 'a"{' * 3}], ids=["rows", "escapes"])
def test_the_cost_grows_with_the_bytes_and_not_with_the_pieces(row: dict[str, object]) -> None:
    """8 MiB in pieces of 4 KiB: quadratic work would be 8 GiB of scanning."""
    message = {"result": {str(number): row for number in range((8 << 20) // len(json.dumps(row)))}}
    stream = json.dumps(message).encode()
    framer, got = Framer(), []
    begun = time.process_time()
    for at in range(0, len(stream), 4096):
        got += framer.feed(stream[at : at + 4096])
    assert [message] == got
    assert time.process_time() - begun < 5


def test_one_huge_string_in_many_pieces_is_scanned_once() -> None:
    stream = json.dumps({"a": "x\\" * (2 << 20)}).encode()
    framer, got = Framer(), []
    begun = time.process_time()
    for at in range(0, len(stream), 4096):
        got += framer.feed(stream[at : at + 4096])
    assert len(got) == 1
    assert time.process_time() - begun < 5
