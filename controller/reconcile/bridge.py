"""What is desired of one host's bridge, what was told to its switch, and what the switch has confirmed?"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from controller.reconcile.alike import Compiled
from controller.reconcile.index import discard
from controller.reconcile.model import Model
from controller.reconcile.plugs import UNPLUGGED, Plugs
from controller.reconcile.shared_rules import SharedRules
from controller.reconcile.status import Progress, device_name
from controller.reconcile.translate import BridgeView
from controller.records import Host, PortKey, SegmentKey
from controller.southbound.openflow.events import Refusal
from flows.contribution import Contribution
from flows.cookie import ObjectKind, decode
from flows.delta import Delta
from flows.intent import (
    AddressGroupIntent,
    LocalPortIntent,
    RulesetIntent,
    Unit,
    UnitIntent,
    UnitKind,
    address_group_id,
)
from flows.state import BridgeState

_UNIT_KIND = {
    ObjectKind.PORT: UnitKind.LOCAL_PORT,
    ObjectKind.SEGMENT: UnitKind.SEGMENT,
    ObjectKind.PEER: UnitKind.PEER,
    ObjectKind.RULESET: UnitKind.RULESET,
    ObjectKind.ADDRESS_GROUP: UnitKind.ADDRESS_GROUP,
}


def _lost(old: AddressGroupIntent, new: AddressGroupIntent) -> bool:
    """Whether an address group has prefixes no longer."""
    return not set(old.prefixes) <= set(new.prefixes)


@dataclass(slots=True)
class Condition:
    """Whether the two connections of a host are up, and since when they are not (seconds of a monotonic clock)."""

    ovsdb: bool = False
    openflow: bool = False
    lost_at: float | None = None
    is_given_up: bool = False
    """The host was silent for so long that its ports are no longer called ACTIVE."""
    refusal: str | None = None
    """Why nothing is written on the bridge: it is somebody else's."""

    def heard(self, now: float, *, ovsdb: bool | None = None, openflow: bool | None = None) -> bool:
        """Note whether a connection is up (None: as it was); return whether that turned the host as a whole."""
        was = self.ovsdb and self.openflow
        self.ovsdb = self.ovsdb if ovsdb is None else ovsdb
        self.openflow = self.openflow if openflow is None else openflow
        is_there = self.ovsdb and self.openflow
        if is_there:
            self.lost_at, self.is_given_up = None, False
        elif was:
            self.lost_at = now
        return is_there != was

    def give_up(self, now: float, grace_s: float) -> bool:
        """Give the host up when it has been silent for longer than `grace_s`; return whether that is new."""
        if self.is_given_up or self.lost_at is None or now - self.lost_at < grace_s:
            return False
        self.is_given_up = True
        return True


