"""The lease on a shared PostgreSQL: which of several controllers leads.

One row says who holds it, under which epoch, and how often the holder has said that it lives. Taking it and taking the
books (`lead`) are one transaction, so from then on every commit of the one before is refused, whatever it believes
(docs/standby.md). SQLite has no lease: a file is one machine's, and whoever commits first leads.

The connection is our own and its name tells what we are, so that the others see at once when it is gone.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]  # it ships no types

from controller.errors import LeadLostError, LedgerError
from controller.store.db import CONNECT_LIMIT_S, Database, reason_of
from controller.store.vigil import Seen

ASK_LIMIT_S: Final = 1.0
TAKE_LIMIT_S: Final = 3.0
STANDBY: Final = "tongdai-standby"
LEADER: Final = "tongdai-lead "
LEDGER: Final = "tongdai-ledger "
"""Names of sessions: a leader's end in its holder."""
CUT: Final = (
    *(asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError),
    *(asyncpg.InterfaceError, asyncpg.InternalClientError, OSError),
)
"""What a connection that is no more raises."""

_LOOK: Final = """
SELECT holder, name, url, epoch, beat, EXISTS (
    SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = $1::text || lease.holder) AS alive
FROM lease"""
_PROVE: Final = "UPDATE lease SET url = url"
_TAKE: Final = """
UPDATE lease SET holder = $1, name = $2, url = $3, epoch = epoch + 1, beat = 0 WHERE epoch = $4 AND beat = $5"""
_LEAD: Final = "UPDATE lead SET holder = $1, turn = 0"
_CUT_OFF: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = ANY($1::text[])"""
_RENEW: Final = """
UPDATE lease SET beat = beat + 1 WHERE holder = $1 RETURNING (
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $2)"""
_RELEASE: Final = "UPDATE lease SET holder = '' WHERE holder = $1"


class Lease:
    """One controller's hand on the lease. `holder` is its secret for this life, `name` and `url` are for people."""

    def __init__(self, database: Database, holder: str, name: str, url: str) -> None:
        _, self._address = database.url.get_dialect()().create_connect_args(database.url)
        self._database = database
        self._holder = holder
        self._name = name
        self._url = url
        self._leading = False
        self._connection: asyncpg.Connection | None = None
        self._one = asyncio.Lock()
        self.cut = asyncio.Event()
        """Set when the connection ended by itself."""
        self.standbys = 0
        """Others that stand by, as the last renewal saw them."""
        self.renewed_s = 0.0
        """When the last renewal that succeeded had begun, by the event loop's clock."""

    @property
    def leading(self) -> bool:
        """Whether we took it and have not lost or released it since, as far as we know."""
        return self._leading

    async def look(self, *, prove: bool = False) -> Seen:
        """Read the lease; LedgerError when the database does not answer.

        With `prove` also when it cannot be written (a full disk, say): then its holder cannot say that it lives.
        """
        if prove:
            await self._ask("execute", _PROVE)
        row = await self._ask("fetchrow", _LOOK, LEADER)
        if row is None:
            raise LedgerError(f"{self._database.name}: the lease has no row")
        return Seen(**dict(row.items()))

    async def take(self, seen: Seen) -> bool:
        """Take it if it still stands as `seen`, and the books with it; the sessions of the one before are ended."""
        taken: bool = await self._guarded(self._take(seen), TAKE_LIMIT_S)
        if taken:
            self._leading = True
            self.renewed_s = asyncio.get_running_loop().time()
        return taken

    async def renew(self) -> None:
        """Say that we live; LeadLostError when it is another's by now, LedgerError when the database is silent."""
        began_s = asyncio.get_running_loop().time()
        found = await self._ask("fetchval", _RENEW, self._holder, STANDBY)
        if found is None:
            self._leading = False
            raise LeadLostError(f"another controller leads on {self._database.name} now")
        self.standbys, self.renewed_s = int(found), began_s

    async def release(self) -> None:
        """Give it up, so that a standby need not wait."""
        self._leading = False
        await self._ask("execute", _RELEASE, self._holder)

    async def close(self) -> None:
        """Close the connection."""
        self._drop()

    async def _take(self, seen: Seen) -> bool:
        connection = await self._open()
        await connection.execute("BEGIN")
        mine = await connection.execute(_TAKE, self._holder, self._name, self._url, seen.epoch, seen.beat)
        if mine != "UPDATE 1":
            await connection.execute("ROLLBACK")
            return False
        await connection.execute("SAVEPOINT others")
        try:
            await connection.execute(_CUT_OFF, [f"{LEADER}{seen.holder}", f"{LEDGER}{seen.holder}"])
        except asyncpg.InsufficientPrivilegeError:  # another role's: they end by their own time limit
            await connection.execute("ROLLBACK TO SAVEPOINT others")
        await connection.execute(_LEAD, self._holder)
        await connection.execute("COMMIT")
        # The name is changed last: whoever sees it sees the lease taken.
        await connection.execute(f"SET application_name = '{LEADER}{self._holder}'")
        return True

    async def _ask(self, way: str, *arguments: object) -> Any:
        async def ask() -> Any:
            return await getattr(await self._open(), way)(*arguments)

        return await self._guarded(ask(), ASK_LIMIT_S)

    async def _guarded(self, work: Any, limit_s: float) -> Any:
        """Do it within the limit, one at a time; whatever goes wrong is a LedgerError and ends the connection.

        A plain no of the server does not: a leader without a session would be taken for dead.
        """
        try:
            async with asyncio.timeout(limit_s + CONNECT_LIMIT_S), self._one:
                async with asyncio.timeout(limit_s):
                    return await work
        except self._database.failures as error:
            if not self._stands(error):
                self._drop()
            raise LedgerError(f"{self._database.name}: {reason_of(error)}") from error
        except BaseException:
            self._drop()
            raise
        finally:
            work.close()

    def _stands(self, error: BaseException) -> bool:
        """Whether the session is as good as before: the server answered, and there is nothing to roll back."""
        refused = isinstance(error, asyncpg.PostgresError) and not isinstance(error, CUT)
        there = self._connection
        return refused and there is not None and not there.is_closed() and not there.is_in_transaction()

    async def _open(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            name = f"{LEADER}{self._holder}" if self._leading else STANDBY
            settings = {"application_name": name, "idle_in_transaction_session_timeout": "1000"}
            self._connection = await asyncpg.connect(**self._address, timeout=ASK_LIMIT_S, server_settings=settings)
            self._connection.add_termination_listener(lambda _: self.cut.set())
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
