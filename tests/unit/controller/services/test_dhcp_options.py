"""What becomes of a port's DHCP options when some are asked for? As Neutron's extension extra_dhcp_opt does."""

from controller.services.dhcp_options import changed, kept, replacing

MTU, NTP = ("mtu", "1400", 4), ("ntp-server", "192.0.2.1", 4)


def test_options_without_a_value_are_not_kept() -> None:
    assert kept([MTU, ("ntp-server", None, 4), ("bootfile-name", "", 4)]) == (MTU,)


def test_a_router_may_be_blank() -> None:
    """The guest is told none then."""
    assert kept([("router", "", 4), ("router", None, 6)]) == (("router", "", 4),)


def test_a_change_adds_and_replaces_by_name_and_version_and_leaves_the_others() -> None:
    six = ("mtu", "1300", 6)
    assert changed([MTU, six], [("mtu", "1200", 4), NTP]) == (("mtu", "1200", 4), six, NTP)


def test_null_removes_an_option_and_an_empty_list_all() -> None:
    assert changed([MTU, NTP], [("mtu", None, 4), ("router", None, 4)]) == (NTP,)
    assert changed([MTU, NTP], []) == ()


def test_what_replaces_options_leaves_those_wanted_and_no_others() -> None:
    for wanted in ((), (NTP,), (("mtu", "1300", 4), ("mtu", "1280", 6))):
        assert changed([MTU, NTP], replacing([MTU, NTP], wanted)) == wanted
