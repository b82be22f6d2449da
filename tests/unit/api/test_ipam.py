"""Is what was chosen about a subnet's addresses on the wire, and done; and is what is free shown truly?"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from controller.store import subnet_samples
from controller.store.database import Database
from tests.databases import a_database
from tests.unit.api.identities import As, a_token, an_app

HOUR = 3600


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Database]:
    database = a_database(tmp_path_factory.mktemp("ipam"), now=clock)
    yield database
    database.close()


@pytest.fixture(scope="module")
def ask(database: Database) -> SimpleNamespace:
    """Callers of one application: admin, the network's owner (blue), and another project (red)."""
    app = an_app(database)
    tokens = {"admin": ("ops", "admin"), "blue": ("blue", "member"), "red": ("red", "member")}
    days = timedelta(days=99)
    return SimpleNamespace(
        **{
            name: As(app, a_token(database, role, project_id=project, lifetime=days))
            for name, (project, role) in tokens.items()
        }
    )


def _made(caller: As, member: str, **values: Any) -> dict[str, Any]:
    body = {name.replace("__", ":"): value for name, value in values.items()}
    reply = caller("POST", f"/{member.replace('_', '-')}s", {member: body})
    assert reply.status_code == 201, reply.json
    return reply.json[member]  # type: ignore[index, no-any-return]


def _subnet(ask: SimpleNamespace, cidr: str = "10.0.0.0/28", **values: Any) -> dict[str, Any]:
    network = _made(ask.blue, "network", name="n")
    version = 6 if ":" in cidr else 4
    return _made(ask.blue, "subnet", network_id=network["id"], ip_version=version, cidr=cidr, **values)


def _port(caller: As, subnet: dict[str, Any], address: str | None = None, **values: Any) -> Any:
    fixed = {"subnet_id": subnet["id"]} | ({} if address is None else {"ip_address": address})
    return caller("POST", "/ports", {"port": {"network_id": subnet["network_id"], "fixed_ips": [fixed]} | values})


def _address(reply: Any) -> str:
    assert reply.status_code == 201, reply.json
    return str(reply.json["port"]["fixed_ips"][0]["ip_address"])


def _free(ask: SimpleNamespace, subnet: dict[str, Any], query: str = "") -> dict[str, Any]:
    reply = ask.blue("GET", f"/subnets/{subnet['id']}/free{query}")
    assert reply.status_code == 200, reply.json
    return reply.json["free"]  # type: ignore[no-any-return]


def test_a_subnet_says_how_its_addresses_are_chosen_and_can_be_changed(ask: SimpleNamespace) -> None:
    subnet = _subnet(ask)
    shown = {name: value for name, value in subnet.items() if name.startswith("ipam:")}
    assert shown == {
        "ipam:driver": "built-in",
        "ipam:strategy": "random",
        "ipam:quarantine": None,
        "ipam:exclusions": [],
    }
    wanted = {
        "ipam:strategy": "sequential",
        "ipam:quarantine": 60,
        "ipam:exclusions": [{"start": "10.0.0.2", "end": "10.0.0.4"}, {"octets": [6, 255]}],
    }
    path = f"/subnets/{subnet['id']}"
    changed = ask.blue("PUT", path, {"subnet": wanted})
    assert changed.status_code == 200, changed.json
    assert {name: ask.blue("GET", path).json["subnet"][name] for name in wanted} == wanted
    assert [_address(_port(ask.blue, subnet)) for _ in range(3)] == ["10.0.0.5", "10.0.0.7", "10.0.0.8"]
    assert ask.blue("PUT", path, {"subnet": {"ipam:exclusions": []}}).status_code == 200
    assert _address(_port(ask.blue, subnet)) == "10.0.0.2"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"ipam:strategy": "eui64"}, "needs an IPv6 /64"),
        ({"ipam:strategy": "first"}, "is not in"),
        ({"ipam:quarantine": -1}, "too small"),
        ({"ipam:exclusions": [{"start": "10.0.1.1", "end": "10.0.1.2"}]}, "is not within 10.0.0.0/28"),
        ({"ipam:exclusions": [{"start": "10.0.0.3", "end": "10.0.0.2"}]}, "is no range"),
        ({"ipam:exclusions": [{"octets": [256]}]}, "too large"),
        ({"ipam:exclusions": [{"octets": []}]}, "Invalid data format"),
    ],
)
def test_what_does_not_fit_a_subnet_is_refused_with_the_reason(
    ask: SimpleNamespace, values: dict[str, Any], told: str
) -> None:
    subnet = _subnet(ask)
    reply = ask.blue("PUT", f"/subnets/{subnet['id']}", {"subnet": values})
    assert (reply.status_code, told in reply.json["NeutronError"]["message"]) == (400, True), reply.json


