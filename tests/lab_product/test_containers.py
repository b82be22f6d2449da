"""An application of three tiers from a flavor: do its machines reach those they should, before and after scaling?"""

import socket

import pytest

from scripts.three_tier import Application
from tests.lab.cloud import Cloud

PORT, REFUSED_S = 8080, 0.5


def reaches(application: Application, source: str, target: str, port: int = PORT) -> bool:
    """Say whether a TCP connection from one guest to another comes about."""
    here, there = application.guests[source], application.guests[target]
    with (
        there.vm.open_socket(socket.AF_INET, socket.SOCK_STREAM) as server,
        here.vm.open_socket(socket.AF_INET, socket.SOCK_STREAM) as client,
    ):
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((there.address, port))
        server.listen()
        client.settimeout(REFUSED_S)
        try:
            client.connect((there.address, port))
        except TimeoutError:
            return False
        return True


@pytest.mark.lab
def test_an_application_from_a_flavor_is_scaled_while_its_guests_talk_and_leaves_nothing(cloud: Cloud) -> None:
    application = Application(weft=cloud.weft, hosts=[cloud.h1, cloud.h2])
    application.create()
    application.boot()
    assert [row.what for row in application.pings() if not row.is_right] == []
    web, app = application.guests["web[0]"], application.guests["app_front[0]"]
    with web.vm.pinging(app.address) as going:
        changes = application.scale()["changes"]
        assert [(one["change"], one["path"]) for one in changes] == [
            ("created", "web[2]"),
            ("created", "app_front[1]"),
            ("created", "app_back[1]"),
        ]
        application.boot()
        assert [row.what for row in application.pings() if not row.is_right] == []
        assert going.stop().lost == 0
    assert reaches(application, "web[2]", "app_front[0]")
    assert not reaches(application, "web[2]", "app_front[0]", port=PORT + 1)
    assert not reaches(application, "app_front[1]", "web[2]")
    application.close()
    assert cloud.weft.api.list("networks") == cloud.weft.api.list("ports") == []
