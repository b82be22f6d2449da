"""How long does a container of 100 networks take, made and deleted, and does anything stay behind?

Each network has a subnet and two ports. The floor is the same in three bulk requests: networks, subnets, ports.
"""

import argparse
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import text

from benchmarks.cloud import Cloud, cloud
from benchmarks.report import Figure, at_most, median
from controller.store.database import Database

NETWORKS = 100
CREATE_S = 2.0
CIDR = "10.0.0.0/24"
_ON = {"network_id": "${net[index]}"}
TEMPLATE: dict[str, Any] = {
    "weft_template": 1,
    "resources": {
        "net": {"type": "network", "count": NETWORKS},
        "addresses": {"type": "subnet", "count": NETWORKS, "properties": {**_ON, "cidr": CIDR}},
        "a": {"type": "port", "count": NETWORKS, "properties": _ON},
        "b": {"type": "port", "count": NETWORKS, "properties": _ON},
    },
}
_GROWS = ("journal", "sqlite_sequence")
"""What is meant to grow."""


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Measure on a Weft without hosts."""
    with cloud(0) as bed:
        bed.api.post("/v2.0/container-flavors", {"container_flavor": {"name": "hundred", "template": TEMPLATE}})
        _delete(bed, _bulk(bed))  # a project's first port makes its default group
        before = _rows(bed)
        created: list[float] = []
        deleted: list[float] = []
        floors: list[float] = []
        for _ in range(args.repeat):
            began = time.monotonic()
            made = bed.api.create("container", flavor="hundred")
            created.append(time.monotonic() - began)
            began = time.monotonic()
            bed.api.delete(f"/v2.0/containers/{made['id']}")
            deleted.append(time.monotonic() - began)
            began = time.monotonic()
            ids = _bulk(bed)
            floors.append(time.monotonic() - began)
            _delete(bed, ids)
        left = sum(_rows(bed).values()) - sum(before.values())
    name = f"a container of {NETWORKS} networks, {NETWORKS} subnets, {2 * NETWORKS} ports"
    yield Figure(name=f"{name}: created", value=median(created), unit="s", floor=median(floors), goal=at_most(CREATE_S))
    yield Figure(name=f"{name}: deleted", value=median(deleted), unit="s")
    yield Figure(name="rows left behind", value=left, unit="rows", goal=at_most(0))


def _bulk(bed: Cloud) -> list[str]:
    """Make the same by requests of their own; return the networks' ids."""
    networks = bed.api.post("/v2.0/networks", {"networks": [{}] * NETWORKS})["networks"]
    ids = [str(one["id"]) for one in networks]
    subnets = [{"network_id": network_id, "ip_version": 4, "cidr": CIDR} for network_id in ids]
    bed.api.post("/v2.0/subnets", {"subnets": subnets})
    bed.api.post("/v2.0/ports", {"ports": [{"network_id": network_id} for network_id in ids * 2]})
    return ids


def _delete(bed: Cloud, ids: list[str]) -> None:
    for port in bed.api.list("ports"):
        bed.api.delete(f"/v2.0/ports/{port['id']}")
    for network_id in ids:
        bed.api.delete(f"/v2.0/networks/{network_id}")


def _rows(bed: Cloud) -> dict[str, int]:
    """Count the rows of every table."""
    database = Database(bed.weft.database)
    with database.read() as tx:
        names = tx.connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all()
        counted = {name: int(tx.connection.scalar(text(f'SELECT count(*) FROM "{name}"')) or 0) for name in names}  # noqa: S608
    database.close()
    return {name: count for name, count in counted.items() if name not in _GROWS}
