"""Does ``weft serve --auth keystone`` ask Keystone, as the processes it is made of?"""

from pathlib import Path

import pytest
import requests

from tests.fakes.keystone import a_keystone, a_keystone_config
from tests.lab.weft import Weft
from tests.serve.test_serve import serve


def test_a_token_of_keystone_lets_in_and_nothing_else_does(tmp_path: Path) -> None:
    with a_keystone() as keystone:
        options = ("--auth", "keystone", "--keystone-config", str(a_keystone_config(tmp_path, keystone)))
        with Weft(tmp_path / "weft", arguments=options) as weft:
            url = f"{weft.url}/v2.0/networks"
            member = {"X-Auth-Token": "of-member"}
            made = requests.post(url, json={"network": {"name": "n"}}, headers=member, timeout=10)
            assert (made.status_code, made.json()["network"]["project_id"]) == (201, "blue")
            claims = {"X-Identity-Status": "Confirmed", "X-Project-Id": "blue", "X-Roles": "admin"}
            for headers in ({}, claims, {"X-Auth-Token": "forged"}):
                refused = requests.get(url, headers=headers, timeout=10)
                assert (refused.status_code, refused.json()["error"]["code"]) == (401, 401)
                assert refused.headers["WWW-Authenticate"] == f'Keystone uri="{keystone}"'
            shared = requests.post(url, json={"network": {"shared": True}}, headers=member, timeout=10)
            assert shared.status_code == 403
            assert requests.get(weft.url, timeout=10).status_code == 200
            assert "of-member" not in weft.log.read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [((), "keystone-config: a file is needed"), (("--keystone-config", "none.conf"), "none.conf")],
)
def test_keystone_mode_without_its_file_does_not_start(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    done = serve(tmp_path, "--auth", "keystone", *options)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
