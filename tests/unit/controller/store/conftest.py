"""Which database does a test of the store work on? An empty one of its own, in a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.store.database import Database
from tests.databases import a_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = a_database(tmp_path)
    yield opened
    opened.close()
