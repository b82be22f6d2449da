"""Does a difference make what is found into what is wanted, by the least that does it, and touch nobody else's rows?"""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.plugins.ovn.delta import Place, Plan, diff
from controller.plugins.ovn.replica import Replica
from controller.plugins.ovn.rows import KEY, OWNER, Member, Row, RowKey
from tests.unit.controller.plugins.ovn.database import Database

OWN = "epoch"
SWITCHES, GROUPS, PORTS, ACLS, OPTIONS = ([f"{kind}{n}" for n in range(3)] for kind in ("ls", "pg", "lsp", "acl", "dh"))


@st.composite
def desires(draw: st.DrawFn) -> dict[RowKey, Row]:
    """Any consistent set of rows."""
    rows: list[Row] = []
    switches = draw(st.sets(st.sampled_from(SWITCHES)))
    groups = draw(st.sets(st.sampled_from(GROUPS)))
    options = draw(st.sets(st.sampled_from(OPTIONS)))
    text = st.sampled_from(["a", "b"])
    for name in switches:
        config = draw(st.dictionaries(text, text))
        rows.append(Row(table="Logical_Switch", key=RowKey(name), columns={"name": name, "other_config": config}))
    rows += [Row(table="Port_Group", key=RowKey(name), columns={"name": name}) for name in groups]
    for name in options:
        rows.append(
            Row(table="DHCP_Options", key=RowKey(name), columns={"cidr": draw(text), "options": {"x": draw(text)}})
        )
    for name in draw(st.sets(st.sampled_from(PORTS))) if switches else ():
        columns: dict[str, Any] = {
            "name": name,
            "addresses": draw(st.frozensets(text)),
            "enabled": frozenset({draw(st.booleans())}),
        }
        if options and draw(st.booleans()):
            columns["dhcpv4_options"] = RowKey(draw(st.sampled_from(sorted(options))))
        members = {Member("Logical_Switch", RowKey(draw(st.sampled_from(sorted(switches)))), "ports")}
        members |= {
            Member("Port_Group", RowKey(one), "ports") for one in draw(st.sets(st.sampled_from(GROUPS))) & groups
        }
        rows.append(Row(table="Logical_Switch_Port", key=RowKey(name), columns=columns, members=frozenset(members)))
    for name in draw(st.sets(st.sampled_from(ACLS))) if groups else ():
        member = Member("Port_Group", RowKey(draw(st.sampled_from(sorted(groups)))), "acls")
        rows.append(
            Row(
                table="ACL",
                key=RowKey(name),
                columns={"match": draw(text), "priority": 1, "direction": "to-lport", "action": "drop"},
                members=frozenset({member}),
            )
        )
    return {row.key: row for row in rows}


def plan(database: Database, desired: dict[RowKey, Row]) -> Plan:
    """Return what makes all rows as desired."""
    replica = database.replica
    keys = replica.keys() | desired.keys()
    place = Place(owner=OWN, uuids=replica.uuids, foreign_names=replica.foreign_names)
    return diff(keys, desired, {key: replica.found(key) for key in keys}, place)


def bring_about(database: Database, desired: dict[RowKey, Row]) -> None:
    operations = plan(database, desired).operations
    if operations:
        database.execute(operations)


def foreign_rows(database: Database) -> dict[str, Any]:
    """Return every row without our mark."""
    return {
        uuid: row
        for rows in database.tables.values()
        for uuid, row in rows.items()
        if row.get("external_ids", {}).get(OWNER) != OWN
    }


@settings(max_examples=150, deadline=None)
@given(first=desires(), second=desires())
def test_whatever_was_wanted_before_becomes_what_is_wanted_now(
    first: dict[RowKey, Row], second: dict[RowKey, Row]
) -> None:
    database = Database(Replica(OWN))
    bring_about(database, first)
    bring_about(database, second)
    assert plan(database, second).operations == ()
    assert database.replica.keys() == set(second)
    fresh = Database(Replica(OWN))
    bring_about(fresh, second)
    assert {key: _shape(database, key) for key in second} == {key: _shape(fresh, key) for key in second}


@settings(max_examples=150, deadline=None)
@given(desired=desires(), seed=st.integers(0, 2**32))
def test_whatever_somebody_did_to_our_rows_is_undone_and_theirs_are_left_alone(
    desired: dict[RowKey, Row], seed: int
) -> None:
    database = Database(Replica(OWN))
    bring_about(database, desired)
    meddle(database, random.Random(seed))
    theirs = foreign_rows(database)
    for _ in range(2):  # a row that went by itself, with its parent, is seen to be gone after the first
        bring_about(database, desired)
    assert plan(database, desired).operations == ()
    assert {key: _shape(database, key) for key in desired} == {
        key: _shape(other, key) for other in [_made(desired)] for key in desired
    }
    assert foreign_rows(database) == theirs


