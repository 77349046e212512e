"""SQLite and PostgreSQL side by side: a commit, a migration, a start and queries with a long history, ported numbers.

    python -m benchmarks.books [--rows 1000000] [--commits 3000] [--ported 1000000]

The server is one of our own on a Unix socket, durable as a real one is (`fsync` on), its files beside those of SQLite
in the folder for temporary files. The history is written in schema 0001 and then migrated, as an old installation's is.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
from alembic import command
from sqlalchemy import Connection, text

from benchmarks import ported
from controller.clock import SystemClock
from controller.store import schema
from controller.store.db import Database, migrate
from controller.store.history import History
from controller.store.ledger import SqlLedger
from controller.store.numbers import Numbers
from controller.store.setup_repo import SetupRepo
from controller.web.deps import CallsWanted
from tests.faults.figures import p99, record
from tests.store.postgres import running

DAY_MS = 86_400_000
ASKED = 60
MIGRATED_S = 10.0
PIECE = 20_000
"""Rows of history in one statement: a server ends one that takes long."""
LEDGER = Path(__file__).parents[1] / "scripts/bench_ledger.py"
MANY = {
    "sqlite": "WITH RECURSIVE many(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM many WHERE n < :last) ",
    "postgresql": "WITH many(n) AS (SELECT generate_series(CAST(:first AS bigint), CAST(:last AS bigint))) ",
}
ROWS = """
INSERT INTO calls (id, direction, hotline, caller, callee, queue, agent, arrived_at_ms, queued_at_ms, answered_at_ms,
    ended_at_ms, result, end_cause, reason, via, trunk, carrier, caller_id, recording, offers)
SELECT '1600000000.' || n, CASE WHEN n % 5 = 0 THEN 'outbound' ELSE 'inbound' END, '+8424730' || (1000 + n % 200),
    '+8491' || (2000000 + (n * 7919) % 1000000), '', 'queue' || (n % 50), 'agent' || (n % 300),
    at_ms, at_ms + 500, CASE WHEN n % 7 = 0 THEN NULL ELSE at_ms + 9500 END, at_ms + 120000,
    CASE WHEN n % 7 = 0 THEN 'missed' ELSE 'answered' END, 'caller', '', '', 'first', 'viettel', '', '', 1
