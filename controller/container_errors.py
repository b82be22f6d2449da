"""What can go wrong with containers and their flavors?

The tree::

    WeftError (controller.errors)
    ├── INVALID    InvalidTemplate
    ├── NOT_FOUND  ContainerFlavorNotFound, ContainerNotFound, ContainerMemberNotFound
    └── CONFLICT   ContainerFlavorInUse, ContainerInUse, AlreadyMember, MemberOfFlavor
"""

# ruff: noqa: N818  (as in controller.errors, a class is named after what is wrong)

from collections.abc import Sequence

from controller.errors import Kind, WeftError

MOST_NAMED = 10


class InvalidTemplate(WeftError):
    """A template is none, or not with these values; the text has the path of each problem."""

    kind = Kind.INVALID

    def __init__(self, problems: str) -> None:
        self.problems = problems
        super().__init__(f"Invalid container template: {problems}")


class ContainerFlavorNotFound(WeftError):
    """No such flavor for this caller."""

    kind = Kind.NOT_FOUND

    def __init__(self, flavor: str) -> None:
        self.flavor = flavor
        super().__init__(f"Container flavor {flavor} could not be found.")


class ContainerNotFound(WeftError):
    """No such container for this caller."""

    kind = Kind.NOT_FOUND

    def __init__(self, container_id: str) -> None:
        self.container_id = container_id
        super().__init__(f"Container {container_id} could not be found.")


class ContainerMemberNotFound(WeftError):
    """The container has no such member, or there is no such object to take in."""

    kind = Kind.NOT_FOUND

    def __init__(self, container_id: str, member: str) -> None:
        self.container_id, self.member = container_id, member
        super().__init__(f"Container {container_id}: {member} could not be found.")


class ContainerFlavorInUse(WeftError):
    """Containers, or other flavors, are of this one."""

    kind = Kind.CONFLICT

    def __init__(self, flavor: str, users: Sequence[str]) -> None:
        self.flavor, self.users = flavor, tuple(users)
        super().__init__(f"Container flavor {flavor} is in use: {_listed(users)}.")


class ContainerInUse(WeftError):
    """Something outside stands on members that would go."""

    kind = Kind.CONFLICT

    def __init__(self, container: str, users: Sequence[str]) -> None:
        self.container, self.users = container, tuple(users)
        super().__init__(
            f"Container {container} is in use: {_listed(users)}. Delete or detach those first, or add them as members."
        )


class AlreadyMember(WeftError):
    """An object is in one container, under one path."""

    kind = Kind.CONFLICT

    def __init__(self, what: str, container_id: str) -> None:
        self.what, self.container_id = what, container_id
        super().__init__(f"{what} is a member of container {container_id} already.")


class MemberOfFlavor(WeftError):
    """What a flavor asks for comes and goes with its parameters."""

    kind = Kind.CONFLICT

    def __init__(self, container_id: str, path: str) -> None:
        self.container_id, self.path = container_id, path
        super().__init__(
            f"Container {container_id}: {path} is what its flavor asks for. Change the container's parameters, or its "
            "flavor."
        )


def _listed(users: Sequence[str]) -> str:
    left = len(users) - MOST_NAMED
    return "; ".join([*users[:MOST_NAMED], *([f"and {left} more"] if left > 0 else [])])
