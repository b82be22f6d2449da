"""``weft serve``: run the API and the controller."""

import argparse
import sys
from pathlib import Path

from controller.config import AUTH_MODES, DEFAULT_API, DEFAULT_DATABASE, DEFAULT_OPENFLOW, load
from controller.errors import ConfigurationError, WeftError
from controller.ipam_drivers import settings as ipam_settings
from controller.journal_settings import JOURNAL_KEEP
from controller.network_settings import NAMES
from controller.network_settings import add_arguments as add_network_arguments
from controller.plugins import settings as plugin_settings
from controller.process import set_up_logging
from controller.seen_settings import SEEN_ADDRESSES_KEEP
from controller.supervisor import Supervisor
from controller.usage.settings import NAMES as USAGE_NAMES
from controller.usage.settings import add_arguments as add_usage_arguments

USAGE = 2
"""Exit status of a wrong configuration."""
FAILED = 1
_NAMES = (
    "database",
    "api_listen",
    "openflow_listen",
    "openflow_advertise",
    "auth",
    "keystone_config",
    "open_monitoring",
    "policy_file",
    "log_level",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``weft serve``."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file, same names as the flags")
    parser.add_argument("--database", metavar="URL", help=f"SQLAlchemy URL (default {DEFAULT_DATABASE})")
    parser.add_argument("--api-listen", metavar="HOST:PORT", help=f"REST API (default {DEFAULT_API}; port 0: any)")
    parser.add_argument("--openflow-listen", metavar="HOST:PORT", help=f"switches (default {DEFAULT_OPENFLOW})")
    parser.add_argument("--openflow-advertise", metavar="HOST:PORT", help="what switches are told to connect to")
    parser.add_argument(
        "--auth",
        metavar="MODE",
        help=f"{', '.join(AUTH_MODES)} (default none: every caller is an administrator, loopback only)",
    )
    parser.add_argument("--keystone-config", metavar="FILE", help="INI file with [keystone_authtoken]")
    parser.add_argument("--open-monitoring", metavar="BOOL", help="true: /metrics and /healthz need no credentials")
    parser.add_argument("--policy-file", metavar="FILE", help="TOML file of rules that differ from docs/policy.md")
    parser.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error (default info)")
    add_network_arguments(parser)
    add_usage_arguments(parser)
    SEEN_ADDRESSES_KEEP.add_arguments(parser)
    JOURNAL_KEEP.add_arguments(parser)
    plugin_settings.add_arguments(parser)
    ipam_settings.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM; return 0 after a clean stop, 1 when something failed, 2 for a wrong configuration."""
    names = (
        "database",
        "api_listen",
        "openflow_listen",
        "openflow_advertise",
        "auth",
        "keystone_config",
        "open_monitoring",
        "policy_file",
        "log_level",
        "enabled_plugins",
        *NAMES,
        *USAGE_NAMES,
        SEEN_ADDRESSES_KEEP.name,
        JOURNAL_KEEP.name,
        *ipam_settings.NAMES,
    )
    try:
        told = plugin_settings.told_on_command_line(args.plugin_setting)
        ipam = ipam_settings.told_on_command_line(args.ipam_setting)
        config = load(args.config, {name: getattr(args, name) for name in names}, told, ipam)
        set_up_logging(config.log_level)
        return Supervisor(config).run()
    except ConfigurationError as error:
        sys.stderr.write(f"weft serve: {error}\n")
        return USAGE
    except WeftError as error:
        sys.stderr.write(f"weft serve: {error}\n")
        return FAILED
