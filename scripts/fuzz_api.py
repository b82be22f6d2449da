"""Does the API survive a long run of requests made up from its own description? ``scripts/fuzz_api.py --examples 200``.

Every operation of /openapi.json gets as many requests, good and bad ones, on ids that exist. An answer that is a 500,
or not what the description says, is printed with the request that led to it, and the exit code is 1.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from api.app import create_app
from api.auth import NoAuth
from api.errors import ControllerAbsent
from controller.store.database import Database
from tests.unit.api.fuzzing import fuzz


class NoController:
    """A controller process that is not running."""

    def call(self, op: str, args: Mapping[str, object]) -> object:
        """Say so."""
        raise ControllerAbsent(f"no controller for {op} {args}")


def main() -> int:
    """Run, and say how many answers there were of each status."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz_api.py", description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="requests for each operation (default 200)")
    parser.add_argument("--seed", type=int, default=None, help="repeats a run; printed at the end")
    args = parser.parse_args()
    seed = random.randrange(2**32) if args.seed is None else args.seed  # noqa: S311 - no secret
    logging.getLogger("weft.api").setLevel(logging.ERROR)  # a controller that is not there is expected
    begun = time.monotonic()
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="weft-fuzz-") as directory:
        database = Database(f"sqlite:///{directory}/weft.db")
        database.migrate()
        application = create_app(database, auth=NoAuth(), control=NoController())
        tally = fuzz(application, examples=args.examples, rng=random.Random(seed))  # noqa: S311 - no secret
        database.close()
    answers = ", ".join(f"{count} times {status}" for status, count in sorted(tally.items()))
    print(f"{tally.total()} requests in {time.monotonic() - begun:.0f} s, seed {seed}: {answers}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
