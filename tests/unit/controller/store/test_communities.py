"""Does a community of a private VLAN have one number as long as a port is in it, and never again?"""

from sqlalchemy import select

from controller.records import Network, Port
from controller.services import networks, ports
from controller.store.database import Database, Transaction
from controller.store.schema import COMMUNITIES
from tests.unit.controller.store.builders import ADMIN, PORT, a_network, a_port, counted


def a_member_of(tx: Transaction, network: Network, community: str) -> Port:
    return a_port(tx, network, pvlan_type="community", pvlan_community=community)


def stored(tx: Transaction) -> set[int]:
    return set(tx.connection.scalars(select(COMMUNITIES.c.key)))


def test_ports_of_one_community_share_a_role_within_their_network(database: Database) -> None:
    with database.write() as tx:
        one, other = a_network(tx, pvlan=True), a_network(tx, pvlan=True)
        web, again, database_tier = (a_member_of(tx, one, name) for name in ("web", "web", "db"))
        elsewhere = a_member_of(tx, other, "web")
        roles = {a_port(tx, one).role, a_port(tx, one, pvlan_type="isolated").role}
        assert ports.get(tx, ADMIN, web.id) == web
    assert web.role == again.role
    assert len({web.role, database_tier.role, elsewhere.role}) == 3
    assert min(web.role, database_tier.role, elsewhere.role) >= 16
    assert roles == {0, 1}


def test_a_community_goes_with_its_last_port_and_its_number_never_comes_back(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx, pvlan=True)
        first, second = (a_member_of(tx, network, "web") for _ in range(2))
        ports.delete(tx, ADMIN, first.id)
        assert stored(tx) == {second.role}
        ports.update(tx, ADMIN, second.id, {"pvlan_type": "isolated"})
        assert stored(tx) == set()
        assert a_member_of(tx, network, "web").role not in {first.role, second.role}


def test_no_community_outlives_its_private_network(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx, pvlan=True)
        port = a_member_of(tx, network, "web")
        networks.update(tx, ADMIN, network.id, {"pvlan": False})
        assert stored(tx) == set()
        assert ports.get(tx, ADMIN, port.id).role == 0


def test_a_port_in_a_community_costs_one_statement_more(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx, pvlan=True)
        a_member_of(tx, network, "web")
    counts = []
    for community in (None, "web"):
        with database.write() as tx, counted(database) as statements:
            if community is None:
                a_port(tx, network)
            else:
                a_member_of(tx, network, community)
        counts.append(len(statements))
    assert counts[1] - counts[0] == 1


def test_many_ports_of_one_community_cost_one_look(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx, pvlan=True)
        a_member_of(tx, network, "web")
    wanted = PORT | {"network_id": network.id, "pvlan_type": "community", "pvlan_community": "web"}
    with database.write() as tx, counted(database) as statements:
        ports.create_many(tx, ADMIN, [wanted] * 20)
    assert sum("FROM communities" in text for text in statements.texts) == 1
