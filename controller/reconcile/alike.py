"""What is asked of many hosts alike, worked out once for all of them?

A port of another host, a peer, the rules of a group: every bridge that reaches them the same way is asked the same. On
a hundred hosts they would be translated and compiled a hundred times, and stay in memory as often. Owned by one thread.
"""

from collections.abc import Callable
from weakref import WeakValueDictionary

from controller.reconcile.model import Model
from controller.records import PortKey, SegmentKey
from flows.compiler import compile_unit
from flows.contribution import Contribution
from flows.intent import LocalPortIntent, RemotePortIntent, UnitIntent, Wire

Way = tuple[PortKey, SegmentKey, Wire | None, int | None]
"""To which port, and how its segment leaves a bridge: by a physical network, or by a tunnel's OpenFlow number."""


class Compiled:
    """Contributions by what they are compiled from, each kept as long as some bridge has it."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[UnitIntent, Contribution] = WeakValueDictionary()

    def of(self, intent: UnitIntent) -> Contribution:
        """Return what an intent adds to a bridge; nothing but a port's own host shares what a local port adds."""
        if isinstance(intent, LocalPortIntent):
            return compile_unit(intent)
        known = self._known.get(intent)
        if known is None:
            self._known[intent] = known = compile_unit(intent)
        return known


class Remotes:
    """What hosts are asked that send to a port which is not on them, kept while the model stands still."""

    def __init__(self) -> None:
        self._model: Model | None = None
        self._generation = -1
        self._known: dict[Way, RemotePortIntent | None] = {}

    def of(self, way: Way, model: Model, translate: Callable[[], RemotePortIntent | None]) -> RemotePortIntent | None:
        """Return what is asked for a way, translated if the model has changed since.

        Args:
            way: Whom it is to.
            model: The intent.
            translate: Makes it anew; it must depend on the way and the model alone.
        """
        if model is not self._model or model.generation != self._generation:
            self._model, self._generation, self._known = model, model.generation, {}
        if way not in self._known:
            self._known[way] = translate()
        return self._known[way]
