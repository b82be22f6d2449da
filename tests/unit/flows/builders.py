"""Unit intents for tests, with every default filled in."""

from hypothesis import strategies as st

from flows.intent import (
    ISOLATED,
    NO_RULES,
    PROMISCUOUS,
    AddressGroupIntent,
    BaseIntent,
    Guard,
    LocalPortIntent,
    Moving,
    Owned,
    PeerIntent,
    Prefix,
    RemotePortIntent,
    RuleIntent,
    RulesetIntent,
    SegmentIntent,
    UnitIntent,
    Wire,
)

TUNNEL_OFPORT = 65279
SERVICE_MAC = 0x025745465401


def a_segment(
    segment: int = 5, servers: tuple[int, ...] = (), wire: Wire | None = None, *, private: bool = False
) -> SegmentIntent:
    return SegmentIntent(
        segment=segment, service_mac=SERVICE_MAC, service_addresses=servers, wire=wire, private=private
    )


def prefix4(address: int, length: int = 32) -> Prefix:
    return Prefix(4, address, length)


def prefix6(address: int, length: int = 128) -> Prefix:
    return Prefix(6, address, length)


def a_local_port(
    port: int = 9,
    segment: int = 5,
    *,
    mac: int | None = None,
    secure: bool = True,
    dhcp: bool = True,
    addresses: tuple[Prefix, ...] = (),
    pairs: tuple[Guard, ...] = (),
    answered: bool = True,
    groups: tuple[int, ...] = (),
    ruleset: int | None = None,
    dhcp6: bool = False,
    router: bool = False,
    role: int = PROMISCUOUS,
    moving: Moving = Moving.NOT,
) -> LocalPortIntent:
    own = 0xFA163E000000 + port if mac is None else mac
    return LocalPortIntent(
        port=port,
        segment=segment,
        ofport=32768 + port,
        mac=own,
        number=32768 + port,
        guarded=secure,
        guards=tuple(sorted({*(Guard(own, address) for address in addresses), *pairs})),
        owned=_owned(own, addresses, pairs, answered=answered),
        ruleset=ruleset_of(groups) if ruleset is None else ruleset,
        groups=groups,
        dhcp=dhcp,
        dhcp6=dhcp6,
        router=router,
        role=role,
        moving=moving,
    )


def a_remote_port(
    port: int = 10,
    segment: int = 5,
    endpoint: int = 0x0A000002,
    *,
    addresses: tuple[Prefix, ...] = (),
    pairs: tuple[Guard, ...] = (),
    groups: tuple[int, ...] = (),
    role: int = PROMISCUOUS,
    private: bool = False,
    takes_unknown: bool = False,
    wire: Wire | None = None,
    moving: bool = False,
    also: int | None = None,
) -> RemotePortIntent:
    own = 0xFA163E000000 + port
    return RemotePortIntent(
        port=port,
        segment=segment,
        vni=77,
        mac=own,
        endpoint=endpoint,
        tunnel_ofport=0 if wire else TUNNEL_OFPORT,
        owned=_owned(own, addresses, pairs),
        ruleset=ruleset_of(groups),
        groups=groups,
        role=role,
        private=private,
        takes_unknown=takes_unknown,
        wire=wire,
        moving=moving,
        also=also,
    )


def ruleset_of(groups: tuple[int, ...]) -> int:
    """One group's key is its ruleset's; sets of several have keys of their own."""
    return groups[0] if len(groups) == 1 else 1000 + sum(groups) if groups else NO_RULES


def _owned(
    mac: int, addresses: tuple[Prefix, ...], pairs: tuple[Guard, ...], *, answered: bool = True
) -> tuple[Owned, ...]:
    fixed = (Owned(address, mac, answered) for address in addresses)
    return tuple(sorted({*fixed, *(Owned(pair.prefix, pair.mac, False, pair=True) for pair in pairs)}))


def a_rule(
    version: int = 4,
    protocol: int | None = None,
    low: int | None = None,
    high: int | None = None,
    *,
    prefix: Prefix | None = None,
    group: int | None = None,
    why: str = "rule r1",
) -> RuleIntent:
    return RuleIntent(version=version, protocol=protocol, low=low, high=high, prefix=prefix, group=group, why=why)


