"""Which tables and columns does Weft watch, and of which types? As much of OVN's schemas as it needs.

Said here and not asked of the server: a connection that is only just made needs no second one first, and a server with
other types refuses the monitor instead of being misunderstood. From ovn-nb.ovsschema and ovn-sb.ovsschema.
"""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

_MAP = {"key": "string", "value": "string", "min": 0, "max": "unlimited"}
_STRINGS = {"key": "string", "min": 0, "max": "unlimited"}
_MAYBE_BOOL = {"key": "boolean", "min": 0, "max": 1}


def _references(table: str, kind: str, *, most: int | str = "unlimited") -> dict[str, Any]:
    return {"key": {"type": "uuid", "refTable": table, "refType": kind}, "min": 0, "max": most}


def _table(*, is_root: bool = True, **columns: Any) -> dict[str, Any]:
    return {"columns": {name: {"type": type_} for name, type_ in columns.items()}, "isRoot": is_root}


NORTHBOUND: Schema = {
    "name": "OVN_Northbound",
    "version": "7.0.0",
    "tables": {
        "NB_Global": _table(nb_cfg="integer", options=_MAP),
        "Logical_Switch": _table(
            name="string",
            ports=_references("Logical_Switch_Port", "strong"),
            other_config=_MAP,
            external_ids=_MAP,
        ),
        "Logical_Switch_Port": _table(
            is_root=False,
            name="string",
            type="string",
            options=_MAP,
            addresses=_STRINGS,
            port_security=_STRINGS,
            up=_MAYBE_BOOL,
            enabled=_MAYBE_BOOL,
            tag={"key": {"type": "integer", "minInteger": 1, "maxInteger": 4095}, "min": 0, "max": 1},
            dhcpv4_options=_references("DHCP_Options", "weak", most=1),
            dhcpv6_options=_references("DHCP_Options", "weak", most=1),
            external_ids=_MAP,
        ),
        "DHCP_Options": _table(cidr="string", options=_MAP, external_ids=_MAP),
        "Port_Group": _table(
            name="string",
            ports=_references("Logical_Switch_Port", "weak"),
            acls=_references("ACL", "strong"),
            external_ids=_MAP,
        ),
        "ACL": _table(
            is_root=False,
            direction="string",
            priority="integer",
            match="string",
            action="string",
            external_ids=_MAP,
        ),
        "Address_Set": _table(name="string", addresses=_STRINGS, external_ids=_MAP),
    },
}

SOUTHBOUND: Schema = {
    "name": "OVN_Southbound",
    "version": "20.27.0",
    "tables": {
        "Chassis": _table(
            name="string",
            hostname="string",
            encaps=_references("Encap", "strong"),
            external_ids=_MAP,
            other_config=_MAP,
        ),
        "Chassis_Private": _table(name="string", nb_cfg="integer"),
        "Encap": _table(type="string", ip="string"),
        "Port_Binding": _table(
            logical_port="string",
            options=_MAP,
            chassis=_references("Chassis", "weak", most=1),
            additional_chassis=_references("Chassis", "weak"),
            up=_MAYBE_BOOL,
        ),
        "SB_Global": _table(nb_cfg="integer"),
    },
}
