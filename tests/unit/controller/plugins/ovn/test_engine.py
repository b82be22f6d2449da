"""Does the engine know the whole intent, though nothing of the cluster can be reached and the journal is pruned?"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import update

from controller.plugins.contract import EngineContext
from controller.plugins.ovn.engine import OvnEngine
from controller.plugins.ovn.intent import Intent
from controller.plugins.ovn.settings import Settings
from controller.reconcile.feed import Feed
from controller.reconcile.sink import StateWriter
from controller.services import networks
from controller.store.schema import NETWORKS
from controller.store.snapshot import last_seq, prune_journal
from tests.databases import a_database
from tests.unit.controller.store.builders import ADMIN, a_network, a_port

NOWHERE = "tcp:127.0.0.1:9"
"""The discard service (RFC 863), which nobody runs."""


def test_what_happened_longer_ago_than_the_journal_goes_back_is_known_all_the_same(tmp_path: Path) -> None:
    database = a_database(tmp_path)
    with database.write() as tx:
        kept, doomed = a_network(tx), a_network(tx)
        a_port(tx, kept)
        tx.connection.execute(update(NETWORKS).values(plugin="ovn"))
    context = EngineContext(
        feed=Feed(database, plugin="ovn", prepares_moves=True),
        sink=StateWriter(database),
        tell_health=lambda _health: None,
        monotonic=time.monotonic,
    )
    engine = OvnEngine(Settings(northbound=NOWHERE, southbound=NOWHERE), context)
    engine.start()

    def known(look: Callable[[Intent], Any]) -> Any:
        return engine.ask(lambda intent, _states: look(intent), 30)

    assert known(lambda intent: set(intent.networks)) == {kept.id, doomed.id}
    with database.write() as tx:
        networks.delete(tx, ADMIN, doomed.id)
        port = a_port(tx, kept)
    with database.write() as tx:
        prune_journal(tx, last_seq(tx))
    engine.intent_changed()
    assert known(lambda intent: set(intent.networks)) == {kept.id}
    assert known(lambda intent: port.id in intent.ports)
    engine.stop()
    database.close()
