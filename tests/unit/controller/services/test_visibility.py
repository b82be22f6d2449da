"""Does what a project may see cost no look at what it may not?"""

from pathlib import Path

import pytest
from sqlalchemy.dialects import sqlite

from controller.services import address_groups, listing, networks, ports, rbac_policies, security_groups, subnets
from tests.databases import a_database
from tests.unit.controller.store.builders import a_member

RESOURCES = {
    "networks": networks.RESOURCE,
    "subnets": subnets.RESOURCE,
    "ports": ports.RESOURCE,
    "security groups": security_groups.RESOURCE,
    "address groups": address_groups.RESOURCE,
    "policies": rbac_policies.RESOURCE,
}


@pytest.mark.parametrize("name", RESOURCES)
def test_a_members_list_is_found_by_indexes(tmp_path: Path, name: str) -> None:
    statement = listing.visible(RESOURCES[name], a_member("blue"))
    asked = str(statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    database = a_database(tmp_path)
    with database.read() as tx:
        plan = [row[3] for row in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}")]
    database.close()
    assert plan
    assert [step for step in plan if step.startswith("SCAN")] == []
