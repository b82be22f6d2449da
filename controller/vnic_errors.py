"""What can go wrong with vNICs and the ports they are plugged into?

The tree::

    WeftError (controller.errors)
    ├── NOT_FOUND  VnicNotFound
    ├── CONFLICT   PortInUse (Neutron's), VnicInUse, VnicNotPlugged, PortHasVnicMac
    └── EXHAUSTED  NoPortAvailable
"""

# ruff: noqa: N818  (PortInUse is Neutron's, and it goes on the wire)

from controller.errors import Kind, WeftError


class VnicNotFound(WeftError):
    """No such vNIC for this caller."""

    kind = Kind.NOT_FOUND

    def __init__(self, vnic_id: str) -> None:
        self.vnic_id = vnic_id
        super().__init__(f"vNIC {vnic_id} could not be found.")


class PortInUse(WeftError):
    """Another device is attached to the port."""

    kind = Kind.CONFLICT

    def __init__(self, port_id: str, network_id: str, device_id: str) -> None:
        self.port_id, self.network_id, self.device_id = port_id, network_id, device_id
        super().__init__(
            f"Unable to complete operation on port {port_id} for network {network_id}. "
            f"Port already has an attached device {device_id}."
        )


class VnicInUse(WeftError):
    """The vNIC is plugged in."""

    kind = Kind.CONFLICT

    def __init__(self, vnic_id: str, port_id: str) -> None:
        self.vnic_id, self.port_id = vnic_id, port_id
        super().__init__(f"vNIC {vnic_id} is plugged into port {port_id}. Unplug it first.")


class VnicNotPlugged(WeftError):
    """There is nothing to unplug."""

    kind = Kind.CONFLICT

    def __init__(self, vnic_id: str) -> None:
        self.vnic_id = vnic_id
        super().__init__(f"vNIC {vnic_id} is not plugged into any port.")


class PortHasVnicMac(WeftError):
    """While a vNIC with an address of its own is plugged in, that is the port's address."""

    kind = Kind.CONFLICT

    def __init__(self, port_id: str, vnic_id: str, mac_address: str) -> None:
        self.port_id, self.vnic_id, self.mac_address = port_id, vnic_id, mac_address
        super().__init__(
            f"The MAC address of port {port_id} is {mac_address}, that of the vNIC {vnic_id} plugged into it. "
            "Unplug the vNIC first, or plug in another one."
        )


class NoPortAvailable(WeftError):
    """Every port of the network is attached to some device."""

    kind = Kind.EXHAUSTED

    def __init__(self, network_id: str) -> None:
        self.network_id = network_id
        super().__init__(
            f"Network {network_id} has no available port of the vNIC's project: each has an attached device. "
            "Create a port, or unplug another vNIC."
        )
