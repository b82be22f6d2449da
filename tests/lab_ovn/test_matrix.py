"""Do packets through OVN agree with the model of the API that packets through Weft's own tables agree with?

The clouds are those of ``tests/lab_matrix``, by the same seeds, without what the plug-in does not advertise.
"""

import itertools
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import Lab, Weft
from tests.lab.guest import Vm
from tests.lab_matrix.intent import VIRTUAL_MAC, Offer, Port, a_cloud
from tests.lab_matrix.matrix import Disagreement, Tally, run
from tests.lab_matrix.semantics import Kind
from tests.lab_matrix.stage import PHYSICAL_NETWORK, PROVIDER_BRIDGE, Stage, connect
from tests.lab_ovn.cluster import Cluster
from tests.lab_ovn.conftest import serve

SEEDS, PORTS = (1, 2), 14


class OvnStage(Stage):
    """Chassis of a cluster in place of registered hosts."""

    def __init__(self, lab: Lab, weft: Weft, cluster: Cluster) -> None:
        self.weft, self._cluster = weft, cluster
        self.hosts = list(lab.hypervisors.values())
        self._booted = itertools.count(1)

    def offer(self) -> Offer:
        return Offer(kinds=("geneve", "vlan", "flat"), hosts=len(self.hosts), ports=PORTS)

    def settle(self) -> None:
        self._cluster.nbctl("--wait=hv", "sync")

    def _boot(self, port: Port, port_id: str) -> Vm:
        vm = super()._boot(port, port_id)
        self.hosts[port.host].plug(vm, port_id)
        return vm

    def _end(self, vm: Vm) -> None:
        next(host for host in self.hosts if vm.name in host.vms).unplug(vm)
        super()._end(vm)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[OvnStage]:
    with Lab(tmp_path / "lab") as lab:
        cluster = Cluster(lab)
        try:
            cluster.create()
            hosts = [cluster.chassis(name) for name in ("h1", "h2")]
            lab.warm_up()
            connect(lab, hosts)
            for host in hosts:
                mapping = f"external_ids:ovn-bridge-mappings={PHYSICAL_NETWORK}:{PROVIDER_BRIDGE}"
                host.vsctl("set", "Open_vSwitch", ".", mapping)
            with serve(tmp_path / "weft", lab, cluster, plugins="ovn,openflow") as weft:
                yield OvnStage(lab, weft, cluster)
        finally:
            cluster.close()


def is_known(seed: int, one: Disagreement, offer: Offer) -> bool:
    """Whether a disagreement is one of the four ways in which OVN is known to differ.

    Its answer to a neighbour solicitation is of its own making, so the mark by which a probe is told from others is not
    in it; that neighbours are found is tried elsewhere. Port security lets nothing pass but IP and ARP. And which port
    uses a MAC address that several may use it does not know: others of the network that are open get a copy too. Where
    an open port has spoken in the name of one that is down, OVN has learnt that and sends there what would go to all
    open ones.
    """
    ports = a_cloud(random.Random(seed), offer).ports
    sender = ports[one.frame.sender]
    if one.frame.dst_mac == VIRTUAL_MAC:
        got = re.findall(r"\d+", one.text.partition("]")[0])
        return {ports[int(number)].network for number in got} <= {sender.network}
    lacking = re.fullmatch(r"received by \[(.*)\], should be by \[(.*)\]", one.text)
    if lacking and one.frame.dst_mac in {port.mac for port in ports if port.network == sender.network and not port.up}:
        got, wanted = (set(re.findall(r"\d+", part)) for part in lacking.groups())
        return got <= wanted and not any(ports[int(number)].guarded for number in wanted)
    is_lost = one.text.startswith("received by []")
    if one.frame.kind is Kind.QUESTION and one.frame.version == 6:
        return is_lost or (one.text.startswith("the walker says answered") and one.text.endswith("packets: [] []"))
    return one.frame.kind is Kind.OTHER and sender.guarded and is_lost


def test_every_pair_of_ports_exchanges_what_the_api_says_and_nothing_else(stage: OvnStage) -> None:
    tally, offer = Tally(), replace(stage.offer(), ports=PORTS)
    for seed in SEEDS:
        run(stage, seed, tally, offer)
    unknown = [one for one in tally.disagreements if not is_known(one.seed, one, offer)]
    assert not unknown, "\n".join(map(str, unknown[:20]))
    assert tally.pairs == len(SEEDS) * PORTS * (PORTS - 1)
    assert tally.copies > tally.pairs
    assert tally.answered > 100
