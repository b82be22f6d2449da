"""What does a network that sets out for another plug-in ask of both, once it is there?

The call itself only lets it set out; the controller brings it there without being asked again, so a plan of the call
tells of the whole way.
"""

from dataclasses import replace

from controller.reconcile.feed import Changes
from controller.store.network_moves import load_moves
from controller.store.transaction import Transaction


def arrived(before: Transaction, after: Transaction, changes: Changes) -> Changes:
    """Return changes in which the networks that set out have arrived; those under way already stay as they are."""
    moves = load_moves(after, changes.networks)
    if not moves:
        return changes
    under_way = load_moves(before, moves)
    new = {i: one for i, one in moves.items() if i not in under_way}
    networks = {
        i: replace(network, plugin=new[i].target) if network is not None and i in new else network
        for i, network in changes.networks.items()
    }
    return replace(changes, networks=networks)
