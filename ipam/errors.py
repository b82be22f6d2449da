"""What can go wrong when addresses are planned or given out?

The tree::

    IpamError
    ├── CidrError           a text is no CIDR
    ├── PoolError           PoolInvalid, PoolOutOfBounds, PoolsOverlap, GatewayInPool
    ├── AddressTaken        somebody else holds the address
    ├── AddressesExhausted  no subnet of the request has room
    ├── SubnetRefused       a service outside cannot give out addresses of a subnet
    └── ServiceUnavailable  a service outside did not do what it was asked

Drivers raise these; the use cases turn them into the API's errors.
"""

# ruff: noqa: N818  (named after what is wrong, as Neutron names its exceptions)


class IpamError(Exception):
    """Base of all errors of address planning and allocation."""


class CidrError(IpamError):
    """A text is not an IP prefix."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"{text} is not in CIDR format (address/prefix length)")


class PoolError(IpamError):
    """A set of allocation pools breaks a rule."""


class PoolInvalid(PoolError):
    """A pool has another IP version than its subnet, or ends before it starts."""

    def __init__(self, pool: str) -> None:
        self.pool = pool
        super().__init__(f"allocation pool {pool} ends before it starts or mixes IP versions")


class PoolOutOfBounds(PoolError):
    """A pool contains addresses that no host of the subnet may use."""

    def __init__(self, pool: str, cidr: str) -> None:
        self.pool, self.cidr = pool, cidr
        super().__init__(f"allocation pool {pool} reaches beyond the usable addresses of {cidr}")


class PoolsOverlap(PoolError):
    """Two pools share addresses."""

    def __init__(self, pool: str, other: str) -> None:
        self.pool, self.other = pool, other
        super().__init__(f"allocation pools {pool} and {other} overlap")


class GatewayInPool(PoolError):
    """The gateway's address would be handed out."""

    def __init__(self, gateway: str, pool: str) -> None:
        self.gateway, self.pool = gateway, pool
        super().__init__(f"gateway {gateway} lies in allocation pool {pool}")


class AddressTaken(IpamError):
    """Somebody else holds the address."""

    def __init__(self, subnet_id: str, address: str) -> None:
        self.subnet_id, self.address = subnet_id, address
        super().__init__(f"address {address} of subnet {subnet_id} is taken")


class AddressesExhausted(IpamError):
    """No subnet that would do has a free address left."""

    def __init__(self, subnet_ids: tuple[str, ...]) -> None:
        self.subnet_ids = subnet_ids
        super().__init__(f"no free address left in subnet(s) {', '.join(subnet_ids)}")


class SubnetRefused(IpamError):
    """A service outside Weft cannot give out addresses of a subnet; the reason says what to do."""

    def __init__(self, subnet: str, reason: str) -> None:
        self.subnet, self.reason = subnet, reason
        super().__init__(f"subnet {subnet}: {reason}")


class ServiceUnavailable(IpamError):
    """A service outside Weft did not answer, or with what cannot be understood."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)
