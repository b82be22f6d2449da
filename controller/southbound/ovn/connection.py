"""How is one of the cluster's databases followed and written? A replica by python-ovs, one transaction at a time.

Nothing here waits: `run` takes what has come, `send` begins a transaction, `outcome` says later what became of it. The
leader of a clustered database is found and followed by the library (ovsdb(7), Clustered Database Service Model).
"""

import copy
import logging
import select
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ovs.db.idl import Idl, Row, SchemaHelper, Transaction
from ovs.poller import Poller
from ovs.stream import Stream

from controller.southbound.ovn.outcome import Outcome, Result
from controller.southbound.ovn.tables import Schema

_log = logging.getLogger(__name__)
PROBE_MS = 5_000
"""A server that is silent for so long is asked; when it stays silent for as long again, another is tried."""
BACKOFF_MS = (100, 2_000)
"""Shortest and longest wait between attempts to connect."""

Operation = dict[str, Any]
"""RFC 7047 section 5.2."""
RowChanged = Callable[[str, str, Mapping[str, Any] | None], None]
"""(table, uuid, columns); None for a row that is gone."""


class _Replica(Idl):  # type: ignore[misc]  # python-ovs has no types
    """The library's replica, which tells of every row that changes."""

    def __init__(self, remotes: str, schema: Schema, changed: RowChanged) -> None:
        helper = SchemaHelper(schema_json=copy.deepcopy(dict(schema)))
        helper.register_all()
        self._changed = changed
        super().__init__(remotes, helper, probe_interval=PROBE_MS, leader_only=True)
        self._session.reconnect.set_backoff(*BACKOFF_MS)

    def notify(self, event: str, row: Row, updates: Row | None = None) -> None:  # noqa: ARG002 - the library's
        columns = None if event == "delete" else plain(row)
        self._changed(row._table.name, str(row.uuid), columns)  # noqa: SLF001 - a row has no public name of its table


def plain(row: Row) -> dict[str, Any]:
    """Return a row's columns as plain values: scalars, lists and maps; rows referred to by their uuids.

    The library keeps no empty set of references.
    """
    columns = row._data  # noqa: SLF001 - reading attributes looks every referred row up
    return {
        name: _plain(columns[name].to_python(lambda atom, _base: atom)) if name in columns else []
        for name in row._table.columns  # noqa: SLF001 - a row has no public name of its table
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): str(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_atom(one) for one in value]
    return _atom(value)


def _atom(value: Any) -> str | int | bool:
    return value if isinstance(value, str | int | bool) else str(value)


class Connection:
    """One database of the cluster."""

    def __init__(self, remotes: str, schema: Schema, changed: RowChanged) -> None:
        """Prepare; the first `run` begins to connect.

        Args:
            remotes: every server of the database.
            schema: what to follow.
            changed: told of every row that comes, changes or goes, within `run`.
        """
        self._remotes = remotes
        self._idl = _Replica(remotes, schema, changed)
        self._transaction: Transaction | None = None
        self._posted: Transaction | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the replica is the database as it is now."""
        return bool(self._idl.state == Idl.IDL_S_MONITORING and self._idl._session.is_connected())  # noqa: SLF001

    @property
    def problem(self) -> str:
        """Why the replica is not whole, one sentence."""
        if self.is_whole:
            return ""
        distrust = ", or their certificates are not by ca_certificate" if "ssl:" in self._remotes else ""
        return f"no server of {self._remotes} answers as the leader{distrust}"

    def run(self) -> None:
        """Take what has come; at most some hundreds of messages."""
        self._idl.run()
        status = Transaction.INCOMPLETE if self._posted is None else self._posted.commit()
        if self._posted is not None and status != Transaction.INCOMPLETE:
            if status == Transaction.ERROR:
                _log.warning("ovn_write_refused error=%r", self._posted.get_error())
            self._posted = None

    def wait(self, poller: Poller) -> None:
        """Note what to wait for."""
        self._idl.wait(poller)
        if self._transaction is not None:
            self._transaction.wait(poller)

    def close(self) -> None:
        """Close the connection."""
        self._idl.close()

    def rows(self, table: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """Return every row of a table by its uuid."""
        return [(str(uuid), plain(row)) for uuid, row in self._idl.tables[table].rows.items()]

    def send(self, operations: Sequence[Operation], comment: str) -> None:
        """Begin a transaction; only one may be under way."""
        transaction = Transaction(self._idl)
        transaction.add_comment(comment)
        for operation in operations:
            transaction.add_op(operation)
        transaction.commit()
        self._transaction = transaction

    def post(self, operation: Operation, comment: str) -> None:
        """Send one operation that need not succeed, beside the transaction; not while the last such is under way."""
        if self._posted is not None:
            return
        self._posted = Transaction(self._idl)
        self._posted.add_comment(comment)
        self._posted.add_op(operation)
        self._posted.commit()

    def outcome(self) -> Result | None:
        """Return what became of the transaction, None when there is none."""
        if self._transaction is None:
            return None
        status = self._transaction.commit()
        if status == Transaction.INCOMPLETE:
            return Result(Outcome.PENDING)
        finished, self._transaction = self._transaction, None
        if status in {Transaction.SUCCESS, Transaction.UNCHANGED}:
            return Result(Outcome.DONE)
        if status in {Transaction.TRY_AGAIN, Transaction.NOT_LOCKED}:
            return Result(Outcome.AGAIN)
        return Result(Outcome.REFUSED, str(finished.get_error()))


def wait(connections: Iterable[Connection], wake: int, timeout_s: float) -> None:
    """Wait until a connection has something to do, a descriptor can be read, or time is up."""
    poller = Poller()
    for connection in connections:
        connection.wait(poller)
    poller.fd_wait(wake, select.POLLIN)
    poller.timer_wait(int(timeout_s * 1000) + 1)
    poller.block()


def use_tls(private_key: str, certificate: str, ca_certificate: str) -> None:
    """Say with which files this process speaks TLS (the library keeps them for all connections)."""
    Stream.ssl_set_private_key_file(private_key)
    Stream.ssl_set_certificate_file(certificate)
    Stream.ssl_set_ca_cert_file(ca_certificate)
