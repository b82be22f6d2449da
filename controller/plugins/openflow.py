"""What can Weft's own engine do? Its face: flows of its own on the Open vSwitch of each registered host."""

from importlib.metadata import PackageNotFoundError, version
from typing import ClassVar

from controller.plugins.contract import Advertisement, Capability, Feature, Plugin, Vif

BRIDGE = "br-int"


def _version() -> str:
    try:
        return version("weft")
    except PackageNotFoundError:  # it runs from its source
        return "source"


def ovs_vif(datapath_type: str, bridge: str = BRIDGE) -> Vif:
    """Return how a port is plugged into the integration bridge of an Open vSwitch host."""
    return Vif(
        vif_type="ovs",
        details={
            "connectivity": "l2",
            "port_filter": True,  # security groups are the switch's work: no hybrid bridge, no iptables
            "ovs_hybrid_plug": False,
            "datapath_type": datapath_type,
            "bridge_name": bridge,
            "bound_drivers": {"0": "weft"},
        },
    )


class OpenFlowPlugin(Plugin):
    """Networks by Weft's own flow tables."""

    name: ClassVar[str] = "openflow"
    version: ClassVar[str] = _version()
    prepares_moves: ClassVar[bool] = True

    def advertise(self) -> Advertisement:
        """Return what the flow tables do."""
        return Advertisement(
            summary="Weft's own flow tables on the Open vSwitch of each registered host.",
            network_types=("vxlan", "geneve", "vlan", "flat"),
            capabilities=(
                Capability(feature=Feature.IPV4_DHCP),
                Capability(feature=Feature.IPV6_RA),
                Capability(feature=Feature.IPV6_DHCP),
                Capability(feature=Feature.PORT_SECURITY),
                Capability(feature=Feature.ALLOWED_ADDRESS_PAIRS),
                Capability(
                    feature=Feature.SECURITY_GROUPS,
                    limit="no port ranges of DCCP and UDP-Lite; none of SCTP where the datapath tracks no SCTP",
                ),
                Capability(
                    feature=Feature.STATELESS_SECURITY_GROUPS,
                    limit="rules with ports do not pass the later fragments of a packet",
                ),
                Capability(feature=Feature.ADDRESS_GROUPS),
                Capability(feature=Feature.PRIVATE_VLAN),
                Capability(feature=Feature.SEVERAL_SEGMENTS, limit="segments of one network are not bridged"),
                Capability(feature=Feature.LIVE_MIGRATION),
                Capability(feature=Feature.CHOSEN_SEGMENTATION_ID),
                Capability(feature=Feature.TRACE),
                Capability(feature=Feature.EXTRA_DHCP_OPTIONS),
            ),
        )

    def vif(self, datapath_type: str) -> Vif:
        """Return Neutron's ``ovs`` (os-vif, plug-in ``ovs``)."""
        return ovs_vif(datapath_type)
