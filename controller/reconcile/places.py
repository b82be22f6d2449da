"""Where is a port? On the host it is bound to, and while it migrates on the one it goes to as well.

A port whose active binding was deleted is nowhere, whatever its other binding says, until it is plugged or bound.
"""

from controller.records import Binding, HostName, Port
from flows.intent import Moving


def bindings_of(port: Port | None) -> tuple[Binding, ...]:
    """Return a port's bindings, the active one first."""
    if port is None or port.binding is None:
        return ()
    return (port.binding,) if port.standby is None else (port.binding, port.standby)


def hosts_of(port: Port | None) -> tuple[HostName, ...]:
    """Return the hosts a port is bound to, the active one first."""
    return tuple(binding.host for binding in bindings_of(port))


def binding_on(port: Port, host: HostName | None) -> Binding | None:
    """Return a port's binding to a host, active or not."""
    return next((binding for binding in bindings_of(port) if binding.host == host), None)


def moving_on(port: Port, host: HostName) -> Moving:
    """Return which end of a live migration a host that has the port is."""
    if port.binding is None or port.standby is None:
        return Moving.NOT
    return Moving.SOURCE if host == port.binding.host else Moving.TARGET
