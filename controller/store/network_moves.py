"""Which networks are on their way from one plug-in to another, and how far? Each step is one transaction.

::

    begun ── the target has made ready ──▶ switched ── nothing is left with the source ──▶ (no row)

The row is all there is to know: whoever dies at any point goes on from it, or takes the network back.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, update

from controller.records import Move, Network, NetworkId
from controller.store.loading import in_chunks
from controller.store.plugin_schema import GIVEN_UP_MOVES, NETWORK_MOVES
from controller.store.schema import NETWORKS
from controller.store.transaction import Transaction

_ENDS = ("source", "target", "source_bridge", "target_bridge")
_GIVEN_UP = select(GIVEN_UP_MOVES).where(GIVEN_UP_MOVES.c.network_id == bindparam("of_network"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkMove:
    """A network on its way."""

    network_id: NetworkId
    source: str
    target: str
    source_bridge: str | None
    """Where the source has the devices of guests, on the hosts of both; None where it has none."""
    target_bridge: str | None
    is_switched: bool
    """The network is the target's now, and the source lets go."""
    started_at: int
    """Seconds since 1970."""

    def seen_by(self, plugin: str) -> Move | None:
        """Return what the engine of one plug-in has to know of it; None when it is neither of the two."""
        if plugin not in {self.source, self.target}:
            return None
        is_target = plugin == self.target
        return Move(
            is_target=is_target,
            is_switched=self.is_switched,
            bridge=self.source_bridge if is_target else self.target_bridge,
        )

    def turned(self) -> "NetworkMove":
        """Return the way back."""
        return replace(
            self,
            source=self.target,
            target=self.source,
            source_bridge=self.target_bridge,
            target_bridge=self.source_bridge,
        )


def load_moves(tx: Transaction, network_ids: Collection[str] | None = None) -> dict[str, NetworkMove]:
    """Return the networks on their way, or those of some networks that are."""
    statement = select(NETWORK_MOVES)
    chunks = (
        [statement]
        if network_ids is None
        else [statement.where(NETWORK_MOVES.c.network_id.in_(chunk)) for chunk in in_chunks(list(network_ids))]
    )
    return {
        row.network_id: NetworkMove(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
        for chunk in chunks
        for row in tx.connection.execute(chunk)
    }


def with_moves(networks: Mapping[str, Network], moves: Mapping[str, NetworkMove], plugin: str) -> dict[str, Network]:
    """Return networks as the engine of a plug-in is told of them: those on their way say so."""
    return {
        network_id: network if (move := moves.get(network_id)) is None else replace(network, move=move.seen_by(plugin))
        for network_id, network in networks.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """A move that was not made although the target was ready."""

    target: str
    reasons: tuple[str, ...]
    """Sentences."""
    at: int
    """Seconds since 1970."""


def load_given_up(tx: Transaction, network_id: str) -> GivenUp | None:
    """Return the last move of a network if it was given up and nobody has moved the network since."""
    row = tx.connection.execute(_GIVEN_UP, {"of_network": network_id}).first()
    return None if row is None else GivenUp(target=row.target, reasons=tuple(json.loads(row.reasons)), at=row.at)


def give_up(tx: Transaction, move: NetworkMove, reasons: Sequence[str]) -> None:
    """Let a network that has not left stay, and note why."""
    take_back(tx, move)
    row = {"target": move.target, "reasons": json.dumps(list(reasons)), "at": tx.timestamp}
    tx.connection.execute(insert(GIVEN_UP_MOVES), {"network_id": move.network_id, **row})


def forget_given_up(tx: Transaction, network_id: str) -> None:
    """Say no more of a move that was given up: somebody says anew where the network is to be."""
    tx.connection.execute(delete(GIVEN_UP_MOVES).where(GIVEN_UP_MOVES.c.network_id == network_id))


def begin(tx: Transaction, move: NetworkMove) -> None:
    """Let a network set out."""
    values = {name: getattr(move, name) for name in (*_ENDS, "network_id", "is_switched", "started_at")}
    tx.connection.execute(insert(NETWORK_MOVES), values)
    _touch(tx, move.network_id)


def switch(tx: Transaction, network_id: str, revision: int) -> bool:
    """Make a network its target's, which is ready; return whether that was still to be done.

    Args:
        tx: where to write.
        network_id: which.
        revision: the network's, when the target was ready: a word about an earlier way says nothing of this one.
    """
    move = _as_told(tx, network_id, revision)
    if move is None or move.is_switched:
        return False
    tx.connection.execute(update(NETWORK_MOVES).where(_of(network_id)).values(is_switched=True))
    hand_over(tx, network_id, move.target)
    return True


def finish(tx: Transaction, network_id: str, revision: int) -> bool:
    """Forget the way of a network that has arrived; return whether that was still to be done."""
    move = _as_told(tx, network_id, revision)
    if move is None or not move.is_switched:
        return False
    tx.connection.execute(delete(NETWORK_MOVES).where(_of(network_id)))
    tx.journal("network", network_id, network_id)
    return True


def take_back(tx: Transaction, move: NetworkMove) -> NetworkMove | None:
    """Turn a network round; return its way back, None when it had not left."""
    if not move.is_switched:
        tx.connection.execute(delete(NETWORK_MOVES).where(_of(move.network_id)))
        _touch(tx, move.network_id)
        return None
    back = move.turned()
    values = {name: getattr(back, name) for name in _ENDS}
    tx.connection.execute(update(NETWORK_MOVES).where(_of(move.network_id)).values(values))
    hand_over(tx, back.network_id, back.target)
    return back


def hand_over(tx: Transaction, network_id: str, plugin: str) -> None:
    """Make a network a plug-in's."""
    tx.connection.execute(update(NETWORKS).where(NETWORKS.c.id == network_id).values(plugin=plugin))
    _touch(tx, network_id)


def _touch(tx: Transaction, network_id: str) -> None:
    values = {"revision_number": NETWORKS.c.revision_number + 1, "updated_at": tx.timestamp}
    tx.connection.execute(update(NETWORKS).where(NETWORKS.c.id == network_id).values(values))
    tx.journal("network", network_id, network_id)


def _as_told(tx: Transaction, network_id: str, revision: int) -> NetworkMove | None:
    """Return a network's way if the network is as it was when something was told of it."""
    now = select(NETWORKS.c.revision_number).where(NETWORKS.c.id == network_id).with_for_update()
    if tx.connection.execute(now).scalar() != revision:
        return None
    return load_moves(tx, [network_id]).get(network_id)


def _of(network_id: str) -> ColumnElement[bool]:
    return NETWORK_MOVES.c.network_id == network_id
