"""Who asks? The identity every use case is given, and by which every query is scoped."""

from dataclasses import dataclass, field

from controller.policy.rights import Rights, default_rights

_ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One authenticated request's identity (Keystone: project and roles)."""

    project_id: str
    roles: frozenset[str]
    is_admin: bool
    """Sees and changes the objects of every project."""
    granted: Rights | None = field(default=None, compare=False, repr=False)
    """What the installation's policy gives these roles; None: what the table does."""

    @property
    def rights(self) -> Rights:
        """What the caller may do."""
        if self.granted is not None:
            return self.granted
        return default_rights(self.roles | {_ADMIN} if self.is_admin else self.roles - {_ADMIN})
