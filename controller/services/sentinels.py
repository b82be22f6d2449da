"""What stands for "the caller said nothing, choose for me" where None already means "none"?"""

from enum import Enum
from typing import Final


class Sentinel(Enum):
    """Values no request body can contain."""

    DEFAULT_GATEWAY = "default-gateway"
    AUTO = "auto"


DEFAULT_GATEWAY: Final = Sentinel.DEFAULT_GATEWAY
"""``gateway_ip``: the first address of the subnet."""
AUTO: Final = Sentinel.AUTO
"""``fixed_ips``: one address of each IP version the network offers."""
