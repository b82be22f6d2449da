"""What does one rule more or less cost the controller in a security group of 1,000 rules, for one host and for others?

Processor time of model, translation and merged state, in memory: no database, no switch.
"""

import argparse
import time
from collections.abc import Iterator

from benchmarks.report import Figure, at_most, median
from controller.records import SecurityGroup
from tests.unit.controller.reconcile.builders import Cloud, a_group, a_network, a_port, a_rule

RULES, FIRST_PORT = 1000, 2000
HOSTS = 8


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Measure with one host that has the group, then with several; the difference is what a further one costs."""
    times = 2 * max(5, args.repeat)
    alone, together = _change_ms(1, times), _change_ms(HOSTS, times)
    yield Figure(name=f"one rule more or less of {RULES}, one host", value=alone, unit="ms of CPU")
    yield Figure(
        name=f"one rule more or less of {RULES}, each further host",
        value=(together - alone) / (HOSTS - 1),
        unit="ms of CPU",
        goal=at_most(1),
        note=f"of {HOSTS} hosts together {together:.1f} ms",
    )


def _change_ms(hosts: int, times: int) -> float:
    cloud = Cloud(hosts)
    cloud.put(a_network(), _group(RULES))
    cloud.put(*(a_port(number, host=f"h{number}", groups=["g16"]) for number in range(1, hosts + 1)))
    spent = []
    for number in range(times):
        group = _group(RULES + (number + 1) % 2)
        began = time.process_time()
        cloud.put(group)
        spent.append((time.process_time() - began) * 1000)
    return median(spent)


def _group(rules: int) -> SecurityGroup:
    """Return a group of rules that no two of share a flow, as they come from the store: new values each time."""
    ports = range(FIRST_PORT, FIRST_PORT + 2 * rules, 2)
    return a_group(
        16, *(a_rule(f"r{port}", protocol="tcp", port_range_min=port, port_range_max=port) for port in ports)
    )