def test_an_address_is_made_of_the_mac_where_the_strategy_says_so(ask: SimpleNamespace) -> None:
    """RFC 4291 appendix A; what is not to be had is drawn."""
    subnet = _subnet(ask, "2001:db8::/64", ipam__strategy="eui64")
    mac = {"mac_address": "fa:16:3e:46:0f:2e"}
    assert _address(_port(ask.blue, subnet, **mac)) == "2001:db8::f816:3eff:fe46:f2e"
    taken = _address(_port(ask.blue, subnet, "2001:db8::f816:3eff:fe46:f2f"))
    drawn = _address(_port(ask.blue, subnet, mac_address="fa:16:3e:46:0f:2f"))
    assert drawn not in {taken, "2001:db8::f816:3eff:fe46:f2e"}


def test_a_quarantined_address_goes_to_nobody_but_who_had_it_until_its_time_is_over(
    ask: SimpleNamespace, clock: Clock
) -> None:
    pools = [{"start": "10.0.0.5", "end": "10.0.0.6"}]
    subnet = _subnet(ask, ipam__quarantine=HOUR, allocation_pools=pools)
    first = _port(ask.blue, subnet, "10.0.0.5").json["port"]
    assert ask.blue("DELETE", f"/ports/{first['id']}").status_code == 204
    totals = {"total": 2, "free": 1, "used": 0, "quarantined": 1, "reserved": 0, "excluded": 0, "outside": 0}
    assert totals.items() <= _free(ask, subnet).items()
    assert _address(_port(ask.blue, subnet)) == "10.0.0.6"
    assert _port(ask.blue, subnet).status_code == 409
    refused = _port(ask.admin, subnet, "10.0.0.5", project_id="red")
    assert (refused.status_code, refused.json["NeutronError"]["type"]) == (409, "IpAddressHeld")
    again = _port(ask.blue, subnet, "10.0.0.5")
    assert _address(again) == "10.0.0.5"
    assert ask.blue("DELETE", f"/ports/{again.json['port']['id']}").status_code == 204
    clock.forward(HOUR - 1)
    assert _port(ask.blue, subnet).status_code == 409
    clock.forward(1)
    assert _free(ask, subnet)["ranges"] == [{"start": "10.0.0.5", "end": "10.0.0.5", "size": 1}]
    assert _address(_port(ask.admin, subnet, "10.0.0.5", project_id="red")) == "10.0.0.5"


def test_restore_gives_a_port_what_is_in_quarantine_and_nothing_else(ask: SimpleNamespace, clock: Clock) -> None:
    subnet = _subnet(ask, ipam__quarantine=HOUR)
    gone = _port(ask.blue, subnet, "10.0.0.9").json["port"]
    ask.blue("DELETE", f"/ports/{gone['id']}")
    port = _port(ask.blue, subnet, "10.0.0.3").json["port"]
    path, body = f"/subnets/{subnet['id']}/restore", {"ip_address": "10.0.0.9", "port_id": port["id"]}
    assert ask.red("PUT", path, body).status_code in (403, 404)
    assert ask.blue("PUT", path, body | {"ip_address": "10.0.0.8"}).status_code == 404
    reply = ask.blue("PUT", path, body)
    assert reply.status_code == 200, reply.json
    assert {one["ip_address"] for one in reply.json["restored"]["fixed_ips"]} == {"10.0.0.3", "10.0.0.9"}
    assert ask.blue("PUT", path, body).status_code == 404
    assert _free(ask, subnet)["quarantined"] == 0


def test_a_reserved_address_is_for_its_project_and_comes_back_when_the_port_goes(
    ask: SimpleNamespace, clock: Clock
) -> None:
    subnet = _subnet(ask, allocation_pools=[{"start": "10.0.0.4", "end": "10.0.0.5"}])
    end = (clock.now + timedelta(hours=2)).isoformat()
    values = {"name": "vip", "subnet_id": subnet["id"], "ip_address": "10.0.0.5", "expires_at": end}
    vip = _made(ask.blue, "ip_reservation", **values)
    assert (vip["port_id"], vip["network_id"]) == (None, subnet["network_id"])
    again = ask.blue("POST", "/ip-reservations", {"ip_reservation": values})
    assert (again.status_code, "is reserved already until" in again.json["NeutronError"]["message"]) == (409, True)
    assert ask.red("GET", f"/ip-reservations/{vip['id']}").status_code == 404
    assert _address(_port(ask.blue, subnet)) == "10.0.0.4"
    assert _port(ask.blue, subnet).status_code == 409
    assert _port(ask.admin, subnet, "10.0.0.5", project_id="red").json["NeutronError"]["type"] == "IpAddressHeld"
    port = _port(ask.blue, subnet, "10.0.0.5").json["port"]
    listed = ask.blue("GET", "/ip-reservations?name=vip").json["ip_reservations"]
    assert [one["port_id"] for one in listed] == [port["id"]]
    ask.blue("DELETE", f"/ports/{port['id']}")
    assert (_free(ask, subnet)["reserved"], _port(ask.blue, subnet).status_code) == (1, 409)
    clock.forward(2 * HOUR)
    assert _address(_port(ask.blue, subnet)) == "10.0.0.5"
    assert ask.blue("GET", f"/ip-reservations/{vip['id']}").status_code == 404


