"""Databases for tests: each test that asks for one gets a fresh one, on SQLite and again on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from controller.store import lease, ledger
from controller.store.db import Database, migrate
from tests.store.postgres import Server, quick_folder, running

NOW_MS = 1_700_000_000_000
PATIENT_S = 60.0
COMMIT_LIMIT_S = ledger.COMMIT_LIMIT_S
"""What it is where no test is patient."""


class StoppedClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.at_ms = NOW_MS

    def now_ms(self) -> int:
        return self.at_ms


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for some seconds is no database that is silent. A test about a limit sets its own."""
    for module in (ledger, lease):
        for name in ("COMMIT_LIMIT_S", "TAKE_LIMIT_S", "ASK_LIMIT_S"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, PATIENT_S)


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running() as found:
        migrated(found, "migrated")
        yield found


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "books.db"
    asyncio.run(migrate(f"sqlite+aiosqlite:///{path}"))
    return path


def migrated(server: Server, name: str) -> str:
    """Make a database of today's schema with nothing in it; its URL."""
    asyncio.run(_say(server, f"CREATE DATABASE {name}"))
    asyncio.run(migrate(server.url(name)))
    return server.url(name)


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
def folder() -> Iterator[Path]:
    """A folder for database files, in memory where there is room."""
    with tempfile.TemporaryDirectory(prefix="td-store-", dir=quick_folder()) as found:
        yield Path(found)


@contextmanager
def _made(server: Server, template: str) -> Iterator[str]:
    """A database of its own for one test."""
    name = next(_names)
    asyncio.run(_say(server, f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield server.url(name)
    asyncio.run(_say(server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """A database with nothing in it."""
    if backend == "sqlite":
        yield f"sqlite+aiosqlite:///{folder / 'empty.db'}"
        return
    with _made(request.getfixturevalue("server"), "template0") as found:
        yield found


@pytest.fixture
def sqlite_url(migrated_file: Path, folder: Path) -> str:
    """A SQLite file with our tables in it."""
    path = folder / "books.db"
    shutil.copy(migrated_file, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def postgresql_url(server: Server) -> Iterator[str]:
    """A database of the PostgreSQL server with our tables in it."""
    with _made(server, "migrated") as found:
        yield found


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