def test_a_member_of_somebody_elses_stays_in_a_set_of_ours() -> None:
    database = Database(Replica(OWN))
    wanted = {row.key: row for row in (_switch(), _port("one"), _port("two"))}
    bring_about(database, wanted)
    switch = database.replica.uuids[RowKey("ls")]
    database.execute(
        [
            {"op": "insert", "table": "Logical_Switch_Port", "uuid-name": "x", "row": {"name": "theirs"}},
            {
                "op": "mutate",
                "table": "Logical_Switch",
                "where": [["_uuid", "==", ["uuid", switch]]],
                "mutations": [["ports", "insert", ["set", [["named-uuid", "x"]]]]],
            },
        ]
    )
    del wanted[RowKey("one")]
    bring_about(database, wanted)
    names = {row["name"] for row in database.tables["Logical_Switch_Port"].values()}
    assert names == {"two", "theirs"}


def test_a_name_that_somebody_else_has_blocks_one_row_and_no_other() -> None:
    database = Database(Replica(OWN))
    database.execute([{"op": "insert", "table": "Port_Group", "row": {"name": "pg"}}])
    wanted = Row(table="Port_Group", key=RowKey("ours"), columns={"name": "pg"})
    made = plan(database, {row.key: row for row in (_switch(), wanted)})
    assert "is not Weft's" in made.blocked[RowKey("ours")]
    assert [one["table"] for one in made.operations] == ["Logical_Switch"]


def test_another_deployment_on_the_same_cluster_is_somebody_else() -> None:
    database = Database(Replica(OWN))
    marks = {OWNER: "another", KEY: "ls"}
    row = {"name": "ls", "external_ids": ["map", [[key, value] for key, value in marks.items()]]}
    database.execute([{"op": "insert", "table": "Logical_Switch", "row": row}])
    assert plan(database, {}).operations == ()


def test_a_key_twice_is_one_too_many() -> None:
    database = Database(Replica(OWN))
    wanted = {row.key: row for row in (_switch(),)}
    bring_about(database, wanted)
    [row] = database.tables["Logical_Switch"].values()
    marks = ["map", [[key, value] for key, value in row["external_ids"].items()]]
    database.execute([{"op": "insert", "table": "Logical_Switch", "row": {"name": "double", "external_ids": marks}}])
    bring_about(database, wanted)
    assert [one["name"] for one in database.tables["Logical_Switch"].values()] == ["ls"]


def meddle(database: Database, rng: random.Random) -> None:
    """Do by hand what an operator might: delete rows, change columns, add rows of their own."""
    for table in ("Logical_Switch", "Port_Group", "DHCP_Options"):
        for uuid in list(database.tables[table]):
            where = [["_uuid", "==", ["uuid", uuid]]]
            match rng.randrange(4):
                case 0:
                    database.execute([{"op": "delete", "table": table, "where": where}])
                case 1 if table != "DHCP_Options":
                    database.execute(
                        [{"op": "update", "table": table, "where": where, "row": {"name": f"n{rng.random()}"}}]
                    )
                case 2 if table != "DHCP_Options":
                    members = [["uuid", one] for one in database.tables[table][uuid]["ports"][:1]]
                    mutation = ["ports", "delete", ["set", members]]
                    database.execute([{"op": "mutate", "table": table, "where": where, "mutations": [mutation]}])
    for uuid in list(database.tables["Logical_Switch_Port"]):
        if rng.random() < 0.3:
            row = {"addresses": ["set", ["x"]], "dhcpv4_options": ["set", []]}
            where = [["_uuid", "==", ["uuid", uuid]]]
            database.execute([{"op": "update", "table": "Logical_Switch_Port", "where": where, "row": row}])
    database.execute([{"op": "insert", "table": "Logical_Switch", "row": {"name": f"theirs{rng.random()}"}}])
    database.execute([{"op": "insert", "table": "Address_Set", "row": {"name": "theirs"}}])


def _made(desired: dict[RowKey, Row]) -> Database:
    database = Database(Replica(OWN))
    bring_about(database, desired)
    return database


def _shape(database: Database, key: RowKey) -> tuple[Any, ...]:
    """Return a row without its uuid."""
    [row] = database.replica.found(key)
    columns = {name: frozenset(v.items()) if isinstance(v, dict) else v for name, v in row.columns.items()}
    return row.table, columns, row.members, row.external_ids


def _switch() -> Row:
    return Row(table="Logical_Switch", key=RowKey("ls"), columns={"name": "ls"})


def _port(name: str) -> Row:
    members = frozenset({Member("Logical_Switch", RowKey("ls"), "ports")})
    return Row(table="Logical_Switch_Port", key=RowKey(name), columns={"name": name}, members=members)
