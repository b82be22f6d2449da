"""Which changes let other hosts meet in a network than before? Probes are chosen anew only then."""

import pytest

from controller.reconcile.model import Model
from controller.records import Host, Network, Port
from tests.unit.controller.reconcile.builders import a_host, a_network, a_port


@pytest.fixture
def model() -> Model:
    """Two hosts; the first has a port of a network."""
    model = Model()
    for record in (a_network(1), a_network(2), a_host(1), a_host(2), a_port(1, "10.0.0.1", host="h1")):
        put(model, record)
    return model


def put(model: Model, record: Network | Host | Port) -> bool:
    """Store a record; return whether other hosts meet now."""
    before = model.meetings
    match record:
        case Network():
            model.put_network(record.id, record)
        case Host():
            model.put_host(record.id, record)
        case Port():
            model.put_port(record.id, record)
    return model.meetings != before


def test_a_port_more_where_its_network_is_already_changes_nothing(model: Model) -> None:
    assert not put(model, a_port(2, "10.0.0.2", host="h1"))
    before = model.meetings
    model.put_port(a_port(2, "10.0.0.2", host="h1").id, None)
    assert model.meetings == before


def test_a_changed_port_where_it_was_changes_nothing(model: Model) -> None:
    assert not put(model, a_port(1, "10.0.0.9", host="h1"))


def test_an_unbound_port_changes_nothing(model: Model) -> None:
    assert not put(model, a_port(3, "10.0.0.3", host=None))


def test_the_first_and_the_last_port_of_a_network_on_a_host_do(model: Model) -> None:
    assert put(model, a_port(2, "10.0.0.2", host="h2"))
    before = model.meetings
    model.put_port(a_port(2, "10.0.0.2", host="h2").id, None)
    assert model.meetings != before


def test_a_port_that_moves_does(model: Model) -> None:
    assert put(model, a_port(1, "10.0.0.1", host="h2"))


def test_the_only_port_bound_at_last_does(model: Model) -> None:
    put(model, a_port(3, "10.0.0.3", host=None))
    assert put(model, a_port(3, "10.0.0.3", host="h2"))


def test_networks_and_hosts_do(model: Model) -> None:
    assert put(model, a_network(1))
    assert put(model, a_host(2))
