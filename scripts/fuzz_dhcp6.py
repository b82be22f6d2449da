"""Do the IPv6 responders survive a long run of random guests? ``scripts/fuzz_dhcp6.py --protocol 6 --seconds 60``.

``--protocol 6`` is DHCPv6, ``--protocol ra`` router solicitations. Mutates valid frames at random, or lets atheris do
so, guided by coverage, where it is installed. Also measures answers a second (``--rate``). A frame that breaks a rule
is printed in hexadecimal and the exit code is 1.
"""

import argparse
import functools
import importlib
import importlib.util
import random
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from controller.dhcp6.answer import Answer6
from controller.dhcp6.lease import Lease6, LeasedAddress
from controller.dhcp6.ra import PrefixFacts, RouterFacts, answer_solicitation, unsolicited
from controller.dhcp6.responder import Counters6, respond6

GUEST_MAC, SERVICE_MAC = "fa:16:3e:00:00:01", "02:57:45:46:54:01"
MAC, SERVER_MAC = (bytes.fromhex(mac.replace(":", "")) for mac in (GUEST_MAC, SERVICE_MAC))
GUEST = bytes.fromhex("fe80000000000000f8163efffe000001")
SERVER = bytes.fromhex("fe80000000000000005745fffe465401")
OWN, FOREIGN = bytes.fromhex("20010db8000100000000000000000005"), bytes.fromhex("20010db8009900000000000000000005")
ALL_SERVERS, ALL_ROUTERS = bytes.fromhex("ff02" + "00" * 11 + "010002"), bytes.fromhex("ff02" + "00" * 13 + "02")
ALL_NODES = bytes.fromhex("ff02" + "00" * 13 + "01")
START, MTU, UDP, ICMPV6 = 54, 1280, 17, 58
SHORT = struct.Struct("!H")
MUTATIONS_MAX = 6
ALL_ONES = 0xFFFF


def ones_complement(octets: bytes) -> int:
    """Sum 16-bit words with end-around carry (RFC 1071)."""
    padded = octets + b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & ALL_ONES) + (total >> 16)
    return total


def sum_of(frame: bytes, end: int) -> int:
    """Sum the pseudo header and the payload (RFC 8200 section 8.1)."""
    return ones_complement(frame[22:START] + struct.pack("!II", end - START, frame[20]) + frame[START:end])


def with_checksum(frame: bytearray) -> bytes:
    """Make the ICMPv6 checksum right, so that mutations reach what lies behind it."""
    end = START + SHORT.unpack_from(frame, 18)[0] if len(frame) >= START else 0
    if START + 4 <= end <= len(frame):
        frame[56:58] = bytes(2)
        frame[56:58] = SHORT.pack(ALL_ONES ^ sum_of(bytes(frame), end))
    return bytes(frame)


def option(code: int, value: bytes) -> bytes:
    """Write a DHCPv6 option."""
    return struct.pack("!HH", code, len(value)) + value


def a_datagram(next_header: int, hop_limit: int, src: bytes, dst: bytes, payload: bytes) -> bytes:
    """Write a guest's frame around a payload."""
    ip = struct.pack("!IHBB", 6 << 28, len(payload), next_header, hop_limit) + src + dst
    return b"\x33\x33" + dst[-4:] + MAC + b"\x86\xdd" + ip + payload


def a_message(kind: int, *options: bytes, dst: bytes = ALL_SERVERS) -> bytes:
    """Write a client's valid message."""
    message = struct.pack("!B3s", kind, b"xid") + b"".join(options)
    return a_datagram(UDP, 1, GUEST, dst, struct.pack("!HHHH", 546, 547, 8 + len(message), 0) + message)


def ia_na(iaid: int, *addresses: bytes) -> bytes:
    """Write an IA_NA."""
    inner = b"".join(option(5, address + bytes(8)) for address in addresses)
    return option(3, struct.pack("!III", iaid, 0, 0) + inner)


CLIENT = option(1, b"\0\3\0\1" + MAC)
OURS = option(2, b"\0\3\0\1" + SERVER_MAC)
WANTED = option(6, struct.pack("!5H", 23, 24, 32, 56, 59))
SOLICIT = a_message(1, CLIENT, option(8, b"\0\0"), WANTED, ia_na(7))
REQUEST = a_message(3, CLIENT, OURS, WANTED, ia_na(7, OWN))
DHCP_SEEDS = (
    SOLICIT,
    REQUEST,
    a_message(1, CLIENT, option(14, b""), ia_na(1), ia_na(2), option(4, bytes(4)), option(25, bytes(12))),
    a_message(4, CLIENT, ia_na(7, OWN, FOREIGN)),
    a_message(5, CLIENT, OURS, ia_na(7, OWN, FOREIGN), ia_na(8)),
    a_message(6, CLIENT, ia_na(7, FOREIGN)),
    a_message(8, CLIENT, OURS, ia_na(7, OWN)),
    a_message(9, CLIENT, OURS, ia_na(7, OWN), dst=SERVER),
    a_message(11, WANTED),
    a_message(12, bytes(30), option(9, b"\1xid")),
)


