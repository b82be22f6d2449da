"""Which patch ports must join our bridge with the provider bridges, and why can that not be?

A provider bridge is the operator's: Weft puts one port of its own on it and takes it off again; flows, controllers,
fail mode and every other port there are not touched. Both ends are made in one transaction, or none.
"""

from collections.abc import Collection
from typing import NamedTuple

from controller.southbound.ovsdb import values
from controller.southbound.ovsdb.desired import Desired
from controller.southbound.ovsdb.draft import Draft, Row
from controller.southbound.ovsdb.model import BridgeConfig, PatchPair
from controller.southbound.ovsdb.records import MARK_PATCH, BridgeRecord, InterfaceRecord, PortRecord
from controller.southbound.ovsdb.replica import Replica

_PATCH = "patch"


class _End(NamedTuple):
    """A port that bears the mark of a patch pair, wherever it is."""

    bridge: BridgeRecord
    port: PortRecord
    interface: InterfaceRecord


def marked_ends(replica: Replica) -> dict[str, list[_End]]:
    """Return the ends of patch pairs by their place."""
    ends: dict[str, list[_End]] = {}
    for uuid in sorted(replica.interfaces_by_mark[MARK_PATCH]):
        located = replica.located(uuid)
        if located:
            end = _End(*located)
            ends.setdefault(end.interface.external_ids[MARK_PATCH], []).append(end)
    return ends


def plan_patches(
    draft: Draft, replica: Replica, ours: BridgeRecord | None, desired: Desired, places: Collection[str]
) -> None:
    """Add to the draft what the patch pairs need. ``ours`` is None while the bridge is still to be created."""
    ends = marked_ends(replica)
    for place in sorted((ends.keys() | desired.patch_places()) & set(places)):
        _Pair(draft, replica, ours, desired.bridge, place).plan(desired.patches(place), ends.get(place, []))


def remove_patches(draft: Draft, replica: Replica, ours: BridgeRecord | None) -> None:
    """Take both ends of every patch pair off their bridges."""
    for place, ends in sorted(marked_ends(replica).items()):
        for end in ends:
            _remove(draft, ours, place, end, "removed")


