"""What can go wrong with security groups, address groups and what they ask of a port?

The tree (as in ``controller.errors``: one class per Neutron exception, ``kind`` decides the HTTP status)::

    WeftError
    ├── INVALID    SecurityGroupInvalidPortRange, SecurityGroupInvalidPortValue, SecurityGroupInvalidProtocolForPort,
    │              SecurityGroupInvalidIcmpValue, SecurityGroupMissingIcmpType,
    │              SecurityGroupProtocolRequiredWithPorts, SecurityGroupEthertypeConflictWithProtocol,
    │              SecurityGroupRuleParameterConflict, SecurityGroupMultipleRemoteEntites,
    │              SecurityGroupNotSingleGroupRules, SecurityGroupRulesNotSingleProject, AddressesAlreadyExist,
    │              PortSecurityAndIPRequiredForSecurityGroups
    ├── NOT_FOUND  SecurityGroupNotFound, SecurityGroupRuleNotFound, DefaultSecurityGroupRuleNotFound,
    │              AddressGroupNotFound, AddressesNotFound
    └── CONFLICT   SecurityGroupInUse, SecurityGroupCannotRemoveDefault, SecurityGroupCannotUpdateDefault,
                   SecurityGroupDefaultAlreadyExists, SecurityGroupConflict, SecurityGroupRuleExists,
                   DuplicateSecurityGroupRuleInPost, DefaultSecurityGroupRuleExists, AddressGroupInUse,
                   PortSecurityPortHasSecurityGroup, AddressPairAndPortSecurityRequired
"""

# ruff: noqa: N818  (the class names are Neutron's, they go on the wire)

from collections.abc import Sequence

from controller.errors import Kind, WeftError


class SecurityGroupInvalidPortRange(WeftError):
    """A rule for a protocol with ports names no range, or one that ends before it starts."""

    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__("For TCP/UDP protocols, port_range_min must be <= port_range_max")


class SecurityGroupInvalidPortValue(WeftError):
    """No port has this number."""

    kind = Kind.INVALID

    def __init__(self, port: object) -> None:
        self.port = port
        super().__init__(f"Invalid value for port {port}")


class SecurityGroupInvalidProtocolForPort(WeftError):
    """The protocol has no ports."""

    kind = Kind.INVALID

    def __init__(self, protocol: int, with_ports: Sequence[str]) -> None:
        self.protocol = protocol
        super().__init__(
            f"Ports cannot be specified for protocol {protocol}. Ports are only supported for {', '.join(with_ports)}."
        )


class SecurityGroupInvalidIcmpValue(WeftError):
    """An ICMP type or code has eight bits."""

    kind = Kind.INVALID

    def __init__(self, field: str, attribute: str, value: int) -> None:
        self.field, self.attribute, self.value = field, attribute, value
        super().__init__(f"Invalid value for ICMP {field} ({attribute}) {value}. It must be 0 to 255.")


class SecurityGroupMissingIcmpType(WeftError):
    """A code means nothing without its type."""

    kind = Kind.INVALID

    def __init__(self, value: int) -> None:
        self.value = value
        super().__init__(f"ICMP code (port-range-max) {value} is provided but ICMP type (port-range-min) is missing.")


class SecurityGroupProtocolRequiredWithPorts(WeftError):
    """A port range without a protocol."""

    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__("Must also specify protocol if port range is given.")


class SecurityGroupEthertypeConflictWithProtocol(WeftError):
    """A protocol of IPv6 in a rule for IPv4."""

    kind = Kind.INVALID

    def __init__(self, ethertype: str, protocol: str) -> None:
        self.ethertype, self.protocol = ethertype, protocol
        super().__init__(f"Invalid ethertype {ethertype} for protocol {protocol}.")


class SecurityGroupRuleParameterConflict(WeftError):
    """A rule for one IP version with a prefix of the other."""

    kind = Kind.INVALID

    def __init__(self, ethertype: str, cidr: str) -> None:
        self.ethertype, self.cidr = ethertype, cidr
        super().__init__(f"Conflicting value ethertype {ethertype} for CIDR {cidr}")


class SecurityGroupMultipleRemoteEntites(WeftError):
    """A rule names more than one kind of peer; the spelling is Neutron's."""

    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__("Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.")


class SecurityGroupNotSingleGroupRules(WeftError):
    """Rules created together belong to different groups."""

    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__("Only allowed to update rules for one security profile at a time")


class SecurityGroupRulesNotSingleProject(WeftError):
    """Rules created together belong to different projects."""

    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__("Multiple project_ids in bulk security group rule create not allowed")


