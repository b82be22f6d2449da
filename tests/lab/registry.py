"""Which laboratories exist on this machine, who owns each, and what remains of the dead ones?

One directory a laboratory under ``/run/weft-lab``: it vanishes at boot, as namespaces do.
"""

import contextlib
import fcntl
import ipaddress
import json
import os
import random
import shutil
import signal
import string
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab import netns
from tests.lab.process import LabError, run

STATE_ROOT = Path("/run/weft-lab")
MARK = "WEFT_LAB"
"""Environment variable every process of a laboratory carries; its value is the laboratory's id."""
ID_LENGTH = 6
MANAGEMENT_RANGE = ipaddress.IPv4Network("198.18.0.0/15")
"""For benchmarks of network devices (RFC 2544 appendix C.2.2, RFC 6890): not to be met in real networks."""
TERMINATION_S = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to use one id; made before anything else of a laboratory exists."""

    id: str
    directory: Path
    """Short path for sockets and databases; removed with the laboratory."""
    management: ipaddress.IPv4Network
    """A /24 no other laboratory uses and the root namespace had no route into."""


@contextlib.contextmanager
def machine_lock() -> Iterator[None]:
    """Hold the one lock all laboratories of this machine share, while names and addresses are chosen."""
    STATE_ROOT.mkdir(mode=0o755, exist_ok=True)
    with (STATE_ROOT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def claim(*, rng: random.Random, wanted: ipaddress.IPv4Network | None = None, kept: bool = False) -> Claim:
    """Take a fresh id and a free management network; `wanted` is preferred when it is free.

    Args:
        rng: where the id and the network come from.
        wanted: the network of an earlier run, so that addresses stay.
        kept: the laboratory outlives this process (``scripts/lab up``); only ``down`` removes it.
    """
    with machine_lock():
        taken = {path.name for path in STATE_ROOT.iterdir()}
        alphabet = string.ascii_lowercase + string.digits
        fresh = next(
            name
            for name in iter(lambda: "".join(rng.choices(alphabet, k=ID_LENGTH)), "")
            if name not in taken and not netns.names(f"{netns.NAMESPACE_PREFIX}{name}-")
        )
        management = _free_network(rng, wanted)
        directory = STATE_ROOT / fresh
        directory.mkdir(mode=0o755)
        owner = {
            "pid": os.getpid(),
            "started": _start_time(os.getpid()),
            "management": str(management),
            "kept": kept,
        }
        (directory / "owner.json").write_text(json.dumps(owner))
    return Claim(id=fresh, directory=directory, management=management)


def _free_network(rng: random.Random, wanted: ipaddress.IPv4Network | None) -> ipaddress.IPv4Network:
    """Choose a /24 that neither the routes of this machine nor another laboratory touch."""
    used = [ipaddress.IPv4Network(owner["management"]) for owner in _owners().values() if "management" in owner]
    for route in json.loads(run(["ip", "-j", "-4", "route", "show", "table", "all"]).stdout or "[]"):
        destination = route.get("dst", "default")
        if destination != "default":
            used.append(ipaddress.IPv4Network(destination, strict=False))
    candidates = list(MANAGEMENT_RANGE.subnets(new_prefix=24))
    rng.shuffle(candidates)
    if wanted is not None:
        candidates.insert(0, wanted)
    for candidate in candidates:
        if not any(candidate.overlaps(other) for other in used):
            return candidate
    raise LabError(f"no free /24 in {MANAGEMENT_RANGE}: remove routes into it, or run scripts/lab sweep")


def _owners() -> dict[str, dict[str, object]]:
    """Read every claim; one that cannot be read belongs to nobody."""
    owners: dict[str, dict[str, object]] = {}
    for directory in STATE_ROOT.iterdir() if STATE_ROOT.is_dir() else ():
        if directory.is_dir():
            try:
                owners[directory.name] = json.loads((directory / "owner.json").read_text())
            except (OSError, ValueError):
                owners[directory.name] = {}
    return owners


def _start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot (proc(5), stat field 22); None if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def is_alive(pid: int) -> bool:
    """Say whether a process still runs; a zombie does not."""
    return _start_time(pid) is not None


def is_owned(owner: dict[str, object]) -> bool:
    """Say whether a living process, or a person (`kept`), still wants the laboratory."""
    if owner.get("kept"):
        return True
    pid = owner.get("pid")
    return isinstance(pid, int) and owner.get("started") is not None and _start_time(pid) == owner["started"]


def kept() -> list[str]:
    """Return the ids of laboratories that outlive the process that made them."""
    return sorted(name for name, owner in _owners().items() if owner.get("kept"))


def processes(lab_id: str) -> set[int]:
    """Return every living process of a laboratory: marked by environment, or inside one of its namespaces."""
    found: set[int] = set()
    needle = f"{MARK}={lab_id}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended while we looked
                if needle in (entry / "environ").read_bytes().split(b"\0"):
                    found.add(int(entry.name))
    for namespace in netns.names(f"{netns.NAMESPACE_PREFIX}{lab_id}-"):
        found |= netns.pids(namespace)
    return {pid for pid in found if is_alive(pid)} - {os.getpid()}


def terminate(found: set[int]) -> None:
    """End processes: asked first, then killed. Zombies of ours count as ended."""
    for signum, patience_s in ((signal.SIGTERM, TERMINATION_S), (signal.SIGKILL, 5.0)):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)
        deadline = time.monotonic() + patience_s
        while found and time.monotonic() < deadline:
            found = {pid for pid in found if is_alive(pid)}
            time.sleep(0.01)
    if found:
        raise LabError(f"processes {sorted(found)} survived SIGKILL")


def remove(lab_id: str) -> None:
    """Remove everything a laboratory made, in whatever state it was left."""
    terminate(processes(lab_id))
    device = root_device(lab_id)
    if Path(f"/sys/class/net/{device}").exists():
        run(["ip", "link", "del", device])
    for namespace in netns.names(f"{netns.NAMESPACE_PREFIX}{lab_id}-"):
        netns.delete(namespace)
    shutil.rmtree(STATE_ROOT / lab_id, ignore_errors=True)


def root_device(lab_id: str) -> str:
    """Return the name of the laboratory's one device in the root namespace."""
    return f"wl-{lab_id}"


def sweep() -> list[str]:
    """Remove the remains of every laboratory whose owner is dead, and return their ids; living ones are not touched."""
    with machine_lock():
        owners = _owners()
        for namespace in netns.names():
            lab_id, separator, _ = namespace.removeprefix(netns.NAMESPACE_PREFIX).partition("-")
            if separator and len(lab_id) == ID_LENGTH:  # others may name namespaces weft-something, too
                owners.setdefault(lab_id, {})
        dead = sorted(lab_id for lab_id, owner in owners.items() if not is_owned(owner))
        for lab_id in dead:
            remove(lab_id)
    return dead
