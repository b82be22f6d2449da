"""Does the plug-in of docs/plugins.md work as it stands there?"""

import contextlib
import importlib
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.cli import main
from controller.plugins.contract import Condition, EngineContext, Health
from controller.plugins.faces import Faces
from controller.plugins.registry import Loaded, Registry, check, check_advertisement
from controller.reconcile.feed import Feed
from controller.reconcile.sink import StateWriter
from controller.services import networks, ports
from controller.store.database import Database
from tests.unit.controller.store.builders import ADMIN, a_network, a_port

PAGE = Path(__file__).parents[4] / "docs" / "plugins.md"
MODULE = "handoff_of_the_docs"
PATIENCE_S = 10.0


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / f"{MODULE}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module(MODULE)
    sys.modules.pop(MODULE)


@pytest.fixture
def database(module: Any, tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "files").mkdir()
    plugin = module.HandoffPlugin({"directory": str(tmp_path / "files")})
    check(module.HandoffPlugin, "handoff")
    loaded = Loaded(plugin=plugin, advertisement=check_advertisement("handoff", plugin.advertise()), distribution="")
    database = Database(f"sqlite:///{tmp_path / 'weft.db'}", faces=Faces(Registry({"handoff": loaded}, ())))
    database.migrate()
    yield database
    database.close()


def files(directory: Path) -> dict[str, list[str]]:
    found = {}
    for path in directory.glob("*.json"):
        with contextlib.suppress(FileNotFoundError):  # the engine may remove it just now
            found[path.stem] = json.loads(path.read_text())["macs"]
    return found


def eventually(directory: Path, wanted: dict[str, list[str]]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while (found := files(directory)) != wanted:
        assert time.monotonic() < deadline, f"{found} is not {wanted}"
        time.sleep(0.02)


def test_its_files_follow_the_intent(database: Database, tmp_path: Path) -> None:
    told: list[Health] = []
    with database.write() as tx:
        network = a_network(tx, port_security_enabled=False)
        first = a_port(tx, network)
    context = EngineContext(
        feed=Feed(database, plugin="handoff"),
        sink=StateWriter(database),
        tell_health=told.append,
        monotonic=time.monotonic,
    )
    engine = database.faces.registry.loaded["handoff"].plugin.engine(context)
    assert engine is not None
    database.add_listener(engine.intent_changed)
    engine.start()
    try:
        eventually(tmp_path / "files", {network.id: [first.mac_address]})
        with database.write() as tx:
            second = a_port(tx, network)
        eventually(tmp_path / "files", {network.id: sorted([first.mac_address, second.mac_address])})
        with database.write() as tx:
            ports.delete(tx, ADMIN, first.id)
            ports.delete(tx, ADMIN, second.id)
        eventually(tmp_path / "files", {network.id: []})
        with database.write() as tx:
            networks.delete(tx, ADMIN, network.id)
        eventually(tmp_path / "files", {})
    finally:
        engine.stop()
    assert [health.condition for health in told] == [Condition.UP]


@pytest.mark.usefixtures("module")
def test_it_passes_the_check_for_authors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = f"{MODULE}:HandoffPlugin"
    assert main(["plugin", "check", target, "--setting", f"directory={tmp_path}"]) == 0
    assert "handoff keeps the contract: handoff" in capsys.readouterr().out
    assert main(["plugin", "check", target]) == 1
    assert "set `directory`" in capsys.readouterr().err
