"""Does the NetBox driver do the right thing with each of NetBox's answers? The stub answers as NetBox 4.x documents."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.app import create_app
from api.auth import NoAuth
from controller.errors import ConfigurationError
from controller.ipam_drivers.netbox import PAGE, NetBox
from controller.ipam_drivers.registry import Services
from controller.ipam_drivers.sweeper import Sweeper
from ipam.addresses import Pool, parse_address, parse_cidr
from ipam.errors import AddressesExhausted, AddressTaken, ServiceUnavailable, SubnetRefused
from ipam.remote import SubnetFacts, Wanted
from tests.databases import a_database
from tests.fakes.netbox import TOKEN, NetBoxStub
from tests.unit.api.conftest import NoController


@pytest.fixture(scope="module")
def running() -> Iterator[NetBoxStub]:
    stub = NetBoxStub("10.1.0.0/24", "10.2.0.0/29", "10.3.0.0/20")
    yield stub
    stub.close()


@pytest.fixture
def stub(running: NetBoxStub) -> NetBoxStub:
    running.addresses.clear()
    running.ranges.clear()
    running.fault, running.delay_s, running.is_unique = None, 0.0, True
    return running


@pytest.fixture
def token(tmp_path: Path) -> str:
    (tmp_path / "token").write_text(TOKEN + "\n")
    return str(tmp_path / "token")


@pytest.fixture
def netbox(stub: NetBoxStub, token: str) -> NetBox:
    return NetBox({"url": stub.url + "/", "token_file": token, "timeout": "0.5"})


def subnet(cidr: str, first: str, last: str) -> SubnetFacts:
    pool = Pool(version=4, first=parse_address(first)[1], last=parse_address(last)[1])
    return SubnetFacts(subnet_id=cidr, cidr=parse_cidr(cidr), pools=(pool,))


WIDE = subnet("10.1.0.0/24", "10.1.0.1", "10.1.0.254")
SMALL = subnet("10.2.0.0/29", "10.2.0.1", "10.2.0.6")
HIGH = subnet("10.1.0.0/24", "10.1.0.200", "10.1.0.210")
FAR = subnet("10.3.0.0/20", "10.3.15.0", "10.3.15.9")


def any_of(*subnets: SubnetFacts, count: int = 1) -> list[Wanted]:
    return [Wanted(subnets=subnets)] * count


def test_a_reservation_is_seen_in_netbox_with_its_mark_and_then_with_its_port(stub: NetBoxStub, netbox: NetBox) -> None:
    held = netbox.reserve("mark-1", any_of(WIDE, count=3))
    assert [str(one) for one in held] == ["10.1.0.1", "10.1.0.2", "10.1.0.3"]
    assert sum(method == "POST" for method, _path in stub.seen) == 1
    one = stub.addresses[int(held[0].handle)]
    assert (one["status"]["value"], one["description"]) == ("reserved", "weft:mark-1")
    netbox.commit(held[:1], ["port-1"])
    assert (one["status"]["value"], one["description"]) == ("active", "weft:mark-1 port port-1")
    assert list(netbox.find("mark-1")) == [replace(one, subnet_id="") for one in held]


def test_pools_are_kept_where_netbox_would_choose_outside(stub: NetBoxStub, netbox: NetBox) -> None:
    assert [str(one) for one in netbox.reserve("m", any_of(HIGH, count=2))] == ["10.1.0.200", "10.1.0.201"]
    assert stub.held == ["10.1.0.200", "10.1.0.201"]
    with pytest.raises(SubnetRefused, match="create IP ranges there with the bounds of the pools"):
        netbox.reserve("m", any_of(FAR))
    stub.ranges[9] = ("10.3.15.0/20", "10.3.15.9/20")
    assert [str(one) for one in netbox.reserve("m", any_of(FAR))] == ["10.3.15.0"]


def test_a_full_prefix_passes_on_to_the_next_and_then_is_exhausted(stub: NetBoxStub, netbox: NetBox) -> None:
    given = netbox.reserve("m", any_of(SMALL, HIGH, count=8))
    assert sorted(one.subnet_id for one in given) == ["10.1.0.0/24"] * 8  # all of one subnet where one has room
    for one in given:
        stub.addresses.pop(int(one.handle))
    mixed = netbox.reserve("m", any_of(SMALL, HIGH, count=13))
    assert sum(one.subnet_id == "10.2.0.0/29" for one in mixed) == 6
    before = stub.held
    with pytest.raises(AddressesExhausted):
        netbox.reserve("m", any_of(SMALL, HIGH, count=5))
    assert stub.held == before


@pytest.mark.parametrize("is_unique", [True, False])
def test_a_named_address_is_had_once(stub: NetBoxStub, netbox: NetBox, is_unique: bool) -> None:
    stub.is_unique = is_unique
    wanted = [*any_of(WIDE), Wanted(subnets=(WIDE,), address=parse_address("10.1.0.77")[1])]
    assert [str(one) for one in netbox.reserve("m", wanted)] == ["10.1.0.1", "10.1.0.77"]
    with pytest.raises(AddressTaken, match=r"10\.1\.0\.77"):
        netbox.reserve("n", wanted)
    assert stub.held == ["10.1.0.1", "10.1.0.77"]


def test_what_others_keep_in_netbox_is_neither_given_nor_listed_nor_released(stub: NetBoxStub, netbox: NetBox) -> None:
    stub.add("10.1.0.1/24", description="the router")
    stub.add("10.1.0.2/24", description="Weft:of-somebody-else")
    held = netbox.reserve("m", any_of(WIDE))
    assert str(held[0]) == "10.1.0.3"
    assert [str(one) for one in netbox.find(None)] == ["10.1.0.3"]
    netbox.release([*held, *held])
    assert stub.held == ["10.1.0.1", "10.1.0.2"]


def test_every_page_of_a_list_is_read(stub: NetBoxStub, netbox: NetBox) -> None:
    for number in range(2 * PAGE + 1):
        stub.add(f"10.3.{number // 200}.{number % 200}/20", description=f"weft:{number}")
    assert len(netbox.find(None)) == 2 * PAGE + 1


def test_a_prefix_that_is_not_there_is_said_with_what_to_do(netbox: NetBox) -> None:
    netbox.check_subnet(WIDE)
    with pytest.raises(SubnetRefused, match=r"no prefix 10\.9\.0\.0/24 in the global table: create it there"):
        netbox.check_subnet(subnet("10.9.0.0/24", "10.9.0.1", "10.9.0.2"))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (500, "answered 500"),
        (503, "answered 503"),
        (403, "refuses what the token in token-file may do"),
        (302, "redirects; set the url"),
        (429, "refused GET prefixes/ with 429"),
    ],
)
def test_a_netbox_that_fails_is_unavailable(stub: NetBoxStub, netbox: NetBox, fault: int, said: str) -> None:
    stub.fault = fault
    with pytest.raises(ServiceUnavailable, match=said):
        netbox.check_subnet(WIDE)


def test_a_slow_or_absent_netbox_is_unavailable_in_time(stub: NetBoxStub, netbox: NetBox, token: str) -> None:
    stub.delay_s = 1.0
    with pytest.raises(ServiceUnavailable, match=r"did not answer within 0\.5 s"):
        netbox.reserve("m", any_of(WIDE))
    with pytest.raises(ServiceUnavailable, match="cannot be reached"):
        NetBox({"url": "http://127.0.0.1:1", "token_file": token}).check_subnet(WIDE)


def test_the_token_is_read_from_a_file_and_never_said(
    stub: NetBoxStub, netbox: NetBox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stub.fault = 500
    with pytest.raises(ServiceUnavailable) as said:
        netbox.check_subnet(WIDE)
    assert TOKEN not in caplog.text + str(said.value) + repr(netbox.settings)
    with pytest.raises(ConfigurationError) as refused:
        NetBox({"url": stub.url, "token": TOKEN})
    assert TOKEN not in str(refused.value)
    (tmp_path / "v2").write_text("nbt_abc.def")
    with pytest.raises(ServiceUnavailable):
        NetBox({"url": stub.url, "token_file": str(tmp_path / "v2")}).check_subnet(WIDE)
    assert stub.headers[-1] == "Bearer nbt_abc.def"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "netbox.example"}, "set url"),
        ({"url": "https://a:b@netbox.example"}, "must have no user"),
        ({"url": "https://netbox.example"}, "set token-file"),
        ({"url": "https://netbox.example", "token_file": "/nowhere"}, "cannot be read"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        NetBox(settings)


def test_a_port_is_refused_when_netbox_is_too_slow_and_what_it_did_later_is_taken_back(
    stub: NetBoxStub, netbox: NetBox, tmp_path: Path
) -> None:
    services = Services({"netbox": netbox}, default="netbox")
    database = a_database(tmp_path, services=services)
    client = create_app(database, auth=NoAuth(), control=NoController()).test_client()
    network = client.post("/v2.0/networks", json={"network": {}}).json["network"]["id"]
    subnet = {"network_id": network, "cidr": "10.1.0.0/24", "ip_version": 4}
    assert client.post("/v2.0/subnets", json={"subnet": subnet}).status_code == 201
    port = {"port": {"network_id": network}}
    for fault, said in ((500, "answered 500"), (None, "did not answer within 0.5 s")):
        stub.fault, stub.delay_s = fault, 0.0 if fault else 0.7
        refused = client.post("/v2.0/ports", json=port)
        assert refused.status_code == 503
        assert said in refused.text
    stub.fault, stub.delay_s = None, 0.0
    mark = "weft:00000000-0000-0000-0000-000000000000"
    stub.add("10.1.0.9/24", description=mark)  # what a request did that nobody waited for
    Sweeper(database, services).sweep("netbox")
    assert stub.held == []
    made = client.post("/v2.0/ports", json=port).json["port"]
    assert stub.held == [made["fixed_ips"][0]["ip_address"]]
    taken = {"port": {"network_id": network, "fixed_ips": [{"ip_address": "10.1.0.20"}]}}
    stub.add("10.1.0.20/24", description="a printer")
    refused = client.post("/v2.0/ports", json=taken)
    assert (refused.status_code, "10.1.0.20 already allocated" in refused.text) == (409, True)
    database.close()
