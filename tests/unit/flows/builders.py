"""Unit intents for tests, with every default filled in."""

from hypothesis import strategies as st

from flows.intent import (
    BaseIntent,
    LocalPortIntent,
    PeerIntent,
    RemotePortIntent,
    SegmentIntent,
    UnitIntent,
)

TUNNEL_OFPORT = 65279
SERVICE_MAC = 0x025745465401


def a_segment(segment: int = 5, servers: tuple[int, ...] = ()) -> SegmentIntent:
    return SegmentIntent(segment=segment, service_mac=SERVICE_MAC, service_addresses=servers)


def a_local_port(
    port: int = 9, segment: int = 5, *, mac: int | None = None, secure: bool = True, dhcp: bool = True
) -> LocalPortIntent:
    address = 0xFA163E000000 + port if mac is None else mac
    return LocalPortIntent(
        port=port,
        segment=segment,
        ofport=32768 + port,
        mac=address,
        guarded_macs=(address,) if secure else (),
        dhcp=dhcp,
        meter=32768 + port,
    )


def a_remote_port(port: int = 10, segment: int = 5, endpoint: int = 0x0A000002) -> RemotePortIntent:
    return RemotePortIntent(
        port=port,
        segment=segment,
        vni=77,
        mac=0xFA163E000000 + port,
        endpoint=endpoint,
        tunnel_ofport=TUNNEL_OFPORT,
    )


def a_peer(endpoint: int = 0x0A000002) -> PeerIntent:
    return PeerIntent(tunnel_ofport=TUNNEL_OFPORT, endpoint=endpoint)


PORTS = st.integers(1, 6)
SEGMENTS = st.integers(1, 3)
ENDPOINTS = st.integers(0x0A000002, 0x0A000004)

INTENTS: st.SearchStrategy[UnitIntent] = st.one_of(
    st.just(BaseIntent()),
    st.builds(a_peer, ENDPOINTS),
    st.builds(a_segment, SEGMENTS, st.sampled_from([(), (0x0A000001,)])),
    # MACs are few on purpose: several units must claim one flow key
    st.builds(
        a_local_port,
        PORTS,
        SEGMENTS,
        mac=st.integers(0xFA163E000001, 0xFA163E000003),
        secure=st.booleans(),
        dhcp=st.booleans(),
    ),
    st.builds(a_remote_port, PORTS, SEGMENTS, ENDPOINTS),
)
