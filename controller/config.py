"""How was Weft told to run? One value from flags and file; a wrong one is an error that names the setting."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path

from controller import extension_points, network_settings
from controller.errors import ConfigurationError
from controller.ipam_drivers import settings as ipam_settings
from controller.journal_settings import JOURNAL_KEEP
from controller.plugins import settings as plugin_settings
from controller.policy import override
from controller.policy.rights import Policy
from controller.seen_settings import SEEN_ADDRESSES_KEEP
from controller.store.transaction import Settings
from controller.usage import settings as usage_settings

DEFAULT_DATABASE = "sqlite:///var/weft.db"
DEFAULT_API = "127.0.0.1:9696"
AUTH_MODES = ("none", "basic", "token", "keystone")
DEFAULT_OPENFLOW = "127.0.0.1:6653"


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return ``HOST:PORT``, with brackets around IPv6."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_wildcard(self) -> bool:
        """Whether it means every local address."""
        return ip_address(self.host).is_unspecified

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ip_address(self.host).is_loopback

    @classmethod
    def parse(cls, setting: str, text: str) -> "Address":
        """Return the address `text` names.

        Raises:
            ConfigurationError: It is no IP:PORT.
        """
        host, _, port = text.rpartition(":")
        host = host.strip("[]")
        host = "127.0.0.1" if host == "localhost" else host
        try:
            ip_address(host)
            number = int(port)
        except ValueError:
            number = -1
        if not 0 <= number <= 65535:  # noqa: PLR2004 - TCP port numbers
            raise ConfigurationError(f"{setting}: {text!r} is not IP:PORT, for example 127.0.0.1:9696")
        return cls(host, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything `weft serve` can be told; names are those of the flags, with underscores."""

    database: str = DEFAULT_DATABASE
    api_listen: str = DEFAULT_API
    openflow_listen: str = DEFAULT_OPENFLOW
    openflow_advertise: str | None = None
    auth: str = "none"
    keystone_config: str | None = None
    open_monitoring: str = "false"
    policy_file: str | None = None
    log_level: str = "info"
    default_network_type: str = "vxlan"
    vxlan_ranges: str = "1:16777215"
    geneve_ranges: str = "1:16777215"
    vlan_ranges: str = ""
    flat_networks: str = ""
    underlay_mtu: str = "1500"
    physnet_mtus: str = ""
    overlay_ip_version: str = "4"
    usage_period: str = "60"
    usage_sample: str = "300"
    usage_keep: str = "30"
    ipam_quarantine: str = "0"
    quotas: str = ""
    seen_addresses_keep: str = SEEN_ADDRESSES_KEEP.default
    journal_keep: str = JOURNAL_KEEP.default
    enabled_plugins: str = plugin_settings.DEFAULT
    ipam_drivers: str = ""
    ipam_default_driver: str = ipam_settings.BUILT_IN
    ipam: extension_points.Told = field(default_factory=dict)
    """What each IPAM driver is told; in the file ``[ipam.NAME]``."""
    plugins: extension_points.Told = field(default_factory=dict)
    """What each plug-in is told; in the file ``[plugins.NAME]``."""

    @property
    def plugin_flags(self) -> list[str]:
        """What tells another process of ours the same about plug-ins."""
        return plugin_settings.flags(plugin_settings.names_of(self.enabled_plugins), self.plugins)

    @property
    def ipam_flags(self) -> list[str]:
        """What tells the API process the same about IPAM drivers."""
        names = ipam_settings.names_of(self.ipam_drivers, self.ipam_default_driver)
        return ipam_settings.flags(names, self.ipam_default_driver, self.ipam)

    @property
    def usage_flags(self) -> list[str]:
        """What tells the controller process the same about usage."""
        return usage_settings.flags({name: getattr(self, name) for name in usage_settings.NAMES})

    @property
    def seen_flags(self) -> list[str]:
        """What tells the controller process the same about addresses somebody was seen to use."""
        return SEEN_ADDRESSES_KEEP.flags(self.seen_addresses_keep)

    @property
    def journal_flags(self) -> list[str]:
        """What tells the controller process the same about the journal."""
        return JOURNAL_KEEP.flags(self.journal_keep)

    @property
    def usage(self) -> usage_settings.UsageSettings:
        """What the operator chose about usage."""
        return usage_settings.parse({name: getattr(self, name) for name in usage_settings.NAMES})

    @property
    def network_flags(self) -> list[str]:
        """What tells another process of ours the same about networks."""
        return network_settings.flags({name: getattr(self, name) for name in network_settings.NAMES})

    @property
    def access_flags(self) -> list[str]:
        """What tells the API process who may use it."""
        is_open = self.api.is_loopback or self.open_monitoring == "true"
        files = (("--keystone-config", self.keystone_config), ("--policy-file", self.policy_file))
        return [
            *("--auth", self.auth),
            *(["--open-monitoring"] if is_open else []),
            *(part for flag, value in files if value is not None for part in (flag, value)),
        ]

    @property
    def policy(self) -> Policy:
        """Who may do what."""
        return override.load(None if self.policy_file is None else Path(self.policy_file))

    @property
    def settings(self) -> Settings:
        """What the operator chose about networks."""
        return network_settings.parse({name: getattr(self, name) for name in network_settings.NAMES})

    @property
    def api(self) -> Address:
        """Where the REST API listens."""
        return Address.parse("api-listen", self.api_listen)

    @property
    def openflow(self) -> Address:
        """Where switches connect."""
        return Address.parse("openflow-listen", self.openflow_listen)

    @property
    def advertise(self) -> Address | None:
        """What switches are told to connect to, when it was set."""
        if self.openflow_advertise is None:
            return None
        return Address.parse("openflow-advertise", self.openflow_advertise)


