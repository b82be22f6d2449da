"""How does a flow read in ``ovs-ofctl`` syntax? Text for engineers, tests and the interface, one canonical spelling."""

from ipaddress import IPv4Address, IPv6Address

from flows.fields import (
    CT_EST,
    CT_INV,
    CT_MARK,
    CT_NEW,
    CT_REL,
    CT_RPL,
    CT_STATE,
    CT_TRK,
    ETH_TYPE,
    FRAG_ANY,
    FRAG_LATER,
    IP_FRAG,
    IP_PROTO,
    VLAN_VID,
    Field,
    RegField,
    Term,
)
from flows.flow import (
    Action,
    Bucket,
    Conjunction,
    CopyToController,
    Ct,
    CtClear,
    Flow,
    Group,
    Load,
    Match,
    Meter,
    Move,
    Output,
    OutputInPort,
    OutputReg,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
    ToController,
    ToGroup,
)
from flows.pipeline import TABLE_BY_ID

_SHORTHAND = {
    (0x0800, None): "ip",
    (0x0806, None): "arp",
    (0x86DD, None): "ipv6",
    (0x0800, 17): "udp",
    (0x0800, 6): "tcp",
    (0x0800, 1): "icmp",
    (0x86DD, 17): "udp6",
    (0x86DD, 6): "tcp6",
    (0x86DD, 58): "icmp6",
    (0x0800, 132): "sctp",
    (0x86DD, 132): "sctp6",
}
"""ovs-fields(7): a protocol's name stands for its prerequisites."""
_CT_FLAGS = {CT_NEW: "new", CT_EST: "est", CT_REL: "rel", CT_RPL: "rpl", CT_INV: "inv", CT_TRK: "trk"}
"""ovs-fields(7), ct_state."""
_FRAGMENTS = {
    (0, FRAG_ANY | FRAG_LATER): "no",
    (FRAG_ANY, FRAG_ANY): "yes",
    (FRAG_ANY, FRAG_ANY | FRAG_LATER): "first",
    (FRAG_ANY | FRAG_LATER, FRAG_ANY | FRAG_LATER): "later",
    (FRAG_LATER, FRAG_LATER): "later",
    (0, FRAG_LATER): "not_later",
}
"""ovs-fields(7), ip_frag: the names of its values and masks. OVS shows the last two alike, and reads the first of
them."""


def value_text(field: Field, value: int) -> str:
    """Return a value of `field` as OVS writes it."""
    match field.form:
        case "mac":
            return ":".join(f"{octet:02x}" for octet in value.to_bytes(6, "big"))
        case "ipv4":
            return str(IPv4Address(value))
        case "ipv6":
            return str(IPv6Address(value))
        case "hex":
            return f"{value:#x}"
        case _:
            return str(value)


def term_text(term: Term) -> str:
    """Return one condition, e.g. ``dl_dst=01:00:00:00:00:00/01:00:00:00:00:00`` or ``ct_state=+est-rpl``."""
    if term.field is CT_STATE and not term.mask & ~sum(_CT_FLAGS):
        signs = ((name, "+" if term.value & bit else "-") for bit, name in _CT_FLAGS.items() if term.mask & bit)
        return f"{term.field.name}={''.join(sign + name for name, sign in signs)}"
    if term.field is IP_FRAG and (term.value, term.mask) in _FRAGMENTS:
        return f"{term.field.name}={_FRAGMENTS[term.value, term.mask]}"
    text = f"{term.field.name}={value_text(term.field, term.value)}"
    return text if term.is_exact else f"{text}/{_mask_text(term)}"


def _mask_text(term: Term) -> str:
    """Return the mask, for addresses the length of their prefix as OVS writes it, and as it reads all of them."""
    bits = term.field.bits
    host_bits = bits - term.mask.bit_count()
    if term.field.form in {"ipv4", "ipv6"} and term.mask == term.field.full_mask >> host_bits << host_bits:
        return str(bits - host_bits)
    return value_text(term.field, term.mask)


