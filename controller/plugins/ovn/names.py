"""What are Weft's rows called in OVN? Names an operator can follow back to Neutron's ids.

Names of port groups and address sets are identifiers of OVN's expressions (ovn-nb(5), Port_Group:name): letters,
digits, underscores and dots.
"""

import hashlib

MARK_LENGTH = 8


def switch_name(network_id: str) -> str:
    """Return the name of a network's logical switch."""
    return f"weft-{network_id}"


def localnet_name(segment_id: str) -> str:
    """Return the name of the port that leads to a physical network."""
    return f"weft-provider-{segment_id}"


def port_group_name(group_id: str, network_id: str) -> str:
    """Return the name of the port group of a security group's members in one network."""
    return f"weft_{_identifier(group_id)}_{_identifier(network_id)}"


def members_name(group_id: str, network_id: str, version: int) -> str:
    """Return the name of the set of addresses that members of a security group have in one network."""
    return f"weft_sg_{_identifier(group_id)}_{_identifier(network_id)}_v{version}"


def address_set_name(group_id: str, version: int) -> str:
    """Return the name of an address group's set of one IP version."""
    return f"weft_ag_{_identifier(group_id)}_v{version}"


def drop_name(owner: str) -> str:
    """Return the name of the port group of every guarded port; two deployments on one cluster have one each."""
    return f"weft_drop_{hashlib.sha256(owner.encode()).hexdigest()[:MARK_LENGTH]}"


def _identifier(uuid: str) -> str:
    return uuid.replace("-", "_")
