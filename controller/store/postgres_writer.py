"""Commits on PostgreSQL: one connection of our own, spoken to without SQLAlchemy in between.

Each statement is one round trip, prepared once. Whatever goes wrong, the connection is cut and the next commit opens
another one. The server may still carry out a commit whose answer we did not wait for, even after the next: the number
each commit writes into `lead` makes such a late one void.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import asyncpg  # type: ignore[import-untyped]  # it ships no types

from controller.errors import LeadLostError, LedgerError
from controller.ports import Turn
from controller.store.db import CONNECT_LIMIT_S, Database, reason_of
from controller.store.lease import CUT, LEDGER
from controller.store.statements import KNOWN_ALL, compiled, postgres_dialect
from controller.store.turns import Batch, batch_of, scrubbed

CUT_GRACE_S: Final = 0.05
"""asyncpg that sends many rows is deaf to being cancelled before its connection is cut, and to the cut alone: so first
the one, then the other."""
IDLE_LIMIT_MS: Final = 1_000


class PostgresWriter:
    """Writes turns in one transaction each; `holder` is the name we lead under."""

    def __init__(self, database: Database, holder: str) -> None:
        _, self._address = database.url.get_dialect()().create_connect_args(database.url)
        self._name = database.name
        self._failures = database.failures
        self._holder = holder
        self._sql = compiled(postgres_dialect())
        self._number = 0
        self._leading = False
        self.known_to = KNOWN_ALL
        """The last fact we have read: books that go on after it are not taken over."""
        self._one = asyncio.Lock()
        self._connection: asyncpg.Connection | None = None

    def write(self, turns: Sequence[Turn], limit_s: float) -> asyncio.Future[None]:
        """Begin to write; the outcome is LedgerError, LeadLostError or done. Nothing is written by halves."""
        return asyncio.ensure_future(self._write(turns, limit_s))

    def lead(self) -> None:
        """Begin as the one who leads: the lease made us so, or `SqlLedger.load`. Without it our first commit does."""
        self._leading = True

    async def close(self) -> None:
        """Close the connection."""
        self._cut()

    def _cut(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _write(self, turns: Sequence[Turn], limit_s: float) -> None:
        batch = batch_of(turns)
        async with self._one:
            loop = asyncio.get_running_loop()
            ends_at_s = loop.time() + limit_s
            late = loop.call_at(ends_at_s, self._cut)
            try:
                async with asyncio.timeout_at(ends_at_s + CUT_GRACE_S):
                    await self._persist(batch, ends_at_s)
            except self._failures as error:
                reason = "no answer in time" if self._is_late(ends_at_s) else reason_of(error)
                raise LedgerError(f"{self._name}: {reason}") from error
            finally:
                late.cancel()

    async def _persist(self, batch: Batch, ends_at_s: float) -> None:
        """Write a batch; a connection that died while nobody used it costs a second try, not an error."""
        used_before = self._connection is not None
        try:
            await self._transaction(batch)
        except (UnicodeEncodeError, asyncpg.DataError):
            await self._transaction(scrubbed(batch))
        except CUT:
            if not used_before or self._is_late(ends_at_s):
                raise
            await self._transaction(batch)

    @staticmethod
    def _is_late(ends_at_s: float) -> bool:
        return asyncio.get_running_loop().time() >= ends_at_s

    async def _transaction(self, batch: Batch) -> None:
        connection = self._connection or await self._open()
        self._number += 1
        # Not `connection.transaction()`: its way out asks the server for a ROLLBACK, and a silent server never answers.
        try:
            await connection.execute("BEGIN")
            await self._lead(connection, self._number)
            for name, rows in batch.items():
                if len(rows) == 1:
                    await connection.execute(self._sql[name], *rows[0])
                else:
                    await connection.executemany(self._sql[name], rows)
            await connection.execute("COMMIT")
        except BaseException:
            self._cut()
            raise
        self._leading = True

    async def _lead(self, connection: asyncpg.Connection, number: int) -> None:
        """Make sure nobody took the lead from us; our first commit takes it."""
        if not self._leading:
            await connection.execute(self._sql["lead_take"], self._holder, self._holder, self.known_to)
        if await connection.execute(self._sql["lead_turn"], number, self._holder, number) != "UPDATE 1":
            raise LeadLostError(f"another controller writes to {self._name} now")

    async def _open(self) -> asyncpg.Connection:
        # A session that is left in mid-transaction (its process frozen, its line cut) may not keep `lead` for long.
        settings = {
            "application_name": f"{LEDGER}{self._holder}",
            "idle_in_transaction_session_timeout": str(IDLE_LIMIT_MS),
        }
        self._connection = await asyncpg.connect(**self._address, timeout=CONNECT_LIMIT_S, server_settings=settings)
        return self._connection
