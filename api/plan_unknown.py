"""What of a plan is not known yet? The addresses that services outside Weft choose when the request is made."""

from collections.abc import Mapping, Sequence

from controller.ipam_drivers.stand_ins import StandIn

_OUTPUTS = "outputs"
"""Of containers: texts that may be addresses."""


def sentence(imagined: Sequence[StandIn]) -> str | None:
    """Return what is to be said of the services that were not asked; None when none would have been."""
    chosen = {one.driver: 0 for one in imagined}
    for one in imagined:
        chosen[one.driver] += not one.is_named
    said = []
    for driver, count in sorted(chosen.items()):
        told = f"IPAM driver '{driver}' is asked only when this is done, and may refuse"
        what = "1 address, which is null here" if count == 1 else f"{count} addresses, which are null here"
        said.append(f"{told}; it chooses {what}" if count else told)
    return ". ".join(said) or None


def without(plan: Mapping[str, object], imagined: Sequence[StandIn]) -> object:
    """Return a plan with null for every address that stands for one nobody has chosen."""
    unknown = {(one.held.subnet_id, str(one.held)) for one in imagined if not one.is_named}
    return _without(plan, unknown, {address for _, address in unknown}) if unknown else plan


def _without(value: object, unknown: set[tuple[str, str]], texts: set[str], *, is_output: bool = False) -> object:
    if isinstance(value, list):
        return [_without(one, unknown, texts, is_output=is_output) for one in value]
    if isinstance(value, str):
        return None if is_output and value in texts else value
    if not isinstance(value, dict):
        return value
    address = str(value.get("ip_address"))
    if (str(value.get("subnet_id")), address) in unknown:
        return {**value, "ip_address": None}
    if "fqdn" in value and address in texts:  # names are made of the address where nobody gives one
        in_name = address.replace(".", "-").replace(":", "-")
        return {name: None if one == address or in_name in str(one) else one for name, one in value.items()}
    return {name: _without(one, unknown, texts, is_output=is_output or name == _OUTPUTS) for name, one in value.items()}
