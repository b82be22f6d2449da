"""How does a guest's device come from another engine's bridge to ours, or go there?

Its Port and Interface rows stay and change their bridge, in one transaction: ovs-vswitchd takes the device off the one
and puts it on the other as it takes the transaction in, and at no instant is it on both. ``ofport`` is cleared with
that: until OVS has given the device a number on its new bridge, nobody may take the old bridge's for it.
"""

from collections.abc import Iterable

from controller.southbound.ovsdb import values
from controller.southbound.ovsdb.draft import Draft
from controller.southbound.ovsdb.model import PrewiredPort
from controller.southbound.ovsdb.records import MARK_PREWIRED
from controller.southbound.ovsdb.replica import Pair, Replica


def give_away(draft: Draft, replica: Replica, plugged: Iterable[Pair], port: PrewiredPort) -> None:
    """Put a port's devices on the bridge they are given to; rows that only wait for a device go."""
    bridge = replica.bridge(port.given_to or "")
    for row, interface in plugged:
        if MARK_PREWIRED in interface.external_ids and not interface.is_live:
            draft.remove_port(row.uuid)
            draft.change(port.name, f"{row.name} no longer waits here", is_life=True)
        elif bridge is None:
            draft.problem(
                port.name,
                f"{row.name} is to go to bridge {port.given_to}, which is not there: start what makes it, "
                "or take the network back",
            )
        else:
            draft.give_port(row.uuid, other=bridge)
            none: list[object] = values.to_set([])
            draft.update("Interface", interface.uuid, {"ofport_request": none, "ofport": none})
            draft.mutate("Interface", interface.uuid, [["external_ids", "delete", values.to_set([MARK_PREWIRED])]])
            draft.change(port.name, f"{row.name} given to bridge {bridge.name}", is_life=True)


def take_in(draft: Draft, replica: Replica, port: PrewiredPort) -> bool:
    """Take a port's device from the bridge it is on; return whether one is on its way, so that no row is made."""
    for uuid in sorted(replica.interfaces_by_iface_id[port.iface_id]):
        located = replica.located(uuid)
        if located is None or located[0].name != port.taken_from:
            continue
        bridge, row, interface = located
        draft.take_port(row.uuid, other=bridge)
        none: list[object] = values.to_set([])
        draft.update("Interface", interface.uuid, {"ofport_request": port.ofport, "ofport": none})
        draft.change(port.name, f"{row.name} taken from bridge {bridge.name}", is_life=True)
        return True
    return False
