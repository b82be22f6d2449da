"""Who was seen to use which address, as far as the reconciler must know it?

What was seen lately is *fresh*: switches need not tell it again. After a while it is listened for anew, so that the
store learns whether it still holds; that only the passing of time decides, never when this process was started.
"""

from collections.abc import Iterable

from controller.reconcile.addresses import prefix_of
from controller.reconcile.index import discard
from controller.records import NetworkId, PortId
from controller.sighting_records import How, Sighting
from flows.intent import Prefix, Seen


class Sightings:
    """The sightings of all networks; owned by the reconciler's thread."""

    def __init__(self) -> None:
        self._sightings: dict[str, Sighting] = {}
        self._of_network: dict[NetworkId, set[str]] = {}
        self._of_address: dict[tuple[NetworkId, Prefix], set[str]] = {}
        self._fresh: dict[str, float | None] = {}
        """Since when (seconds of a monotonic clock) each is known; None: since the last look at the clock."""

    def put(self, sighting_id: str, sighting: Sighting | None) -> Sighting | None:
        """Take a sighting in, or forget it when None; return what was there."""
        old = self._sightings.pop(sighting_id, None)
        self._fresh.pop(sighting_id, None)
        if old is not None:
            discard(self._of_network, old.network_id, sighting_id)
            discard(self._of_address, (old.network_id, prefix_of(old.ip_address)), sighting_id)
        if sighting is not None:
            self._sightings[sighting_id] = sighting
            self._fresh[sighting_id] = None
            self._of_network.setdefault(sighting.network_id, set()).add(sighting_id)
            address = (sighting.network_id, prefix_of(sighting.ip_address))
            self._of_address.setdefault(address, set()).add(sighting_id)
        return old

    def drop(self, *, network_id: NetworkId, subnet_id: str | None = None, port_id: PortId | None = None) -> None:
        """Forget those of a network, or of a subnet of it, or behind a port of it, that is gone: nobody says it."""
        for one in [self._sightings[i] for i in self._of_network.get(network_id, ())]:
            if subnet_id in {None, one.subnet_id} and port_id in {None, one.port_id}:
                self.put(one.id, None)

    def fresh(self, network_id: NetworkId, *, behind: PortId | None = None) -> tuple[Seen, ...]:
        """Return what was seen lately in a network, `behind` one port alone if it is named, sorted.

        Of a probe it is not known yet what becomes of it.
        """
        found = (self._sightings[i] for i in self._of_network.get(network_id, ()) if i in self._fresh)
        return tuple(
            sorted(
                {
                    Seen(prefix_of(one.ip_address), mac_number(one.mac_address))
                    for one in found
                    if one.how is How.USED and behind in {None, one.port_id}
                }
            )
        )

    def of(self, network_id: NetworkId, address: Prefix) -> Iterable[Sighting]:
        """Return who was seen with an address, the first seen first."""
        found = [self._sightings[i] for i in self._of_address.get((network_id, address), ())]
        return sorted(found, key=lambda one: (one.first_seen, one.mac_address))

    def is_fresh(self, network_id: NetworkId, address: Prefix, mac: int, how: How) -> bool:
        """Whether it is known already that a MAC address was seen with an address, and need not be written again."""
        return any(
            one.id in self._fresh and mac_number(one.mac_address) == mac and how in {one.how, How.PROBED}
            for one in self.of(network_id, address)
        )

    def grow_old(self, now: float, fresh_s: float) -> list[Sighting]:
        """Listen again for what was last seen longer than `fresh_s` seconds ago, and return it."""
        old = []
        for sighting_id, since in self._fresh.items():
            if since is None:
                self._fresh[sighting_id] = now
            elif now - since >= fresh_s:
                old.append(self._sightings[sighting_id])
        for sighting in old:
            del self._fresh[sighting.id]
        return old


def mac_number(mac: str) -> int:
    """Return a MAC address as 48 bits."""
    return int(mac.replace(":", ""), 16)
