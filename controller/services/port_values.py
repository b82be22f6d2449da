"""How are the values of a port written that may be written in several ways, and how is a MAC address found for it?"""

import json
from collections.abc import Sequence

from sqlalchemy import select

from controller.errors import MacAddressGenerationFailure, MacAddressInUse
from controller.records import Port
from controller.store.schema import PORTS
from controller.store.transaction import Transaction

BASE_MAC = "fa:16:3e"
"""Prefix of generated MAC addresses, Neutron's default ``base_mac``."""
MAC_TRIES = 16


def canonical_mac(mac: str) -> str:
    """Write a MAC address with colons and small letters."""
    return mac.lower().replace("-", ":")


def generated_mac(tx: Transaction) -> str:
    """Draw a MAC address."""
    low = tx.rng.getrandbits(24)
    return f"{BASE_MAC}:{low >> 16:02x}:{low >> 8 & 0xFF:02x}:{low & 0xFF:02x}"


def pairs_of(wanted: Sequence[tuple[str | None, str]], mac: str) -> tuple[tuple[str, str], ...]:
    """An allowed pair without a MAC address means the port's own (Neutron API reference, allowed_address_pairs)."""
    return tuple((canonical_mac(pair_mac) if pair_mac else mac, ip_address) for pair_mac, ip_address in wanted)


def as_json(pairs: Sequence[Sequence[object]]) -> str:
    """Write pairs as they are stored."""
    return json.dumps([list(pair) for pair in pairs]) if pairs else "[]"


def free_mac(tx: Transaction, network_id: str) -> str:
    """Draw a MAC address that no port of the network has (extension port-mac-address-regenerate)."""
    for _ in range(MAC_TRIES):
        drawn = generated_mac(tx)
        holder = select(PORTS.c.key).where(PORTS.c.network_id == network_id, PORTS.c.mac_address == drawn)
        if tx.connection.execute(holder).first() is None:
            return drawn
    raise MacAddressGenerationFailure(network_id)


def check_mac_free(tx: Transaction, port: Port) -> None:
    """Refuse a taken MAC address before its automatic addresses are found taken, which would tell less."""
    holder = select(PORTS.c.key).where(PORTS.c.network_id == port.network_id, PORTS.c.mac_address == port.mac_address)
    if tx.connection.execute(holder).first() is not None:
        raise MacAddressInUse(port.network_id, port.mac_address)
