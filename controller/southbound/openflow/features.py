"""What is a connected switch, and what can it do?"""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.southbound.openflow.messages import header
from controller.southbound.openflow.osken import ofproto_parser, protocol


def read(
    n_tables: int, description: Sequence[bytes], meters: Sequence[bytes], groups: Sequence[bytes]
) -> Mapping[str, object]:
    """Return the switch's own words and limits, ready for JSON.

    Args:
        n_tables: From its features reply.
        description: Its answer to OFPMP_DESC (OpenFlow 1.4 section 7.3.5.1); like the others, empty when it refused.
        meters: Its answer to OFPMP_METER_FEATURES (section 7.3.5.14).
        groups: Its answer to OFPMP_GROUP_FEATURES (section 7.3.5.11).
    """
    found: dict[str, object] = {"n_tables": n_tables, "max_meters": 0, "max_groups": 0}
    for body in _bodies(description):
        found["manufacturer"] = _text(body.mfr_desc)
        found["hardware"] = _text(body.hw_desc)
        found["software"] = _text(body.sw_desc)
        found["datapath_description"] = _text(body.dp_desc)
    for body in _bodies(meters):
        for part in body:
            found["max_meters"] = part.max_meter
    for body in _bodies(groups):
        found["max_groups"] = max(body.max_groups)
    return found


def _bodies(replies: Sequence[bytes]) -> list[Any]:
    parsed = (ofproto_parser.msg(protocol(), *header(reply), reply) for reply in replies)
    return [message.body for message in parsed if message is not None]


def _text(octets: bytes) -> str:
    """Return a NUL-padded string of a switch."""
    return octets.rstrip(b"\0").decode("utf-8", "replace")
