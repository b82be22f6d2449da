"""Does a subnet whose addresses a service outside gives out work, whatever the service and the process do?

Through the API, with the real database; the service is ``tests.fakes.addresses``.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from api.app import create_app
from api.auth import NoAuth
from controller.errors import TransactionConflict
from controller.ipam_drivers import hand, stand_ins
from controller.ipam_drivers.registry import MOST_ASKING, Services
from controller.ipam_drivers.sweeper import Sweeper
from controller.services import ports
from controller.services.sentinels import AUTO
from controller.store.database import Database
from controller.store.ipam_driver_schema import IPAM_ASKS, REMOTE_ADDRESSES
from controller.store.transaction import Transaction
from ipam.errors import ServiceUnavailable
from ipam.remote import Held
from tests.databases import a_database
from tests.fakes.addresses import Ledger
from tests.unit.api.conftest import NoController
from tests.unit.controller.store.builders import ADMIN


class World:
    """A Weft with one service, and what is on both sides."""

    def __init__(self, directory: Path) -> None:
        self.ledger = Ledger({})
        self.services = Services({"ledger": self.ledger}, {"ruin": "it would not load"})
        self.database = a_database(directory, rng=random.Random(7), services=self.services)
        app = create_app(self.database, auth=NoAuth(), control=NoController())
        self.client: FlaskClient = app.test_client()
        self.network = self.post("networks", "network", {})["id"]

    def ask(self, method: str, path: str, body: object = None, *, status: int) -> Any:
        reply = self.client.open(f"/v2.0/{path}", method=method, json=body)
        assert reply.status_code == status, reply.text
        return reply.json

    def post(self, collection: str, member: str, body: object) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("POST", collection, {member: body}, status=201)[member]
        return found

    def subnet(self, cidr: str = "10.1.0.0/24", driver: str = "ledger", **more: object) -> dict[str, Any]:
        version = 6 if ":" in cidr else 4
        body = {"network_id": self.network, "cidr": cidr, "ip_version": version, "ipam:driver": driver, **more}
        return self.post("subnets", "subnet", body)

    def port(self, **more: object) -> dict[str, Any]:
        return self.post("ports", "port", {"network_id": self.network, **more})

    def refused(self, status: int, **more: object) -> str:
        reply = self.ask("POST", "ports", {"port": {"network_id": self.network, **more}}, status=status)
        return str(reply["NeutronError"]["message"])

    def sweep(self, *, patience_s: int = 120) -> None:
        """Sweep as a process does that has run for a while."""
        sweeper = Sweeper(self.database, self.services, patience_s=patience_s)
        sweeper._swept.add("ledger")
        sweeper.sweep("ledger")

    @property
    def unsettled(self) -> tuple[int, int]:
        """Asks, and addresses of the service, that the database knows."""
        with self.database.read() as tx:
            count = [
                tx.connection.scalar(select(func.count()).select_from(one)) for one in (IPAM_ASKS, REMOTE_ADDRESSES)
            ]
        return count[0] or 0, count[1] or 0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.database.close()


NAMED = [{"ip_address": "10.1.0.6"}]
"""The last address of 10.1.0.0/29."""


def held(port: dict[str, Any]) -> list[str]:
    return [one["ip_address"] for one in port["fixed_ips"]]


def test_ports_have_what_the_service_gave_and_it_hears_whose_they_are_and_when_they_go(world: World) -> None:
    assert world.subnet()["ipam:driver"] == "ledger"
    one = world.port()
    named = world.port(fixed_ips=[{"ip_address": "10.1.0.77"}])
    two, three = world.ask("POST", "ports", {"ports": [{"network_id": world.network}] * 2}, status=201)["ports"]

    assert [held(port) for port in (one, named, two, three)] == [
        ["10.1.0.2"],
        ["10.1.0.77"],
        ["10.1.0.3"],
        ["10.1.0.4"],
    ]
    assert world.ledger.addresses == ["10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.77"]
    assert world.ledger.asked == 3  # a bulk request is one question
    assert world.unsettled == (0, 4)

    world.sweep()
    assert sorted(world.ledger.owners.values()) == sorted(port["id"] for port in (one, named, two, three))

    changed = world.ask("PUT", f"ports/{one['id']}", {"port": {"fixed_ips": [{"ip_address": "10.1.0.9"}]}}, status=200)
    assert held(changed["port"]) == ["10.1.0.9"]
    world.ask("DELETE", f"ports/{two['id']}", status=204)
    world.sweep()
    assert world.ledger.addresses == ["10.1.0.4", "10.1.0.77", "10.1.0.9"]


def test_a_failed_request_leaves_nothing_at_the_service(world: World) -> None:
    world.subnet()
    mac = {"mac_address": "02:00:00:00:00:01"}
    world.port(**mac)
    assert "10.1.0.2 already allocated" in world.refused(409, fixed_ips=[{"ip_address": "10.1.0.2"}])
    assert world.ledger.asked == 1  # Weft knew that itself
    full = world.subnet("10.9.0.0/31", driver="built-in", enable_dhcp=False)["id"]
    own = {"network_id": world.network, "fixed_ips": [{"subnet_id": full}]}
    world.ask("POST", "ports", {"ports": [{"network_id": world.network}, *[own] * 3]}, status=409)
    assert world.ledger.asked == 2
    assert world.ledger.addresses == ["10.1.0.2"]
    world.ask("PUT", "ports/" + world.port()["id"], {"port": {"fixed_ips": [{}] * 2}}, status=400)
    assert world.ledger.addresses == ["10.1.0.2", "10.1.0.3"]
    assert world.unsettled == (0, 2)


def test_addresses_that_hosts_make_themselves_are_reserved_too(world: World) -> None:
    port = world.port(mac_address="02:00:00:00:00:01")
    slaac = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    world.subnet("2001:db8::/64", **slaac)
    later = world.port()
    shown = world.ask("GET", f"ports/{port['id']}", status=200)["port"]
    assert held(shown) == ["2001:db8::ff:fe00:1"]
    assert world.ledger.addresses == sorted(held(shown) + held(later))


def test_a_full_subnet_of_one_driver_passes_on_to_the_next(world: World) -> None:
    world.subnet("10.1.0.0/30")
    world.subnet("10.2.0.0/30", driver="built-in")
    world.subnet("10.3.0.0/30")
    given = [held(world.port())[0] for _ in range(3)]
    assert given == ["10.1.0.2", "10.2.0.2", "10.3.0.2"]
    assert "No more IP addresses" in world.refused(409)
    assert world.unsettled == (0, 2)


def test_subnet_and_network_deletion_give_everything_back(world: World) -> None:
    subnet = world.subnet()
    port = world.port(device_owner="network:dhcp")
    world.ask("DELETE", f"networks/{world.network}", status=204)
    assert world.ledger.addresses == held(port)  # until it is told
    world.sweep()
    assert world.ledger.addresses == []
    assert world.unsettled == (0, 0)
    world.ask("GET", f"subnets/{subnet['id']}", status=404)


def test_a_service_that_is_away_is_said_and_hears_of_releases_when_it_is_back(world: World) -> None:
    world.subnet()
    port = world.port()
    world.ledger.is_away = True
    message = world.refused(503)
    assert "'ledger'" in message
    assert "nobody answers at ledger.example" in message
    assert "Try again later" in message
    world.ask("DELETE", f"ports/{port['id']}", status=204)
    with pytest.raises(ServiceUnavailable):
        world.sweep()
    world.ledger.is_away = False
    time.sleep(1.1)  # what was put off is not asked at once again
    world.sweep()
    assert world.ledger.addresses == []
    assert world.unsettled[1] == 0


def test_an_address_that_is_still_owed_can_be_asked_for_by_name(world: World) -> None:
    world.subnet()
    port = world.port()
    world.ask("DELETE", f"ports/{port['id']}", status=204)
    again = world.port(fixed_ips=[{"ip_address": held(port)[0]}])
    world.sweep()
    assert world.ledger.addresses == held(again)


@pytest.mark.parametrize("moment", ["after reserve", "before commit"])
def test_what_a_killed_process_had_reserved_is_swept(
    world: World, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child is the process that dies; what it reserved is told to the parent's service through a pipe."""
    world.subnet()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:

        def die() -> None:
            (only,) = world.ledger.held.values()
            os.write(writing, f"{only.subnet_id} {only.address} {only.mark}".encode())
            if moment == "after reserve":
                os._exit(9)

        world.ledger.on_reserve = die
        monkeypatch.setattr(hand.Hand, "settle", lambda _hand, _tx: os._exit(9))
        world.database._engine.dispose(close=False)  # connections are the parent's
        world.port()
        os._exit(0)
    os.close(writing)
    _pid, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9
    subnet_id, address, mark = os.read(reading, 1000).decode().split()
    os.close(reading)
    world.ledger.held["1"] = Held(subnet_id=subnet_id, version=4, address=int(address), handle="1", mark=mark)

    assert world.unsettled == (1, 0)
    world.sweep()
    assert world.ledger.addresses == ["10.1.0.2"]  # it may be used yet
    time.sleep(1.1)
    world.sweep(patience_s=0)
    assert world.ledger.addresses == []
    assert world.unsettled == (0, 0)
    assert held(world.port()) == ["10.1.0.2"]


