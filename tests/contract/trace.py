"""What does a real Open vSwitch say it would do with a packet? ``ofproto/trace`` over one connection.

A spawned ovs-appctl costs milliseconds a question; its protocol is JSON-RPC over a unix socket (ovs-vswitchd(8),
unixctl), and one connection answers thousands a second.
"""

import json
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from flows import fields
from flows.fields import CT_EST, CT_INV, CT_NEW, CT_REL, CT_RPL, CT_TRK, Field
from flows.ofctl import value_text
from tests.contract.ovs import BRIDGE, OpenVSwitch

TUNNEL_OFPORT, GENEVE_OFPORT = 65279, 65278
WIRE_OFPORTS = (65200, 65201)
"""Stand for the patches to two provider bridges; a patch differs only behind the tables under test."""
LOCAL_OFPORTS = tuple(range(32769, 32777))
PEERS = tuple(0x0A090902 + n for n in range(3))
UNDERLAY, UNDERLAY_PORT, ENDPOINT = "br-phy", "phy", 0x0A090901
_FLAGS = {CT_NEW: "new", CT_EST: "est", CT_REL: "rel", CT_RPL: "rpl", CT_INV: "inv", CT_TRK: "trk"}
_FRAGMENT = {fields.FRAG_ANY: "first", fields.FRAG_ANY | fields.FRAG_LATER: "later"}
_PORT = re.compile(r"^\s+(\S+) (\d+)/(\d+):", re.MULTILINE)
_ACTIONS = re.compile(r"^Datapath actions: (.*)$", re.MULTILINE)
_PUSH = re.compile(r"ipv4\([^)]*dst=([0-9.]+).*(vxlan|geneve)\(.*vni=(0x[0-9a-f]+)")
_TUNNELS = {"vxlan": TUNNEL_OFPORT, "geneve": GENEVE_OFPORT}
_MARK = re.compile(r"mark=(0x[0-9a-f]+|\d+)")
_ZONE = re.compile(r"zone=(\d+)")


class TracedSwitch(OpenVSwitch):
    """A switch with ports as Weft numbers them, and a tunnel that leads somewhere."""

    ports: ClassVar[tuple[int, ...]] = (*LOCAL_OFPORTS, *WIRE_OFPORTS)

    def __init__(self, directory: Path, dpid: int) -> None:
        super().__init__(directory, dpid)
        self._vsctl(
            *("add-port", BRIDGE, "tun", "--", "set", "interface", "tun", "type=vxlan", "options:remote_ip=flow"),
            *("options:key=flow", f"ofport_request={TUNNEL_OFPORT}"),
            *("--", "add-port", BRIDGE, "gen", "--", "set", "interface", "gen", "type=geneve"),
            *("options:remote_ip=flow", "options:key=flow", f"ofport_request={GENEVE_OFPORT}"),
            *("--", "add-br", UNDERLAY, "--", "set", "bridge", UNDERLAY, "datapath_type=dummy"),
            *("--", "add-port", UNDERLAY, UNDERLAY_PORT, "--", "set", "interface", UNDERLAY_PORT, "type=dummy"),
        )
        self.control = Control(Path(self._control))
        self.control.ask("netdev-dummy/ip4addr", UNDERLAY, f"{_ipv4(ENDPOINT)}/24")
        self.control.ask("ovs/route/add", f"{_ipv4(ENDPOINT & 0xFFFFFF00)}/24", UNDERLAY)
        self.control.ask("tnl/neigh/aging", "3600")
        for number, peer in enumerate(PEERS):
            self.control.ask("tnl/neigh/set", UNDERLAY, _ipv4(peer), f"aa:55:aa:55:00:{number:02x}")
        shown = {name: (int(of), int(dp)) for name, of, dp in _PORT.findall(self.control.ask("dpif/show"))}
        self._underlay = shown.pop(UNDERLAY_PORT)[1]
        self._ofports = {dp: of for of, dp in shown.values()}

    def let_first_fragments_have_ports(self, *, they: bool) -> None:
        """Set what fields first fragments show (ovs-ofctl(8), set-frags)."""
        self._run("ovs-ofctl", "-O", "OpenFlow14", "set-frags", BRIDGE, "nx-match" if they else "normal")

    def trace(self, packet: Mapping[Field, int], states: Sequence[int] = ()) -> "Traced":
        """Ask what becomes of a packet, given what conntrack says each time it is asked."""
        said = [word for state in states for word in ("--ct-next", _state_text(state))]
        text = self.control.ask("ofproto/trace", BRIDGE, packet_text(packet), *said)
        traced = Traced(text=text)
        # One line follows another where conntrack sends the packet on, tags as they were then.
        for actions in _ACTIONS.findall(text):
            self._read(actions, traced, {})
        traced.sent.sort(key=lambda sent: sent[0])
        return traced

    def close(self) -> None:
        if hasattr(self, "control"):
            self.control.close()
        super().close()

    def _read(self, actions: str, traced: "Traced", changed: dict[str, str]) -> None:
        for action in split(actions):
            name, _, inner = action.removesuffix(")").partition("(")
            if name.isdigit():
                if int(name) != self._underlay:
                    traced.sent.append((("port", self._ofports[int(name)]), dict(changed)))
            elif name == "sample" and "actions(meter(" in inner and "controller(" in inner:
                traced.sent.append((("copied",), dict(changed)))
            elif name == "clone":
                self._read(inner, traced, dict(changed))
            elif name == "set":
                changed.update(_set(inner))
            elif name in {"push_vlan", "pop_vlan"}:
                changed["tags"] = _retagged(changed.get("tags", ""), inner)
            else:
                _read_other(name, inner, traced, changed)


