"""Is ovn-trace asked as its manual says, and is what goes wrong with it told?

A program of the same name stands in for it: what the real one says is held against packets in ``tests/lab_ovn``.
"""

from pathlib import Path

import pytest

from controller.plugin_errors import TraceUnavailable
from controller.southbound.ovn.tracing import trace


def standing_in(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = directory / "ovn-trace"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/bin:/usr/bin")


def ask() -> str:
    files = {"ca-cert": "/etc/ca.pem"}
    return trace("ssl:192.0.2.1:6642", files, "weft-n1", 'inport == "p1"', "est,rpl")


def test_it_is_asked_about_both_lookups_of_conntrack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standing_in(tmp_path, monkeypatch, 'echo "ingress("; for one in "$@"; do echo "$one"; done')
    assert ask().splitlines()[1:] == [
        *("--db=ssl:192.0.2.1:6642", "--no-leader-only", "--ca-cert=/etc/ca.pem"),
        *("--ct=est,rpl", "--ct=est,rpl", "weft-n1", 'inport == "p1"'),
    ]


def test_without_the_program_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TraceUnavailable, match="install ovn-common"):
        ask()


@pytest.mark.parametrize("script", ["echo 'unknown datapath' >&2; exit 1", "echo 'unknown datapath'"])
def test_what_it_complains_of_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    standing_in(tmp_path, monkeypatch, script)
    with pytest.raises(TraceUnavailable, match="ovn-trace says: unknown datapath"):
        ask()
