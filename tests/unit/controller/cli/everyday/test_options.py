"""Do options become what a request says?"""

import argparse

import pytest

from controller.cli.everyday import options
from controller.cli.everyday.catalog import Value

NET = Value(name="network_id", option="network", kind="text", refers="networks")
LIST = Value(name="dns_nameservers", option="dns-nameserver", kind="list")
FLAG = Value(name="shared", option="shared", kind="boolean")
NUMBER = Value(name="mtu", option="mtu", kind="integer", null=True)
PROFILE = Value(name="binding:profile", option="binding-profile", kind="object", null=True)
FIXED = Value(
    name="fixed_ips",
    option="fixed-ip",
    kind="records",
    keys=(
        Value(name="subnet_id", option="subnet", kind="text", refers="subnets"),
        Value(name="ip_address", option="ip-address", kind="text"),
        Value(name="ip_version", option="ip-version", kind="integer"),
    ),
)
ALL = (NET, LIST, FLAG, NUMBER, PROFILE, FIXED)


@pytest.mark.parametrize(
    ("words", "body"),
    [
        ("", {}),
        ("--network red", {"network_id": "networks/red"}),
        ("--shared", {"shared": True}),
        ("--no-shared", {"shared": False}),
        ("--mtu 1400", {"mtu": 1400}),
        ("--no-mtu", {"mtu": None}),
        ("--dns-nameserver a --dns-nameserver b", {"dns_nameservers": ["a", "b"]}),
        ("--no-dns-nameserver", {"dns_nameservers": []}),
        ("--fixed-ip subnet=s,ip-address=a", {"fixed_ips": [{"subnet_id": "subnets/s", "ip_address": "a"}]}),
        (
            "--fixed-ip subnet_id=s --fixed-ip ip_version=4",
            {"fixed_ips": [{"subnet_id": "subnets/s"}, {"ip_version": 4}]},
        ),
        ("--no-fixed-ip", {"fixed_ips": []}),
        ("--binding-profile a=1 --binding-profile b=x", {"binding:profile": {"a": 1, "b": "x"}}),
        ('--binding-profile {"a":[1]}', {"binding:profile": {"a": [1]}}),
        ("--no-binding-profile", {"binding:profile": None}),
    ],
)
def test_options_become_a_body(words: str, body: dict[str, object]) -> None:
    parser = argparse.ArgumentParser()
    for value in ALL:
        options.add_value(parser, value)
    args = parser.parse_args(words.split())
    assert options.body(ALL, args, named=lambda collection, name: f"{collection}/{name}") == body


def test_a_number_in_a_record_must_be_one() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="not an integer"):
        options.reader(FIXED)("ip-version=four")
