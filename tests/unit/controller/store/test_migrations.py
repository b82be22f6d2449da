"""Does a database of an older Weft keep what it held, and get what newer ones need?"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event, text

from controller.network_errors import FlatNetworkInUse
from controller.services import address_scopes, ports, security_groups, subnetpools
from controller.services.query import Query
from controller.store.database import MIGRATIONS, Database
from controller.store.rulesets import FIRST_KEY
from controller.store.snapshot import journal_after, load_snapshot
from controller.store.tags import tags_of
from tests.unit.controller.store.builders import ADMIN, a_host, a_member, a_network, a_port, a_security_group

PORT = (
    "INSERT INTO ports (key, id, project_id, network_id, name, description, mac_address, admin_state_up, status,"
    " device_id, device_owner, port_security_enabled, allowed_address_pairs, extra_dhcp_opts, vnic_type, profile,"
    " created_at, updated_at, revision_number) VALUES (:key, :id, :project, 'net', '', '', :mac, 1, 'ACTIVE', 'vm',"
    " :owner, :guarded, '[]', '[]', 'normal', '{}', 1, 1, 7)"
)
NETWORK = (
    "INSERT INTO networks (id, project_id, name, description, admin_state_up, mtu, shared, router_external,"
    " port_security_enabled, plugin, created_at, updated_at, revision_number)"
    " VALUES ('net', 'blue', '', '', 1, 1450, 0, 0, 1, 'openflow', 1, 1, 1)"
)


def _fill(connection: Connection) -> None:
    connection.execute(text(NETWORK))
    connection.execute(text("INSERT INTO segments VALUES (77, 'seg', 'net', 'vxlan', NULL, 4711)"))
    for key, (name, project, guarded, owner) in enumerate(
        (
            ("one", "blue", True, "compute:nova"),
            ("two", "blue", True, ""),
            ("open", "blue", False, ""),
            ("dhcp", "blue", True, "network:dhcp"),
            ("red", "red", True, ""),
            ("green", "green", False, ""),
        ),
        start=1,
    ):
        values = {"key": key, "id": name, "project": project, "guarded": guarded, "owner": owner}
        connection.execute(text(PORT), values | {"mac": f"02:00:00:00:00:{key:02x}"})
    connection.execute(
        text("INSERT INTO hosts VALUES ('host', 'h9', 'unix:/h9', NULL, 'netdev', 9, :physnets, 1, 1, 1)"),
        {"physnets": '[["blue", "br-blue"], ["red", "br-red"], ["twice", "br-red"], ["green", "br-green"]]'},
    )
    connection.execute(text("INSERT INTO bindings VALUES ('one', 'h1', 'normal', '{}', 1, 32768)"))
    connection.execute(text("INSERT INTO port_states VALUES ('one', 'ACTIVE', 'WIRED', 'h1', '', 'up')"))


@contextmanager
def _older(url: str, revision: str) -> Iterator[Connection]:
    """Make a database as that revision had it, to be filled and then opened by this version."""
    engine = create_engine(url)
    event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA foreign_keys=ON"))
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        yield connection
    engine.dispose()


@pytest.fixture
def upgraded(tmp_path: Path) -> Iterator[Database]:
    """A database of the first schema with ports in it, opened by this version."""
    url = f"sqlite:///{tmp_path / 'weft.db'}"
    with _older(url, "0001") as connection:
        _fill(connection)
    database = Database(url)
    database.migrate()
    yield database
    database.close()


def test_guarded_ports_get_the_default_group_of_their_project_and_no_others_do(upgraded: Database) -> None:
    """Members of a project go on reaching each other; nothing gets a group that would get none today."""
    with upgraded.read() as tx:
        groups = {group.project_id: group for group in load_snapshot(tx).security_groups}
        found = {port.id: port.security_group_ids for port in load_snapshot(tx).ports}
        rulesets = {port.id: port.ruleset for port in load_snapshot(tx).ports}
    assert {"blue", "red"} == set(groups)
    blue, red = (groups["blue"].id,), (groups["red"].id,)
    assert found == {"one": blue, "two": blue, "open": (), "dhcp": (), "red": red, "green": ()}
    assert rulesets["one"] == groups["blue"].key >= FIRST_KEY
    assert rulesets["open"] == 1


def test_a_default_group_made_by_the_upgrade_is_like_one_made_later(upgraded: Database) -> None:
    with upgraded.write() as tx:
        later = security_groups.get(tx, ADMIN, security_groups.ensure_default(tx, "later").id)
        made = next(group for group in load_snapshot(tx).security_groups if group.project_id == "blue")
        assert security_groups.ensure_default(tx, "blue").id == made.id
    assert (later.name, later.description, later.stateful, later.revision_number) == (
        made.name,
        made.description,
        made.stateful,
        made.revision_number,
    )
    rules = [
        sorted(
            (rule.direction, rule.ethertype, rule.protocol, rule.remote_group_id == group.id) for rule in group.rules
        )
        for group in (later, made)
    ]
    assert (
        rules[0]
        == rules[1]
        == sorted(
            (direction, version, None, direction == "ingress")
            for direction in ("egress", "ingress")
            for version in ("IPv4", "IPv6")
        )
    )


def test_nothing_else_of_the_ports_changes(upgraded: Database) -> None:
    with upgraded.read() as tx:
        one = ports.get(tx, ADMIN, "one")
        assert (one.key, one.revision_number, str(one.status)) == (1, 7, "ACTIVE")
        assert one.binding is not None
        assert tx.connection.execute(text("SELECT count(*) FROM port_states")).scalar() == 1
        assert len(ports.find(tx, ADMIN, Query())) == 6


def test_the_journal_names_what_the_upgrade_changed(upgraded: Database) -> None:
    with upgraded.read() as tx:
        named = {(entry.kind, entry.object_id, entry.network_id) for entry in journal_after(tx, 0)}
        groups = {("security_group", group.id, None) for group in load_snapshot(tx).security_groups}
    assert named == groups | {("port", name, "net") for name in ("one", "two", "red")}


def test_numbers_go_on_after_those_the_upgrade_gave(upgraded: Database) -> None:
    with upgraded.write() as tx:
        given = {group.key for group in load_snapshot(tx).security_groups}
        web, db = a_security_group(tx), a_security_group(tx)
        port = a_port(tx, a_network(tx), security_group_ids=[web.id, db.id])
    assert len(given | {web.key, db.key, port.ruleset}) == 5


def test_networks_keep_their_segment_and_are_no_private_vlans(upgraded: Database) -> None:
    with upgraded.read() as tx:
        snapshot = load_snapshot(tx)
    (network,) = snapshot.networks
    (segment,) = network.segments
    assert (segment.id, segment.key, segment.segmentation_id, segment.name) == ("seg", 77, 4711, None)
    assert segment.created_at == network.created_at
    assert not network.pvlan
    assert {(port.pvlan_type, port.role, port.standby) for port in snapshot.ports} == {(None, 0, None)}


def test_a_flat_network_has_its_physical_network_to_itself_after_the_upgrade(upgraded: Database) -> None:
    """The index of before let any number of them have it: none has a number."""
    flat = {"network_type": "flat", "physical_network": "physnet1"}
    with upgraded.write() as tx:
        a_host(tx, physnets=(("physnet1", "br-p1"),))
        a_network(tx, **flat)
        with pytest.raises(FlatNetworkInUse):
            a_network(tx, **flat)


def test_ways_to_physical_networks_keep_the_numbers_of_their_places(upgraded: Database) -> None:
    """A bridge named twice never had a second way."""
    with upgraded.read() as tx:
        (host,) = load_snapshot(tx).hosts
    assert [(one.name, one.bridge, one.ofport) for one in host.physnets] == [
        ("blue", "br-blue", 65200),
        ("red", "br-red", 65201),
        ("green", "br-green", 65203),
    ]


def test_pools_and_scopes_stay_shared_with_everybody_and_keep_their_tags(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'weft.db'}"
    with _older(url, "0040") as connection:
        for name, shared in (("open", 1), ("own", 0)):
            values = {"name": name, "shared": shared}
            connection.execute(
                text("INSERT INTO address_scopes VALUES ('of-' || :name, 'blue', :name, 4, :shared)"), values
            )
            connection.execute(
                text(
                    "INSERT INTO subnetpools (id, project_id, name, description, ip_version, min_prefixlen,"
                    " max_prefixlen, default_prefixlen, is_default, shared, created_at, updated_at, revision_number)"
                    " VALUES (:name, 'blue', :name, '', 4, 8, 32, 8, 0, :shared, 1, 1, 0)"
                ),
                values,
            )
        connection.execute(text("INSERT INTO tags VALUES ('own', 'kept', 'subnetpools')"))
    database = Database(url)
    database.migrate()
    red = a_member("red")
    with database.write() as tx:
        assert [one.name for one in subnetpools.find(tx, red, Query())] == ["open"]
        assert [one.name for one in address_scopes.find(tx, red, Query())] == ["open"]
        assert {one.name: one.shared for one in subnetpools.find(tx, ADMIN, Query())} == {"open": True, "own": False}
        assert tags_of(tx.connection, ["own"]) == {"own": ("kept",)}
        subnetpools.delete(tx, ADMIN, "own")
        assert tags_of(tx.connection, ["own"]) == {}
    database.close()
