"""Does a running Weft answer as Neutron 29 did?

    PYTHONPATH=. python scripts/replay_samples.py http://127.0.0.1:9696 [--all]

Replays every recorded request, in order, on an empty Weft without authentication, and lists what differs: status,
headers, keys and values of the body. Ids, addresses and times that either side chose are mapped or left out. The
recording (``tests/unit/api/samples/neutron29.json``) holds facts; what differs on purpose, and why, is in
``DIFFERENT``.
"""

import argparse
import json
import re
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

RECORDING = Path(__file__).resolve().parents[1] / "tests/unit/api/samples/neutron29.json"
HOST = "127.0.0.1:31696"
"""Where the recorded Neutron listened; links in its answers have it."""
TOKEN = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # an id
    r"|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}"  # a MAC address
    r"|2001:db8::[0-9a-f:]*"
    r"|\d{1,3}(?:\.\d{1,3}){3}"
)

DIFFERENT: Mapping[str, str] = {
    "002-root": "hosts are listed too, and `version` for endpoints that end in /v2.0",
    "003-extensions": "the list is what Weft has; what both have is announced in the same words",
    "012-403-port-create-binding-profile": "without authentication every caller may set what Nova sets",
    "140-list-routers": "an empty list instead of 404: clients look for routers when they clean up",
    "141-list-floatingips": "an empty list instead of 404: Nova asks for each server",
    "142-list-trunks": "an empty list instead of 404: clients look for trunks when they clean up",
    "143-list-segments": "segments exist in Weft; the recorded Neutron had no segments plug-in",
    "160-project-header": "X-Project-Id is honoured instead of refused",
}
"""Samples answered otherwise on purpose, and why."""

_PAGES = "pages are in the order of ids, which are random"
RUNNING: Mapping[str, str] = {
    "055-ports-page": _PAGES,
    "056-ports-page-next": _PAGES,
    "057-ports-page-reverse": _PAGES,
    "058-ports-page-last": _PAGES,
    "130-list-agents": "a running controller is an agent",
}
"""What differs besides when Weft runs for itself."""

WHOLE_DATABASE = (
    "019-network-list",
    "020-subnet-list",
    "021-port-list",
    "128-list-security-groups",
    "129-list-security-group-rules",
    "139-list-network-ip-availabilities",
    "154-options",
    "158-trailing-json",
    "159-trailing-slash",
    "163-cleanup-list",
    "172-cleanup-list",
    "176-cleanup-networks",
)
"""Lists of everything, with what was there before the recording: their attributes are compared, not their objects."""

NEWER = frozenset(
    {
        "attachment",
        "weft:plugin",
        "ipam:driver",
        "pvlan",
        "pvlan_type",
        "pvlan_community",
        "dns_domain",
        "dns_name",
        "dns_assignment",
        "segment_id",
        "ip_allocation",
        "l2_adjacency",
        "ipam:strategy",
        "ipam:quarantine",
        "ipam:exclusions",
        "ip_reservation",
    }
)
"""Attributes, and quotas, of extensions the recorded Neutron did not have."""

