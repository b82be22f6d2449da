"""Which rows of the northbound database does the intent ask for, and which of them does a change concern?

Rows are made object by object: a changed port makes its own rows anew and nobody else's. Nothing here talks to OVN.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeVar

from controller.plugins.ovn import acls, dhcp, switches
from controller.plugins.ovn.names import drop_name
from controller.plugins.ovn.rows import Row, RowKey
from controller.reconcile.feed import Changes
from controller.reconcile.index import discard
from controller.reconcile.rules import is_guarded
from controller.records import (
    AddressGroup,
    Host,
    Network,
    NetworkId,
    Port,
    PortId,
    SecurityGroup,
    Snapshot,
    Subnet,
)

_Key = TypeVar("_Key", bound=str)
_Record = TypeVar("_Record")
Kind = Literal["network", "subnet", "port", "group", "members", "address-group", "base"]
Object = tuple[Kind, str]
"""A security group, and its members, are objects of each network: ``GROUP NETWORK``."""
BASE: Object = ("base", "")


class Intent:
    """The plug-in's networks with what is in them, and the rows they need; owned by the engine's thread."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.owner = snapshot.epoch
        self.networks: dict[NetworkId, Network] = {}
        self.subnets: dict[str, Subnet] = {}
        self.ports: dict[PortId, Port] = {}
        self.groups: dict[str, SecurityGroup] = {}
        self.address_groups: dict[str, AddressGroup] = {}
        self.hosts: dict[str, Host] = {}
        self.moving: set[NetworkId] = set()
        """Networks on their way from one plug-in to another."""
        self.rows: dict[RowKey, Row] = {}
        """Everything desired."""
        self._of_object: dict[Object, frozenset[RowKey]] = {}
        self._ports_of_network: dict[str, set[str]] = {}
        self._subnets_of_network: dict[str, set[str]] = {}
        self._members: dict[str, dict[str, set[PortId]]] = {}
        """The guarded ports in each security group, by network."""
        self._referring: dict[str, set[str]] = {}
        """By id of a security or address group: the security groups whose rules refer to it."""
        self.change(
            Changes(
                networks={one.id: one for one in snapshot.networks},
                subnets={one.id: one for one in snapshot.subnets},
                ports={one.id: one for one in snapshot.ports},
                hosts={one.id: one for one in snapshot.hosts},
                security_groups={one.id: one for one in snapshot.security_groups},
                address_groups={one.id: one for one in snapshot.address_groups},
            )
        )

    def change(self, changes: Changes) -> set[RowKey]:
        """Take changes in; return the keys of the rows that may be others now."""
        dirty: set[Object] = {BASE} if BASE not in self._of_object else set()
        for host_id, host in changes.hosts.items():
            _put(self.hosts, host_id, host)
        for group_id, group in changes.security_groups.items():
            dirty |= self._put_group(group_id, group)
        for group_id, addresses in changes.address_groups.items():
            dirty.add(("address-group", group_id))
            dirty |= self._referring_to(group_id, self.address_groups, addresses)
            _put(self.address_groups, group_id, addresses)
        for network_id, network in changes.networks.items():
            dirty |= self._put_network(network_id, network)
        for subnet_id, subnet in changes.subnets.items():
            dirty |= self._put_subnet(subnet_id, subnet)
        for port_id, port in changes.ports.items():
            dirty |= self._put_port(port_id, port)
        return {key for one in dirty for key in self._remade(one)}

    def ports_of_network(self, network_id: str) -> Iterable[PortId]:
        """Return the ids of a network's ports."""
        return [PortId(one) for one in self._ports_of_network.get(network_id, ())]

    def _put_network(self, network_id: NetworkId, network: Network | None) -> set[Object]:
        _put(self.networks, network_id, network)
        self.moving.discard(network_id)
        if network is not None and network.move is not None:
            self.moving.add(network_id)
        dirty: set[Object] = {("network", network_id)}
        dirty |= {("subnet", one) for one in self._subnets_of_network.get(network_id, ())}
        return dirty | {("port", one) for one in self._ports_of_network.get(network_id, ())}

    def _put_subnet(self, subnet_id: str, subnet: Subnet | None) -> set[Object]:
        old = self.subnets.get(subnet_id)
        dirty: set[Object] = {("subnet", subnet_id)}
        for one in filter(None, (old, subnet)):
            dirty |= {("port", port) for port in self._ports_of_network.get(one.network_id, ())}
        if old is not None:
            discard(self._subnets_of_network, old.network_id, subnet_id)
        if subnet is not None:
            self._subnets_of_network.setdefault(subnet.network_id, set()).add(subnet_id)
        _put(self.subnets, subnet_id, subnet)
        return dirty

    def _put_port(self, port_id: PortId, port: Port | None) -> set[Object]:
        old = self.ports.get(port_id)
        if old is not None:
            discard(self._ports_of_network, old.network_id, port_id)
        if port is not None:
            self._ports_of_network.setdefault(port.network_id, set()).add(port_id)
        _put(self.ports, port_id, port)
        dirty: set[Object] = {("port", port_id)}
        if old is not None:
            for group in _groups_of(old):
                dirty |= self._leave(group, old)
        if port is not None:
            for group in _groups_of(port):
                dirty |= self._enter(group, port)
        return dirty

    def _leave(self, group: str, port: Port) -> set[Object]:
        networks = self._members[group]
        discard(networks, port.network_id, port.id)
        if not networks:
            del self._members[group]
        return self._in_network(group, port.network_id, is_new=port.network_id not in networks)

    def _enter(self, group: str, port: Port) -> set[Object]:
        networks = self._members.setdefault(group, {})
        is_new = port.network_id not in networks
        networks.setdefault(port.network_id, set()).add(port.id)
        return self._in_network(group, port.network_id, is_new=is_new)

    def _in_network(self, group: str, network: str, *, is_new: bool) -> set[Object]:
        """Return what a member more or less concerns; more when the group was not, or is no longer, in the network."""
        dirty = self._with_references(group, [network]) if is_new else set()
        dirty.add(("members", f"{group} {network}"))
        return dirty

    def _put_group(self, group_id: str, group: SecurityGroup | None) -> set[Object]:
        old = self.groups.get(group_id)
        networks = list(self._members.get(group_id, ()))
        dirty = self._referring_to(group_id, self.groups, group) | self._with_references(group_id, networks)
        for remote in acls.references_of(old):
            discard(self._referring, remote, group_id)
        for remote in acls.references_of(group):
            self._referring.setdefault(remote, set()).add(group_id)
        if (old is None) != (group is None):
            dirty |= {("port", one) for ports in self._members.get(group_id, {}).values() for one in ports}
        _put(self.groups, group_id, group)
        return dirty | self._with_references(group_id, networks)

    def _with_references(self, group_id: str, networks: Iterable[str]) -> set[Object]:
        """Return a security group in some networks, and the groups its rules refer to: written for who needs them."""
        remotes = acls.references_of(self.groups.get(group_id))
        dirty: set[Object] = {("address-group", one) for one in remotes}
        for network in networks:
            dirty.add(("group", f"{group_id} {network}"))
            dirty |= {("members", f"{one} {network}") for one in remotes}
        return dirty

    def _referring_to(self, group_id: str, known: Mapping[str, object], now: object | None) -> set[Object]:
        """Return whose rules mean something else because a group came or went."""
        if (group_id in known) == (now is not None):
            return set()
        referring = self._referring.get(group_id, ())
        dirty: set[Object] = set()
        for one in referring:
            for network in self._members.get(one, ()):
                dirty |= {("group", f"{one} {network}"), ("members", f"{group_id} {network}")}
        return dirty

    def _remade(self, one: Object) -> frozenset[RowKey]:
        """Make the rows of an object anew; return the keys of those it had and has."""
        old = self._of_object.pop(one, frozenset())
        for key in old:
            del self.rows[key]
        rows = {row.key: row for row in self._rows_of(*one)}
        self.rows.update(rows)
        if rows:
            self._of_object[one] = frozenset(rows)
        return old | rows.keys()

    def _rows_of(self, kind: Kind, identifier: str) -> Iterator[Row]:
        match kind:
            case "base":
                yield from acls.drop_rows(drop_name(self.owner))
            case "network":
                if network := self.networks.get(NetworkId(identifier)):
                    yield from switches.network_rows(network)
            case "subnet":
                yield from self._subnet_rows(identifier)
            case "port":
                yield from self._port_rows(PortId(identifier))
            case "group":
                yield from self._group_rows(*identifier.split())
            case "members":
                yield from self._member_rows(*identifier.split())
            case "address-group":
                addresses = self.address_groups.get(identifier)
                if addresses is not None and self._referring_groups(identifier):
                    yield from acls.address_group_rows(addresses)

    def _subnet_rows(self, subnet_id: str) -> Iterator[Row]:
        subnet = self.subnets.get(subnet_id)
        network = None if subnet is None else self.networks.get(subnet.network_id)
        row = None if subnet is None or network is None else dhcp.subnet_row(network, subnet)
        if row is not None:
            yield row

    def _port_rows(self, port_id: PortId) -> Iterator[Row]:
        port = self.ports.get(port_id)
        network = None if port is None else self.networks.get(port.network_id)
        if port is not None and network is not None:
            yield from switches.port_rows(network, port, self.subnets, self.groups)

    def _group_rows(self, group_id: str, network_id: str) -> Iterator[Row]:
        group = self.groups.get(group_id)
        if group is not None and network_id in self._members.get(group_id, ()):
            known = {**self.groups, **self.address_groups} if acls.references_of(group) else {}
            yield from acls.group_rows(group, network_id, known)

    def _member_rows(self, group_id: str, network_id: str) -> Iterator[Row]:
        """Yield the addresses of a group's members in a network, if rules that are written there refer to them."""
        if group_id in self.groups and any(
            network_id in self._members[one] for one in self._referring_groups(group_id)
        ):
            members = self._members.get(group_id, {}).get(network_id, ())
            yield from acls.member_rows(group_id, network_id, (self.ports[one] for one in members))

    def _referring_groups(self, group_id: str) -> list[str]:
        """Return the security groups with members whose rules refer to a group."""
        return [one for one in self._referring.get(group_id, ()) if one in self._members]


def _put(records: dict[_Key, _Record], key: _Key, record: _Record | None) -> None:
    if record is None:
        records.pop(key, None)
    else:
        records[key] = record


def _groups_of(port: Port | None) -> frozenset[str]:
    return frozenset(port.security_group_ids) if port is not None and is_guarded(port) else frozenset()
