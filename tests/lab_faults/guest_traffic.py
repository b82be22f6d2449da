"""Which packets and connections of a guest were lost? Runs inside a guest as a program of its own.

    python guest_traffic.py echo ADDRESS RATE     echo requests, RATE a second, counted by sequence number
    python guest_traffic.py serve                 a TCP server that answers one octet and closes
    python guest_traffic.py connect ADDRESS MS    a new TCP connection every MS milliseconds

It goes on until SIGTERM, waits for what is under way, and prints one line of JSON. Imports nothing of the project, so
that it starts quickly.
"""

import asyncio
import json
import os
import select
import signal
import socket
import struct
import sys
import time

PORT = 7000
LAST_ANSWERS_S = 1.0
CONNECTION_S = 8.0
SYN_RETRY_S = 0.9
"""RFC 6298 section 2: a SYN is sent again after one second, so a slower connection has lost a packet."""
HEADER = struct.Struct("!BBHHH")
MARK = struct.Struct("!QQ")


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    folded: int = total + (total >> 16)
    return ~folded & 0xFFFF


def echo(address: str, rate: float) -> None:
    """Send echo requests; a sequence number of 64 bits is in the payload."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.setblocking(False)
    nonce, sent = int.from_bytes(os.urandom(8), "big"), 0
    unanswered: dict[int, float] = {}
    refused = 0
    began = time.monotonic()
    end = float("inf")
    while (now := time.monotonic()) < end and (unanswered or end == float("inf")):
        if stopping and end == float("inf"):
            end = now + LAST_ANSWERS_S
        while end == float("inf") and sent < (now - began) * rate:
            body = MARK.pack(nonce, sent)
            head = HEADER.pack(8, 0, 0, os.getpid() & 0xFFFF, sent & 0xFFFF)
            packet = HEADER.pack(8, 0, checksum(head + body), os.getpid() & 0xFFFF, sent & 0xFFFF) + body
            unanswered[sent] = now - began
            try:
                sock.sendto(packet, (address, 0))
            except OSError:
                refused += 1
            sent += 1
        select.select([sock], [], [], 0.001)
        while True:
            try:
                packet = sock.recv(256)
            except BlockingIOError:
                break
            if packet[20] == 0 and len(packet) >= 20 + HEADER.size + MARK.size:
                found, sequence = MARK.unpack_from(packet, 20 + HEADER.size)
                if found == nonce:
                    unanswered.pop(sequence, None)
    lost = {str(number): round(at, 3) for number, at in list(unanswered.items())[:20]}
    report({"sent": sent, "lost": len(unanswered), "refused": refused, "first_lost": lost})


async def serve() -> None:
    """Answer each connection's octet and close."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(await reader.readexactly(1))
            await writer.drain()
            await reader.read()  # the client closes first
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "0.0.0.0", PORT, backlog=512)
    async with server:
        await server.serve_forever()


async def connect(address: str, every_s: float) -> None:
    """Open connections at a steady rate until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    failed: list[str] = []
    slow: list[float] = []

    async def one() -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(CONNECTION_S):
                reader, writer = await asyncio.open_connection(address, PORT)
                # No TIME_WAIT: thousands of them would use the ports up.
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.write(b"x")
                await reader.readexactly(1)
                writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            failed.append(repr(error))
        if time.monotonic() - began > SYN_RETRY_S:
            slow.append(round(time.monotonic() - began, 2))

    tasks = []
    began = time.monotonic()
    while not stopping.is_set():
        tasks.append(asyncio.create_task(one()))
        await asyncio.sleep(max(0.0, began + len(tasks) * every_s - time.monotonic()))
    await asyncio.gather(*tasks)
    report({"opened": len(tasks), "failed": failed[:5], "failures": len(failed), "slow": slow[:20]})


def report(result: object) -> None:
    """Print the balance."""
    print(json.dumps(result), flush=True)  # noqa: T201 - the program's result


def main(arguments: list[str]) -> None:
    """Do what the first argument says."""
    match arguments:
        case ["echo", address, rate]:
            echo(address, float(rate))
        case ["serve"]:
            asyncio.run(serve())
        case ["connect", address, milliseconds]:
            asyncio.run(connect(address, float(milliseconds) / 1000))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
