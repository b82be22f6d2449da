"""Is it news that somebody names an address, and does it dispute a port's? What is heard, held against the intent."""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address

from controller.reconcile import dirty as marks
from controller.reconcile.addresses import contains, prefix_of
from controller.reconcile.dirty import Dirty
from controller.reconcile.hearing import Heard
from controller.reconcile.model import Model
from controller.reconcile.sightings import mac_number
from controller.records import HostName, NetworkId, Port, PortId, PortKey, SegmentKey
from controller.sighting_records import How, Sight
from flows.cookie import Feature
from flows.fields import ETH_SRC
from flows.intent import Prefix
from flows.ofctl import value_text

IPV4 = 4
KEEP_S = 86_400
"""How long an address is taken for used after somebody was last seen with it."""
LOOKS = 24
"""How often it is listened for anew in that time."""


Sighted = Callable[[Sight], None]
"""Takes an address that somebody who is no port with it was seen to use; must not block."""


class Watch:
    """Decides what of what is heard is written down; owned by the reconciler's thread."""

    def __init__(self, *, sighted: Sighted, monotonic: Callable[[], float], keep_s: float = KEEP_S) -> None:
        self._sighted, self._monotonic, self._fresh_s = sighted, monotonic, keep_s / LOOKS

    def take_in(self, model: Model, hosts: Mapping[int, HostName], heard: Iterable[Heard]) -> None:
        """Take in what was heard on the switches of some hosts, by datapath id."""
        for one in heard:
            if one.dpid in hosts:
                self.heard(model, hosts[one.dpid], one)

    def heard(self, model: Model, host: HostName, heard: Heard) -> None:
        """Write down who named an address, unless it is the sender's own or known already."""
        behind = model.port_by_key.get(PortKey(heard.key)) if heard.feature is Feature.SIGHTING else None
        if heard.feature is Feature.SIGHTING:
            network_id = None if behind is None else behind.network_id
        else:
            network_id = model.network_by_segment.get(SegmentKey(heard.key))
        if network_id is None or _is_own(model, network_id, heard):
            return
        owners = model.addresses.owners_within(network_id, heard.address)
        if owners and heard.how is How.PROBED:
            return  # its owner defends it (RFC 5227 section 2.4, RFC 4862 section 5.4.4)
        if model.sightings.is_fresh(network_id, heard.address, heard.mac, heard.how):
            return
        subnets = (one for one in model.subnets_of_network(network_id) if contains(prefix_of(one.cidr), heard.address))
        for subnet in subnets:
            self._sighted(
                Sight(
                    network_id=network_id,
                    subnet_id=subnet.id,
                    ip_address=address_text(heard.address),
                    mac_address=value_text(ETH_SRC, heard.mac),
                    how=heard.how,
                    host=host,
                    port_id=None if behind is None else behind.id,
                )
            )
            return

    def tick(self, model: Model, dirty: Dirty) -> None:
        """Listen again for what was not heard of for long."""
        for sighting in model.sightings.grow_old(self._monotonic(), self._fresh_s):
            marks.listened_again(dirty, model, sighting)


def disputed(model: Model, port: Port) -> str | None:
    """Return who else was seen with an address of a port, one clause; None when nobody was.

    It says nothing that changes while they go on using it: each change is a line of the port's timeline.
    """
    own = mac_number(port.mac_address)
    found = (
        f"{sighting.mac_address} uses its address {fixed.ip_address} too"
        for fixed in port.fixed_ips
        for sighting in model.sightings.of(port.network_id, prefix_of(fixed.ip_address))
        if sighting.how is How.USED
        and mac_number(sighting.mac_address) != own
        and not _may_claim(model, port.network_id, prefix_of(fixed.ip_address), mac_number(sighting.mac_address))
    )
    return " and ".join(found) or None


def address_text(address: Prefix) -> str:
    """Return an address as it is stored."""
    return str(IPv4Address(address.address) if address.version == IPV4 else IPv6Address(address.address))


def _is_own(model: Model, network_id: NetworkId, heard: Heard) -> bool:
    """Whether the sender is a port that may use the address: it has it, or it is among its allowed pairs."""
    owners = (model.ports[owner] for owner in model.addresses.owners_within(network_id, heard.address))
    if any(mac_number(owner.mac_address) == heard.mac for owner in owners):
        return True
    return _may_claim(model, network_id, heard.address, heard.mac)


def _may_claim(model: Model, network_id: NetworkId, address: Prefix, mac: int) -> bool:
    """Whether an allowed pair of some port lets this MAC address use an address."""
    claimants: set[PortId] = model.addresses.claimants(network_id, address)
    return any(
        mac_number(pair_mac or model.ports[claimant].mac_address) == mac and contains(prefix_of(pair), address)
        for claimant in claimants
        for pair_mac, pair in model.ports[claimant].allowed_address_pairs
    )
