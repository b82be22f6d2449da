"""Do ``weft network|subnet|port|... create|list|show|set|delete`` do what they say against a real server?"""

import json
import os
import pty
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.cli import main
from tests.api.conftest import Server

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def weft(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; its exit status and what it printed."""
    monkeypatch.setenv("WEFT_URL", server.url)

    def run(line: str) -> tuple[int, str, str]:
        status = main(line.split())
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_networks_subnets_and_ports_are_made_by_name(weft: Run) -> None:
    assert weft("network create red --mtu 1400 --format value -c mtu") == (0, "1400\n", "")
    made = (
        "subnet create v4 --network red --cidr 10.0.0.0/24 --no-gateway --allocation-pool start=10.0.0.5,end=10.0.0.9"
    )
    status, out, _err = weft(f"{made} --dns-nameserver 9.9.9.9 --dns-nameserver 1.1.1.1 --format json")
    subnet = json.loads(out)
    assert (status, subnet["ip_version"], subnet["gateway_ip"]) == (0, 4, None)
    assert subnet["allocation_pools"] == [{"start": "10.0.0.5", "end": "10.0.0.9"}]
    assert subnet["dns_nameservers"] == ["9.9.9.9", "1.1.1.1"]
    status, out, _err = weft("subnet create v6 --network red --cidr 2001:db8::/64 --format value -c ip_version")
    assert (status, out) == (0, "6\n")
    made = "port create p1 --network red --fixed-ip subnet=v4,ip-address=10.0.0.7 --no-admin-state-up"
    status, out, _err = weft(f"{made} --allowed-address ip-address=10.0.0.8 --format json")
    port = json.loads(out)
    assert (port["fixed_ips"], port["admin_state_up"]) == (
        [{"subnet_id": subnet["id"], "ip_address": "10.0.0.7"}],
        False,
    )
    assert weft("port show p1 --format value -c id -c name")[1] == f"{port['id']}\np1\n"
    assert weft(f"port show {port['id']} --format value -c name")[1] == "p1\n"


def test_lists_are_filtered_sorted_cut_and_printed(weft: Run) -> None:
    for name in ("red", "green", "blue"):
        weft(f"network create {name}" + (" --shared" if name == "green" else ""))
    status, out, _err = weft("network list --sort name:desc --format value -c name -c shared")
    assert (status, out) == (0, "red false\ngreen true\nblue false\n")
    assert weft("network list --sort name --limit 1 --format value -c name")[1] == "blue\n"
    assert weft("network list --name red --name blue --sort name --format value -c name")[1] == "blue\nred\n"
    assert weft("network list --shared --format value -c name")[1] == "green\n"
    assert weft("network list --filter name=red --format value -c name")[1] == "red\n"
    headings, *rows = weft("network list")[1].splitlines()
    assert headings.split() == ["ID", "NAME", "STATUS", "SUBNETS", "SHARED", "MTU"]
    assert len(rows) == 3
    assert "REVISION NUMBER" in weft("network list --long")[1]
    assert len(json.loads(weft("network list --format json")[1])[0]) > 20
    weft("port create --network red")
    assert len(weft("port list --network red --format value -c id")[1].splitlines()) == 1
    assert weft("port list --network blue --format value -c id")[1] == ""


def test_changes_and_clearing(weft: Run) -> None:
    weft("network create red")
    weft("subnet create v4 --network red --cidr 10.0.0.0/24 --dns-nameserver 9.9.9.9")
    weft("port create p1 --network red --description d --binding-profile a=1")
    shown = "--format value -c gateway_ip -c dns_nameservers"
    assert weft(f"subnet set v4 --no-gateway --no-dns-nameserver {shown}") == (0, "\n[]\n", "")
    shown = "--format value -c name -c description -c binding:profile"
    status, out, _err = weft(f"port set p1 --name p2 --clear description --clear binding-profile {shown}")
    assert (status, out) == (0, "p2\n\n{}\n")
    assert "nothing to change" in weft("port set p2")[2]
    assert weft("port set p2 --name p3 --if-revision 0")[0] == 1
    assert weft("port set p2 --security-group default --format value -c name")[1] == "p2\n"


def test_several_are_deleted_and_what_failed_is_said(weft: Run) -> None:
    for name in ("red", "green", "blue"):
        weft(f"network create {name}")
    weft("port create p1 --network blue")
    status, out, err = weft("network delete red blue gren green")
    assert (status, out) == (1, "deleted: red, green\n")
    assert "weft: blue: Unable to complete operation" in err
    assert "weft: gren: There is no network called gren. Did you mean green?" in err
    assert weft("port delete p1 --format json") == (0, '{\n  "deleted": [\n    "p1"\n  ]\n}\n', "")


def test_a_name_that_means_two_objects_is_refused_with_their_ids(weft: Run) -> None:
    ids = [weft("network create red --format value -c id")[1].strip() for _ in range(2)]
    status, out, err = weft("network show red")
    assert (status, out) == (1, "")
    assert "2 networks are called red" in err
    assert all(one in err for one in ids)
    assert weft(f"network delete {ids[0]}")[0] == 0
    assert weft("network show red")[0] == 0


def test_rules_groups_actions_and_segments(weft: Run) -> None:
    weft("security-group create web --no-stateful")
    weft("address-group create offices --address 10.0.0.0/8")
    status, out, _err = weft("address-group add-addresses offices --address 10.9.0.0/16 --format value -c addresses")
    assert (status, out) == (0, '["10.0.0.0/8", "10.9.0.0/16"]\n')
    rule = "security-group-rule create --security-group web --direction ingress --protocol tcp"
    rule += " --port-range-min 80 --port-range-max 80 --remote-address-group offices --format value -c id"
    status, rule_id, _err = weft(rule)
    assert status == 0
    listed = weft("security-group-rule list --security-group web --direction ingress --format value -c id")[1]
    assert listed == rule_id
    assert weft("address-group delete offices")[0] == 1
    assert weft(f"security-group-rule delete {rule_id.strip()}")[0] == 0
    weft("network create red")
    assert len(weft("segment list --network red --format value -c id")[1].splitlines()) == 1
    ranges = weft("network-segment-range list --network-type vlan")
    assert (ranges[0], ranges[2]) == (0, "")


def test_a_host_is_changed_and_the_older_verbs_stay(weft: Run) -> None:
    weft("host add h1 --ovsdb unix:/run/x.sock")
    made = "host set h1 --tunnel-ip 192.0.2.1 --physnet physical-network=blue,bridge=br-blue"
    assert weft(f"{made} --format value -c tunnel_ip")[1] == "192.0.2.1\n"
    assert weft("host set h1 --no-tunnel-ip --format value -c tunnel_ip")[1] == "\n"
    assert weft("host remove h1")[0] == 0


def test_names_are_taken_where_a_command_was_made_by_hand(weft: Run) -> None:
    weft("network create named")
    weft("port create p1 --network named")
    assert "UNBOUND" in weft("port status p1")[1]
    assert '"links"' in weft("port network-data p1")[1]
    assert "There is no port called p2" in weft("port status p2")[2]
    assert "named" in weft("network-ip-availability show named")[1]


def test_quotas_are_set_shown_listed_and_taken_away(weft: Run) -> None:
    planned = weft("quota set blue --network 1 --port -1 --plan")
    assert (planned[0], planned[2]) == (0, "")
    assert "blue" not in weft("quota list")[1]
    status, out, _err = weft("quota set blue --network 1 --port -1")
    assert (status, [line.split() for line in out.splitlines()][:2]) == (
        0,
        [["RESOURCE", "LIMIT", "USED"], ["network", "1", "0"]],
    )
    weft("network create n --project blue")
    assert "Quota exceeded for resources: ['network']" in weft("network create m --project blue")[2]
    assert "1      1" in weft("quota show blue")[1]
    assert "blue" in weft("quota list")[1]
    assert weft("quota set blue")[0] == 1
    assert weft("quota set blue --network 0")[0] == 1
    assert weft("quota set blue --network 0 --force")[0] == 0
    assert weft("quota delete blue")[0] == 0
    assert '"limit": -1' in weft("quota show blue --format json")[1]


def test_objects_are_tagged_and_found_by_their_tags(weft: Run) -> None:
    weft("network create tagged")
    assert weft("tag add network tagged red blue") == (0, "blue\nred\n", "")
    assert "nothing was changed" in weft("tag set network tagged --plan")[1]
    assert weft("network list --filter tags=red,blue --format value -c name")[1] == "tagged\n"
    assert weft("tag remove network tagged red --format json") == (0, '[\n  "blue"\n]\n', "")
    assert weft("tag remove network tagged red")[0] == 1
    assert weft("tag set network tagged green")[1] == weft("tag list network tagged")[1] == "green\n"
    assert weft("tag set network tagged") == (0, "", "")


def typed_into_bash(keys: str, environ: dict[str, str], *, until: str) -> str:
    """Type into a real, interactive bash that has our completion; return the line as it then is."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environ)  # noqa: S606 - a terminal of its own

    def read(awaited: str) -> str:
        seen, deadline = "", time.monotonic() + 30
        while awaited not in seen and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.2)[0]:
                seen += os.read(terminal, 65536).decode(errors="replace")
        return seen

    try:
        os.write(terminal, b'PS1= ; eval "$(weft completion bash)"; bind "set bell-style none"; echo re""ady\n')
        read("ready\r\n")
        os.write(terminal, keys.encode())
        return read(until)
    finally:
        os.write(terminal, b"\x03\nexit\n")
        os.close(terminal)
        os.waitpid(pid, 0)


@pytest.mark.parametrize(
    ("keys", "becomes"),
    [
        ("weft address-g\t", "weft address-group "),
        ("weft network cr\t", "weft network create "),
        ("weft port create --netw\t", "weft port create --network "),
        ("weft port create --network crim\t", "weft port create --network crimson "),
        ("weft port create --pvlan-type iso\t", "weft port create --pvlan-type isolated "),
        ("weft network show crim\t", "weft network show crimson "),
    ],
)
def test_bash_completes(weft: Run, server: Server, tmp_path: Path, keys: str, becomes: str) -> None:
    weft("network create crimson")
    command = tmp_path / "bin" / "weft"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\nimport sys\nfrom controller.cli import main\nsys.exit(main())\n")
    command.chmod(0o755)
    path = f"{command.parent}:{os.environ['PATH']}"
    environ = {"PATH": path, "PYTHONPATH": str(ROOT), "WEFT_URL": server.url, "TERM": "dumb", "HOME": str(tmp_path)}
    assert becomes in typed_into_bash(keys, environ, until=becomes)
