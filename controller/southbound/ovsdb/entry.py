"""What do callers leave for the loop and find from it, for one host? Guarded by the service's lock."""

from dataclasses import dataclass, field

from controller.southbound.ovsdb.model import BridgeConfig, HostDesired, HostView, InterfaceRow, PrewiredPort
from controller.southbound.ovsdb.peer import Peer
from controller.southbound.ovsdb.writer import Writer


@dataclass(slots=True)
class News:
    """What a caller wants of a host since the loop last looked, in the order in which it takes effect."""

    desired: HostDesired | None = None
    bridge: BridgeConfig | None = None
    ports: dict[str, PrewiredPort | None] = field(default_factory=dict)

    def tell(self, writer: Writer) -> None:
        """Hand it to the writer."""
        if self.desired is not None:
            writer.want(self.desired)
        if self.bridge is not None:
            writer.want_bridge(self.bridge)
        if self.ports:
            writer.want_ports(self.ports)


@dataclass(slots=True)
class Entry:
    """What callers may look at, of one host."""

    peer: Peer
    view: HostView
    write_error: str | None = None
    rows: dict[str, InterfaceRow | None] = field(default_factory=dict)
    """What nobody has taken yet."""
    is_whole: bool = False
    """``rows`` is all there is."""
    is_desired: bool = False
    """Something was desired once, so that changes of it have a meaning."""
    news: News | None = None
    """What has not been handed to the writer yet."""

    def merge(self, rows: dict[str, InterfaceRow | None], *, is_whole: bool) -> None:
        """Add what changed to what nobody has taken yet."""
        if is_whole:
            self.rows, self.is_whole = rows, True
            return
        self.rows.update(rows)
        if self.is_whole:
            for uuid, row in rows.items():
                if row is None:
                    del self.rows[uuid]
