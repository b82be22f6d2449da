"""Is an author told what a plug-in does otherwise than the contract says, and nothing about one that keeps it?"""

import itertools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from controller.plugins import compliance
from controller.plugins.compliance import findings
from controller.plugins.contract import (
    Advertisement,
    AskedNetwork,
    Condition,
    Engine,
    EngineContext,
    Health,
    Objection,
    Plugin,
    Vif,
)
from controller.plugins.openflow import OpenFlowPlugin
from controller.plugins.registry import Loaded
from controller.records import Network, Port


class Follower(Engine):
    """Reads its feed in a thread of its own, as the contract wants it."""

    def __init__(self, context: EngineContext) -> None:
        self.context = context
        self.wake, self.stopping = threading.Event(), False
        self.thread = threading.Thread(target=self.run, name="follower")

    def start(self) -> None:
        self.context.feed.open()
        self.context.tell_health(Health(condition=Condition.UP))
        self.thread.start()

    def stop(self) -> None:
        self.stopping = True
        self.wake.set()
        self.thread.join()

    def intent_changed(self) -> None:
        self.wake.set()

    def run(self) -> None:
        while not self.stopping:
            self.wake.wait()
            self.wake.clear()
            self.read()

    def read(self) -> None:
        self.context.feed.poll()


class Mortal(Follower):
    """Says nothing of itself, stops following when a network goes, and leaves its thread behind."""

    def start(self) -> None:
        self.context.feed.open()
        self.thread.start()

    def stop(self) -> None:
        raise OSError("no")

    def read(self) -> None:
        if None in self.context.feed.poll().networks.values():
            self.stopping = True


class Good(Plugin):
    """Keeps the contract."""

    name: ClassVar[str] = "good"
    version: ClassVar[str] = "1"
    follower: ClassVar[type[Follower]] = Follower

    def advertise(self) -> Advertisement:
        return Advertisement(summary="Fine.", network_types=("tokens",), capabilities=())

    def vif(self, datapath_type: str) -> Vif:
        return Vif(vif_type="tap", details={"datapath": datapath_type})

    def engine(self, context: EngineContext) -> Engine:
        return self.follower(context)


class Bad(Good):
    """Does not."""

    follower = Mortal
    counter = itertools.count()

    def verify_network(self, asked: AskedNetwork) -> Sequence[Objection]:
        return (Objection(attribute="name", reason=f"not now, {next(self.counter)} {bool(asked)}"),)

    def verify_port(self, network: Network, port: Port) -> Sequence[Objection]:
        return () if not port.fixed_ips else (Objection(attribute="fixed_ips", reason=network.name),)

    def vif(self, datapath_type: str) -> Vif:
        return Vif(vif_type="tap", details={"datapath": {datapath_type}})


def check(plugin: Plugin, directory: Path) -> list[str]:
    loaded = Loaded(plugin=plugin, advertisement=plugin.advertise(), distribution="")
    return list(findings(loaded, directory))


def test_nothing_is_found_where_the_contract_is_kept(tmp_path: Path) -> None:
    assert check(Good({}), tmp_path) == []


def test_what_has_no_engine_is_checked_as_far_as_it_goes(tmp_path: Path) -> None:
    assert check(OpenFlowPlugin({}), tmp_path) == []


def test_each_breach_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compliance, "FOLLOWS_S", 0.5)
    monkeypatch.setattr(Bad, "verify_network", Good.verify_network)
    engine = check(Bad({}), tmp_path)
    for part in (
        "vif('system'): expected a Vif whose details are JSON",
        "feed: expected it to be read after a network that comes from another plug-in",
        "tell_health: expected one call",
        "stop(): expected it to return, found it raising OSError('no')",
    ):
        assert part in "\n".join(engine)
    monkeypatch.undo()
    face = list(compliance.of_face(Bad({}), Bad({}).advertise()))
    assert "verify_network(tokens): expected the same each time" in "\n".join(face)
