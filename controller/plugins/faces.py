"""What do services ask of the plug-ins? Who realises a new network, and whether what is asked of an old one can be.

What a record asks for is read from its attributes, in one place for every kind of record.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from controller.plugin_errors import FeatureNotSupportedByPlugin
from controller.plugins import dispatch
from controller.plugins.contract import (
    AskedNetwork,
    AskedSegment,
    Condition,
    Feature,
    Objection,
    Plugin,
    Vif,
)
from controller.plugins.registry import Loaded, Registry
from controller.records import Network, Port, Subnet

_CHECKS = ("verify_network", "verify_subnet", "verify_port")
_NUMBERLESS = frozenset({"flat"})
OF_GROUPS = frozenset({Feature.STATELESS_SECURITY_GROUPS, Feature.ADDRESS_GROUPS})
"""What ports ask for by the security groups they are in."""
GroupNeeds = Mapping[str, frozenset[Feature]]
"""By the id of a security group."""


class Faces:
    """The plug-ins of one process, as services see them."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._silent = frozenset(name for name, one in registry.loaded.items() if _does_everything(one))

    @property
    def network_types(self) -> frozenset[str]:
        """Every type some plug-in can realise."""
        return frozenset(name for one in self.registry.loaded.values() for name in one.advertisement.network_types)

    def overhead(self, network_type: str, usual: int) -> int:
        """Return the most octets a tunnel of a type costs in any plug-in: a network that moves keeps its MTU."""
        advertised = (one.advertisement for one in self.registry.loaded.values())
        return max((found.overheads.get(network_type, usual) for found in advertised), default=usual)

    @property
    def features(self) -> frozenset[Feature]:
        """Every feature some plug-in has."""
        advertised = (one.advertisement for one in self.registry.loaded.values())
        return frozenset(feature for one in advertised for feature in Feature if one.has(feature))

    def choose(
        self,
        asked: AskedNetwork,
        *,
        default_type: str,
        explicit: str | None,
        conditions: Callable[[], Mapping[str, Condition]],
    ) -> dispatch.Choice:
        """Return who realises a new network.

        Args:
            asked: what it needs.
            default_type: of networks that name no type.
            explicit: an administrator's own choice.
            conditions: reads how the plug-ins are; only called where that matters.

        Raises:
            NoSuchPlugin, NoPluginCanRealise
        """
        known = conditions() if len(self.registry.loaded) > 1 else {}
        candidates = [
            dispatch.Candidate(
                plugin=one.plugin, advertisement=one.advertisement, condition=known.get(name, Condition.UP)
            )
            for name, one in self.registry.loaded.items()
        ]
        return dispatch.choose(candidates, asked, default_type=default_type, explicit=explicit)

    def check_network(self, network: Network) -> None:
        """Refuse what a network has become if its plug-in cannot realise that.

        Raises:
            FeatureNotSupportedByPlugin
        """
        loaded = self._who(network)
        if loaded is not None:
            asked = asked_of(network)
            candidate = dispatch.Candidate(
                plugin=loaded.plugin, advertisement=loaded.advertisement, condition=Condition.UP
            )
            _refuse(loaded.plugin, dispatch.objections_of(candidate, asked))

    def lacking(self, feature: Feature) -> frozenset[str]:
        """Return the plug-ins that do not have a feature."""
        return frozenset(name for name, one in self.registry.loaded.items() if not one.advertisement.has(feature))

    def check_subnet(self, network: Callable[[], Network], subnet: Subnet) -> None:
        """Refuse a subnet, new or changed, that its network's plug-in cannot realise.

        Raises:
            FeatureNotSupportedByPlugin
        """
        if self._silent == self.registry.loaded.keys():
            return
        of_network = network()
        loaded = self._who(of_network)
        if loaded is not None:
            _refuse(loaded.plugin, objections_to_subnet(loaded, of_network, subnet))

    def check_ports(
        self,
        ports: Sequence[Port],
        *,
        plugins: Mapping[str, str],
        networks: Callable[[frozenset[str]], Mapping[str, Network]],
        groups: Callable[[frozenset[str]], GroupNeeds],
    ) -> None:
        """Refuse ports, new or changed, that their networks' plug-ins cannot realise.

        Args:
            ports: as they would be stored.
            plugins: of each network, by its id.
            networks: loads networks by their ids; only called when some plug-in looks at them.
            groups: finds what security groups ask for; only called when some plug-in does not do it all.

        Raises:
            FeatureNotSupportedByPlugin: with all that one plug-in objects to.
        """
        of_plugin: dict[str, list[Port]] = {}
        for port in ports:
            of_plugin.setdefault(plugins[port.network_id], []).append(port)
        for name, asked in of_plugin.items():
            loaded = self.registry.loaded.get(name)
            if loaded is None or name in self._silent:
                continue
            verifies = overrides(loaded.plugin, "verify_port")
            found = networks(frozenset(port.network_id for port in asked)) if verifies else {}
            needs = groups(_groups_of(asked)) if not _features(loaded) >= OF_GROUPS else {}
            objections = [
                objection
                for port in asked
                for objection in objections_to_port(loaded, found.get(port.network_id), port, needs)
            ]
            _refuse(loaded.plugin, objections)

    def check_rules(self, plugins: Collection[str], needs: frozenset[Feature]) -> None:
        """Refuse what the rules of a security group ask for if ports of the group are in plug-ins that lack it.

        Raises:
            FeatureNotSupportedByPlugin
        """
        for name in sorted(plugins):
            loaded = self.registry.loaded.get(name)
            if loaded is not None:
                _refuse(loaded.plugin, _lacking(loaded, _of_groups([needs])))

    def vif(self, plugin: str, datapath_type: str) -> Vif:
        """Return what compute must know to plug a port on a host of its network's plug-in."""
        loaded = self.registry.loaded.get(plugin)
        return Vif(vif_type="binding_failed") if loaded is None else loaded.plugin.vif(datapath_type)

    def _who(self, network: Network) -> Loaded | None:
        """Return a network's plug-in; None where it does not work now, and nothing can be checked."""
        return self.registry.loaded.get(network.plugin)


