"""Who asks? The identity every use case is given, and by which every query is scoped."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One authenticated request's identity (Keystone: project and roles)."""

    project_id: str
    roles: frozenset[str]
    is_admin: bool
    """Sees and changes the objects of every project."""
