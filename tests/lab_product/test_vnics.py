"""Ports with addresses, a vNIC, a plug, a machine that starts: do the four steps end in a ping on real Open vSwitch?"""

from tests.lab.cloud import Cloud, address
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.process import eventually

MAC = "02:00:00:00:77:01"


def start(cloud: Cloud, host: Hypervisor, name: str, vnic: dict[str, str]) -> Vm:
    """Start a machine whose device has the vNIC's address, and say on its host whose device it is."""
    vm = host.boot_vm(name, device=f"dev{name}", mac=vnic["mac_address"])
    host.plug(vm, vnic["port_id"])
    return vm


def test_the_four_steps_end_in_a_ping_within_a_host_and_across_hosts(cloud: Cloud) -> None:
    api = cloud.weft.api
    red = cloud.network("10.30.0.0/24")
    for last in (11, 12, 13):
        cloud.port(red, fixed_ips=[{"ip_address": f"10.30.0.{last}"}])
    vms: list[tuple[Vm, str]] = []
    for number, host in enumerate((cloud.h1, cloud.h1, cloud.h2), start=1):
        own = {"mac_address": MAC} if number == 1 else {}
        vnic = api.create("vnic", name=f"eth{number}", owner=f"vm{number}", **own)
        vnic = api.put(f"/v2.0/vnics/{vnic['id']}/plug", {"network_id": red})["vnic"]
        assert (vnic["mac_address"] == MAC) == (number == 1)
        vm = start(cloud, host, f"v{number}", vnic)
        port = cloud.weft.wait_for_port(vnic["port_id"])
        assert port["attachment"]["vnic_id"] == vnic["id"]
        vm.address_set(f"{address(port)}/24")
        vms.append((vm, address(port)))
    (one, _), (_, near), (_, far) = vms
    assert one.ping(near).lost == 0
    one.ping_until_answered(far)
    assert one.ping(far).lost == 0


def test_an_unplugged_vnic_is_cut_off_and_works_in_another_port_on_another_host(cloud: Cloud) -> None:
    api = cloud.weft.api
    red = cloud.network("10.30.0.0/24")
    peer, _ = cloud.vm(red, cloud.h2)
    first, second = cloud.port(red), cloud.port(red)
    vnic = api.create("vnic", mac_address=MAC, owner="vm1")
    plugged = api.put(f"/v2.0/vnics/{vnic['id']}/plug", {"port_id": first["id"]})["vnic"]
    vm = start(cloud, cloud.h1, "w1", plugged)
    cloud.weft.wait_for_port(first["id"])
    vm.address_set(f"{address(first)}/24")
    peer.ping_until_answered(address(first))

    api.put(f"/v2.0/vnics/{vnic['id']}/unplug", {})
    eventually(lambda: peer.ping(address(first), count=1, timeout_s=0.3).received == 0, 5, "the vNIC is cut off")
    cloud.h1.unplug(vm)
    cloud.h1.destroy_vm(vm)
    plugged = api.put(f"/v2.0/vnics/{vnic['id']}/plug", {"port_id": second["id"]})["vnic"]
    vm = start(cloud, cloud.h2, "w2", plugged)
    assert cloud.weft.wait_for_port(second["id"])["binding:host_id"] == "h2"
    vm.address_set(f"{address(second)}/24")
    peer.ping_until_answered(address(second))
