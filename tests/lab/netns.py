"""What can be done in a network namespace? Make it, delete it, run code or commands inside, set its switches.

Needs root. Only network namespaces known to ip-netns(8) are used, so that they can be found again by name.
"""

import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from tests.lab.process import LabError, run

T = TypeVar("T")

NETNS_DIRECTORY = Path("/run/netns")
"""Where ip-netns(8) keeps one file a namespace."""
CLONE_NEWNET = 0x40000000
"""setns(2): the descriptor must be a network namespace."""
NAMESPACE_PREFIX = "weft-"


def add(name: str) -> None:
    """Make a namespace with its loopback up and without IPv6 on any device to come.

    A host end of a veth that has IPv6 takes a link-local address and sends MLD reports: noise in front of a guest.
    """
    run(["ip", "netns", "add", name])
    run(["ip", "-n", name, "link", "set", "lo", "up"])
    set_ipv6(name, enabled=False)


def delete(name: str) -> None:
    """Delete a namespace if it is there; its devices go with it."""
    if (NETNS_DIRECTORY / name).exists():
        run(["ip", "netns", "del", name])


def names(prefix: str = NAMESPACE_PREFIX) -> list[str]:
    """List the namespaces whose name begins with `prefix`."""
    if not NETNS_DIRECTORY.is_dir():
        return []
    return sorted(entry.name for entry in NETNS_DIRECTORY.iterdir() if entry.name.startswith(prefix))


def pids(name: str) -> set[int]:
    """Return the processes that run inside a namespace."""
    return {int(word) for word in run(["ip", "netns", "pids", name]).stdout.split()}


def command(name: str, argv: Sequence[str]) -> list[str]:
    """Wrap a command so that it runs inside; ip replaces itself by it, so the process id is the command's own."""
    return ["ip", "netns", "exec", name, *argv]


def inside(name: str, function: Callable[[], T]) -> T:
    """Call `function` inside a namespace and return its result; sockets it opens stay there.

    setns(2) moves one thread only, so the call happens in a thread of its own and ours never leaves.

    Raises:
        LabError: the namespace cannot be entered. Whatever `function` raises comes through as it is.
    """
    results: list[T] = []
    failures: list[BaseException] = []

    def enter() -> None:
        try:
            descriptor = os.open(NETNS_DIRECTORY / name, os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(descriptor, CLONE_NEWNET):
                    reason = os.strerror(ctypes.get_errno())
                    raise LabError(f"cannot enter network namespace {name}: {reason}")
            finally:
                os.close(descriptor)
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - handed on to the calling thread, whatever it is
            failures.append(error)

    thread = threading.Thread(target=enter, name=f"inside-{name}")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def set_ipv6(name: str, *, enabled: bool) -> None:
    """Switch IPv6 on or off for the devices of a namespace, present and future (kernel ip-sysctl, disable_ipv6)."""

    def write() -> None:
        for scope in ("all", "default"):
            switch = Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6")
            if switch.exists():  # a kernel without IPv6 has nothing to switch
                switch.write_text("0" if enabled else "1")

    inside(name, write)
