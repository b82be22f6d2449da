"""Is a question about a packet answered by the engine whose port sends it?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from controller.errors import PortNotFound
from controller.plugins.contract import Advertisement, Engine, EngineContext, Plugin, Vif
from controller.plugins.engines import Engines
from controller.plugins.registry import Loaded
from controller.reconcile.sink import StateWriter
from controller.store.database import Database


class Idle(Engine):
    """Brings nothing about; knows one port."""

    def __init__(self, port: str) -> None:
        self.port = port

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""

    def intent_changed(self) -> None:
        """Do nothing."""

    def trace(self, asked: Mapping[str, object]) -> Mapping[str, object] | None:
        """Answer for its port."""
        return {"sentence": f"{self.port} is mine"} if asked["from"] == self.port else None


class Silent(Idle):
    """One that advertises no traces."""

    trace = Engine.trace


def a_plugin(name: str, made: Engine) -> Loaded:
    class Made(Plugin):
        version = "1"

        def advertise(self) -> Advertisement:
            return Advertisement(summary="", network_types=(), capabilities=())

        def vif(self, datapath_type: str) -> Vif:
            return Vif(vif_type=datapath_type)

        def engine(self, context: EngineContext) -> Engine:
            assert context.feed is not None
            return made

    Made.name = name
    plugin = Made({})
    return Loaded(plugin=plugin, advertisement=plugin.advertise(), distribution="")


def own(asked: Mapping[str, Any]) -> object:
    if asked["from"] == "ours":
        return {"sentence": "ours is mine"}
    raise PortNotFound(asked["from"])


def test_a_trace_is_answered_by_who_has_the_sender(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'weft.db'}")
    plugins = [a_plugin("silent", Silent("theirs")), a_plugin("one", Idle("red")), a_plugin("two", Idle("blue"))]
    engines = Engines(plugins, database=database, writer=StateWriter(database))
    for port in ("ours", "red", "blue"):
        assert engines.trace({"from": port}, own) == {"sentence": f"{port} is mine"}
    with pytest.raises(PortNotFound, match="theirs"):
        engines.trace({"from": "theirs"}, own)
    database.close()
