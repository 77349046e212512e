"""From one version to the next: rows of every state load, and the version before goes on beside the newer schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from controller.core import codec
from controller.core.model import AgentPhase, Phase
from controller.store import schema
from controller.store.db import Database, migrate
from controller.store.ledger import SqlLedger
from tests.faults.figures import record
from tests.store.conftest import StoppedClock

pytestmark = pytest.mark.store

ROWS = json.loads((Path(__file__).parent / "data/live_0001.json").read_text())
"""Live rows as schema 0001 wrote them: every phase of a call and of an agent, with every field set and with none."""
BEFORE_THE_RULE = ("0002", "0003")
"""What 0003 left behind nobody had been given yet: the rule holds from there on."""


def _to(connection: Connection, revision: str) -> None:
    schema._lock(connection)
    command.upgrade(schema._config(connection), revision)


def _columns(connection: Connection) -> dict[tuple[str, str], bool]:
    """Every column there is, and whether an insert may leave it out."""
    found = inspect(connection)
    rows = ((table, column) for table in found.get_table_names() for column in found.get_columns(table))
    return {
        (table, column["name"]): bool(
            column["nullable"] or column["default"] is not None or column.get("autoincrement")
        )
        for table, column in rows
    }


async def test_rows_of_the_first_version_load_in_every_state(empty_url: str, clock: StoppedClock) -> None:
    database = Database(empty_url)
    database.prepare_file()
    async with database.writing() as connection:
        await connection.run_sync(_to, "0001")
        for kind, name, number, body in ROWS:
            add = text("INSERT INTO live (kind, id, schema, body) VALUES (:kind, :name, :number, :body)")
            await connection.execute(add, {"kind": kind, "name": name, "number": number, "body": body})
    await migrate(empty_url)
    loaded = await SqlLedger(database, clock).load()
    await database.close()
    assert loaded.quarantined == ()
    assert {(row.id, row.phase) for row in loaded.entities if type(row).__name__ == "Call"} >= {
        (codec.loads(body).id, codec.loads(body).phase) for kind, _, _, body in ROWS if kind == "call"
    }
    assert len(loaded.entities) == len(ROWS)
    states = len(Phase) + len(AgentPhase)
    seen = f"{len(ROWS)} of {len(ROWS)} rows in {states} states"
    record("F33", "rows of schema 0001 loaded", "100 %", seen, times=len(ROWS), passed=True)


async def test_a_migration_only_adds(empty_url: str) -> None:
    """A standby of the next version migrates while the leader of this one goes on writing (docs/standby.md)."""
    script = ScriptDirectory(str(schema.script_location()))
    steps = [row.revision for row in reversed(list(script.walk_revisions()))]
    database = Database(empty_url)
    database.prepare_file()
    before: dict[tuple[str, str], bool] = {}
    for step in steps:
        async with database.writing() as connection:
            await connection.run_sync(_to, step)
        async with database.reading() as connection:
            after = await connection.run_sync(_columns)
        if step not in BEFORE_THE_RULE:
            assert before.keys() <= after.keys(), f"{step} takes away what the version before writes"
            tables = {table for table, _ in before}
            wanted = {key for key, left_out in after.items() if key not in before and key[0] in tables and not left_out}
            assert wanted == set(), f"{step} wants of the version before what it does not know"
        before = after
    await database.close()
