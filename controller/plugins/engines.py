"""Who brings the plug-ins' networks about in this process? The engines, each with a feed of its own.

An engine that cannot be made or started leaves the others alone: its plug-in is down, and the directory says why.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from controller.errors import PortNotFound
from controller.plugins.contract import Condition, Engine, EngineContext, Health
from controller.plugins.registry import Loaded
from controller.reconcile.feed import Feed
from controller.reconcile.sink import StateWriter
from controller.store.database import Database

_log = logging.getLogger(__name__)


class Engines:
    """The engines of every plug-in but Weft's own, which the controller runs itself."""

    def __init__(self, plugins: Iterable[Loaded], *, database: Database, writer: StateWriter) -> None:
        """Make the engines; `start` begins."""
        self._writer = writer
        self._engines: dict[str, Engine] = {}
        for one in plugins:
            engine = self._made(one, database)
            if engine is not None:
                self._engines[one.plugin.name] = engine

    def start(self) -> None:
        """Start every engine; one that fails is left out."""
        for name, engine in list(self._engines.items()):
            try:
                engine.start()
            except Exception as error:  # noqa: BLE001 - somebody else's code must not keep Weft from starting
                _log.exception("engine_not_started plugin=%s", name)
                self._say_down(name, f"its engine could not be started: {error!r}")
                del self._engines[name]

    def stop(self) -> None:
        """Stop every engine."""
        for name, engine in self._engines.items():
            try:
                engine.stop()
            except Exception:  # noqa: BLE001 - the others must be stopped, too
                _log.exception("engine_not_stopped plugin=%s", name)

    def intent_changed(self) -> None:
        """Tell every engine that its feed may have more."""
        for name, engine in self._engines.items():
            try:
                engine.intent_changed()
            except Exception:  # noqa: BLE001 - the others must hear of it, too
                _log.exception("engine_not_told plugin=%s", name)

    def trace(self, asked: Mapping[str, Any], own: Callable[[Mapping[str, Any]], object]) -> object:
        """Return what becomes of a packet, from the engine whose port sends it.

        Args:
            asked: the question.
            own: answers for Weft's own flow tables.

        Raises:
            WeftError: Nobody knows the sender, or who does cannot answer.
        """
        try:
            return own(asked)
        except PortNotFound:
            for engine in self._engines.values():
                answer = engine.trace(asked)
                if answer is not None:
                    return answer
            raise

    def _made(self, one: Loaded, database: Database) -> Engine | None:
        name = one.plugin.name

        def tell_health(health: Health) -> None:
            self._writer.health(name, health)

        context = EngineContext(
            feed=Feed(database, plugin=name, prepares_moves=one.plugin.prepares_moves),
            sink=self._writer,
            tell_health=tell_health,
            monotonic=time.monotonic,
        )
        try:
            engine = one.plugin.engine(context)
        except Exception as error:  # noqa: BLE001 - somebody else's code must not keep Weft from starting
            _log.exception("engine_not_made plugin=%s", name)
            self._say_down(name, f"its engine could not be made: {error!r}")
            return None
        if engine is None:
            tell_health(Health(condition=Condition.UP, detail="It has no engine: somebody else does the work."))
        return engine

    def _say_down(self, name: str, detail: str) -> None:
        self._writer.health(name, Health(condition=Condition.DOWN, detail=detail))
