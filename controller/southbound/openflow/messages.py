"""Which OpenFlow 1.4 messages does Weft send around its flows, groups and meters?

All of them are templates made of os-ken's messages; the transaction id (`xid`) and the length are always variables.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from struct import Struct
from typing import Any

from controller.southbound.openflow.actions import Shape, action_widths, actions_shape, osken_action
from controller.southbound.openflow.encode import FlowId
from controller.southbound.openflow.osken import NX_EXPERIMENTER_ID, ofp, parser, protocol
from controller.southbound.openflow.template import compile_template
from flows.cookie import MASK, OWNER_MARK
from flows.flow import Action

HEADER_SIZE: int = ofp.OFP_HEADER_SIZE
_XID = slice(4, 8)
"""Where the transaction id stands in a message (OpenFlow 1.4 section 7.1)."""
_MATCH_AT = 48
"""Octets of a flow modification in front of its match (OpenFlow 1.4 section 7.3.4.1)."""
_COOKIE_SIZE = 8
"""The cookie is the first thing behind the header, in a flow modification as in an entry of `encode`."""
_OWNER_COOKIE = OWNER_MARK << 56
_BUNDLE_FLAGS = ofp.OFPBF_ATOMIC | ofp.OFPBF_ORDERED
_METER_FLAGS = ofp.OFPMF_PKTPS | ofp.OFPMF_BURST
MAX_MESSAGE = 0xFFFF
"""Octets; the length field has 16 bits."""
_HEADER = Struct("!BBHI")
_MONITOR = 1
"""The one flow monitor of a connection; an id is the connection's own (OpenFlow 1.4 section 7.3.5.18.1)."""
_MONITOR_FLAGS = ofp.OFPFMF_ADD | ofp.OFPFMF_REMOVED | ofp.OFPFMF_MODIFY | ofp.OFPFMF_INSTRUCTIONS
_FORWARDED = 1 << ofp.OFPRFR_GROUP_MOD | 1 << ofp.OFPRFR_METER_MOD
_FORWARD_ROLES = (ofp.OFPACPT_REQUESTFORWARD_SLAVE, ofp.OFPACPT_REQUESTFORWARD_MASTER)
_CT_FLUSH_ZONE = 29
"""Subtype of Nicira's message NXT_CT_FLUSH_ZONE, which os-ken does not know (nicira-ext.h, struct nx_zone_id)."""
_ZONE_ID = Struct("!6xH")
_CT_FLUSH, _CT_ZONE = 32, 2
"""Subtype of NXT_CT_FLUSH, and the kind of its property that names the zone (nicira-ext.h, struct nx_ct_flush)."""
_CT_MATCH = Struct("!B7xHHH2x")
"""IP protocol, then the property: kind, length, zone."""
_PADDING = tuple(bytes(n) for n in range(8))

_FRAG_NX_MATCH = 3
"""OFPC_NX_FRAG_NX_MATCH: a fragment's place can be matched, and the ports of a first one are not hidden."""


class _Message:
    """A message whose header is written for each, whose front is a template, and whose rest is appended."""

    __slots__ = ("_front", "_kind")

    def __init__(
        self, build: Callable[[Any, Sequence[int]], Any], widths: Sequence[int], front: int | None = None
    ) -> None:
        """Take what makes the message of a datapath and its variables, their widths, and where the front ends."""
        datapath = protocol()
        self._kind: int = build(datapath, [0] * len(widths)).cls_msg_type

        def serialised(values: Sequence[int]) -> bytes:
            message = build(datapath, values)
            message.set_xid(0)
            message.serialize()
            return bytes(message.buf[HEADER_SIZE:front])

        self._front = compile_template(serialised, widths)

    def front(self, *values: int) -> bytes:
        """Return the octets between the header and the rest."""
        return self._front.pack(values)

    def whole(self, xid: int, body: bytes) -> bytes:
        """Return the message with a body made otherwise."""
        return _HEADER.pack(ofp.OFP_VERSION, self._kind, HEADER_SIZE + len(body), xid) + body

    def __call__(self, xid: int, *values: int, rest: bytes = b"") -> bytes:
        """Return the message."""
        return self.whole(xid, self._front.pack(values) + rest)


