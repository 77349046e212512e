"""What only a real database can do to a ledger: lock, fill up, fall silent, hold rows nobody can read."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from controller.core import codec
from controller.core.setup import Setup
from controller.errors import LeadLostError, LedgerError, SetupError
from controller.store import ledger as ledger_module
from controller.store.db import LOCK_WAIT_MS, Database
from controller.store.history import History
from controller.store.ledger import SqlLedger
from controller.store.postgres_writer import PostgresWriter
from tests.store.conftest import COMMIT_LIMIT_S, NOW_MS, PATIENT_S, StoppedClock
from tests.store.rows import T0, a_call, an_agent, an_end, lines, offered, put, said, turn

pytestmark = pytest.mark.store


@pytest_asyncio.fixture
async def ledger(database: Database, clock: StoppedClock) -> AsyncIterator[SqlLedger]:
    found = SqlLedger(database, clock)
    yield found
    await found.close()


async def _all(database: Database, table: str) -> list[tuple[object, ...]]:
    async with database.reading() as connection:
        return [tuple(row) for row in await connection.execute(text(f"SELECT * FROM {table}"))]


async def _say(database: Database, sql: str, **values: object) -> None:
    async with database.writing() as connection:
        await connection.execute(text(sql), values)


# -- one transaction -------------------------------------------------------------------------------------------------


async def test_a_commit_that_breaks_in_the_middle_leaves_nothing(database: Database, ledger: SqlLedger) -> None:
    await ledger.commit([turn(changes=put(a_call()))])
    await _say(database, "ALTER TABLE stories RENAME TO away")
    end = an_end()
    owed = [
        turn(said(1, offered()), changes=put(a_call(queue="sales"))),
        turn(said(2, end), stories=((end.call, lines()),)),
    ]
    with pytest.raises(LedgerError, match="stories"):
        await ledger.commit(owed)
    assert await _all(database, "facts") == []
    assert await _all(database, "calls") == []
    assert await _all(database, "offers") == []
    assert (await ledger.load()).entities == (a_call(),)
    await _say(database, "ALTER TABLE away RENAME TO stories")
    await ledger.commit(owed)
    assert len(await _all(database, "facts")) == 2
    assert await History(database).call(end.call) == end


@pytest.mark.parametrize(
    ("torn", "kept"),
    [
        ({"caller": "An\ud800!"}, {"caller": "An?!"}),
        ({"caller": "An\x00!"}, {"caller": "An\ufffd!"}),
        ({"ended_at_ms": 2**70}, {"ended_at_ms": 2**63 - 1}),
        ({"ended_at_ms": -(2**70)}, {"ended_at_ms": -(2**63) + 1}),
    ],
)
async def test_what_no_database_takes_does_not_keep_the_rest_out(
    database: Database, ledger: SqlLedger, torn: dict[str, Any], kept: dict[str, Any]
) -> None:
    await ledger.commit([turn(said(1, an_end(**torn)), changes=put(a_call(caller_name=str(torn)), an_agent()))])
    loaded = await ledger.load()
    assert {type(row).__name__ for row in loaded.entities} == {"Agent", "Call"}
    found = await History(database).call("1700000000.1")
    if database.sqlite and "\x00" in torn.get("caller", ""):
        kept = torn
    assert found == an_end(**kept)


async def test_ten_thousand_owed_turns_are_one_commit(database: Database, ledger: SqlLedger) -> None:
    owed = [turn(said(n, offered(f"1700000000.1.a{n}")), changes=put(a_call(legs=n))) for n in range(1, 10_001)]
    await ledger.commit(owed)
    assert (await ledger.load()).entities == (a_call(legs=10_000),)
    assert (await ledger.load()).last_seq == 10_000


async def test_what_takes_long_by_itself_is_given_its_time(
    database: Database, ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.commit([turn(said(1, offered()))])
    monkeypatch.setattr(ledger_module, "COMMIT_LIMIT_S", 0.0)
    owed = [turn(said(n, offered(f"1700000000.1.a{n}")), changes=put(a_call(legs=n))) for n in range(1, 5_001)]
    monkeypatch.setattr(ledger_module, "TURN_LIMIT_S", 0.0)
    with pytest.raises(LedgerError, match="no answer in time"):
        await ledger.commit(owed)
    monkeypatch.setattr(ledger_module, "TURN_LIMIT_S", 0.01)
    await ledger.commit(owed)
    assert len(await _all(database, "facts")) == 5_000


async def test_a_cancelled_commit_goes_on_and_the_next_one_stands_behind_it(
    database: Database, ledger: SqlLedger
) -> None:
    first = asyncio.create_task(ledger.commit([turn(said(1, offered()), changes=put(an_agent(status="available")))]))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await ledger.commit([turn(said(2, offered()), changes=put(an_agent(status="offline")))])
    assert [row[0] for row in await _all(database, "facts")] == [1, 2]
    assert (await ledger.load()).entities == (an_agent(status="offline"),)


async def test_two_commits_at_once_are_both_written(database: Database, ledger: SqlLedger) -> None:
    await asyncio.gather(*(ledger.commit([turn(said(n, offered()))]) for n in range(1, 9)))
    assert sorted(row[0] for row in await _all(database, "facts")) == list(range(1, 9))


async def test_a_ledger_never_used_closes(database: Database, clock: StoppedClock) -> None:
    unused = SqlLedger(database, clock)
    await unused.close()
    await unused.close()


# -- SQLite locked and full ------------------------------------------------------------------------------------------


class Locked:
    """Another program in a `BEGIN EXCLUSIVE`."""

    def __init__(self, database: Database) -> None:
        self._connection = sqlite3.connect(str(database.url.database), isolation_level=None)
        self._connection.execute("BEGIN EXCLUSIVE")

    def release(self) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


@pytest_asyncio.fixture
async def on_sqlite(sqlite_url: str, clock: StoppedClock) -> AsyncIterator[tuple[Database, SqlLedger]]:
    database = Database(sqlite_url)
    ledger = SqlLedger(database, clock)
    yield database, ledger
    await ledger.close()
    await database.close()


async def test_a_lock_is_told_in_time_and_nothing_is_lost(on_sqlite: tuple[Database, SqlLedger]) -> None:
    database, ledger = on_sqlite
    await ledger.commit([turn(said(1, offered()))])
    lock = Locked(database)
    owed = [turn(said(2, offered()), changes=put(an_agent()))]
    assert LOCK_WAIT_MS < 1_000 * COMMIT_LIMIT_S, "it is told that it is locked, not that nothing answers"
    with pytest.raises(LedgerError, match="database is locked"):
        await ledger.commit(owed)
    assert (await ledger.load()).last_seq == 1
    lock.release()
    await ledger.commit(owed)
    assert (await ledger.load()).entities == (an_agent(),)


async def test_a_short_lock_is_waited_for(on_sqlite: tuple[Database, SqlLedger]) -> None:
    database, ledger = on_sqlite
    lock = Locked(database)
    asyncio.get_running_loop().call_later(0.3, lock.release)
    await ledger.commit([turn(said(1, offered()))])
    assert (await ledger.load()).last_seq == 1


async def test_a_locked_database_can_still_be_read(on_sqlite: tuple[Database, SqlLedger]) -> None:
    database, ledger = on_sqlite
    await ledger.commit([turn(said(1, an_end()))])
    lock = Locked(database)
    assert await History(database).call("1700000000.1") == an_end()
    lock.release()


async def test_a_file_that_is_locked_at_a_start_is_read_and_led_later_unless_it_went_on(
    on_sqlite: tuple[Database, SqlLedger], clock: StoppedClock
) -> None:
    """Facts that went on from a number that is another's by now would be left out without a word."""
    database, before = on_sqlite
    await before.commit([turn(said(1, offered()))])
    early, late = SqlLedger(database, clock), SqlLedger(database, clock)
    lock = Locked(database)
    loaded = await asyncio.gather(early.load(), late.load())
    lock.release()
    assert [found.last_seq for found in loaded] == [1, 1]
    await early.commit([turn(said(2, offered()))])
    for other in (before, late):
        with pytest.raises(LeadLostError):
            await other.commit([turn(said(2, offered()))])
        await other.close()
    await early.commit([turn(said(3, offered()))])
    await early.close()


