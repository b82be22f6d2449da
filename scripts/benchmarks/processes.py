"""What did a process cost? Processor time to the nanosecond and memory, read from the kernel."""

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

CPUCLOCK_SCHED = 2
"""clock_getcpuclockid(3): the clock of all threads of a process, ``~pid << 3 | 2`` (linux/posix-timers.h)."""


def cpu_s(pid: int) -> float:
    """Return the processor seconds a living process has used."""
    return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)


def cpus_s(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the processor seconds of several processes by name."""
    return {name: cpu_s(pid) for name, pid in pids.items()}


def rss_mb(pid: int) -> float:
    """Return the resident memory (proc(5), VmRSS) in MB."""
    return _status(pid, "VmRSS") / 1024


def threads(pid: int) -> int:
    """Return the number of threads."""
    return _status(pid, "Threads")


def _status(pid: int, key: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise ValueError(f"/proc/{pid}/status has no {key}")


def children(pid: int) -> dict[str, int]:
    """Return the direct children of a process by the module they run (``python -m MODULE``) or their name."""
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if not entry.name.isdigit():
                continue
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) != pid:
                continue
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            name = words[words.index("-m") + 1] if "-m" in words else words[0]
            found[Path(name).name] = int(entry.name)
    return found
