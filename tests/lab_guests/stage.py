"""Who lives in the laboratory of hostile guests? Guests with two address families, and the groups that bound them."""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.lab import netns
from tests.lab.cloud import Cloud
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor

IPV4_CIDR, IPV6_CIDR = "10.10.0.0/24", "fd00:10::/64"
MTU = 1450
"""What fits into VXLAN over the laboratory's underlay of 1500 octets and more (RFC 7348 section 5)."""
Family = Literal[4, 6]
FAMILIES: tuple[Family, ...] = (4, 6)
ICMP_NAMES = ("icmp", "icmpv6", "ipv6-icmp", 1, 58)
"""Protocols whose port range is a type and, if it is given, a code (Neutron API reference)."""


@dataclass(slots=True, kw_only=True)
class Guest:
    """A running VM, its port as it was created, and the host it runs on."""

    name: str
    vm: Vm
    port: dict[str, Any]
    host: Hypervisor

    @property
    def id(self) -> str:
        """The port's id."""
        return str(self.port["id"])

    @property
    def mac(self) -> str:
        """The port's MAC address."""
        return str(self.port["mac_address"])

    @property
    def ip4(self) -> str:
        """Its IPv4 address."""
        return self._address(4)

    @property
    def ip6(self) -> str:
        """Its global IPv6 address."""
        return self._address(6)

    @property
    def link_local(self) -> str:
        """The link-local address its kernel forms of the MAC (RFC 4291 appendix A)."""
        octets = bytes.fromhex(self.mac.replace(":", ""))
        identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
        return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + identifier))

    def ip(self, family: Family) -> str:
        """Return its address of a family."""
        return self._address(family)

    def _address(self, version: int) -> str:
        for fixed in self.port["fixed_ips"]:
            if ipaddress.ip_address(fixed["ip_address"]).version == version:
                return str(fixed["ip_address"])
        raise LookupError(f"{self.name} has no IPv{version} address")

    def open_socket(self, family: Family, kind: socket.SocketKind, port: int = 0) -> socket.socket:
        """Return a socket of the guest, bound to its address and a port (0: any)."""
        made = self.vm.open_socket(socket.AF_INET6 if family == 6 else socket.AF_INET, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((self.ip(family), port))
        return made


@dataclass
class Stage(Cloud):
    """A cloud whose networks have both families, and whose security groups are made in one line."""

    def dual(self, **attributes: Any) -> str:
        """Create a network with an IPv4 and an IPv6 subnet and return its id."""
        network = self.network(IPV4_CIDR, **attributes)
        self.weft.api.create("subnet", network_id=network, ip_version=6, cidr=IPV6_CIDR)
        return network

    def addresses(self, network: str, last: int) -> list[dict[str, str]]:
        """Return the fixed addresses that end in `last`, for a port's body."""
        subnets = self.weft.api.list("subnets", network_id=network)
        base = {4: IPV4_CIDR, 6: IPV6_CIDR}
        return [
            {"subnet_id": s["id"], "ip_address": str(ipaddress.ip_network(base[s["ip_version"]])[last])}
            for s in sorted(subnets, key=lambda s: s["ip_version"])
        ]

    def guest(self, network: str, host: Hypervisor, last: int, **attributes: Any) -> Guest:
        """Start a guest with the addresses that end in `last`; it has them when this returns, and is ACTIVE."""
        return self.started(self.begun(network, host, last, **attributes))

    def begun(self, network: str, host: Hypervisor, last: int, **attributes: Any) -> Guest:
        """Create a port and boot its VM, without waiting."""
        port = self.port(network, host, fixed_ips=self.addresses(network, last), **attributes)
        vm = self.boot(host, port)
        guest = Guest(name=vm.name, vm=vm, port=port, host=host)
        vm.address_set(f"{guest.ip4}/24", f"{guest.ip6}/64", mtu=MTU)
        netns.inside(vm.namespace, _answer_every_error)
        return guest

    def started(self, guest: Guest) -> Guest:
        """Wait until a guest's port is ACTIVE."""
        guest.port = self.weft.wait_for_port(guest.id)
        return guest

    def guests(self, network: str, hosts: Sequence[Hypervisor], first: int = 11, **attributes: Any) -> list[Guest]:
        """Start a guest on each of the hosts named, with consecutive addresses."""
        begun = [self.begun(network, host, first + n, **attributes) for n, host in enumerate(hosts)]
        return [self.started(guest) for guest in begun]

    def change(self, guest: Guest, **attributes: Any) -> None:
        """Update a guest's port."""
        guest.port = self.weft.api.put(f"/v2.0/ports/{guest.id}", {"port": attributes})["port"]

    def unguard(self, guest: Guest) -> None:
        """Switch port security off; a port that has it off can have no security group (Neutron)."""
        self.change(guest, port_security_enabled=False, security_groups=[], allowed_address_pairs=[])

    def guard(self, guest: Guest, *groups: str) -> None:
        """Switch port security on, with these groups."""
        self.change(guest, port_security_enabled=True, security_groups=list(groups))

    # ---- security groups

    def group(self, *rules: dict[str, Any], egress: bool = True, **attributes: Any) -> str:
        """Create a security group with these rules and return its id.

        Args:
            rules: bodies of rules; see `ingress` and `egress` of this module.
            egress: keep the two rules Neutron gives every new group, which let everything out.
            attributes: of the group.
        """
        api = self.weft.api
        body = {"name": f"g{next(self.numbers)}", **attributes}
        group = api.post("/v2.0/security-groups", {"security_group": body})["security_group"]
        if not egress:
            for rule in group["security_group_rules"]:
                self.forget(rule["id"])
        if rules:
            bodies = [{"security_group_id": group["id"], **rule} for rule in rules]
            api.post("/v2.0/security-group-rules", {"security_group_rules": bodies})
        return str(group["id"])

    def rule(self, group: str, rule: dict[str, Any]) -> str:
        """Add a rule to a group and return its id."""
        body = {"security_group_rule": {"security_group_id": group, **rule}}
        made = self.weft.api.post("/v2.0/security-group-rules", body)
        return str(made["security_group_rule"]["id"])

    def forget(self, rule: str) -> None:
        """Delete a rule."""
        self.weft.api.delete(f"/v2.0/security-group-rules/{rule}")

    def address_group(self, *addresses: str) -> str:
        """Create an address group and return its id."""
        body = {"name": f"ag{next(self.numbers)}", "addresses": list(addresses)}
        return str(self.weft.api.post("/v2.0/address-groups", {"address_group": body})["address_group"]["id"])

    def clear(self) -> None:
        """End every VM and delete everything that was asked for, groups too."""
        super().clear()
        api = self.weft.api
        for group in api.get("/v2.0/security-groups")["security_groups"]:
            if group["name"] != "default":
                api.delete(f"/v2.0/security-groups/{group['id']}")
        for group in api.get("/v2.0/address-groups")["address_groups"]:
            api.delete(f"/v2.0/address-groups/{group['id']}")


def _answer_every_error() -> None:
    """Switch off that a kernel says only once a second that nobody listens (kernel ip-sysctl, icmp_ratelimit)."""
    for switch in ("ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"):
        Path(f"/proc/sys/net/{switch}").write_text("0")


def ingress(protocol: str | int | None, low: int | None = None, high: int | None = None, **more: Any) -> dict[str, Any]:
    """Return the body of a rule for what a port receives; for ICMP `low` is the type and `high` the code."""
    return _rule("ingress", protocol, low, high, more)


def egress(protocol: str | int | None, low: int | None = None, high: int | None = None, **more: Any) -> dict[str, Any]:
    """Return the body of a rule for what a port sends."""
    return _rule("egress", protocol, low, high, more)


def both(rule: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a rule for IPv4 and the same for IPv6."""
    return rule | {"ethertype": "IPv4"}, rule | {"ethertype": "IPv6"}


def _rule(
    direction: str, protocol: str | int | None, low: int | None, high: int | None, more: dict[str, Any]
) -> dict[str, Any]:
    last = low if high is None and protocol not in ICMP_NAMES else high
    ports = {} if low is None else {"port_range_min": low}
    ports |= {} if last is None else {"port_range_max": last}
    named = {} if protocol is None else {"protocol": str(protocol)}
    return {"direction": direction, "ethertype": "IPv4", **named, **ports, **more}
