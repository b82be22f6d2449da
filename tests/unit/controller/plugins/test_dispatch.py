"""Does a network get the first plug-in that can do all that is asked, and a refusal that says why when none can?"""

from collections.abc import Sequence
from typing import ClassVar

import pytest

from controller.plugin_errors import NoPluginCanRealise, NoSuchPlugin
from controller.plugins.contract import (
    Advertisement,
    AskedNetwork,
    AskedSegment,
    Capability,
    Condition,
    Feature,
    Objection,
    Plugin,
    Vif,
)
from controller.plugins.dispatch import Candidate, choose


class Overlay(Plugin):
    """Tunnels only, with router advertisements."""

    name: ClassVar[str] = "overlay"
    version: ClassVar[str] = "1"

    def advertise(self) -> Advertisement:
        return Advertisement(
            summary="Tunnels.",
            network_types=("vxlan",),
            capabilities=(Capability(feature=Feature.IPV6_RA),),
            missing={Feature.PRIVATE_VLAN: "the tunnels do not say who sent a frame"},
        )

    def vif(self, datapath_type: str) -> Vif:
        return Vif(vif_type="ovs")


class Wires(Plugin):
    """VLANs and tunnels, with private VLANs."""

    name: ClassVar[str] = "wires"
    version: ClassVar[str] = "1"

    def advertise(self) -> Advertisement:
        return Advertisement(
            summary="VLANs.",
            network_types=("vlan", "vxlan"),
            capabilities=(Capability(feature=Feature.PRIVATE_VLAN),),
        )

    def verify_network(self, asked: AskedNetwork) -> Sequence[Objection]:
        return [
            Objection(attribute="provider:segmentation_id", reason=f"VLAN {segment.segmentation_id} leads nowhere")
            for segment in asked.segments
            if segment.segmentation_id == 13
        ]

    def vif(self, datapath_type: str) -> Vif:
        return Vif(vif_type="ovs")


def candidates(overlay: Condition = Condition.UP, wires: Condition = Condition.UP) -> list[Candidate]:
    return [
        Candidate(plugin=plugin, advertisement=plugin.advertise(), condition=condition)
        for plugin, condition in ((Overlay({}), overlay), (Wires({}), wires))
    ]


def asked(*types: str, features: frozenset[Feature] = frozenset(), number: int | None = None) -> AskedNetwork:
    segments = tuple(AskedSegment(network_type=name, segmentation_id=number) for name in types)
    return AskedNetwork(segments=segments, features=features)


def test_the_first_in_the_operators_order_that_can_do_it_is_chosen() -> None:
    assert choose(candidates(), asked("vxlan"), default_type="vxlan").plugin.name == "overlay"
    assert choose(candidates()[::-1], asked("vxlan"), default_type="vxlan").plugin.name == "wires"


def test_a_type_or_a_feature_sends_a_network_to_the_one_that_has_it() -> None:
    assert choose(candidates(), asked("vlan"), default_type="vxlan").plugin.name == "wires"
    wants_pvlan = asked("vxlan", features=frozenset({Feature.PRIVATE_VLAN}))
    assert choose(candidates(), wants_pvlan, default_type="vxlan").plugin.name == "wires"


def test_one_that_is_down_is_taken_only_when_no_other_can() -> None:
    assert choose(candidates(overlay=Condition.DOWN), asked("vxlan"), default_type="vxlan").plugin.name == "wires"
    wants_ra = asked("vxlan", features=frozenset({Feature.IPV6_RA}))
    assert choose(candidates(overlay=Condition.DOWN), wants_ra, default_type="vxlan").plugin.name == "overlay"


def test_a_degraded_one_keeps_its_place() -> None:
    assert choose(candidates(overlay=Condition.DEGRADED), asked("vxlan"), default_type="vxlan").plugin.name == "overlay"


def test_an_explicit_choice_is_kept_and_its_objections_are_told() -> None:
    assert choose(candidates(), asked("vxlan"), default_type="vxlan", explicit="wires").plugin.name == "wires"
    with pytest.raises(NoPluginCanRealise) as refused:
        choose(candidates(), asked("vlan"), default_type="vxlan", explicit="overlay")
    assert list(refused.value.reasons) == ["overlay"]


def test_an_explicit_choice_that_is_not_there_is_an_error_of_its_own() -> None:
    with pytest.raises(NoSuchPlugin, match="'ovm' is not there"):
        choose(candidates(), asked(), default_type="vxlan", explicit="ovm")


def test_when_none_can_the_refusal_says_for_each_why_not() -> None:
    with pytest.raises(NoPluginCanRealise) as refused:
        choose(candidates(), asked("vlan", features=frozenset({Feature.PRIVATE_VLAN}), number=13), default_type="vxlan")
    assert refused.value.reasons == {
        "overlay": (
            "network type 'vlan' is not among vxlan",
            "it does not do pvlan: the tunnels do not say who sent a frame",
        ),
        "wires": ("VLAN 13 leads nowhere",),
    }
    assert "overlay: network type 'vlan'" in str(refused.value)
    assert "wires: VLAN 13 leads nowhere" in str(refused.value)


def test_a_network_that_names_no_type_gets_the_default_or_the_plugins_first() -> None:
    assert choose(candidates(), asked(), default_type="vxlan").default_type == "vxlan"
    assert choose(candidates(), asked(), default_type="geneve").default_type == "vxlan"
    assert choose(candidates(), asked(), default_type="geneve", explicit="wires").default_type == "vlan"


def test_without_any_plugin_the_refusal_says_so() -> None:
    with pytest.raises(NoPluginCanRealise, match="none is enabled"):
        choose([], asked(), default_type="vxlan")
