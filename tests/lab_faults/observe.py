"""What did a switch really receive, and what does a process really use? Counted outside of the product."""

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.lab.hypervisor import Hypervisor
from tests.lab.process import LabError
from tests.lab.weft import Weft

RECEIVED = re.compile(r"received: (OFPT_FLOW_MOD|OFPT_GROUP_MOD|OFPT_METER_MOD|OFPT_BUNDLE_ADD_MESSAGE|OFPT_TABLE_MOD)")
DROPPED = re.compile(r"vconn.*Dropped \d+ log messages")
AGE = re.compile(r"duration[=:](\d+(?:\.\d+)?)s")


class Wire:
    """Counts what asks a switch to change, in the log of its own connections (ovs-appctl vlog/set vconn:file:dbg)."""

    def __init__(self, *hosts: Hypervisor) -> None:
        self._hosts = hosts
        self._from: dict[str, int] = {}
        for host in hosts:
            host.appctl("vlog/set", "vconn:file:dbg")
        self.restart()

    def restart(self) -> None:
        """Count from now on."""
        self._from = {host.name: self._log(host).stat().st_size for host in self._hosts}

    def modifications(self) -> dict[str, Counter[str]]:
        """Return how many messages of which type changed each switch since `restart`.

        Raises:
            LabError: Open vSwitch dropped log lines, so that they cannot be counted.
        """
        found = {}
        for host in self._hosts:
            host.ofctl("show", "br-int")  # a question of our own must be in the log, or it is blind
            with self._log(host).open("rb") as log:
                log.seek(self._from[host.name])
                text = log.read().decode(errors="replace")
            if DROPPED.search(text):
                raise LabError(f"{host.name}: Open vSwitch dropped log messages; flow-mods cannot be counted")
            if "|vconn|DBG|" not in text:
                raise LabError(f"{host.name}: nothing was logged of OpenFlow; is the log level set?")
            found[host.name] = Counter(RECEIVED.findall(text))
        return found

    def quiet(self) -> None:
        """Log no more."""
        for host in self._hosts:
            host.appctl("vlog/set", "vconn:file:info")

    @staticmethod
    def _log(host: Hypervisor) -> Path:
        return host.place.logs / "ovs-vswitchd.log"


def youngest_s(host: Hypervisor) -> float:
    """Return the age of the flow, group or meter of br-int that was made last."""
    texts = (
        *(line for line in host.ofctl("dump-flows", "br-int").splitlines() if "cookie=0x0," not in line),
        host.ofctl("dump-group-stats", "br-int"),
        host.ofctl("meter-stats", "br-int"),
    )
    return min(float(age) for text in texts for age in AGE.findall(text))


def contents(host: Hypervisor) -> dict[str, list[str]]:
    """Return everything Weft writes on a bridge, without counters, in an order that two dumps share."""
    return {
        "flows": host.flows(),
        "groups": sorted(line.strip() for line in host.ofctl("dump-groups", "br-int").splitlines()[1:]),
        "meters": sorted(host.ofctl("dump-meters", "br-int").split("\n\n")),
    }


def child(weft: Weft, module: str = "controller.main") -> int:
    """Return the process id of a child of ``weft serve``.

    Raises:
        LabError: There is none now.
    """
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended while we looked
        if parent == weft.pid and module.encode() in words:
            return int(entry.name)
    raise LabError(f"weft serve has no child {module} now")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process holds."""

    threads: int
    descriptors: int
    rss_kib: int

    @classmethod
    def of(cls, pid: int) -> "Usage":
        """Read it (proc(5))."""
        place = Path(f"/proc/{pid}")
        status = (place / "status").read_text()
        resident = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        if resident is None:
            raise LabError(f"process {pid} has ended")
        return cls(
            threads=len(os.listdir(place / "task")),  # noqa: PTH208 - names only
            descriptors=len(os.listdir(place / "fd")),  # noqa: PTH208
            rss_kib=int(resident[1]),
        )
