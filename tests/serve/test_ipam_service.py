"""``weft serve`` with a NetBox: does the process tell it what it is owed, and what if it is killed while it asks?"""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.fakes.netbox import TOKEN, NetBoxStub
from tests.lab.process import eventually
from tests.lab.weft import Weft
from tests.serve.test_serve import children


@pytest.fixture
def netbox() -> Iterator[NetBoxStub]:
    stub = NetBoxStub("10.1.0.0/24")
    yield stub
    stub.close()


def test_a_port_s_address_comes_and_goes_and_a_killed_process_leaves_none_behind(
    netbox: NetBoxStub, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    told = (f"netbox.url={netbox.url}", f"netbox.token-file={tmp_path / 'token'}")
    arguments = ("--ipam-drivers", "netbox", *(part for one in told for part in ("--ipam-setting", one)))
    with Weft(tmp_path / "weft", arguments=(*arguments, "--log-level", "debug")) as weft:
        network = weft.api.create("network")["id"]
        subnet = {"network_id": network, "cidr": "10.1.0.0/24", "ip_version": 4, "ipam:driver": "netbox"}
        weft.api.create("subnet", **subnet)
        port = weft.api.create("port", network_id=network)
        (one,) = netbox.addresses.values()
        assert one["address"] == f"{port['fixed_ips'][0]['ip_address']}/24"
        eventually(lambda: one["description"].endswith(f"port {port['id']}"), 10, "NetBox hears whose it is")

        netbox.delay_s, seen = 1.5, len(netbox.seen)
        body = {"port": {"network_id": network}}
        asking = threading.Thread(target=_ask, args=(f"{weft.url}/v2.0/ports", body))
        asking.start()
        eventually(lambda: any(method == "POST" for method, _ in netbox.seen[seen:]), 10, "NetBox is asked")
        os.kill(children(weft.pid)[1], signal.SIGKILL)
        eventually(lambda: len(netbox.held) == 2, 10, "NetBox has reserved for nobody")
        netbox.delay_s = 0
        eventually(lambda: len(netbox.held) == 1, 20, "what was reserved for nobody is released")
        asking.join()
        requests.delete(f"{weft.url}/v2.0/ports/{port['id']}", timeout=20)
        eventually(lambda: netbox.held == [], 10, "the port's address is released")
    said = weft.log.read_text() + (tmp_path / "weft" / "weft.out").read_text()
    assert TOKEN not in said


def _ask(url: str, body: dict[str, object]) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.post(url, json=body, timeout=20)
