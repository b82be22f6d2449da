"""How does the laboratory run a command, and wait for something to become true? With a deadline, always."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeVar

POLL_S = 0.02
T = TypeVar("T")


class LabError(RuntimeError):
    """The laboratory itself failed, not the product under test."""


class CommandError(LabError):
    """A command ended with an error or not in time."""

    def __init__(self, argv: Sequence[str], outcome: str, stdout: str, stderr: str) -> None:
        self.argv = tuple(argv)
        self.stdout = stdout
        self.stderr = stderr
        super().__init__(f"{' '.join(argv)}: {outcome}\n{stdout[-2000:]}{stderr[-2000:]}".rstrip())


def run(
    argv: Sequence[str],
    *,
    timeout_s: float = 30.0,
    check: bool = True,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return what it printed.

    Raises:
        CommandError: it did not end in time, or ended with an error and `check` is true.
    """
    try:
        done = subprocess.run(
            list(argv), input=stdin, capture_output=True, text=True, timeout=timeout_s, env=env, cwd=cwd, check=False
        )
    except subprocess.TimeoutExpired as error:
        partial = [
            part.decode(errors="replace") if isinstance(part, bytes) else part or ""
            for part in (error.stdout, error.stderr)
        ]
        raise CommandError(argv, f"not finished after {timeout_s:g} s", *partial) from error
    if check and done.returncode:
        raise CommandError(argv, f"exit code {done.returncode}", done.stdout, done.stderr)
    return done


def start(
    argv: Sequence[str], *, env: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes], cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that Ctrl-C at the terminal reaches us and not it."""
    return subprocess.Popen(
        list(argv),
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        start_new_session=True,
    )


def eventually(
    predicate: Callable[[], T | None], timeout_s: float, message: str | Callable[[], str], *, every_s: float = POLL_S
) -> T:
    """Call `predicate` until it returns something true, and return that.

    Raises:
        TimeoutError: with `message` (or what it returns), when `timeout_s` has passed.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        if found := predicate():
            return found
        if time.monotonic() >= deadline:
            text = message if isinstance(message, str) else message()
            last = f" (last seen: {found!r})" if found not in (None, False) else ""
            raise TimeoutError(f"not within {timeout_s:g} s: {text}{last}")
        time.sleep(every_s)


def tail(path: Path, lines: int = 40) -> str:
    """Return the last lines of a text file, or a note that there is none."""
    if not path.exists():
        return f"({path} does not exist)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
