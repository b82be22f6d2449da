"""Do probes find out whether frames of one real Open vSwitch arrive at another, through VXLAN and Geneve?

The flows are written by hand, as `flows` will: VNI 0 of a registered peer goes to the controller through a meter.
"""

import logging
import os
import queue
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path as FilePath

import pytest

from controller.reconcile.ovsdb_rows import bridge_rows
from controller.reconcile.underlay import (
    KEY_BYTES,
    RATE_PPS,
    Path,
    Probe,
    Prober,
    Seal,
    Verdict,
    choose_paths,
    way,
)
from controller.reconcile.ways import GENEVE_OFPORT, TUNNEL_OFPORT
from controller.records import Host, HostName
from controller.southbound.openflow.service import OpenFlowService
from controller.southbound.ovsdb.model import HostDesired
from controller.southbound.ovsdb.service import OvsdbService
from flows.ofctl import action_text
from tests.lab import Lab
from tests.lab.hypervisor import Hypervisor
from tests.lab_ovsdb.switch import run, wait_until

pytestmark = pytest.mark.lab
_log = logging.getLogger(__name__)
COOKIE = 0x77
TUNNELS = (TUNNEL_OFPORT, GENEVE_OFPORT)
INTERVAL_S = 0.5


class Underlay:
    """Two hypervisors with tunnels and punting flows, and a prober that runs on real time."""

    def __init__(self, lab: Lab) -> None:
        self.seal = Seal(os.urandom(KEY_BYTES))
        self.arrivals: queue.SimpleQueue[tuple[int, int, bytes]] = queue.SimpleQueue()
        self.hypervisors = {1: lab.hypervisor("h1"), 2: lab.hypervisor("h2")}
        listener = socket.create_server((lab.controller_ip, 0))
        self._target = f"tcp:{lab.controller_ip}:{listener.getsockname()[1]}"
        self._connected: set[int] = set()
        self._openflow = OpenFlowService(
            listener,
            admit=lambda dpid: dpid in self.hypervisors,
            on_event=lambda dpid, _: self._connected.add(dpid),
            packet_in=self._punt,
        )
        for dpid in self.hypervisors:
            self._openflow.switch(dpid)
        self._openflow.start()
        self._ovsdb = OvsdbService(lambda _: None)
        self._ovsdb.start()
        for dpid, hypervisor in self.hypervisors.items():
            self._prepare(dpid, hypervisor)
        wait_until(lambda: self._connected == {1, 2}, "both switches are connected")
        self.now = time.monotonic()
        self.prober = Prober(self.now, interval_s=INTERVAL_S)

    def _prepare(self, dpid: int, hypervisor: Hypervisor) -> None:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        host = Host(
            id=hypervisor.name,
            name=HostName(hypervisor.name),
            ovsdb=hypervisor.ovsdb,
            tunnel_ip=hypervisor.tunnel_ip,
            datapath_type="netdev",
            datapath_id=dpid,
            physnets=(),
            created_at=now,
            updated_at=now,
            revision_number=1,
        )
        self._ovsdb.add_host(host.name, host.ovsdb)
        self._ovsdb.set_desired(host.name, HostDesired(bridge=bridge_rows(host, self._target, geneve=True)))
        for device, ofport in (("weft-vxlan", TUNNEL_OFPORT), ("weft-geneve", GENEVE_OFPORT)):
            assert hypervisor.ofport(device) == ofport
        peer, rate = self.hypervisors[3 - dpid].tunnel_ip, 2 * RATE_PPS
        for tunnel in TUNNELS:
            band = f"band=type=drop,rate={rate},burst_size={rate}"
            hypervisor.ofctl("add-meter", "br-int", f"meter={tunnel},pktps,burst,{band}")
            hypervisor.ofctl("add-flow", "br-int", f"table=0,in_port={tunnel},tun_src={peer},actions=goto_table:105")
            punt = f"table=105,priority=400,cookie={COOKIE},in_port={tunnel},tun_id=0"
            hypervisor.ofctl("add-flow", "br-int", f"{punt},actions=meter:{tunnel},controller:65535")

    def _punt(self, dpid: int, cookie: int, in_port: int, frame: bytes) -> bytes | None:
        if cookie == COOKIE:
            self.arrivals.put((dpid, in_port, frame))
        return None

    def send(self, probe: Probe, frame: bytes | None = None) -> None:
        endpoint = int(IPv4Address(self.hypervisors[probe.path.target].tunnel_ip))
        actions = ",".join(action_text(action) for action in way(probe.path, endpoint))
        packet_out(self.hypervisors[probe.path.source], frame or self.seal.frame(probe), actions)

    def next_punt(self) -> tuple[int, int, bytes]:
        """Return what a switch punts next: datapath id, port and frame."""
        return self.arrivals.get(timeout=5)

    def hear(self) -> list[Probe]:
        """Hand what arrived to the prober."""
        heard = []
        while not self.arrivals.empty():
            dpid, in_port, frame = self.arrivals.get()
            probe = self.seal.read(frame)
            if probe is not None and in_port == probe.path.tunnel:
                heard.append(probe)
                self.prober.arrived(probe, dpid)
        return heard

    def run_until(self, is_met: Callable[[], bool], what: str, within_s: float = 15.0) -> float:
        """Probe until something is so; return how long that took."""
        begin = time.monotonic()
        while not is_met():
            if time.monotonic() > begin + within_s:
                raise AssertionError(f"not within {within_s} s: {what}; {self.prober.counts(1)}")
            self.hear()
            for probe in self.prober.due(time.monotonic()):
                self.send(probe)
            time.sleep(0.02)
        return time.monotonic() - begin

    def close(self) -> None:
        self._ovsdb.stop()
        self._openflow.stop()


