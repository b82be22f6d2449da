"""One stage for a whole run of these tests: making three hypervisors takes longer than most faults."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab_faults.stage import Stage, standing


@pytest.fixture(scope="session")
def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory: Path = tmp_path_factory.mktemp("faults")
    with standing(directory) as stage:
        yield stage


@pytest.fixture
def stage(shared_stage: Stage) -> Iterator[Stage]:
    """Give the stage, whole and empty."""
    yield shared_stage
    shared_stage.clear()
    shared_stage.settle()
