"""Does the DHCPv4 responder survive a long run of random guests? ``scripts/fuzz_dhcp.py --seconds 60``.

Mutates valid frames at random, or lets atheris choose them where it is installed. Also measures answers a second
(``--rate``). A frame that breaks a rule is printed in hexadecimal and the exit code is 1.
"""

import argparse
import importlib
import importlib.util
import random
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from controller.dhcp.lease import Lease
from controller.dhcp.responder import Answer, Counters, respond

MAC, ADDRESS, SERVER = bytes.fromhex("fa163e000001"), bytes((10, 0, 0, 5)), bytes((10, 0, 0, 1))
COOKIE = bytes.fromhex("63825363")
ZERO = bytes(4)
REQUESTED = (55, bytes((1, 3, 6, 12, 15, 26, 28, 42, 121)))
COMMON = ((61, b"\x01" + MAC), (57, b"\x02\x40"), REQUESTED, (60, b"udhcp 1.35.0"))
MUTATIONS_MAX = 6
ETHERNET, HEADERS = 14, 34


def ones_complement(octets: bytes) -> int:
    """Sum 16-bit words with end-around carry (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets[: len(octets) // 2 * 2]))
    total += octets[-1] << 8 if len(octets) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def a_frame(kind: int, *options: tuple[int, bytes], ciaddr: bytes = ZERO) -> bytes:
    """Write a client's valid frame."""
    written = bytes((53, 1, kind)) + b"".join(bytes((code, len(value))) + value for code, value in options) + b"\xff"
    bootp = bytes((1, 1, 6, 0)) + b"\x12\x34\x56\x78" + ZERO + ciaddr + bytes(12) + MAC.ljust(202, b"\0")
    bootp = (bootp + b"\0" * (236 - len(bootp)) + COOKIE + written).ljust(300, b"\0")
    udp = struct.pack("!HHHH", 68, 67, 8 + len(bootp), 0) + bootp
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ciaddr + b"\xff" * 4
    return with_checksum(bytearray(b"\xff" * 6 + MAC + b"\x08\x00" + header + udp))


def with_checksum(frame: bytearray) -> bytes:
    """Make the IPv4 header checksum right, so that mutations reach what lies behind it."""
    if len(frame) >= HEADERS:
        frame[24:26] = bytes(2)
        header = ETHERNET + max(20, (frame[ETHERNET] & 0x0F) * 4)
        frame[24:26] = struct.pack("!H", 0xFFFF ^ ones_complement(bytes(frame[ETHERNET:header])))
    return bytes(frame)


DISCOVER = a_frame(1, *COMMON)
REQUEST = a_frame(3, (50, ADDRESS), (54, SERVER), *COMMON)
SEEDS = (
    DISCOVER,
    REQUEST,
    a_frame(3, *COMMON, ciaddr=ADDRESS),
    a_frame(3, (50, SERVER)),
    a_frame(4, (50, ADDRESS), (54, SERVER)),
    a_frame(7, (54, SERVER), ciaddr=ADDRESS),
    a_frame(8, (55, b"\x79\xf9"), ciaddr=ADDRESS),
    a_frame(1, (52, b"\x03"), (61, bytes(255))),
)


def the_answer() -> Answer:
    """Compile a lease with routes enough to meet the size limits."""
    answer, _ = Answer.compile(
        Lease(
            mac="fa:16:3e:00:00:01",
            address="10.0.0.5",
            prefix_length=24,
            server_id="10.0.0.1",
            server_mac="fa:16:3e:ff:ff:fe",
            router="10.0.0.1",
            dns_servers=("8.8.8.8", "9.9.9.9"),
            mtu=1450,
            routes=tuple((f"10.{number}.0.0/16", "10.0.0.2") for number in range(1, 4)),
            hostname="vm-1",
            domain="example.org",
        )
    )
    return answer


def mutated(rng: random.Random) -> bytes:
    """Change a valid frame in a few places: octets, lengths, cuts, repetitions, other frames' parts."""
    frame = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randint(1, MUTATIONS_MAX)):
        at = rng.randrange(len(frame)) if frame else 0
        match rng.randrange(6):
            case 0:
                frame[at : at + 1] = bytes((rng.randrange(256),))
            case 1:
                frame[at : at + 1] = rng.choice((b"\x00", b"\x01", b"\x34", b"\x7f", b"\xff"))
            case 2:
                del frame[at:]
            case 3:
                frame[at:at] = rng.randbytes(rng.randrange(300))
            case 4:
                frame[at:at] = frame[at : at + 20] * rng.randrange(40)
            case _:
                frame[at:] = rng.choice(SEEDS)[at:]
    if len(frame) >= HEADERS + 8 and rng.random() < 0.7:  # noqa: PLR2004 (lengths made right in most frames)
        frame[16:18] = struct.pack("!H", min(0xFFFF, len(frame) - ETHERNET))
        frame[38:40] = struct.pack("!H", min(0xFFFF, len(frame) - HEADERS))
    return with_checksum(frame)


