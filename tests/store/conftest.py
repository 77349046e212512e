"""Databases for tests: each test that asks for one gets a fresh one, on SQLite and again on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from controller.store.db import Database, migrate
from tests.store.postgres import Server, running

NOW_MS = 1_700_000_000_000


class StoppedClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.at_ms = NOW_MS

    def now_ms(self) -> int:
        return self.at_ms


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running() as found:
        asyncio.run(_say(found, "CREATE DATABASE migrated"))
        asyncio.run(migrate(found.url("migrated")))
        yield found


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "books.db"
    asyncio.run(migrate(f"sqlite+aiosqlite:///{path}"))
    return path


async def _say(server: Server, sql: str) -> None:
    connection = await asyncpg.connect(host=str(server.folder), user="tongdai", database="postgres")
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


_names = (f"test{n}" for n in range(1_000_000))


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with nothing in it."""
    if backend == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'books.db'}"
    server: Server = request.getfixturevalue("server")
    name = next(_names)
    asyncio.run(_say(server, f"CREATE DATABASE {name}"))
    return server.url(name)


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """A SQLite file with our tables in it."""
    path = tmp_path / "books.db"
    shutil.copy(migrated_file, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def postgresql_url(server: Server) -> str:
    """A database of the PostgreSQL server with our tables in it."""
    name = next(_names)
    asyncio.run(_say(server, f"CREATE DATABASE {name} TEMPLATE migrated"))
    return server.url(name)


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest) -> str:
    """A database with our tables in it."""
    found: str = request.getfixturevalue(f"{backend}_url")
    return found


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[Database]:
    found = Database(url)
    yield found
    await found.close()
