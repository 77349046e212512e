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
from controller.store.db import CONNECT_LIMIT_S, DRIVER_ERRORS, Database, reason_of
from controller.store.statements import POSTGRESQL, compiled
from controller.store.turns import Batch, batch_of, scrubbed

_CUT: Final = (
    *(asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError),
    *(asyncpg.InterfaceError, asyncpg.InternalClientError, OSError),
)
"""What a connection that is no more raises."""


class PostgresWriter:
    """Writes turns in one transaction each, in `limit_s` at the longest; `holder` is the name we lead under."""

    def __init__(self, database: Database, holder: str, limit_s: float) -> None:
        _, self._address = database.url.get_dialect()().create_connect_args(database.url)
        self._name = database.name
        self._holder = holder
        self._limit_s = limit_s
        self._sql = compiled(POSTGRESQL)
        self._number = 0
        self._leading = False
        self._one = asyncio.Lock()
        self._connection: asyncpg.Connection | None = None

    def write(self, turns: Sequence[Turn]) -> asyncio.Future[None]:
        """Begin to write; the outcome is LedgerError, LeadLostError or done. Nothing is written by halves."""
        return asyncio.ensure_future(self._write(turns))

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _write(self, turns: Sequence[Turn]) -> None:
        batch = batch_of(turns)
        try:
            async with asyncio.timeout(self._limit_s), self._one:
                await self._persist(batch)
        except DRIVER_ERRORS as error:
            raise LedgerError(f"{self._name}: {reason_of(error)}") from error

    async def _persist(self, batch: Batch) -> None:
        """Write a batch; a connection that died while nobody used it costs a second try, not an error."""
        used_before = self._connection is not None
        try:
            await self._transaction(batch)
        except (UnicodeEncodeError, asyncpg.DataError):
            await self._transaction(scrubbed(batch))
        except _CUT:
            if not used_before:
                raise
            await self._transaction(batch)

    async def _transaction(self, batch: Batch) -> None:
        connection = self._connection or await self._open()
        self._number += 1
        try:
            async with connection.transaction():
                await self._lead(connection, self._number)
                for name, rows in batch.items():
                    if len(rows) == 1:
                        await connection.execute(self._sql[name], *rows[0])
                    else:
                        await connection.executemany(self._sql[name], rows)
        except BaseException:
            await self.close()
            raise
        self._leading = True

    async def _lead(self, connection: asyncpg.Connection, number: int) -> None:
        """Make sure nobody took the lead from us; our first commit takes it."""
        if not self._leading:
            await connection.execute(self._sql["lead_take"], self._holder, self._holder)
        if await connection.execute(self._sql["lead_turn"], number, self._holder, number) != "UPDATE 1":
            raise LeadLostError(f"another controller writes to {self._name} now")

    async def _open(self) -> asyncpg.Connection:
        settings = {"application_name": "tongdai-ledger"}
        self._connection = await asyncpg.connect(**self._address, timeout=CONNECT_LIMIT_S, server_settings=settings)
        return self._connection
