"""Rules that come and go while connections live: what is revoked stops, what is allowed again goes on.

Every test has four streams at once: in both families, from a client on the server's host and from one on another.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab_guests.stage import FAMILIES, Family, Guest, Stage, both, egress, ingress
from tests.lab_guests.streams import PORT, Stream, all_stop, answers_only, ask, can_connect, transfer
from tests.lab_guests.wire import settles

PORTS = {"near": PORT, "far": PORT + 1}


@dataclass(frozen=True, slots=True)
class Cast:
    """A server and its clients, one on its host and one on the other."""

    server: Guest
    near: Guest
    far: Guest

    @property
    def ways(self) -> list[tuple[Guest, Family, int]]:
        """Client, family and port of each stream."""
        return [(client, v, PORT + n) for n, client in enumerate((self.near, self.far)) for v in FAMILIES]


@pytest.fixture(scope="module")
def cast(shared_stage: Stage) -> Iterator[Cast]:
    stage = shared_stage
    server, near, far = stage.guests(stage.dual(), [stage.h1, stage.h1, stage.h2])
    yield Cast(server, near, far)
    stage.clear()


def set_groups(stage: Stage, cast: Cast, server: str, client: str) -> None:
    """Give the server one group and both clients another."""
    stage.change(cast.server, security_groups=[server])
    for guest in (cast.near, cast.far):
        stage.change(guest, security_groups=[client])


def each(cast: Cast, look: Callable[[Guest, Family, int], bool]) -> list[bool]:
    return [look(client, v, port) for client, v, port in cast.ways]


def connects(cast: Cast, *, timeout_s: float = 0.3) -> list[bool]:
    return each(cast, lambda client, v, port: can_connect(client, cast.server, v, port, timeout_s))


ALL, NONE = [True] * 4, [False] * 4


@contextlib.contextmanager
def streams(cast: Cast, kind: Callable[..., Any]) -> Iterator[list[Stream]]:
    """Have a stream on each way while the block runs."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(kind(client, cast.server, v, port)) for client, v, port in cast.ways]


def all_arrive(streams: list[Stream]) -> None:
    for stream in streams:
        assert stream.arrives()


def made(stage: Stage, group: str, rule: dict[str, Any]) -> list[str]:
    """Add a rule for both families and return the two ids."""
    return [stage.rule(group, one) for one in both(rule)]


def forget(stage: Stage, rules: list[str]) -> None:
    for rule in rules:
        stage.forget(rule)


SERVED = ingress("tcp", PORT, PORT + 1)
ASKED = ingress("udp", PORT, PORT + 1)


def test_transfers_stop_with_their_rule_and_go_on_with_it(stage: Stage, cast: Cast) -> None:
    served = stage.group(egress=False)
    set_groups(stage, cast, served, stage.group())
    settles(lambda: connects(cast, timeout_s=0.05), NONE)
    rules = made(stage, served, SERVED)
    settles(lambda: connects(cast), ALL)
    with streams(cast, transfer) as going:
        all_arrive(going)
        forget(stage, rules)
        assert all_stop(going)
        made(stage, served, SERVED)
        all_arrive(going)


def test_transfers_to_a_server_that_may_send_anything_stop_too(stage: Stage, cast: Cast) -> None:
    """Its own segments must not turn the connection round: a new one, begun by the server, with its rules."""
    served = stage.group()
    rules = made(stage, served, SERVED)
    set_groups(stage, cast, served, stage.group())
    settles(lambda: connects(cast), ALL)
    with streams(cast, transfer) as going:
        all_arrive(going)
        forget(stage, rules)
        assert all_stop(going)
        made(stage, served, SERVED)
        all_arrive(going)


def test_transfers_stop_with_the_senders_rule(stage: Stage, cast: Cast) -> None:
    sending = stage.group(egress=False)
    rules = made(stage, sending, egress("tcp", PORT, PORT + 1))
    set_groups(stage, cast, stage.group(*both(ingress("tcp"))), sending)
    settles(lambda: connects(cast), ALL)
    with streams(cast, transfer) as going:
        all_arrive(going)
        forget(stage, rules)
        assert all_stop(going)
        made(stage, sending, egress("tcp", PORT, PORT + 1))
        all_arrive(going)


