"""A laboratory with two registered hypervisors for each module."""

from collections.abc import Iterator

import pytest

from tests.lab.cloud import Cloud, two_hosts


@pytest.fixture(scope="module")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with two_hosts(tmp_path_factory.mktemp("cloud")) as made:
        yield Cloud(**made)


@pytest.fixture
def cloud(shared_cloud: Cloud) -> Iterator[Cloud]:
    """Give the module's laboratory, empty."""
    yield shared_cloud
    shared_cloud.clear()
