"""How does a command say who runs it? From the environment: a command line can be read by every user of a machine."""

import base64
from collections.abc import Mapping

HOW = (
    "Set WEFT_TOKEN (or OS_TOKEN), or WEFT_USER and WEFT_PASSWORD (or OS_USERNAME and OS_PASSWORD), as the mode of "
    "`weft serve --auth` wants it."
)


def credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that prove who asks; none when the environment says nothing, as in mode none."""
    token = environment.get("WEFT_TOKEN") or environment.get("OS_TOKEN")
    if token:
        return {"X-Auth-Token": token}
    for user, password in (("WEFT_USER", "WEFT_PASSWORD"), ("OS_USERNAME", "OS_PASSWORD")):
        if environment.get(user) and environment.get(password):
            pair = f"{environment[user]}:{environment[password]}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}
