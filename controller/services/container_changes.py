"""How does a container become what its flavor wants? A plan, carried out through the services of its members.

Inside one transaction, in this order: vNICs and addresses let go of what goes; what goes is deleted, but for networks
and groups; what is new is made and what changes is changed, each after what it needs; at last networks and groups go.
A member that is replaced may so have the address, the MAC address or the prefix of the one before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from controller.caller import Caller
from controller.container_errors import ContainerInUse, InvalidTemplate
from controller.containers.difference import CHANGED, CREATED, DELETED, FIXED_IPS, REPLACED, Change, Plan
from controller.containers.expand import Wanted, levels
from controller.containers.expressions import Json, Reference, pick, references, resolve
from controller.containers.problems import Problem, dotted
from controller.errors import WeftError
from controller.services import container_kinds, vnics
from controller.services.container_dependents import dependents
from controller.services.container_kinds import GROUP, NETWORK, PLUG, PORT, RULE, SUBNET, TYPES, VNIC, Kinds
from controller.store.containers import Member, forget_members, store_members
from controller.store.transaction import Transaction

_LAST = (NETWORK, GROUP)
"""What others use goes when they use something else already."""
_MAC = "mac_address"


class Work:
    """One container on its way from what it is to what it should be."""

    def __init__(
        self,
        tx: Transaction,
        caller: Caller,
        kinds: Kinds,
        *,
        container_id: str,
        project_id: str,
        members: Sequence[Member],
    ) -> None:
        """Take the members there are; those that somebody deleted must not be among them."""
        self._tx, self._caller, self._kinds = tx, caller, kinds
        self._container_id, self._project_id = container_id, project_id
        self._members = {one.path: one for one in members}
        self._views: dict[str, dict[str, Any]] = {}
        self._lost: dict[str, list[str]] = {}
        """Paths of the subnets a port has lost its address of, by its path."""

    def carry_out(self, name: str, wanted: Sequence[Wanted], plan: Plan, *, gone: Sequence[str] = ()) -> None:
        """Do what a plan says.

        Args:
            name: The container's, for errors.
            wanted: Every member as it should be.
            plan: What makes it so.
            gone: Paths whose objects somebody deleted.

        Raises:
            ContainerInUse: something outside stands on what would go; and whatever the services raise.
        """
        going = [self._members[path] for path in plan.paths(DELETED, REPLACED) if path in self._members]
        outside = dependents(self._tx, list(self._members.values()), going)
        if outside:
            raise ContainerInUse(name, [str(one) for one in outside])
        changed = plan.paths(CHANGED)
        self._let_go(changed, going)
        self.remove([one for one in going if one.type not in _LAST], with_=going)
        forget_members(self._tx, self._container_id, [*(one.path for one in going), *gone])
        last = [one for one in going if one.type in _LAST]
        for member in going:
            del self._members[member.path]
        first = len(self._members)
        new = plan.paths(CREATED, REPLACED)
        for step in levels(wanted):
            self._make([one for one in step if one.path in new])
            for one in step:
                if one.path in changed:
                    self._change(one, changed[one.path])
        self.remove(last, with_=last)
        self._store([one for one in wanted if one.path in new or one.path in changed], first=first)

    def value(self, value: Json) -> Json:
        """Return a value with the ids and attributes its references name."""
        return resolve(value, self._found)

    def remove(self, going: Sequence[Member], *, with_: Sequence[Member]) -> None:
        """Delete members, those that need others first; a rule goes with its group, a subnet with its network."""
        paths = {one.path for one in with_}
        for kind in reversed(TYPES):
            for one in going:
                if one.type != kind or self._goes_with(one, paths):
                    continue
                if kind == VNIC:
                    self._unplug(one.object_id)
                self._told(
                    one.path, lambda one=one: self._kinds[one.type].delete(self._tx, self._caller, one.object_id)
                )

    def _goes_with(self, one: Member, paths: set[str]) -> bool:
        owner = one.properties.get({RULE: "security_group_id", SUBNET: "network_id"}.get(one.type, ""))
        return isinstance(owner, Reference) and owner.path in paths

    def _let_go(self, changed: Mapping[str, Change], going: Sequence[Member]) -> None:
        for path, change in changed.items():
            if change.type == VNIC and {PLUG, _MAC} & {*change.attributes}:
                self._unplug(self._members[path].object_id)
        subnets = {one.object_id: one.path for one in going if one.type == SUBNET}
        if not subnets:
            return
        for path, change in changed.items():
            if change.type == PORT and FIXED_IPS in change.attributes:
                port_id = self._members[path].object_id
                now = self._view(PORT, port_id, (FIXED_IPS,))[FIXED_IPS]
                kept = [one for one in now if one["subnet_id"] not in subnets]
                self._lost[path] = [subnets[one["subnet_id"]] for one in now if one["subnet_id"] in subnets]
                self._update(PORT, path, {FIXED_IPS: kept})

    def _make(self, step: Sequence[Wanted]) -> None:
        """Make new members: ports of one group of the template together, others one by one."""
        batches: dict[tuple[str, str], list[Wanted]] = {}
        for one in step:
            name = one.path.partition("[")[0] if one.type == PORT else one.path
            batches.setdefault((one.type, name), []).append(one)
        for kind in TYPES:
            for (of, _name), batch in batches.items():
                if of == kind:
                    place = batch[0].where if len(batch) == 1 else batch[0].where[:-1]
                    self._told(dotted(place), lambda batch=batch, kind=kind: self._create(kind, batch))

    def _create(self, kind: str, batch: Sequence[Wanted]) -> None:
        given = [self.value(container_kinds.given(one)) for one in batch]
        plugs = [one.pop(PLUG, None) if kind == VNIC else None for one in given]
        make = self._kinds[kind]
        wanted = [make.wanted(self._caller, one | {"project_id": self._project_id}) for one in given]
        made = make.create_many(self._tx, self._caller, wanted)
        for one, record, plug in zip(batch, made, plugs, strict=True):
            came = tuple(rule.id for rule in record.rules) if kind == GROUP else ()
            self._members[one.path] = Member(
                container_id=self._container_id,
                path=one.path,
                type=one.type,
                object_id=record.id,
                added=False,
                properties=one.properties,
                came_with=came,
            )
            if plug is not None:
                vnics.plug(self._tx, self._caller, record.id, {PLUG: plug})

    def _change(self, one: Wanted, change: Change) -> None:
        names = set(change.attributes)
        values = {name: self.value(one.properties[name]) for name in names if name in one.properties}
        reset = {name for name in names if name not in values}
        if one.type == PORT and FIXED_IPS in reset:
            reset.discard(FIXED_IPS)
            again = [path for path in self._lost.get(one.path, ()) if path in self._members]
            if again:
                now = self._view(PORT, self._members[one.path].object_id, (FIXED_IPS,))[FIXED_IPS]
                values[FIXED_IPS] = [*now, *({"subnet_id": self._members[path].object_id} for path in again)]
        values.pop(PLUG, None)
        reset.discard(PLUG)
        if values or reset:
            self._told(dotted(one.where), lambda: self._update(one.type, one.path, values, reset))
        member = self._members[one.path]
        if one.type == VNIC and {PLUG, _MAC} & names and one.properties.get(PLUG) is not None:
            plug = {PLUG: self.value(one.properties[PLUG])}
            self._told(dotted(one.where), lambda: vnics.plug(self._tx, self._caller, member.object_id, plug))
        self._members[one.path] = replace(member, properties=one.properties)

    def _update(self, kind: str, path: str, values: Mapping[str, Any], reset: set[str] | None = None) -> None:
        object_id = self._members[path].object_id
        changes = self._kinds[kind].changes(self._caller, values, reset or set())
        self._kinds[kind].update(self._tx, self._caller, object_id, changes)
        self._views.pop(object_id, None)

    def _unplug(self, vnic_id: str) -> None:
        if self._view(VNIC, vnic_id, (PLUG,)).get(PLUG) is not None:
            vnics.unplug(self._tx, self._caller, vnic_id)
        self._views.pop(vnic_id, None)

    def _found(self, reference: Reference) -> Json:
        member = self._members[reference.path]
        if not reference.steps:
            return member.object_id
        attribute, *inside = reference.steps
        known = self._views.setdefault(member.object_id, {})
        if attribute not in known:
            known |= self._view(member.type, member.object_id, (str(attribute),))
        try:
            return pick(known, (attribute, *inside))
        except (KeyError, IndexError, TypeError):
            text = ".".join(str(step) for step in reference.steps)
            raise InvalidTemplate(str(Problem(path=(reference.path,), message=f"there is no {text} of it"))) from None

    def _view(self, kind: str, object_id: str, names: Sequence[str]) -> dict[str, Any]:
        found = self._kinds[kind].views(self._tx, self._caller, [object_id], names)
        return dict(found.get(object_id, {}))

    def _store(self, written: Sequence[Wanted], *, first: int) -> None:
        """Write the members that are new or changed, as the API shows them now; a plug changes its port too."""
        paths = [one.path for one in written]
        ports = {
            reference.path
            for one in written
            if one.type == VNIC
            for reference in references(one.properties.get(PLUG))
            if reference.path in self._members
        }
        paths += sorted(ports - set(paths))
        members = with_seen(self._tx, self._caller, self._kinds, [self._members[path] for path in paths])
        store_members(self._tx, members, first=first)

    @staticmethod
    def _told(place: str, act: Any) -> None:
        """Do something, and say in an error of a service which member it is about."""
        try:
            act()
        except WeftError as error:
            error.detail = error.detail or place
            raise


def with_seen(tx: Transaction, caller: Caller, kinds: Kinds, members: Sequence[Member]) -> list[Member]:
    """Return members with what the API shows now of the attributes that were asked for."""
    seen: dict[str, Mapping[str, Any]] = {}
    for kind in TYPES:
        of_kind = [one for one in members if one.type == kind]
        names = {name for one in of_kind for name in one.properties}
        if of_kind:
            seen |= kinds[kind].views(tx, caller, [one.object_id for one in of_kind], sorted(names))
    return [
        replace(
            one,
            seen={name: value for name, value in seen.get(one.object_id, {}).items() if name in one.properties},
        )
        for one in members
    ]