class Messages:
    """Every message a switch's worker sends, as a function of its transaction id and its variables."""

    def __init__(self) -> None:
        self._behind_cookie: dict[tuple[int, int], bytes] = {}
        """What stands between a flow's cookie and its match, by table and priority: few, and needed for every flow."""
        self._add_flow = _Message(_flow_mod(ofp.OFPFC_ADD), (64, 8, 16), _MATCH_AT)
        self._delete_flow = _Message(_flow_mod(ofp.OFPFC_DELETE_STRICT, MASK), (64, 8, 16), _MATCH_AT)
        self._sweep_flow = _Message(_flow_mod(ofp.OFPFC_DELETE_STRICT), (64, 8, 16), _MATCH_AT)
        self._group = _Message(
            lambda dp, v: parser.OFPGroupMod(dp, command=v[0], type_=v[1], group_id=v[2], buckets=[]), (16, 8, 32)
        )
        self._meter = _Message(
            lambda dp, v: parser.OFPMeterMod(dp, command=v[0], flags=_METER_FLAGS, meter_id=v[1], bands=[]), (16, 32)
        )
        self.barrier = _Message(lambda dp, _: parser.OFPBarrierRequest(dp), ())
        self._bundle = _Message(
            lambda dp, v: parser.OFPBundleCtrlMsg(dp, bundle_id=v[0], type_=v[1], flags=_BUNDLE_FLAGS, properties=[]),
            (32, 16),
        )
        self._bundled = _Message(
            lambda dp, v: parser.OFPBundleAddMsg(dp, v[0], _BUNDLE_FLAGS, parser.OFPBarrierRequest(dp), []),
            (32,),
            ofp.OFP_BUNDLE_ADD_MSG_SIZE - HEADER_SIZE,
        )
        self.echo_request = _Message(lambda dp, _: parser.OFPEchoRequest(dp), ())
        self.echo_reply = _Message(lambda dp, _: parser.OFPEchoReply(dp, data=b""), ())
        self.dump_flows = _Message(
            lambda dp, _: parser.OFPFlowStatsRequest(
                dp, 0, ofp.OFPTT_ALL, ofp.OFPP_ANY, ofp.OFPG_ANY, 0, 0, parser.OFPMatch()
            ),
            (),
        )
        self.dump_groups = _Message(lambda dp, _: parser.OFPGroupDescStatsRequest(dp, 0), ())
        self.dump_meters = _Message(lambda dp, _: parser.OFPMeterConfigStatsRequest(dp, 0, ofp.OFPM_ALL), ())
        self.see_fragments = _Message(
            lambda dp, _: parser.OFPSetConfig(dp, flags=_FRAG_NX_MATCH, miss_send_len=ofp.OFP_DEFAULT_MISS_SEND_LEN), ()
        )
        """Let flows match the ports of first fragments; has no answer (nicira-ext.h, OFPC_NX_FRAG_NX_MATCH)."""
        self.describe = _Message(lambda dp, _: parser.OFPDescStatsRequest(dp, 0), ())
        self.describe_ports = _Message(lambda dp, _: parser.OFPPortDescStatsRequest(dp, 0, ofp.OFPP_ANY), ())
        self.count_ports = _Message(lambda dp, _: parser.OFPPortStatsRequest(dp, 0, ofp.OFPP_ANY), ())
        self.meter_features = _Message(lambda dp, _: parser.OFPMeterFeaturesStatsRequest(dp, 0), ())
        self.group_features = _Message(lambda dp, _: parser.OFPGroupFeaturesStatsRequest(dp, 0), ())
        self.count_flows = _Message(lambda dp, _: parser.OFPTableStatsRequest(dp, 0), ())
        self.monitor_flows = _Message(
            lambda dp, _: parser.OFPFlowMonitorRequest(
                dp,
                0,
                _MONITOR,
                ofp.OFPP_ANY,
                ofp.OFPG_ANY,
                _MONITOR_FLAGS,
                ofp.OFPTT_ALL,
                ofp.OFPFMC_ADD,
                parser.OFPMatch(),
            ),
            (),
        )
        self.forward_requests = _Message(
            lambda dp, _: parser.OFPSetAsync(
                dp, [parser.OFPAsyncConfigPropReasons(type_=kind, length=8, mask=_FORWARDED) for kind in _FORWARD_ROLES]
            ),
            (),
        )
        self._raise_port = _Message(_raise_port, (32, 48))
        self._packet_out = _Message(_packet_out, (32,))
        self._packet_outs: dict[Shape, _Message] = {}
        """Packet-outs that do more than leave by one port, by what is constant in their actions."""
        self._flush_zone = _Message(_flush_zone, (16,))
        self._flush_protocol = _Message(_flush_protocol, (16, 8))

    def add_flow(self, xid: int, flow: FlowId, entry: bytes) -> bytes:
        """Add a flow or replace the one with the same id, keeping its counters (OpenFlow 1.4 section 6.4)."""
        table, priority, match = flow
        behind_cookie = self._behind_cookie.get((table, priority))
        if behind_cookie is None:
            behind_cookie = self._add_flow.front(0, table, priority)[_COOKIE_SIZE:]
            self._behind_cookie[table, priority] = behind_cookie
        cookie, instructions = entry[:_COOKIE_SIZE], entry[_COOKIE_SIZE:]
        padded = match + _PADDING[-len(match) % 8]
        return self._add_flow.whole(xid, b"".join((cookie, behind_cookie, padded, instructions)))

    def delete_flow(self, xid: int, flow: FlowId) -> bytes:
        """Delete one flow, and only if its cookie says that it is ours."""
        table, priority, match = flow
        return self._delete_flow(xid, _OWNER_COOKIE, table, priority, rest=match + _PADDING[-len(match) % 8])

    def sweep_flow(self, xid: int, flow: FlowId) -> bytes:
        """Delete one flow, whoever made it."""
        table, priority, match = flow
        return self._sweep_flow(xid, 0, table, priority, rest=match + _PADDING[-len(match) % 8])

    def add_group(self, xid: int, group_id: int, body: bytes) -> bytes:
        """Add a group; `body` is its type and its buckets, from `Encoder.group`."""
        return self._group(xid, ofp.OFPGC_ADD, body[0], group_id, rest=body[1:])

    def modify_group(self, xid: int, group_id: int, body: bytes) -> bytes:
        """Replace a group's type and buckets; the flows that use it stay."""
        return self._group(xid, ofp.OFPGC_MODIFY, body[0], group_id, rest=body[1:])

    def delete_group(self, xid: int, group_id: int) -> bytes:
        """Delete a group, and with it every flow that uses it (OpenFlow 1.4 section 6.5)."""
        return self._group(xid, ofp.OFPGC_DELETE, ofp.OFPGT_ALL, group_id)

    def add_meter(self, xid: int, meter_id: int, band: bytes) -> bytes:
        """Add a meter."""
        return self._meter(xid, ofp.OFPMC_ADD, meter_id, rest=band)

    def modify_meter(self, xid: int, meter_id: int, band: bytes) -> bytes:
        """Replace a meter's band; the flows that use it stay."""
        return self._meter(xid, ofp.OFPMC_MODIFY, meter_id, rest=band)

    def delete_meter(self, xid: int, meter_id: int) -> bytes:
        """Delete a meter, and with it every flow that uses it (OpenFlow 1.4 section 6.5)."""
        return self._meter(xid, ofp.OFPMC_DELETE, meter_id)

    def flush_zone(self, xid: int, zone: int) -> bytes:
        """Forget all connections of a conntrack zone; cannot be bundled (nicira-ext.h, NXT_CT_FLUSH_ZONE)."""
        return self._flush_zone(xid, zone)

    def flush_protocol(self, xid: int, zone: int, protocol: int) -> bytes:
        """Forget a zone's connections of one IP protocol; cannot be bundled (nicira-ext.h, NXT_CT_FLUSH, OVS 3.1)."""
        return self._flush_protocol(xid, zone, protocol)

    def open_bundle(self, xid: int, bundle: int) -> bytes:
        """Open an atomic, ordered bundle (OpenFlow 1.4 section 6.8)."""
        return self._bundle(xid, bundle, ofp.OFPBCT_OPEN_REQUEST)

    def commit_bundle(self, xid: int, bundle: int) -> bytes:
        """Commit a bundle: all that it holds takes effect at once, or nothing."""
        return self._bundle(xid, bundle, ofp.OFPBCT_COMMIT_REQUEST)

    def bundled(self, bundle: int, messages: Iterable[bytes]) -> Iterator[bytes]:
        """Yield messages put into a bundle, each under its own transaction id (OpenFlow 1.4 section 7.3.9.6)."""
        front = self._bundled.front(bundle)
        for message in messages:
            yield self._bundled.whole(int.from_bytes(message[_XID], "big"), front + message)

    def raise_port(self, ofport: int, mac: str) -> bytes:
        """Set a port's device up; an error bears the transaction id 0 (OpenFlow 1.4 section 7.3.4.3).

        Args:
            ofport: Number of the port.
            mac: Address of the device, by which the switch makes sure that the port is the one that is meant.
        """
        return self._raise_port(0, ofport, int(mac.replace(":", ""), 16))

    def packet_out(self, ofport: int, frame: bytes) -> bytes:
        """Send a frame out of a port; an error bears the transaction id 0, which nobody waits for."""
        return self._packet_out(0, ofport, rest=frame)

    def packet_out_by(self, actions: tuple[Action, ...], frame: bytes) -> bytes:
        """Do something with a frame of the controller's own; its transaction id is 0 as well.

        Raises:
            EncodeError: OpenFlow has no such action, or a value does not fit.
        """
        shape, values = actions_shape(actions)
        message = self._packet_outs.get(tuple(shape))
        if message is None:
            widths = [width for action in actions for width in action_widths(action)]
            message = self._packet_outs[tuple(shape)] = _Message(_packet_out_by(actions), widths)
        return message(0, *values, rest=frame)


