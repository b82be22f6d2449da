"""Where is the OVN cluster? What the operator wrote under ``[plugins.ovn]``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.errors import ConfigurationError

_REMOTE = re.compile(r"(tcp|ssl):(\[[0-9a-fA-F:.%]+\]|[^:\[\],]+):\d{1,5}|unix:[^,]+")
"""ovsdb(7), Active Connection Methods."""
_REMOTES = ("northbound", "southbound")
_FILES = ("private_key", "certificate", "ca_certificate")
HEARTBEAT = "heartbeat"
HEARTBEAT_S = 10.0
"""Each beat makes every chassis write one row."""
HEARTBEAT_OFF = 0.0
INTEGRATION_BRIDGE = "integration_bridge"
DEFAULT_BRIDGE = "br-int"
_BRIDGE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
"""A name of a network device (Linux IFNAMSIZ less one)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to reach the cluster; remotes as python-ovs takes them, all members of each database."""

    northbound: str
    southbound: str
    private_key: str | None = None
    certificate: str | None = None
    ca_certificate: str | None = None
    heartbeat_s: float = HEARTBEAT_S
    """Between the questions whether chassis are alive; 0: they are never asked."""
    integration_bridge: str = DEFAULT_BRIDGE
    """That of ovn-controller on every chassis (ovn-controller(8), external_ids:ovn-bridge)."""

    def tls_files(self) -> dict[str, str]:
        """Return the files for TLS as OVN's programs name them (ovn-trace(8), Public Key Infrastructure Options)."""
        named = {"private-key": self.private_key, "certificate": self.certificate, "ca-cert": self.ca_certificate}
        return {name: file for name, file in named.items() if file is not None}


def settings_of(told: Mapping[str, str]) -> Settings:
    """Return what was written, checked.

    Raises:
        ConfigurationError: a setting is missing, unknown, or no remote.
    """
    known = (*_REMOTES, *_FILES, HEARTBEAT, INTEGRATION_BRIDGE)
    unknown = sorted(told.keys() - {*known})
    if unknown:
        raise ConfigurationError(f"[plugins.ovn] has no setting {unknown[0]}: there are {', '.join(known)}")
    bridge = told.get(INTEGRATION_BRIDGE, DEFAULT_BRIDGE)
    if not _BRIDGE.fullmatch(bridge):
        raise ConfigurationError(f"[plugins.ovn] {INTEGRATION_BRIDGE}: {bridge!r} is not the name of a bridge")
    for name in _REMOTES:
        _check_remotes(name, told.get(name, ""))
    if any("ssl:" in told[name] for name in _REMOTES):
        for name in _FILES:
            if name not in told:
                raise ConfigurationError(f"[plugins.ovn] {name} is missing: ssl: needs {', '.join(_FILES)}")
            if not Path(told[name]).is_file():
                raise ConfigurationError(f"[plugins.ovn] {name}: there is no file {told[name]}")
    return Settings(
        northbound=told["northbound"].replace(" ", ""),
        southbound=told["southbound"].replace(" ", ""),
        **{name: told[name] for name in _FILES if name in told},
        heartbeat_s=_seconds(told.get(HEARTBEAT)),
        integration_bridge=bridge,
    )


def _seconds(written: str | None) -> float:
    try:
        seconds = HEARTBEAT_S if written is None else float(written)
    except ValueError:
        seconds = -1.0
    if not HEARTBEAT_OFF <= seconds < float("inf"):
        raise ConfigurationError(
            f"[plugins.ovn] {HEARTBEAT}: {written!r} is no number of seconds; {HEARTBEAT_OFF:g} asks no chassis"
        )
    return seconds


def _check_remotes(name: str, written: str) -> None:
    if not written.strip():
        raise ConfigurationError(
            f"[plugins.ovn] {name} is missing: name the servers of the database, for example tcp:192.0.2.1:6641"
        )
    for remote in written.split(","):
        if not _REMOTE.fullmatch(remote.strip()):
            raise ConfigurationError(
                f"[plugins.ovn] {name}: {remote.strip()!r} is not tcp:HOST:PORT, ssl:... or unix:..."
            )