def broken_rule(answer: Answer, frame: bytes, counters: Counters) -> str | None:
    """Say which rule the reply to a frame breaks, None for none."""
    try:
        reply = respond(answer, frame)
    except Exception as error:  # noqa: BLE001 (the rule is that nothing at all is raised)
        return f"respond() raised {error!r}"
    counters.add(reply.outcome)
    sent = reply.frame
    if sent is None:
        return None
    udp = sent[HEADERS:]
    pseudo = sent[26:HEADERS] + struct.pack("!HH", 17, len(udp))
    rules = (
        (sent[0:6] in (MAC, b"\xff" * 6), "the frame goes to somebody else"),
        (sent[70:76] == MAC, "chaddr is somebody else's"),
        (struct.unpack_from("!H", sent, 16)[0] == len(sent) - ETHERNET, "the IPv4 length is wrong"),
        (struct.unpack_from("!H", udp, 4)[0] == len(udp), "the UDP length is wrong"),
        (ones_complement(sent[ETHERNET:HEADERS]) == 0xFFFF, "the IPv4 checksum is wrong"),  # noqa: PLR2004
        (ones_complement(pseudo + udp) == 0xFFFF, "the UDP checksum is wrong"),  # noqa: PLR2004
        (len(sent) - ETHERNET <= 1450, "the datagram is longer than the MTU"),  # noqa: PLR2004
        (sent[278:282] == COOKIE and b"\xff" in sent[282:], "the options have no beginning or no end"),
    )
    return next((rule for holds, rule in rules if not holds), None)


def fuzz(seconds: float, seed: int, clock: Callable[[], float]) -> int:
    """Try random frames for a while; return the exit code."""
    answer, counters, rng, tried = the_answer(), Counters(), random.Random(seed), 0  # noqa: S311 (no secret)
    until = clock() + seconds
    while clock() < until:
        frame = mutated(rng)
        tried += 1
        rule = broken_rule(answer, frame, counters)
        if rule is not None:
            print(f"seed {seed}, frame {tried}: {rule}\n{frame.hex()}")
            return 1
    print(f"seed {seed}: {tried} frames, no rule broken")
    for outcome, count in counters.as_dict().items():
        print(f"  {outcome:22}{count:>10}")
    return 0


def fuzz_with_atheris(seconds: float) -> int:
    """Let atheris change the frames, guided by coverage, from valid ones on; it ends the process itself."""
    atheris = importlib.import_module("atheris")
    answer, counters = the_answer(), Counters()

    def once(octets: bytes) -> None:
        rule = broken_rule(answer, with_checksum(bytearray(octets)), counters)
        if rule is not None:
            raise RuntimeError(rule)

    with tempfile.TemporaryDirectory() as corpus:
        # Without these it finds no frame that gets past the headers.
        for number, frame in enumerate(SEEDS):
            Path(corpus, str(number)).write_bytes(frame)
        atheris.instrument_all()
        atheris.Setup([sys.argv[0], f"-max_total_time={int(seconds)}", "-max_len=2000", corpus], once)
        atheris.Fuzz()
    return 0


def print_rate(seconds: float, clock: Callable[[], float]) -> None:
    """Print answers a second in one thread, for the two messages of a boot."""
    answer = the_answer()
    for name, frame in (("DISCOVER", DISCOVER), ("REQUEST", REQUEST)):
        count, began = 0, clock()
        while clock() - began < seconds:
            for _ in range(1000):
                respond(answer, frame)
            count += 1000
        print(f"{name:10}{count / (clock() - began):>12,.0f} answers/s")


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description="Fuzz the DHCPv4 responder, or measure it.")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to run (default 10)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="repeat an earlier run")
    parser.add_argument("--rate", action="store_true", help="measure answers a second instead")
    arguments = parser.parse_args()
    if arguments.rate:
        print_rate(arguments.seconds / 2, time.monotonic)
        return 0
    if importlib.util.find_spec("atheris") is not None:
        return fuzz_with_atheris(arguments.seconds)
    return fuzz(arguments.seconds, arguments.seed, time.monotonic)


if __name__ == "__main__":
    sys.exit(main())
