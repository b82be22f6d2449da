"""What becomes of a packet that a port sends? ``POST /v2.0/traces`` (``weft-traces``): asked, never stored."""

from collections.abc import Callable, Mapping
from ipaddress import ip_address

from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed

from api.auth import Auth
from api.control import Control
from api.errors import InvalidAttribute, MalformedBody, MissingAttribute, MissingWrapper, UnknownAttributes
from api.machinery import METHODS, admit, read_body
from api.operations import Operation
from api.schema import ADDRESS, OBJECT, TEXT, array, or_null, record
from api.validators import Refused, Rule, boolean, described, mac_address, schema_of
from api.wire import API_ROOT, answer
from controller.policy.words import Target
from controller.services.rules import authorize

MEMBER = "trace"
PROTOCOLS = ("tcp", "udp", "icmp", "arp")
STATES = ("new", "established", "reply")
LAST_PORT = 65_535


@described({"type": "string", "minLength": 1})
def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise Refused(f"'{value}' is not a name, an id or an address")
    return value


def _one_of(*words: str) -> Rule:
    def parse(value: object) -> str:
        if value not in words:
            raise Refused(f"'{value}' is not in {list(words)}")
        return str(value)

    return Rule(parse, {"enum": list(words)})


@described({"type": ["integer", "null"], "minimum": 1, "maximum": LAST_PORT})
def _port(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LAST_PORT:
        raise Refused(f"'{value}' is not a port, 1 to {LAST_PORT}")
    return value


@described(or_null(ADDRESS))
def _address(value: object) -> str | None:
    if value is None:
        return None
    try:
        return str(ip_address(str(value)))
    except ValueError:
        raise Refused(f"'{value}' is not a valid IP address") from None


ATTRIBUTES: Mapping[str, tuple[Callable[[object], object], str]] = {
    "from": (_text, "Id or unique name of the port that sends."),
    "to": (_text, "Id or unique name of a port, or an IP address, looked up in the sender's network."),
    "protocol": (_one_of(*PROTOCOLS), "tcp, udp, icmp (echo, the default) or arp (ND for IPv6)."),
    "port": (_port, "Destination port of tcp and udp; of a reply, the source port."),
    "state": (_one_of(*STATES), "new (the default), established, or reply: where in its connection the packet is."),
    "source_ip": (_address, "Address to send from; left out, the port's."),
    "source_mac": (mac_address, "MAC address to send from; left out, the port's."),
    "live": (boolean, "True walks over the flows read from the switches now; else over those that are desired."),
}
"""How each attribute of a trace is read, and what it means."""
REQUIRED = ("from", "to")
_ANSWER = record(
    {
        "verdict": {"enum": ["delivered", "dropped", "answered", "controller"]},
        "sentence": TEXT,
        "packet": TEXT,
        "state": TEXT,
        "notes": array(TEXT),
        "rules": array(TEXT),
        "hosts": array(OBJECT),
    },
    is_closed=False,
)

OPERATIONS = (
    Operation(
        method="POST",
        path=f"{API_ROOT}/traces",
        name="create_trace",
        doc="Say what becomes of a packet that a port sends, host by host and table by table, and why.",
        body=record(
            {
                MEMBER: record(
                    {name: {**schema_of(rule), "description": doc} for name, (rule, doc) in ATTRIBUTES.items()},
                    required=REQUIRED,
                )
            },
            required=(MEMBER,),
        ),
        answer=record({MEMBER: _ANSWER}, required=(MEMBER,)),
    ),
)


class Traces:
    """The one verb of traces."""

    def __init__(self, *, auth: Auth, control: Control) -> None:
        self._auth = auth
        self._control = control

    def register(self, app: Flask) -> None:
        """Add it to the application."""
        path = f"{API_ROOT}/traces"
        app.add_url_rule(path, endpoint="traces", view_func=self.ask, methods=METHODS, provide_automatic_options=False)

    def ask(self) -> Response:
        """Return what becomes of a packet: verdict, sentence, and every table on every host.

        Raises:
            WeftError: The caller is no administrator, the body makes no sense, or the controller refuses.
        """
        caller = admit(self._auth)
        if request.method != "POST":
            raise MethodNotAllowed(("POST",))
        authorize(caller, "create_trace", Target())
        return answer(200, {MEMBER: self._control.call("trace", question(read_body()))})


def question(body: Mapping[str, object]) -> dict[str, object]:
    """Return the arguments for the controller.

    Raises:
        MissingWrapper, MalformedBody, UnknownAttributes, MissingAttribute, InvalidAttribute: as for any resource.
    """
    given = body.get(MEMBER)
    if given is None:
        raise MissingWrapper(MEMBER)
    if not isinstance(given, dict):
        raise MalformedBody
    unknown = given.keys() - ATTRIBUTES.keys()
    if unknown:
        raise UnknownAttributes(sorted(unknown))
    for name in REQUIRED:
        if name not in given:
            raise MissingAttribute(name)
    asked: dict[str, object] = {}
    for name, value in given.items():
        try:
            asked[name] = ATTRIBUTES[name][0](value)
        except Refused as refused:
            raise InvalidAttribute(name, refused.reason) from None
    return asked
