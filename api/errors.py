"""What can be wrong with a request before a service sees it?

    WeftError (controller.errors)
    ├── MalformedBody, MissingWrapper, NoMembers                    the body as a whole
    ├── MissingAttribute, UnknownAttributes, NotAllowedInPost,
    │   ReadOnlyAttribute, InvalidAttribute, ProjectMismatch        one attribute of the body
    ├── UnknownFilter, UnknownSortKey, BadSortDirection,
    │   UnevenSort, PlanOfNothing                                   the query string
    ├── InvalidCidr, SecurityGroupRuleInvalidProtocol,
    │   SecurityGroupRuleInvalidEtherType, MissingPairAddress,
    │   BadAddressPair, DuplicateAddressPair, TooManyAddressPairs,
    │   InvalidInputSubnetServiceType, InvalidSubnetServiceType     one value, where Neutron has an error of its own
    └── ControllerAbsent, ControllerBusy, ControllerSilent,
        ControllerRefused                                           the controller process (api.control)

The sentences are those Neutron 29 sends, word for word, because clients match on them. Errors about what is stored
(an address in use, a network that is not there) belong to ``controller.errors``.
"""

# ruff: noqa: N818 - as in controller.errors, a class is named after what is wrong

from collections.abc import Sequence

from controller.errors import Kind, WeftError


class MalformedBody(WeftError):
    """The body is not one JSON object."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self) -> None:
        super().__init__("Body contains invalid data")


class MissingWrapper(WeftError):
    """The body has neither the singular nor the plural wrapper key."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self, wrapper: str) -> None:
        super().__init__(f"Unable to find '{wrapper}' in request body")
        self.wrapper = wrapper


class NoMembers(WeftError):
    """A bulk request with an empty list."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self) -> None:
        super().__init__("Resources required")


class MissingAttribute(WeftError):
    """An attribute that has no default was not given."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self, attribute: str) -> None:
        super().__init__(f"Failed to parse request. Required attribute '{attribute}' not specified")
        self.attribute = attribute


class UnknownAttributes(WeftError):
    """The body names attributes the resource does not have."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self, attributes: Sequence[str]) -> None:
        super().__init__(f"Unrecognized attribute(s) '{', '.join(attributes)}'")
        self.attributes = tuple(attributes)


class NotAllowedInPost(WeftError):
    """An attribute the server alone decides was given on create."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self, attribute: str) -> None:
        super().__init__(f"Attribute '{attribute}' not allowed in POST")
        self.attribute = attribute


class ReadOnlyAttribute(WeftError):
    """An attribute that never changes was given on update."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self, attribute: str) -> None:
        super().__init__(f"Cannot update read-only attribute {attribute}")
        self.attribute = attribute


class InvalidAttribute(WeftError):
    """A value does not fit its attribute."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self, attribute: str, reason: str) -> None:
        super().__init__(f"Invalid input for {attribute}. Reason: {reason}.")
        self.attribute = attribute
        self.reason = reason


class ProjectMismatch(WeftError):
    """``project_id`` and its older name ``tenant_id`` were given with different values."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self) -> None:
        super().__init__("'project_id' and 'tenant_id' do not match")


class ProjectNotAllowed(WeftError):
    """An object was asked for on behalf of a project that is not the caller's (neutron-lib, attributes)."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self) -> None:
        super().__init__(
            "Specifying 'project_id' other than the authenticated project in request is not allowed for the current "
            "user."
        )


class Unauthenticated(Exception):
    """Who sends the request is not known; the answer never says why."""

    def __init__(self, challenge: str) -> None:
        self.challenge = challenge
        """What to prove one's identity by (RFC 9110 section 11.6.1); empty when somebody else says it."""
        super().__init__("The request you have made requires authentication.")


class UnknownFilter(WeftError):
    """The query string filters by what is no filterable attribute."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"{list(names)} is invalid attribute for filtering")
        self.names = tuple(names)


class UnknownSortKey(WeftError):
    """The query string sorts by what is no sortable attribute."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"{list(names)} is invalid attribute for sort_keys")
        self.names = tuple(names)


class BadSortDirection(WeftError):
    """A ``sort_dir`` is neither ``asc`` nor ``desc``."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self, values: Sequence[str]) -> None:
        super().__init__(f"{list(values)} is invalid value for sort_dirs, valid value is 'asc' and 'desc'")
        self.values = tuple(values)


class UnevenSort(WeftError):
    """``sort_key`` and ``sort_dir`` do not come in pairs."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self) -> None:
        super().__init__("The number of sort_keys and sort_dirs must be same")


