"""Which words do rules use, and when is each true?

Words about the caller follow from roles alone (Keystone's: admin implies manager implies member implies reader).
Words about the object compare it with the caller's project.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

ANY = "any"
NOBODY = "nobody"

ROLE_WORDS: Mapping[str, str] = {
    "admin": "may do everything a rule does not keep to services",
    "service": "another service of the cloud, such as compute",
    "manager": "changes the objects of a project, some of which members may not",
    "member": "changes the objects of a project",
    "reader": "sees the objects of a project",
}
IMPLIED: Mapping[str, Collection[str]] = {
    "admin": ("manager", "member", "reader"),
    "manager": ("member", "reader"),
    "member": ("reader",),
}
"""Keystone's implied roles (keystone-manage bootstrap)."""

SERVICE_TOKEN = "service_token"  # noqa: S105 - a word, no secret
CALLER_WORDS: Mapping[str, str] = {
    **ROLE_WORDS,
    SERVICE_TOKEN: "a service sends the request on the user's behalf (X-Service-Token)",
    ANY: "every caller whose identity is known",
    NOBODY: "no caller at all",
}
OBJECT_WORDS: Mapping[str, str] = {
    "owner": "the object belongs to the caller's project",
    "network_owner": "its network belongs to the caller's project",
    "group_owner": "its security group belongs to the caller's project",
    "shared": "it, or its network, is shared with the caller's project",
    "external": "it, or its network, is an external network for the caller's project",
    "network_device": "device_owner begins with network:",
    "instance_device": "device_owner begins with compute:, baremetal: or manila:",
    "wildcard": "the sharing it states is with every project",
}
WORDS = frozenset(CALLER_WORDS) | frozenset(OBJECT_WORDS)

_NETWORK_DEVICE = "network:"
_INSTANCE_DEVICES = ("compute:", "baremetal:", "manila:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What rules may ask about an object; what is not known is not true of it."""

    project_id: str | None = None
    network_project_id: str | None = None
    """The owner of the network it is in, or is."""
    group_project_id: str | None = None
    """The owner of the security group it is in."""
    shared: bool = False
    """With the caller's project."""
    external: bool = False
    device_owner: str = ""
    wildcard: bool = False

    def is_true(self, word: str, project_id: str) -> bool:
        """Say whether a word about the object is true for a caller of this project."""
        match word:
            case "owner":
                return bool(project_id) and self.project_id == project_id
            case "network_owner":
                return bool(project_id) and self.network_project_id == project_id
            case "group_owner":
                return bool(project_id) and self.group_project_id == project_id
            case "shared":
                return self.shared
            case "external":
                return self.external
            case "network_device":
                return self.device_owner.startswith(_NETWORK_DEVICE)
            case "instance_device":
                return self.device_owner.startswith(_INSTANCE_DEVICES)
            case "wildcard":
                return self.wildcard
        return False


def effective(roles: Collection[str]) -> frozenset[str]:
    """Return the roles that rules know among these, with those they imply."""
    found = set(roles) & ROLE_WORDS.keys()
    for role in tuple(found):
        found.update(IMPLIED.get(role, ()))
    return frozenset(found)


def known(roles: frozenset[str], *, service_token: bool) -> dict[str, bool]:
    """Return every word about the caller with its truth."""
    return {word: word in roles for word in ROLE_WORDS} | {SERVICE_TOKEN: service_token, ANY: True, NOBODY: False}
