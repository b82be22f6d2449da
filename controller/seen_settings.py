"""How long is an address taken for used after somebody was last seen with it? The operator's choice."""

from controller.whole_number import WholeNumber

SEEN_ADDRESSES_KEEP = WholeNumber(
    name="seen_addresses_keep",
    default="86400",  # as long as a DHCP lease, so that a machine that is switched off over night keeps its address
    least=1,
    most=10 * 365 * 86_400,
    unit="SECONDS",
    help="for which an address is not given out after somebody who is no port was last seen with it",
)
