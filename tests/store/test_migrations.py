"""The schema's way up, down and up again, and every way a start can find no database it may use."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from controller.errors import LedgerError
from controller.store import db, schema
from controller.store.db import Database, migrate
from controller.store.ledger import SqlLedger
from controller.store.tables import SCHEMA_REVISION, metadata
from tests.store.conftest import StoppedClock
from tests.store.live_rows import FOLDER
from tests.store.postgres import Server

pytestmark = pytest.mark.store

ROOT = Path(__file__).resolve().parents[2]
SOON_S = 30.0
"""A limit for a machine that stands still for a while; without one of ours, nothing would ever be said."""


BEFORE = json.loads((FOLDER / f"tables_{int(SCHEMA_REVISION) - 1:04d}.json").read_text())
"""What the program of the version before knows: its tables stay for one version more (`test_upgrade.py`)."""


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def _ours(_: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
    """Leave out a table that is only there for the version before."""
    return not (kind == "table" and reflected and other is None and name in BEFORE)


def _differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "include_object": _ours}
    return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


async def test_up_down_and_up_again(empty_url: str) -> None:
    assert await migrate(empty_url) == SCHEMA_REVISION
    database = Database(empty_url)
    async with database.reading() as connection:
        assert await connection.run_sync(_tables) == set(metadata.tables) | set(BEFORE)
        assert await connection.run_sync(_differences) == []
    async with database.writing() as connection:
        assert await connection.run_sync(schema.downgrade, "base") == ""
        assert await connection.run_sync(_tables) == set()
    assert await migrate(empty_url) == SCHEMA_REVISION
    async with database.reading() as connection:
        assert await connection.run_sync(_tables) == set(metadata.tables) | set(BEFORE)
    await database.close()


async def test_migrating_twice_changes_nothing(url: str, database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(text("INSERT INTO meta (name, value) VALUES ('kept', 'yes')"))
    assert await migrate(url) == SCHEMA_REVISION
    async with database.reading() as connection:
        assert await connection.scalar(text("SELECT value FROM meta WHERE name = 'kept'")) == "yes"


async def test_two_programs_that_start_together_both_find_it_done(empty_url: str) -> None:
    found = await asyncio.gather(migrate(empty_url), migrate(empty_url), migrate(empty_url))
    assert found == [SCHEMA_REVISION] * 3


async def test_a_migration_that_breaks_leaves_nothing(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sql"
    shutil.copytree(schema.script_location(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions/9001_broken.py").write_text(
        f"from alembic import op\nrevision, down_revision = '9001', '{SCHEMA_REVISION}'\n"
        "def upgrade():\n    op.execute('CREATE TABLE half (n INTEGER)')\n    op.execute('SELECT * FROM nowhere')\n"
    )
    monkeypatch.setattr(schema, "_CHECKOUT", folder)
    with pytest.raises(LedgerError, match="nowhere"):
        await migrate(empty_url)
    database = Database(empty_url)
    async with database.reading() as connection:
        assert await connection.run_sync(_tables) == set()
    await database.close()


def test_the_code_stands_at_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(schema.script_location()))
    assert scripts.get_current_head() == SCHEMA_REVISION


def test_the_schema_for_reading_is_current() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts/schema_sql.py"], capture_output=True, check=True, cwd=ROOT)
    assert done.stdout.decode() == (ROOT / "sql/schema.sql").read_text()


async def test_a_newer_database_is_refused_in_one_line(url: str, database: Database, clock: StoppedClock) -> None:
    for newer in ("9001", "9999", "ab12cd"):
        async with database.writing() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = :newer"), {"newer": newer})
        for attempt in (migrate(url), SqlLedger(database, clock).load()):
            with pytest.raises(LedgerError, match=f"schema {newer}, newer than") as caught:
                await attempt
            assert "\n" not in str(caught.value)


async def test_an_empty_database_wants_to_be_migrated(empty_url: str, clock: StoppedClock) -> None:
    database = Database(empty_url)
    database.prepare_file()
    with pytest.raises(LedgerError, match="run `tongdai migrate`"):
        await SqlLedger(database, clock).load()
    await database.close()


async def _refusal(url: str) -> tuple[str, float]:
    began = time.monotonic()
    with pytest.raises(LedgerError) as caught:
        await migrate(url)
    return str(caught.value), time.monotonic() - began


async def test_no_server_is_one_line_at_once() -> None:
    message, seconds = await _refusal("postgresql+asyncpg://ann:geheim@127.0.0.1:1/books")
    assert "ann" in message
    assert "geheim" not in message
    assert "\n" not in message
    assert seconds < SOON_S


async def test_a_silent_server_is_one_line_within_the_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message, seconds = await _refusal(f"postgresql+asyncpg://ann@127.0.0.1:{silent.getsockname()[1]}/books")
    assert message.endswith("no answer in time")
    assert seconds < SOON_S


async def test_a_database_that_does_not_exist_is_one_line(server: Server) -> None:
    message, _ = await _refusal(server.url("nowhere"))
    assert 'database "nowhere" does not exist' in message
    assert "\n" not in message


async def test_a_missing_folder_is_not_made_up(tmp_path: Path) -> None:
    message, seconds = await _refusal(f"sqlite+aiosqlite:///{tmp_path}/disk/books.db")
    assert message.endswith("No such file or directory")
    assert seconds < SOON_S
    assert not (tmp_path / "disk").exists()


async def test_a_relative_path_gets_its_folder_and_a_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await migrate("sqlite+aiosqlite:///var/lab/books.db")
    assert (tmp_path / "var/lab/books.db").stat().st_mode & 0o777 == 0o600


async def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "books.db").write_bytes(b"not a database at all" * 100)
    message, _ = await _refusal(f"sqlite+aiosqlite:///{tmp_path}/books.db")
    assert message.endswith("file is not a database")


async def test_a_locked_file_is_one_line_within_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "OPEN_LIMIT_S", SOON_S)
    with sqlite3.connect(tmp_path / "books.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        message, seconds = await _refusal(f"sqlite+aiosqlite:///{tmp_path}/books.db")
    other.close()
    assert message.endswith("database is locked")
    assert seconds < SOON_S


@pytest.mark.parametrize("bad", ["", "nonsense", "mysql://x/y", "sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:"])
def test_a_url_we_cannot_use_is_refused(bad: str) -> None:
    with pytest.raises(LedgerError):
        Database(bad)


def test_the_installed_package_brings_its_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    for name in ("controller", "sql"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", source)
    (source / "README.md").touch()
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "--no-index", "."]
    environ = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([*build, "-w", tmp_path], check=True, cwd=source, env=environ, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
        assert "controller/data/carriers_vn.toml" in archive.namelist(), "the shipped table of carriers is in it too"
    (share,) = (tmp_path / "unpacked").glob("*.data/data/share/tongdai/sql")
    monkeypatch.setattr(schema, "_CHECKOUT", tmp_path / "site-packages" / "sql")
    with pytest.raises(LedgerError, match="migrations are missing"):
        schema.script_location()
    monkeypatch.setattr(schema, "_INSTALLED", share)
    assert asyncio.run(migrate(f"sqlite+aiosqlite:///{tmp_path}/books.db")) == SCHEMA_REVISION
