"""The controller process: what `weft serve` starts beside the API.

    python -P -m controller.main --database URL --fd N --control PATH --ready-fd M [--advertise IP:PORT]
        [--log-level L] [--usage-period SECONDS] [--usage-sample SECONDS] [--usage-keep DAYS]
        [--seen-addresses-keep SECONDS] [--journal-keep CHANGES]

`N` is the inherited listening socket for switches; a line is written to `M` when everything runs.
"""

import argparse
import logging
import os
import socket
from pathlib import Path

from controller import memory
from controller.app import Controller
from controller.config import Address
from controller.errors import WeftError
from controller.journal_settings import JOURNAL_KEEP
from controller.plugins import settings as plugin_settings
from controller.plugins.faces import Faces
from controller.plugins.registry import load as load_plugins
from controller.process import child_stop_event, die_with_parent, set_up_logging
from controller.seen_settings import SEEN_ADDRESSES_KEEP
from controller.store.database import Database
from controller.usage.settings import NAMES as USAGE_NAMES
from controller.usage.settings import add_arguments as add_usage_arguments
from controller.usage.settings import parse as usage_settings

_log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM and return the exit code."""
    parser = argparse.ArgumentParser(prog="weft-controller", description=__doc__)
    parser.add_argument("--database", required=True)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    parser.add_argument("--advertise")
    parser.add_argument("--log-level", default="info")
    add_usage_arguments(parser)
    SEEN_ADDRESSES_KEEP.add_arguments(parser)
    JOURNAL_KEEP.add_arguments(parser)
    plugin_settings.add_arguments(parser)
    args = parser.parse_args(argv)
    die_with_parent()
    set_up_logging(args.log_level)
    stopping = child_stop_event()
    memory.expect_much()
    names = plugin_settings.names_of(args.enabled_plugins or plugin_settings.DEFAULT)
    plugins = load_plugins(names, plugin_settings.told_on_command_line(args.plugin_setting))
    controller = Controller(
        database=Database(args.database, faces=Faces(plugins)),
        listener=socket.socket(fileno=args.fd),
        advertise=Address.parse("openflow-advertise", args.advertise) if args.advertise else None,
        control=args.control,
        usage=usage_settings({name: getattr(args, name) for name in USAGE_NAMES}),
        seen_keep_s=SEEN_ADDRESSES_KEEP.parse(getattr(args, SEEN_ADDRESSES_KEEP.name)),
        journal_keep=JOURNAL_KEEP.parse(getattr(args, JOURNAL_KEEP.name)),
        on_loaded=memory.keep_all,
    )
    try:
        controller.start()
    except (WeftError, OSError) as error:
        _log.error("controller_not_started error=%s", error)
        return 1
    with os.fdopen(args.ready_fd, "w") as ready:
        ready.write("ready\n")
    stopping.wait()
    controller.stop()
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # The memory goes back as a whole: to free it object by object takes seconds in a large cloud, without a controller.
    os._exit(code)
