"""Commits on SQLite: one connection of our own in one thread of our own.

A thread hop costs about as much as the statements themselves, so a commit makes one: the whole transaction runs in
the thread, encoding included (a plain queue and a plain future: half the cost of an executor). The thread is also what
makes a late commit harmless: the next one stands behind it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import Final
from urllib.parse import quote

from controller.errors import LeadLostError, LedgerError
from controller.ports import Turn
from controller.store.db import LOCK_WAIT_MS, PRAGMAS, Database, reason_of
from controller.store.statements import INSERTS, KNOWN_ALL, SQLITE, compiled, several
from controller.store.turns import Batch, batch_of, scrubbed

ROWS_MAX: Final = 16
"""So many rows go in one statement. Each statement gives up the interpreter lock and must get it back, which on a busy
process takes longer than the statement; beyond this number the work itself is what counts."""

STATEMENTS_KEPT: Final = 256
Job = tuple[asyncio.Future[None], Sequence[Turn]]


class SqliteWriter:
    """Writes turns in one transaction each; `holder` is the name we lead under."""

    def __init__(self, database: Database, holder: str) -> None:
        self._path = Path(database.url.database or "").absolute()
        self._name = database.name
        self._holder = holder
        self._sql = compiled(SQLITE)
        self._leading = False
        self.known_to = KNOWN_ALL
        """The last fact we have read: books that go on after it are not taken over."""
        self._connection: sqlite3.Connection | None = None
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def write(self, turns: Sequence[Turn], limit_s: float) -> asyncio.Future[None]:  # noqa: ARG002 - see below
        """Begin to write; the outcome is LedgerError, LeadLostError or done. Nothing is written by halves.

        A thread cannot be stopped: the limit is PostgreSQL's, here SQLite's own wait for the lock is the end.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
            self._thread.start()
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs.put((outcome, turns))
        return outcome

    def lead(self) -> None:
        """Begin as the one who leads: `SqlLedger.load` took the lead. Without it our first commit takes it."""
        self._leading = True

    async def close(self) -> None:
        """End the thread after what it has to write, and close the connection with it."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            outcome, turns = job
            error: Exception | None = None
            try:
                self._write(turns)
            except Exception as raised:  # noqa: BLE001 - whatever it is, it belongs to the one who waits
                error = raised
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                outcome.get_loop().call_soon_threadsafe(_tell, outcome, error)
        self._drop()

    def _write(self, turns: Sequence[Turn]) -> None:
        batch = batch_of(turns)
        try:
            try:
                self._transaction(batch)
            except (UnicodeEncodeError, OverflowError):
                self._transaction(scrubbed(batch))
        except sqlite3.Error as error:
            self._drop()
            raise LedgerError(f"{self._name}: {reason_of(error)}") from error

    def _transaction(self, batch: Batch) -> None:
        connection = self._connection or self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._lead(connection)
            for name, rows in batch.items():
                if len(rows) > 1 and name in INSERTS and len(rows) <= ROWS_MAX:
                    connection.execute(several(self._sql[name], len(rows)), tuple(chain.from_iterable(rows)))
                elif len(rows) > 1:
                    connection.executemany(self._sql[name], rows)
                else:
                    connection.execute(self._sql[name], rows[0])
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._leading = True

    def _lead(self, connection: sqlite3.Connection) -> None:
        """Make sure nobody took the lead from us; our first commit takes it.

        The thread keeps our own commits in order, so their numbers need not be compared as on PostgreSQL.
        """
        if not self._leading:
            connection.execute(self._sql["lead_take"], (self._holder, self._holder, self.known_to))
        if connection.execute(self._sql["lead_who"]).fetchone() != (self._holder,):
            raise LeadLostError(f"another controller writes to {self._name} now")

    def _open(self) -> sqlite3.Connection:
        uri = f"file:{quote(str(self._path))}?mode=rw"
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=LOCK_WAIT_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS_KEPT,
        )
        for pragma in PRAGMAS:
            connection.execute(pragma)
        self._connection = connection
        return connection

    def _drop(self) -> None:
        """Close the connection; the next commit opens another, so that no trouble outlives its cause."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _tell(outcome: asyncio.Future[None], error: Exception | None) -> None:
    """Hand over how it ended; runs in the event loop."""
    if outcome.cancelled():
        return
    if error is None:
        outcome.set_result(None)
    else:
        outcome.set_exception(error)
