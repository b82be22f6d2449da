"""Does the unmodified ``openstack`` command work against a running Weft? One line a command, and a count.

    python3 -m venv /tmp/clients && /tmp/clients/bin/pip install python-openstackclient
    /tmp/clients/bin/python scripts/clients/openstack_cli.py http://127.0.0.1:9696

Runs with the client's interpreter and knows nothing of Weft's code. It makes objects of its own and deletes them.
"""

import contextlib
import io
import json
import shlex
import sys
from collections.abc import Sequence

from openstackclient import shell


class Walk:
    """Commands one after the other, counted."""

    def __init__(self, url: str) -> None:
        self._server = ["--os-auth-type", "none", "--os-endpoint", url]
        self.passed = 0
        self.failed: list[str] = []

    def run(self, line: str, *, expect: int = 0) -> str:
        """Run one command; returns what it printed."""
        out, err = io.StringIO(), io.StringIO()
        argv = [*self._server, *shlex.split(line)]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = shell.OpenStackShell().run(argv)
            except SystemExit as ended:
                code = int(ended.code or 0) if not isinstance(ended.code, str) else 1
        if code == expect:
            self.passed += 1
            print(f"ok    openstack {line}", flush=True)
        else:
            self.failed.append(line)
            said = err.getvalue().strip().splitlines()[-1:] or out.getvalue().strip().splitlines()[-1:]
            print(f"FAIL  openstack {line}\n      exit {code}: {' '.join(said)}", flush=True)
        return out.getvalue().strip()

    def shows(self, line: str, **wanted: object) -> None:
        """Run a show command and compare some of what it says."""
        said = self.run(f"{line} -f json")
        found = json.loads(said) if said else {}
        for name, value in wanted.items():
            if found.get(name) != value:
                self.failed.append(f"{line} ({name})")
                print(f"FAIL  openstack {line}: {name} is {found.get(name)!r}, not {value!r}", flush=True)

    def every(self, lines: Sequence[str]) -> None:
        """Run commands whose output does not matter."""
        for line in lines:
            self.run(line)


def networks(walk: Walk) -> None:
    """Networks, subnets and segments."""
    walk.every(
        [
            "network create --description first --mtu 1400 red",
            "network create --no-share --disable --disable-port-security blue",
            "network create --provider-network-type vxlan --provider-segment 4321 green",
            "network list",
            "network list --long",
            "network list --name red",
            "network list --internal",
            "network list --enable --no-share",
            "network list --provider-network-type vxlan --provider-segment 4321",
            "network set --name crimson --description other --disable red",
            "network set --enable --name red crimson",
            "network show red",
            "subnet create --network red --subnet-range 10.0.0.0/24 --gateway 10.0.0.1 --dns-nameserver 9.9.9.9 "
            "--allocation-pool start=10.0.0.10,end=10.0.0.99 "
            "--host-route destination=10.9.0.0/16,gateway=10.0.0.7 red4",
            "subnet create --network red --ip-version 6 --subnet-range 2001:db8::/64 --ipv6-ra-mode slaac "
            "--ipv6-address-mode slaac red6",
            "subnet create --network blue --subnet-range 10.1.0.0/24 --gateway none --no-dhcp blue4",
            "subnet list",
            "subnet list --long",
            "subnet list --network red --ip-version 4 --dhcp",
            "subnet list --subnet-range 10.0.0.0/24 --gateway 10.0.0.1",
            "subnet set --dns-nameserver 1.1.1.1 --name red-four red4",
            "subnet set --no-dns-nameservers --no-host-route --no-dhcp red-four",
            "subnet unset --allocation-pool start=10.0.0.10,end=10.0.0.99 red-four",
            "subnet set --dhcp --allocation-pool start=10.0.0.10,end=10.0.0.200 --name red4 red-four",
            "network segment list",
            "network segment list --network red --long",
        ]
    )
    walk.shows("network show red", name="red", mtu=1400, description="other", status="ACTIVE", is_vlan_transparent=None)
    walk.shows("subnet show red4", cidr="10.0.0.0/24", dns_nameservers=[], enable_dhcp=True)
    segment = walk.run("network segment list --network red -f value -c ID")
    walk.every(
        [
            f"network segment show {segment}",
            f"network segment set --name s1 --description d {segment}",
            "network segment range list",
            "network segment range list --long",
        ]
    )
    made = "network segment range create --shared --network-type vxlan --minimum 70000 --maximum 70009 r1"
    walk.every(
        [
            made,
            "network segment range show r1",
            "network segment range set --minimum 70000 --maximum 70019 r1",
            "network segment range delete r1",
        ]
    )


