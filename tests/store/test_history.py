"""The history for reading: filters, pages that neither repeat nor hide, figures of a queue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from controller.core.facts import CallEnded
from controller.core.model import Alert
from controller.store.db import Database
from controller.store.history import History, Key, OfferRow, QueueFigures
from controller.store.ledger import SqlLedger
from tests.store.conftest import StoppedClock
from tests.store.rows import (
    T0,
    an_end,
    answered,
    cleared,
    lines,
    offer_ended,
    offered,
    raised,
    said,
    turn,
)

pytestmark = pytest.mark.store


@dataclass(frozen=True)
class Wanted:
    hotline: str = ""
    queue: str = ""
    agent: str = ""
    callers: tuple[str, ...] = ()
    result: str = ""
    direction: str = ""
    since_ms: int | None = None
    until_ms: int | None = None


@pytest_asyncio.fixture
async def ledger(database: Database, clock: StoppedClock) -> AsyncIterator[SqlLedger]:
    found = SqlLedger(database, clock)
    yield found
    await found.close()


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


async def _end(ledger: SqlLedger, *ends: CallEnded, first: int = 1) -> None:
    await ledger.commit([turn(*(said(first + n, end) for n, end in enumerate(ends)))])


async def test_one_call(ledger: SqlLedger, history: History) -> None:
    lost = an_end("1.2", queued_at_ms=None, answered_at_ms=None, agent="", result="stopped_at_menu")
    await _end(ledger, an_end("1.1"), lost)
    assert await history.call("1.1") == an_end("1.1")
    assert await history.call("1.2") == lost
    assert await history.call("1.3") is None


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["1.6", "1.5", "1.4", "1.3", "1.2", "1.1"]),
    ({"hotline": "+842473001002"}, ["1.2"]),
    ({"queue": "support"}, ["1.3"]),
    ({"agent": "binh"}, ["1.4"]),
    ({"callers": ("0911", "+84911")}, ["1.5", "1.1"]),
    ({"result": "missed"}, ["1.6"]),
    ({"direction": "outbound"}, ["1.6"]),
    ({"since_ms": T0 + 3}, ["1.6", "1.5", "1.4", "1.3"]),
    ({"until_ms": T0 + 3}, ["1.2", "1.1"]),
    ({"since_ms": T0 + 2, "until_ms": T0 + 5, "queue": "sales"}, ["1.4", "1.2"]),
    ({"hotline": "' OR 1=1 --"}, []),
]


@pytest.mark.parametrize(("wanted", "names"), FILTERS)
async def test_filters(ledger: SqlLedger, history: History, wanted: dict[str, Any], names: list[str]) -> None:
    await _end(
        ledger,
        an_end("1.1", T0 + 1, caller="+84911"),
        an_end("1.2", T0 + 2, hotline="+842473001002"),
        an_end("1.3", T0 + 3, queue="support"),
        an_end("1.4", T0 + 4, agent="binh"),
        an_end("1.5", T0 + 5, caller="0911"),
        an_end("1.6", T0 + 6, direction="outbound", result="missed"),
    )
    assert [row.call for row in await history.calls(Wanted(**wanted))] == names


async def test_what_no_database_takes_is_simply_not_found(ledger: SqlLedger, history: History) -> None:
    await ledger.commit([turn(said(1, an_end("1.1")), said(2, raised()))])
    torn, far = "1.1\x00\ud800", 2**80
    assert await history.call(torn) is None
    assert await history.story(torn) == []
    assert await history.offers(torn) == []
    assert await history.calls(Wanted(queue=torn)) == []
    assert await history.calls(Wanted(callers=(torn,))) == []
    assert await history.calls(Wanted(since_ms=far)) == []
    assert await history.calls(Wanted(until_ms=-far)) == []
    assert await history.facts(far) == []
    assert len(await history.calls(Wanted(), before=(far, torn))) == 1
    assert len(await history.alerts(before=(far, torn))) == 1


async def test_pages_neither_repeat_nor_hide_while_calls_go_on_ending(ledger: SqlLedger, history: History) -> None:
    # Several calls a millisecond: only the id tells them apart.
    await _end(ledger, *(an_end(f"c{n:03}", T0 + n // 4) for n in range(100)))
    seen: list[str] = []
    before: Key | None = None
    while page := await history.calls(Wanted(), before=before, limit=7):
        seen += [row.call for row in page]
        before = (page[-1].arrived_at_ms, page[-1].call)
        late = len(seen)
        await _end(ledger, an_end(f"late{late}", T0 + 1_000 + late), first=1_000 + late)
    assert seen == [f"c{n:03}" for n in reversed(range(100))]


async def test_a_page_has_a_longest_length(ledger: SqlLedger, history: History) -> None:
    await _end(ledger, *(an_end(f"c{n}", T0 + n) for n in range(1_005)))
    assert len(await history.calls(Wanted(), limit=1_000_000)) == 1_000


async def test_offers_tell_what_became_of_them(ledger: SqlLedger, history: History) -> None:
    call = "1700000000.1"
    await ledger.commit([turn(said(1, offered("l1", "an")))])
    assert await history.offers(call) == [OfferRow("l1", call, "sales", "an", "longest-idle", T0 + 1, None, "")]
    await ledger.commit(
        [turn(said(2_001, offer_ended("l1", "an", "no_answer", 2_000)), said(2_002, offered("l2", "an")))]
    )
    await ledger.commit([turn(said(2_003, offered("l3", "binh")))])
    await ledger.commit([turn(said(3_000, answered("an")), said(3_001, offer_ended("l3", "binh", "cancelled", 998)))])
    assert await history.offers(call) == [
        OfferRow("l1", call, "sales", "an", "longest-idle", T0 + 1, T0 + 2_001, "no_answer"),
        OfferRow("l2", call, "sales", "an", "longest-idle", T0 + 2_002, T0 + 3_000, "answered"),
        OfferRow("l3", call, "sales", "binh", "longest-idle", T0 + 2_003, T0 + 3_001, "cancelled"),
    ]
    assert await history.offers("1.1") == []


async def test_an_offer_whose_beginning_was_lost_is_told_by_its_end(ledger: SqlLedger, history: History) -> None:
    call = "1700000000.1"
    await ledger.commit([turn(said(5_000, offer_ended("l1", "an", "lost", 4_000)))])
    assert await history.offers(call) == [OfferRow("l1", call, "sales", "an", "", T0 + 1_000, T0 + 5_000, "lost")]


async def test_an_answer_marks_no_later_offer(ledger: SqlLedger, history: History) -> None:
    call = "1700000000.1"
    owed = [turn(said(1, offered("l1")), said(2, answered())), turn(said(9, offered("l2")))]
    await ledger.commit(owed)
    await ledger.commit(owed)
    assert [(row.leg, row.outcome) for row in await history.offers(call)] == [("l1", "answered"), ("l2", "")]


async def test_a_story_is_read_line_by_line(ledger: SqlLedger, history: History) -> None:
    await ledger.commit([turn(stories=(("1.1", lines("1.1", 200)),))])
    assert list(await history.story("1.1")) == list(lines("1.1", 200))
    assert await history.story("1.2") == []


async def test_alerts_open_and_all(ledger: SqlLedger, history: History) -> None:
    await ledger.commit([turn(said(n, raised(f"1.{n}"))) for n in range(1, 6)])
    await ledger.commit([turn(said(10, cleared("1.2")), said(11, cleared("1.4")), said(12, cleared("9.9")))])
    await ledger.commit([turn(said(20, cleared("1.2")))])
    first = await history.alerts(limit=3)
    assert [row.id for row in first] == [f"1.{n}.answer_time" for n in (5, 4, 3)]
    assert first[1] == Alert("1.4.answer_time", "answer_time", "1.4", "+842473001001", "sales", "", 20, T0 + 4, T0 + 11)
    rest = await history.alerts(before=(first[-1].raised_at_ms, first[-1].id))
    assert [(row.id, row.cleared_at_ms) for row in rest] == [("1.2.answer_time", T0 + 10), ("1.1.answer_time", None)]
    assert [row.call for row in await history.alerts(open_only=True)] == ["1.5", "1.3", "1.1"]


async def test_facts_go_on_after_a_number(ledger: SqlLedger, history: History, database: Database) -> None:
    await ledger.commit([turn(said(n, offered(f"l{n}"))) for n in range(1, 8)])
    async with database.writing() as connection:
        await connection.execute(text('UPDATE facts SET body = \'{"type":"Tomorrow"}\' WHERE seq = 5'))
        await connection.execute(text("UPDATE facts SET body = '{torn' WHERE seq = 6"))
    assert await history.facts(2) == [said(3, offered("l3")), said(4, offered("l4")), said(7, offered("l7"))]
    assert [row.seq for row in await history.facts(0, limit=2)] == [1, 2]
    assert await history.facts(7) == []


async def test_figures_of_a_queue(ledger: SqlLedger, history: History) -> None:
    quick = an_end("1.1", T0)
    slow = an_end("1.2", T0 + 1, answered_at_ms=T0 + 40_001, offers=3)
    missed = an_end("1.3", T0 + 2, answered_at_ms=None, agent="", result="missed", offers=0)
    menu = an_end("1.4", T0 + 3, queue="", queued_at_ms=None, answered_at_ms=None, result="stopped_at_menu")
    other = an_end("1.5", T0 + 4, queue="support")
    later = an_end("1.6", T0 + 5)
    await _end(ledger, quick, slow, missed, menu, other, later)
    found = await history.queue_figures(T0, T0 + 5, {"sales": 20})
    assert found == {
        "sales": QueueFigures("sales", 3, answered=2, missed=1, answered_in_sla=1, wait_sum_ms=43_000, offered=4),
        "support": QueueFigures("support", 1, answered=1, answered_in_sla=0, wait_sum_ms=4_000, offered=1),
    }
    assert (await history.queue_figures(T0, T0 + 6))["sales"] == replace(
        found["sales"], queued=4, answered=3, answered_in_sla=0, wait_sum_ms=47_000, offered=5
    )
    assert await history.queue_figures(T0 + 9, T0 + 10) == {}
