"""How are scopes, subnet pools, networks, subnets, reservations and addresses written into one file, and read from it?

CSV has one line for each scope, pool, network, subnet, reservation, and address of a port, the same columns for all,
and in the last what else there is to say, as JSON. In JSON each object is as the API shows it. A line that cannot be
read is named; whether the objects can be stored is the server's to say.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controller.cli.client import CommandFailed

TYPES = ("address_scope", "subnetpool", "network", "subnet", "ip_reservation", "port")
COLUMNS = (
    "type",
    "id",
    "name",
    "project_id",
    "network_id",
    "subnet_id",
    "cidr",
    "address",
    "mac_address",
    "device_owner",
    "state",
    "attributes",
)
_ALLOCATION, _RESERVATION = "allocation", "reservation"
_NAMES = {_RESERVATION: "ip_reservation", _ALLOCATION: "port"}
"""What a line of a CSV file calls otherwise than the API does."""
_SAME = ("id", "name", "project_id", "network_id", "mac_address", "device_owner")
"""Columns that are attributes of that name."""
_OWN = frozenset({*_SAME, "fixed_ips", "cidr", "prefixes", "status", "tenant_id", "subnet_id", "ip_address"})
_OF_PORTS = frozenset(
    {
        *_SAME,
        "fixed_ips",
        "status",
        "description",
        "device_id",
        "binding:host_id",
        "port_security_enabled",
        "dns_name",
        "tags",
    }
)
"""What of a port belongs to its addresses; its security groups and the like are no matter of addresses."""
_NEVER = frozenset({"created_at", "updated_at", "revision_number", "tenant_id", "subnets", "port_id"})

Objects = Mapping[str, Sequence[Mapping[str, Any]]]
"""By type."""


def write_json(objects: Objects) -> str:
    """Return the file's text."""
    content = {f"{kind}s": [_exported(kind, one) for one in objects[kind]] for kind in TYPES}
    return json.dumps({"weft_ipam": 1, **content}, indent=1, ensure_ascii=False) + "\n"


def write_csv(objects: Objects) -> str:
    """Return the file's text."""
    target = io.StringIO()
    lines = csv.DictWriter(target, COLUMNS, lineterminator="\n")
    lines.writeheader()
    for kind in TYPES:
        for one in objects[kind]:
            lines.writerows(_lines(kind, _exported(kind, one)))
    return target.getvalue()


def read(text: str) -> list[dict[str, Any]]:
    """Return what a file of either form has, for ``POST /v2.0/imports``.

    Raises:
        CommandFailed: with every line that cannot be read, and why.
    """
    return _read_json(text) if text.lstrip().startswith("{") else _read_csv(text)


def _exported(kind: str, one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name not in _NEVER and (kind != "port" or name in _OF_PORTS)}


def _lines(kind: str, one: Mapping[str, Any]) -> Iterable[dict[str, object]]:
    line = {name: one.get(name) or "" for name in _SAME}
    more = {name: value for name, value in one.items() if name not in _OWN}
    line |= {"state": one.get("status", ""), "attributes": json.dumps(more, ensure_ascii=False)}
    if kind == "ip_reservation":
        yield {**line, "type": _RESERVATION, "subnet_id": one["subnet_id"], "address": one["ip_address"]}
        return
    if kind != "port":
        cidr = " ".join(one["prefixes"]) if kind == "subnetpool" else one.get("cidr", "")
        yield {**line, "type": kind, "cidr": cidr}
        return
    line["type"] = _ALLOCATION
    for held in one["fixed_ips"]:
        yield {**line, "subnet_id": held["subnet_id"], "address": held["ip_address"]}
        line["attributes"] = ""  # said once a port
    if not one["fixed_ips"]:
        yield line


def _read_json(text: str) -> list[dict[str, Any]]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise CommandFailed(f"the file is no JSON: {error}") from error
    if content.get("weft_ipam") != 1:
        raise CommandFailed('the file has no "weft_ipam": 1; it must be one that `weft ipam export` could have written')
    known = {f"{kind}s": kind for kind in TYPES}
    unknown = sorted(set(content) - set(known) - {"weft_ipam"})
    problems = [f"{name}: there is no such list; there are {', '.join(known)}" for name in unknown]
    found: list[dict[str, Any]] = []
    for name, kind in known.items():
        for position, one in enumerate(content.get(name, ())):
            if isinstance(one, dict):
                found.append({"type": kind, "where": f"{name}[{position}]", "attributes": one})
            else:
                problems.append(f"{name}[{position}]: it is no object; write {{...}}")
    _refuse(problems)
    return found


def _read_csv(text: str) -> list[dict[str, Any]]:
    lines = csv.DictReader(io.StringIO(text))
    unknown = [name for name in lines.fieldnames or () if name not in COLUMNS]
    if unknown or "type" not in (lines.fieldnames or ()):
        raise CommandFailed(f"line 1: the columns must be some of {', '.join(COLUMNS)}, with type; not {unknown}")
    problems: list[str] = []
    found: list[dict[str, Any]] = []
    ports: dict[str, dict[str, Any]] = {}
    for line in lines:
        where = f"line {lines.line_num}"
        try:
            kind, attributes = _attributes(line)
        except ValueError as error:
            problems.append(f"{where}: {error}")
            continue
        if kind != _ALLOCATION:
            found.append({"type": _NAMES.get(kind, kind), "where": where, "attributes": attributes})
            continue
        held = [{name: line[column] for name, column in _FIXED_IP if line.get(column)}]
        known = ports.get(line.get("id") or "")
        if known is not None:  # one more address of the same port
            known["fixed_ips"] += [one for one in held if one]
            continue
        attributes["fixed_ips"] = [one for one in held if one]
        found.append({"type": "port", "where": where, "attributes": attributes})
        if line.get("id"):
            ports[line["id"]] = attributes
    _refuse(problems)
    return found


_FIXED_IP = (("subnet_id", "subnet_id"), ("ip_address", "address"))


def _attributes(line: Mapping[str | Any, Any]) -> tuple[str, dict[str, Any]]:
    """Return what one line says.

    Raises:
        ValueError: what cannot be read, and what to write.
    """
    if None in line:
        raise ValueError("it has more fields than the first line; put quotation marks around a field with a comma")
    kind = line["type"]
    if kind not in {*TYPES, *_NAMES} - {*_NAMES.values()}:
        raise ValueError(
            f"there is no type {kind!r}; write address_scope, subnetpool, network, subnet, {_RESERVATION} or "
            f"{_ALLOCATION}"
        )
    try:
        more = json.loads(line.get("attributes") or "{}")
    except ValueError as error:
        raise ValueError(f"attributes is no JSON ({error}); write {{}} or leave it empty") from error
    if not isinstance(more, dict):
        written = line["attributes"]
        raise ValueError(f"attributes is {written}; write a JSON object or leave it empty")  # noqa: TRY004 - of a text
    attributes = {**more, **{name: line[name] for name in _SAME if line.get(name)}}
    if kind == _RESERVATION:
        attributes |= {name: line[column] for name, column in _FIXED_IP if line.get(column)}
    cidr = line.get("cidr")
    if kind == "subnetpool":
        attributes["prefixes"] = str(cidr or "").split()
    elif cidr:
        attributes["cidr"] = cidr
        attributes.setdefault("ip_version", 6 if ":" in cidr else 4)
    return kind, attributes


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise CommandFailed(f"{len(problems)} line(s) cannot be read; nothing was stored:\n" + "\n".join(problems))
