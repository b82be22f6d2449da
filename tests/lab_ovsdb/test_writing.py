"""Does a real Open vSwitch become, and stay, as desired?"""

import json
import logging
import re
import threading
from collections.abc import Callable

import pytest

from controller.southbound.ovsdb.service import OvsdbService
from tests.lab_ovsdb.switch import (
    DATAPATH_ID,
    MAC,
    PORT_ID,
    TARGET,
    VXLAN,
    Seen,
    Switch,
    Watch,
    a_desire,
    a_port,
    interface,
    is_live,
    run,
    wait_until,
)

pytestmark = pytest.mark.lab


def test_a_fresh_host_is_configured_wholly(switch: Switch, watch: Watch) -> None:
    """Everything the bridge needs, in one go."""
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(a_port()))
    view = watch.until_complete(a_port())

    assert view.bridge
    assert (view.bridge.fail_mode, view.bridge.datapath_type) == ("secure", "netdev")
    assert view.bridge.datapath_id == DATAPATH_ID
    assert view.bridge.protocols == ("OpenFlow14",)
    assert view.bridge.controllers == (TARGET,)
    assert view.view.ovs_version
    assert "netdev" in view.view.datapath_types
    assert view.view.local_address == "127.0.0.1"
    tunnel, tap = interface(view, "vxlan0"), interface(view, a_port().name)
    assert tunnel
    assert (tunnel.ofport, tunnel.live, tunnel.options) == (10, True, (("key", "flow"), ("remote_ip", "flow")))
    assert tap
    assert (tap.prewired, tap.iface_id, tap.attached_mac, tap.iface_status) == (True, PORT_ID, MAC, "active")
    assert (tap.ofport, tap.live) == (-1, False)
    columns = "connection_mode", "max_backoff", "inactivity_probe"
    found = [switch.vsctl("get", "controller", "br-int", column) for column in columns]
    assert found == ["out-of-band", "1000", "5000"]
    for key, value in (("disable-in-band", '"true"'), ("controller-queue-size", '"511"')):
        assert switch.vsctl("get", "bridge", "br-int", f"other_config:{key}") == value
    assert watch.service.write_error("h1") is None


def test_the_bridge_is_never_without_fail_mode_secure(switch: Switch, watch: Watch) -> None:
    """DESIGN invariant 5: bridge, fail mode and controller come in one transaction of the database's log."""
    watch.add(switch)
    watch.service.set_desired("h1", a_desire())
    watch.until_complete()

    log = run("ovsdb-tool", "-mm", "show-log", str(switch.database))
    born = next(entry for entry in log.split("record ") if re.search(r"table Bridge insert row", entry))
    assert "fail_mode=secure" in born, born
    assert "table Controller insert row" in born
    assert "OpenFlow14" in born


def test_an_unchanged_restart_writes_nothing(switch: Switch, watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(a_port()))
    watch.until_complete(a_port())
    before = switch.transactions()

    caplog.set_level(logging.INFO)
    second = Watch()
    second.add(switch)
    second.service.set_desired("h1", a_desire(a_port()))
    second.until_complete(a_port())
    wait_until(lambda: "ovsdb_in_sync" in caplog.text, "the second service found the host in sync")
    second.service.stop()

    assert "ovsdb_written" not in caplog.text
    assert switch.transactions() == before


@pytest.mark.parametrize(
    ("damage", "is_repaired"),
    [
        (("del-controller", "br-int"), lambda view: view.bridge.controllers == (TARGET,)),
        (("set-fail-mode", "br-int", "standalone"), lambda view: view.bridge.fail_mode == "secure"),
        (("del-port", "vxlan0"), lambda view: is_live(view, "vxlan0")),
        (
            ("set", "interface", "vxlan0", "options:key=7"),
            lambda view: interface(view, "vxlan0").options[0][1] == "flow",
        ),
        (("del-port", a_port().name), lambda view: interface(view, a_port().name) is not None),
        (("del-br", "br-int"), lambda view: view.bridge is not None and view.bridge.controllers == (TARGET,)),
        (
            ("set", "port", a_port().name, "tag=4095", "vlan_mode=trunk", "trunks=4095"),
            lambda view: interface(view, a_port().name).tag is None,
        ),
    ],
    ids=["controller", "fail_mode", "tunnel", "options", "prewired", "bridge", "isolation"],
)
def test_drift_is_repaired(
    switch: Switch,
    watch: Watch,
    damage: tuple[str, ...],
    is_repaired: Callable[[Seen], bool],
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(a_port()))
    watch.until_complete(a_port())
    caplog.set_level(logging.INFO)

    switch.vsctl("--no-wait", *damage)

    wait_until(lambda: "ovsdb_drift host=h1" in caplog.text, "the drift is logged")
    watch.until(lambda view: view.view.drift_count > 0 and view.view.last_drift, "the drift is counted and named")
    watch.until(lambda view: view.bridge is not None and is_repaired(view), "the drift is repaired")