def test_transfers_go_on_while_another_rule_allows_them(stage: Stage, cast: Cast) -> None:
    served = stage.group()
    narrow = made(stage, served, SERVED)
    set_groups(stage, cast, served, stage.group())
    settles(lambda: connects(cast), ALL)
    with streams(cast, transfer) as going:
        wide = made(stage, served, ingress("tcp"))
        time.sleep(0.2)
        forget(stage, narrow)
        for _ in range(10):
            assert all(stream.arrives(within_s=0.5) for stream in going)
            time.sleep(0.03)
        forget(stage, wide)
        assert all_stop(going)


def test_transfers_stop_when_their_client_leaves_the_remote_group(stage: Stage, cast: Cast) -> None:
    members, others = stage.group(), stage.group()
    served = stage.group(*both(SERVED | {"remote_group_id": members}))
    set_groups(stage, cast, served, members)
    settles(lambda: connects(cast), ALL)
    with streams(cast, transfer) as going:
        all_arrive(going)
        set_groups(stage, cast, served, others)
        assert all_stop(going)
        stage.change(cast.far, security_groups=[others, members])
        for stream in going[2:]:
            assert stream.arrives()
        assert all_stop(going[:2]), "the near client is still outside"


def test_answers_alone_stop_when_the_question_is_no_longer_allowed(stage: Stage, cast: Cast) -> None:
    """Nothing but answers flows, so no packet is held against the rules: conntrack itself must forget."""
    served = stage.group(egress=False)
    rules = made(stage, served, ASKED)
    set_groups(stage, cast, served, stage.group())
    settles(lambda: each(cast, lambda c, v, port: can_ask(c, cast.server, v, port)), ALL)
    with streams(cast, answers_only) as going:
        all_arrive(going)
        forget(stage, rules)
        assert all_stop(going)
        rules = made(stage, served, ASKED)
        time.sleep(0.3)
        assert all_stop(going)
        again = [asked_again(s, cast.server, v, port) for s, (_, v, port) in zip(going, cast.ways, strict=True)]
        assert again == ALL


def test_answers_alone_stop_when_the_client_may_no_longer_ask(stage: Stage, cast: Cast) -> None:
    asking = stage.group(egress=False)
    rules = made(stage, asking, egress("udp", PORT, PORT + 1))
    set_groups(stage, cast, stage.group(*both(ingress("udp"))), asking)
    settles(lambda: each(cast, lambda c, v, port: can_ask(c, cast.server, v, port)), ALL)
    with streams(cast, answers_only) as going:
        all_arrive(going)
        forget(stage, rules)
        assert all_stop(going)


@pytest.mark.parametrize("how", ["groups", "member", "address", "no group"])
def test_answers_alone_stop_however_the_permission_went(stage: Stage, cast: Cast, how: str) -> None:
    """The port changes its groups, the client leaves the remote group, or its address leaves the address group."""
    members, others, nothing = stage.group(), stage.group(), stage.group(egress=False)
    addresses = [f"{client.ip(v)}/{32 if v == 4 else 128}" for client in (cast.near, cast.far) for v in FAMILIES]
    address_group = stage.address_group(*addresses)
    remote = {"member": {"remote_group_id": members}, "address": {"remote_address_group_id": address_group}}
    served = stage.group(*both(ASKED | remote.get(how, {})), egress=False)
    set_groups(stage, cast, served, members)
    settles(lambda: each(cast, lambda c, v, port: can_ask(c, cast.server, v, port)), ALL)
    with streams(cast, answers_only) as going:
        all_arrive(going)
        match how:
            case "groups":
                stage.change(cast.server, security_groups=[nothing])
            case "no group":
                stage.change(cast.server, security_groups=[])
            case "member":
                set_groups(stage, cast, served, others)
            case _:
                body = {"address_group": {"addresses": addresses}}
                stage.weft.api.put(f"/v2.0/address-groups/{address_group}/remove_addresses", body)
        assert all_stop(going)


def can_ask(client: Guest, server: Guest, v: Family, port: int) -> bool:
    """Say whether a datagram to the server is answered."""
    try:
        with answers_only(client, server, v, port, within_s=0.2) as stream:
            return stream.arrives(within_s=1)
    except TimeoutError:
        return False


def asked_again(stream: Stream, server: Guest, v: Family, port: int) -> bool:
    """Ask again from the same socket, and say whether the answers go on."""
    ask(stream.receiver, server, v, port)
    return stream.arrives(within_s=2)
