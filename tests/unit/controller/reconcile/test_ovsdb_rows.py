"""Which rows must a host have?"""

import pytest

from controller.reconcile.ovsdb_rows import bridge_rows
from tests.unit.controller.reconcile.test_ways import HOST, a_host

TARGET = "tcp:192.0.2.100:6653"


def test_every_physical_network_has_a_pair_with_its_own_number() -> None:
    pairs = bridge_rows(HOST, TARGET).patches
    assert [(pair.name, pair.far_name, pair.bridge, pair.physical_network, pair.ofport) for pair in pairs] == [
        ("wi-br-blue", "wp-br-blue", "br-blue", "blue", 65200),
        ("wi-br-red", "wp-br-red", "br-red", "red", 65201),
    ]


@pytest.mark.parametrize(
    ("tunnel_ip", "geneve", "expected"),
    [
        ("192.0.2.1", False, [("weft-vxlan", "vxlan", 65279)]),
        ("192.0.2.1", True, [("weft-vxlan", "vxlan", 65279), ("weft-geneve", "geneve", 65278)]),
        (None, True, []),
    ],
)
def test_the_geneve_tunnel_stands_beside_the_vxlan_one_when_it_is_wanted(
    tunnel_ip: str | None, expected: list[tuple[str, str, int]], *, geneve: bool
) -> None:
    tunnels = bridge_rows(a_host(tunnel_ip=tunnel_ip), TARGET, geneve=geneve).tunnels
    assert [(tunnel.name, tunnel.type, tunnel.ofport_request) for tunnel in tunnels] == expected
    assert all(("local_ip", tunnel_ip) in tunnel.options for tunnel in tunnels)
