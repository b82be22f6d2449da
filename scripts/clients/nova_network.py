"""Does Nova's own network code work against a running Weft? One line a call, and a count.

    python3 -m venv /tmp/nova && /tmp/nova/bin/pip install nova
    /tmp/nova/bin/python scripts/clients/nova_network.py http://127.0.0.1:9696

Drives ``nova.network.neutron.API`` as a compute service does: boot, look, attach, move alive, detach, delete. The
machine is a row in an empty database of Nova's; nothing of Nova's code is replaced.
"""

import logging
import sys
import tempfile
import uuid
from collections.abc import Callable, Sized
from pathlib import Path
from typing import Any

from nova import config, context, exception, objects
from nova.db.main import api as db_api
from nova.db.main import models
from nova.network import model, neutron, security_group_api

PROJECT = "0123456789abcdef0123456789abcdef"
PORTS = 3
"""Of the machine: two that Nova makes, and one that is there already."""
NETWORKS = GROUPS = 2


class Calls:
    """Calls, counted."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def do(self, name: str, call: Callable[[], Any], check: Callable[[Any], bool] = lambda _answer: True) -> Any:
        """Make one call and look at its answer."""
        try:
            answer = call()
        except Exception as error:  # noqa: BLE001 - whatever Nova makes of the answer is told
            self.failed += 1
            print(f"FAIL  {name}: {type(error).__name__} {error}", flush=True)
            return None
        if not check(answer):
            self.failed += 1
            print(f"FAIL  {name}: {answer!r}", flush=True)
            return answer
        self.passed += 1
        print(f"ok    {name}", flush=True)
        return answer

    def refuse(self, name: str, expected: type[Exception], call: Callable[[], Any]) -> None:
        """Make a call that must end with an exception of Nova's own."""

        def attempt() -> bool:
            try:
                call()
            except expected:
                return True
            return False

        self.do(name, attempt, bool)


def configure(url: str, directory: Path) -> None:
    """Tell Nova where the network service is, in a file as an operator would, and give it empty tables."""
    file = directory / "nova.conf"
    file.write_text(
        "[DEFAULT]\nhost = h1\n"
        f"[database]\nconnection = sqlite:///{directory}/nova.db\n"
        f"[neutron]\nauth_type = none\nendpoint = {url}\nendpoint_override = {url}\n"
    )
    config.parse_args(["nova", "--config-file", str(file)], init_rpc=False)
    logging.disable(logging.WARNING)
    models.BASE.metadata.create_all(db_api.get_engine())
    objects.register_all()


def a_machine(admin: Any) -> Any:
    """Return an instance that the compute manager would have, stored."""
    flavor = objects.Flavor(
        id=1, name="m1", flavorid="1", vcpus=1, memory_mb=512, root_gb=1, ephemeral_gb=0, swap=0, rxtx_factor=1.0,
        vcpu_weight=None, disabled=False, is_public=True, description=None, extra_specs={},
    )  # fmt: skip
    machine = objects.Instance(
        context=admin,
        uuid=str(uuid.uuid4()),
        project_id=PROJECT,
        user_id="u",
        host="h1",
        node="h1",
        compute_id=1,
        hostname="vm",
        display_name="vm",
        availability_zone="nova",
        flavor=flavor,
        pci_requests=objects.InstancePCIRequests(requests=[]),
    )
    machine.info_cache = objects.InstanceInfoCache(instance_uuid=machine.uuid, network_info=model.NetworkInfo([]))
    machine.create()
    wanted = ["info_cache", "flavor", "pci_devices", "migration_context", "numa_topology"]
    return objects.Instance.get_by_uuid(admin, machine.uuid, expected_attrs=wanted)


def has_all(found: Sized) -> bool:
    """Say whether something is there for each port of the machine."""
    return len(found) == PORTS


def asked(*networks: dict[str, Any]) -> Any:
    """Return requested networks."""
    return objects.NetworkRequestList(objects=[objects.NetworkRequest(**one) for one in networks])


