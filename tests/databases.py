"""How does a test get an empty database? A copy of one that was migrated once in this process.

A migration takes some 0.2 s of processor time, a copy none; that a migration gives what the code expects is asked by
tests/unit/controller/store/test_migrations.py. Random choices are the same in every run: a test may name an address
beside those that are drawn.
"""

import random
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from controller.store.database import Database

NAME = "weft.db"


def a_database(directory: Path, **options: Any) -> Database:
    """Return the SQLite database in ``directory``, an empty one at first; the options are those of ``Database``."""
    options.setdefault("rng", random.Random(7))
    path = directory / NAME
    if "settings" not in options and not path.exists():  # a migration stores what the settings say
        path.write_bytes(_migrated())
    database = Database(f"sqlite:///{path}", **options)
    if "settings" in options:
        database.migrate()
    return database


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory(prefix="weft-template-") as directory:
        path = Path(directory) / NAME
        database = Database(f"sqlite:///{path}")
        database.migrate()
        database.close()  # the last connection moves the write-ahead log into the file (sqlite.org, wal, section 2.2)
        return path.read_bytes()
