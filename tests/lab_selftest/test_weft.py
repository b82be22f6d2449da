"""Does the wrapper start, stop and kill ``weft serve`` as tests expect, and show why when it cannot?"""

from pathlib import Path

import pytest
import requests

from tests.lab import ApiError, LabError, Weft
from tests.lab.process import CommandError


@pytest.fixture
def served(tmp_path: Path) -> Weft:
    """Give a Weft without a laboratory, not started yet."""
    return Weft(tmp_path)


def test_a_start_that_fails_shows_what_the_server_said(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="there is no option --nonsense"):
        Weft(tmp_path, arguments=("--nonsense",)).start()


def test_it_answers_while_it_runs_and_not_afterwards(served: Weft) -> None:
    with served:
        assert served.api.list("networks") == []
        url = served.url
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=2)


def test_a_restart_keeps_addresses_and_database(served: Weft) -> None:
    with served:
        before = (served.url, served.openflow)
        network = served.api.create("network", name="stays")
        served.restart()
        assert (served.url, served.openflow) == before
        assert served.api.show("network", network["id"])["name"] == "stays"


def test_it_starts_again_after_kill_9_of_its_parent_process(served: Weft) -> None:
    with served:
        network = served.api.create("network", name="stays")
        served.kill(only_parent=True)
        assert not served.is_running
        served.start()
        assert served.api.show("network", network["id"])["name"] == "stays"


def test_an_error_shows_the_body(served: Weft) -> None:
    with served, pytest.raises(ApiError, match="could not be found") as caught:
        served.api.show("network", "00000000-0000-0000-0000-000000000000")
    assert (caught.value.status, caught.value.kind) == (404, "NetworkNotFound")


def test_a_command_that_fails_shows_its_words(served: Weft) -> None:
    with served:
        with pytest.raises(CommandError, match="nowhere"):
            served.command("host", "show", "nowhere")
        assert "nowhere" in served.command("host", "show", "nowhere", check=False)
