"""What if the database is not the one of yesterday? Switches get what it says, and what stays is not hurt."""

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.lab_faults import observe, traffic
from tests.lab_faults.observe import Wire
from tests.lab_faults.stage import Stage, address

RATE = "500"
SETTLED_S = 1.0
OTHERS_PORTS = 50
"""Packets, 0.1 s of them: what the userspace datapath may lose while ports of others come and go (docs/operations.md).
Flows that are not there, or are put in anew, would cost twice as many at least."""
"""The guests' devices were plugged a moment ago; what is counted here is what the database does, not that."""


def files(stage: Stage) -> list[Path]:
    """Return the SQLite file and what belongs to it (its write-ahead log)."""
    path = Path(stage.weft.database.removeprefix("sqlite:///"))
    return sorted(path.parent.glob(f"{path.name}*"))


def put_away(stage: Stage, folder: Path) -> None:
    """Move the database of a Weft that does not run."""
    folder.mkdir()
    for file in files(stage):
        shutil.move(file, folder)


def put_back(stage: Stage, folder: Path) -> None:
    """Replace the database of a Weft that does not run."""
    for file in files(stage):
        file.unlink()
    for file in folder.iterdir():
        shutil.copy2(file, stage.weft.directory)


def back_up(stage: Stage, folder: Path) -> None:
    """Copy the database of a running Weft as ``sqlite3 weft.db .backup`` does."""
    folder.mkdir()
    source = files(stage)[0]
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(folder / source.name)) as copy:
        live.backup(copy)


def test_a_database_restored_from_a_backup_is_what_the_switches_get(stage: Stage, tmp_path: Path) -> None:
    red = stage.network()
    one, _ = stage.vm(red, "h1")
    _, far = stage.vm(red, "h2")
    stage.settle()
    one.ping_until_answered(address(far))
    back_up(stage, tmp_path / "backup")
    then = {name: observe.contents(host) for name, host in stage.hosts.items()}
    time.sleep(SETTLED_S)
    with traffic.running(one, "echo", address(far), RATE) as going:
        blue = stage.network("10.20.0.0/22")
        stage.vm(blue, "h1")
        _, later = stage.vm(red, "h2")
        stage.settle()
        stage.weft.stop()
        put_back(stage, tmp_path / "backup")
        stage.weft.start()
        stage.settle()
        balance = going.stop()
    assert balance["sent"] > 500
    assert balance["lost"] <= OTHERS_PORTS, balance
    assert balance["refused"] == 0
    assert {name: observe.contents(host) for name, host in stage.hosts.items()} == then
    assert later["id"] not in stage.hosts["h2"].vsctl("list", "Interface")
    # numbers go on where the backup was: nothing of the later intent may be taken for what comes now
    _, new = stage.vm(red, "h2")
    one.ping_until_answered(address(new))


def test_the_same_intent_under_another_epoch_changes_nothing(stage: Stage) -> None:
    """A database copied by its owner into a new one: the epoch says who counts, not what is wanted."""
    red = stage.network()
    one, _ = stage.vm(red, "h1")
    _, far = stage.vm(red, "h2")
    one.ping_until_answered(address(far))
    stage.settle()
    wire = Wire(*stage.hosts.values())
    time.sleep(SETTLED_S)
    with traffic.running(one, "echo", address(far), RATE) as going:
        stage.weft.kill()
        with closing(sqlite3.connect(files(stage)[0])) as database, database:
            changed = database.execute("UPDATE meta SET value = 'another' WHERE name = 'epoch'").rowcount
        stage.weft.start()
        stage.settle()
        balance = going.stop()
    modifications = wire.modifications()
    wire.quiet()
    assert changed == 1
    assert (balance["lost"], balance["refused"]) == (0, 0), balance
    assert sum(count.total() for count in modifications.values()) == 0, modifications


def test_a_wholly_other_database_takes_the_same_hosts_over(stage: Stage, tmp_path: Path) -> None:
    red = stage.network()
    one, port = stage.vm(red, "h1")
    _, far = stage.vm(red, "h2")
    stage.settle()
    one.ping_until_answered(address(far))
    stage.weft.kill()
    put_away(stage, tmp_path / "first")
    stage.weft.start()
    stage.register()
    blue = stage.network("10.30.0.0/22")
    two, near = stage.vm(blue, "h1")
    _, other = stage.vm(blue, "h2")
    two.ping_until_answered(address(other))
    stage.settle()
    assert left_of(stage, port, far) == []
    assert one.ping(address(far), count=2, timeout_s=0.3).received == 0
    stage.weft.kill()
    put_back(stage, tmp_path / "first")
    stage.weft.start()
    stage.settle()
    one.ping_until_answered(address(far))
    assert left_of(stage, near, other) == []
    assert two.ping(address(other), count=2, timeout_s=0.3).received == 0


def left_of(stage: Stage, *ports: dict[str, str]) -> list[str]:
    """Return what switches still hold of some ports."""
    lines = [line for host in stage.hosts.values() for line in host.flows()]
    return [line for line in lines for port in ports if port["mac_address"] in line]
