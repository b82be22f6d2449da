"""Which hosts has the cluster, and where is each port? Read from the southbound database (ovn-sb(5)).

A chassis is there from when ovn-controller starts until it ends in order; one whose machine died stays, and which one
that is others must say (`controller.plugins.ovn.heartbeat`).
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from controller.plugins.contract import FoundHost
from controller.records import HostName

Columns = Mapping[str, Any]
DATAPATH_TYPE, BRIDGE_MAPPINGS = "datapath-type", "ovn-bridge-mappings"
"""Keys in Chassis:other_config, before OVN 20.09 in external_ids."""
SYSTEM = "system"
"""ovs-vswitchd.conf.db(5), Bridge:datapath_type, where it is empty."""
ACTIVATED = "additional-chassis-activated"
"""Key in Port_Binding:options: chassis where the guest of a migrating port has spoken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where the cluster has a port."""

    host: HostName | None = None
    """The chassis that has plugged it."""
    is_up: bool = False
    """Its flows are there."""
    arrived: frozenset[HostName] = frozenset()
    """Hosts it migrates to where its guest has spoken."""


NOWHERE = Whereabouts()


class Southbound:
    """The southbound database as Weft sees it; fed row by row."""

    def __init__(self) -> None:
        self.changed_ports: set[str] = set()
        self.are_hosts_changed = False
        self.asked: int | None = None
        """The number chassis are to take up (ovn-sb(5), SB_Global:nb_cfg)."""
        self._reports: dict[str, Columns] = {}
        self._silent: frozenset[str] = frozenset()
        self._chassis: dict[str, Columns] = {}
        self._encaps: dict[str, Columns] = {}
        self._bindings: dict[str, Columns] = {}
        self._binding_of: dict[str, str] = {}

    def put(self, table: str, uuid: str, columns: Columns | None) -> None:
        """Take in a row as it is now; None for one that is gone."""
        match table:
            case "Chassis" | "Encap":
                rows = self._chassis if table == "Chassis" else self._encaps
                _put(rows, uuid, columns)
                self.are_hosts_changed = True
            case "Chassis_Private":
                _put(self._reports, uuid, columns)
            case "SB_Global":
                self.asked = None if columns is None else columns["nb_cfg"]
            case "Port_Binding":
                old = self._bindings.get(uuid)
                if old is not None:
                    self.changed_ports.add(old["logical_port"])
                    if self._binding_of.get(old["logical_port"]) == uuid:
                        del self._binding_of[old["logical_port"]]
                _put(self._bindings, uuid, columns)
                if columns is not None:
                    self._binding_of[columns["logical_port"]] = uuid
                    self.changed_ports.add(columns["logical_port"])

    def reports(self) -> dict[str, int]:
        """Return the number each chassis has taken up, by its name."""
        return {columns["name"]: columns["nb_cfg"] for columns in self._reports.values()}

    def note_silent(self, names: frozenset[str]) -> None:
        """Take which chassis give no answer, by their names."""
        self.are_hosts_changed |= names != self._silent
        self._silent = names

    def chassis_of(self, hosts: Collection[str]) -> list[str]:
        """Return the names of the chassis that are some hosts."""
        return [self._chassis[uuid]["name"] for uuid, host in self._names().items() if host in hosts]

    def hosts(self) -> dict[HostName, FoundHost]:
        """Return every host."""
        names = self._names()
        return {names[uuid]: self._host(columns) for uuid, columns in self._chassis.items()}

    def knows(self, logical_port: str) -> bool:
        """Whether northd has made what the chassis need of a port."""
        return logical_port in self._binding_of

    def whereabouts(self, logical_port: str) -> Whereabouts:
        """Return where a port is."""
        uuid = self._binding_of.get(logical_port)
        if uuid is None:
            return NOWHERE
        binding = self._bindings[uuid]
        names = self._names()
        spoken = {name for name in binding["options"].get(ACTIVATED, "").split(",") if name}
        others = [one for one in binding["additional_chassis"] if one in self._chassis]
        return Whereabouts(
            host=next((names[one] for one in binding["chassis"] if one in names), None),
            is_up=bool(binding["up"] and binding["up"][0]),
            arrived=frozenset(names[one] for one in others if self._chassis[one]["name"] in spoken),
        )

    def _names(self) -> dict[str, HostName]:
        """Return what each chassis is called: by its hostname, as compute does; by its name where two share one."""
        hostnames = Counter(columns["hostname"] for columns in self._chassis.values())
        return {
            uuid: HostName(
                columns["hostname"] if hostnames[columns["hostname"]] == 1 and columns["hostname"] else columns["name"]
            )
            for uuid, columns in self._chassis.items()
        }

    def _host(self, columns: Columns) -> FoundHost:
        said = {**columns["external_ids"], **columns["other_config"]}
        encaps = sorted(
            (self._encaps[one]["type"], self._encaps[one]["ip"]) for one in columns["encaps"] if one in self._encaps
        )
        is_silent = columns["name"] in self._silent
        return FoundHost(
            is_alive=not is_silent,
            problem=f"its ovn-controller gives no answer: start it, or `ovn-sbctl chassis-del {columns['name']}`"
            if is_silent
            else None,
            datapath_type=said.get(DATAPATH_TYPE) or SYSTEM,
            physnets=tuple(_mappings(said.get(BRIDGE_MAPPINGS, ""))),
            tunnel_ip=encaps[0][1] if encaps else None,
            features={"chassis": columns["name"], "encapsulations": sorted({kind for kind, _ in encaps})},
        )


def _mappings(written: str) -> list[tuple[str, str]]:
    """Return (physical network, bridge) pairs (ovn-controller(8), ovn-bridge-mappings)."""
    parts = (one.partition(":") for one in written.split(",") if one.strip())
    return [(name.strip(), bridge.strip()) for name, colon, bridge in parts if colon]


def _put(rows: dict[str, Columns], uuid: str, columns: Columns | None) -> None:
    if columns is None:
        rows.pop(uuid, None)
    else:
        rows[uuid] = columns
