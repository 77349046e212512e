"""Opening the database, and every error of it as one line for a person.

SQLite runs in WAL with `synchronous=FULL`: a commit that was answered survives a power cut. Writers say `BEGIN
IMMEDIATE`, so two of them wait for each other at the door (`busy_timeout`) instead of failing half-way; readers never
wait. PostgreSQL is asked the same questions with limits of its own.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from controller.errors import LedgerError
from controller.store import schema

LOCK_WAIT_MS: Final = 2_000
"""How long SQLite waits for another writer. The engine takes a late commit as degraded long before."""
CONNECT_LIMIT_S: Final = 3.0
OPEN_LIMIT_S: Final = 4.5
OPEN_AGAIN_S: Final = 1.0
"""How long a start goes on asking a file that says at once that it is locked."""
OPEN_PAUSE_S: Final = 0.05
"""The longest a start waits for the database before it says so."""
QUERY_LIMIT_S: Final = 10.0
MIGRATE_LIMIT_S: Final = 600.0
POOL_SIZE: Final = 5
JOURNAL_MAX_BYTES: Final = 64 * 1024 * 1024
"""A WAL that a long reader let grow is cut back to this once it is written home."""

PRAGMAS: Final = (
    f"PRAGMA busy_timeout={LOCK_WAIT_MS}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA journal_size_limit={JOURNAL_MAX_BYTES}",
)
_WRITING: Final = "tongdai_writing"
Failures = tuple[type[Exception], ...]


class Database:
    """One database, SQLite or PostgreSQL, with a small pool of connections. `name` is fit to be shown."""

    def __init__(self, url: str) -> None:
        """Read the URL; nothing is opened yet. LedgerError when it is not one of ours."""
        self.url = _checked(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.failures = _failures(sqlite=self.sqlite)
        self.name = f"database {self.url.database if self.sqlite else self.url.render_as_string(hide_password=True)}"
        self.engine = _engine(self.url, sqlite=self.sqlite)

    @asynccontextmanager
    async def reading(self, limit_s: float = QUERY_LIMIT_S) -> AsyncIterator[AsyncConnection]:
        """Run a transaction that only reads; LedgerError when the database fails or is silent."""
        with self.errors():
            async with asyncio.timeout(limit_s), self.engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self, limit_s: float = QUERY_LIMIT_S) -> AsyncIterator[AsyncConnection]:
        """Run a transaction that writes; everything in it is done, or nothing and an error."""
        with self.errors():
            async with (
                asyncio.timeout(limit_s),
                self.engine.execution_options(**{_WRITING: True}).begin() as connection,
            ):
                yield connection

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn whatever a database or its driver raises into a LedgerError of one line."""
        try:
            yield
        except self.failures as error:
            raise LedgerError(f"{self.name}: {reason_of(error)}") from error

    def prepare_file(self) -> None:
        """Make an empty SQLite file that only its owner may read: the setup in it holds passwords of phones.

        The folder is made for a relative path only. An absolute one that is missing is more likely a disk that is not
        mounted, and an empty database in its place would hide that.
        """
        if not self.sqlite or not self.url.database:
            return
        path = Path(self.url.database)
        if not path.is_absolute():
            path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def reason_of(error: BaseException) -> str:
    """Say in one line why a database did not do what it was asked."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    lines = text.rpartition("'>: ")[2].strip().splitlines()
    return lines[0] if lines else type(error).__name__


async def _revision(database: Database) -> str:
    """Ask where the database stands.

    Several programs that start together on a new SQLite file all switch it to WAL, and SQLite tells all but one at
    once that it is locked, without the wait it grants elsewhere: ask again.
    """
    now_s = asyncio.get_running_loop().time
    until_s = now_s() + OPEN_AGAIN_S
    while True:
        try:
            async with database.reading(OPEN_LIMIT_S) as connection:
                return await connection.run_sync(schema.revision)
        except LedgerError as error:
            if now_s() >= until_s or "locked" not in str(error):
                raise
        await asyncio.sleep(OPEN_PAUSE_S)


async def migrate(url: str) -> str:
    """Bring the database to the schema of this program, making it where there is none; returns its revision.

    LedgerError (one line) when it cannot be opened, or when a newer program has been there.
    """
    database = Database(url)
    try:
        with database.errors():
            database.prepare_file()
        found = await _revision(database)
        if schema.is_current(found):
            return found
        async with database.writing(MIGRATE_LIMIT_S) as connection:
            return await connection.run_sync(schema.upgrade)
    finally:
        await database.close()


def _failures(*, sqlite: bool) -> Failures:
    """Whatever a database or its driver raises; what is left is a mistake of ours."""
    if sqlite:
        return (SQLAlchemyError, sqlite3.Error, OSError)
    import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415 - it ships no types; a house with SQLite never loads it

    return (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


def _checked(url: str) -> URL:
    try:
        found = make_url(url)
    except ArgumentError:
        raise LedgerError("the database URL cannot be read") from None
    if found.drivername not in {"sqlite+aiosqlite", "postgresql+asyncpg"}:
        raise LedgerError("the database URL begins with sqlite+aiosqlite:/// or postgresql+asyncpg://")
    if found.drivername.startswith("sqlite") and found.database in {None, "", ":memory:"}:
        raise LedgerError("SQLite needs a file: its rows are what a restart begins from")
    return found


def _engine(url: URL, *, sqlite: bool) -> AsyncEngine:
    if not sqlite:
        limits = {"timeout": CONNECT_LIMIT_S, "command_timeout": QUERY_LIMIT_S}
        settings = {"server_settings": {"application_name": "tongdai"}}
        return create_async_engine(url, pool_size=POOL_SIZE, pool_pre_ping=True, connect_args={**limits, **settings})
    engine = create_async_engine(url, pool_size=POOL_SIZE, connect_args={"timeout": LOCK_WAIT_MS / 1000})
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Take transactions out of the driver's hands and into ours (`_begin_sqlite`)."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get(_WRITING)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
