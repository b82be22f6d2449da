"""What is wanted of one host, indexed so that a change of one port costs that port only.

A *place* is what is planned as one: the device name of a pre-wired port, the name of our end of a patch pair, or
``SETTINGS`` for the bridge with its controller and its tunnels.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from controller.southbound.ovsdb.index import Index
from controller.southbound.ovsdb.model import BridgeConfig, HostDesired, PatchPair, PrewiredPort

SETTINGS = ""
"""No device is called so."""


class Desired:
    """The bridge and the pre-wired ports wanted on one host."""

    def __init__(self, desired: HostDesired) -> None:
        self.bridge = desired.bridge
        self._ports: dict[str, PrewiredPort] = {}
        self._by_name: Index[str, str] = Index()
        self._by_number: Index[int, str] = Index()
        self.put_ports(_by_iface_id(desired.prewired))

    def replace(self, desired: HostDesired) -> set[str]:
        """Want something else altogether; return the places that differ."""
        ports: dict[str, PrewiredPort | None] = dict.fromkeys(self._ports)
        ports.update(_by_iface_id(desired.prewired))
        return self.put_bridge(desired.bridge) | self.put_ports(ports)

    def put_bridge(self, bridge: BridgeConfig) -> set[str]:
        """Want another bridge; return the places that differ."""
        old, self.bridge = self.bridge, bridge
        places = {pair.name for pair in {*old.patches} ^ {*bridge.patches}}
        if replace(old, patches=bridge.patches) != bridge:
            places.add(SETTINGS)
        return places

    def put_ports(self, ports: Mapping[str, PrewiredPort | None]) -> set[str]:
        """Want some ports, by their iface-id, or no longer when None; return the places that differ."""
        places: set[str] = set()
        for iface_id, port in ports.items():
            old = self._ports.get(iface_id)
            if old == port:
                continue
            if old is not None:
                del self._ports[iface_id]
                self._by_name.discard(old.name, iface_id)
                self._by_number.discard(old.ofport, iface_id)
                places.add(old.name)
            if port is not None:
                self._ports[iface_id] = port
                self._by_name.add(port.name, iface_id)
                self._by_number.add(port.ofport, iface_id)
                places.add(port.name)
        return places

    def patch_places(self) -> set[str]:
        """Return the places of the patch pairs wanted."""
        return {pair.name for pair in self.bridge.patches}

    def patches(self, place: str) -> list[PatchPair]:
        """Return the patch pairs that want a place; the first of them gets it."""
        return [pair for pair in self.bridge.patches if pair.name == place]

    def names(self) -> Collection[str]:
        """Return the device names wanted."""
        return self._by_name.keys

    def claimants(self, name: str) -> list[PrewiredPort]:
        """Return the ports that want a device name; the first of them gets it."""
        return [self._ports[iface_id] for iface_id in sorted(self._by_name[name])]

    def concerned(self, *, iface_ids: Iterable[str], numbers: Iterable[int]) -> set[str]:
        """Return the places whose ports have one of these ids, or ask for one of these OpenFlow numbers."""
        ports = set(self._ports.keys() & set(iface_ids))
        for number in numbers:
            ports.update(self._by_number[number])
        return {self._ports[iface_id].name for iface_id in ports}


def _by_iface_id(ports: Iterable[PrewiredPort]) -> dict[str, PrewiredPort]:
    return {port.iface_id: port for port in ports}
