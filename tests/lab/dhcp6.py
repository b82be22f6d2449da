"""How does a guest ask over DHCPv6? With ISC's client; everything it was told is kept."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.lab import process
from tests.lab.guest import Vm
from tests.lab.process import eventually

SCRIPT = """#!/bin/sh
# Called by dhclient(8) with the event in $reason (dhclient-script(8)); applies an address as distributions do.
case $reason in
BOUND6|REBIND6|RENEW6)
    [ -z "$new_ip6_address" ] || ip -6 addr replace "$new_ip6_address/128" dev "$interface" nodad
    ;;
esac
env > "$(dirname "$0")/.writing"
mv "$(dirname "$0")/.writing" "$(dirname "$0")/event-$reason"
"""
CONF = """\
timeout 6;
request dhcp6.name-servers, dhcp6.domain-search;
"""
GOOD_EVENTS = ("BOUND6", "RENEW6", "REBIND6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease6:
    """What the client was given."""

    address: str | None
    dns: tuple[str, ...]
    variables: Mapping[str, str]


def wait_for_link_local(vm: Vm, timeout_s: float = 5.0) -> str:
    """Wait until the guest's link-local address is its own (RFC 4862 section 5.4), and return it."""

    def found() -> str | None:
        shown = vm.run(["ip", "-6", "addr", "show", "dev", "eth0", "scope", "link", "-tentative"]).stdout
        match = re.search(r"inet6 (\S+)/", shown)
        return match[1] if match else None

    return eventually(found, timeout_s, f"{vm.name}: a link-local address that is not tentative")


def ask(vm: Vm, what: Literal["address", "options"], timeout_s: float = 8.0) -> Lease6 | None:
    """Run ``dhclient -6`` once, for an address (IA_NA) or for options alone (``-S``); None when nobody answered."""
    wait_for_link_local(vm)
    number = len(list(vm.directory.glob("dhcp6-*")))
    directory = vm.directory / f"dhcp6-{number:03d}"
    directory.mkdir()
    _write(directory)
    files = {"-sf": "script", "-lf": "leases", "-pf": "pid", "-cf": "conf"}
    paths = [word for option, name in files.items() for word in (option, str(directory / name))]
    kind = [] if what == "address" else ["-S"]
    # -d stays in the foreground, and for ever: the client is ended once it has called the script, or has given up.
    command = ["dhclient", "-6", "-d", "-1", *kind, *paths, "eth0"]
    limited = ["timeout", "--signal=KILL", f"{timeout_s:g}", "sh", "-c", _until_told(command, directory)]
    vm.run(limited, timeout_s=timeout_s + 5, check=False)
    for event in GOOD_EVENTS:
        if (directory / f"event-{event}").exists():
            return _lease(directory / f"event-{event}")
    return None


def _until_told(command: list[str], directory: Path) -> str:
    """Return a shell script that runs the client until one of the good events, or its end."""
    done = " || ".join(f"[ -e {shlex.quote(str(directory / f'event-{event}'))} ]" for event in GOOD_EVENTS)
    log = shlex.quote(str(directory / "client.log"))
    return (
        f"{shlex.join(command)} > {log} 2>&1 & client=$!; "
        f"while kill -0 $client 2>/dev/null; do if {done}; then kill -9 $client; break; fi; sleep 0.05; done"
    )


def _write(directory: Path) -> None:
    script = directory / "script"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    (directory / "conf").write_text(CONF)
    (directory / "leases").touch()


def _lease(path: Path) -> Lease6:
    entries = (line.partition("=") for line in path.read_text().splitlines())
    variables = {name: value for name, _, value in entries}
    servers = tuple(variables.get("new_dhcp6_name_servers", "").split())
    return Lease6(address=variables.get("new_ip6_address"), dns=servers, variables=variables)


def tail(vm: Vm) -> str:
    """Return the end of every client's log, for a message."""
    return "\n".join(process.tail(log) for log in sorted(vm.directory.glob("dhcp6-*/client.log")))