class Walk:
    """One machine's life."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.api = neutron.API()
        self.user = context.RequestContext("u", PROJECT, auth_token="notused", is_admin=False)  # noqa: S106 - Weft looks at none here
        self.admin = context.get_admin_context()
        self.admin.project_id = PROJECT
        self.client = neutron.get_client(self.user)
        self.machine = a_machine(self.admin)

    def prepare(self) -> None:
        """Make what a user would have."""
        make = self.client
        for number, name in enumerate(("h1", "h2"), start=1):
            host = {"name": name, "ovsdb": f"unix:/nowhere/{name}.sock", "tunnel_ip": f"192.0.2.{number}"}
            make.post("/hosts", body={"host": host})
        self.networks = []
        for number in (1, 2):
            network = make.create_network({"network": {"name": f"nova{number}", "project_id": PROJECT}})["network"][
                "id"
            ]
            subnet = {"network_id": network, "ip_version": 4, "cidr": f"10.{number}.0.0/24", "project_id": PROJECT}
            make.create_subnet({"subnet": subnet})
            self.networks.append(network)
        port = {"port": {"network_id": self.networks[1], "project_id": PROJECT, "name": "premade"}}
        self.port = make.create_port(port)["port"]["id"]
        group = {"security_group": {"name": "nova-web", "project_id": PROJECT}}
        self.group = make.create_security_group(group)["security_group"]["id"]

    def boot(self) -> None:
        """Validate, ask for resources, and give the machine its ports."""
        do, machine = self.calls.do, self.machine
        first, second = self.networks
        wanted = asked({"network_id": first, "address": "10.1.0.55"}, {"network_id": second}, {"port_id": self.port})
        do("validate_networks", lambda: self.api.validate_networks(self.user, wanted, 1), lambda most: most == 1)
        do(
            "create_resource_requests",
            lambda: self.api.create_resource_requests(self.user, wanted, objects.InstancePCIRequests(requests=[])),
        )
        info = do(
            "allocate_for_instance",
            lambda: self.api.allocate_for_instance(
                self.user, machine, wanted, security_groups=[self.group], bind_host_id="h1"
            ),
            has_all,
        )
        do("vifs are of Open vSwitch", lambda: {vif["type"] for vif in info}, lambda kinds: kinds == {"ovs"})
        do("the address asked for", lambda: info[0].fixed_ips()[0]["address"], lambda one: one == "10.1.0.55")
        self.calls.refuse(
            "an address in use",
            exception.FixedIpAlreadyInUse,
            lambda: self.api.validate_networks(self.user, asked({"network_id": first, "address": "10.1.0.55"}), 1),
        )
        self.calls.refuse(
            "a port in use",
            exception.PortInUse,
            lambda: self.api.validate_networks(self.user, asked({"port_id": self.port}), 1),
        )
        self.calls.refuse(
            "a network that is not there",
            exception.NetworkNotFound,
            lambda: self.api.validate_networks(self.user, asked({"network_id": str(uuid.uuid4())}), 1),
        )

    def look(self) -> None:
        """What is asked about a machine that runs."""
        do, api, machine = self.calls.do, self.api, self.machine
        do("get_instance_nw_info", lambda: api.get_instance_nw_info(self.admin, machine), has_all)
        do("get_all", lambda: api.get_all(self.user), lambda found: len(found) >= NETWORKS)
        do("get", lambda: api.get(self.user, self.networks[0]), lambda one: one["name"] == "nova1")
        do(
            "list_ports",
            lambda: api.list_ports(self.user, device_id=machine.uuid),
            lambda one: len(one["ports"]) == PORTS,
        )
        do(
            "show_port",
            lambda: api.show_port(self.admin, self.port),
            lambda one: one["port"]["device_id"] == machine.uuid,
        )
        do("get_fixed_ip_by_address", lambda: api.get_fixed_ip_by_address(self.admin, "10.1.0.55"))
        do("has_port_binding_extension", lambda: api.has_port_binding_extension(client=self.client), bool)
        do("get_floating_ips_by_project", lambda: api.get_floating_ips_by_project(self.user), lambda one: one == [])
        do("requested_resources", lambda: api.get_requested_resource_for_instance(self.admin, machine.uuid))
        do("security groups: list", lambda: security_group_api.list(self.user, PROJECT), lambda one: len(one) == GROUPS)
        do(
            "security groups: of the machine",
            lambda: security_group_api.get_instance_security_groups(self.user, machine),
        )
        add, take = security_group_api.add_to_instance, security_group_api.remove_from_instance
        do("security groups: take", lambda: take(self.user, machine, self.group))
        do("security groups: add", lambda: add(self.user, machine, self.group))
        do("add_fixed_ip_to_instance", lambda: api.add_fixed_ip_to_instance(self.user, machine, self.networks[0]))

    def move(self) -> None:
        """Live migration to another host; then a cold one back."""
        do, api, machine = self.calls.do, self.api, self.machine
        do(
            "bind_ports_to_host",
            lambda: api.bind_ports_to_host(self.admin, machine, "h2"),
            lambda one: len(one) == PORTS,
        )
        self.where("ports are where they were", "h1", bindings=2)
        alive = objects.Migration(source_compute="h1", dest_compute="h2", migration_type="live-migration")
        do("migrate_instance_start", lambda: api.migrate_instance_start(self.admin, machine, alive))
        self.where("ports are on the other host", "h2", bindings=2)
        do("setup_networks_on_host", lambda: api.setup_networks_on_host(self.admin, machine, host="h2"))
        for vif in machine.get_network_info():
            do("delete_port_binding", lambda vif=vif: api.delete_port_binding(self.admin, vif["id"], "h1"))
        machine.host = "h2"
        do("migrate_instance_finish", lambda: api.migrate_instance_finish(self.admin, machine, alive, {}))
        self.where("ports are on the other host alone", "h2", bindings=1)
        cold = objects.Migration(source_compute="h2", dest_compute="h1", migration_type="migration")
        do("migrate_instance_start, cold", lambda: api.migrate_instance_start(self.admin, machine, cold))
        do("migrate_instance_finish, cold", lambda: api.migrate_instance_finish(self.admin, machine, cold, {}))
        self.where("ports are back", "h1", bindings=1)

    def where(self, name: str, host: str, *, bindings: int) -> None:
        """Look at which host the machine's ports are, and at how many places each is bound."""

        def look() -> set[tuple[str, int]]:
            admin = neutron.get_client(self.admin, admin=True)
            ports = admin.list_ports(device_id=self.machine.uuid)["ports"]
            return {
                (port["binding:host_id"], len(admin.get(f"/ports/{port['id']}/bindings")["bindings"])) for port in ports
            }

        self.calls.do(name, look, lambda found: found == {(host, bindings)})

    def end(self) -> None:
        """Detach one port, which stays, and delete the machine; then what was prepared."""
        do, api, machine = self.calls.do, self.api, self.machine
        do("deallocate_port_for_instance", lambda: api.deallocate_port_for_instance(self.admin, machine, self.port))
        do(
            "a port made by the user stays",
            lambda: api.show_port(self.admin, self.port)["port"],
            lambda port: (port["device_id"], port["binding:host_id"]) == ("", ""),
        )
        do("deallocate_for_instance", lambda: api.deallocate_for_instance(self.admin, machine))
        do(
            "no port is left",
            lambda: api.list_ports(self.admin, device_id=machine.uuid)["ports"],
            lambda ports: ports == [],
        )
        self.client.delete_port(self.port)
        self.client.delete_security_group(self.group)
        for network in self.networks:
            self.client.delete_network(network)
        for host in self.client.get("/hosts")["hosts"]:
            self.client.delete(f"/hosts/{host['id']}")


def main() -> int:
    """Run everything; 1 when a call failed."""
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.stderr.write(f"usage: {sys.argv[0]} URL\n")
        return 2
    with tempfile.TemporaryDirectory() as directory:
        configure(sys.argv[1], Path(directory))
        walk = Walk()
        walk.prepare()
        for part in (walk.boot, walk.look, walk.move, walk.end):
            part()
    print(f"{walk.calls.passed} passed, {walk.calls.failed} failed")
    return 1 if walk.calls.failed else 0


if __name__ == "__main__":
    sys.exit(main())
