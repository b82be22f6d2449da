"""Is a wrong command line answered with what was probably meant?"""

import doctest

import pytest

from controller.cli import main, parsing


def test_the_examples_hold() -> None:
    assert doctest.testmod(parsing).failed == 0


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["netwrok", "list"], "there is no 'netwrok'. Did you mean network?"),
        (["network", "crate"], "Did you mean create"),
        (["port", "create", "--netwrok", "red"], "there is no option --netwrok. Did you mean --network?"),
        (["port", "create", "--network", "n", "--fixed-ip", "subnt=a"], "Did you mean subnet?"),
        (["port", "create", "--network", "n", "--fixed-ip", "a"], "give subnet=.., ip-address=.."),
        (["port", "create", "--network", "n", "--pvlan-type", "isolate"], "Did you mean isolated?"),
        (["port", "create"], "--network"),
        (["network", "create", "--mtu", "big"], "invalid int value: 'big'"),
        (["network", "create", "--shared", "--no-shared"], "not allowed with argument"),
        (["network", "list", "-c", "nam"], "there is no attribute nam. Did you mean name?"),
        (["network", "list", "--sort", "nme:desc"], "Did you mean name?"),
        (["network", "list", "--limit", "0"], "1 or more"),
        (["network", "list", "--filter", "name"], "KEY=VALUE"),
        (["network", "set", "red", "--clear", "everything"], "there is no 'everything'"),
        (["network", "show"], "NETWORK"),
        (["port", "set", "p", "--binding-profile", "x"], "neither KEY=VALUE nor a JSON object"),
        (["completion", "fish"], "there is no 'fish'"),
    ],
)
def test_a_mistake_is_explained_in_a_line(command: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command)
    shown = capsys.readouterr()
    assert (ended.value.code, shown.out) == (2, "")
    assert said in shown.err
    assert shown.err.count("\n") == 2
