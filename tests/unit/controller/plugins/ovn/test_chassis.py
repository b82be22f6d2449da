"""Are the cluster's hosts and the places of ports read as the southbound database means them?"""

from typing import Any

from controller.plugins.contract import FoundHost
from controller.plugins.ovn.chassis import NOWHERE, Southbound, Whereabouts
from controller.records import HostName


def a_cluster(**second: Any) -> Southbound:
    found = Southbound()
    found.put("Encap", "e1", {"type": "geneve", "ip": "192.0.2.1"})
    put_chassis(found, 1, other_config={"datapath-type": "netdev", "ovn-bridge-mappings": "physnet1:br-ex, p2:br2"})
    put_chassis(found, 2, **second)
    return found


def put_chassis(found: Southbound, number: int, **more: Any) -> None:
    values = {"hostname": f"h{number}", "encaps": [f"e{number}"], "external_ids": {}, "other_config": {}}
    found.put("Chassis", f"c{number}", {"name": f"chassis-{number}", **values, **more})


def a_binding(**more: Any) -> dict[str, Any]:
    return {"logical_port": "p1", "options": {}, "chassis": [], "additional_chassis": [], "up": [], **more}


def test_a_chassis_is_a_host_with_its_ways() -> None:
    hosts = a_cluster().hosts()
    assert hosts[HostName("h1")] == FoundHost(
        datapath_type="netdev",
        physnets=(("physnet1", "br-ex"), ("p2", "br2")),
        tunnel_ip="192.0.2.1",
        features={"chassis": "chassis-1", "encapsulations": ["geneve"]},
    )
    assert hosts[HostName("h2")].datapath_type == "system"
    assert hosts[HostName("h2")].tunnel_ip is None


def test_a_chassis_that_gives_no_answer_is_a_host_that_is_not_alive() -> None:
    found = a_cluster()
    found.put("SB_Global", "g", {"nb_cfg": 7})
    found.put("Chassis_Private", "x", {"name": "chassis-2", "nb_cfg": 5})
    assert (found.asked, found.reports()) == (7, {"chassis-2": 5})
    found.are_hosts_changed = False
    found.note_silent(frozenset({"chassis-2"}))
    assert found.are_hosts_changed
    hosts = found.hosts()
    assert (hosts[HostName("h1")].is_alive, hosts[HostName("h2")].is_alive) == (True, False)
    assert found.chassis_of({"h2", "h9"}) == ["chassis-2"]
    assert "chassis-del chassis-2" in str(hosts[HostName("h2")].problem)


def test_chassis_that_share_a_hostname_are_called_by_their_names() -> None:
    assert set(a_cluster(hostname="h1").hosts()) == {"chassis-1", "chassis-2"}


def test_a_port_is_where_its_chassis_is_and_nowhere_after() -> None:
    found = a_cluster()
    assert found.whereabouts("p1") == NOWHERE
    found.put("Port_Binding", "b", a_binding(chassis=["c2"], up=[True]))
    assert found.whereabouts("p1") == Whereabouts(host=HostName("h2"), is_up=True)
    assert found.changed_ports == {"p1"}
    found.put("Port_Binding", "b", None)
    assert found.whereabouts("p1") == NOWHERE


def test_a_migrating_guest_has_arrived_where_it_has_spoken() -> None:
    found = a_cluster()
    found.put("Port_Binding", "b", a_binding(chassis=["c1"], up=[True], additional_chassis=["c2"]))
    assert not found.whereabouts("p1").arrived
    spoken = {"additional-chassis-activated": "chassis-2"}
    found.put("Port_Binding", "b", a_binding(chassis=["c1"], up=[True], additional_chassis=["c2"], options=spoken))
    assert found.whereabouts("p1").arrived == {"h2"}
