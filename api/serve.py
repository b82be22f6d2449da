"""How does the API run as a process of its own?

    python -P -m api.serve --database URL --fd N --control PATH --ready-fd M [--log-level LEVEL]

N is a listening TCP socket, inherited; one line is written to M when requests are served. SIGTERM finishes the requests
in flight and ends with status 0; the process dies with its parent.
"""

import argparse
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import WSGITask

from api.app import LARGEST_BODY, create_app
from api.auth import Auth, NoAuth, refuse_exposed
from api.basic import BasicAuth
from api.control import ControlClient
from api.keystone import KeystoneAuth
from api.tokens import TokenAuth
from controller import network_settings
from controller.config import AUTH_MODES
from controller.errors import ConfigurationError, WeftError
from controller.ipam_drivers import settings as ipam_settings
from controller.ipam_drivers.registry import Services
from controller.ipam_drivers.registry import load as load_services
from controller.ipam_drivers.sweeper import Sweeper
from controller.plugins import settings as plugin_settings
from controller.plugins.faces import Faces
from controller.plugins.registry import Registry
from controller.plugins.registry import load as load_plugins
from controller.policy import override
from controller.policy.rights import Policy
from controller.process import die_with_parent, set_up_logging
from controller.store.database import Database

LOG = logging.getLogger("weft.api")

THREADS = 16
_CONNECTIONS = 1000
GARBAGE = (50_000, 20, 20)
"""After how many new objects Python looks for garbage (gc.set_threshold). A list of ports makes tens of thousands that
live until it is sent; to look through them every 700 objects was a tenth of the request."""
_DRAIN_S = 5.0
_LOOP_S = 1.0


class KeepAliveTask(WSGITask):  # type: ignore[misc] # waitress has no types
    """One request; waitress closes the connection after every 204 because it has no Content-Length.

    Ours has one (``api.wire.ApiResponse``), so every answer may be treated as one with a body, if an empty one.
    """

    has_body = True
    wrote_header: bool

    def write(self, data: bytes) -> None:
        """Send head and body at once; waitress sends the head alone first, and a client would be woken twice."""
        if self.complete and not self.wrote_header and self.content_length == len(data):
            self.wrote_header = True
            self.content_bytes_written = len(data)
            self.channel.write_soon(self.build_response_header() + data)
        else:
            super().write(data)


class KeepAliveChannel(HTTPChannel):  # type: ignore[misc] # waitress has no types
    """One client's connection."""

    task_class = KeepAliveTask


class Server:
    """Waitress on an inherited socket, with an end that loses no request."""

    def __init__(self, application: object, listener: socket.socket) -> None:
        self._stopping = False
        self._server = create_server(
            application,
            sockets=[listener],
            threads=THREADS,
            connection_limit=_CONNECTIONS,
            asyncore_use_poll=True,
            max_request_body_size=2 * LARGEST_BODY,  # above ours, so that the refusal is in JSON
            clear_untrusted_proxy_headers=False,
            ident="weft",
        )
        self._server.channel_class = KeepAliveChannel

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Make ``run`` return once what is in flight is answered; a signal handler."""
        self._stopping = True
        self._server.pull_trigger()

    def run(self) -> None:
        """Serve until stopped."""
        while not self._stopping:
            self._turn(_LOOP_S)
        self._server.accepting = False
        deadline = time.monotonic() + _DRAIN_S
        self._turn(0.0)  # what has arrived already counts as in flight
        while self._is_busy() and time.monotonic() < deadline:
            self._turn(0.05)
        self._server.task_dispatcher.shutdown(timeout=_DRAIN_S)
        wasyncore.close_all(self._server._map)  # noqa: SLF001 - as waitress' own close(), which has no drain

    def _turn(self, timeout_s: float) -> None:
        wasyncore.loop(timeout=timeout_s, use_poll=True, map=self._server._map, count=1)  # noqa: SLF001

    def _is_busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the API process; returns its exit status."""
    args = _parser().parse_args(argv)
    die_with_parent()
    set_up_logging(args.log_level)
    logging.getLogger("waitress").setLevel(logging.WARNING)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns whenever 17 requests are under way
    listener = socket.socket(fileno=args.fd)
    try:
        if args.auth == "none":
            refuse_exposed(listener.getsockname()[0])
        settings = network_settings.parse({name: getattr(args, name) for name in network_settings.NAMES})
        policy = override.load(args.policy_file)
        faces = Faces(_plugins(args))
        services = _services(args)
        database = Database(args.database, settings=settings, faces=faces, services=services)
    except WeftError as error:
        sys.stderr.write(f"weft api: {error}\n")
        return 1
    control = ControlClient(args.control)
    database.add_listener(control.wake)
    sweeper = Sweeper(database, services)
    database.add_listener(sweeper.wake)
    try:
        auth = _auth(args, database, policy)
        app = create_app(database, auth=auth, control=control, is_monitoring_open=args.open_monitoring)
    except ConfigurationError as error:
        sys.stderr.write(f"weft api: {error}\n")
        return 1
    server = Server(app, listener)
    signal.signal(signal.SIGTERM, server.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when to stop
    try:
        sweeper.start()
        _spare_garbage_collection()
        _say_ready(args.ready_fd)
        server.run()
    finally:
        sweeper.stop()
        control.close()
        database.close()
    return 0


def _auth(args: argparse.Namespace, database: Database, policy: Policy) -> Auth:
    match args.auth:
        case "basic":
            return BasicAuth(database, policy)
        case "token":
            return TokenAuth(database, policy)
        case "keystone":
            return KeystoneAuth(policy, args.keystone_config)
    return NoAuth(policy)


def _plugins(args: argparse.Namespace) -> Registry:
    names = plugin_settings.names_of(args.enabled_plugins or plugin_settings.DEFAULT)
    return load_plugins(names, plugin_settings.told_on_command_line(args.plugin_setting))


def _services(args: argparse.Namespace) -> Services:
    default = args.ipam_default_driver or ipam_settings.BUILT_IN
    names = ipam_settings.names_of(args.ipam_drivers, default)
    return load_services(names, ipam_settings.told_on_command_line(args.ipam_setting), default=default)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="api.serve", description="Weft's API process; started by `weft serve`.")
    parser.add_argument("--database", required=True, metavar="URL", help="a migrated database")
    parser.add_argument("--fd", required=True, type=int, help="inherited listening TCP socket")
    parser.add_argument("--control", required=True, metavar="PATH", help="unix socket of the controller process")
    parser.add_argument("--auth", default="none", choices=AUTH_MODES, help="how callers prove who they are")
    parser.add_argument("--keystone-config", type=Path, metavar="FILE", help="for mode keystone")
    parser.add_argument("--open-monitoring", action="store_true", help="metrics and health need no credentials")
    parser.add_argument("--policy-file", type=Path, metavar="FILE", help="rules that differ from the table")
    parser.add_argument("--ready-fd", required=True, type=int, help="where to write one line when serving")
    parser.add_argument("--log-level", default="info", metavar="LEVEL", help="debug, info, warning or error")
    network_settings.add_arguments(parser)
    plugin_settings.add_arguments(parser)
    ipam_settings.add_arguments(parser)
    return parser


def _spare_garbage_collection() -> None:
    """Leave what is there for good out of every search for garbage: a search through it all stops every request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)


def _say_ready(ready_fd: int) -> None:
    """Write the line; a parent already gone has closed its end, and BrokenPipeError ends this process too."""
    with os.fdopen(ready_fd, "wb") as ready:
        ready.write(b"ready\n")


if __name__ == "__main__":
    sys.exit(main())
