"""Are hosts unique, and do bound ports keep them?"""

import pytest

from controller.errors import (
    HostAlreadyExists,
    HostInUse,
    HostNotFound,
    InvalidInput,
    PolicyNotAuthorized,
    RevisionNumberConstraintFailed,
)
from controller.services import hosts, ports
from controller.store.database import Database
from controller.store.physnets import MOST_PHYSNETS, PATCH_OFPORTS
from tests.unit.controller.store.builders import ADMIN, HOST, a_host, a_member, a_network, a_port


def test_a_host_is_found_by_name_and_by_id_and_has_a_datapath_id(database: Database) -> None:
    with database.write() as tx:
        host = a_host(tx, physnets=[("physnet1", "br-ex")])
        assert host == hosts.get(tx, ADMIN, "h1") == hosts.get(tx, ADMIN, host.id)
        assert [host] == hosts.find(tx, ADMIN, hosts.Query())
        assert frozenset({"h1"}) == hosts.names(tx)
    assert 0 < host.datapath_id < 1 << 48
    assert [(one.name, one.bridge) for one in host.physnets] == [("physnet1", "br-ex")]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"ovsdb": "tcp:192.0.2.2:6640"}, "A host with name h1 is already registered."),
        ({"name": "h2"}, "A host with OVSDB address tcp:192.0.2.1:6640 is already registered."),
    ],
)
def test_name_and_ovsdb_address_are_unique(database: Database, wanted: dict[str, str], message: str) -> None:
    with database.write() as tx:
        a_host(tx)
        with pytest.raises(HostAlreadyExists, match=message):
            a_host(tx, **wanted)


def test_an_unknown_datapath_type_is_refused(database: Database) -> None:
    with database.write() as tx, pytest.raises(InvalidInput):
        a_host(tx, datapath_type="dpdk")


@pytest.mark.parametrize(
    ("physnets", "message"),
    [
        ([("red", "br-ex"), ("red", "br-in")], "a physical network is given twice"),
        ([("red", "br-ex"), ("blue", "br-ex")], "bridge br-ex is given for two physical networks, red and blue"),
        ([(f"net{n}", f"br{n}") for n in range(79)], "79 physical networks are given, a host may have 78"),
    ],
)
def test_physical_networks_that_cannot_be_kept_apart_are_refused(
    database: Database, physnets: list[tuple[str, str]], message: str
) -> None:
    with database.write() as tx:
        with pytest.raises(InvalidInput, match=message):
            a_host(tx, physnets=physnets)
        a_host(tx, physnets=[("red", "br-ex")])
        with pytest.raises(InvalidInput, match=message):
            hosts.update(tx, ADMIN, "h1", {"physnets": physnets})


def test_as_many_physical_networks_are_taken_as_patches_have_numbers(database: Database) -> None:
    assert len(PATCH_OFPORTS) == MOST_PHYSNETS
    with database.write() as tx:
        host = a_host(tx, physnets=[(f"net{n}", f"br{n}") for n in range(MOST_PHYSNETS)])
    assert len(host.physnets) == MOST_PHYSNETS


def test_a_host_is_changed_but_not_renamed(database: Database) -> None:
    with database.write() as tx:
        host = a_host(tx)
        changed = hosts.update(tx, ADMIN, "h1", {"tunnel_ip": "192.0.2.9", "datapath_type": "system"}, if_revision=1)
        assert (changed.tunnel_ip, changed.datapath_type, changed.revision_number) == ("192.0.2.9", "system", 2)
        assert changed == hosts.get(tx, ADMIN, host.id)
        with pytest.raises(InvalidInput):
            hosts.update(tx, ADMIN, "h1", {"name": "h2"})
        with pytest.raises(RevisionNumberConstraintFailed):
            hosts.update(tx, ADMIN, "h1", {"tunnel_ip": None}, if_revision=1)


def test_a_host_with_bound_ports_goes_only_by_force_and_leaves_them_unbound(database: Database) -> None:
    with database.write() as tx:
        a_host(tx)
        port = a_port(tx, a_network(tx), host="h1")
        with pytest.raises(HostInUse, match=r"^Host h1 has 1 bound port\(s\)."):
            hosts.delete(tx, ADMIN, "h1")
        hosts.delete(tx, ADMIN, "h1", force=True)
        left = ports.get(tx, ADMIN, port.id)
        assert (left.binding, left.revision_number) == (None, 2)
        with pytest.raises(HostNotFound, match=r"^Host h1 could not be found.$"):
            hosts.get(tx, ADMIN, "h1")
        a_host(tx)


def test_hosts_do_not_exist_for_members(database: Database) -> None:
    member = a_member("p")
    with database.write() as tx:
        a_host(tx)
        assert hosts.find(tx, member, hosts.Query()) == []
        with pytest.raises(HostNotFound):
            hosts.get(tx, member, "h1")
        with pytest.raises(HostNotFound):
            hosts.delete(tx, member, "h1", force=True)
        with pytest.raises(PolicyNotAuthorized):
            hosts.create(tx, member, HOST | {"name": "h2"})