def test_a_foreign_controller_is_refused_and_nothing_is_touched(switch: Switch, watch: Watch) -> None:
    """Decision C13."""
    switch.vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev")
    switch.vsctl("set-controller", "br-int", "tcp:192.0.2.1:6653")
    before = switch.transactions()

    watch.add(switch)
    watch.service.set_desired("h1", a_desire(a_port()))
    wait_until(lambda: watch.service.write_error("h1") is not None, "the refusal is reported")

    error = watch.service.write_error("h1") or ""
    assert "tcp:192.0.2.1:6653" in error
    assert "ovs-vsctl del-controller br-int" in error
    assert switch.transactions() == before

    switch.vsctl("--no-wait", "del-controller", "br-int")
    watch.until_complete(a_port())
    wait_until(lambda: watch.service.write_error("h1") is None, "the refusal is withdrawn")


def test_our_own_old_controller_target_is_replaced(switch: Switch, watch: Watch) -> None:
    watch.add(switch)
    watch.service.set_desired("h1", a_desire())
    watch.until_complete()

    watch.service.set_desired("h1", a_desire(target="tcp:127.0.0.1:16654"))

    watch.until(lambda view: view.bridge.controllers == ("tcp:127.0.0.1:16654",), "the target is the new one")
    assert watch.service.write_error("h1") is None


def test_a_datapath_type_the_switch_lacks_is_refused(switch: Switch, watch: Watch) -> None:
    watch.add(switch)
    desire = a_desire()
    config = type(desire.bridge)(datapath_type="system", datapath_id=1, controller_target=TARGET)
    watch.service.set_desired("h1", type(desire)(bridge=config))

    wait_until(lambda: watch.service.write_error("h1") is not None, "the refusal is reported")
    assert "it has netdev" in (watch.service.write_error("h1") or "")
    assert switch.vsctl("list-br") == ""


def test_removing_a_host_clears_what_is_ours_and_leaves_the_rest(
    switch: Switch, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(a_port()))
    watch.until_complete(a_port())
    switch.vsctl("--no-wait", "add-port", "br-int", "theirs", "--", "set", "interface", "theirs", "type=internal")

    watch.service.remove_host("h1", clear=True)
    wait_until(lambda: "ovsdb_host_removed host=h1 cleared=True" in caplog.text, "the host is cleared")

    assert switch.vsctl("get-controller", "br-int") == ""
    assert switch.vsctl("list-ports", "br-int") == "theirs"
    assert switch.vsctl("get-fail-mode", "br-int") == "secure"
    assert switch.vsctl("get", "bridge", "br-int", "external_ids") == "{}"
    assert switch.vsctl("list", "controller") == ""


def test_removing_a_host_without_clearing_leaves_everything(switch: Switch, watch: Watch) -> None:
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(a_port()))
    watch.until_complete(a_port())
    before = switch.transactions()

    watch.service.remove_host("h1", clear=False)
    watch.service.stop()

    assert switch.transactions() == before


def test_a_host_removed_and_added_again_at_once_is_configured(switch: Switch, watch: Watch) -> None:
    """The clearing of the old one must not take away what the new one has just written."""
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(a_port()))
    watch.until_complete(a_port())

    watch.service.remove_host("h1", clear=True)
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(a_port()))

    watch.until_complete(a_port())
    assert switch.vsctl("get-controller", "br-int") == TARGET


def test_stopping_waits_for_a_host_that_is_being_cleared(switch: Switch, watch: Watch) -> None:
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(a_port()))
    watch.until_complete(a_port())

    watch.service.remove_host("h1", clear=True)
    watch.service.stop()

    assert switch.vsctl("get-controller", "br-int") == ""


