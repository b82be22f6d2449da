"""Is a value that a person wrote put into the octets that its RFC says, or refused?"""

import pytest

from controller.dhcp import values


def test_a_name_is_written_in_labels() -> None:
    """RFC 1035 section 3.1."""
    assert values.domain("a.Example_1.org.") == b"\1a\x09Example_1\3org\0"
    assert values.domains("a, b.c") == b"\1a\0\1b\1c\0"


@pytest.mark.parametrize("name", ["", ".", "a..b", "-a.b", "a b", "ä.org", "x" * 64, ".".join(["y" * 63] * 4)])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"is no domain name|longer than"):
        values.domain(name)


@pytest.mark.parametrize(("written", "seconds"), [("90", 90), ("45m", 2700), ("1W", 604_800), ("infinite", 0xFFFFFFFF)])
def test_a_time_has_a_unit_or_is_in_seconds(written: str, seconds: int) -> None:
    assert values.seconds(written) == seconds.to_bytes(4, "big")


@pytest.mark.parametrize("written", ["", "1y", "-1", "1.5h", "8000w", "never"])
def test_what_is_no_time_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"the time must be|from 0 to"):
        values.seconds(written)


@pytest.mark.parametrize(("written", "size"), [("0", 1), ("255", 1), ("256", 2), ("65536", 4)])
def test_a_number_of_no_declared_size_takes_the_least(written: str, size: int) -> None:
    assert values.least_number(written) == int(written).to_bytes(size, "big")


def test_octets_are_told_from_numbers_and_text() -> None:
    assert values.are_octets("1:0a:FF")
    assert not values.are_octets("ff")
    assert not values.are_octets("1:xx")
    assert values.octets("1:0a:FF") == b"\x01\x0a\xff"
    with pytest.raises(ValueError, match="hexadecimal octets"):
        values.octets("1:xx")
