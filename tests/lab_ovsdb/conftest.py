"""Fixtures: a running Open vSwitch, and a running service to watch it with."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.lab_ovsdb.switch import Switch, Watch


@pytest.fixture
def make_switch() -> Iterator[Callable[[], Switch]]:
    if os.geteuid() != 0 or shutil.which("ovs-vswitchd") is None:
        pytest.skip("needs root and Open vSwitch")
    made: list[Switch] = []

    def make() -> Switch:
        made.append(Switch())
        return made[-1]

    yield make
    for switch in made:
        switch.stop()


@pytest.fixture
def switch(make_switch: Callable[[], Switch]) -> Switch:
    made = make_switch()
    made.start()
    return made


@pytest.fixture
def watch() -> Iterator[Watch]:
    made = Watch()
    yield made
    made.service.stop()
