"""Which parts of os-ken does Weft use, and how are they set up inside another program?

The one module that imports os-ken, so that the choice of hub is made before and the untyped names enter in one place.
"""

import os
import struct
from typing import Any

os.environ["OSKEN_HUB_TYPE"] = "native"

from os_ken.base import app_manager
from os_ken.controller.controller import Datapath
from os_ken.controller.handler import DEAD_DISPATCHER, MAIN_DISPATCHER
from os_ken.controller.ofp_event import NAME as EVENT_BRICK
from os_ken.controller.ofp_event import ofp_msg_to_ev
from os_ken.controller.ofp_handler import OFPHandler
from os_ken.lib import type_desc
from os_ken.ofproto import ofproto_parser, ofproto_protocol, oxm_fields
from os_ken.ofproto import ofproto_v1_4 as ofp
from os_ken.ofproto import ofproto_v1_4_parser as parser
from os_ken.ofproto.ofproto_common import NX_EXPERIMENTER_ID

__all__ = [
    "DEAD_DISPATCHER",
    "MAIN_DISPATCHER",
    "NX_EXPERIMENTER_ID",
    "Datapath",
    "MeteredCopy",
    "ensure_handshake",
    "error_name",
    "ofp",
    "ofp_msg_to_ev",
    "ofproto_parser",
    "parser",
    "protocol",
]


class _Ericsson(oxm_fields.OpenFlowBasic):  # type: ignore[misc]
    """The class of the fields Ericsson defined, which Open vSwitch has and os-ken has not (ovs-fields(7), ERICOXM)."""

    _class = 0x1000


ofp.oxm_types += [
    _Ericsson("nd_reserved", 1, type_desc.Int4),
    _Ericsson("nd_options_type", 2, type_desc.Int1),
]
oxm_fields.generate(ofp.__name__)


class MeteredCopy(parser.NXActionController2):  # type: ignore[misc]
    """Nicira's controller action with a meter, which os-ken has not: the copy passes it, the packet does not.

    Open vSwitch's include/openflow/nicira-ext.h: nx_action_controller2 with the one property NXAC2PT_METER_ID, 32 bits.
    """

    _PROPERTY = struct.Struct("!6xHHI")
    _METER_ID = 5
    _SIZE = 8

    def __init__(self, meter_id: int) -> None:
        super().__init__()
        self.meter_id = meter_id

    @classmethod
    def parser(cls, buf: bytes) -> Any:
        """Read the action; with other properties it is as os-ken reads it."""
        if len(buf) == cls._PROPERTY.size:
            kind, size, meter_id = cls._PROPERTY.unpack(buf)
            if (kind, size) == (cls._METER_ID, cls._SIZE):
                return cls(meter_id)
        return parser.NXActionController2.parser(buf)

    def serialize_body(self) -> bytearray:
        """Write what follows the subtype."""
        return bytearray(self._PROPERTY.pack(self._METER_ID, self._SIZE, self.meter_id))


parser.NXAction.register(MeteredCopy)


class Handshake(OFPHandler):  # type: ignore[misc]
    """os-ken's negotiation (hello, features, port description), for OpenFlow 1.4 alone."""

    OFP_VERSIONS = (ofp.OFP_VERSION,)


def ensure_handshake() -> None:
    """Make os-ken's negotiation available to connections.

    Its handlers are called in the connections' own threads, so the application is registered and never started: it has
    no thread and nothing to stop. os-ken allows one application manager a process; a second service shares it.
    """
    if app_manager.lookup_service_brick(EVENT_BRICK) is None:
        app_manager.AppManager.get_instance().instantiate(Handshake)


def protocol() -> Any:
    """Return a stand-in for a datapath, enough for os-ken to build, serialise and parse messages of OpenFlow 1.4."""
    return ofproto_protocol.ProtocolDesc(ofp.OFP_VERSION)


def error_name(type_: int, code: int) -> str:
    """Return an OpenFlow error as the specification spells it (OpenFlow 1.4 section 7.5.4)."""
    return f"{ofp.ofp_error_type_to_str(type_)} {ofp.ofp_error_code_to_str(type_, code)}"
