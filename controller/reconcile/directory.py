"""Who answers a punted DHCP request, and how? Leases by port key, ready for the thread that receives packet-ins."""

import logging
from collections.abc import Iterable

from controller.dhcp.errors import InvalidLease
from controller.dhcp.lease import Lease
from controller.dhcp.responder import Answer, Counters, Outcome, respond
from controller.reconcile.leases import lease_of
from controller.reconcile.model import Model
from controller.records import PortId, PortKey
from flows.cookie import Feature, decode

_log = logging.getLogger(__name__)


class DhcpDirectory:
    """The leases of all ports; written by the reconciler's thread, read by the receive threads of switches.

    A port's entry is replaced whole, so a reader sees the old lease or the new one. The answer is compiled when the
    first request comes, or a restart with 10,000 ports would compile 10,000 answers nobody asked for.
    """

    def __init__(self) -> None:
        self.counters = Counters()
        self._leases: dict[PortKey, Lease] = {}
        self._answers: dict[PortKey, tuple[Lease, Answer]] = {}
        self._keys: dict[PortId, PortKey] = {}

    def refresh(self, model: Model, ports: Iterable[PortId]) -> None:
        """Make the leases of some ports again."""
        for port_id in ports:
            port = model.ports.get(port_id)
            lease = None if port is None else lease_of(model, port)
            if port is None or lease is None:
                key = self._keys.pop(port_id, None)
                if key is not None:
                    self._leases.pop(key, None)
                    self._answers.pop(key, None)
            else:
                self._keys[port_id] = port.key
                self._leases[port.key] = lease

    def packet_in(self, dpid: int, cookie: int, in_port: int, frame: bytes) -> bytes | None:
        """Return the frame to send back to where a punted one came from, or None.

        The cookie is that of the flow that punted, so it names the port; the guest cannot choose it.
        """
        owner = decode(cookie)
        if owner is None or owner.feature is not Feature.DHCP:
            return None
        answer = self._answer(PortKey(owner.key))
        if answer is None:
            return None
        reply = respond(answer, frame)
        self.counters.add(reply.outcome)
        if reply.outcome is Outcome.DECLINED:
            _log.warning("dhcp_declined dpid=%016x ofport=%d port_key=%d", dpid, in_port, owner.key)
        return reply.frame

    def _answer(self, key: PortKey) -> Answer | None:
        lease = self._leases.get(key)
        if lease is None:
            return None
        known = self._answers.get(key)
        if known is not None and known[0] is lease:
            return known[1]
        try:
            answer, problems = Answer.compile(lease)
        except InvalidLease as error:
            _log.error("dhcp_lease_invalid port_key=%d problem=%r", key, str(error))
            return None
        for problem in problems:
            _log.warning("dhcp_option_skipped port_key=%d problem=%r", key, str(problem))
        self._answers[key] = (lease, answer)
        return answer
