"""Can a limit be set for everything that is limited?"""

from controller.cli.quota import RESOURCES
from controller.store.quotas import QUOTA_RESOURCES


def test_every_limit_of_the_api_can_be_typed() -> None:
    assert set(RESOURCES) == set(QUOTA_RESOURCES)
