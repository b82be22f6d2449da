"""What does the service see when servers die, hang, come back, or are reached over TCP?"""

import json
import logging
import signal
import socket
import time
from collections.abc import Callable

import pytest

from tests.lab_ovsdb.switch import Switch, Watch, a_desire, a_port, interface, run, wait_until

pytestmark = pytest.mark.lab
_log = logging.getLogger(__name__)


def test_a_killed_server_is_noticed_and_the_host_is_repaired_when_it_is_back(switch: Switch, watch: Watch) -> None:
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(a_port()))
    before = watch.until_complete(a_port())

    killed = time.monotonic()
    switch.kill("ovsdb-server")
    lost = watch.until(lambda view: not view.connected, "the loss is noticed", within_s=1.0)
    _log.info("loss noticed %.1f ms after kill -9", (time.monotonic() - killed) * 1000)
    assert not lost.synced
    assert [row.name for row in lost.interfaces] == [row.name for row in before.interfaces]
    assert lost.error
    assert switch.target in lost.error

    damage = {"op": "update", "table": "Bridge", "where": [], "row": {"fail_mode": "standalone"}}
    run("ovsdb-tool", "transact", str(switch.database), json.dumps(["Open_vSwitch", damage]))
    switch.start_database()
    back = time.monotonic()
    watch.until(lambda view: view.synced, "the host is synced again", within_s=4.0)
    _log.info("synced %.0f ms after the server was back", (time.monotonic() - back) * 1000)
    view = watch.until(lambda view: view.bridge and view.bridge.fail_mode == "secure", "the damage is repaired")
    assert view.error is None
    assert watch.service.write_error("h1") is None


def test_rows_that_vanished_while_the_server_was_away_are_gone_in_one_step(switch: Switch, watch: Watch) -> None:
    """A view is either the old one or the complete new one, never half of it."""
    seen: list[int] = []
    switch.vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev")
    for number in range(30):
        switch.vsctl("--no-wait", "add-port", "br-int", f"p{number}")
    watch.add(switch)
    watch.until(lambda view: len(view.interfaces) == 31, "all rows are there")
    switch.kill("ovs-vswitchd")
    switch.kill("ovsdb-server")
    watch.until(lambda view: not view.connected, "the loss is noticed")
    delete = {"op": "mutate", "table": "Bridge", "where": []}
    ports = run(
        "ovsdb-tool",
        "query",
        str(switch.database),
        json.dumps(
            ["Open_vSwitch", {"op": "select", "table": "Port", "where": [["name", "==", "p7"]], "columns": ["_uuid"]}]
        ),
    )
    uuid = json.loads(ports)[0]["rows"][0]["_uuid"]
    delete["mutations"] = [["ports", "delete", ["set", [uuid]]]]
    run("ovsdb-tool", "transact", str(switch.database), json.dumps(["Open_vSwitch", delete]))

    switch.start_database()
    view = watch.until(lambda view: seen.append(len(view.interfaces)) or view.synced, "the host is synced again")

    assert interface(view, "p7") is None
    assert set(seen) == {31, 30}


def test_a_hung_server_is_reported_and_delays_no_other_host(make_switch: Callable[[], Switch], watch: Watch) -> None:
    hung, well = make_switch(), make_switch()
    for switch in (hung, well):
        switch.start()
    watch.service.add_host("hung", hung.target)
    watch.service.add_host("well", well.target)
    for name in ("hung", "well"):
        watch.service.set_desired(name, a_desire())
        watch.until_complete(name=name)

    hung.signal("ovsdb-server", signal.SIGSTOP)
    stopped = time.monotonic()
    for number in range(1, 6):
        begun = time.monotonic()
        port = a_port(number)
        watch.service.set_desired("hung", a_desire(port))
        watch.service.set_desired("well", a_desire(port))
        watch.until(
            lambda view, port=port: interface(view, port.name) is not None, "the other host is written", name="well"
        )
        assert time.monotonic() - begun < 1.0

    lost = watch.until(lambda view: not view.connected, "the silence is noticed", name="hung", within_s=8.0)
    _log.info("hung server given up %.1f s after SIGSTOP", time.monotonic() - stopped)
    assert "silent" in (lost.error or "") or "unanswered" in (lost.error or "")
    assert "unknown" in (watch.service.write_error("hung") or "") or "lost" in (watch.service.write_error("hung") or "")
    assert watch.service.view("well").synced

    hung.signal("ovsdb-server", signal.SIGCONT)
    watch.until_complete(a_port(5), name="hung")
    wait_until(lambda: watch.service.write_error("hung") is None, "the error is withdrawn")


def test_clearing_a_hung_host_takes_bounded_time(
    switch: Switch, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    watch.add(switch)
    watch.service.set_desired("h1", a_desire())
    watch.until_complete()
    switch.signal("ovsdb-server", signal.SIGSTOP)

    begun = time.monotonic()
    watch.service.remove_host("h1", clear=True)
    assert time.monotonic() - begun < 0.5
    watch.service.stop()
    assert time.monotonic() - begun < 4.0
    assert "ovsdb_not_cleared host=h1" in caplog.text


def test_a_host_is_reached_over_tcp_and_our_own_address_is_known(
    make_switch: Callable[[], Switch], watch: Watch
) -> None:
    """The OpenFlow address to advertise is our end of the OVSDB connection (Decisions A)."""
    switch = make_switch()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    switch.remotes.append(f"ptcp:{port}:127.0.0.1")
    switch.start_database(netns=False)
    switch.vsctl("--no-wait", "init")

    watch.service.add_host("h1", f"tcp:127.0.0.1:{port}")
    watch.service.set_desired("h1", a_desire(a_port()))
    view = watch.until(lambda view: interface(view, a_port().name) is not None, "the rows are written")

    assert view.view.local_address == "127.0.0.1"
    assert view.bridge
    assert view.bridge.datapath_id is None


def test_a_host_that_is_not_there_yet_is_found_when_it_comes(make_switch: Callable[[], Switch], watch: Watch) -> None:
    switch = make_switch()
    watch.add(switch)
    view = watch.until(lambda view: view.error is not None, "the failure is reported")
    assert "No such file" in (view.error or "")
    assert (view.connected, view.synced) == (False, False)

    switch.start()

    view = watch.until(lambda view: view.synced, "the host is found", within_s=4.0)
    assert view.bridge is None


def test_an_idle_host_stays_connected(switch: Switch, watch: Watch) -> None:
    watch.add(switch)
    watch.until(lambda view: view.synced, "the host is synced")
    watch.changes.clear()

    time.sleep(6.0)

    assert watch.changes == []
    assert watch.service.view("h1").synced


def test_a_change_of_counters_wakes_nobody(switch: Switch, watch: Watch) -> None:
    """No statistics column is monitored; OVS writes them every 5 s."""
    switch.vsctl("set", "open_vswitch", ".", "other_config:stats-update-interval=100")
    watch.add(switch)
    watch.service.set_desired("h1", a_desire())
    watch.until_complete()
    time.sleep(0.5)
    watch.changes.clear()

    switch.ip("link", "set", "br-int", "up")
    watch.until(lambda view: interface(view, "br-int").link_state == "up", "the device is up")
    before = switch.vsctl("get", "interface", "br-int", "statistics")
    watch.changes.clear()

    send = "import socket; s = socket.socket(17, 3); s.bind(('br-int', 0)); [s.send(bytes(60)) for _ in range(9)]"
    switch.inside("python3", "-c", send)
    wait_until(lambda: switch.vsctl("get", "interface", "br-int", "statistics") != before, "counters are written")

    assert watch.changes == []