async def test_a_full_database_is_told_and_needs_no_restart(on_sqlite: tuple[Database, SqlLedger]) -> None:
    _, ledger = on_sqlite
    await ledger.commit([turn(said(1, offered()))])
    connection = ledger._writer._connection
    assert isinstance(connection, sqlite3.Connection)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}")
    owed = [turn(said(n, offered(f"x.a{n}")), changes=put(a_call(f"1.{n}"))) for n in range(2, 200)]
    with pytest.raises(LedgerError, match="full"):
        await ledger.commit(owed)
    assert (await ledger.load()).last_seq == 1
    await ledger.commit(owed)
    assert (await ledger.load()).last_seq == 199


async def test_a_file_that_vanished_is_not_made_anew(on_sqlite: tuple[Database, SqlLedger]) -> None:
    database, ledger = on_sqlite
    path = str(database.url.database)
    os.unlink(path)  # noqa: PTH108 - a path of pathlib may not be touched in a coroutine
    with pytest.raises(LedgerError, match="unable to open"):
        await ledger.commit([turn(said(1, offered()))])
    with pytest.raises(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - the same


async def test_a_silent_disk_is_told_and_its_commit_comes_first(
    on_sqlite: tuple[Database, SqlLedger], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, ledger = on_sqlite
    monkeypatch.setattr(ledger_module, "COMMIT_LIMIT_S", 0.2)
    write: Callable[..., None] = ledger._writer._write  # type: ignore[assignment]

    asleep, awake = threading.Event(), threading.Event()

    def slowly(turns: object) -> None:
        asleep.set()
        awake.wait(PATIENT_S)
        write(turns)

    monkeypatch.setattr(ledger._writer, "_write", slowly)
    with pytest.raises(LedgerError, match="no answer in time"):
        await ledger.commit([turn(said(1, offered()), changes=put(an_agent(reason="first")))])
    assert await asyncio.to_thread(asleep.wait, PATIENT_S), "the first commit is under way"
    monkeypatch.setattr(ledger._writer, "_write", write)
    with pytest.raises(LedgerError, match="no answer in time"):
        await ledger.commit([turn(said(2, offered()), changes=put(an_agent(reason="second")))])
    awake.set()
    monkeypatch.setattr(ledger_module, "COMMIT_LIMIT_S", PATIENT_S)
    await ledger.commit([turn(said(2, offered()), changes=put(an_agent(reason="second")))])
    assert (await ledger.load()).entities == (an_agent(reason="second"),)
    assert (await ledger.load()).last_seq == 2


# -- PostgreSQL cut and silent ---------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def on_postgresql(postgresql_url: str, clock: StoppedClock) -> AsyncIterator[tuple[Database, SqlLedger]]:
    database = Database(postgresql_url)
    ledger = SqlLedger(database, clock)
    yield database, ledger
    await ledger.close()
    await database.close()


async def _backend(database: Database) -> int:
    """Process id of the server's side of the ledger's own connection."""
    query = text(
        "SELECT pid FROM pg_stat_activity "
        "WHERE application_name LIKE 'tongdai-ledger %' AND datname = current_database()"
    )
    async with database.reading() as connection:
        return (await connection.execute(query)).scalar_one()


async def test_a_cut_connection_costs_nothing(on_postgresql: tuple[Database, SqlLedger]) -> None:
    database, ledger = on_postgresql
    await ledger.commit([turn(said(1, offered()))])
    await _say(database, "SELECT pg_terminate_backend(:pid)", pid=await _backend(database))
    await ledger.commit([turn(said(2, offered()), changes=put(an_agent()))])
    await _say(database, "SELECT pg_terminate_backend(:pid)", pid=await _backend(database))
    await asyncio.sleep(0.05)
    await ledger.commit([turn(said(3, offered()), changes=put(an_agent(reason="third")))])
    loaded = await ledger.load()
    assert loaded.entities == (an_agent(reason="third"),)
    assert loaded.last_seq == 3


async def test_a_silent_server_is_told_in_time_and_nothing_is_lost(
    on_postgresql: tuple[Database, SqlLedger], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, ledger = on_postgresql
    await ledger.commit([turn(said(1, offered()), changes=put(an_agent(reason="first")))])
    monkeypatch.setattr(ledger_module, "COMMIT_LIMIT_S", 0.5)
    pid = await _backend(database)
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(LedgerError, match="no answer in time"):
            await ledger.commit([turn(said(2, offered()), changes=put(an_agent(reason="late")))])
        assert time.monotonic() - began < PATIENT_S
        monkeypatch.setattr(ledger_module, "COMMIT_LIMIT_S", PATIENT_S)
        await ledger.commit([turn(said(2, offered()), changes=put(an_agent(reason="second")))])
    finally:
        os.kill(pid, signal.SIGCONT)
    await asyncio.sleep(0.1)
    loaded = await ledger.load()
    assert loaded.entities == (an_agent(reason="second"),)
    assert loaded.last_seq == 2


async def test_a_commit_that_arrives_late_is_void(on_postgresql: tuple[Database, SqlLedger]) -> None:
    database, ledger = on_postgresql
    early, late = (PostgresWriter(database, "me") for _ in range(2))
    early._number = 5
    await early.write([turn(changes=put(an_agent(reason="sixth")))], PATIENT_S)
    late._number = 3
    with pytest.raises(LeadLostError):
        await late.write([turn(changes=put(an_agent(reason="fourth")))], PATIENT_S)
    assert (await ledger.load()).entities == (an_agent(reason="sixth"),)
    await early.close()
    await late.close()


# -- rows nobody can read --------------------------------------------------------------------------------------------


def _deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("kind", "name", "number", "body", "why"),
    [
        ("call", "1.9", 1, '{"type":"Call","id":"1.9",', "Expecting"),
        ("call", "1.9", 1, "", "Expecting"),
        ("call", "1.9", 1, "null", "not a JSON object"),
        ("call", "1.9", 1, _deep(100_000), "nested beyond reason"),
        ("call", "1.9", 2, codec.dumps(a_call("1.9")), "newer program (schema 2)"),
        ("call", "1.9", 1, '{"type":"Spaceship","id":"1.9"}', "unknown type"),
        ("call", "1.9", 1, codec.dumps(a_call("1.9"))[:-1] + ',"warp":9}', "unknown key"),
        ("call", "1.9", 1, codec.dumps(a_call("1.9")).replace('"waiting"', '"flying"'), "flying"),
        ("call", "1.9", 1, codec.dumps(a_call("1.9")).replace(str(T0), '"soon"'), "int"),
        ("call", "1.9", 1, codec.dumps(a_call("1.8")), "something else"),
        ("call", "1.9", 1, codec.dumps(an_agent("1.9")), "something else"),
        ("call", "1.9", 1, codec.dumps(offered()), "something else"),
        ("ufo", "1.9", 1, codec.dumps(a_call("1.9")), "something else"),
    ],
)
async def test_a_row_nobody_can_read_is_set_aside_and_the_rest_loads(
    database: Database, ledger: SqlLedger, kind: str, name: str, number: int, body: str, why: str
) -> None:
    await ledger.commit([turn(changes=put(a_call("1.1"), an_agent()))])
    add = "INSERT INTO live (kind, id, schema, body) VALUES (:kind, :name, :number, :body)"
    await _say(database, add, kind=kind, name=name, number=number, body=body)
    loaded = await ledger.load()
    assert set(loaded.entities) == {a_call("1.1"), an_agent()}
    assert len(loaded.quarantined) == 1
    assert loaded.quarantined[0].startswith(f"live row {kind} {name}: ")
    assert why in loaded.quarantined[0]
    assert "\n" not in loaded.quarantined[0]
    ((_, at_ms, *kept, reason),) = await _all(database, "live_quarantine")
    assert (at_ms, kept) == (NOW_MS, [kind, name, number, body])
    assert f"live row {kind} {name}: {reason}" == loaded.quarantined[0]
    again = await ledger.load()
    assert (set(again.entities), again.quarantined) == (set(loaded.entities), ())


async def test_a_row_of_an_older_program_takes_defaults_for_what_it_did_not_know(
    database: Database, ledger: SqlLedger
) -> None:
    body = '{"type":"Agent","name":"an","status":"available"}'
    await _say(database, "INSERT INTO live (kind, id, schema, body) VALUES ('agent', 'an', 1, :body)", body=body)
    loaded = await ledger.load()
    assert loaded.entities == (an_agent(status="available"),)
    assert loaded.quarantined == ()


async def test_the_setup_in_force_is_loaded_with_its_version(database: Database, clock: StoppedClock) -> None:
    def parse(source_text: str, source: str) -> Setup:
        assert (source_text, source) == ("two", "setup version 2")
        return Setup(version=99)

    add = "INSERT INTO setup_version VALUES (:n, :text, 'toml', 0, 'an')"
    for n, words in ((1, "one"), (2, "two")):
        await _say(database, add, n=n, text=words)
    loaded = await SqlLedger(database, clock, parse).load()
    assert loaded.setup == Setup(version=2)


async def test_a_setup_nobody_can_read_is_one_line(database: Database, clock: StoppedClock) -> None:
    def parse(_text: str, source: str) -> Setup:
        raise SetupError((f"{source}:3: queue[0].name: wants letters", f"{source}:4: more"))

    await _say(database, "INSERT INTO setup_version VALUES (1, 'x', 'toml', 0, 'an')")
    with pytest.raises(LedgerError, match=r"setup version 1:3: queue\[0\]\.name") as caught:
        await SqlLedger(database, clock, parse).load()
    assert "\n" not in str(caught.value)


async def test_ten_thousand_agents_load_within_the_limit_of_a_start(database: Database, ledger: SqlLedger) -> None:
    await ledger.commit([turn(changes=put(*(an_agent(f"agent{n}") for n in range(10_000))))])
    loaded = await ledger.load()
    assert len(loaded.entities) == 10_000
    assert replace(an_agent(), name="agent9999") in loaded.entities
