"""What does a switch lack, told while the rest of what is desired is still being made into bytes?

    flows ──▶ bytes, a slice ──▶ compared ──▶ different ──▶ more than one bundle? ── yes ──▶ sent at once (`early`)
                 ▲                                                │ no
                 └───────────── the next slice ◀──────────────────┴──▶ kept (`rest`)

A difference that fits one bundle is one atomic bundle, so nothing is sent before it is known to be larger; and a large
resync sets everything before it deletes anything (`plan`), so what is to be deleted may be known last.
"""

from collections.abc import Callable, Iterator

from controller.southbound.openflow.encode import FlowId
from controller.southbound.openflow.mirror import Change, Holdings, Mirror, difference, missing, superfluous
from controller.southbound.openflow.plan import BUNDLE_SIZE, FlowMod, Mod, Step, Verb, groups_set, meters_set


class Comparison:
    """What is desired of a switch beside what it holds; made for one resync."""

    def __init__(self, mirror: Mirror, installed: Holdings, *, is_ours: Callable[[bytes], bool]) -> None:
        """Take what is desired, what the switch holds, and what tells our flows by their bytes from foreign ones."""
        self._mirror, self._installed, self._is_ours = mirror, installed, is_ours
        parts = Holdings(groups=installed.groups, meters=installed.meters)
        self.change = difference(mirror.desired_parts, parts, is_ours=is_ours)
        """All that differs, once `early` has come to its end."""
        self.rest = self.change
        """What of it `early` did not tell."""

    def early(self, size: int = BUNDLE_SIZE) -> Iterator[Step]:
        """Compare, and yield what is to be set as soon as it is more than one bundle; a last part is always kept."""
        waiting: list[Mod] = list(groups_set(self.change))
        is_large = False
        for flows in self._mirror.slices():
            different = missing(flows, self._installed.flows)
            self.change.flows.update(different)
            waiting += [FlowMod(Verb.SET_FLOW, *flow) for flow in sorted(different.items(), key=_table, reverse=True)]
            if not is_large and len(waiting) > size:
                is_large = True
                yield from meters_set(self.change)
            at = 0
            while is_large and len(waiting) - at > size:
                yield Step(mods=tuple(waiting[at : at + size]), bundled=True)
                at += size
            del waiting[:at]
        deletes = superfluous(self._mirror.desired.flows, self._installed.flows, self._is_ours)
        self.change.flows.update(deletes)
        if is_large:
            self.rest = self._without_told(waiting, deletes)

    def _without_told(self, waiting: list[Mod], deletes: dict[FlowId, None]) -> Change:
        kept = {mod.id for mod in waiting}
        change = self.change
        return Change(
            flows={mod.id: mod.entry for mod in waiting if isinstance(mod, FlowMod)} | deletes,
            groups={k: v for k, v in change.groups.items() if v is None or k in kept},
            meters={k: v for k, v in change.meters.items() if v is None},
            had_groups=change.had_groups,
            had_meters=change.had_meters,
        )


def _table(flow: tuple[FlowId, bytes]) -> int:
    return flow[0][0]