class InvalidCidr(WeftError):
    """The addresses a rule is about are no prefix."""

    kind = Kind.INVALID
    neutron_type = "InvalidCIDR"

    def __init__(self, given: str) -> None:
        super().__init__(f"Invalid CIDR {given} given as IP prefix.")
        self.given = given


class SecurityGroupRuleInvalidProtocol(WeftError):
    """A rule names a protocol nobody knows, or a number of more than eight bits."""

    kind = Kind.INVALID

    def __init__(self, protocol: str, known: Sequence[str | None]) -> None:
        super().__init__(
            f"Security group rule protocol {protocol} not supported. Only protocol values {tuple(known)} and integer "
            "representations [0 to 255] are supported."
        )
        self.protocol = protocol


class SecurityGroupRuleInvalidEtherType(WeftError):
    """A rule is for neither IP version."""

    kind = Kind.INVALID

    def __init__(self, ethertype: str, known: Sequence[str]) -> None:
        super().__init__(
            f"Security group rule for ethertype '{ethertype}' not supported. Allowed values are {list(known)}."
        )
        self.ethertype = ethertype


class MissingPairAddress(WeftError):
    """An allowed address pair without an address."""

    kind = Kind.INVALID
    neutron_type = "AllowedAddressPairsMissingIP"

    def __init__(self) -> None:
        super().__init__("AllowedAddressPair must contain ip_address")


class BadAddressPair(WeftError):
    """An allowed address pair that is none; Neutron names no attribute here."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InvalidInputSubnetServiceType(WeftError):
    """A subnet's service type is no text."""

    kind = Kind.INVALID

    def __init__(self, value: str) -> None:
        super().__init__(f"Invalid input for operation: Subnet service type {value} is not a string.")
        self.value = value


class InvalidSubnetServiceType(WeftError):
    """A subnet's service type is no device owner."""

    kind = Kind.INVALID

    def __init__(self, value: str) -> None:
        super().__init__(
            f"Invalid input for operation: Subnet service type {value} does not correspond to a valid device owner."
        )
        self.value = value


class DuplicateAddressPair(WeftError):
    """One allowed address pair was given twice in a request."""

    kind = Kind.INVALID
    neutron_type = "DuplicateAddressPairInRequest"

    def __init__(self, mac_address: str | None, ip_address: str) -> None:
        super().__init__(
            f"Request contains duplicate address pair: mac_address {mac_address} ip_address {ip_address}.",
        )
        self.mac_address = mac_address
        self.ip_address = ip_address


class TooManyAddressPairs(WeftError):
    """More allowed address pairs than a port may have."""

    kind = Kind.INVALID
    neutron_type = "AllowedAddressPairExhausted"

    def __init__(self, maximum: int) -> None:
        super().__init__(f"The number of allowed address pair exceeds the maximum {maximum}.")
        self.maximum = maximum


class ControllerAbsent(WeftError):
    """The controller process cannot be reached, so nothing can be asked of a switch."""

    kind = Kind.UNAVAILABLE
    neutron_type = "ServiceUnavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The controller process cannot be reached ({reason}). See the log of `weft serve`.")
        self.reason = reason


class ControllerBusy(WeftError):
    """As many questions as the API may have under way are waiting for the controller process."""

    kind = Kind.UNAVAILABLE
    neutron_type = "ServiceUnavailable"

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} questions to the controller process are waiting already. Ask again later.")
        self.most = most


class ControllerSilent(WeftError):
    """The controller process took the question and did not answer in time."""

    kind = Kind.UNAVAILABLE
    neutron_type = "GatewayTimeout"

    def __init__(self, op: str, deadline_s: float) -> None:
        super().__init__(
            f"The controller process did not answer '{op}' within {deadline_s:g} s. "
            "The switch may be slow or unreachable: see GET /v2.0/hosts.",
        )
        self.op = op
        self.deadline_s = deadline_s


class ControllerRefused(WeftError):
    """The controller process answered with an error of its own; its kind decides the status."""

    kind = Kind.UNAVAILABLE
    neutron_type = "ControllerError"

    def __init__(self, *, error_type: str, message: str, kind: Kind) -> None:
        super().__init__(message)
        self.remote_type = error_type
        self.remote_kind = kind


class PlanOfNothing(WeftError):
    """A plan was asked for of a request that changes nothing."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self) -> None:
        super().__init__("plan is for requests that change something: POST, PUT and DELETE.")