def load(
    path: Path | None,
    flags: Mapping[str, str | None],
    told: extension_points.Told | None = None,
    ipam: extension_points.Told | None = None,
) -> Config:
    """Return the configuration of a TOML file (same names as the flags, dashes or underscores) with the flags on top.

    Args:
        path: the file, if there is one.
        flags: settings of the command line; None for one that was not given.
        told: what the command line tells plug-ins.
        ipam: what it tells IPAM drivers.

    Raises:
        ConfigurationError: The file cannot be read, has an unknown setting, or a value is wrong.
    """
    known = {f.name for f in fields(Config)}
    settings: dict[str, str] = {}
    in_file: extension_points.Told = {}
    ipam_in_file: extension_points.Told = {}
    if path is not None:
        try:
            content = tomllib.loads(path.read_text())
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"configuration file {path}: {error}") from error
        for name, value in content.items():
            key = name.replace("-", "_")
            if key not in known:
                raise ConfigurationError(f"configuration file {path}: unknown setting {name!r}; known: {sorted(known)}")
            if key == "plugins":
                in_file = plugin_settings.told_in_file(value)
                continue
            if key == "ipam":
                ipam_in_file = ipam_settings.told_in_file(value)
                continue
            if not isinstance(value, str):
                raise ConfigurationError(f"configuration file {path}: {name} must be a string")
            settings[key] = value
    settings.update((name, value) for name, value in flags.items() if value is not None)
    config = Config(
        **settings,
        plugins=extension_points.together(in_file, told or {}),
        ipam=extension_points.together(ipam_in_file, ipam or {}),
    )
    _check(config)
    return config


def _check(config: Config) -> None:
    if config.auth not in AUTH_MODES:
        raise ConfigurationError(f"auth: {config.auth!r} is not one of {', '.join(AUTH_MODES)}")
    if (config.auth == "keystone") != (config.keystone_config is not None):
        raise ConfigurationError("keystone-config: a file is needed in auth mode keystone, and only there")
    if config.keystone_config is not None and not Path(config.keystone_config).is_file():
        raise ConfigurationError(f"keystone-config: there is no file {config.keystone_config}")
    if config.open_monitoring not in {"true", "false"}:
        raise ConfigurationError(f"open-monitoring: {config.open_monitoring!r} is neither true nor false")
    if config.auth == "none" and not config.api.is_loopback:
        raise ConfigurationError(
            f"api-listen: {config.api_listen} can be reached from elsewhere, but auth mode 'none' makes every caller "
            "an administrator; listen on 127.0.0.1, or choose another mode"
        )
    SEEN_ADDRESSES_KEEP.parse(config.seen_addresses_keep)
    JOURNAL_KEEP.parse(config.journal_keep)
    _ = config.openflow, config.advertise, config.settings, config.policy, config.usage, config.plugin_flags
    _ = config.ipam_flags
    if config.log_level not in {"debug", "info", "warning", "error"}:
        raise ConfigurationError(f"log-level: {config.log_level!r} is not one of debug, info, warning, error")
