"""Forgetting in small bites, and never the number that counting goes on from."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from controller.store import retention
from controller.store.db import Database
from controller.store.history import History
from controller.store.ledger import SqlLedger
from tests.store.conftest import NOW_MS, StoppedClock
from tests.store.rows import an_end, lines, offered, said, turn

pytestmark = pytest.mark.store

DAY_MS = 86_400_000


@pytest_asyncio.fixture
async def ledger(database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqlLedger]:
    monkeypatch.setattr(retention, "PAUSE_S", 0.0)
    monkeypatch.setattr(retention, "BITE_ROWS", 10)
    found = SqlLedger(database, clock)
    yield found
    await found.close()


async def test_old_facts_go_and_young_ones_stay(ledger: SqlLedger, database: Database) -> None:
    old = [said(n, offered(), NOW_MS - 8 * DAY_MS + n) for n in range(1, 36)]
    young = [said(n, offered(), NOW_MS - 7 * DAY_MS) for n in range(36, 40)]
    await ledger.commit([turn(*old, *young)])
    assert await retention.prune_facts(database, NOW_MS, 7) == 35
    assert [row.seq for row in await History(database).facts(0)] == [36, 37, 38, 39]
    assert await retention.prune_facts(database, NOW_MS, 7) == 0


async def test_numbering_goes_on_although_everything_is_old(ledger: SqlLedger, database: Database) -> None:
    await ledger.commit([turn(*(said(n, offered(), n) for n in range(1, 21)))])
    assert await retention.prune_facts(database, NOW_MS, 7) == 19
    assert (await ledger.load()).last_seq == 20
    assert await retention.prune_facts(database, NOW_MS, 7) == 0


async def test_empty_books_have_nothing_to_forget(database: Database) -> None:
    assert await retention.prune_facts(database, NOW_MS, 0) == 0
    assert await retention.prune_stories(database, NOW_MS, 0) == 0


async def test_old_stories_go_and_the_record_of_the_call_stays(ledger: SqlLedger, database: Database) -> None:
    for n in range(25):
        await ledger.commit([turn(said(n + 1, an_end(f"1.{n}")), at_ms=n, stories=((f"1.{n}", lines()),))])
    await ledger.commit([turn(at_ms=NOW_MS, stories=(("1.99", lines("1.99")),))])
    assert await retention.prune_stories(database, NOW_MS, 30) == 25
    history = History(database)
    assert await history.story("1.3") == []
    assert await history.call("1.3") == an_end("1.3")
    assert len(await history.story("1.99")) == 3