def security(walk: Walk) -> None:
    """Security groups, rules and address groups."""
    walk.every(
        [
            "security group list",
            "security group create --description d web",
            "security group create --stateless fast",
            "security group set --name www --description other web",
            "security group show www",
            "address group create --address 10.5.0.0/24 --address 10.6.0.1 offices",
            "address group list",
            "address group show offices",
            "address group set --address 10.7.0.0/16 --name sites offices",
            "address group unset --address 10.7.0.0/16 sites",
            "security group rule create --protocol tcp --dst-port 80:443 --remote-ip 0.0.0.0/0 www",
            "security group rule create --protocol icmp --icmp-type 8 --icmp-code 0 www",
            "security group rule create --ethertype IPv6 --protocol ipv6-icmp www",
            "security group rule create --egress --protocol udp --dst-port 53 --remote-group www www",
            "security group rule create --protocol tcp --dst-port 22 --remote-address-group sites www",
            "security group rule list",
            "security group rule list www",
            "security group rule list --protocol tcp --ingress --long www",
            "default security group rule list",
            "default security group rule create --protocol tcp --dst-port 8080 --for-custom-sg",
        ]
    )
    rule = walk.run("security group rule list www --protocol icmp -f value -c ID")
    walk.every([f"security group rule show {rule}", f"security group rule delete {rule}"])
    listed = walk.run("default security group rule list -f json")
    mine = [one["ID"] for one in json.loads(listed) if one.get("Port Range") == "8080:8080"]
    walk.every(
        [
            command
            for one in mine
            for command in (f"default security group rule {verb} {one}" for verb in ("show", "delete"))
        ]
    )


def ports(walk: Walk) -> None:
    """Ports, tags, and what is known about the service."""
    walk.every(
        [
            "port create --network red p1",
            "port create --network red --fixed-ip subnet=red4,ip-address=10.0.0.155 --mac-address fa:16:3e:00:00:55 "
            "--security-group www --description d --device vm1 --device-owner compute:nova --host h1 p2",
            "port create --network red --no-security-group --disable-port-security --no-fixed-ip --disable p3",
            "port create --network red --allowed-address ip-address=10.0.0.200,mac-address=fa:16:3e:00:00:99 "
            "--extra-dhcp-option name=bootfile-name,value=x.0,ip-version=4 --vnic-type normal p4",
            "port list",
            "port list --long",
            "port list --network red --device-owner compute:nova",
            "port list --fixed-ip ip-address=10.0.0.155",
            "port list --fixed-ip subnet=red4",
            "port list --fixed-ip ip-substring=10.0.0",
            "port list --mac-address fa:16:3e:00:00:55 --security-group www",
            "port list --host h1 --status DOWN --name p2",
            "port set --name port1 --description other --disable p1",
            "port set --fixed-ip subnet=red4,ip-address=10.0.0.177 --security-group www port1",
            "port set --no-fixed-ip --fixed-ip subnet=red4 port1",
            "port set --allowed-address ip-address=10.0.0.201,mac-address=fa:16:3e:00:00:98 --host h2 "
            "--binding-profile a=b port1",
            "port unset --allowed-address ip-address=10.0.0.201,mac-address=fa:16:3e:00:00:98 "
            "--security-group www --host --binding-profile a port1",
            "port set --no-security-group --disable-port-security port1",
            "port set --enable-port-security --enable --name p1 port1",
            "port unset --device --device-owner p2",
        ]
    )
    walk.shows("port show p2", name="p2", mac_address="fa:16:3e:00:00:55", device_id="", admin_state_up=True)
    walk.run("port create --network red --fixed-ip ip-address=10.0.0.155 p9", expect=1)
    walk.run("port show nobody", expect=1)
    walk.run("network delete red", expect=1)