def test_a_reservation_without_an_address_gets_one_and_its_end_frees_it(ask: SimpleNamespace) -> None:
    subnet = _subnet(ask, ipam__strategy="sequential")
    one = _made(ask.blue, "ip_reservation", name="db", subnet_id=subnet["id"])
    assert one["ip_address"] == "10.0.0.2"
    assert _address(_port(ask.blue, subnet)) == "10.0.0.3"
    assert ask.blue("DELETE", f"/ip-reservations/{one['id']}").status_code == 204
    assert _address(_port(ask.blue, subnet)) == "10.0.0.2"
    slaac = _subnet(ask, "2001:db8::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    body = {"ip_reservation": {"subnet_id": slaac["id"]}}
    assert ask.blue("POST", "/ip-reservations", body).json["NeutronError"]["type"] == "ReservationNotPossible"


def test_pages_of_the_free_view_follow_each_other_and_a_slash_64_answers_at_once(ask: SimpleNamespace) -> None:
    subnet = _subnet(ask, "10.0.0.0/8", ipam__exclusions=[{"octets": [0, 255]}], enable_dhcp=False)
    page = _free(ask, subnet, "?limit=2")
    assert page["ranges"] == [
        {"start": "10.0.0.2", "end": "10.0.0.254", "size": 253},
        {"start": "10.0.1.1", "end": "10.0.1.254", "size": 254},
    ]
    assert page["next"] == "10.0.2.1"
    after = _free(ask, subnet, "?limit=1&start=10.0.2.1")
    assert after["ranges"] == [{"start": "10.0.2.1", "end": "10.0.2.254", "size": 254}]
    assert page["free"] == 65_536 * 254 - 1
    wide = _free(ask, _subnet(ask, "2001:db8::/64"))
    assert (wide["free"], len(wide["ranges"]), wide["next"]) == (2**64 - 1, 1, None)
    for wrong in ("?start=192.0.2.1", "?limit=0", "?x=1"):
        assert ask.blue("GET", f"/subnets/{subnet['id']}/free{wrong}").status_code == 400
    assert ask.red("GET", f"/subnets/{subnet['id']}/free").status_code == 404


def test_availability_counts_what_is_held_as_used_and_what_is_excluded_not_at_all(ask: SimpleNamespace) -> None:
    exclusions = [{"start": "10.0.0.2", "end": "10.0.0.5"}]
    subnet = _subnet(ask, ipam__quarantine=HOUR, ipam__exclusions=exclusions)
    gone = _port(ask.blue, subnet).json["port"]
    ask.blue("DELETE", f"/ports/{gone['id']}")
    _made(ask.blue, "ip_reservation", name="r", subnet_id=subnet["id"])
    _port(ask.blue, subnet)
    network = ask.admin("GET", f"/network-ip-availabilities/{subnet['network_id']}")
    found = network.json["network_ip_availability"]
    assert (found["used_ips"], found["total_ips"]) == (3, 13 - 4)
    assert found["total_ips"] - found["used_ips"] == _free(ask, subnet)["free"]


def test_a_forecast_says_how_fast_a_subnet_fills_and_what_that_stands_on(
    ask: SimpleNamespace, clock: Clock, database: Database
) -> None:
    subnet = _subnet(ask, "10.0.0.0/24")
    path = f"/subnets/{subnet['id']}/forecast"
    young = ask.blue("GET", path).json["forecast"]
    assert (young["days_left"], young["windows"][0]["rate_per_day"]) == (None, None)
    for _ in range(8):
        for _ in range(2):
            _port(ask.blue, subnet)
        with database.write() as tx:
            subnet_samples.add(tx, tx.timestamp, subnet_samples.changed(tx))
        clock.forward(24 * HOUR)
    for _ in range(4):
        _port(ask.blue, subnet)
    found = ask.blue("GET", path).json["forecast"]
    assert (found["taken"], found["free"], found["samples"]) == (20, 233, 8)
    rates = {one["days"]: one["rate_per_day"] for one in found["windows"]}
    assert rates == {1: 4.0, 7: round((20 - 4) / 7, 2), 30: 20 / 8}
    assert (found["days_left"], "last 1 days" in found["basis"]) == (round(233 / 4, 2), True)
    assert found["exhausted_at"].startswith("2027-01")
    assert ask.red("GET", path).status_code == 404


def test_octets_may_be_written_as_a_command_line_can(ask: SimpleNamespace) -> None:
    subnet = _subnet(ask, ipam__exclusions=[{"octets": "0 255 7"}])
    assert subnet["ipam:exclusions"] == [{"octets": [0, 7, 255]}]