class Bridge:
    """One host's integration bridge; owned by the reconciler's thread."""

    def __init__(self, host: Host, now: float, compiled: Compiled | None = None) -> None:
        """Begin with nothing told; bridges with one `compiled` share what they are asked alike."""
        self.host = host
        self._compiled = compiled or Compiled()
        self.plugs = Plugs()
        self.condition = Condition(lost_at=now)
        self.state = BridgeState()
        self.loaded = False
        """The switch's worker has been given a complete state; nothing may be deleted before."""
        self._intents: dict[Unit, UnitIntent] = {}
        self._zones: dict[int, set[int]] = {}
        """The conntrack zones of the ports with each ruleset."""
        self._pending: dict[Unit, int] = {}
        self._refused: dict[Unit, str] = {}

    @property
    def programmed(self) -> bool:
        """Whether everything desired is confirmed."""
        return self.loaded and not self._pending and not self._refused

    def refresh(self, view: BridgeView, units: Iterable[Unit], token: int) -> tuple[Delta, frozenset[Unit]]:
        """Recompile the units whose intent changed.

        Returns:
            What that changes in the switch, and the units; they are pending until `token` is confirmed if anything
            does.
        """
        changes: dict[Unit, Contribution | None] = {}
        outdated: set[int] = set()
        narrowed: set[int] = set()
        shared = view.model.rulesets.shared
        for unit in units:
            new, old = view.intent(unit), self._intents.get(unit)
            if shared.are_same(old, new):
                continue
            if unit.kind == UnitKind.LOCAL_PORT:
                outdated |= self._port_zoned(old, new)
            narrowed.update(self._narrowed(shared, old, new))
            if new is None:
                del self._intents[unit]
                changes[unit] = None
            else:
                self._intents[unit] = new
                changes[unit] = shared.compiled(new) if isinstance(new, RulesetIntent) else self._compiled.of(new)
            self._refused.pop(unit, None)
        outdated.update(zone for ruleset in narrowed for zone in self._zones.get(ruleset, ()))
        if not changes:
            return Delta(), frozenset()
        delta = self.state.replace(changes)
        if outdated:
            delta = replace(delta, revoked_zones=tuple(sorted(outdated.difference(delta.flushed_zones))))
        if delta:
            self._pending.update((unit, token) for unit in changes)
        return delta, frozenset(changes)

    def _narrowed(self, shared: SharedRules, old: UnitIntent | None, new: UnitIntent | None) -> Iterable[int]:
        """Return the rulesets that let in less than before."""
        if isinstance(old, RulesetIntent) and isinstance(new, RulesetIntent):
            return (new.ruleset,) if shared.turn(old, new).is_narrower else ()
        if isinstance(old, AddressGroupIntent) and isinstance(new, AddressGroupIntent) and _lost(old, new):
            return self._referring(address_group_id(new.key))
        return ()

    def _referring(self, group: int) -> Iterator[int]:
        """Yield the rulesets of this bridge with a rule for members of a group, by its conjunction id."""
        for ruleset in self._zones:
            intent = self._intents.get(Unit(UnitKind.RULESET, ruleset))
            if isinstance(intent, RulesetIntent):
                rules = (*intent.from_port, *intent.to_port)
                if any(rule.group == group for rule in rules):
                    yield ruleset

    def _port_zoned(self, old: UnitIntent | None, new: UnitIntent | None) -> set[int]:
        """Keep the zones of rulesets up to date; return those whose connections were let in by other rules.

        The zone of a port that comes or goes is flushed with its flows.
        """
        was = (old.ruleset, old.number) if isinstance(old, LocalPortIntent) else None
        now = (new.ruleset, new.number) if isinstance(new, LocalPortIntent) else None
        if was == now:
            return set()
        if was is not None:
            discard(self._zones, *was)
        if now is not None:
            self._zones.setdefault(now[0], set()).add(now[1])
        return set() if was is None or now is None else {was[1], now[1]}

    def misnumbered(self, devices: Mapping[int, str], model: Model) -> list[str]:
        """Return what contradicts the flows: numbers they use that the switch has given to other devices.

        A restarted ovs-vswitchd may number devices anew; until OVSDB has said so here, the flows of the old numbers
        would put one network's device into another.

        Args:
            devices: Device name of each OpenFlow number, as the switch itself says.
            model: The intent.
        """
        found = []
        for unit, intent in self._intents.items():
            if not isinstance(intent, LocalPortIntent) or intent.ofport not in devices:
                continue
            port = model.port_by_key.get(PortKey(unit.key))
            plug = UNPLUGGED if port is None else self.plugs.plug(port.id)
            expected = plug.live[0] if plug.live else device_name(port.id if port else "")
            if devices[intent.ofport] != expected:
                found.append(f"OpenFlow port {intent.ofport} is {devices[intent.ofport]}, not {expected}")
        return found

    def ofport_of(self, port: PortKey) -> int | None:
        """Return the OpenFlow number that a port's flows are for here, None when it is not wired."""
        intent = self._intents.get(Unit(UnitKind.LOCAL_PORT, port))
        return intent.ofport if isinstance(intent, LocalPortIntent) else None

    def known_units(self) -> frozenset[Unit]:
        """Return the units that have an intent now."""
        return frozenset(self._intents)

    def confirm(self, token: object) -> frozenset[Unit]:
        """Note that everything up to `token` is in the switch; return the units this settles."""
        if not isinstance(token, int):
            raise TypeError(f"a switch confirmed {token!r}, which is no token of the reconciler")
        settled = frozenset(unit for unit, needed in self._pending.items() if needed <= token)
        for unit in settled:
            del self._pending[unit]
        return settled

    def refuse(self, problems: Mapping[Unit, str]) -> None:
        """Note what the switch did not accept of which unit."""
        self._refused.update(problems)

    def accept_all(self) -> frozenset[Unit]:
        """Forget refusals, as a complete resync without errors proves; return the units concerned."""
        settled = frozenset(self._refused)
        self._refused.clear()
        return settled

    @property
    def refusal(self) -> str | None:
        """What the switch refused first, one sentence, None when it took everything."""
        return None if not self._refused else f"its switch refused: {self._refused[min(self._refused)]}"

    def progress(self, port: PortKey, segment: SegmentKey) -> tuple[Progress, str]:
        """Return how far the flows of a port are, and what was refused."""
        units = (Unit(UnitKind.LOCAL_PORT, port), Unit(UnitKind.SEGMENT, segment))
        for unit in (*units, *self._rules_of(units[0])):
            if unit in self._refused:
                return Progress.REFUSED, self._refused[unit]
        if not self.loaded or any(unit in self._pending for unit in units):
            return Progress.PENDING, ""
        return Progress.CONFIRMED, ""

    def _rules_of(self, unit: Unit) -> tuple[Unit, ...]:
        """Return the unit of a local port's rules. It is never waited for: new rules come before or with the port."""
        port = self._intents.get(unit)
        return (Unit(UnitKind.RULESET, port.ruleset),) if isinstance(port, LocalPortIntent) else ()


def refused_units(refusals: Iterable[Refusal]) -> dict[Unit, str]:
    """Return the units that a switch's refusals are about, and what it said."""
    problems = {}
    for refusal in refusals:
        owner = None if refusal.cookie is None else decode(refusal.cookie)
        kind, key = (ObjectKind.NONE, 0) if owner is None else (owner.kind, owner.key)
        problems[Unit(_UNIT_KIND.get(kind, UnitKind.BASE), key)] = str(refusal)
    return problems