def test_500_ports_go_into_one_transaction(switch: Switch, watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    ports = [a_port(number) for number in range(1, 501)]
    watch.add(switch)
    watch.service.set_desired("h1", a_desire())
    watch.until_complete()
    caplog.set_level(logging.INFO)

    watch.service.set_desired("h1", a_desire(*ports))
    watch.until_complete(*ports)
    watch.service.set_desired("h1", a_desire())
    watch.until(lambda view: len(view.interfaces) == 2, "all are gone")

    # The server shows what a transaction did before it answers it.
    wait_until(lambda: caplog.text.count("ovsdb_in_sync") >= 2, "the last answer is there")
    assert caplog.text.count("ovsdb_written") == 2


def test_ports_stated_one_by_one_go_into_few_transactions(
    switch: Switch, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    """What comes while a transaction is under way waits for the next one."""
    ports = [a_port(number) for number in range(1, 501)]
    watch.add(switch)
    watch.service.set_desired("h1", a_desire())
    watch.until_complete()
    caplog.set_level(logging.INFO)

    for port in ports:
        watch.service.set_ports("h1", {port.iface_id: port})
    watch.until_complete(*ports)
    assert caplog.text.count("ovsdb_written") < 25

    watch.service.set_ports("h1", {port.iface_id: None for port in ports[1:]})
    watch.until(lambda view: len(view.interfaces) == 3, "all but one are gone")
    assert watch.service.view("h1").drift_count == 0


def test_a_changed_bridge_is_written_and_its_ports_stay(switch: Switch, watch: Watch) -> None:
    watch.add(switch)
    watch.service.set_desired("h1", a_desire(a_port()))
    before = watch.until_complete(a_port())

    watch.service.set_bridge("h1", a_desire(target="tcp:127.0.0.1:16654").bridge)

    view = watch.until(lambda view: view.bridge.controllers == ("tcp:127.0.0.1:16654",), "the target is the new one")
    assert interface(view, a_port().name) == interface(before, a_port().name)
    assert watch.service.view("h1").drift_count == 0


def test_a_database_nobody_initialised_is_reported(make_switch: Callable[[], Switch], watch: Watch) -> None:
    switch = make_switch()
    switch.start_database()
    watch.service.add_host("h1", switch.target)
    watch.service.set_desired("h1", a_desire())

    wait_until(lambda: "ovs-vsctl init" in (watch.service.write_error("h1") or ""), "the empty database is reported")


def test_other_protocols_of_the_bridge_are_kept(switch: Switch, watch: Watch) -> None:
    switch.vsctl(
        "add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev", "protocols=OpenFlow10,OpenFlow13"
    )
    watch.add(switch)
    watch.service.set_desired("h1", a_desire())
    view = watch.until_complete()

    assert view.bridge
    assert view.bridge.protocols == ("OpenFlow10", "OpenFlow13", "OpenFlow14")


def test_a_tunnel_made_by_somebody_else_is_reported_and_left(switch: Switch, watch: Watch) -> None:
    switch.vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev")
    switch.vsctl(
        "add-port",
        "br-int",
        VXLAN.name,
        "--",
        "set",
        "interface",
        VXLAN.name,
        "type=geneve",
        "options:remote_ip=192.0.2.9",
    )
    watch.add(switch)
    watch.service.set_desired("h1", a_desire())

    wait_until(lambda: "not Weft's" in (watch.service.write_error("h1") or ""), "the foreign tunnel is reported")
    row = json.loads(switch.vsctl("--format=json", "--columns=type", "find", "interface", f"name={VXLAN.name}"))
    assert row["data"] == [["geneve"]]
    assert switch.vsctl("get-controller", "br-int") == TARGET


def test_no_thread_is_left_after_stop(switch: Switch) -> None:
    before = threading.active_count()
    service = OvsdbService(lambda _: None)
    service.start()
    service.add_host("h1", switch.target)
    service.set_desired("h1", a_desire())
    wait_until(lambda: service.view("h1").synced, "the host is synced")
    assert threading.active_count() == before + 1

    service.stop()

    assert threading.active_count() == before
