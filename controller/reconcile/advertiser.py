"""Which ports are sent which router advertisements unasked, and when (RFC 4861 section 6.2.4)?

After a change of what a network says, and every `MAX_INTERVAL_S`; what it no longer says is ended by a few more
(`controller.reconcile.withdrawals`). By packet-out to the ports of the network one by one,
so that routers get none and nothing leaves the host. A bounded number a second: whoever changes a network of ten
thousand ports waits a little longer. Guests that start ask for themselves.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Mapping

from controller.dhcp6 import ra
from controller.dhcp6.ra import MAX_INTERVAL_S
from controller.reconcile.bridge import Bridge
from controller.reconcile.directory import Tally
from controller.reconcile.ipv6 import is_router
from controller.reconcile.model import Model
from controller.reconcile.neighbours import Leases, OpenFlow
from controller.reconcile.places import hosts_of
from controller.reconcile.withdrawals import ROUND_INTERVAL_S, Withdrawals
from controller.records import HostName, NetworkId, PortId

RATE_PPS = 200
"""Most advertisements a second, of all networks together."""
INITIAL_S = 16.0
"""RFC 4861 section 10, MAX_INITIAL_RTR_ADVERT_INTERVAL: when a controller that has just started advertises first."""


class Advertiser:
    """Sends advertisements; owned by the reconciler's thread."""

    def __init__(self, *, openflow: OpenFlow, leases: Leases, rate_pps: int = RATE_PPS) -> None:
        self._openflow, self._leases, self._rate_pps = openflow, leases, rate_pps
        self.tally = Tally("sent", "dropped")
        self._due_at: dict[NetworkId, float] = {}
        self._queue: list[tuple[float, NetworkId]] = []
        self._withdrawals = Withdrawals()
        self._rounds: dict[NetworkId, deque[PortId]] = {}
        """Ports that were not sent to yet, of the networks whose turn it is; they take turns port by port."""
        self._allowance, self._allowed_at = 0.0, 0.0

    def want(self, networks: Iterable[NetworkId], at: float) -> None:
        """Advertise some networks at a time (seconds of a monotonic clock), and from then on again and again."""
        for network_id in networks:
            self._due_at[network_id] = at
            heapq.heappush(self._queue, (at, network_id))

    def advertise(self, model: Model, bridges: Mapping[HostName, Bridge], now: float) -> None:
        """Send what is due, and what there is room for."""
        self._allowance = min(self._rate_pps, self._allowance + (now - self._allowed_at) * self._rate_pps)
        self._allowed_at = now
        while self._queue and self._queue[0][0] <= now:
            self._begin(model, *heapq.heappop(self._queue), now)
        frames: dict[NetworkId, tuple[tuple[str | None, bytes], ...]] = {}
        while self._rounds and self._allowance >= 1:
            network_id = next(iter(self._rounds))
            ports = self._rounds.pop(network_id)
            port_id = ports.popleft()
            if ports:
                self._rounds[network_id] = ports
            if network_id not in frames:
                facts = (*self._leases.facts(network_id), *self._withdrawals.of(network_id))
                frames[network_id] = tuple((one.gateway_mac, ra.unsolicited(one)) for one in facts)
            self._send(model, bridges, port_id, frames[network_id])

    def _begin(self, model: Model, due_at: float, network_id: NetworkId, now: float) -> None:
        if self._due_at.get(network_id) != due_at:
            return  # wanted at another time since
        network = model.networks.get(network_id)
        if network is None or not network.admin_state_up:
            self._rounds.pop(network_id, None)
            if network is None:
                self._withdrawals.forget(network_id)
            if self._withdrawals.has_said(network_id):  # to be ended, perhaps, when it is up again
                self.want([network_id], now + MAX_INTERVAL_S)
            else:
                del self._due_at[network_id]
            return
        facts = self._leases.facts(network_id)
        if self._withdrawals.begin_round(network_id, facts):
            self.want([network_id], now + ROUND_INTERVAL_S)
        elif facts:
            self.want([network_id], now + MAX_INTERVAL_S)
        else:
            del self._due_at[network_id]
        if not facts and not self._withdrawals.of(network_id):
            self._rounds.pop(network_id, None)
            return
        # Those that still wait for the last round come first, or a network that changes all the time forgets them.
        waiting = dict.fromkeys(self._rounds.pop(network_id, ()))
        ports = {port.id: None for port in model.ports_of_network(network_id) if not is_router(model, port)}
        if ports:
            self._rounds[network_id] = deque(port_id for port_id in waiting | ports if port_id in ports)

    def _send(
        self,
        model: Model,
        bridges: Mapping[HostName, Bridge],
        port_id: PortId,
        frames: Iterable[tuple[str | None, bytes]],
    ) -> None:
        port = model.ports.get(port_id)
        for host in hosts_of(port):
            bridge = bridges.get(host)
            ofport = None if bridge is None or port is None else bridge.ofport_of(port.key)
            if bridge is None or port is None or ofport is None:
                continue
            for gateway_mac, frame in frames:
                if gateway_mac != port.mac_address:
                    is_taken = self._openflow.send(bridge.host.datapath_id, ofport, frame)
                    self.tally.add("sent" if is_taken else "dropped")
                    self._allowance -= 1