def test_a_reservation_that_was_swept_meanwhile_is_made_again(world: World) -> None:
    world.subnet()

    def slow() -> None:
        world.ledger.on_reserve = lambda: None
        time.sleep(1.1)
        world.sweep(patience_s=0)

    world.ledger.on_reserve = slow
    assert held(world.port()) == ["10.1.0.2"]
    assert world.ledger.asked == 2
    assert world.ledger.addresses == ["10.1.0.2"]
    assert world.unsettled == (0, 1)


def test_a_plan_asks_the_service_for_no_address(world: World) -> None:
    body = {"network_id": world.network, "cidr": "10.1.0.0/24", "ip_version": 4, "ipam:driver": "ledger"}
    planned = world.ask("POST", "subnets?plan=true", {"subnet": body}, status=200)["plan"]
    assert planned["answer"]["subnet"]["ipam:driver"] == "ledger"
    assert ("subnet", "created") in {(one["type"], one["change"]) for one in planned["affected"]}
    world.ledger.refuses = "it has no such prefix"
    refused = world.ask("POST", "subnets?plan=true", {"subnet": body}, status=409)["NeutronError"]
    assert refused["type"] == "SubnetRefusedByDriver"
    world.ledger.refuses = None
    assert world.ask("GET", "subnets", status=200)["subnets"] == []
    world.subnet()
    planned = world.ask("POST", "ports?plan=true", {"port": {"network_id": world.network}}, status=200)["plan"]
    assert held(planned["answer"]["port"]) == [None]
    (assigned,) = planned["answer"]["port"]["dns_assignment"]
    assert (assigned["ip_address"], assigned["hostname"], assigned["fqdn"]) == (None, None, None)
    (created,) = [one for one in planned["affected"] if one["type"] == "port"]
    assert held({"fixed_ips": created["attributes"]["fixed_ips"][1]}) == [None]
    told = "IPAM driver 'ledger' is asked only when this is done, and may refuse"
    assert planned["addresses_unknown"] == f"{told}; it chooses 1 address, which is null here"
    named = {"network_id": world.network, "fixed_ips": [{"ip_address": "10.1.0.9"}]}
    planned = world.ask("POST", "ports?plan=true", {"port": named}, status=200)["plan"]
    assert (held(planned["answer"]["port"]), planned["addresses_unknown"]) == (["10.1.0.9"], told)
    assert (world.ledger.asked, world.ledger.addresses, world.unsettled) == (0, [], (0, 0))
    here = world.subnet("10.2.0.0/24", driver="built-in")
    chosen = {"network_id": world.network, "fixed_ips": [{"subnet_id": here["id"]}]}
    planned = world.ask("POST", "ports?plan=true", {"port": chosen}, status=200)["plan"]
    assert held(planned["answer"]["port"])[0].startswith("10.2.0.")
    assert planned["addresses_unknown"] is None
    given = world.port()
    planned = world.ask("DELETE", f"ports/{given['id']}?plan=true", status=200)["plan"]
    assert planned["affected"][0]["change"] == "deleted"
    assert (world.ledger.asked, world.ledger.addresses) == (1, held(given))


