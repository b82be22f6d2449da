"""A running reconciler over a store of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.controller.reconcile.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.reconciler.start()
    yield made
    made.close()
