"""Does the driver of docs/ipam-drivers.md work as it stands there? Is one that does not left out with the reason?"""

import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from controller.cli import main
from controller.errors import ConfigurationError
from controller.ipam_drivers import registry
from controller.ipam_drivers.settings import names_of
from ipam.remote import ENTRY_POINTS

PAGE = Path(__file__).parents[4] / "docs" / "ipam-drivers.md"
MODULE = "files_of_the_docs"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / f"{MODULE}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "addresses").mkdir()
    return tmp_path / "addresses"


def test_the_driver_of_the_page_keeps_the_contract(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ipam", "check", f"{MODULE}:Files", "--setting", f"directory={directory}"]) == 0
    said = capsys.readouterr().out
    assert said.count("ok: ") == 5
    assert said.endswith("files keeps the contract\n")
    assert list(directory.iterdir()) == []


def test_a_wrong_setting_or_subnet_ends_the_check_with_the_reason(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ipam", "check", f"{MODULE}:Files"]) == 1
    assert "set `directory`" in capsys.readouterr().err
    assert main(["ipam", "check", f"{MODULE}:Files", "--setting", f"directory={directory}/no"]) == 1
    assert "is no directory: make it" in capsys.readouterr().err


def test_a_driver_that_does_not_work_is_left_out_with_expected_beside_found(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory.parent / "bad_drivers.py").write_text(
        "from ipam.remote import AddressService\n"
        "class Half(AddressService):\n    name, version = 'half', '1'\n"
        "raising = 1 / 0 if False else None\n"
    )
    (directory.parent / "worse_driver.py").write_text("1 / 0\n")
    points = [
        EntryPoint(name="files", value=f"{MODULE}:Files", group=ENTRY_POINTS),
        EntryPoint(name="half", value="bad_drivers:Half", group=ENTRY_POINTS),
        EntryPoint(name="worse", value="worse_driver:Any", group=ENTRY_POINTS),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda **_: points)
    found = registry.load(["built-in", "files", "half", "worse", "netbox"], {"files": {"directory": str(directory)}})
    assert list(found.loaded) == ["files"]
    assert "expected methods check_subnet, commit, find, release, reserve, found a class" in found.broken["half"]
    assert "ZeroDivisionError" in found.broken["worse"]
    assert "set url" in found.broken["netbox"]


def test_the_default_driver_must_be_enabled() -> None:
    assert names_of("netbox, built-in", "netbox") == ("netbox",)
    with pytest.raises(ConfigurationError, match="'netbox' is not among the enabled drivers"):
        names_of("", "netbox")