FROM (SELECT n, CAST(:since AS bigint) + n * 31000 AS at_ms FROM many) AS timed
"""


def _first_version(connection: Connection) -> None:
    schema._lock(connection)  # noqa: SLF001 - as a migration does it
    command.upgrade(schema._config(connection), "0001")  # noqa: SLF001 - the same


async def fill(url: str, rows: int) -> tuple[float, int]:
    """Write a history as the first version left it, one call in 31 seconds; how long a migration takes, the newest."""
    database = Database(url)
    if database.sqlite:
        database.prepare_file()
    newest = SystemClock().now_ms() - DAY_MS
    async with database.writing(600.0) as connection:
        await connection.run_sync(_first_version)
    insert = text(ROWS.replace("SELECT", f"{MANY['sqlite' if database.sqlite else 'postgresql']}SELECT", 1))
    for first in range(0, rows, PIECE):
        async with database.writing(600.0) as connection:
            between = {"first": first, "last": min(first + PIECE, rows) - 1, "since": newest - rows * 31_000}
            await connection.execute(insert, between)
    if not database.sqlite:
        async with database.writing(600.0) as connection:
            await connection.execute(text("ANALYZE"))
    await database.close()
    began = time.perf_counter()
    await migrate(url)
    return time.perf_counter() - began, newest


async def begin(url: str) -> float:
    """Everything a daemon reads before it may lead, on connections that are new."""
    began = time.perf_counter()
    await migrate(url)
    database = Database(url)
    clock = SystemClock()
    ledger, numbers = SqlLedger(database, clock), Numbers(database)
    loaded = await ledger.load()
    await SetupRepo(database, clock).current()
    await numbers.completed(loaded.setup)
    took = time.perf_counter() - began
    await ledger.close()
    await database.close()
    return took


async def _often(ask: Callable[[int], Awaitable[object]]) -> str:
    took = []
    for n in range(ASKED):
        began = time.perf_counter()
        assert await ask(n)  # noqa: S101 - a query that finds nothing has no speed
        took.append(time.perf_counter() - began)
    return f"{sorted(took)[ASKED // 2] * 1e3:.1f} / {p99(took) * 1e3:.1f} ms"


async def queries(url: str, newest_ms: int, rows: int) -> dict[str, str]:
    """Pages and sums a person asks for; median and p99."""
    database = Database(url)
    history = History(database)
    middle = (newest_ms - rows // 2 * 31_000, "")
    found = {
        "newest page": await _often(lambda _: history.calls(CallsWanted())),
        "page in the middle": await _often(lambda _: history.calls(CallsWanted(), before=middle)),
        "a hotline's newest": await _often(lambda n: history.calls(CallsWanted(hotline=f"+8424730{1000 + n}"))),
        "an agent's newest": await _often(lambda n: history.calls(CallsWanted(agent=f"agent{n}"))),
        "figures of a day": await _often(lambda n: history.queue_figures(newest_ms - DAY_MS - n, newest_ms - n)),
    }
    await database.close()
    return found


def one(name: str, url: str, numbers_url: str, options: argparse.Namespace, folder: Path) -> dict[str, str]:
    """Every figure of one kind of database."""
    committed = [sys.executable, str(LEDGER), numbers_url, str(options.commits)]
    environ = os.environ | {"PYTHONPATH": str(LEDGER.parents[1])}
    said = subprocess.run(committed, check=True, capture_output=True, text=True, env=environ).stdout  # noqa: S603 - ours
    migrated_s, newest_ms = asyncio.run(fill(url, options.rows))
    what = f"{name}: migration from schema 0001 with {options.rows:,} calls of history"
    record("F33", what, "≤ 10 s", [migrated_s], limit=MIGRATED_S)
    figures = {"a commit": said.strip(), "migration from schema 0001": f"{migrated_s:.1f} s"}
    figures["books read at a start"] = f"{sorted(asyncio.run(begin(url)) for _ in range(5))[2] * 1e3:.0f} ms"
    figures |= asyncio.run(queries(url, newest_ms, options.rows))
    list_of = ported.bench(options.ported, numbers_url, folder)
    figures["import"] = f"{list_of.rows / list_of.import_s:,.0f}/s, peak {list_of.import_peak_mb:.0f} MB"
    figures["first look-up, index read before"] = f"{list_of.first_ms:.1f} ms, {list_of.index_ms:.0f} ms"
    figures["a look-up, CPU"] = f"{list_of.look_up_us:.1f} µs"
    return figures


async def _make(folder: Path, *names: str) -> None:
    connection = await asyncpg.connect(host=str(folder), user="tongdai", database="postgres")
    for name in names:
        await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()


def main(argv: list[str] | None = None, show: Callable[[str], None] = print) -> None:
    """Run and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="ended calls in the history")
    parser.add_argument("--commits", type=int, default=3_000)
    parser.add_argument("--ported", type=int, default=1_000_000, help="ported numbers to import")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name, running(durable=True) as server:
        folder = Path(name)
        asyncio.run(_make(server.folder, "books", "numbers"))
        files = [f"sqlite+aiosqlite:///{folder / each}.db" for each in ("books", "numbers")]
        by_sqlite = one("SQLite", *files, options, folder)
        by_server = one("PostgreSQL", server.url("books"), server.url("numbers"), options, folder)
    show(f"{options.rows:,} calls of history, {options.ported:,} ported numbers\n")
    show("| | SQLite | PostgreSQL |\n| --- | --- | --- |")
    for what, figure in by_sqlite.items():
        show(f"| {what} | {figure} | {by_server[what]} |")


if __name__ == "__main__":
    main()
