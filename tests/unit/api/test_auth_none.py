"""Who is the caller in mode none, and where may it be served?"""

import pytest
from werkzeug.datastructures import Headers

from api.auth import NoAuth, refuse_exposed
from controller.errors import ConfigurationError


def test_everybody_is_an_administrator_of_the_default_project() -> None:
    caller = NoAuth().caller(Headers({"X-Auth-Token": "notused"}))
    assert (caller.project_id, caller.is_admin) == ("fake_project_id", True)


def test_the_project_header_is_honoured() -> None:
    assert NoAuth().caller(Headers({"X-Project-Id": "p1"})).project_id == "p1"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_addresses_may_be_served(host: str) -> None:
    refuse_exposed(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "example.org", "localhost.example.org"])
def test_other_addresses_are_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match="every caller is an administrator"):
        refuse_exposed(host)
