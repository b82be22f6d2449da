"""Does a plug-in behave as the contract says? For authors: every finding is one sentence, expected beside found.

The face is asked the same things twice: it decides from its arguments alone, says nothing against what it advertises,
and never raises. The engine runs against a scratch database: it must say how it is, follow what comes, changes and
goes, also to another plug-in, and end when it is told to. What it does with its networks only its author can judge.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from controller.caller import Caller
from controller.plugins.contract import (
    Advertisement,
    AskedNetwork,
    AskedSegment,
    Engine,
    EngineContext,
    Feature,
    Health,
    Objection,
    Plugin,
    Vif,
)
from controller.plugins.faces import Faces
from controller.plugins.registry import Loaded, Registry
from controller.reconcile.feed import Changes, Feed
from controller.reconcile.sink import StateWriter
from controller.services import hosts, networks, ports, subnets
from controller.store import network_moves
from controller.store.database import Database, Transaction

START_S = 5.0
"""How long ``start`` may take: what cannot be reached yet is tried again, not waited for."""
STOP_S = 10.0
HINT_S = 0.1
"""How long ``intent_changed`` may take; it is called while requests wait."""
FOLLOWS_S = 10.0
"""How long an engine may take to look into its feed after a hint, or to say how it is after the start."""
LOOK_S = 0.01
_SOMEBODY_ELSE = "somebody-else"
_ADMIN = Caller(project_id="compliance", roles=frozenset({"admin"}), is_admin=True)


def findings(loaded: Loaded, directory: Path) -> Iterator[str]:
    """Yield what a plug-in does otherwise than the contract says.

    Args:
        loaded: the plug-in; ``registry.check`` and ``check_advertisement`` had nothing against it.
        directory: for the scratch database.
    """
    yield from of_face(loaded.plugin, loaded.advertisement)
    faces = Faces(Registry({loaded.plugin.name: loaded}, ()))
    database = Database(f"sqlite:///{directory / 'compliance.db'}", faces=faces)
    database.migrate()
    before = set(threading.enumerate())
    try:
        yield from of_plain_wishes(loaded, database)
        yield from of_engine(loaded, database)
        left = [one.name for one in set(threading.enumerate()) - before if one.is_alive() and not one.daemon]
        if left:
            yield f"stop(): expected every thread to end, found {', '.join(sorted(left))}"
    finally:
        database.close()


def of_face(plugin: Plugin, advertisement: Advertisement) -> Iterator[str]:
    """Yield what the face of a plug-in does otherwise than the contract says."""
    if plugin.advertise() != advertisement:
        yield "advertise(): expected the same each time, found two that differ"
    for feature, reason in advertisement.missing.items():
        if not isinstance(feature, Feature) or not reason.strip():
            yield f"missing[{feature!s}]: expected a Feature with a sentence why, found {reason!r}"
    for datapath_type in ("system", "netdev"):
        yield from _of_vif(plugin, datapath_type)
    for name in advertisement.network_types:
        physnet = _PHYSNET if name in _PHYSICAL else None
        asked = AskedNetwork(
            segments=(AskedSegment(network_type=name, physical_network=physnet),), features=frozenset()
        )
        yield from _of_check(partial(plugin.verify_network, asked), f"verify_network({name})")


def of_plain_wishes(loaded: Loaded, database: Database) -> Iterator[str]:
    """Yield what a plug-in has against a network, a subnet and a port that ask for nothing it does not advertise."""
    with database.write() as tx:
        hosts.create(tx, _ADMIN, _HOST)
        network = networks.create(tx, _ADMIN, _wanted_network(loaded))
        subnet = subnets.create(tx, _ADMIN, _SUBNET | {"network_id": network.id})
        port = ports.create(tx, _ADMIN, _PORT | {"network_id": network.id})
        network = networks.get(tx, _ADMIN, network.id)
    yield from _of_check(partial(loaded.plugin.verify_subnet, network, subnet), "verify_subnet(a plain subnet)")
    yield from _of_check(partial(loaded.plugin.verify_port, network, port), "verify_port(a plain port)")


class _Watched(Feed):
    """A feed that knows how often it was read."""

    def __init__(self, database: Database, *, plugin: str, prepares_moves: bool) -> None:
        super().__init__(database, plugin=plugin, prepares_moves=prepares_moves)
        self.reads = 0

    def open(self) -> Any:
        """Return the whole intent."""
        found = super().open()
        self.reads += 1
        return found

    def poll(self) -> Changes:
        """Return what changed."""
        found = super().poll()
        self.reads += 1
        return found


def _of_vif(plugin: Plugin, datapath_type: str) -> Iterator[str]:
    call = f"vif({datapath_type!r})"
    try:
        first, second = plugin.vif(datapath_type), plugin.vif(datapath_type)
        if not isinstance(first, Vif) or not first.vif_type:
            yield f"{call}: expected a Vif with a vif_type, found {first!r}"
        elif first != second:
            yield f"{call}: expected the same each time, found {first!r} and {second!r}"
        else:
            json.dumps(dict(first.details))
    except Exception as error:  # noqa: BLE001 - somebody else's code; whatever it raises is the finding
        yield f"{call}: expected a Vif whose details are JSON, found {error!r}"


def _of_check(check: Callable[[], object], call: str) -> Iterator[str]:
    try:
        first, second = check(), check()
    except Exception as error:  # noqa: BLE001 - somebody else's code; whatever it raises is the finding
        yield f"{call}: expected objections as values, found it raising {error!r}"
        return
    if not isinstance(first, list | tuple) or not all(isinstance(one, Objection) for one in first):
        yield f"{call}: expected a sequence of Objection, found {first!r}"
    elif first != second:
        yield f"{call}: expected the same each time, found {first!r} and {second!r}"
    elif first:
        said = "; ".join(one.reason for one in first)
        yield f"{call}: expected nothing against what is advertised, found {said}"


def of_engine(loaded: Loaded, database: Database) -> Iterator[str]:
    """Yield what the engine of a plug-in does otherwise than the contract says."""
    plugin, told = loaded.plugin, list[Health]()
    feed = _Watched(database, plugin=plugin.name, prepares_moves=plugin.prepares_moves)
    writer = StateWriter(database)
    context = EngineContext(feed=feed, sink=writer, tell_health=told.append, monotonic=time.monotonic)
    engine: Engine | None = None
    try:
        engine = plugin.engine(context)
    except Exception as error:  # noqa: BLE001 - somebody else's code; whatever it raises is the finding
        yield f"engine(): expected an Engine or None, found it raising {error!r}"
        return
    if engine is None:
        return
    writer.start()
    try:
        yield from _timed(engine.start, "start()", START_S)
        yield from _follows(engine, feed, database, loaded)
        if not _eventually(lambda: bool(told)):
            yield f"tell_health: expected one call within {FOLLOWS_S:g} s of the start, found none"
        yield from _timed(engine.stop, "stop()", STOP_S)
    finally:
        writer.stop()


def _follows(engine: Engine, feed: _Watched, database: Database, loaded: Loaded) -> Iterator[str]:
    """Change the intent step by step; an engine whose thread has died reads no more."""
    made: dict[str, str] = {}

    def create(tx: Transaction) -> None:
        made["network"] = networks.create(tx, _ADMIN, _wanted_network(loaded)).id
        made["port"] = ports.create(tx, _ADMIN, _PORT | {"network_id": made["network"]}).id

    def change(tx: Transaction) -> None:
        networks.update(tx, _ADMIN, made["network"], {"name": "other"})

    steps: Mapping[str, Callable[[Transaction], None]] = {
        "a network and a port that come": create,
        "a network that changes": change,
        "a network that goes to another plug-in": lambda tx: network_moves.hand_over(
            tx, made["network"], _SOMEBODY_ELSE
        ),
        "a network that comes from another plug-in": lambda tx: network_moves.hand_over(
            tx, made["network"], loaded.plugin.name
        ),
        "a port that goes": lambda tx: ports.delete(tx, _ADMIN, made["port"]),
        "a network that goes": lambda tx: networks.delete(tx, _ADMIN, made["network"]),
    }
    for what, act in steps.items():
        with database.write() as tx:
            act(tx)
        seen = feed.reads
        yield from _timed(engine.intent_changed, "intent_changed()", HINT_S)
        if not _eventually(lambda seen=seen: feed.reads > seen):  # type: ignore[misc]
            yield f"feed: expected it to be read after {what}, found that it was not within {FOLLOWS_S:g} s"
            return
    seen = feed.reads  # what killed the engine's thread is seen at the next hint only
    engine.intent_changed()
    if not _eventually(lambda: feed.reads > seen):
        yield "feed: expected it to be read after the last change, found an engine that no longer does"


def _timed(call: Callable[[], None], name: str, most_s: float) -> Iterator[str]:
    begun = time.monotonic()
    try:
        call()
    except Exception as error:  # noqa: BLE001 - somebody else's code; whatever it raises is the finding
        yield f"{name}: expected it to return, found it raising {error!r}"
        return
    took_s = time.monotonic() - begun
    if took_s > most_s:
        yield f"{name}: expected it to return within {most_s:g} s, found {took_s:.1f} s"


def _eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + FOLLOWS_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return True


def _wanted_network(loaded: Loaded) -> dict[str, Any]:
    advertisement = loaded.advertisement
    name = next((one for one in advertisement.network_types if one not in _PHYSICAL), advertisement.network_types[0])
    return _NETWORK | {
        "network_type": name,
        "physical_network": _PHYSNET if name in _PHYSICAL else None,
        "port_security_enabled": advertisement.has(Feature.PORT_SECURITY),
    }


_PHYSICAL = frozenset({"vlan", "flat"})
_PHYSNET = "physnet1"
_PLAIN: Mapping[str, Any] = {"project_id": _ADMIN.project_id, "name": "compliance", "description": ""}
_HOST: Mapping[str, Any] = {
    "name": "compliance",
    "ovsdb": "unix:/nowhere",
    "tunnel_ip": None,
    "datapath_type": "netdev",
    "physnets": ((_PHYSNET, "br-physnet1"),),
}
_NETWORK: dict[str, Any] = {
    **_PLAIN,
    "admin_state_up": True,
    "mtu": None,
    "shared": False,
    "router_external": False,
    "segmentation_id": None,
}
_SUBNET: dict[str, Any] = {
    **_PLAIN,
    "ip_version": 4,
    "cidr": "192.0.2.0/24",
    "gateway_ip": None,
    "enable_dhcp": False,
    "allocation_pools": None,
    "ipv6_ra_mode": None,
    "ipv6_address_mode": None,
    "dns_nameservers": (),
    "host_routes": (),
}
_PORT: dict[str, Any] = {
    **_PLAIN,
    "mac_address": None,
    "admin_state_up": True,
    "device_id": "",
    "device_owner": "",
    "port_security_enabled": False,
    "security_group_ids": (),
    "fixed_ips": (),
    "allowed_address_pairs": (),
    "extra_dhcp_opts": (),
    "vnic_type": "normal",
    "profile": {},
    "host": None,
}