def asked_of(network: Network) -> AskedNetwork:
    """Return what a stored network asks for; its numbers are given now, nobody chooses them."""
    segments = tuple(
        AskedSegment(
            network_type=segment.network_type,
            physical_network=segment.physical_network,
            segmentation_id=segment.segmentation_id,
        )
        for segment in network.segments
    )
    return AskedNetwork(
        segments=segments,
        features=network_features(pvlan=network.pvlan, segments=segments) - {Feature.CHOSEN_SEGMENTATION_ID},
        mtu=network.mtu,
    )


def network_features(*, pvlan: bool, segments: Sequence[AskedSegment]) -> frozenset[Feature]:
    """Return what a network's attributes need besides its types."""
    needed = set()
    if pvlan:
        needed.add(Feature.PRIVATE_VLAN)
    if len(segments) > 1:
        needed.add(Feature.SEVERAL_SEGMENTS)
    if any(one.segmentation_id is not None and one.network_type not in _NUMBERLESS for one in segments):
        needed.add(Feature.CHOSEN_SEGMENTATION_ID)
    return frozenset(needed)


def objections_to_subnet(loaded: Loaded, network: Network, subnet: Subnet) -> list[Objection]:
    """Return everything a plug-in has against a subnet."""
    return [*_lacking(loaded, _of_subnet(subnet)), *loaded.plugin.verify_subnet(network, subnet)]


def objections_to_port(loaded: Loaded, network: Network | None, port: Port, groups: GroupNeeds) -> list[Objection]:
    """Return everything a plug-in has against a port; the network may be left out if the plug-in never looks."""
    needed = [*_of_port(port), *_of_groups(groups.get(one, frozenset()) for one in port.security_group_ids)]
    own = () if network is None else loaded.plugin.verify_port(network, port)
    return [*_lacking(loaded, needed), *own]


def _groups_of(ports: Iterable[Port]) -> frozenset[str]:
    return frozenset(group for port in ports for group in port.security_group_ids)


def _features(loaded: Loaded) -> frozenset[Feature]:
    return frozenset(capability.feature for capability in loaded.advertisement.capabilities)


def _of_groups(needs: Iterable[frozenset[Feature]]) -> list[tuple[Feature, str]]:
    return [(feature, "security_groups") for feature in sorted({one for found in needs for one in found})]


def _of_subnet(subnet: Subnet) -> Iterable[tuple[Feature, str]]:
    if subnet.enable_dhcp and subnet.ip_version == 4:  # noqa: PLR2004 - IPv4
        yield Feature.IPV4_DHCP, "enable_dhcp"
    if subnet.ipv6_ra_mode is not None:
        yield Feature.IPV6_RA, "ipv6_ra_mode"
    if subnet.enable_dhcp and (subnet.ipv6_address_mode or "slaac") != "slaac":
        yield Feature.IPV6_DHCP, "ipv6_address_mode"


def _of_port(port: Port) -> Iterable[tuple[Feature, str]]:
    if port.port_security_enabled:
        yield Feature.PORT_SECURITY, "port_security_enabled"
    if port.allowed_address_pairs:
        yield Feature.ALLOWED_ADDRESS_PAIRS, "allowed_address_pairs"
    if port.security_group_ids:
        yield Feature.SECURITY_GROUPS, "security_groups"
    if port.extra_dhcp_opts:
        yield Feature.EXTRA_DHCP_OPTIONS, "extra_dhcp_opts"
    if port.standby is not None:
        yield Feature.LIVE_MIGRATION, "binding"


def _lacking(loaded: Loaded, needed: Iterable[tuple[Feature, str]]) -> list[Objection]:
    advertisement = loaded.advertisement
    return [
        Objection(attribute=attribute, reason=advertisement.missing.get(feature, f"it does not do {feature}"))
        for feature, attribute in needed
        if not advertisement.has(feature)
    ]


def _refuse(plugin: Plugin, objections: Sequence[Objection]) -> None:
    told = dict.fromkeys((objection.attribute, objection.reason) for objection in objections)
    if told:
        raise FeatureNotSupportedByPlugin(plugin.name, list(told))


def overrides(plugin: Plugin, method: str) -> bool:
    """Whether a plug-in has a method of its own where the contract has one that says nothing."""
    return getattr(type(plugin), method) is not getattr(Plugin, method)


def _does_everything(loaded: Loaded) -> bool:
    asks = any(overrides(loaded.plugin, check) for check in _CHECKS)
    return not asks and all(loaded.advertisement.has(feature) for feature in Feature)
