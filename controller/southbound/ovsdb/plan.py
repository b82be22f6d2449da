"""What must be written so that a host becomes as desired? A pure function of what is there and what is wanted.

Nothing is written that is already so. Rows somebody else made are not touched, with one exception that is ours by
contract: the bridge itself. Ports are planned in ``plan_ports``, the ways to provider bridges in ``plan_patches``.
"""

from collections.abc import Collection

from controller.southbound.ovsdb import values
from controller.southbound.ovsdb.desired import SETTINGS, Desired
from controller.southbound.ovsdb.draft import Draft, Note, Plan, Row, missing
from controller.southbound.ovsdb.model import BridgeConfig
from controller.southbound.ovsdb.plan_patches import marked_ends, plan_patches, remove_patches
from controller.southbound.ovsdb.plan_ports import plan_ports, remove_marked_ports
from controller.southbound.ovsdb.records import (
    CONTROLLER_MARK,
    MARK,
    MARK_PREWIRED,
    BridgeRecord,
    ControllerRecord,
    SwitchRecord,
)
from controller.southbound.ovsdb.replica import Replica

PROTOCOL = "OpenFlow14"
"""The version Weft speaks; the bridge may speak others too."""
MAX_BACKOFF_MS = 1000
"""The least OVS allows (ovs-vswitchd.conf.db(5) Controller:max_backoff): a restarted controller is found soon."""
INACTIVITY_PROBE_MS = 5000
CONTROLLER_QUEUE_SIZE = 511
"""ovs-vswitchd.conf.db(5) Bridge:other_config:controller-queue-size, "must be less than 512"."""
BRIDGE_MARK = {MARK: "bridge"}


def plan(replica: Replica, desired: Desired, places: Collection[str]) -> Plan:
    """Return what to write so that some places become as desired; a bridge that is missing is made in any case.

    The cost is that of the places: nothing here looks at any other port.
    """
    config, switch = desired.bridge, replica.switch
    looked_at = frozenset(places)
    if switch is None:
        text = "the database has no Open_vSwitch row: start Open vSwitch, or run ovs-vsctl init"
        return Plan(places=looked_at, problems=(Note(place=SETTINGS, text=text),), is_refused=True)
    bridge = replica.bridge(config.name)
    refusal = _refusal(replica, switch, bridge, config)
    if refusal:
        return Plan(places=looked_at, problems=(Note(place=SETTINGS, text=refusal),), is_refused=True)
    draft = Draft(places=looked_at)
    plan_ports(draft, replica, bridge, desired, looked_at)
    plan_patches(draft, replica, bridge, desired, looked_at)
    if bridge is None:
        _create_bridge(draft, switch, config)
    elif SETTINGS in looked_at:
        _configure_bridge(draft, bridge, config)
        _configure_controller(draft, replica, bridge, config)
    if bridge and (mutations := draft.port_mutations()):
        draft.mutate("Bridge", bridge.uuid, mutations)
    if SETTINGS in looked_at and not any(note.place == SETTINGS for note in (*draft.changes, *draft.problems)):
        draft.in_place.add(SETTINGS)
    return draft.finish(guard=bridge, switch_uuid=switch.uuid)


def all_places(replica: Replica, desired: Desired) -> set[str]:
    """Return every place where something is wanted or something of Weft's is left."""
    places = {SETTINGS, *desired.names(), *desired.patch_places(), *marked_ends(replica)}
    places.update(replica.interfaces[uuid].name for uuid in replica.interfaces_by_mark[MARK_PREWIRED])
    return places


def plan_clear(replica: Replica, bridge_name: str) -> Plan:
    """Return what to write so that nothing of Weft's is left but the bridge itself."""
    draft, bridge = Draft(), replica.bridge(bridge_name)
    remove_patches(draft, replica, bridge)
    if bridge is None:
        return draft.finish(guard=None)
    mutations: list[object] = []
    ours = [record.uuid for record in _controllers(replica, bridge) if MARK in record.external_ids]
    if ours:
        draft.change(SETTINGS, "controller removed")
        mutations.append(["controller", "delete", values.to_set(values.to_uuid(uuid) for uuid in sorted(ours))])
    if MARK in bridge.external_ids:
        draft.change(SETTINGS, "mark removed")
        mutations.append(["external_ids", "delete", values.to_set([MARK])])
    remove_marked_ports(draft, replica, bridge)
    mutations += draft.port_mutations()
    if mutations:
        draft.mutate("Bridge", bridge.uuid, mutations)
    return draft.finish(guard=None)


def _refusal(replica: Replica, switch: SwitchRecord, bridge: BridgeRecord | None, config: BridgeConfig) -> str | None:
    """Say why nothing at all may be written, or None."""
    if switch.datapath_types and config.datapath_type not in switch.datapath_types:
        offered = ", ".join(sorted(switch.datapath_types))
        return (
            f"Open vSwitch has no datapath type {config.datapath_type!r} (it has {offered}): "
            "register the host with one of these"
        )
    foreign = [c.target for c in _controllers(replica, bridge) if not _is_ours(c, config)] if bridge else []
    if foreign and not config.adopt:
        targets = ", ".join(sorted(foreign))
        return (
            f"bridge {config.name} has another controller ({targets}): nothing was changed; "
            f"remove it (ovs-vsctl del-controller {config.name}) or let Weft do it (weft host set HOST --adopt)"
        )
    return None


