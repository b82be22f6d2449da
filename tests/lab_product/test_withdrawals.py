"""Does a real guest let go of a prefix that its network advertises no longer?"""

from tests.lab.cloud import Cloud
from tests.lab.process import eventually

SLAAC = {"ip_version": 6, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}


def test_the_addresses_of_a_deleted_subnet_are_deprecated_at_once(cloud: Cloud) -> None:
    """RFC 4862 section 5.5.3 e: preferred no longer, valid for two hours at most."""
    network = cloud.network(cidr="fd00:a::/64", subnet=SLAAC)
    gone = cloud.weft.api.list("subnets")[0]["id"]
    cloud.weft.api.create("subnet", network_id=network, cidr="fd00:b::/64", **SLAAC)
    port = cloud.port(network, cloud.h1)
    vm = cloud.boot(cloud.h1, port)
    cloud.weft.wait_for_port(port["id"])

    def shown(prefix: str) -> str:
        lines = vm.run(["ip", "-6", "-o", "addr", "show", "scope", "global"]).stdout.splitlines()
        return next((line for line in lines if f"inet6 {prefix}" in line), "")

    eventually(
        lambda: shown("fd00:a:") and shown("fd00:b:"),
        20,
        lambda: f"an address of each subnet; there is {shown('fd00')}",
    )
    cloud.weft.api.delete(f"/v2.0/subnets/{gone}")
    eventually(lambda: "deprecated" in shown("fd00:a:"), 20, lambda: f"deprecated: {shown('fd00:a:')}")
    valid_s = int(shown("fd00:a:").partition("valid_lft ")[2].partition("sec")[0])
    assert valid_s <= 7200
    assert "deprecated" not in shown("fd00:b:")
