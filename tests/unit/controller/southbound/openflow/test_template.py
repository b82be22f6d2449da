"""Are templates as good as the bytes they were made of?"""

import pytest

from controller.southbound.openflow.errors import EncodeError
from controller.southbound.openflow.template import compile_template


def test_variables_of_any_width_and_place_are_found() -> None:
    def build(values: object) -> bytes:
        first, second, third = values  # type: ignore[misc]
        return b"\xaa" + bytes([third << 3]) + first.to_bytes(6, "big") + b"\xbb" + second.to_bytes(16, "big")

    template = compile_template(build, (48, 128, 5))
    for values in ((0, 0, 0), (1, 2, 3), ((1 << 48) - 1, (1 << 128) - 1, 31)):
        assert template.pack(values) == build(values)


@pytest.mark.parametrize("value", [256, 1 << 40, -1])
def test_a_value_that_does_not_fit_is_refused_and_spoils_no_neighbour(value: int) -> None:
    template = compile_template(bytes, (8, 8))
    with pytest.raises(EncodeError, match="does not fit 8 bits"):
        template.pack((1, value))


@pytest.mark.parametrize(
    "build",
    [
        lambda values: bytes(values) * 2,  # twice in the message
        lambda values: bytes(values[0]),  # length depends on the value
        lambda values: bytes([values[0], values[0] >> 7]),  # something else moves
        lambda values: bytes([values[0] ^ (values[0] == 0x5A)]),  # a value that is treated apart
        lambda values: b"\0" if values else b"",  # not there at all
    ],
)
def test_bytes_that_are_not_constant_but_for_the_variables_are_refused(build: object) -> None:
    with pytest.raises(EncodeError):
        compile_template(build, (8,))  # type: ignore[arg-type]
