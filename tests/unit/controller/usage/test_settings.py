"""Does what the operator says about usage become what is done, or an error that names the setting?"""

import argparse

import pytest

from controller.errors import ConfigurationError
from controller.usage.settings import NAMES, UsageSettings, add_arguments, flags, parse


def test_what_is_not_said_is_as_usual() -> None:
    assert parse({}) == UsageSettings(period_s=60, sample_s=300, keep_s=30 * 86_400)


def test_flags_say_the_same_to_another_process() -> None:
    given = {"usage_period": "1", "usage_sample": "2", "usage_keep": "3"}
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args(flags(given))
    assert parse({name: getattr(args, name) for name in NAMES}) == parse(given)
    assert parse(given) == UsageSettings(period_s=1, sample_s=2, keep_s=3 * 86_400)


@pytest.mark.parametrize("value", ["0", "-1", "x", "", "1.5", "9" * 30])
def test_a_wrong_number_is_named(value: str) -> None:
    with pytest.raises(ConfigurationError, match="usage-period"):
        parse({"usage_period": value})