class AddressesAlreadyExist(WeftError):
    """Addresses to add are in the address group already."""

    kind = Kind.INVALID

    def __init__(self, addresses: Sequence[str], address_group_id: str) -> None:
        self.addresses, self.address_group_id = tuple(addresses), address_group_id
        super().__init__(f"Addresses {list(addresses)} already exist in the address group {address_group_id}.")


class PortSecurityAndIPRequiredForSecurityGroups(WeftError):
    """Security groups were asked for on a port without port security."""

    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__(
            "Port security must be enabled and port must have an IP address in order to use security groups."
        )


class SecurityGroupNotFound(WeftError):
    """No such security group for this caller, or several."""

    kind = Kind.NOT_FOUND

    def __init__(self, object_id: str) -> None:
        self.object_id = object_id
        super().__init__(f"Security group {object_id} does not exist")


class SecurityGroupRuleNotFound(WeftError):
    """No such rule for this caller."""

    kind = Kind.NOT_FOUND

    def __init__(self, object_id: str) -> None:
        self.object_id = object_id
        super().__init__(f"Security group rule {object_id} does not exist")


class DefaultSecurityGroupRuleNotFound(WeftError):
    """No such rule in the template of new security groups."""

    kind = Kind.NOT_FOUND

    def __init__(self, object_id: str) -> None:
        self.object_id = object_id
        super().__init__(f"Default Security Group rule {object_id} does not exist")


class AddressGroupNotFound(WeftError):
    """No such address group for this caller."""

    kind = Kind.NOT_FOUND

    def __init__(self, object_id: str) -> None:
        self.object_id = object_id
        super().__init__(f"Address group {object_id} could not be found.")


class AddressesNotFound(WeftError):
    """Addresses to remove are not in the address group."""

    kind = Kind.NOT_FOUND

    def __init__(self, addresses: Sequence[str], address_group_id: str) -> None:
        self.addresses, self.address_group_id = tuple(addresses), address_group_id
        super().__init__(f"Addresses {list(addresses)} not found in the address group {address_group_id}.")


class SecurityGroupInUse(WeftError):
    """Ports have the security group."""

    kind = Kind.CONFLICT

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        super().__init__(f"Security Group {group_id} in use.")


class SecurityGroupCannotRemoveDefault(WeftError):
    """Only an administrator may remove a project's default group."""

    kind = Kind.CONFLICT

    def __init__(self) -> None:
        super().__init__("Insufficient rights for removing default security group.")


class SecurityGroupCannotUpdateDefault(WeftError):
    """A project's default group keeps its name."""

    kind = Kind.CONFLICT

    def __init__(self) -> None:
        super().__init__("Updating default security group not allowed.")


class SecurityGroupDefaultAlreadyExists(WeftError):
    """Every project has one group called default, and only one."""

    kind = Kind.CONFLICT

    def __init__(self) -> None:
        super().__init__("Default security group already exists.")


class SecurityGroupConflict(WeftError):
    """Security groups that do not go together."""

    kind = Kind.CONFLICT

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Error {reason} while attempting the operation.")


class SecurityGroupRuleExists(WeftError):
    """The group has a rule that says the same."""

    kind = Kind.CONFLICT

    def __init__(self, rule_id: str) -> None:
        self.rule_id = rule_id
        super().__init__(f"Security group rule already exists. Rule id is {rule_id}.")


class DuplicateSecurityGroupRuleInPost(WeftError):
    """Two rules of one request say the same."""

    kind = Kind.CONFLICT

    def __init__(self) -> None:
        super().__init__("Duplicate Security Group Rule in POST.")


class DefaultSecurityGroupRuleExists(WeftError):
    """The template has a rule that says the same."""

    kind = Kind.CONFLICT

    def __init__(self, rule_id: str) -> None:
        self.rule_id = rule_id
        super().__init__(f"Default Security group rule already exists. Rule id is {rule_id}.")


class AddressGroupInUse(WeftError):
    """Security group rules name the address group."""

    kind = Kind.CONFLICT

    def __init__(self, address_group_id: str) -> None:
        self.address_group_id = address_group_id
        super().__init__(f"Address group {address_group_id} is in use on one or more security group rules.")


class PortSecurityPortHasSecurityGroup(WeftError):
    """Port security cannot be switched off while the port has security groups."""

    kind = Kind.CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "Port has security group associated. Cannot disable port security or IP address until security group "
            "is removed."
        )


class AddressPairAndPortSecurityRequired(WeftError):
    """Allowed address pairs mean nothing without port security."""

    kind = Kind.CONFLICT

    def __init__(self) -> None:
        super().__init__("Port Security must be enabled in order to have allowed address pairs on a port.")
