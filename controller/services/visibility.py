"""What does the policy ask about stored objects? Its words as conditions on rows.

One place says what "shared" and "owner" mean of a network, and of what is in one; lists, single looks and the place of
a new port ask it alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Table, select

from controller.caller import Caller
from controller.errors import NetworkNotFound
from controller.policy.words import Target
from controller.services import sharing
from controller.store.schema import NETWORKS, PORTS
from controller.store.sharing import EXTERNAL, SHARED, ids_shared_with
from controller.store.transaction import Transaction

Project = ColumnElement[str] | str
"""A project's id, or a parameter for one."""


def of_network(project_id: Project) -> dict[str, ColumnElement[bool]]:
    """Return what is true of a row of networks for a caller of this project."""
    owned = NETWORKS.c.project_id == project_id
    return {
        "owner": owned,
        "network_owner": owned,
        "shared": NETWORKS.c.id.in_(ids_shared_with(sharing.NETWORK, SHARED, project_id)),
        "external": NETWORKS.c.id.in_(ids_shared_with(sharing.NETWORK, EXTERNAL, project_id)),
    }


def of_shareable(table: Table, object_type: str, project_id: Project) -> Mapping[str, ColumnElement[bool]]:
    """Return what is true of a row that has an owner and can be shared."""
    shared = table.c.id.in_(ids_shared_with(object_type, SHARED, project_id))
    return {"owner": table.c.project_id == project_id, "shared": shared}


def of_owned(table: Table) -> Callable[[Caller], Mapping[str, ColumnElement[bool]]]:
    """Return the facts of rows that have nothing but an owner."""
    return lambda caller: {"owner": table.c.project_id == caller.project_id}


def of_shared(table: Table, object_type: str) -> Callable[[Caller], Mapping[str, ColumnElement[bool]]]:
    """Return the facts of rows that have an owner and can be shared."""
    return lambda caller: of_shareable(table, object_type, caller.project_id)


def of_networks(caller: Caller) -> Mapping[str, ColumnElement[bool]]:
    """Return what is true of a row of networks for a caller."""
    return of_network(caller.project_id)


def in_network(table: Table) -> Callable[[Caller], Mapping[str, ColumnElement[bool]]]:
    """Return the facts of rows that have an owner and a network."""

    def facts(caller: Caller) -> Mapping[str, ColumnElement[bool]]:
        found = {word: _network_is(table.c.network_id, fact) for word, fact in of_network(caller.project_id).items()}
        return found | {"owner": table.c.project_id == caller.project_id}

    return facts


def of_ports(caller: Caller) -> Mapping[str, ColumnElement[bool]]:
    """Return what is true of a row of ports for a caller."""
    owner = PORTS.c.device_owner
    return {
        **in_network(PORTS)(caller),
        "network_device": owner.startswith("network:"),
        "instance_device": owner.startswith("compute:") | owner.startswith("baremetal:") | owner.startswith("manila:"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """What rules ask about the network something is in."""

    project_id: str
    shared: bool
    """With the caller's project."""
    external: bool

    def target(self, project_id: str | None, *, device_owner: str = "") -> Target:
        """Return something of this project in the network, as rules see it."""
        return Target(
            project_id=project_id,
            network_project_id=self.project_id,
            shared=self.shared,
            external=self.external,
            device_owner=device_owner,
        )


def network_facts(tx: Transaction, caller: Caller, network_id: str) -> NetworkFacts:
    """Read what rules ask about a network, which must exist whether the caller may see it or not.

    Raises:
        NetworkNotFound: there is none.
    """
    facts = of_network(caller.project_id)
    looked = select(NETWORKS.c.project_id, facts["shared"].label("shared"), facts["external"].label("external"))
    row = tx.connection.execute(looked.where(NETWORKS.c.id == network_id)).first()
    if row is None:
        raise NetworkNotFound(network_id)
    return NetworkFacts(project_id=row.project_id, shared=bool(row.shared), external=bool(row.external))


def _network_is(network_id: Column[str], fact: ColumnElement[bool]) -> ColumnElement[bool]:
    return network_id.in_(select(NETWORKS.c.id).where(fact))