class _Pair:
    """One place in the making."""

    def __init__(
        self, draft: Draft, replica: Replica, ours: BridgeRecord | None, config: BridgeConfig, place: str
    ) -> None:
        self._draft, self._replica, self._ours, self._config, self._place = draft, replica, ours, config, place

    def plan(self, claimants: list[PatchPair], ends: list[_End]) -> None:
        """Make, mend or remove the pair of a place."""
        if not claimants:
            self._remove(ends, "no longer wanted")
            return
        pair = claimants[0]
        for other in claimants[1:]:
            self._draft.problem(
                self._place,
                f"physical networks {pair.physical_network} and {other.physical_network} both name bridge "
                f"{pair.bridge}: give each a bridge of its own",
            )
        provider = self._provider(pair)
        if isinstance(provider, str):
            self._draft.problem(self._place, provider)
            self._remove(ends, "removed", is_life=True)
            return
        if why := self._renumbering(pair, ends):
            # Seen on OVS 3.1: a number freed and asked for in one transaction is not given, then or ever.
            self._draft.must_settle = True
            self._draft.problem(self._place, f"the way to {pair.bridge} {why}: it is made anew")
            self._remove(ends, f"removed: it {why}", is_life=True, may_wait=True)
            return
        kept = self._keep(ends, {pair.name: self._ours, pair.far_name: provider})
        near: Row = {**_row(pair.far_name), "ofport_request": pair.ofport}
        is_right = self._end(kept.get(pair.name), pair.name, near, None)
        is_right &= self._end(kept.get(pair.far_name), pair.far_name, _row(pair.name), provider)
        if is_right and len(kept) == len(ends):
            self._draft.in_place.add(self._place)

    def _provider(self, pair: PatchPair) -> BridgeRecord | str:
        """Return the provider bridge, or why there can be no pair."""
        what = f"provider bridge {pair.bridge} of physical network {pair.physical_network}"
        wanted = self._config.datapath_type
        if pair.bridge == self._config.name:
            return f"{what} is Weft's own bridge: name another one"
        provider = self._replica.bridge(pair.bridge)
        if provider is None:
            return f"{what} does not exist: make it (ovs-vsctl add-br {pair.bridge}) and put the network card on it"
        # ovs-vswitchd.conf.db(5) Interface, "Patch Options": a pair joins bridges of one datapath.
        found = provider.datapath_type or "system"
        if found != wanted:
            return (
                f"{what} has datapath type {found} and {self._config.name} has {wanted}, which no patch joins: set one "
                f"of them (ovs-vsctl set bridge {pair.bridge} datapath_type={wanted})"
            )
        for name in (pair.name, pair.far_name):
            if self._is_taken(name):
                return f"port {name} on the way to {what} is not Weft's: remove it (ovs-vsctl del-port {name})"
        if holder := self._holder(pair.ofport):
            return (
                f"the way to {what} needs OpenFlow port {pair.ofport}, which {holder} has: "
                f"unplug {holder} and plug it again"
            )
        return provider

    def _is_taken(self, name: str) -> bool:
        """Whether somebody else has a port of that name; names are unique on the whole host."""
        interfaces = [self._replica.interfaces[uuid] for uuid in self._replica.interfaces_by_name[name]]
        if any(interface.external_ids.get(MARK_PATCH) != self._place for interface in interfaces):
            return True
        return not interfaces and name in self._replica.ports_by_name

    def _renumbering(self, pair: PatchPair, ends: list[_End]) -> str | None:
        """Say why our end cannot get its number while the ends stay as they are, or None."""
        for end in ends:
            has, asks = end.interface.ofport, end.interface.ofport_request
            if end.interface.name == pair.name and asks == pair.ofport and has is not None and 1 <= has != asks:
                return f"has OpenFlow port {has} instead of {asks}"
        if self._ours is None:
            return None
        for _, interface in self._replica.pairs(self._ours, self._replica.interfaces_by_number[pair.ofport]):
            if interface.name != pair.name and pair.ofport == interface.ofport:
                return f"waits for OpenFlow port {pair.ofport}, which {interface.name} has still"
        return None

    def _holder(self, ofport: int) -> str | None:
        """Return who else on our bridge has or asks for a number: the request would move a running port (OVS 3.1)."""
        if self._ours is None:
            return None
        holders = self._replica.pairs(self._ours, self._replica.interfaces_by_number[ofport])
        return next((interface.name for _, interface in holders if not interface.is_marked), None)

    def _keep(self, ends: list[_End], right: dict[str, BridgeRecord | None]) -> dict[str, _End]:
        """Return the ends that are where they belong, by name; take the others off."""
        kept: dict[str, _End] = {}
        for end in ends:
            if end.bridge == right.get(end.interface.name):
                kept[end.interface.name] = end
            else:
                self._remove([end], "removed from where it does not belong")
        return kept

    def _end(self, present: _End | None, name: str, wanted: Row, other: BridgeRecord | None) -> bool:
        """Make or mend one end; return whether it was right."""
        if present is None:
            row = {**wanted, "external_ids": values.to_map({MARK_PATCH: self._place})}
            self._draft.insert_port(name, row, other=other)
            self._draft.change(self._place, f"patch {name} made")
            return False
        interface = present.interface
        there: Row = {
            "type": interface.type,
            "options": values.to_map(interface.options),
            "ofport_request": interface.ofport_request,
        }
        changed = {column: value for column, value in wanted.items() if there[column] != value}
        if changed:
            self._draft.must_settle |= "ofport_request" in changed  # else its old number would look like a refusal
            self._draft.update("Interface", interface.uuid, changed)
            self._draft.change(self._place, f"patch {name} {' '.join(sorted(changed))}")
        return not changed

    def _remove(self, ends: list[_End], why: str, *, is_life: bool = False, may_wait: bool = False) -> None:
        for end in ends:
            _remove(self._draft, self._ours, self._place, end, why, is_life=is_life, may_wait=may_wait)


def _row(peer: str) -> Row:
    return {"type": _PATCH, "options": values.to_map({"peer": peer})}


def _remove(
    draft: Draft,
    ours: BridgeRecord | None,
    place: str,
    end: _End,
    why: str,
    *,
    is_life: bool = False,
    may_wait: bool = False,
) -> None:
    draft.remove_port(end.port.uuid, other=None if end.bridge == ours else end.bridge)
    draft.change(place, f"patch {end.interface.name} {why}", is_life=is_life, may_wait=may_wait)
