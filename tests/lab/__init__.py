"""How does one machine pretend to be several hypervisors with guests? Namespaces, and a real Open vSwitch in each.

A laboratory is drawn here once::

    root namespace                weft-ID-net                    weft-ID-h1 (a hypervisor)
    weft serve, the tests         two plain Linux bridges        ovsdb-server, ovs-vswitchd
      wl-ID  198.18.N.1/24 ------ management ------------------- mgmt    198.18.N.11/24, OVSDB on tcp 6640
                                  underlay ------------ ul ----- br-phy  172.31.0.11/24, MTU 1600, tunnels
                                                                 br-int  (made by the controller, not by us)
                                                                   tapXXXXXXXXXXX
                                                                      | veth
                                                                 weft-ID-NAME (a guest): eth0

Where the controller lives was a choice. A namespace of its own would leave the root namespace alone, but the REST API
must answer on the machine's own 127.0.0.1 (``scripts/run`` promises it, and so do the SDK tests), and a relay in
between would spoil every latency measured. So one veth end, ``wl-ID``, stands in the root namespace with a /24 that is
free there, taken at random from 198.18.0.0/15, the range for benchmarks of network devices (RFC 2544, RFC 6890).
OVSDB listens on TCP in that network, so the address the controller should advertise for OpenFlow is the local end of
that TCP connection, as on real hosts. Everything else is inside namespaces, so names and addresses there are fixed.

Nothing is left behind: a laboratory first claims an id in ``/run/weft-lab``, every process it starts carries the id in
its environment, every namespace in its name. Closing kills and deletes by id; ``sweep`` does the same for laboratories
whose owner is dead. Sockets live in ``/run/weft-lab/ID`` because paths of Unix sockets are short (unix(7)); logs and
lease files live in the directory the caller gave.
"""

from tests.lab.api import Api, ApiError
from tests.lab.dhcp import Lease
from tests.lab.guest import PingResult, RunningPing, Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.laboratory import Lab
from tests.lab.packets import Capture
from tests.lab.process import LabError, eventually
from tests.lab.registry import sweep
from tests.lab.weft import Weft, weft_command

__all__ = [
    "Api",
    "ApiError",
    "Capture",
    "Hypervisor",
    "Lab",
    "LabError",
    "Lease",
    "PingResult",
    "RunningPing",
    "Vm",
    "Weft",
    "eventually",
    "sweep",
    "weft_command",
]
