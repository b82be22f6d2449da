"""Which names do addresses have, and which can they not have?"""

import pytest

from controller.dns_names import check_name, domain_of, hostname_told, search_domains
from controller.errors import InvalidInput


@pytest.mark.parametrize(
    ("port", "network", "expected"),
    [("p.org.", "n.org.", "p.org."), ("", "n.org.", "n.org."), ("", "", "openstacklocal.")],
)
def test_a_port_s_own_domain_comes_before_its_network_s(port: str, network: str, expected: str) -> None:
    assert domain_of(port, network) == expected


@pytest.mark.parametrize("name", ["", "vm1", "vm1.sub", "vm1.example.org.", "a.b.example.org.", "a" * 242])
def test_a_name_in_the_domain_fits(name: str) -> None:
    check_name(name, "example.org.")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vm1.example.com.", "higher level labels"),
        ("vm1.badexample.org.", "higher level labels"),
        ("example.org.", "higher level labels"),
        (".example.org.", "higher level labels"),
        ("a" * 242 + "b", "exceeds the maximum size"),
    ],
)
def test_a_name_of_another_domain_or_too_long_with_it_does_not(name: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        check_name(name, "example.org.")


@pytest.mark.parametrize(("name", "told"), [("", None), ("vm1", "vm1"), ("a.b", "a.b"), ("vm1.example.org.", "vm1")])
def test_a_guest_is_told_its_name_without_the_domain(name: str, told: str | None) -> None:
    assert hostname_told(name, "example.org.") == told


def test_domains_to_search_have_no_dot_at_the_end() -> None:
    assert search_domains(["a.org.", "", "b.org.", "a.org."]) == ("a.org", "b.org")