def _raise_port(datapath: Any, values: Sequence[int]) -> Any:
    mac = values[1].to_bytes(6, "big").hex(":")
    return parser.OFPPortMod(datapath, values[0], mac, 0, ofp.OFPPC_PORT_DOWN, [])


def _flow_mod(command: int, cookie_mask: int = 0) -> Callable[[Any, Sequence[int]], Any]:
    def build(datapath: Any, values: Sequence[int]) -> Any:
        return parser.OFPFlowMod(
            datapath,
            cookie=values[0],
            cookie_mask=cookie_mask,
            table_id=values[1],
            command=command,
            priority=values[2],
            buffer_id=ofp.OFP_NO_BUFFER,
            out_port=ofp.OFPP_ANY,
            out_group=ofp.OFPG_ANY,
            match=parser.OFPMatch(),
            instructions=[],
        )

    return build


def _packet_out(datapath: Any, values: Sequence[int]) -> Any:
    return parser.OFPPacketOut(
        datapath,
        buffer_id=ofp.OFP_NO_BUFFER,
        in_port=ofp.OFPP_CONTROLLER,
        actions=[parser.OFPActionOutput(values[0], 0)],
        data=b"",
    )


def _packet_out_by(actions: tuple[Action, ...]) -> Callable[[Any, Sequence[int]], Any]:
    def build(datapath: Any, values: Sequence[int]) -> Any:
        left = iter(values)
        return parser.OFPPacketOut(
            datapath,
            buffer_id=ofp.OFP_NO_BUFFER,
            in_port=ofp.OFPP_CONTROLLER,
            actions=[osken_action(action, left) for action in actions],
            data=b"",
        )

    return build


def _flush_zone(datapath: Any, values: Sequence[int]) -> Any:
    return parser.OFPExperimenter(
        datapath, experimenter=NX_EXPERIMENTER_ID, exp_type=_CT_FLUSH_ZONE, data=_ZONE_ID.pack(values[0])
    )


def _flush_protocol(datapath: Any, values: Sequence[int]) -> Any:
    zone, protocol = values
    return parser.OFPExperimenter(
        datapath, experimenter=NX_EXPERIMENTER_ID, exp_type=_CT_FLUSH, data=_CT_MATCH.pack(protocol, _CT_ZONE, 8, zone)
    )


def header(message: bytes) -> tuple[int, int, int, int]:
    """Return version, type, length and transaction id of a message."""
    version, kind, length, xid = _HEADER.unpack_from(message)
    return version, kind, length, xid
