"""Can a person read what is printed, also where a field holds many objects?"""

import pytest

from controller.cli.output import print_fields
from controller.cli.plan import lines

WEB, APP, DB = ({"path": path, "type": "port"} for path in ("web", "app", "db"))


def test_several_objects_in_a_field_have_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields([("name", "shop"), ("members", [WEB, APP]), ("changes", [DB]), ("tags", ["a", "b"]), ("empty", [])])
    assert capsys.readouterr().out.splitlines() == [
        "name     shop",
        "members  path=web, type=port",
        "         path=app, type=port",
        "changes  path=db, type=port",
        "tags     a, b",
        "empty    -",
    ]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ([WEB, APP], [APP, DB], ["    vnics:", "        - path=web, type=port", "        + path=db, type=port"]),
        ([WEB], [DB], ["    vnics: path=web, type=port -> path=db, type=port"]),
        ([WEB, APP], [APP, WEB], ["    vnics: in another order"]),
        ([], [WEB, APP], ["    vnics:", "        + path=web, type=port", "        + path=app, type=port"]),
    ],
)
def test_a_plan_names_the_objects_that_come_and_go_not_those_that_stay(
    before: list[object], after: list[object], told: list[str]
) -> None:
    none = {"added": 0, "modified": 0, "deleted": 0}
    affected = {"change": "changed", "type": "host", "id": "1", "attributes": {"vnics": [before, after]}}
    plan = {"affected": [affected], "ports": 0, "hosts_unknown": "", "flows": none, "hosts": [], "plugins": []}
    assert lines({**plan, "connectivity": {"unknown": "not asked"}})[2:-3] == told