def a_solicitation(src: bytes, options: bytes) -> bytes:
    """Write a router solicitation."""
    return with_checksum(bytearray(a_datagram(ICMPV6, 255, src, ALL_ROUTERS, b"\x85" + bytes(7) + options)))


RA_SEEDS = (
    a_solicitation(bytes(16), b""),
    a_solicitation(GUEST, b"\1\1" + MAC),
    a_solicitation(GUEST, b"\x0e\1" + bytes(6) + b"\x63\2" + bytes(14)),
)


def dhcp_answer() -> Answer6:
    """Compile a lease with options enough to meet the size limit."""
    answer, _ = Answer6.compile(
        Lease6(
            mac=GUEST_MAC,
            server_mac=SERVICE_MAC,
            addresses=(LeasedAddress(address="2001:db8:1::5"), LeasedAddress(address="2001:db8:1::6")),
            on_link=("2001:db8:1::/64",),
            dns_servers=("2001:db8::53",),
            search_domains=("example.org",),
            mtu=MTU,
            extra_options=tuple((str(code), "x" * 250) for code in range(200, 206)),
        )
    )
    return answer


FACTS = RouterFacts(
    service_mac=SERVICE_MAC,
    mtu=MTU,
    prefixes=(PrefixFacts(cidr="2001:db8:1::/64", autonomous=True),),
    managed=False,
    other=True,
    dns_servers=("2001:db8::53",),
    search_domains=("example.org",),
)


def broken_form(sent: bytes, next_header: int, checksum_at: int) -> str | None:
    """Say which rule of form a reply breaks, None for none."""
    rules = (
        (sent[6:12] == SERVER_MAC and sent[22:38] == SERVER, "the source is not the service's"),
        (sent[20] == next_header, "the next header is wrong"),
        (SHORT.unpack_from(sent, 18)[0] == len(sent) - START, "the IPv6 length is wrong"),
        (sent[checksum_at : checksum_at + 2] != b"\0\0", "there is no checksum"),
        (sum_of(sent, len(sent)) == ALL_ONES, "the checksum is wrong"),
        (len(sent) - 14 <= MTU, "the datagram is longer than the MTU"),
    )
    return next((rule for holds, rule in rules if not holds), None)


def broken_by_dhcp(answer: Answer6, counters: Counters6, frame: bytes) -> str | None:
    """Say which rule the DHCPv6 reply to a frame breaks, None for none."""
    try:
        reply = respond6(answer, frame)
    except Exception as error:  # noqa: BLE001 (the rule is that nothing at all is raised)
        return f"respond6() raised {error!r}"
    counters.add(reply.outcome)
    sent = reply.frame
    if sent is None:
        return None
    rules = (
        (sent[0:6] == MAC, "the frame goes to somebody else"),
        (sent[38:54] == frame[22:38], "the datagram goes to somebody else"),
        (SHORT.unpack_from(sent, 58)[0] == len(sent) - START, "the UDP length is wrong"),
        (sent[63:66] == frame[63:66], "the transaction is another one"),
    )
    return broken_form(sent, UDP, 60) or next((rule for holds, rule in rules if not holds), None)


