"""Does what the operator says about the journal become what is done, or an error that names the setting?"""

import argparse

import pytest

from controller.errors import ConfigurationError
from controller.journal_settings import JOURNAL_KEEP


def test_what_is_not_said_is_a_million_changes() -> None:
    assert JOURNAL_KEEP.parse(None) == 1_000_000


def test_the_flag_says_the_same_to_another_process() -> None:
    parser = argparse.ArgumentParser()
    JOURNAL_KEEP.add_arguments(parser)
    args = parser.parse_args(JOURNAL_KEEP.flags("10000"))
    assert JOURNAL_KEEP.parse(getattr(args, JOURNAL_KEEP.name)) == 10_000


@pytest.mark.parametrize("value", ["0", "9999", "-1", "x", "", "1.5", "9" * 30])
def test_a_journal_too_short_for_its_readers_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="journal-keep"):
        JOURNAL_KEEP.parse(value)
