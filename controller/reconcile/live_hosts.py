"""On which hosts has each port a live device, and which of them does it not bind (``plug_binding``)?"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from controller.reconcile.index import discard
from controller.reconcile.plugs import Plugs
from controller.records import HostName, PortId


class LiveHosts:
    """Both questions; owned by the reconciler's thread."""

    def __init__(self) -> None:
        self._hosts: dict[PortId, set[HostName]] = {}
        self._let_go: dict[PortId, set[HostName]] = {}

    def of(self, port_id: PortId) -> AbstractSet[HostName]:
        """Return the hosts with a live device that bears a port's id."""
        return self._hosts.get(port_id, frozenset())

    def let_go_on(self, port_id: PortId) -> AbstractSet[HostName]:
        """Return the hosts whose device does not bind a port, since it was taken off while that was there."""
        return self._let_go.get(port_id, frozenset())

    def let_go(self, port_id: PortId, hosts: Iterable[HostName]) -> None:
        """Note that a port was taken off its host while these have a device of it."""
        if found := set(hosts):
            self._let_go[port_id] = found

    def take_up(self, port_id: PortId) -> None:
        """Note that a port is bound again, or gone."""
        self._let_go.pop(port_id, None)

    def update(self, name: HostName, ports: Iterable[PortId], plugs: Plugs) -> None:
        """Take in what became of some ports on a host."""
        for port_id in ports:
            if plugs.plug(port_id).live:
                self._hosts.setdefault(port_id, set()).add(name)
                continue
            for index in (self._hosts, self._let_go):
                if port_id in index:
                    discard(index, port_id, name)

    def first_seen(self, name: HostName, plugs: Plugs) -> frozenset[PortId]:
        """Forget devices that went before a host was first seen; return the ports concerned."""
        gone = {p for p, hosts in self._let_go.items() if name in hosts and not plugs.plug(p).live}
        self.update(name, gone, plugs)
        return frozenset(gone)
