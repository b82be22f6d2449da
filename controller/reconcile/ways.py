"""By which ports does a bridge reach other hosts and physical networks, and which of them has its switch really made?

32768..65199  bindings        65200..65277  patches, a number stored for each bridge of a host
65278         Geneve          65279         VXLAN, the last number OVS does not assign by itself
(ovs-vswitchd.conf.db(5) Interface:ofport_request)
"""

from functools import lru_cache
from hashlib import sha256

from controller.records import Host, OfPort, Physnet
from controller.southbound.ovsdb.model import InterfaceRow, PatchPair, RowChanges, TunnelPort

TUNNEL_TYPE = "vxlan"
TUNNEL_NAME = "weft-vxlan"
TUNNEL_OFPORT = OfPort(65279)
GENEVE_TYPE = "geneve"
GENEVE_NAME = "weft-geneve"
GENEVE_OFPORT = OfPort(65278)
PATCH_TYPE = "patch"
"""Interface:type of one end of a patch pair (ovs-vswitchd.conf.db(5))."""
TUNNELS = {TUNNEL_TYPE: (TUNNEL_NAME, TUNNEL_OFPORT), GENEVE_TYPE: (GENEVE_NAME, GENEVE_OFPORT)}
"""Name and number of the tunnel port of each type of network."""
_NEAR, _FAR = "wi-", "wp-"
"""What the ends of a patch pair are called: on our bridge (integration), and on the provider bridge."""
_NAME_LENGTH = 15
"""Linux IFNAMSIZ less one; the schema asks it of no patch, but ip(8) and the manual do of every interface."""


def tunnel_row(kind: str, tunnel_ip: str) -> TunnelPort:
    """Return the tunnel port for a type of network that a host with this endpoint must have."""
    name, ofport = TUNNELS[kind]
    return TunnelPort(
        name=name,
        type=kind,
        ofport_request=ofport,
        options=(("key", "flow"), ("local_ip", tunnel_ip), ("remote_ip", "flow")),
    )


def tunnel_ofport(kind: str) -> OfPort | None:
    """Return the OpenFlow number wanted for the tunnel of a type of network, None when no tunnel carries it."""
    return TUNNELS[kind][1] if kind in TUNNELS else None


def patch_rows(host: Host) -> tuple[PatchPair, ...]:
    """Return the patch pairs a host must have."""
    return tuple(_patch(physnet) for physnet in host.physnets)


def patch_name(bridge: str) -> str:
    """Return the name of our end of the patch pair to a provider bridge."""
    return _short(_NEAR, bridge)


@lru_cache(maxsize=1024)
def _patch(physnet: Physnet) -> PatchPair:
    return PatchPair(
        name=patch_name(physnet.bridge),
        far_name=_short(_FAR, physnet.bridge),
        bridge=physnet.bridge,
        physical_network=physnet.name,
        ofport=physnet.ofport,
    )


def _short(prefix: str, bridge: str) -> str:
    """Return a name for an end: the bridge's own where it fits, else its beginning and a digest of the whole."""
    if len(prefix + bridge) <= _NAME_LENGTH:
        return prefix + bridge
    return f"{prefix}{bridge[:5]}-{sha256(bridge.encode()).hexdigest()[:6]}"


class Ways:
    """Which tunnels and patches has one host's switch really made? Owned by the reconciler's thread.

    A flow may use a number only when it was asked for, was given, and is given to the very port meant: a number that
    changes hands would join two physical networks.
    """

    def __init__(self) -> None:
        self._rows: dict[str, InterfaceRow] = {}
        self._given: dict[str, InterfaceRow] = {}
        """Those that have the number they asked for, by name."""

    @property
    def count(self) -> int:
        """How many tunnels and patches there are on the bridge, whatever their state."""
        return len(self._rows)

    def update(self, changes: RowChanges) -> bool:
        """Take in what became of a host's interfaces; return whether that changed any way that may be used."""
        before = dict(self._rows)
        if changes.whole:
            self._rows.clear()
        for uuid, row in changes.rows.items():
            self._rows.pop(uuid, None)
            if row is not None and (row.type == PATCH_TYPE or row.type in TUNNELS):
                self._rows[uuid] = row
        if self._rows == before:
            return False
        old, self._given = self._given, {}
        for row in self._rows.values():
            if row.live and row.ofport == row.ofport_request:
                self._given[row.name] = row
        return _identities(old) != _identities(self._given)

    def patch(self, host: Host, physnet: str) -> OfPort | None:
        """Return the number of a host's way to a physical network, None while there is none."""
        wanted = next((one for one in host.physnets if one.name == physnet), None)
        if wanted is None:
            return None
        pair = _patch(wanted)
        row = self._given.get(pair.name)
        if row is None or _identity(row) != (PATCH_TYPE, pair.ofport, (("peer", pair.far_name),)):
            return None
        return wanted.ofport

    def tunnel(self, kind: str) -> OfPort | None:
        """Return the number of the tunnel of a type of network, None while there is none."""
        if kind not in TUNNELS:
            return None
        name, ofport = TUNNELS[kind]
        row = self._given.get(name)
        return ofport if row is not None and (row.type, row.ofport) == (kind, ofport) else None

    @property
    def tunnels(self) -> dict[str, OfPort]:
        """The number of each tunnel that may be used, by type of network."""
        return {kind: ofport for kind in TUNNELS if (ofport := self.tunnel(kind)) is not None}

    @property
    def problem(self) -> str | None:
        """One sentence about a tunnel that Open vSwitch gave another number than asked for, None without one."""
        for row in self._rows.values():
            asked = TUNNELS.get(row.type, ("", None))
            if row.live and (row.name, row.ofport_request) == asked and row.ofport != row.ofport_request:
                return (
                    f"tunnel {row.name} has OpenFlow port {row.ofport} instead of {row.ofport_request} and is not "
                    f"used: remove it (ovs-vsctl del-port {row.name}), it is made again"
                )
        return None


def _identity(row: InterfaceRow) -> tuple[str, int | None, tuple[tuple[str, str], ...]]:
    return row.type, row.ofport, row.options


def _identities(rows: dict[str, InterfaceRow]) -> dict[str, tuple[str, int | None, tuple[tuple[str, str], ...]]]:
    return {name: _identity(row) for name, row in rows.items()}
