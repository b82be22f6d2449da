"""Does the unmodified python-neutronclient library work against a running Weft? One line a call, and a count.

pip install python-neutronclient && python scripts/clients/neutronclient_library.py http://127.0.0.1:9696
"""

import sys
from collections.abc import Callable
from typing import Any

from keystoneauth1.noauth import NoAuth
from keystoneauth1.session import Session
from neutronclient.common import exceptions
from neutronclient.v2_0.client import Client

NOBODY = "11111111-1111-1111-1111-111111111111"


class Calls:
    """Calls, counted."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def do(self, name: str, call: Callable[[], Any]) -> Any:
        """Make one call; returns its answer, an empty one when it failed."""
        try:
            answer = call()
        except exceptions.NeutronClientException as error:
            self.failed += 1
            print(f"FAIL  {name}: {type(error).__name__} {error}")
            return {}
        self.passed += 1
        print(f"ok    {name}")
        return answer

    def refuse(self, name: str, expected: type[Exception], call: Callable[[], Any]) -> None:
        """Make a call that must end with an exception of the client's own."""
        try:
            call()
        except expected:
            self.passed += 1
            print(f"ok    {name}")
        else:
            self.failed += 1
            print(f"FAIL  {name}: no {expected.__name__}")


def main() -> int:
    """Run everything; 1 when a call failed."""
    client = Client(session=Session(auth=NoAuth(endpoint=sys.argv[1])), endpoint_override=sys.argv[1])
    calls = Calls()
    do = calls.do
    net = do("network", lambda: client.create_network({"network": {"name": "n"}}))["network"]["id"]
    subnet = {"network_id": net, "ip_version": 4, "cidr": "10.3.0.0/24"}
    subnet_id = do("subnet", lambda: client.create_subnet({"subnet": subnet}))["subnet"]["id"]
    port = do("port", lambda: client.create_port({"port": {"network_id": net}}))["port"]
    group = do("group", lambda: client.create_security_group({"security_group": {"name": "w"}}))["security_group"]["id"]
    rule = {"security_group_id": group, "direction": "ingress", "protocol": "tcp"}
    do("rule", lambda: client.create_security_group_rule({"security_group_rule": rule}))
    do("bulk", lambda: client.create_port({"ports": [{"network_id": net}, {"network_id": net}]}))
    do("list", lambda: client.list_networks(name="n")["networks"][0])
    do("pages", lambda: list(client.list_ports(retrieve_all=False, limit=1)))
    do("fields", lambda: client.list_ports(fields=["id"]))
    do("show", lambda: client.show_port(port["id"]))
    do("update", lambda: client.update_port(port["id"], {"port": {"name": "x"}}))
    for listed in (
        "security_groups",
        "security_group_rules",
        "extensions",
        "agents",
        "network_ip_availabilities",
        "subnetpools",
        "address_scopes",
        "rbac_policies",
        "availability_zones",
    ):
        do(f"list {listed}", getattr(client, f"list_{listed}"))
    do("extension", lambda: client.show_extension("port-security"))
    do("quota", lambda: client.show_quota("p"))
    do("quota details", lambda: client.show_quota_details("p"))
    do("tag", lambda: client.add_tag("ports", port["id"], "a"))
    do("tags", lambda: client.replace_tag("ports", port["id"], {"tags": ["b"]}))
    calls.refuse("no port", exceptions.PortNotFoundClient, lambda: client.show_port(NOBODY))
    calls.refuse("in use", exceptions.NetworkInUseClient, lambda: client.delete_network(net))
    twin = {"network_id": net, "mac_address": port["mac_address"]}
    calls.refuse("same MAC", exceptions.MacAddressInUseClient, lambda: client.create_port({"port": twin}))
    for one in client.list_ports(network_id=net)["ports"]:
        do("delete port", lambda one=one: client.delete_port(one["id"]))
    do("delete subnet", lambda: client.delete_subnet(subnet_id))
    do("delete network", lambda: client.delete_network(net))
    do("delete group", lambda: client.delete_security_group(group))
    print(f"{calls.passed} passed, {calls.failed} failed")
    return 1 if calls.failed else 0


if __name__ == "__main__":
    sys.exit(main())