BEFORE = (
    # What was in Neutron's database already when the recording began.
    ("networks", {"network": {"provider:network_type": "vxlan", "provider:segmentation_id": 99999}}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    content: bytes

    @property
    def body(self) -> Any:
        """The JSON value; None without a body."""
        return json.loads(self.content) if self.content else None


Ask = Callable[[str, str, Mapping[str, str], str | None], Answer]
"""(method, path, headers, content) to an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One recorded request, answered anew; ``theirs`` is Neutron's body with our ids in it."""

    sample: Mapping[str, Any]
    ours: Answer
    theirs: Any

    def differences(self) -> Iterator[str]:
        """Yield what differs, in words."""
        sample, ours = self.sample, self.ours
        if sample["status"] != ours.status:
            yield f"status {ours.status} instead of {sample['status']}: {ours.content[:200]!r}"
            return
        if sample["answer_headers"].get("Content-Type") != ours.headers.get("content-type"):
            yield f"Content-Type {ours.headers.get('content-type')}"
        if sample["answer_headers"]["request-id"] != ("x-openstack-request-id" in ours.headers):
            yield "x-openstack-request-id"
        if "content-length" not in ours.headers:
            yield "no Content-Length"
        if sample["name"] in WHOLE_DATABASE:
            yield from self._attributes()
        else:
            left, right = comparable(self.theirs), comparable(ours.body)
            if "sort" not in sample["name"]:
                left, right = by_id(left), by_id(right)
            if left != right:
                yield f"body {json.dumps(right)[:400]} instead of {json.dumps(left)[:400]}"

    def _attributes(self) -> Iterator[str]:
        (many,) = self.theirs
        if bool(self.theirs[many]) and bool(self.ours.body[many]):
            apart = set(self.theirs[many][0]) ^ (set(self.ours.body[many][0]) - NEWER)
            if apart:
                yield f"attributes {sorted(apart)}"


class Replay:
    """One run through the samples."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._ours: dict[str, str] = {}

    def prepare(self) -> None:
        """Make what the recording found when it began."""
        for collection, body in BEFORE:
            made = self._ask("POST", f"/v2.0/{collection}", {"Content-Type": "application/json"}, json.dumps(body))
            if made.status != 201:  # noqa: PLR2004 - Created
                raise SystemExit(f"not an empty Weft: {made.content!r}")
        self._ask("GET", "/v2.0/security-groups", {}, None)  # the project had its default group

    def run(self, sample: Mapping[str, Any]) -> Outcome:
        """Ask one recorded request, with our ids in it."""
        content = sample["request"]
        if content is not None:
            content = self.ours(content if isinstance(content, str) else json.dumps(content))
        headers = {"Host": HOST, **sample["headers"]}
        if content is not None:
            headers.setdefault("Content-Type", "application/json")
        answer = self._ask(sample["method"], self.ours(sample["path"]), headers, content)
        if sample["method"] == "POST":
            self.learn(sample["answer"], answer.body)
        if sample["name"] in DIFFERENT and answer.status == 201:  # noqa: PLR2004 - Created
            (made,) = answer.body.values()  # Neutron did not make it, and the samples that follow do not know it
            self._ask("DELETE", f"{sample['path']}/{made['id']}", {}, None)
        return Outcome(sample=sample, ours=answer, theirs=json.loads(self.ours(json.dumps(sample["answer"]))))

    def ours(self, text: str) -> str:
        """Return text with Neutron's choices replaced by Weft's."""
        return TOKEN.sub(lambda found: self._ours.get(found[0], found[0]), text)

    def learn(self, theirs: object, ours: object) -> None:
        """Lay two answers side by side and note which of their values is which of ours."""
        if isinstance(theirs, dict) and isinstance(ours, dict):
            for key in theirs.keys() & ours.keys():
                self.learn(theirs[key], ours[key])
        elif isinstance(theirs, list) and isinstance(ours, list):
            for left, right in zip(theirs, ours, strict=False):
                self.learn(left, right)
        elif isinstance(theirs, str) and isinstance(ours, str) and TOKEN.fullmatch(theirs):
            self._ours.setdefault(theirs, ours)


def samples() -> Sequence[Mapping[str, Any]]:
    """Return the recording."""
    recorded: Sequence[Mapping[str, Any]] = json.loads(RECORDING.read_text())
    return recorded


def comparable(body: object) -> object:
    """Return a body without what may differ: values Neutron chose, times, revisions, what was there before."""
    text = json.dumps(body, sort_keys=True)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    text = re.sub(r'"revision_number": \d+', '"revision_number": 0', text)
    text = re.sub(r"current revision is \d+", "current revision is N", text)
    text = re.sub(r"already used \d+", "already used N", text)
    text = re.sub(r'"used": \d+', '"used": 0', text)
    text = re.sub(r'"provider:segmentation_id": \d+', '"provider:segmentation_id": 0', text)
    text = re.sub(r"these ports is: ([^.]*)\.", lambda found: ",".join(sorted(found[1].split(","))), text)
    return _without_newer(json.loads(text))


def _without_newer(body: object) -> object:
    if isinstance(body, dict):
        return {name: _without_newer(value) for name, value in body.items() if name not in NEWER}
    return [_without_newer(one) for one in body] if isinstance(body, list) else body


def by_id(body: object) -> object:
    """Return a value with its lists as sets: without a sort key their order is that of ids, or none."""
    if isinstance(body, dict):
        return {key: by_id(value) for key, value in body.items()}
    if isinstance(body, list):
        return sorted((by_id(value) for value in body), key=json.dumps)
    return body


def _lower(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def over_http(url: str) -> Ask:
    """Return what asks a running Weft."""

    def ask(method: str, path: str, headers: Mapping[str, str], content: str | None) -> Answer:
        request = urllib.request.Request(  # noqa: S310 - the URL is the operator's own
            url.rstrip("/") + path,
            data=None if content is None else content.encode(),
            headers=dict(headers),
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return Answer(status=answer.status, headers=_lower(answer.headers), content=answer.read())
        except HTTPError as error:
            with error:
                return Answer(status=error.code, headers=_lower(error.headers), content=error.read())

    return ask


def main(argv: Sequence[str] | None = None) -> int:
    """List the differences; 1 when there is one nobody explained."""
    parser = argparse.ArgumentParser(description="Replay Neutron's recorded requests on an empty, running Weft.")
    parser.add_argument("url", help="where it listens, for example http://127.0.0.1:9696")
    parser.add_argument("--all", action="store_true", help="list the explained differences too")
    args = parser.parse_args(argv)
    replay = Replay(over_http(args.url))
    replay.prepare()
    new = explained = 0
    for sample in samples():
        found = list(replay.run(sample).differences())
        reason = DIFFERENT.get(sample["name"]) or RUNNING.get(sample["name"])
        new += bool(found) and reason is None
        explained += bool(found) and reason is not None
        if found and (reason is None or args.all):
            sys.stdout.write(f"{sample['name']}: {'; '.join(found)}{f' ({reason})' if reason else ''}\n")
    sys.stdout.write(f"{len(samples())} requests, {explained} explained differences, {new} others\n")
    return 1 if new else 0


if __name__ == "__main__":
    raise SystemExit(main())
