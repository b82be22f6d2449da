"""Are checksums, link-local addresses and names what the RFCs make of them?"""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import UDP, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from controller.dhcp6.frame import datagram_from_wire, head, is_sum_right, link_local, seal

MAC = bytes.fromhex("fa163e000001")
ADDRESS = bytes.fromhex("fe80" + "00" * 13 + "01")


@given(st.binary(max_size=64))
def test_a_sealed_frame_is_what_scapy_writes(payload: bytes) -> None:
    """RFC 8200 section 8.1, odd lengths too."""
    expected = bytes(
        Ether(src="fa:16:3e:00:00:01", dst="fa:16:3e:00:00:01")
        / IPv6(src="fe80::1", dst="fe80::1")
        / UDP(sport=547, dport=546)
        / Raw(payload)
    )
    frame = bytearray(head(eth_dst=MAC, eth_src=MAC, next_header=17, hop_limit=64, src=ADDRESS, dst=ADDRESS))
    frame += struct.pack("!HHHH", 547, 546, 8 + len(payload), 0xBEEF) + payload

    got = seal(frame, next_header=17, checksum_at=60)

    assert got == expected
    assert is_sum_right(got, datagram_from_wire(got))


@given(st.binary(min_size=8, max_size=32), st.data())
def test_a_changed_octet_makes_the_sum_wrong(payload: bytes, data: st.DataObject) -> None:
    frame = bytearray(head(eth_dst=MAC, eth_src=MAC, next_header=58, hop_limit=255, src=ADDRESS, dst=ADDRESS) + payload)
    sealed = bytearray(seal(frame, next_header=58, checksum_at=56))
    # Not the first octet of the source: it could become a multicast address, which is refused earlier.
    sealed[data.draw(st.integers(23, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))

    changed = bytes(sealed)

    assert not is_sum_right(changed, datagram_from_wire(changed))


@pytest.mark.parametrize(
    ("mac", "address"),
    [("fa:16:3e:00:00:01", "fe80::f816:3eff:fe00:1"), ("02:57:45:46:54:01", "fe80::57:45ff:fe46:5401")],
)
def test_a_link_local_address_is_formed_from_the_mac(mac: str, address: str) -> None:
    """RFC 4291 appendix A."""
    assert link_local(mac) == address