def broken_by_ra(counters: dict[str, int], frame: bytes) -> str | None:
    """Say which rule the advertisement for a frame breaks, None for none."""
    try:
        sent = answer_solicitation(FACTS, frame)
    except Exception as error:  # noqa: BLE001 (the rule is that nothing at all is raised)
        return f"answer_solicitation() raised {error!r}"
    counters["silent" if sent is None else "answered"] += 1
    if sent is None:
        return None
    whole = unsolicited(FACTS)
    rules = (
        (sent[58:] == whole[58:], "the advertisement is not the network's"),
        (sent[38:54] in (frame[22:38], ALL_NODES), "the datagram goes to somebody else"),
        (sent[21] == 255, "the hop limit is not 255"),  # noqa: PLR2004
    )
    return broken_form(sent, ICMPV6, 56) or next((rule for holds, rule in rules if not holds), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is fuzzed, and how frames for it are made."""

    seeds: Sequence[bytes]
    repair: Callable[[bytearray], bytes]
    broken_rule: Callable[[bytes], str | None]
    counts: Callable[[], dict[str, int]]
    answer_once: Callable[[bytes], object]
    rated: Sequence[tuple[str, bytes]]


def target_of(protocol: str) -> Target:
    """Give the responder of a protocol."""
    if protocol == "ra":
        counts = {"silent": 0, "answered": 0}
        return Target(
            seeds=RA_SEEDS,
            repair=with_checksum,
            broken_rule=functools.partial(broken_by_ra, counts),
            counts=counts.copy,
            answer_once=functools.partial(answer_solicitation, FACTS),
            rated=(("SOLICITATION", RA_SEEDS[1]),),
        )
    answer, counters = dhcp_answer(), Counters6()
    return Target(
        seeds=DHCP_SEEDS,
        repair=bytes,
        broken_rule=functools.partial(broken_by_dhcp, answer, counters),
        counts=counters.as_dict,
        answer_once=functools.partial(respond6, answer),
        rated=(("SOLICIT", SOLICIT), ("REQUEST", REQUEST)),
    )


def mutated(rng: random.Random, target: Target) -> bytes:
    """Change a valid frame in a few places: octets, cuts, repetitions, other frames' parts; lengths mostly right."""
    frame = bytearray(rng.choice(target.seeds))
    for _ in range(rng.randint(1, MUTATIONS_MAX)):
        # Mostly behind the headers, which are soon read.
        at = rng.randrange(len(frame)) if frame else 0
        at = max(at, min(START + 4, len(frame))) if rng.random() < 0.8 else at  # noqa: PLR2004
        match rng.randrange(6):
            case 0:
                frame[at : at + 1] = bytes((rng.randrange(256),))
            case 1:
                frame[at : at + 1] = rng.choice((b"\x00", b"\x01", b"\x03", b"\x05", b"\x19", b"\xff"))
            case 2:
                del frame[at:]
            case 3:
                frame[at:at] = rng.randbytes(rng.randrange(200))
            case 4:
                frame[at:at] = frame[at : at + 20] * rng.randrange(40)
            case _:
                frame[at:] = rng.choice(target.seeds)[at:]
    if len(frame) >= START + 8 and rng.random() < 0.8:  # noqa: PLR2004 (lengths made right in most frames)
        length = SHORT.pack(min(ALL_ONES, len(frame) - START))
        frame[18:20] = length
        if frame[20] == UDP:
            frame[58:60] = length
    return target.repair(frame)


def fuzz(target: Target, seconds: float, seed: int, clock: Callable[[], float]) -> int:
    """Try random frames for a while; return the exit code."""
    rng, tried, until = random.Random(seed), 0, clock() + seconds  # noqa: S311 (no secret)
    while clock() < until:
        frame = mutated(rng, target)
        tried += 1
        rule = target.broken_rule(frame)
        if rule is not None:
            print(f"seed {seed}, frame {tried}: {rule}\n{frame.hex()}")
            return 1
    print(f"seed {seed}: {tried} frames, no rule broken")
    for outcome, count in target.counts().items():
        print(f"  {outcome:24}{count:>10}")
    return 0


def fuzz_with_atheris(target: Target, seconds: float) -> int:
    """Let atheris change the frames, guided by coverage, from valid ones on; it ends the process itself."""
    atheris = importlib.import_module("atheris")

    def once(octets: bytes) -> None:
        rule = target.broken_rule(target.repair(bytearray(octets)))
        if rule is not None:
            raise RuntimeError(rule)

    with tempfile.TemporaryDirectory() as corpus:
        for number, frame in enumerate(target.seeds):
            Path(corpus, str(number)).write_bytes(frame)
        atheris.instrument_all()
        atheris.Setup([sys.argv[0], f"-max_total_time={int(seconds)}", "-max_len=2000", corpus], once)
        atheris.Fuzz()
    return 0


def print_rate(target: Target, seconds: float, clock: Callable[[], float]) -> None:
    """Print answers a second in one thread."""
    for name, frame in target.rated:
        count, began = 0, clock()
        while clock() - began < seconds / len(target.rated):
            for _ in range(1000):
                target.answer_once(frame)
            count += 1000
        print(f"{name:14}{count / (clock() - began):>12,.0f} answers/s")


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description="Fuzz the IPv6 responders, or measure them.")
    parser.add_argument("--protocol", choices=("6", "ra"), default="6", help="DHCPv6 or router solicitations")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to run (default 10)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="repeat an earlier run")
    parser.add_argument("--rate", action="store_true", help="measure answers a second instead")
    arguments = parser.parse_args()
    target = target_of(arguments.protocol)
    if arguments.rate:
        print_rate(target, arguments.seconds, time.monotonic)
        return 0
    if importlib.util.find_spec("atheris") is not None:
        return fuzz_with_atheris(target, arguments.seconds)
    return fuzz(target, arguments.seconds, arguments.seed, time.monotonic)


if __name__ == "__main__":
    sys.exit(main())
