"""Is a plug-in that does not keep the contract left out, with what was expected beside what was found?"""

from typing import ClassVar

import pytest

from controller.plugin_errors import PluginRefused
from controller.plugins.contract import Advertisement, Capability, Feature, Plugin, Vif
from controller.plugins.openflow import OpenFlowPlugin
from controller.plugins.registry import check, check_advertisement, load


class Good(Plugin):
    """It keeps the contract."""

    name: ClassVar[str] = "good"
    version: ClassVar[str] = "1"

    def advertise(self) -> Advertisement:
        return Advertisement(summary="Good.", network_types=("vxlan",), capabilities=())

    def vif(self, datapath_type: str) -> Vif:
        return Vif(vif_type="ovs")


def test_one_that_keeps_the_contract_passes() -> None:
    check(Good, "good")
    check(OpenFlowPlugin, "openflow")


def test_what_is_no_plugin_is_refused() -> None:
    with pytest.raises(PluginRefused, match=r"expected a subclass of controller\.plugins\.contract\.Plugin, found 42"):
        check(42, "answer")


def test_another_contract_is_refused_with_both_numbers() -> None:
    class Old(Good):
        name: ClassVar[str] = "old"
        contract: ClassVar[int] = 0

    with pytest.raises(PluginRefused, match="expected contract 1, found contract 0"):
        check(Old, "old")


def test_a_name_other_than_the_entry_points_is_refused() -> None:
    with pytest.raises(PluginRefused, match=r"expected name = 'better'.*found 'good'"):
        check(Good, "better")


def test_missing_methods_are_named() -> None:
    class Half(Plugin):
        name: ClassVar[str] = "half"
        version: ClassVar[str] = "1"

        def advertise(self) -> Advertisement:
            return Advertisement(summary="Half.", network_types=("vxlan",), capabilities=())

    with pytest.raises(PluginRefused, match="expected methods vif, found a class without them"):
        check(Half, "half")


def test_other_parameters_are_shown_beside_the_expected_ones() -> None:
    class Odd(Good):
        name: ClassVar[str] = "odd"

        def vif(self) -> Vif:  # type: ignore[override]
            return Vif(vif_type="ovs")

    with pytest.raises(PluginRefused, match=r"expected vif\(self, datapath_type\), found vif\(self\)"):
        check(Odd, "odd")


def test_an_advertisement_must_say_something_and_each_thing_once() -> None:
    with pytest.raises(PluginRefused, match="at least one network type"):
        check_advertisement("good", Advertisement(summary="", network_types=(), capabilities=()))
    with pytest.raises(PluginRefused, match="found None"):
        check_advertisement("good", None)
    twice = (Capability(feature=Feature.TRACE), Capability(feature=Feature.TRACE))
    with pytest.raises(PluginRefused, match="trace more than once"):
        check_advertisement("good", Advertisement(summary="", network_types=("vxlan",), capabilities=twice))
    with pytest.raises(PluginRefused, match="trace as both"):
        check_advertisement(
            "good",
            Advertisement(
                summary="", network_types=("vxlan",), capabilities=twice[:1], missing={Feature.TRACE: "not at all"}
            ),
        )


def test_weft_starts_without_one_that_is_not_there() -> None:
    registry = load(["nowhere", "openflow"], {})
    assert list(registry.loaded) == ["openflow"]
    (broken,) = registry.broken
    assert broken.name == "nowhere"
    assert "an entry point of that name in group weft.plugins" in broken.reason


def test_one_named_twice_is_loaded_once() -> None:
    assert list(load(["openflow", "openflow"], {}).loaded) == ["openflow"]
