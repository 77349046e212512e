"""From one version to the next: rows of every state load, and the version before goes on beside the newer schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from controller.core import codec
from controller.core.model import AgentPhase, Phase, key_of
from controller.store import schema
from controller.store.db import Database, migrate
from controller.store.ledger import SqlLedger
from controller.store.tables import SCHEMA_REVISION
from tests.faults.figures import record
from tests.store.conftest import StoppedClock
from tests.store.live_rows import FOLDER, entities, tables

pytestmark = pytest.mark.store

ROWS = {path.stem.removeprefix("live_"): json.loads(path.read_text()) for path in sorted(FOLDER.glob("live_*.json"))}
"""Live rows as each schema's program wrote them: every phase of a call and of an agent it knew, with every field set
and with none (`tests/store/live_rows.py` writes the next)."""
KNOWN = {
    path.stem.removeprefix("tables_"): json.loads(path.read_text()) for path in sorted(FOLDER.glob("tables_*.json"))
}
"""The columns each schema's program reads and writes, by their table."""
GIVEN_UP = {"0004": {"ported": "0003 reads and writes blocks instead, and left the rows for the program of 0002"}}
"""What a migration takes away, table or `table.column`, and since when nobody needs it."""


def _to(connection: Connection, revision: str) -> None:
    schema._lock(connection)
    command.upgrade(schema._config(connection), revision)


def _columns(connection: Connection) -> dict[tuple[str, str], bool]:
    """Every column of ours, and whether an insert may leave it out."""
    found = inspect(connection)
    names = [name for name in found.get_table_names() if name != "alembic_version"]
    rows = ((table, column) for table in names for column in found.get_columns(table))
    return {
        (table, column["name"]): bool(
            column["nullable"] or column["default"] is not None or column.get("autoincrement")
        )
        for table, column in rows
    }


@pytest.mark.parametrize("revision", ROWS)
async def test_rows_of_every_version_load_in_every_state(empty_url: str, clock: StoppedClock, revision: str) -> None:
    """All of them, and every field as it was written."""
    rows = ROWS[revision]
    database = Database(empty_url)
    database.prepare_file()
    async with database.writing() as connection:
        await connection.run_sync(_to, revision)
        for kind, name, number, body in rows:
            add = text("INSERT INTO live (kind, id, schema, body) VALUES (:kind, :name, :number, :body)")
            await connection.execute(add, {"kind": kind, "name": name, "number": number, "body": body})
    await migrate(empty_url)
    loaded = await SqlLedger(database, clock).load()
    await database.close()
    assert loaded.quarantined == ()
    assert len(loaded.entities) == len(rows)
    found = {key_of(entity): json.loads(codec.dumps(entity)) for entity in loaded.entities}
    for kind, name, _, body in rows:
        plain = {key: value for key, value in json.loads(body).items() if not isinstance(value, dict | list)}
        assert {key: found[kind, name].get(key) for key in plain} == plain
        assert {key for key, value in json.loads(body).items() if value and not found[kind, name].get(key)} == set()
    states = _states(rows)
    seen = f"{len(rows)} of {len(rows)} rows in {len(states)} states"
    record("F33", f"rows of schema {revision} loaded", "100 %", seen, times=len(rows), passed=True)


def _states(rows: list[list[Any]]) -> set[tuple[str, str]]:
    """What calls and agents of these rows are doing."""
    bodies = [(kind, json.loads(body)) for kind, _, _, body in rows if kind in ("call", "agent")]
    return {(kind, body.get("phase", AgentPhase.IDLE)) for kind, body in bodies}


def test_rows_of_this_version_are_kept_for_the_next() -> None:
    """Who adds a migration keeps what its program writes, in every state there is."""
    rows = ROWS[SCHEMA_REVISION]
    assert _states(rows) == {("call", row) for row in Phase} | {("agent", row) for row in AgentPhase}
    assert {kind for kind, *_ in rows} == {key_of(entity)[0] for entity in entities()}


def test_the_columns_of_this_version_are_kept_for_the_next() -> None:
    assert KNOWN[SCHEMA_REVISION] == tables()


async def test_a_migration_only_adds(empty_url: str) -> None:
    """A standby of the next version migrates while the leader of this one goes on writing (docs/standby.md).

    After each step there is what its program knows and what the program before knows, and nothing else.
    """
    script = ScriptDirectory(str(schema.script_location()))
    steps = [row.revision for row in reversed(list(script.walk_revisions()))]
    assert list(KNOWN) == steps
    database = Database(empty_url)
    database.prepare_file()
    before: dict[tuple[str, str], bool] = {}  # whether an insert may leave it out
    known_before: set[tuple[str, str]] = set()
    for step in steps:
        async with database.writing() as connection:
            await connection.run_sync(_to, step)
        async with database.reading() as connection:
            after = await connection.run_sync(_columns)
        known = {(table, column) for table, columns in KNOWN[step].items() for column in columns}
        assert known_before <= after.keys(), f"{step} takes away what the version before reads and writes"
        assert after.keys() == known | known_before, f"{step} leaves what neither version knows"
        gone = {
            table if table not in KNOWN[step] else f"{table}.{column}" for table, column in before.keys() - after.keys()
        }
        assert gone == GIVEN_UP.get(step, {}).keys(), f"{step} takes away what nobody gave a reason for"
        present = {table for table, _ in before}
        may_lack = {key for key in after if before.get(key, key[0] in present)}
        wanted = {key for key in may_lack if not after[key]}
        assert wanted == set(), f"{step} wants of the version before what it does not know"
        before, known_before = after, known
    await database.close()


@pytest.mark.parametrize("through", ["0004", "0003"])
async def test_a_database_without_the_rows_of_ported_numbers_goes_up_and_down(empty_url: str, through: str) -> None:
    """0003 dropped that table in its first days; whoever ran it then comes on, and back to 0002."""
    database = Database(empty_url)
    database.prepare_file()
    async with database.writing() as connection:
        await connection.run_sync(_to, "0003")
        await connection.execute(text("DROP TABLE ported"))
        await connection.run_sync(_to, through)
        assert await connection.run_sync(schema.downgrade, "0002") == "0002"
        assert await connection.scalar(text("SELECT count(*) FROM ported")) == 0
        await connection.execute(text("INSERT INTO ported VALUES (84912345600, 'viettel', 'a.csv', 7)"))
        await connection.run_sync(_to, through)
        assert await connection.scalar(text("SELECT rows FROM ported_edition")) == 1
    await database.close()


async def test_going_back_to_rows_takes_them_from_the_blocks(empty_url: str) -> None:
    """What the program of 0002 left beside them is older than what was imported since."""
    database = Database(empty_url)
    database.prepare_file()
    async with database.writing() as connection:
        await connection.run_sync(_to, "0002")
        row = text("INSERT INTO ported VALUES (:number, 'viettel', 'a.csv', 7)")
        await connection.execute(row, {"number": 84912345600})
        await connection.run_sync(_to, "0003")
        assert await connection.scalar(text("SELECT number FROM ported")) == 84912345600, "0002 goes on reading it"
        await connection.execute(row, {"number": 84912345601})
        await connection.run_sync(schema.downgrade, "0002")
        assert (await connection.scalars(text("SELECT number FROM ported"))).all() == [84912345600]
    await database.close()
