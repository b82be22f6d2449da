"""Do packets, the model and the walker say the same? All ordered pairs of ports are probed, and the copies compared.

A frame whose copy did not arrive is sent again, twice at most: what no policy stops may be lost once.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tests.lab_matrix.frames import Seen, octets, question_group
from tests.lab_matrix.intent import ECHO, SERVICES, Cloud, Offer, Port, a_cloud, version_of
from tests.lab_matrix.semantics import Frame, Kind, answers, is_group, owned, receivers
from tests.lab_matrix.stage import Realised, Stage, exchange

BROADCAST, ALL_NODES_MAC = "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01"
BROADCAST_IP, ALL_NODES = "255.255.255.255", "ff02::1"
STRANGER = "fa:16:3e:ff:ff:ff"
"""Nobody's MAC address; ports have other last octets."""
NOBODY = {4: "10.50.0.99", 6: "fd50::99"}
FIRST_PORT = 20_000
TRIES = 3
SILENCE_S = 0.4
"""Nothing came for so long: nothing will."""
GRACE_S = 0.25
"""For what must not come."""
TRACES = 24
WITH_PORTS = frozenset({Kind.UDP, Kind.TCP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A frame of which two say different things."""

    seed: int
    frame: Frame
    text: str

    def __str__(self) -> str:
        """Return what is needed to look for the cause."""
        return f"seed {self.seed}: {self.frame}: {self.text}"


@dataclass(slots=True)
class Tally:
    """What was compared."""

    clouds: int = 0
    ports: int = 0
    pairs: int = 0
    """Ordered pairs of ports, of one network or two."""
    frames: Counter[str] = field(default_factory=Counter)
    """Sent, by what they are."""
    copies: int = 0
    """That arrived."""
    answered: int = 0
    """Questions the network answered."""
    again: int = 0
    """Frames sent again because a copy was missing."""
    traces: int = 0
    networks: Counter[str] = field(default_factory=Counter)
    disagreements: list[Disagreement] = field(default_factory=list)


@dataclass(slots=True)
class _Heard:
    """What came of one frame."""

    frame: Frame
    sends: int = 1
    copies: Counter[int] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    tagged: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One cloud under test."""

    seed: int
    rng: random.Random
    cloud: Cloud
    realised: Realised
    tally: Tally

    def differs(self, frame: Frame, text: str) -> None:
        """Note a disagreement."""
        self.tally.disagreements.append(Disagreement(seed=self.seed, frame=frame, text=text))


def run(stage: Stage, seed: int, tally: Tally, offer: Offer) -> None:
    """Draw a cloud, make it real, and compare."""
    rng = random.Random(seed)
    cloud = a_cloud(rng, offer)
    with stage.realised(cloud) as realised:
        probe(stage, Case(seed=seed, rng=rng, cloud=cloud, realised=realised, tally=tally))


def probe(stage: Stage, case: Case) -> None:
    """Send everything, then answers to what arrived, then ask the walker."""
    tally, cloud = case.tally, case.cloud
    tally.clouds += 1
    tally.ports += len(cloud.ports)
    tally.pairs += len(cloud.ports) * (len(cloud.ports) - 1)
    tally.networks.update(f"{network.kind}{' private' if network.pvlan else ''}" for network in cloud.networks)
    asked = _round(case, list(requests(cloud, case.rng)), first=0)
    _round(case, list(_replies(asked)), first=len(asked))
    if stage.has_traces:
        _compare_traces(stage, case, asked)


# what is sent ---------------------------------------------------------------------------------------------------------


def requests(cloud: Cloud, rng: random.Random) -> Iterator[Frame]:
    """Yield the frames of every ordered pair, of every port to all, and some lies."""
    number = FIRST_PORT
    for sender in cloud.ports:
        for frame in (*_to_all(sender, rng), *_lies(cloud, sender, rng), *_to_each(cloud, sender, rng)):
            number += 1
            yield replace(frame, src_port=number) if frame.kind in WITH_PORTS else frame


def _to_each(cloud: Cloud, sender: Port, rng: random.Random) -> Iterator[Frame]:
    for target in cloud.ports:
        if target is sender:
            continue
        for mac, ip in owned(target):
            version = version_of(ip)
            for src_mac, src_ip in owned(sender):
                if version_of(src_ip) != version or src_ip == ip:
                    continue  # an address that both may use: who answers whom cannot be told from the packets
                base = Frame(
                    sender=sender.number,
                    kind=Kind.UDP,
                    src_mac=src_mac,
                    dst_mac=mac,
                    version=version,
                    src_ip=src_ip,
                    dst_ip=ip,
                )
                yield replace(base, dst_port=rng.choice(SERVICES))
                if rng.random() < 0.5:
                    yield replace(base, kind=Kind.TCP, dst_port=rng.choice(SERVICES))
                if rng.random() < 0.5:
                    yield replace(base, kind=Kind.ICMP, dst_port=ECHO[version][0])
                if (src_mac, src_ip) == next(owned(sender)) or src_ip in sender.ips:
                    asked = BROADCAST if version == 4 else question_group(ip)[0]
                    yield replace(base, kind=Kind.QUESTION, dst_mac=asked)


def _to_all(sender: Port, rng: random.Random) -> Iterator[Frame]:
    yield Frame(sender=sender.number, kind=Kind.OTHER, src_mac=sender.mac, dst_mac=BROADCAST)
    yield Frame(sender=sender.number, kind=Kind.OTHER, src_mac=sender.mac, dst_mac=STRANGER)
    for ip in sender.ips:
        version = version_of(ip)
        mac, group = (BROADCAST, BROADCAST_IP) if version == 4 else (ALL_NODES_MAC, ALL_NODES)
        base = Frame(
            sender=sender.number,
            kind=Kind.UDP,
            src_mac=sender.mac,
            dst_mac=mac,
            version=version,
            src_ip=ip,
            dst_ip=group,
            dst_port=rng.choice(SERVICES),
        )
        yield base
        yield replace(base, dst_mac=STRANGER, dst_ip=NOBODY[version])
        asked = BROADCAST if version == 4 else question_group(NOBODY[version])[0]
        yield replace(base, kind=Kind.QUESTION, dst_mac=asked, dst_ip=NOBODY[version], dst_port=0)


def _lies(cloud: Cloud, sender: Port, rng: random.Random) -> Iterator[Frame]:
    """Yield frames in the name of others."""
    others = [port for port in cloud.ports if port is not sender and port.network == sender.network]
    if len(others) < 2:  # one in whose name, one to be deceived
        return
    victim, deceived = rng.sample(others, 2)
    yield Frame(sender=sender.number, kind=Kind.OTHER, src_mac=victim.mac, dst_mac=deceived.mac)
    for ip in deceived.ips:
        theirs = next((one for one in victim.ips if version_of(one) == version_of(ip)), None)
        if theirs is not None:
            base = Frame(
                sender=sender.number,
                kind=Kind.UDP,
                src_mac=sender.mac,
                dst_mac=deceived.mac,
                version=version_of(ip),
                src_ip=theirs,
                dst_ip=ip,
                dst_port=rng.choice(SERVICES),
            )
            yield base
            yield replace(base, src_mac=victim.mac)
            asked = BROADCAST if version_of(ip) == 4 else question_group(ip)[0]
            yield replace(base, kind=Kind.QUESTION, dst_mac=asked, dst_port=0)


def _replies(asked: list[_Heard]) -> Iterator[Frame]:
    """Yield the answer of each port that got a datagram, or the first packet of a connection, meant for one."""
    for heard in asked:
        frame = heard.frame
        if frame.kind in WITH_PORTS and not is_group(frame.dst_mac):
            for number in sorted(heard.copies):  # a port that got it by chance answers too, in whosever name
                yield replace(
                    frame,
                    sender=number,
                    src_mac=frame.dst_mac,
                    dst_mac=frame.src_mac,
                    src_ip=frame.dst_ip,
                    dst_ip=frame.src_ip,
                    src_port=frame.dst_port,
                    dst_port=frame.src_port,
                    begun_by=frame.sender,
                )


# what comes of it -----------------------------------------------------------------------------------------------------


def _round(case: Case, frames: list[Frame], *, first: int) -> list[_Heard]:
    """Send frames, the missing ones again, and note where model and packets differ."""
    tally, cloud, nics = case.tally, case.cloud, case.realised.nics
    heard = [_Heard(frame=frame) for frame in frames]
    wanted = [receivers(cloud, frame) for frame in frames]
    tally.frames.update(_name(frame) for frame in frames)

    def take(number: int, seen: Seen) -> None:
        place = seen.token - first
        if not 0 <= place < len(heard):
            return  # of an earlier round
        if seen.is_tagged:
            heard[place].tagged.add(number)
        if seen.answer is not None and number == heard[place].frame.sender:
            heard[place].answers[seen.answer] += 1
        else:
            heard[place].copies[number] += 1

    missing = list(range(len(frames)))
    for attempt in range(TRIES):
        outgoing: dict[int, list[bytes]] = {}
        for place in missing:
            outgoing.setdefault(frames[place].sender, []).append(octets(frames[place], first + place))
            heard[place].sends = attempt + 1
        tally.again += len(missing) if attempt else 0
        exchange(
            nics,
            outgoing,
            take,
            lambda: not any(_is_missing(heard[place], wanted[place]) for place in missing),  # noqa: B023 - used up here
            timeout_s=SILENCE_S,
        )
        missing = [place for place in missing if _is_missing(heard[place], wanted[place])]
        if not missing:
            break
    exchange(nics, {}, take, lambda: False, timeout_s=GRACE_S)
    for one, expected in zip(heard, wanted, strict=True):
        tally.copies += one.copies.total()
        tally.answered += bool(one.answers)
        for text in _differences(cloud, one, expected):
            case.differs(one.frame, text)
    return heard


def _name(frame: Frame) -> str:
    if frame.begun_by is not None:
        return "replies"
    if frame.kind is Kind.QUESTION:
        return "ARP" if frame.version == 4 else "ND"
    if frame.dst_mac == STRANGER:
        return "to nobody"
    return "to all" if is_group(frame.dst_mac) else f"{frame.kind} {'' if frame.kind is Kind.OTHER else frame.version}"


def _is_missing(heard: _Heard, wanted: frozenset[int]) -> bool:
    return not heard.answers and not wanted <= heard.copies.keys()


def _differences(cloud: Cloud, heard: _Heard, wanted: frozenset[int]) -> Iterator[str]:
    got = frozenset(heard.copies)
    if heard.answers:
        wrong = heard.answers.keys() - answers(cloud, heard.frame)
        if wrong:
            yield f"answered with {sorted(wrong)}, allowed are {sorted(answers(cloud, heard.frame))}"
    elif got != wanted:
        yield f"received by {sorted(got)}, should be by {sorted(wanted)}"
    if got - wanted and heard.answers:
        yield f"answered, and received by {sorted(got - wanted)} too"
    twice = sorted(number for number, copies in heard.copies.items() if copies > heard.sends)
    if twice:
        yield f"received more than once by {twice}"
    if heard.tagged:
        yield f"received with an 802.1Q tag by {sorted(heard.tagged)}"


def _compare_traces(stage: Stage, case: Case, asked: list[_Heard]) -> None:
    """Ask the walker about some of the frames."""
    cloud, realised = case.cloud, case.realised
    for heard in case.rng.sample([one for one in asked if _is_traceable(cloud, one.frame)], TRACES):
        frame = heard.frame
        target = _owner(cloud, frame)
        body = {
            "from": realised.port_ids[frame.sender],
            "to": frame.dst_ip,
            "protocol": "arp" if frame.kind is Kind.QUESTION else str(frame.kind),
            "source_ip": frame.src_ip,
            **({"port": frame.dst_port} if frame.kind in WITH_PORTS else {}),
        }
        found = stage.weft.api.post("/v2.0/traces", {"trace": body})["trace"]
        case.tally.traces += 1
        delivered = target.number in heard.copies
        wanted = {"answered"} if heard.answers else {"delivered"} if delivered else {"dropped"}
        if found["verdict"] not in wanted:
            text = f"the walker says {found['sentence']}; packets: {sorted(heard.copies)} {sorted(heard.answers)}"
            case.differs(frame, text)


def _is_traceable(cloud: Cloud, frame: Frame) -> bool:
    """Whether a trace can name the frame: from the port's own MAC address to a port of the network by its own."""
    sender = cloud.ports[frame.sender]
    if frame.kind is Kind.OTHER or frame.src_mac != sender.mac or frame.dst_mac == STRANGER:
        return False
    owner = next((p for p in cloud.ports if p.network == sender.network and frame.dst_ip in p.ips), None)
    return owner is not None and (frame.kind is Kind.QUESTION or frame.dst_mac == owner.mac)


def _owner(cloud: Cloud, frame: Frame) -> Port:
    network = cloud.ports[frame.sender].network
    return next(port for port in cloud.ports if port.network == network and frame.dst_ip in port.ips)
