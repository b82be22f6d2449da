"""Are OpenFlow port numbers unique on a host, and not given out again at once?"""

import pytest
from sqlalchemy import text

from controller.errors import OfPortExhausted
from controller.records import Port
from controller.services import ports
from controller.store.database import Database
from controller.store.schema import OFPORT_CURSORS, PORTS
from tests.unit.controller.store.builders import ADMIN, PORT, a_network, a_port


def _ofport(port: Port) -> int:
    assert port.binding is not None
    return port.binding.ofport


def test_a_number_given_back_is_not_the_next_one_given_out(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        given = []
        for _ in range(5):
            port = a_port(tx, network, host="h1")
            given.append(_ofport(port))
            ports.delete(tx, ADMIN, port.id)
        assert given == [32768, 32769, 32770, 32771, 32772]
        assert _ofport(a_port(tx, network, host="h2")) == 32768


def test_numbers_go_round_past_those_still_in_use(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        kept = [_ofport(a_port(tx, network, host="h1")) for _ in range(3)]
        tx.connection.execute(OFPORT_CURSORS.update().values(last=65198))
        again = [_ofport(a_port(tx, network, host="h1")) for _ in range(3)]
    assert kept == [32768, 32769, 32770]
    assert again == [65199, 32771, 32772]


def test_many_numbers_taken_at_once_go_round_past_those_still_in_use(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        kept = [_ofport(a_port(tx, network, host="h1")) for _ in range(3)]
        tx.connection.execute(OFPORT_CURSORS.update().values(last=65197))
        wanted = PORT | {"project_id": "p", "network_id": network.id, "host": "h1"}
        again = [_ofport(port) for port in ports.create_many(tx, ADMIN, [wanted] * 6)]
        assert _ofport(a_port(tx, network, host="h1")) == 32775
    assert kept == [32768, 32769, 32770]
    assert sorted(again) == [32771, 32772, 32773, 32774, 65198, 65199]


def test_the_last_free_number_is_found_and_then_the_host_is_full(database: Database) -> None:
    """32,432 numbers, all taken but 50,000."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 32768 UNION ALL SELECT i + 1 FROM n WHERE i < 65199) "
    with database.write() as tx:
        network = a_network(tx)
        model = a_port(tx, network)
        columns = [column.name for column in PORTS.columns if column.name not in {"key", "id", "mac_address"}]
        tx.connection.execute(
            text(
                f"INSERT INTO ports (id, mac_address, {', '.join(columns)}) {numbers}"  # noqa: S608
                f"SELECT 'p' || i, 'm' || i, {', '.join(f'ports.{name}' for name in columns)} "
                "FROM n, ports WHERE ports.id = :model AND i != 50000"
            ),
            {"model": model.id},
        )
        tx.connection.execute(
            text(
                "INSERT INTO bindings (port_id, host, vnic_type, profile, active, ofport) "
                "SELECT id, 'h1', 'normal', '{}', 1, CAST(substr(id, 2) AS INTEGER) FROM ports WHERE id LIKE 'p%'"
            )
        )
        assert _ofport(a_port(tx, network, host="h1")) == 50000
        with pytest.raises(OfPortExhausted, match="h1"):
            a_port(tx, network, host="h1")