def test_a_plan_of_many_ports_knows_what_is_taken_and_when_a_subnet_would_be_full(world: World) -> None:
    """What stands for addresses is free, and of one plan no two are the same; what it cannot have is refused."""
    world.subnet("10.1.0.0/29")
    there = [held(world.port())[0] for _ in range(2)]
    wanted = {"ports": [{"network_id": world.network}] * 2 + [{"network_id": world.network, "fixed_ips": NAMED}]}
    planned = world.ask("POST", "ports?plan=true", wanted, status=200)["plan"]
    assert [held(port) for port in planned["answer"]["ports"]] == [[None], [None], ["10.1.0.6"]]
    assert "it chooses 2 addresses, which are null here" in planned["addresses_unknown"]
    assert world.ledger.addresses == sorted(there)
    full = {"ports": [{"network_id": world.network}] * 4}
    refused = world.ask("POST", "ports?plan=true", full, status=409)["NeutronError"]
    assert refused == world.ask("POST", "ports", full, status=409)["NeutronError"]
    assert world.ledger.addresses == sorted(there)


def test_a_plan_in_a_subnet_whose_end_is_full_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.subnet("10.1.0.0/29")
    world.port(fixed_ips=NAMED)
    monkeypatch.setattr(stand_ins, "LOOKED_AT_ONCE", 1)
    monkeypatch.setattr(stand_ins, "MOST_LOOKED_AT", 1)
    refused = world.ask("POST", "ports?plan=true", {"port": {"network_id": world.network}}, status=409)["NeutronError"]
    assert refused["type"] == "NotPlannable"
    assert "IPAM driver 'ledger'" in refused["message"]
    world.services.loaded.pop("ledger")
    away = world.ask("POST", "ports?plan=true", {"port": {"network_id": world.network}}, status=503)["NeutronError"]
    assert "it is not enabled" in away["message"]


