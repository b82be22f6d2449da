"""What must every process of Weft do to live and die well? Logging, signals, and not outliving its parent."""

import ctypes
import logging
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal a process gets when its parent dies."""


def set_up_logging(level: str) -> None:
    """Log to standard error, one event a line."""
    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for library in ("alembic", "os_ken"):
        logging.getLogger(library).setLevel(logging.WARNING)


def die_with_parent() -> None:
    """Be killed when the parent is, however it ends.

    Raises:
        SystemExit: The parent died during this call.
    """
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(1)


def child_stop_event() -> threading.Event:
    """Return an event that SIGTERM sets; Ctrl-C reaches the whole group, but the parent decides when to stop."""
    event = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: event.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return event