def _is_ours(controller: ControllerRecord, config: BridgeConfig) -> bool:
    return controller.target == config.controller_target or MARK in controller.external_ids


def _controllers(replica: Replica, bridge: BridgeRecord) -> list[ControllerRecord]:
    found = (replica.controllers.get(uuid) for uuid in sorted(bridge.controller))
    return [controller for controller in found if controller]


def _other_config(config: BridgeConfig) -> dict[str, str]:
    """ovs-vswitchd.conf.db(5) Bridge:other_config; the datapath id would else change when a NIC is plugged."""
    return {
        "datapath-id": f"{config.datapath_id:016x}",
        "disable-in-band": "true",
        "controller-queue-size": str(CONTROLLER_QUEUE_SIZE),
    }


def _controller_row(config: BridgeConfig) -> Row:
    return {
        "target": config.controller_target,
        "connection_mode": "out-of-band",
        "max_backoff": MAX_BACKOFF_MS,
        "inactivity_probe": INACTIVITY_PROBE_MS,
    }


def _create_bridge(draft: Draft, switch: SwitchRecord, config: BridgeConfig) -> None:
    """Insert the bridge complete with its internal port: never a moment without fail_mode=secure."""
    draft.change(SETTINGS, f"bridge {config.name} created")
    draft.insert_port(config.name, {"type": "internal"})
    controller = draft.insert("Controller", {**_controller_row(config), "external_ids": values.to_map(CONTROLLER_MARK)})
    row: Row = {
        "name": config.name,
        "datapath_type": config.datapath_type,
        "fail_mode": "secure",
        "protocols": PROTOCOL,
        "other_config": values.to_map(_other_config(config)),
        "external_ids": values.to_map(BRIDGE_MARK),
        "controller": controller,
        "ports": values.to_set(draft.new_ports),
    }
    bridge = draft.insert("Bridge", row)
    draft.mutate("Open_vSwitch", switch.uuid, [["bridges", "insert", values.to_set([bridge])]])


def _configure_bridge(draft: Draft, bridge: BridgeRecord, config: BridgeConfig) -> None:
    row: Row = {}
    # The empty type means "system" (ovs-vswitchd.conf.db(5) Bridge:datapath_type): writing it would change nothing.
    if (bridge.datapath_type or "system") != config.datapath_type:
        row["datapath_type"] = config.datapath_type
        draft.change(SETTINGS, f"datapath_type {bridge.datapath_type or 'system'} -> {config.datapath_type}")
    if bridge.fail_mode != "secure":
        row["fail_mode"] = "secure"
        draft.change(SETTINGS, f"fail_mode {bridge.fail_mode or 'unset'} -> secure")
    if PROTOCOL not in bridge.protocols:
        row["protocols"] = values.to_set(sorted(bridge.protocols | {PROTOCOL}))
        draft.change(SETTINGS, f"protocols + {PROTOCOL}")
    if row:
        draft.update("Bridge", bridge.uuid, row)
    if changed := missing(_other_config(config), bridge.other_config):
        draft.set_keys("Bridge", bridge.uuid, "other_config", changed)
        draft.change(SETTINGS, "other_config " + " ".join(sorted(changed)))
    if missing(BRIDGE_MARK, bridge.external_ids):
        draft.set_keys("Bridge", bridge.uuid, "external_ids", BRIDGE_MARK)
        draft.change(SETTINGS, "mark set")


def _configure_controller(draft: Draft, replica: Replica, bridge: BridgeRecord, config: BridgeConfig) -> None:
    """Leave exactly one controller; the caller has made sure that all of them are ours, or may be removed."""
    present = _controllers(replica, bridge)
    for other in present:
        if not _is_ours(other, config):
            draft.change(SETTINGS, f"controller {other.target} of others removed")
    ours = [controller for controller in present if _is_ours(controller, config)]
    ours.sort(key=lambda record: (record.target != config.controller_target, record.uuid))
    wanted = _controller_row(config)
    if not ours:
        new = draft.insert("Controller", {**wanted, "external_ids": values.to_map(CONTROLLER_MARK)})
        draft.update("Bridge", bridge.uuid, {"controller": new})
        draft.change(SETTINGS, f"controller {config.controller_target} set")
        return
    kept = ours[0]
    if len(present) > 1:
        draft.update("Bridge", bridge.uuid, {"controller": values.to_uuid(kept.uuid)})
    if len(ours) > 1:
        draft.change(SETTINGS, "old controller removed")
    columns: Row = {
        "target": kept.target,
        "connection_mode": kept.connection_mode,
        "max_backoff": kept.max_backoff,
        "inactivity_probe": kept.inactivity_probe,
    }
    if changed := {column: value for column, value in wanted.items() if columns[column] != value}:
        draft.update("Controller", kept.uuid, changed)
        draft.change(SETTINGS, "controller " + " ".join(f"{column}={value}" for column, value in changed.items()))
    if missing(CONTROLLER_MARK, kept.external_ids):
        draft.set_keys("Controller", kept.uuid, "external_ids", CONTROLLER_MARK)
        draft.change(SETTINGS, "controller marked")