def test_a_roll_gets_addresses_of_the_service_which_its_plan_does_not_know(world: World) -> None:
    template = """
weft_template: 1
parameters: {guests: {type: integer, default: 1}}
resources:
  red: {type: network}
  here: {type: subnet, properties: {network_id: "${red}", cidr: 10.1.0.0/24, "ipam:driver": ledger}}
  guest: {type: port, count: GUESTS, properties: {network_id: "${red}"}}
outputs: {first: {value: "${guest[0].fixed_ips[0].ip_address}"}}
"""
    flavors = [
        world.post("container-flavors", "container_flavor", {"name": "f", "template_yaml": text})["id"]
        for text in (template.replace("GUESTS", "1"), template.replace("GUESTS", "2"))
    ]
    made = [world.post("containers", "container", {"flavor_id": flavors[0], "name": name}) for name in "ab"]
    assert len(made) == len(world.ledger.held) == 2
    asked = world.ledger.asked
    planned = world.ask("PUT", f"container-flavors/{flavors[1]}/roll?plan=true", status=200)["plan"]
    created = [one["attributes"] for one in planned["affected"] if one["change"] == "created"]
    assert [held({"fixed_ips": one["fixed_ips"][1]}) for one in created] == [[None], [None]]
    assert (world.ledger.asked, len(world.ledger.held)) == (asked, 2)
    new = {"flavor_id": flavors[1], "name": "c"}
    planned = world.ask("POST", "containers?plan=true", {"container": new}, status=200)["plan"]
    assert planned["answer"]["container"]["outputs"] == {"first": None}
    roll = world.ask("PUT", f"container-flavors/{flavors[1]}/roll", status=200)["roll"]
    assert (len(roll["rolled"]), roll["failed"]) == (2, None)
    assert len(world.ledger.held) == 4