def service(walk: Walk) -> None:
    """What is asked of the service as a whole."""
    walk.every(
        [
            "extension list --network",
            "extension list --network --long",
            "extension show port-security",
            "ip availability list",
            "ip availability show red",
            "network agent list",
            "availability zone list --network",
            "network rbac list",
            "network rbac list --long",
            "network segment range list",
            "network service provider list",
            "network flavor list",
            "network flavor profile list",
            "network trunk list",
            "router list",
            "floating ip list",
            "subnet pool list",
            "address scope list",
        ]
    )


def tags(walk: Walk) -> None:
    """Tags of everything that has them."""
    walk.every(
        [
            "network set --tag a --tag b red",
            "network list --tags a,b",
            "network list --any-tags a,c",
            "network list --not-tags a",
            "network unset --tag a red",
            "network set --no-tag red",
            "network create --tag x tagged",
            "network delete tagged",
            "port set --tag a p1",
            "port list --tags a",
            "port unset --all-tag p1",
            "port create --network red --tag x p5",
            "port delete p5",
            "subnet set --tag a red4",
            "security group set --tag a www",
        ]
    )


def pools(walk: Walk) -> None:
    """Subnet pools, address scopes and sharing."""
    walk.every(
        [
            "address scope create --ip-version 4 scope1",
            "address scope set --name scope2 scope1",
            "address scope show scope2",
            "subnet pool create --pool-prefix 10.40.0.0/16 --default-prefix-length 26 --address-scope scope2 pool1",
            "subnet pool set --pool-prefix 10.41.0.0/16 --min-prefix-length 20 --description d pool1",
            "subnet pool show pool1",
            "subnet pool list --long",
            "network create pooled",
            "subnet create --network pooled --subnet-pool pool1 pooled4",
            "subnet create --network pooled --subnet-pool pool1 --prefix-length 28 pooled28",
            "subnet list --subnet-pool pool1",
            "subnet set --tag t pooled4",
            "network rbac create --type address_scope --action access_as_shared --target-all-projects scope2",
            "network rbac create --type subnetpool --action access_as_shared --target-all-projects pool1",
            "subnet pool list --share",
            "address scope list --share",
            "subnet pool set --no-address-scope pool1",
            "network delete pooled",
            "subnet pool unset --all-tag pool1",
            "subnet pool delete pool1",
            "address scope delete scope2",
            "network rbac create --type network --action access_as_shared --target-all-projects red",
        ]
    )
    rule = walk.run("network rbac list --type network -f value -c ID")
    walk.every([f"network rbac show {one}" for one in rule.split()])
    walk.every([f"network rbac delete {one}" for one in rule.split()])
    walk.every(["network set --share blue", "network set --no-share blue"])


def clean(walk: Walk) -> None:
    """Delete everything again."""
    walk.every(
        [
            "port delete p1 p2 p3 p4",
            "security group rule list",
            "security group delete www fast",
            "address group delete sites",
            "subnet delete blue4",
            "network delete red blue green",
            "network list",
        ]
    )


def main() -> int:
    """Run everything; 1 when a command failed."""
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.stderr.write(f"usage: {sys.argv[0]} URL\n")
        return 2
    walk = Walk(sys.argv[1])
    for part in (networks, security, ports, service, tags, pools, clean):
        part(walk)
    print(f"{walk.passed} passed, {len(walk.failed)} failed")
    return 1 if walk.failed else 0


if __name__ == "__main__":
    sys.exit(main())
