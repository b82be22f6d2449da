"""What can OVN do of what Weft means? The face of the plug-in ``ovn``; decided from arguments alone."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from controller.plugins.contract import (
    Advertisement,
    Capability,
    Engine,
    EngineContext,
    Feature,
    Objection,
    Plugin,
    Vif,
)
from controller.plugins.openflow import OpenFlowPlugin, ovs_vif
from controller.plugins.ovn import dhcp
from controller.plugins.ovn.settings import settings_of
from controller.records import Network, Port, Snapshot

if TYPE_CHECKING:
    from controller.reconcile.feed import Changes

GENEVE_OVERHEAD = 38
"""UDP 8, Geneve 8, OVN's option with both ports 8 (ovn-architecture(7), Tunnel Encapsulations), Ethernet 14."""


class OvnPlugin(Plugin):
    """Networks by an OVN cluster's northbound database."""

    name: ClassVar[str] = "ovn"
    version: ClassVar[str] = OpenFlowPlugin.version
    prepares_moves: ClassVar[bool] = True

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Take the settings; nothing is connected yet.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        super().__init__(settings)
        self._settings = settings_of(settings)

    def advertise(self) -> Advertisement:
        """Return what OVN does, and why it does not do the rest."""
        return Advertisement(
            summary="An OVN cluster, through its northbound database; its chassis are the hosts.",
            network_types=("geneve", "vlan", "flat"),
            overheads={"geneve": GENEVE_OVERHEAD},
            capabilities=(
                Capability(
                    feature=Feature.IPV4_DHCP,
                    limit="a lease is renewed by broadcast where the subnet's gateway is no port of the network",
                ),
                Capability(
                    feature=Feature.IPV6_DHCP,
                    limit="of options dns-server alone: OVN writes domain-search as plain text, which no client reads",
                ),
                Capability(
                    feature=Feature.PORT_SECURITY,
                    limit="a guest with an IPv6 address may send router advertisements: OVN's ACL stages let ND, RS, "
                    "RA and MLD pass at priority 65532, above every ACL (32767 at most), and its port security does "
                    "not look at RA; guarded ports send nothing but IP and ARP",
                ),
                Capability(
                    feature=Feature.ALLOWED_ADDRESS_PAIRS,
                    limit="a port with pairs of other MAC addresses gets frames to unknown ones",
                ),
                Capability(feature=Feature.SECURITY_GROUPS, limit="no port ranges of DCCP and UDP-Lite"),
                Capability(feature=Feature.STATELESS_SECURITY_GROUPS),
                Capability(feature=Feature.ADDRESS_GROUPS),
                Capability(feature=Feature.LIVE_MIGRATION, limit="needs OVN 22.09 or later"),
                Capability(feature=Feature.CHOSEN_SEGMENTATION_ID),
                Capability(
                    feature=Feature.TRACE,
                    limit="by ovn-trace (package ovn-common) beside the controller: OVN's pipelines, not hosts' flows",
                ),
                Capability(feature=Feature.EXTRA_DHCP_OPTIONS, limit="those OVN has a name for"),
            ),
            missing={
                Feature.IPV6_RA: "OVN advertises from ports of logical routers only, and always as a default router "
                "for 65535 s (put_nd_ra_opts has no other lifetime): guests would send to a router that is not there",
                Feature.PRIVATE_VLAN: "OVN's ACL stages let ND, RS, RA and MLD pass at priority 65532, above every ACL "
                "(32767 at most): isolated ports would find each other, and be each other's router",
                Feature.SEVERAL_SEGMENTS: "OVN joins the segments of a logical switch, Weft keeps them apart",
            },
        )

    def verify_port(self, network: Network, port: Port) -> Sequence[Objection]:  # noqa: ARG002 - the contract's
        """Object to DHCP options OVN does not know, and to values that are none of theirs."""
        return list(_unsendable_options(port))

    def rows_changed(self, before: Snapshot, changes: "Changes") -> tuple[int, int, int]:
        """Return how many rows of the northbound database a change would add, modify and delete."""
        from controller.plugins.ovn.intent import Intent  # noqa: PLC0415 - only plans need it in the API process

        intent = Intent(before)
        was = dict(intent.rows)
        touched = intent.change(changes)
        added = sum(key not in was and key in intent.rows for key in touched)
        deleted = sum(key in was and key not in intent.rows for key in touched)
        modified = sum(key in was and key in intent.rows and was[key] != intent.rows[key] for key in touched)
        return added, modified, deleted

    def vif(self, datapath_type: str) -> Vif:
        """Return Neutron's ``ovs``: the port is plugged into the integration bridge that ovn-controller drives."""
        plain = ovs_vif(datapath_type, self._settings.integration_bridge)
        return Vif(vif_type=plain.vif_type, details={**plain.details, "bound_drivers": {"0": self.name}})

    def engine(self, context: EngineContext) -> Engine:
        """Return the engine, not started."""
        with warnings.catch_warnings():
            # python-ovs looks whether eventlet has patched it, and eventlet warns whoever imports it.
            warnings.simplefilter("ignore")
            from controller.plugins.ovn.engine import OvnEngine  # noqa: PLC0415 - the API process needs no python-ovs

        return OvnEngine(self._settings, context)


def _unsendable_options(port: Port) -> Iterator[Objection]:
    for name, value, version in port.extra_dhcp_opts:
        if dhcp.unknown_option(name, version):
            reason = f"OVN has no option {name} for IPv{version}"
            if version == dhcp.IPV6 and dhcp.is_search_list(name):
                reason = f"OVN writes {name} of IPv6 as plain text, which no client reads (RFC 3646 section 4)"
            yield Objection(attribute="extra_dhcp_opts", reason=reason)
        elif (wrong := dhcp.wrong_value(name, value, version)) is not None:
            yield Objection(attribute="extra_dhcp_opts", reason=f"{value!r} is no value of option {name}: {wrong}")
