"""Do the scripts answer a stranger who asks for help, mistypes, or is not root?"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.weft import ROOT

SCRIPTS = (*(f"scripts/{name}" for name in ("setup", "run", "test", "check", "lab")), ".ci/run")


def call(*argv: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run a script from another directory, as a stranger might."""
    environment = {**os.environ, "PATH": path + os.environ["PATH"]}
    command = [str(ROOT / argv[0]), *argv[1:]]
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_explains_itself_and_does_nothing_else(script: str) -> None:
    done = call(script, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: {script}")
    assert done.stderr == ""


@pytest.mark.parametrize("script", ["scripts/setup", "scripts/check"])
def test_an_unknown_argument_is_a_usage_error(script: str) -> None:
    done = call(script, "--nonsense")
    assert done.returncode == 2
    assert "usage:" in done.stderr


@pytest.mark.parametrize("arguments", [("--plugin", "ovn"), ("--example", "three-tier", "--keep-state")])
def test_arguments_of_the_demonstration_that_do_not_go_together_are_refused(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "demo.py"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "usage: scripts/run" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("script", ["scripts/setup", "scripts/run", "scripts/test", "scripts/check"])
def test_who_is_not_root_is_told_so_before_anything_happens(script: str, tmp_path: Path) -> None:
    fake = tmp_path / "id"
    fake.write_text("#!/bin/sh\necho 1000\n")
    fake.chmod(0o755)
    done = call(script, path=f"{tmp_path}:")
    assert done.returncode == 2
    assert "must be run as root" in done.stderr
    assert done.stdout == ""


def test_setting_up_again_says_nothing_and_changes_nothing() -> None:
    stamp = ROOT / ".venv" / "weft-setup-stamp"
    if not stamp.exists():
        pytest.skip("this clone was not set up by scripts/setup")
    before = stamp.stat().st_mtime_ns
    done = call("scripts/setup")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert stamp.stat().st_mtime_ns == before
