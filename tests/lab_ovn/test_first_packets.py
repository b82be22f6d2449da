"""From a REST call to a ping through a real OVN cluster, on two chassis."""

from tests.lab_ovn.conftest import Cloud, address


def test_ports_of_one_network_reach_each_other_on_one_chassis_and_across_chassis(cloud: Cloud) -> None:
    red = cloud.network()
    (one, _), (_, two_port), (_, three_port) = cloud.vm(red, cloud.h1), cloud.vm(red, cloud.h1), cloud.vm(red, cloud.h2)
    assert one.ping(address(two_port)).lost == 0
    one.ping_until_answered(address(three_port))
    assert one.ping(address(three_port)).lost == 0
