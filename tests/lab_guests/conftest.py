"""One laboratory with two hypervisors for all modules; each has guests of its own, shared by its tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, Weft
from tests.lab_guests.stage import Stage


@pytest.fixture(scope="package")
def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give the laboratory; whoever used it leaves it empty (`Stage.clear`)."""
    directory: Path = tmp_path_factory.mktemp("guests")
    with Lab(directory / "lab") as lab, Weft(directory / "weft", lab=lab) as weft:
        h1, h2 = lab.hypervisor("h1"), lab.hypervisor("h2")
        lab.warm_up()
        weft.add_host(h1)
        weft.add_host(h2)
        yield Stage(lab=lab, weft=weft, h1=h1, h2=h2)


@pytest.fixture
def lab(shared_stage: Stage) -> Lab:
    """Let a failing test show the laboratory's logs."""
    return shared_stage.lab


@pytest.fixture
def weft(shared_stage: Stage) -> Weft:
    """Let a failing test show Weft's log."""
    return shared_stage.weft


@pytest.fixture
def stage(shared_stage: Stage, lab: Lab, weft: Weft) -> Stage:
    """Give the laboratory as it is, with the guests that the module's tests share."""
    return shared_stage