@pytest.fixture
def underlay(tmp_path: FilePath) -> Iterator[Underlay]:
    if os.geteuid() != 0 or shutil.which("ovs-vswitchd") is None:
        pytest.skip("needs root and Open vSwitch")
    with Lab(tmp_path, warm=False) as lab:
        made = Underlay(lab)
        yield made
        made.close()


def packet_out(source: Hypervisor, frame: bytes, actions: str) -> None:
    source.ofctl("packet-out", "br-int", f"in_port=controller packet={frame.hex()} actions={actions}")


PATHS = choose_paths((tunnel, (1, 2)) for tunnel in TUNNELS).paths


def all_are(underlay: Underlay, verdict: Verdict) -> bool:
    return {underlay.prober.verdict(path) for path in PATHS} == {verdict}


def proved(underlay: Underlay) -> None:
    underlay.prober.want(PATHS, time.monotonic())
    took = underlay.run_until(lambda: all_are(underlay, Verdict.ALIVE), "all paths are alive")
    _log.info("underlay_alive after_s=%.2f", took)


def test_probes_prove_every_path_and_notice_when_the_underlay_breaks_and_heals(underlay: Underlay) -> None:
    proved(underlay)
    wire = underlay.hypervisors[2].namespace

    run("ip", "-n", wire, "link", "set", "ul", "down")
    took = underlay.run_until(lambda: all_are(underlay, Verdict.DEAD), "all paths are dead")
    _log.info("underlay_dead after_s=%.2f", took)
    assert "no VXLAN frames arrive from h2, no VXLAN frames reach h2" in (underlay.prober.problem(1, name) or "")

    run("ip", "-n", wire, "link", "set", "ul", "up")
    took = underlay.run_until(lambda: all_are(underlay, Verdict.ALIVE), "all paths are alive again")
    _log.info("underlay_alive_again after_s=%.2f", took)
    assert underlay.prober.problem(1, name) is None


def test_a_tunnel_that_is_blocked_one_way_is_told_as_such(underlay: Underlay) -> None:
    proved(underlay)
    peer = underlay.hypervisors[2].tunnel_ip
    # What a firewall does that lets VXLAN in and not out (RFC 7348 section 5: UDP 4789).
    underlay.hypervisors[1].ofctl("add-flow", "br-phy", f"priority=9,udp,nw_dst={peer},tp_dst=4789,actions=drop")
    broken = Path(TUNNEL_OFPORT, 1, 2)
    underlay.run_until(lambda: underlay.prober.verdict(broken) is Verdict.DEAD, "the path is dead")
    assert (underlay.prober.dead(1), underlay.prober.dead(2)) == ({broken}, {broken})
    assert (underlay.prober.problem(2, name) or "").startswith("no VXLAN frames arrive from h1: check the underlay")


def test_a_proved_path_loses_no_first_frame(underlay: Underlay) -> None:
    """Open vSwitch knows the peer's MAC address by then."""
    known = [underlay.hypervisors[dpid].appctl("tnl/neigh/show") for dpid in (1, 2)]
    assert [underlay.hypervisors[3 - dpid].tunnel_ip in known[dpid - 1] for dpid in (1, 2)] == [False, False]
    proved(underlay)
    known = [underlay.hypervisors[dpid].appctl("tnl/neigh/show") for dpid in (1, 2)]
    assert [underlay.hypervisors[3 - dpid].tunnel_ip in known[dpid - 1] for dpid in (1, 2)] == [True, True]


def test_only_what_bears_our_mark_and_no_segments_identifier_is_a_probe(underlay: Underlay) -> None:
    proved(underlay)
    underlay.hear()
    path, other = Path(TUNNEL_OFPORT, 1, 2), Seal(bytes(KEY_BYTES))
    endpoint = underlay.hypervisors[2].tunnel_ip
    genuine, forged = Probe(path, 1 << 40), Probe(path, 1 << 41)
    in_a_segment = f"set_field:{endpoint}->tun_dst,set_field:5->tun_id,output:{TUNNEL_OFPORT}"

    underlay.send(forged, other.frame(forged))
    assert underlay.next_punt() == (2, TUNNEL_OFPORT, other.frame(forged))
    assert underlay.seal.read(other.frame(forged)) is None
    packet_out(underlay.hypervisors[1], underlay.seal.frame(genuine), in_a_segment)
    underlay.hypervisors[2].ofctl("del-flows", "br-int", f"table=0,in_port={TUNNEL_OFPORT}")
    underlay.send(genuine)  # now its sender is no registered host
    time.sleep(0.5)
    assert underlay.arrivals.empty()


def name(dpid: int) -> str:
    return f"h{dpid}"
