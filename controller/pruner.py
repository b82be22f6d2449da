"""When is forgotten what need not be remembered any longer? One thread of the controller process, every minute."""

import logging
import threading

from controller.errors import WeftError
from controller.store.pruning import STEPS, Keeping, Store

_log = logging.getLogger(__name__)

PERIOD_S = 60.0
PAUSE_S = 0.02
"""After each small transaction: as long as some others take."""


class Pruner:
    """Keeps the database from growing with time."""

    def __init__(
        self, database: Store, keeping: Keeping, *, period_s: float = PERIOD_S, pause_s: float = PAUSE_S
    ) -> None:
        """Prepare; `start` begins."""
        self._database, self._keeping = database, keeping
        self._period_s, self._pause_s = period_s, pause_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pruner", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is left is forgotten when Weft runs again."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def prune(self) -> dict[str, int]:
        """Forget what is to be forgotten now, unless it is stopped meanwhile; return how many rows of what went.

        Raises:
            DatabaseError: The database refused.
        """
        forgotten: dict[str, int] = {}
        for name, step in STEPS.items():
            for count in step(self._database, self._keeping):
                forgotten[name] = forgotten.get(name, 0) + count
                if self._stop.wait(self._pause_s):
                    return forgotten
        return forgotten

    def _run(self) -> None:
        while not self._stop.wait(self._period_s):
            try:
                forgotten = self.prune()
            except WeftError as error:
                _log.warning("pruning_put_off error=%r", str(error))
            except Exception:  # noqa: BLE001 - the next time must come
                _log.exception("pruning_failed")
            else:
                if forgotten:
                    _log.debug("pruned rows=%r", forgotten)
