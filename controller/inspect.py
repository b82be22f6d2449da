"""Why is this flow on that switch? Live flows, with the names and reasons only the intent knows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from controller.errors import HostNotFound, InvalidInput, NetworkNotFound, PortNotFound, SwitchUnavailable
from controller.names import owner_name
from controller.reconcile.reconciler import Reconciler
from controller.records import HostName, NetworkId, PortId
from controller.southbound.openflow.decode import instructions_text, match_text
from controller.southbound.openflow.dump import DumpedFlow
from controller.southbound.openflow.encode import Encoder
from controller.southbound.openflow.errors import UnavailableError
from controller.southbound.openflow.mark import MARK_TEXT, is_mark
from flows.cookie import ObjectKind, Owner, decode, is_ours
from flows.flow import Flow
from flows.ofctl import actions_text, table_name
from flows.ofctl import match_text as desired_match_text
from flows.pipeline import TABLE_BY_NAME

ASK_S = 2.0
DUMP_S = 3.0

_Object = tuple[ObjectKind, int]


class Dumper(Protocol):
    """A switch's worker, as far as asking goes."""

    def dump(self, deadline_s: float) -> list[DumpedFlow]:
        """Read the flow tables."""

    def accept(self) -> int:
        """Let withheld deletes be carried out; return how many."""

    @property
    def problem(self) -> str | None:
        """What somebody has to decide or do about the switch."""


class Switches(Protocol):
    """Where the workers are."""

    def switch(self, dpid: int) -> Dumper:
        """Return the worker of a datapath."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the intent says about the question."""

    dpid: int
    wanted: frozenset[_Object] | None
    """Only flows of these objects; None for all."""
    desired: tuple[Flow, ...]


class Inspector:
    """Answers questions about live switches; called from threads that may wait."""

    def __init__(self, reconciler: Reconciler, switches: Switches, encoder: Encoder) -> None:
        self._reconciler, self._switches, self._encoder = reconciler, switches, encoder

    def flows(self, args: Mapping[str, Any]) -> list[dict[str, object]]:
        """Return the live flows of a host, each with its table's name, its owner's and its reason.

        Args:
            args: ``host``, and optionally ``port_id``, ``network_id``, ``table`` to narrow the answer.

        Raises:
            WeftError: The host, port, network or table does not exist, or the switch cannot be read now.
            TimeoutError: The reconciler is too busy to answer.
        """
        table = args.get("table")
        if table is not None and table not in TABLE_BY_NAME:
            raise InvalidInput(f"no table is called {table!r}; tables: {', '.join(TABLE_BY_NAME)}")
        asked = self._reconciler.ask(lambda: self._look_up(args), ASK_S)
        try:
            dumped = self._switches.switch(asked.dpid).dump(DUMP_S)
        except UnavailableError as error:
            raise SwitchUnavailable(str(args["host"]), str(error)) from error
        shown = [f for f in dumped if _is_wanted(f, asked.wanted, table)]
        owners = {owner for f in shown if (owner := decode(f.cookie)) is not None}
        names = self._reconciler.ask(lambda: self._names(owners), ASK_S)
        desired = {self._encoder.flow_id(flow): flow for flow in asked.desired}
        shown.sort(key=lambda f: (f.table, -f.priority, f.match_bytes))
        return [self._describe(f, desired.get(f.id), names) for f in shown]

    def reconcile(self, args: Mapping[str, Any]) -> dict[str, object]:
        """Say what keeps a host's switch from being as desired; with ``accept`` carry out the deletes it withholds.

        Raises:
            WeftError: The host does not exist.
            TimeoutError: The reconciler is too busy to answer.
        """
        host = str(args["host"])
        asked = self._reconciler.ask(lambda: self._look_up({"host": host}), ASK_S)
        switch = self._switches.switch(asked.dpid)
        problem = switch.problem
        return {"host": host, "problem": problem, "accepted": switch.accept() if args.get("accept") else 0}

    def _look_up(self, args: Mapping[str, Any]) -> _Asked:
        bridge = self._reconciler.bridge(HostName(str(args["host"])))
        if bridge is None:
            raise HostNotFound(str(args["host"]))
        wanted: frozenset[_Object] | None = None
        for narrowed in self._narrowings(args):
            wanted = narrowed if wanted is None else wanted & narrowed
        return _Asked(dpid=bridge.host.datapath_id, wanted=wanted, desired=tuple(bridge.state.tables().flows.values()))

    def _narrowings(self, args: Mapping[str, Any]) -> Iterable[frozenset[_Object]]:
        model = self._reconciler.model
        if (port_id := args.get("port_id")) is not None:
            port = model.ports.get(PortId(port_id))
            if port is None:
                raise PortNotFound(port_id)
            yield frozenset({(ObjectKind.PORT, int(port.key))})
        if (network_id := args.get("network_id")) is not None:
            network = model.networks.get(NetworkId(network_id))
            if network is None:
                raise NetworkNotFound(network_id)
            ports = ((ObjectKind.PORT, int(p.key)) for p in model.ports_of_network(network.id))
            yield frozenset({*((ObjectKind.SEGMENT, int(segment.key)) for segment in network.segments), *ports})

    def _names(self, owners: Iterable[Owner]) -> dict[_Object, str]:
        return {(owner.kind, owner.key): owner_name(self._reconciler.model, owner) for owner in owners}

    def _describe(self, live: DumpedFlow, flow: Flow | None, names: Mapping[_Object, str]) -> dict[str, object]:
        owner = decode(live.cookie)
        is_known = flow is not None and flow.cookie == live.cookie
        if owner is not None:
            name, why = names[owner.kind, owner.key], "stale: not in the intent, will be removed"
        elif is_mark(live.cookie):
            name, why = MARK_TEXT, "says which state of the intent the switch was filled from; no packet meets it"
        else:
            name, why = ("weft, another version" if is_ours(live.cookie) else "foreign"), "not made by this Weft"
        return {
            "table": table_name(live.table),
            "table_id": live.table,
            "priority": live.priority,
            "match": desired_match_text(flow.match) if flow and is_known else match_text(live.match_bytes),
            "actions": actions_text(flow) if flow and is_known else instructions_text(live.instruction_bytes),
            "cookie": f"{live.cookie:#018x}",
            "owner": name,
            "why": flow.why if flow and is_known else why,
            "packets": live.packets,
            "bytes": live.bytes,
            "object_kind": None if owner is None else owner.kind.name.lower(),
            "object_key": None if owner is None else owner.key,
        }


def _is_wanted(flow: DumpedFlow, wanted: frozenset[_Object] | None, table: str | None) -> bool:
    if table is not None and flow.table != TABLE_BY_NAME[table].id:
        return False
    if wanted is None:
        return True
    owner = decode(flow.cookie)
    return owner is not None and (owner.kind, owner.key) in wanted
