"""Which conntrack zones are stale after a resync?

The deltas name the zones they make stale. What changed while nobody looked has no delta: there the flows that admit
ports say it, as they were in the switch and as they are after the resync. Everything is bytes here.
"""

from collections.abc import Iterator, Mapping

from controller.southbound.openflow.encode import Encoder, FlowId
from flows.flow import Flow, Load
from flows.pipeline import CLASSIFY, FROM_ZONE

_VALUE_SIZE = 8
"""Octets at the end of a load that hold the value (nicira-ext.h, nx_action_reg_load)."""


class Zones:
    """Reads zones in entries as `encode.WireFlow` has them."""

    def __init__(self, encoder: Encoder) -> None:
        load = encoder.flow(
            Flow(
                table=CLASSIFY.id,
                priority=0,
                match=(),
                actions=(Load(FROM_ZONE, 0),),
                goto=None,
                meter=None,
                cookie=0,
                why="to see where a zone stands",
            )
        )
        head, instruction_head = 8, 8
        self._load = load.entry[head + instruction_head : -_VALUE_SIZE]

    def stale(self, before: Mapping[FlowId, bytes], change: Mapping[FlowId, bytes | None]) -> set[int]:
        """Return the zones that a port loses or gets by a change of flows, given all flows before it."""
        return set(self._stale(before, change))

    def _stale(self, before: Mapping[FlowId, bytes], change: Mapping[FlowId, bytes | None]) -> Iterator[int]:
        for flow, entry in change.items():
            if flow[0] == CLASSIFY.id:
                old, new = self._zone(before.get(flow)), self._zone(entry)
                if old != new:
                    yield from (zone for zone in (old, new) if zone)

    def _zone(self, entry: bytes | None) -> int:
        at = -1 if entry is None else entry.find(self._load)
        if entry is None or at < 0:
            return 0
        return int.from_bytes(entry[at + len(self._load) : at + len(self._load) + _VALUE_SIZE], "big")
