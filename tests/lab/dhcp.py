"""How does a guest get its address? By a real DHCP client, and everything the client was told is kept.

The two clients call the same script on every event; it applies what was given as a guest's distribution would, and
writes down every variable, so that a test can see exactly what arrived.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SCRIPT = """#!/bin/sh
# Called by udhcpc(8) with the event as $1, by dhclient(8) with the event in $reason (dhclient-script(8)).
record=$(dirname "$0")
event=${1:-$reason}
mask_bits() {
    bits=0
    for octet in $(echo "$1" | tr . ' '); do
        while [ "$octet" -gt 0 ]; do bits=$((bits + octet % 2)); octet=$((octet / 2)); done
    done
    echo "$bits"
}
apply() { # device address prefix-length mtu router routes
    [ -z "$4" ] || ip link set dev "$1" mtu "$4"
    ip -4 addr flush dev "$1"
    ip addr add "$2/$3" dev "$1"
    # RFC 3442: with option 121 the router option is ignored.
    if [ -n "$6" ]; then
        set -- "$1" $6
        device=$1; shift
        while [ $# -ge 2 ]; do
            if [ "$2" = 0.0.0.0 ]; then ip route replace "$1" dev "$device"
            else ip route replace "$1" via "$2" dev "$device" onlink; fi
            shift 2
        done
    elif [ -n "$5" ]; then
        ip route replace default via "${5%% *}" dev "$1"
    fi
}
classless() { # dhclient prints option 121 as numbers: length, significant octets, router
    set -- $1
    while [ $# -ge 5 ]; do
        length=$1; shift
        destination= ; count=0
        for position in 1 2 3 4; do
            if [ $((count * 8)) -lt "$length" ]; then destination=$destination.$1; shift; count=$((count + 1))
            else destination=$destination.0; fi
        done
        printf '%s/%s %s.%s.%s.%s ' "${destination#.}" "$length" "$1" "$2" "$3" "$4"
        shift 4
    done
}
case $event in
bound|renew)
    apply "$interface" "$ip" "$mask" "$mtu" "$router" "$staticroutes"
    ;;
deconfig)
    ip -4 addr flush dev "$interface"
    ;;
PREINIT)
    ip link set dev "$interface" up
    ;;
BOUND|RENEW|REBIND|REBOOT)
    apply "$interface" "$new_ip_address" "$(mask_bits "$new_subnet_mask")" "$new_interface_mtu" "$new_routers" \\
        "$(classless "$new_rfc3442_classless_static_routes")"
    ;;
esac
number=$(ls "$record" | grep -c '^event-')
env -0 > "$record/.writing"
mv "$record/.writing" "$record/event-$(printf %03d "$number")-$event"
"""

DHCLIENT_CONF = """\
option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;
request subnet-mask, broadcast-address, routers, domain-name, domain-name-servers, domain-search, interface-mtu,
        ntp-servers, rfc3442-classless-static-routes;
timeout 20;
retry 5;
initial-interval 1;
backoff-cutoff 2;
"""

GOOD_EVENTS = ("bound", "renew", "BOUND", "RENEW", "REBIND", "REBOOT")
FAILED_EVENTS = ("leasefail", "FAIL", "TIMEOUT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What a DHCP client was given."""

    event: str
    """``bound`` or ``renew`` (udhcpc); ``BOUND``, ``RENEW``, ``REBIND`` or ``REBOOT`` (dhclient)."""
    address: str
    prefix_length: int
    router: str | None
    dns: tuple[str, ...]
    mtu: int | None
    lease_s: int | None
    server_id: str | None
    routes: tuple[tuple[str, str], ...]
    """(destination, router) pairs of option 121."""
    variables: Mapping[str, str]
    """Every variable the client gave its script, under the client's own names."""


def udhcpc_command(directory: Path, *, stay: bool, tries: int, options: tuple[str, ...]) -> list[str]:
    """Return the command for busybox's client: foreground, our script, ends after one lease unless `stay`."""
    argv = ["udhcpc", "-f", "-i", "eth0", "-s", str(directory / "script"), "-t", str(tries), "-T", "1", "-A", "1"]
    argv += ["-n"]  # give up when there is no answer, instead of going on in silence
    argv += [] if stay else ["-q"]
    for wanted in ("mtu", "staticroutes", "ntpsrv", "search"):
        argv += ["-O", wanted]
    return argv + list(options)


def dhclient_command(directory: Path) -> list[str]:
    """Return the command for ISC's client: foreground, our script, its own lease, pid and configuration files."""
    files = ["-sf", "script", "-lf", "leases", "-pf", "pid", "-cf", "conf"]
    paths = [word if word.startswith("-") else str(directory / word) for word in files]
    return ["dhclient", "-4", "-d", "-1", *paths, "eth0"]


def prepare(directory: Path) -> None:
    """Write the script and the configuration into a fresh directory."""
    directory.mkdir(parents=True, exist_ok=True)
    script = directory / "script"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    (directory / "conf").write_text(DHCLIENT_CONF)
    (directory / "leases").touch()


def events(directory: Path) -> list[tuple[str, dict[str, str]]]:
    """Return what the script wrote down: (event, variables) in order."""
    found = []
    for path in sorted(directory.glob("event-*")):
        entries = (entry.partition("=") for entry in path.read_text(errors="replace").split("\0") if entry)
        found.append((path.name.split("-", 2)[2], {name: text for name, _, text in entries}))
    return found


def lease(event: str, variables: Mapping[str, str]) -> Lease:
    """Read a lease out of the variables of either client."""
    if event in ("bound", "renew"):
        return _from_udhcpc(event, variables)
    return _from_dhclient(event, variables)


def _from_udhcpc(event: str, given: Mapping[str, str]) -> Lease:
    words = given.get("staticroutes", "").split()
    return Lease(
        event=event,
        address=given["ip"],
        prefix_length=int(given["mask"]),
        router=given.get("router", "").split(" ")[0] or None,
        dns=tuple(given.get("dns", "").split()),
        mtu=_number(given.get("mtu")),
        lease_s=_number(given.get("lease")),
        server_id=given.get("serverid"),
        routes=tuple(zip(words[::2], words[1::2], strict=True)),
        variables=dict(given),
    )


def _from_dhclient(event: str, given: Mapping[str, str]) -> Lease:
    mask = given["new_subnet_mask"]
    return Lease(
        event=event,
        address=given["new_ip_address"],
        prefix_length=sum(int(octet).bit_count() for octet in mask.split(".")),
        router=given.get("new_routers", "").split(" ")[0] or None,
        dns=tuple(given.get("new_domain_name_servers", "").split()),
        mtu=_number(given.get("new_interface_mtu")),
        lease_s=_number(given.get("new_dhcp_lease_time")),
        server_id=given.get("new_dhcp_server_identifier"),
        routes=tuple(_classless(given.get("new_rfc3442_classless_static_routes", ""))),
        variables=dict(given),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text else None


def _classless(text: str) -> list[tuple[str, str]]:
    """Read option 121 as dhclient prints it: prefix length, significant octets, router (RFC 3442)."""
    octets = text.split()
    routes = []
    while octets:
        length = int(octets.pop(0))
        significant = (length + 7) // 8
        destination = [*octets[:significant], *(["0"] * (4 - significant))]
        router = octets[significant : significant + 4]
        routes.append((f"{'.'.join(destination)}/{length}", ".".join(router)))
        del octets[: significant + 4]
    return routes