def match_text(match: Match) -> str:
    """Return a match with protocol names in front, or ``*`` for everything."""
    exact = {t.field: t.value for t in match if t.is_exact}
    kind = (exact.get(ETH_TYPE, -1), exact.get(IP_PROTO))
    name = _SHORTHAND.get(kind)
    hidden = {ETH_TYPE, IP_PROTO} if name else set()
    terms = [term_text(t) for t in match if t.field not in hidden]
    return ",".join([name, *terms] if name else terms) or "*"


def _bits(place: Field | RegField) -> str:
    if isinstance(place, Field):
        return f"{place.name}[]"
    return f"{place.field.name}[{place.lo}..{place.hi}]"


_PLAIN: dict[type[Action], str] = {
    OutputInPort: "IN_PORT",
    ToController: "CONTROLLER:65535",
    PushVlan: "push_vlan:0x8100",
    PopVlan: "pop_vlan",
    CtClear: "ct_clear",
}
"""Actions that are always the same."""


def _ct_text(action: Ct) -> str:
    parts = ["commit"] if action.commit else []
    if action.table is not None:
        parts.append(f"table={table_name(action.table)}")
    parts.append(f"zone={_bits(action.zone)}")
    if action.mark is not None:
        parts.append(f"exec({action_text(SetField(CT_MARK, action.mark))})")
    return f"ct({','.join(parts)})"


def action_text(action: Action) -> str:  # noqa: C901 - one case an action
    """Return one action as ovs-actions(7) spells it."""
    match action:
        case SetField(field, value) if field is VLAN_VID:
            return f"set_field:{value}->vlan_vid"  # a match reads it as part of vlan_tci, an action does not
        case SetField(field, value):
            return f"set_field:{value_text(field, value)}->{field.name}"
        case Load(dst, value):
            return f"load:{value:#x}->{_bits(dst)}"
        case Move(src, dst):
            return f"move:{_bits(src)}->{_bits(dst)}"
        case Output(ofport):
            return f"output:{ofport}"
        case OutputReg(src):
            return f"output:{_bits(src)}"
        case ToGroup(group_id):
            return f"group:{group_id}"
        case CopyToController(meter):
            return f"controller(meter_id={meter})"
        case Resubmit(table):
            return f"resubmit(,{table_name(table)})"
        case Ct():
            return _ct_text(action)
        case Conjunction(number, clause, clauses):
            return f"conjunction({number},{clause}/{clauses})"
        case _:
            return _PLAIN[type(action)]


def table_name(table: int) -> str:
    """Return a table's name, or its number when the pipeline does not know it."""
    known = TABLE_BY_ID.get(table)
    return str(table) if known is None else known.name


def actions_text(flow: Flow) -> str:
    """Return what a flow does: meter, actions, goto; ``drop`` when nothing."""
    parts = [] if flow.meter is None else [f"meter:{flow.meter}"]
    parts.extend(action_text(a) for a in flow.actions)
    if flow.goto is not None:
        parts.append(f"goto_table:{table_name(flow.goto)}")
    return ",".join(parts) or "drop"


def flow_text(flow: Flow) -> str:
    """Return a flow as one ``ovs-ofctl`` line with table names."""
    return (
        f"table={table_name(flow.table)},priority={flow.priority},{match_text(flow.match)} actions={actions_text(flow)}"
    )


def bucket_text(bucket: Bucket) -> str:
    """Return one bucket."""
    return "bucket=actions=" + ",".join(action_text(a) for a in bucket.actions)


def group_text(group: Group) -> str:
    """Return a group as one ``ovs-ofctl`` line."""
    return ",".join([f"group_id={group.id},type={group.kind}", *(bucket_text(b) for b in group.buckets)])


def meter_text(meter: Meter) -> str:
    """Return a meter as one ``ovs-ofctl`` line."""
    return f"meter={meter.id},pktps,burst,bands=type=drop,rate={meter.rate_pps},burst_size={meter.burst}"
