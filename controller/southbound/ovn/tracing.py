"""What would OVN do with a packet? Asked of ovn-trace(8), which reads the southbound database; nothing is sent."""

import subprocess
from collections.abc import Mapping, Sequence

from controller.plugin_errors import TraceUnavailable

PROGRAM, PACKAGE = "ovn-trace", "ovn-common"
DEADLINE_S = 4.0
"""The API waits five seconds for the controller."""
LOOKUPS = 2
"""Of conntrack on the way through one logical switch: when it enters, and when it leaves."""


def trace(remotes: str, files: Mapping[str, str], datapath: str, packet: str, conntrack: str) -> str:
    """Return what ovn-trace prints.

    Args:
        remotes: every server of the southbound database; one that is no leader will do.
        files: ``private-key``, ``certificate`` and ``ca-cert`` for TLS.
        datapath: name of the logical switch.
        packet: in the words of ovn-trace(8), MICROFLOW.
        conntrack: what conntrack says of it, as ``--ct`` takes it.

    Raises:
        TraceUnavailable: It is not installed, or gave no answer.
    """
    argv = [
        *(PROGRAM, f"--db={remotes}", "--no-leader-only", *(f"--{name}={file}" for name, file in files.items())),
        *[f"--ct={conntrack}"] * LOOKUPS,
        *(datapath, packet),
    ]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    except FileNotFoundError:
        raise TraceUnavailable(f"{PROGRAM} is not installed beside the controller: install {PACKAGE}") from None
    except subprocess.TimeoutExpired:
        raise TraceUnavailable(f"{PROGRAM} read the southbound database for more than {DEADLINE_S:g} s") from None
    said = [*done.stderr.splitlines(), *done.stdout.splitlines()]
    if done.returncode != 0 or _has_failed(said):
        raise TraceUnavailable(f"{PROGRAM} says: {said[0] if said else f'nothing, exit code {done.returncode}'}")
    return done.stdout


def _has_failed(lines: Sequence[str]) -> bool:
    return not any(line.startswith("ingress(") for line in lines)
