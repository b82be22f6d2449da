"""What are guests told of names?"""

from typing import Any

import pytest

from controller.reconcile.leases import lease6_of, lease_of, router_facts_of
from controller.records import NetworkId
from tests.unit.controller.reconcile.builders import Cloud, a_network, a_port, a_subnet

SLAAC: dict[str, Any] = {"enable_dhcp": True, "ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful"}


@pytest.mark.parametrize(
    ("network", "own", "name", "expected"),
    [
        ("", "", "", (None, None, ())),
        ("", "", "vm1", ("vm1", None, ())),
        ("", "", "vm1.openstacklocal.", ("vm1", None, ())),
        ("n.org.", "", "vm1", ("vm1", "n.org", ("n.org",))),
        ("n.org.", "", "", (None, "n.org", ("n.org",))),
        ("n.org.", "p.org.", "vm1.p.org.", ("vm1", "p.org", ("p.org",))),
    ],
)
def test_a_guest_is_told_its_name_and_the_domain_that_was_set(
    network: str, own: str, name: str, expected: tuple[str | None, str | None, tuple[str, ...]]
) -> None:
    cloud = Cloud()
    port = a_port(1, "10.0.0.5", "fd00::5", dns_name=name, dns_domain=own)
    cloud.put(a_network(dns_domain=network), a_subnet(), a_subnet(cidr="fd00::/64", **SLAAC), port)
    lease, lease6 = lease_of(cloud.model, port), lease6_of(cloud.model, port)
    assert lease is not None
    assert lease6 is not None
    assert (lease.hostname, lease.domain, lease.search_domains) == expected
    assert lease6.search_domains == expected[2]
    [facts] = router_facts_of(cloud.model, NetworkId("n1"))
    assert facts.search_domains == ((network.rstrip("."),) if network else ())
