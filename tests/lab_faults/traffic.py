"""How does a test keep a guest's traffic going and get its balance?"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab.guest import Vm
from tests.lab.process import LabError

PROGRAM = Path(__file__).with_name("guest_traffic.py")
STOP_S = 20.0


class Running:
    """One program in a guest."""

    def __init__(self, running: "subprocess.Popen[bytes]", output: Path) -> None:
        self._running, self._output = running, output

    def stop(self) -> dict[str, Any]:
        """Stop it and return its balance."""
        self._running.terminate()
        self._running.wait(timeout=STOP_S)
        lines = self._output.read_text().strip().splitlines()
        if not lines:
            raise LabError(f"{self._output} is empty: the program did not report")
        balance: dict[str, Any] = json.loads(lines[-1])
        return balance


@contextlib.contextmanager
def running(vm: Vm, *arguments: str) -> Iterator[Running]:
    """Run `guest_traffic.py` in a guest while the block runs."""
    output = vm.directory / f"traffic-{arguments[0]}-{len(list(vm.directory.iterdir()))}"
    started = vm.start([sys.executable, str(PROGRAM), *arguments], output)
    try:
        yield Running(started, output)
    finally:
        if started.poll() is None:
            started.kill()
        started.wait(timeout=STOP_S)
