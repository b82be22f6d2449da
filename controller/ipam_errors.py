"""What can go wrong with addresses that are held, and with reservations?

The tree::

    WeftError (controller.errors)
    ├── INVALID    ReservationNotPossible
    ├── NOT_FOUND  IpReservationNotFound, AddressNotQuarantined
    └── CONFLICT   IpAddressHeld
"""

# ruff: noqa: N818  (named as Neutron names its exceptions)

from datetime import datetime

from controller.errors import Kind, WeftError
from controller.ipam_records import HeldAs


class IpAddressHeld(WeftError):
    """Nobody has the address, and it is not for this one."""

    kind = Kind.CONFLICT

    def __init__(
        self, address: str, subnet_id: str, held_as: HeldAs, until: datetime | None, *, is_own: bool = False
    ) -> None:
        self.address, self.subnet_id, self.held_as, self.until = address, subnet_id, held_as, until
        end = "" if until is None else f" until {until:%Y-%m-%dT%H:%M:%SZ}"
        whose = "already" if is_own else "for another project"
        super().__init__(
            f"IP address {address} of subnet {subnet_id} is reserved {whose}{end}."
            if held_as is HeldAs.RESERVATION
            else f"IP address {address} of subnet {subnet_id} was released and is in quarantine{end}. "
            f"Only the project that had it may ask for it; or take it back with PUT /v2.0/subnets/{subnet_id}/restore."
        )


class AddressNotQuarantined(WeftError):
    """There is nothing to take back."""

    kind = Kind.NOT_FOUND

    def __init__(self, address: str, subnet_id: str) -> None:
        self.address, self.subnet_id = address, subnet_id
        super().__init__(
            f"IP address {address} of subnet {subnet_id} is not in quarantine. "
            "If it is free, a port may be given it by name."
        )


class IpReservationNotFound(WeftError):
    """No such reservation for this caller."""

    kind = Kind.NOT_FOUND

    def __init__(self, reservation_id: str) -> None:
        self.reservation_id = reservation_id
        super().__init__(f"IP reservation {reservation_id} could not be found.")


class ReservationNotPossible(WeftError):
    """The subnet has no addresses that could be reserved."""

    kind = Kind.INVALID

    def __init__(self, subnet_id: str, reason: str) -> None:
        self.subnet_id, self.reason = subnet_id, reason
        super().__init__(f"No address of subnet {subnet_id} can be reserved: {reason}.")
