"""Who answers a punted frame, and how? What is told to each port, ready for the threads that receive packet-ins.

The cookie names feature and port: DHCP and DHCPv6 are answered by the port's lease, a router solicitation by what
its network advertises; of a guest that arrives where it is moved to, and of who uses which address, the reconciler is
told.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

from controller.dhcp import errors as errors4
from controller.dhcp import responder as dhcp
from controller.dhcp.answer import Answer
from controller.dhcp.lease import Lease
from controller.dhcp6 import errors as errors6
from controller.dhcp6 import ra
from controller.dhcp6 import responder as dhcp6
from controller.dhcp6.answer import Answer6
from controller.dhcp6.lease import Lease6
from controller.reconcile.hearing import Heard, Hearing
from controller.reconcile.ipv6 import is_router
from controller.reconcile.leases import lease6_of, lease_of, router_facts_of
from controller.reconcile.model import Model
from controller.records import NetworkId, Port, PortId, PortKey
from flows.cookie import Feature, decode

_log = logging.getLogger(__name__)
_L = TypeVar("_L")
_A = TypeVar("_A")

Compile = Callable[[_L], tuple[_A, tuple[Exception, ...]]]
"""Returns an answer, and what of the lease cannot be said."""
Send = Callable[[int, int, bytes], bool]
"""(datapath id, OpenFlow number, frame): sends without waiting; whether somebody took it."""
Arrived = Callable[[int, PortKey], None]
"""(datapath id, port key): a guest that is being moved has shown itself there; must not block."""


class _Answers(Generic[_L, _A]):
    """Leases by port; the answers are compiled when the first request comes.

    A restart with 10,000 ports would else compile 10,000 answers nobody asked for. A port's entry is replaced whole, so
    a reader in another thread sees the old lease or the new one.
    """

    def __init__(self, protocol: str, compile_: Compile[_L, _A], id_of: Mapping[PortKey, PortId]) -> None:
        self._protocol, self._compile, self._id_of = protocol, compile_, id_of
        self._declined: set[PortKey] = set()
        self._leases: dict[PortKey, _L] = {}
        self._answers: dict[PortKey, tuple[_L, _A]] = {}

    def put(self, key: PortKey, lease: _L | None) -> None:
        self._declined.discard(key)
        if lease is None:
            self._leases.pop(key, None)
            self._answers.pop(key, None)
        else:
            self._leases[key] = lease

    def get(self, key: PortKey) -> _A | None:
        lease = self._leases.get(key)
        if lease is None:
            return None
        known = self._answers.get(key)
        if known is not None and known[0] is lease:
            return known[1]
        try:
            answer, problems = self._compile(lease)
        except (errors4.InvalidLease, errors6.InvalidLease) as error:
            _log.error("%s_lease_invalid port=%s problem=%r", self._protocol, self._id_of.get(key), str(error))
            return None
        for problem in problems:
            _log.warning("%s_option_skipped port=%s problem=%r", self._protocol, self._id_of.get(key), str(problem))
        self._answers[key] = (lease, answer)
        return answer

    def declined(self, dpid: int, key: PortKey, in_port: int) -> None:
        """Log that a guest cannot use its address; once for a lease, for guests may say it as often as they like."""
        if key not in self._declined:
            self._declined.add(key)
            port = self._id_of.get(key)
            _log.warning("%s_declined dpid=%016x ofport=%d port=%s", self._protocol, dpid, in_port, port)


class Tally:
    """How many there were of each kind? Safe to add to and read from any thread."""

    def __init__(self, *kinds: str) -> None:
        self._lock = threading.Lock()
        self._counts = Counter(dict.fromkeys(kinds, 0))

    def add(self, kind: str, count: int = 1) -> None:
        """Count some more."""
        with self._lock:
            self._counts[kind] += count

    def as_dict(self) -> dict[str, int]:
        """Return the counts by kind, those at zero too."""
        with self._lock:
            return dict(self._counts)


class Directory:
    """What is told to all ports; written by the reconciler's thread, read by the receive threads of switches."""

    def __init__(self, *, send: Send, arrived: Arrived, heard: Callable[[Heard], None] = lambda _heard: None) -> None:
        """Begin with nothing.

        Args:
            send: Takes what one packet-in is answered with beside its first answer.
            arrived: Is told of guests that show themselves where they are being moved to.
            heard: Is told who named which address.
        """
        self.hearing = Hearing(heard)
        self._send, self._arrived = send, arrived
        self.counters = dhcp.Counters()
        self.counters6 = dhcp6.Counters6()
        self.solicitations = Tally("answered", "ignored")
        self.arrivals = Tally("arrived")
        self._keys: dict[PortId, PortKey] = {}
        self._id_of: dict[PortKey, PortId] = {}
        self._dhcp: _Answers[Lease, Answer] = _Answers("dhcp", Answer.compile, self._id_of)
        self._dhcp6: _Answers[Lease6, Answer6] = _Answers("dhcpv6", Answer6.compile, self._id_of)
        self._network_of: dict[PortKey, NetworkId] = {}
        self._facts: dict[NetworkId, tuple[ra.RouterFacts, ...]] = {}

    # the reconciler's thread ------------------------------------------------------------------------------------------

    def refresh(
        self, model: Model, ports: Iterable[PortId], networks: Iterable[NetworkId] = ()
    ) -> frozenset[NetworkId]:
        """Make again what is told to some ports and advertised by some networks; return which say other things now."""
        changed = frozenset(network for network in networks if self._advertise(model, network))
        for port_id in ports:
            self._tell(model, port_id, model.ports.get(port_id))
        return changed

    def facts(self, network_id: NetworkId) -> tuple[ra.RouterFacts, ...]:
        """Return what a network advertises, nothing when it does not."""
        return self._facts.get(network_id, ())

    def _tell(self, model: Model, port_id: PortId, port: Port | None) -> None:
        key = self._keys.pop(port_id, None) if port is None else port.key
        if key is None:
            return
        self._dhcp.put(key, None if port is None else lease_of(model, port))
        self._dhcp6.put(key, None if port is None else lease6_of(model, port))
        if port is None or is_router(model, port):
            self._network_of.pop(key, None)
        else:
            self._network_of[key] = port.network_id
        if port is None:
            self._id_of.pop(key, None)
        else:
            self._keys[port_id] = key
            self._id_of[key] = port_id

    def _advertise(self, model: Model, network_id: NetworkId) -> bool:
        valid = []
        for facts in router_facts_of(model, network_id):
            try:
                ra.unsolicited(facts)
            except errors6.InvalidFacts as error:
                _log.error("router_facts_invalid network=%s problem=%r", network_id, str(error))
            else:
                valid.append(facts)
        before = self._facts.pop(network_id, ())
        if valid:
            self._facts[network_id] = tuple(valid)
        return before != tuple(valid)

    # the receive threads ----------------------------------------------------------------------------------------------

    def packet_in(self, dpid: int, cookie: int, in_port: int, frame: bytes) -> bytes | None:
        """Return the frame to send back to where a punted one came from, or None.

        The cookie is that of the flow that punted, so it names the port; the guest cannot choose it.
        """
        owner = decode(cookie)
        if owner is None:
            return None
        key = PortKey(owner.key)
        match owner.feature:
            case Feature.DHCP:
                return self._answer_dhcp(dpid, key, in_port, frame)
            case Feature.DHCPV6:
                return self._answer_dhcp6(dpid, key, in_port, frame)
            case Feature.ROUTER_SOLICITATION:
                return self._answer_solicitation(dpid, key, in_port, frame)
            case Feature.MIGRATION:
                self.arrivals.add("arrived")
                self._arrived(dpid, key)
            case Feature.SIGHTING | Feature.WIRE_SIGHTING:
                self.hearing.packet_in(dpid, owner, frame)
        return None

    def _answer_dhcp(self, dpid: int, key: PortKey, in_port: int, frame: bytes) -> bytes | None:
        answer = self._dhcp.get(key)
        if answer is None:
            return None
        reply = dhcp.respond(answer, frame)
        self.counters.add(reply.outcome)
        if reply.outcome is dhcp.Outcome.DECLINED:
            self._dhcp.declined(dpid, key, in_port)
        return reply.frame

    def _answer_dhcp6(self, dpid: int, key: PortKey, in_port: int, frame: bytes) -> bytes | None:
        answer = self._dhcp6.get(key)
        if answer is None:
            return None
        reply = dhcp6.respond6(answer, frame)
        self.counters6.add(reply.outcome)
        if reply.outcome is dhcp6.Outcome6.DECLINED:
            self._dhcp6.declined(dpid, key, in_port)
        return reply.frame

    def _answer_solicitation(self, dpid: int, key: PortKey, in_port: int, frame: bytes) -> bytes | None:
        """Answer with an advertisement for each gateway; the packet-in itself has room for one."""
        network = self._network_of.get(key)
        facts = () if network is None else self.facts(network)
        answers = [answer for one in facts if (answer := ra.answer_solicitation(one, frame)) is not None]
        self.solicitations.add("answered" if answers else "ignored")
        for answer in answers[1:]:
            self._send(dpid, in_port, answer)
        return answers[0] if answers else None


def samples_of(directory: Directory) -> Mapping[str, Mapping[str, int]]:
    """Return the counts by the name of their metric and their outcome."""
    return {
        "weft_dhcp_requests_total": directory.counters.as_dict(),
        "weft_dhcpv6_requests_total": directory.counters6.as_dict(),
        "weft_router_solicitations_total": directory.solicitations.as_dict(),
        "weft_guest_arrivals_total": directory.arrivals.as_dict(),
        "weft_addresses_heard_total": directory.hearing.counts(),
    }