def a_ruleset(
    ruleset: int = 16,
    *,
    from_port: tuple[RuleIntent, ...] = (),
    to_port: tuple[RuleIntent, ...] = (),
    stateful: bool = True,
) -> RulesetIntent:
    return RulesetIntent(ruleset=ruleset, stateful=stateful, from_port=from_port, to_port=to_port)


def an_address_group(key: int = 40, *prefixes: Prefix) -> AddressGroupIntent:
    return AddressGroupIntent(key=key, prefixes=prefixes)


def a_peer(endpoint: int = 0x0A000002) -> PeerIntent:
    return PeerIntent(tunnel_ofport=TUNNEL_OFPORT, endpoint=endpoint)


PORTS = st.integers(1, 6)
SEGMENTS = st.integers(1, 3)
ENDPOINTS = st.integers(0x0A000002, 0x0A000004)

ROLES = st.sampled_from([PROMISCUOUS, ISOLATED, 30, 31])
GROUPS = st.sampled_from([(), (16,), (17,), (16, 17)])
ADDRESSES = st.lists(
    st.sampled_from([prefix4(0x0A000005), prefix4(0x0A000006), prefix6(0x20010DB8 << 96 | 5)]), max_size=2, unique=True
).map(tuple)
PAIRS = st.lists(
    st.sampled_from(
        [
            Guard(0x00005E000101, prefix4(0x0A000009)),
            Guard(0xFA163E000001, prefix4(0x0A000000, 24)),
            Guard(0x00005E000101, prefix6(0, 0)),
        ]
    ),
    max_size=2,
    unique=True,
).map(tuple)
RULES = st.lists(
    st.sampled_from(
        [
            a_rule(),
            a_rule(6),
            a_rule(4, 6, 80, 90),
            a_rule(4, 17, 1, 65535, prefix=prefix4(0x0A000000, 8)),
            a_rule(4, 1, 8, 0),
            a_rule(6, 58, 128),
            a_rule(4, group=16),
            a_rule(4, 6, 22, 22, group=17, why="rule r2"),
            a_rule(4, 6, 22, 22, group=16),
            a_rule(6, group=1 << 31 | 40),
        ]
    ),
    max_size=4,
    unique=True,
).map(tuple)

INTENTS: st.SearchStrategy[UnitIntent] = st.one_of(
    st.just(BaseIntent()),
    st.builds(a_peer, ENDPOINTS),
    st.builds(
        a_segment,
        SEGMENTS,
        st.sampled_from([(), (0x0A000001,)]),
        st.sampled_from([None, Wire(ofport=65200, vlan=100), Wire(ofport=65200, vlan=None)]),
    ),
    # MACs and addresses are few on purpose: several units must claim one flow key
    st.builds(
        a_local_port,
        PORTS,
        SEGMENTS,
        mac=st.integers(0xFA163E000001, 0xFA163E000003),
        secure=st.booleans(),
        dhcp=st.booleans(),
        addresses=ADDRESSES,
        pairs=PAIRS,
        groups=GROUPS,
        dhcp6=st.booleans(),
        router=st.booleans(),
        role=ROLES,
        moving=st.sampled_from(Moving),
    ),
    st.builds(
        a_remote_port,
        PORTS,
        SEGMENTS,
        ENDPOINTS,
        addresses=ADDRESSES,
        pairs=PAIRS,
        groups=GROUPS,
        role=ROLES,
        takes_unknown=st.booleans(),
        wire=st.sampled_from([None, Wire(ofport=65200, vlan=100)]),
        moving=st.booleans(),
        also=st.sampled_from([None, 0x0A000009]),
    ),
    st.builds(a_ruleset, st.integers(16, 18), from_port=RULES, to_port=RULES, stateful=st.booleans()),
    st.builds(an_address_group, st.integers(40, 41), st.sampled_from([prefix4(0x0A000000, 8), prefix6(1)])),
)
