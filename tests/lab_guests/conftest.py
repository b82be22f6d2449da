"""One laboratory with two hypervisors for all modules; each has guests of its own, shared by its tests."""

from collections.abc import Iterator

import pytest

from tests.lab.cloud import two_hosts
from tests.lab_guests.stage import Stage


@pytest.fixture(scope="package")
def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give the laboratory; whoever used it leaves it empty (`Stage.clear`)."""
    with two_hosts(tmp_path_factory.mktemp("guests")) as made:
        yield Stage(**made)


@pytest.fixture
def stage(shared_stage: Stage) -> Stage:
    """Give the laboratory as it is, with the guests that the module's tests share."""
    return shared_stage
