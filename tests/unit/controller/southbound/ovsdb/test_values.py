"""Are OVSDB values read as RFC 7047 section 5.1 writes them, and nonsense refused?"""

from collections.abc import Callable
from typing import Any

import pytest

from controller.southbound.ovsdb import values
from controller.southbound.ovsdb.errors import PeerError


@pytest.mark.parametrize(
    ("read", "wire", "value"),
    [
        (values.optional_int, 7, 7),
        (values.optional_int, ["set", []], None),
        (values.optional_int, ["set", [7]], 7),
        (values.optional_text, ["set", []], None),
        (values.optional_text, "up", "up"),
        (values.texts, "OpenFlow14", {"OpenFlow14"}),
        (values.texts, ["set", ["a", "b"]], {"a", "b"}),
        (values.ints, 4095, {4095}),
        (values.uuids, ["uuid", "u1"], {"u1"}),
        (values.uuids, ["set", [["uuid", "u1"], ["uuid", "u2"]]], {"u1", "u2"}),
        (values.uuids, ["set", []], set()),
        (values.text_map, ["map", [["key", "flow"]]], {"key": "flow"}),
        (values.text_map, ["map", []], {}),
    ],
)
def test_both_ways_of_writing_a_value_are_read(read: Callable[[Any], Any], wire: Any, value: object) -> None:
    assert read(wire) == value


@pytest.mark.parametrize(
    ("read", "wire"),
    [
        (values.optional_int, ["set", [1, 2]]),
        (values.optional_int, "7"),
        (values.optional_int, True),
        (values.integer, ["set", []]),
        (values.text, None),
        (values.texts, [1, 2, 3]),
        (values.texts, ["set", [None]]),
        (values.uuids, "u1"),
        (values.uuids, ["set", ["u1"]]),
        (values.text_map, {"key": "flow"}),
        (values.text_map, ["map", [["key"]]]),
        (values.text_map, ["map", [["key", 7]]]),
        (values.text_map, ["set", []]),
    ],
)
def test_values_of_another_shape_are_refused(read: Callable[[Any], Any], wire: Any) -> None:
    with pytest.raises(PeerError):
        read(wire)
