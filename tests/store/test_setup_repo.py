"""Versions of the setup: two authors at once, and a trace of every change."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text

from controller import setup_file
from controller.core.setup import Defaults, Setup
from controller.errors import LedgerError, SetupError, StaleSetupError
from controller.store import audit
from controller.store.db import Database
from controller.store.ledger import SqlLedger
from controller.store.setup_repo import FRESH, SetupRepo, StoredSetup, setup_of
from tests.store.conftest import NOW_MS, StoppedClock

pytestmark = pytest.mark.store

BAD = "bad"


def parse(words: str, source: str) -> Setup:
    if words == BAD:
        raise SetupError((f"{source}:1: bad",))
    return Setup(Defaults(country=words))


@pytest.fixture
def setups(database: Database, clock: StoppedClock) -> SetupRepo:
    return SetupRepo(database, clock, parse)


async def test_a_fresh_database_has_version_0(setups: SetupRepo) -> None:
    assert await setups.current() == FRESH
    assert await setups.version_in_force() == 0
    assert setup_of(FRESH, parse) == Setup()


async def test_a_setup_is_kept_as_it_was_written(setups: SetupRepo, clock: StoppedClock) -> None:
    words = '# Bán hàng\n[defaults]\r\ncountry = "VN"\n'
    assert await setups.put(words, 0, "an") == 1
    clock.at_ms += 5
    assert await setups.put("two", 1, "binh") == 2
    two = StoredSetup(2, "two", "toml", NOW_MS + 5, "binh")
    assert await setups.current() == two
    assert await setups.version_in_force() == 2
    assert await setups.version(1) == StoredSetup(1, words, "toml", NOW_MS, "an")
    assert await setups.version(3) is None
    assert [row.version for row in await setups.history()] == [2, 1]
    assert await setups.history(1) == [two]
    assert [row.version for row in await setups.history(before=2)] == [1]
    assert setup_of(two, parse) == Setup(Defaults(country="two"), version=2)


async def test_a_bad_setup_does_not_get_in(setups: SetupRepo, database: Database) -> None:
    with pytest.raises(SetupError, match="setup:1: bad"):
        await setups.put(BAD, None, "an")
    assert await setups.current() == FRESH
    assert await audit.latest(database) == []


async def test_who_saw_an_older_version_is_told_so(setups: SetupRepo, database: Database) -> None:
    await setups.put("one", 0, "an")
    for seen in (0, 2):
        with pytest.raises(StaleSetupError) as caught:
            await setups.put("two", seen, "binh")
        assert (caught.value.seen, caught.value.current) == (seen, 1)
    assert (await setups.current()).text == "one"
    assert len(await audit.latest(database)) == 1
    assert await setups.put("two", None, "binh") == 2


async def test_of_two_authors_at_once_one_wins(url: str, clock: StoppedClock) -> None:
    databases = [Database(url) for _ in range(4)]
    repos = [SetupRepo(database, clock, parse) for database in databases]
    asked = [repo.put(f"text {n}", 0, f"author {n}") for n, repo in enumerate(repos)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [outcome for outcome in outcomes if outcome == 1] == [1]
    assert all(isinstance(outcome, StaleSetupError) for outcome in outcomes if outcome != 1)
    winner = outcomes.index(1)
    assert [(row.text, row.applied_by) for row in await repos[0].history()] == [(f"text {winner}", f"author {winner}")]
    assert [entry.who for entry in await audit.latest(databases[0])] == [f"author {winner}"]
    for database in databases:
        await database.close()


async def test_a_change_and_its_trace_are_one(setups: SetupRepo, database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(text("ALTER TABLE audit RENAME TO away"))
    with pytest.raises(LedgerError):
        await setups.put("one", 0, "an")
    assert await setups.current() == FRESH


async def test_every_change_leaves_a_trace(setups: SetupRepo, database: Database) -> None:
    await setups.put("secret = 'hunter2'", 0, "an")
    await setups.put("two", 1, "binh")
    async with database.writing() as connection:
        await audit.write(connection, NOW_MS, audit.Entry("chi", "call.hangup", "1.1", new="hung up"))
    found = await audit.latest(database)
    assert [(row.who, row.action, row.subject, row.old, row.new, row.at_ms) for row in found] == [
        ("chi", "call.hangup", "1.1", "", "hung up", NOW_MS),
        ("binh", "setup.put", "setup", "1", "2", NOW_MS),
        ("an", "setup.put", "setup", "0", "1", NOW_MS),
    ]
    assert await audit.latest(database, limit=1) == found[:1]
    assert await audit.latest(database, before=found[0].n) == found[1:]
    assert "hunter2" not in str(found)


@pytest.mark.parametrize("sql", ["UPDATE audit SET who = 'nobody'", "DELETE FROM audit"])
async def test_a_trace_cannot_be_altered(setups: SetupRepo, database: Database, sql: str) -> None:
    await setups.put("one", 0, "an")
    with pytest.raises(LedgerError, match="kept as they are"):
        async with database.writing() as connection:
            await connection.execute(text(sql))
    assert [row.who for row in await audit.latest(database)] == ["an"]


async def test_a_real_setup_comes_back_as_it_is_meant(database: Database, clock: StoppedClock) -> None:
    setups = SetupRepo(database, clock)
    words = '[[group]]\nname = "sales"\n[[blocked]]\nnumber = "0900000001"\n'
    with pytest.raises(SetupError, match="setup:1"):
        await setups.put("[[group", 0, "an")
    assert await setups.put(words, 0, "an") == 1
    loaded = await SqlLedger(database, clock).load()
    assert loaded.setup == replace(setup_file.parse(words), version=1)
    assert [row.name for row in loaded.setup.groups] == ["sales"]