def _read_other(name: str, inner: str, traced: "Traced", changed: dict[str, str]) -> None:
    if name == "tnl_push":
        found = _PUSH.search(inner)
        if found is None:
            raise ValueError(f"no endpoint in {inner}")
        traced.sent.append((("tunnel", _TUNNELS[found[2]], found[1], int(found[3], 16)), dict(changed)))
    elif name == "userspace" and "controller(" in inner:
        traced.sent.append((("controller",), dict(changed)))
    elif name == "ct" and inner.startswith("commit"):
        zone, mark = _ZONE.search(inner), _MARK.search(inner)
        traced.commits.append((int(zone[1]) if zone else 0, int(mark[1], 0) if mark else None))
    elif name not in {"ct", "ct_clear", "recirc", "meter", "drop"}:
        raise ValueError(f"action {name}({inner}) is unknown here")


@dataclass(slots=True)
class Traced:
    """What Open vSwitch said."""

    text: str
    sent: list[tuple[tuple[str | int, ...], dict[str, str]]] = field(default_factory=list)
    """Each place something goes to, and the header fields written before."""
    commits: list[tuple[int, int | None]] = field(default_factory=list)
    """Zone and mark."""


class Control:
    """A connection to ovs-vswitchd's control socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._buffer = ""
        self._number = 0

    def ask(self, method: str, *words: str) -> str:
        """Run a command and return what it says."""
        self._number += 1
        request = {"id": self._number, "method": method, "params": list(words)}
        self._socket.sendall(json.dumps(request).encode())
        while True:
            try:
                answer, end = json.JSONDecoder().raw_decode(self._buffer)
            except ValueError:
                received = self._socket.recv(1 << 20)
                if not received:
                    raise ConnectionError(f"ovs-vswitchd closed its control socket at {method}") from None
                self._buffer += received.decode()
                continue
            self._buffer = self._buffer[end:]
            if answer["error"] is not None:
                raise ValueError(f"{method} {' '.join(words)}: {answer['error']}")
            return str(answer["result"])

    def close(self) -> None:
        """End it."""
        self._socket.close()


def packet_text(packet: Mapping[Field, int]) -> str:
    """Return a packet as Open vSwitch takes it (ovs-fields(7)), fields others depend on first."""
    order = (fields.IN_PORT, fields.ETH_TYPE, fields.IP_PROTO, fields.IP_FRAG, fields.ICMP6_TYPE, fields.ICMP6_CODE)
    rest = sorted((f for f in packet if f not in order), key=lambda f: f.name)
    terms = [
        f"{f.name}={_FRAGMENT[packet[f]] if f is fields.IP_FRAG else value_text(f, packet[f])}"
        for f in (*order, *rest)
        if packet.get(f)
    ]
    # With a hash the packet is not sent round for one: the trace follows no packet through that.
    return ",".join([*terms, "dp_hash=0x1"])


def split(actions: str) -> Iterator[str]:
    """Yield what stands between the commas outside of brackets."""
    depth = begin = 0
    for at, letter in enumerate(actions):
        if letter == "(":
            depth += 1
        elif letter == ")":
            depth -= 1
        elif letter == "," and not depth:
            yield actions[begin:at]
            begin = at + 1
    yield actions[begin:]


def _retagged(tags: str, inner: str) -> str:
    """Return what was done to the tags, shortest form: ``-`` for each taken off, then the ids of those put on."""
    pushed = tags.split()
    if inner:
        return " ".join([*pushed, str(int(inner.partition("vid=")[2].partition(",")[0], 0))])
    return " ".join(pushed[:-1] if pushed and pushed[-1] != "-" else [*pushed, "-"])


def _set(inner: str) -> dict[str, str]:
    """Return the fields of ``eth(src=...,dst=...)`` by ``eth.src`` and so on, without masks."""
    header, _, values = inner.partition("(")
    pairs = (pair.partition("=") for pair in split(values.removesuffix(")")))
    return {f"{header}.{name}": value.partition("/")[0] for name, _, value in pairs}


def _state_text(state: int) -> str:
    return ",".join(name for bit, name in _FLAGS.items() if state & bit)


def _ipv4(address: int) -> str:
    return value_text(fields.IPV4_SRC, address)
