"""Does the database become what is wanted whatever it does with a transaction, and is nothing written without need?"""

from controller.plugins.ovn.replica import Replica
from controller.plugins.ovn.rows import Member, Row, RowKey
from controller.plugins.ovn.writer import BATCH, Writer
from tests.unit.controller.plugins.ovn.database import Database

OWN = "epoch"


def wanted(ports: int) -> dict[RowKey, Row]:
    rows = [Row(table="Logical_Switch", key=RowKey("network/n"), columns={"name": "n"})]
    members = frozenset({Member("Logical_Switch", RowKey("network/n"), "ports")})
    rows += [
        Row(table="Logical_Switch_Port", key=RowKey(f"port/{n}"), columns={"name": f"p{n}"}, members=members)
        for n in range(ports)
    ]
    return {row.key: row for row in rows}


def settle(writer: Writer, database: Database, desired: dict[RowKey, Row]) -> None:
    """Let the writer work until it has nothing to do, as the engine does: what was touched is looked at."""
    for _ in range(100):
        touched, database.replica.touched = database.replica.touched, set()
        writer.look_at(touched)
        writer.write(desired, database.replica)
        if writer.is_idle and not database.replica.touched:
            return
    raise AssertionError("the writer does not come to rest")


def a_writer() -> tuple[Writer, Database]:
    database = Database(Replica(OWN))
    return Writer(database, OWN), database


def test_everything_is_written_once_in_batches_and_then_nothing() -> None:
    writer, database = a_writer()
    desired = wanted(BATCH + 10)
    writer.look_at(desired)
    settle(writer, database, desired)
    assert len(database.tables["Logical_Switch_Port"]) == BATCH + 10
    assert database.transactions == 2
    writer.look_at(desired)
    settle(writer, database, desired)
    assert database.transactions == 2


def test_a_port_alone_brings_the_switch_it_needs() -> None:
    writer, database = a_writer()
    writer.look_at([RowKey("port/0")])
    settle(writer, database, wanted(1))
    assert len(database.tables["Logical_Switch"]) == 1


def test_a_row_deleted_by_hand_comes_back_without_an_audit() -> None:
    writer, database = a_writer()
    desired = wanted(3)
    writer.look_at(desired)
    settle(writer, database, desired)
    uuid = database.replica.uuids[RowKey("network/n")]
    database.execute([{"op": "delete", "table": "Logical_Switch", "where": [["_uuid", "==", ["uuid", uuid]]]}])
    assert database.tables["Logical_Switch_Port"] == {}
    settle(writer, database, desired)
    assert len(database.tables["Logical_Switch_Port"]) == 3


def test_a_transaction_lost_with_the_leader_is_done_again() -> None:
    writer, database = a_writer()
    database.loses_next = True
    desired = wanted(3)
    writer.look_at(desired)
    settle(writer, database, desired)
    assert len(database.tables["Logical_Switch_Port"]) == 3


def test_a_row_the_server_refuses_keeps_no_other_from_being_written() -> None:
    writer, database = a_writer()
    database.refuses = "p5"
    desired = wanted(40)
    writer.look_at(desired)
    settle(writer, database, desired)
    assert len(database.tables["Logical_Switch_Port"]) == 39
    assert list(writer.problems) == [RowKey("port/5")]
    assert "not liked" in writer.problems[RowKey("port/5")]
    database.refuses = None
    writer.look_at([RowKey("port/5")])
    settle(writer, database, desired)
    assert not writer.problems
    assert len(database.tables["Logical_Switch_Port"]) == 40


def test_what_is_no_longer_wanted_goes() -> None:
    writer, database = a_writer()
    desired = wanted(3)
    writer.look_at(desired)
    settle(writer, database, desired)
    writer.look_at(desired)
    settle(writer, database, {})
    assert not any(database.tables.values())