def test_what_nobody_knows_of_is_found_by_the_census(world: World) -> None:
    world.subnet()
    port = world.port()
    world.ledger.held["77"] = Held(subnet_id="", version=4, address=1, handle="77", mark="long-ago")
    world.sweep()
    assert world.ledger.addresses == held(port)


def test_a_slow_service_delays_only_its_own_subnets(world: World) -> None:
    """The database is not locked for writing while a service is asked, and it cannot take every thread."""
    world.subnet()
    go, begun = threading.Event(), threading.Semaphore(0)

    def wait() -> None:
        begun.release()
        go.wait(20)

    world.ledger.on_reserve = wait
    asking = [threading.Thread(target=world.port) for _ in range(MOST_ASKING)]
    for thread in asking:
        thread.start()
    for _ in asking:
        begun.acquire(timeout=20)
    try:
        other = world.post("networks", "network", {})["id"]
        world.post("subnets", "subnet", {"network_id": other, "cidr": "10.9.0.0/24", "ip_version": 4})
        started = time.monotonic()
        world.post("ports", "port", {"network_id": other})
        assert time.monotonic() - started < 2
        assert f"{MOST_ASKING} requests wait for it already" in world.refused(503)
    finally:
        go.set()
        for thread in asking:
            thread.join()
    assert len(set(world.ledger.addresses)) == MOST_ASKING
    assert world.unsettled == (0, MOST_ASKING)


def test_a_service_that_gives_what_is_taken_or_foreign_is_refused_and_gets_it_back(world: World) -> None:
    subnet = world.subnet()
    port = world.port()
    mine = dict(world.ledger.held)
    world.ledger.held.clear()  # it forgets, and gives the same again
    assert "10.1.0.2, which a port of the subnet has already" in world.refused(409)
    assert world.ledger.addresses == []
    world.ledger.held = mine
    outside = Held(subnet_id=subnet["id"], version=4, address=0x0A090909, handle="z", mark="")
    world.ledger._one = lambda *_: outside  # type: ignore[method-assign]
    assert "10.9.9.9, which is in no allocation pool" in world.refused(409)
    assert world.ledger.addresses == held(port)


def test_a_driver_of_somebody_that_raises_anything_is_unavailable(world: World) -> None:
    world.subnet()

    def broken() -> None:
        raise KeyError("results")

    world.ledger.on_reserve = broken
    assert "it failed (KeyError('results'))" in world.refused(503)
    assert world.unsettled == (1, 0)
    world.sweep()  # what it had reserved all the same
    assert world.ledger.addresses == []
    assert world.unsettled == (1, 0)  # it is looked for once more: a slow service may do it yet
    world.sweep(patience_s=0)
    assert world.unsettled == (1, 0)  # when its time has come


def test_a_driver_that_is_not_there_is_refused_for_new_subnets_with_its_name(world: World) -> None:
    body = {"network_id": world.network, "cidr": "10.1.0.0/24", "ip_version": 4, "ipam:driver": "ruin"}
    refused = world.ask("POST", "subnets", {"subnet": body}, status=400)
    assert "IPAM driver 'ruin' is not there" in refused["NeutronError"]["message"]
    world.ledger.refuses = "it has no prefix 10.1.0.0/24; create it there"
    refused = world.ask("POST", "subnets", {"subnet": body | {"ipam:driver": "ledger"}}, status=409)
    assert "has no prefix 10.1.0.0/24; create it there" in refused["NeutronError"]["message"]


