"""What must a test be able to do to a switch, be it real or fake?"""

from typing import ClassVar, Protocol

Identity = tuple[int, int, int]
"""(table, priority, cookie) of a flow: what can be compared however the switch is looked at."""


class SwitchDriver(Protocol):
    """One switch, looked at and hurt from outside, not through Weft."""

    dpid: int
    ports: ClassVar[tuple[int, ...]] = (1, 2)

    def connect(self, host: str, port: int) -> None:
        """Connect to a controller, and again whenever the connection is lost."""

    def flows(self) -> set[Identity]:
        """Return the flows it holds."""

    def groups(self) -> set[int]:
        """Return the groups it holds."""

    def meters(self) -> set[int]:
        """Return the meters it holds."""

    def add_flow(self, table: int, priority: int, cookie: int, in_port: int) -> None:
        """Add a flow that matches one port and drops, or turn the flow of that id into it."""

    def normal_flow(self, table: int, priority: int, cookie: int) -> None:
        """Add a flow that matches everything and forwards by NORMAL."""

    def delete_flow(self, table: int, priority: int, in_port: int) -> None:
        """Delete the one flow that matches one port."""

    def set_group(self, group_id: int, ofport: int) -> None:
        """Let a group that exists copy to one port alone."""

    def delete_group(self, group_id: int) -> None:
        """Delete a group, and the flows that use it."""

    def delete_meter(self, meter_id: int) -> None:
        """Delete a meter, and the flows that use it."""

    def delete_all(self) -> None:
        """Take all flows, groups and meters away."""

    def hang(self) -> None:
        """Stop it from doing anything; its connections stay."""

    def resume(self) -> None:
        """End `hang`."""

    def inject(self, ofport: int, cookie: int, frame: bytes) -> None:
        """Let a frame come in by a port where a flow with this cookie punts it."""

    def transmitted(self, ofport: int) -> list[bytes]:
        """Return the frames that went out of a port."""

    def close(self) -> None:
        """End it."""
