"""Are states kept apart from intent, and does a first plug bind?"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.errors import PortNotFound
from controller.records import HostName, HostState, PortId, PortState, PortStatus, Reason
from controller.services import hosts, ports
from controller.store.database import Database
from controller.store.snapshot import last_seq
from controller.store.states import (
    EVENTS_KEPT,
    bind_unbound,
    load_host_states,
    load_port_state,
    load_port_statuses,
    save_host_state,
    save_port_states,
)
from tests.unit.controller.store.builders import ADMIN, NOBODY, a_host, a_network, a_port

H1 = HostName("h1")


def a_state(port_id: str, **values: Any) -> PortState:
    return PortState(
        **(
            {
                "port_id": PortId(port_id),
                "status": PortStatus.ACTIVE,
                "reason": Reason.WIRED,
                "host": "h1",
                "detail": "",
                "link_state": "up",
            }
            | values
        )
    )


def test_a_saved_status_is_the_ports_status_and_no_change_of_intent(database: Database) -> None:
    with database.write() as tx:
        port = a_port(tx, a_network(tx))
    with database.write() as tx:
        seq = last_seq(tx)
        save_port_states(tx, [a_state(port.id)])
    with database.read() as tx:
        read = ports.get(tx, ADMIN, port.id)
        assert (PortStatus.ACTIVE, 1, port.updated_at) == (read.status, read.revision_number, read.updated_at)
        assert seq == last_seq(tx)
        assert {port.id: a_state(port.id)} == load_port_statuses(tx)


def test_the_timeline_has_a_line_for_each_change_of_status_reason_or_host(database: Database) -> None:
    with database.write() as tx:
        port = a_port(tx, a_network(tx))
        down = a_state(port.id, status=PortStatus.DOWN, reason=Reason.NOT_PLUGGED, link_state=None)
        for state in (down, replace(down, detail="x"), a_state(port.id), a_state(port.id, link_state="down"), down):
            save_port_states(tx, [state])
        timeline = load_port_state(tx, port.id).timeline
    assert [line.reason for line in timeline] == [Reason.NOT_PLUGGED, Reason.WIRED, Reason.NOT_PLUGGED]


def test_the_timeline_has_a_line_when_something_else_is_said_of_a_wired_port(database: Database) -> None:
    with database.write() as tx:
        port = a_port(tx, a_network(tx))
        for detail in ("plugged", "plugged, but cut off", "plugged, but cut off", "plugged"):
            save_port_states(tx, [a_state(port.id, detail=detail)])
        timeline = load_port_state(tx, port.id).timeline
    assert [line.detail for line in timeline] == ["plugged", "plugged, but cut off", "plugged"]


def test_the_timeline_keeps_the_last_lines_only(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        port, other = a_port(tx, network), a_port(tx, network)
        save_port_states(tx, [a_state(other.id)])
        for number in range(EVENTS_KEPT + 7):
            save_port_states(tx, [a_state(port.id, host=f"h{number}")])
        timeline = load_port_state(tx, port.id).timeline
        assert [f"h{number}" for number in range(7, EVENTS_KEPT + 7)] == [line.host for line in timeline]
        assert len(load_port_state(tx, other.id).timeline) == 1


def test_states_of_ports_deleted_meanwhile_are_left_out(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        gone, port = a_port(tx, network), a_port(tx, network)
        save_port_states(tx, [a_state(gone.id)])
        ports.delete(tx, ADMIN, gone.id)
        save_port_states(tx, [a_state(gone.id), a_state(port.id)])
        save_port_states(tx, [])
        assert {port.id} == set(load_port_statuses(tx))
        with pytest.raises(PortNotFound):
            load_port_state(tx, gone.id)


def test_a_port_nobody_has_looked_at_yet_says_why_it_is_down(database: Database) -> None:
    with database.write() as tx:
        a_host(tx)
        network = a_network(tx)
        reasons = [load_port_state(tx, a_port(tx, network, host=host).id).reason for host in (None, "elsewhere", "h1")]
    assert reasons == [Reason.UNBOUND, Reason.HOST_NOT_REGISTERED, Reason.PROGRAMMING]


def test_host_states_are_kept_while_the_host_is(database: Database) -> None:
    state = HostState(
        name=H1,
        ovsdb_connected=True,
        openflow_connected=False,
        programmed=False,
        problem="no answer",
        features={"meters": True},
        seen_at=datetime(2026, 11, 21, tzinfo=UTC),
    )
    with database.write() as tx:
        save_host_state(tx, state)
        assert load_host_states(tx) == {}
        a_host(tx)
        save_host_state(tx, state)
        save_host_state(tx, state)
        assert {H1: state} == load_host_states(tx)
        hosts.delete(tx, ADMIN, "h1")
        assert load_host_states(tx) == {}


def test_the_first_plug_binds_and_is_a_change_of_intent(database: Database) -> None:
    """The first plug binds a port that is bound to no host."""
    with database.write() as tx:
        a_host(tx)
        port = a_port(tx, a_network(tx), vnic_type="direct", profile={"a": 1})
    with database.write() as tx:
        seq = last_seq(tx)
        assert bind_unbound(tx, port.id, H1)
    with database.write() as tx:
        assert seq + 1 == last_seq(tx)
        bound = ports.get(tx, ADMIN, port.id)
        assert bound.binding is not None
        assert (
            bound.binding.host,
            bound.binding.vnic_type,
            bound.binding.profile,
            bound.revision_number,
        ) == (H1, "direct", {"a": 1}, 2)
        assert not bind_unbound(tx, port.id, H1)


def test_only_an_unbound_port_is_bound_and_only_to_a_registered_host(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        unbound, bound = a_port(tx, network), a_port(tx, network, host="h2")
        assert not bind_unbound(tx, unbound.id, H1)
        a_host(tx)
        assert not bind_unbound(tx, bound.id, H1)
        assert not bind_unbound(tx, NOBODY, H1)