def test_the_directory_shows_what_works_what_is_late_and_what_does_not_load(world: World) -> None:
    world.subnet()
    port = world.port()
    world.ledger.is_away = True
    world.ask("DELETE", f"ports/{port['id']}", status=204)
    with pytest.raises(ServiceUnavailable):
        world.sweep()
    found = {one["name"]: one for one in world.ask("GET", "ipam-drivers", status=200)["ipam_drivers"]}
    assert found["built-in"]["state"] == "up"
    assert (found["ledger"]["state"], found["ledger"]["subnets"], found["ledger"]["late_addresses"]) == ("late", 1, 1)
    assert (found["ruin"]["state"], found["ruin"]["detail"]) == ("failed", "it would not load")


def test_a_subnet_that_names_no_driver_has_the_operator_s(world: World) -> None:
    world.services.default = "ledger"
    body = {"network_id": world.network, "cidr": "10.1.0.0/24", "ip_version": 4}
    assert world.post("subnets", "subnet", body)["ipam:driver"] == "ledger"
    assert len(world.ask("GET", "subnets?ipam:driver=ledger", status=200)["subnets"]) == 1
    assert world.ask("GET", "subnets?ipam:driver=built-in", status=200)["subnets"] == []


def test_a_driver_that_is_no_longer_enabled_is_named_and_ports_can_still_go(world: World) -> None:
    world.subnet()
    port = world.port()
    url = world.database._engine.url.render_as_string()
    without = Database(url)
    client = create_app(without, auth=NoAuth(), control=NoController()).test_client()
    refused = client.post("/v2.0/ports", json={"port": {"network_id": world.network}})
    assert refused.status_code == 503
    assert "IPAM driver 'ledger' cannot give out addresses now: it is not enabled" in refused.text
    assert client.delete(f"/v2.0/ports/{port['id']}").status_code == 204
    without.close()
    world.sweep()
    assert world.ledger.addresses == []


def test_ports_made_one_by_one_in_one_transaction_get_different_addresses(world: World) -> None:
    """As a container makes them; each asks for the same, and wants another one."""
    subnet = world.subnet()
    wanted = {"type": "port", "attributes": {"network_id": world.network}}
    done = world.ask("POST", "imports", {"import": {"objects": [wanted] * 12}}, status=201)
    assert done["import"]["created"] == {"port": 12}
    assert len(set(world.ledger.addresses)) == 12
    assert world.unsettled == (0, 12)

    moved = [
        {"type": "port", "attributes": {"network_id": world.network, "fixed_ips": [{"ip_address": f"10.1.0.{n}"}]}}
        for n in range(50, 62)
    ]
    world.ask("POST", "imports", {"import": {"objects": moved, "plan": True}}, status=200)
    assert len(world.ledger.addresses) == 12
    world.ask("POST", "imports", {"import": {"objects": [*moved, *moved[:1]]}}, status=409)
    assert len(world.ledger.addresses) == 12
    assert world.unsettled == (0, 12)
    assert subnet["ipam:driver"] == "ledger"


def test_a_transaction_that_is_repeated_has_the_addresses_that_were_given_and_asks_for_no_more(world: World) -> None:
    """A database that ended it because of another one; what was reserved for it is still its own."""
    world.subnet()
    runs: list[str] = []
    wanted = {"network_id": world.network, "name": "", "description": "", "project_id": "p", "mac_address": None}
    usual = {"admin_state_up": True, "device_id": "", "device_owner": "", "port_security_enabled": None, "host": None}
    more = {"fixed_ips": AUTO, "allowed_address_pairs": [], "extra_dhcp_opts": [], "vnic_type": "normal", "profile": {}}

    def work(tx: Transaction) -> list[str]:
        port = ports.create(tx, ADMIN, wanted | usual | more)
        runs.append(port.id)
        if len(runs) == 1:
            raise TransactionConflict("another one was first")
        return [one.ip_address for one in port.fixed_ips]

    assert world.database.carry_out(work) == ["10.1.0.2"]
    assert len(runs) == 2
    assert runs[0] == runs[1]
    assert (world.ledger.asked, world.ledger.addresses, world.unsettled) == (1, ["10.1.0.2"], (0, 1))
