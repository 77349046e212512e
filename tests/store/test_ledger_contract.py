"""What every ledger promises the engine: SQLite, PostgreSQL and the one in memory that other tests use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio
from sqlalchemy import func, select

from controller.core.facts import CallEnded
from controller.core.model import Alert, HotlineState, Pbx, QueueDay, TrunkState
from controller.core.setup import Setup
from controller.errors import LeadLostError
from controller.ports import Deed, Line, Turn
from controller.store import audit
from controller.store.db import Database
from controller.store.history import History
from controller.store.ledger import SqlLedger
from controller.store.tables import facts
from tests.fakes.ledger import Books, FakeLedger
from tests.store.conftest import StoppedClock
from tests.store.rows import T0, a_call, an_agent, an_end, gone, lines, offered, put, said, turn

pytestmark = pytest.mark.store


@dataclass
class Ledgers:
    """A pair of books: `open` starts another controller on them, the rest looks at what is written."""

    open: Callable[[], FakeLedger | SqlLedger]
    fact_count: Callable[[], Awaitable[int]]
    call: Callable[[str], Awaitable[CallEnded | None]]
    story: Callable[[str], Awaitable[Sequence[Line]]]
    deeds: Callable[[], Awaitable[Sequence[tuple[str, ...]]]]


def _in_memory() -> Ledgers:
    books = Books()

    async def fact_count() -> int:
        return len(books.facts)

    async def call(name: str) -> CallEnded | None:
        return books.calls.get(name)

    async def story(name: str) -> Sequence[Line]:
        return books.story(name)

    async def deeds() -> Sequence[tuple[str, ...]]:
        return [(row.who, row.action, row.subject, row.old, row.new) for row in books.deeds.values()]

    return Ledgers(lambda: FakeLedger(books), fact_count, call, story, deeds)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> str:
    """The URL of the books; empty for those in memory."""
    return "" if request.param == "memory" else request.getfixturevalue(f"{request.param}_url")


@pytest_asyncio.fixture
async def ledgers(place: str, clock: StoppedClock) -> AsyncIterator[Ledgers]:
    if not place:
        yield _in_memory()
        return
    database = Database(place)
    opened: list[SqlLedger] = []

    def another() -> SqlLedger:
        opened.append(SqlLedger(database, clock))
        return opened[-1]

    async def fact_count() -> int:
        async with database.reading() as connection:
            return (await connection.execute(select(func.count()).select_from(facts))).scalar_one()

    history = History(database)

    async def deeds() -> Sequence[tuple[str, ...]]:
        rows = await audit.latest(database)
        return [(row.who, row.action, row.subject, row.old, row.new) for row in reversed(rows)]

    yield Ledgers(another, fact_count, history.call, history.story, deeds)
    for ledger in opened:
        await ledger.close()
    await database.close()


async def test_fresh_books_are_empty(ledgers: Ledgers) -> None:
    loaded = await ledgers.open().load()
    assert (loaded.setup, loaded.entities, loaded.last_seq, loaded.boot) == (Setup(), (), 0, "")
    assert loaded.quarantined == ()


async def test_what_was_written_is_there_after_a_restart(ledgers: Ledgers) -> None:
    rows = (
        a_call(prompt_until_ms=T0 + 5),
        an_agent(wrap_up_until_ms=T0 + 9, foreign=("PJSIP/an-1",)),
        TrunkState("viettel-1", live=("1.1", "1.2"), starts_ms=(T0,)),
        HotlineState("+842473001001", T0),
        Alert("1.1.answer_time", "answer_time", "1.1", "+842473001001", "sales", "", 20, T0),
        QueueDay("sales", "2026-11-22", queued=3),
        Pbx(boot="2026-11-22T10:00:00"),
    )
    await ledgers.open().commit([turn(said(7, offered()), changes=put(*rows))])
    loaded = await ledgers.open().load()
    assert set(loaded.entities) == set(rows)
    assert (loaded.last_seq, loaded.boot, loaded.quarantined) == (7, "2026-11-22T10:00:00", ())


async def test_of_several_changes_in_one_commit_the_last_counts(ledgers: Ledgers) -> None:
    call, agent = a_call(), an_agent()
    await ledgers.open().commit(
        [
            turn(changes=put(call, agent)),
            turn(changes=put(replace(call, queue="sales"))),
            turn(changes=gone(agent)),
            turn(changes=put(replace(call, queue="support"))),
        ]
    )
    assert (await ledgers.open().load()).entities == (replace(call, queue="support"),)


async def test_a_row_can_go_and_come_back(ledgers: Ledgers) -> None:
    ledger, call = ledgers.open(), a_call()
    await ledger.commit([turn(changes=put(call))])
    await ledger.commit([turn(changes=gone(call))])
    assert (await ledger.load()).entities == ()
    await ledger.commit([turn(changes=gone(call)), turn(changes=put(call))])
    assert (await ledgers.open().load()).entities == (call,)


async def test_the_calls_that_ended_last_are_known_at_the_next_start(ledgers: Ledgers) -> None:
    first, second = an_end(), replace(an_end(), call="1.9", arrived_at_ms=T0 + 60_000, ended_at_ms=T0 + 61_000)
    await ledgers.open().commit([turn(said(1, first)), turn(said(2, second), changes=gone(a_call()))])
    assert (await ledgers.open().load()).over == (first.call, "1.9")


async def test_a_turn_written_twice_stands_there_once(ledgers: Ledgers) -> None:
    end = an_end()
    owed = [
        turn(said(1, offered()), changes=put(a_call())),
        turn(said(2, end), changes=gone(a_call()), stories=((end.call, lines()),)),
    ]
    ledger = ledgers.open()
    await ledger.commit(owed)
    await ledger.commit(owed)
    assert await ledgers.fact_count() == 2
    assert await ledgers.call(end.call) == end
    assert list(await ledgers.story(end.call)) == list(lines())
    assert (await ledgers.open().load()).entities == ()


async def test_an_audit_row_is_written_with_its_turn_and_once(ledgers: Ledgers) -> None:
    ledger = ledgers.open()
    rest = Deed("chi", "wrap-up.end", "an", "9 s left", "", "life.1")
    status = Deed("chi", "agent.status", "an", "offline", "available", "life.2")
    await ledger.commit([turn(changes=put(an_agent(status="available")), deeds=(rest,))])
    await ledger.commit([turn(deeds=(rest,)), turn(deeds=(status,))])
    assert await ledgers.deeds() == [
        ("chi", "wrap-up.end", "an", "9 s left", ""),
        ("chi", "agent.status", "an", "offline", "available"),
    ]


async def test_the_first_record_of_a_call_is_kept(ledgers: Ledgers) -> None:
    ledger, end = ledgers.open(), an_end()
    await ledger.commit([turn(said(1, end))])
    await ledger.commit([turn(said(2, replace(end, result="missed")))])
    found = await ledgers.call(end.call)
    assert found is not None
    assert found.result == "answered"


async def test_a_story_told_in_parts_is_read_as_one(ledgers: Ledgers) -> None:
    ledger, call = ledgers.open(), "1700000000.1"
    await ledger.commit([turn(stories=((call, lines(count=2)),))])
    await ledger.commit([turn(at_ms=T0 + 10, stories=((call, lines(count=2, start=2)),))])
    assert list(await ledgers.story(call)) == list(lines(count=4))


async def test_an_empty_commit_does_no_harm(ledgers: Ledgers) -> None:
    ledger = ledgers.open()
    await ledger.commit([])
    await ledger.commit([turn()])
    assert (await ledgers.open().load()).entities == ()


async def test_whoever_loads_last_leads(ledgers: Ledgers) -> None:
    old, new = ledgers.open(), ledgers.open()
    await old.commit([turn(changes=put(an_agent("an", status="available")))])
    assert (await new.load()).entities == (an_agent("an", status="available"),)
    with pytest.raises(LeadLostError):
        await old.commit([turn(said(1, offered()), changes=put(an_agent("an", status="not_ready")))])
    await new.commit([turn(changes=put(an_agent("an", status="offline")))])
    for _ in range(2):
        with pytest.raises(LeadLostError):
            await old.commit([turn(said(1, offered()), changes=put(an_agent("an", status="available")))])
    await new.commit([turn(said(1, offered()))])
    assert (await ledgers.open().load()).entities == (an_agent("an", status="offline"),)
    assert await ledgers.fact_count() == 1


# -- what an earlier life owed -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Owing:
    """What a life that is over left; it can be read again."""

    holder: str
    left: tuple[Turn, ...]

    def turns(self) -> tuple[Turn, ...]:
        return self.left


def _begun_and_ended(name: str, seq: int) -> tuple[Turn, ...]:
    """A call as it comes and goes, with its story, while somebody changes an agent by hand."""
    deed = Deed("chi", "agent.status", "binh", "offline", "available", f"life.{name}")
    return (
        turn(
            said(seq, offered(f"{name}.a1", call=name)),
            changes=put(a_call(name), an_agent("binh", status="available")),
            deeds=(deed,),
        ),
        turn(said(seq + 1, an_end(name)), changes=gone(a_call(name)), stories=((name, lines(call=name)),)),
    )


async def test_what_the_last_leader_owed_is_written_as_if_it_had_never_been_late(ledgers: Ledgers) -> None:
    old = ledgers.open()
    await old.load()
    await old.commit([turn(said(1, offered()), changes=put(a_call()))])
    ended = turn(said(2, an_end()), changes=gone(a_call()))
    owing = Owing(old.holder, (ended, *_begun_and_ended("1.7", 3)))
    new = ledgers.open()
    for _ in range(2):
        assert await new.settle(owing), "and once more, should we die before the file is gone"
    loaded = await new.load()
    assert (loaded.last_seq, loaded.entities) == (4, (an_agent("binh", status="available"),))
    assert await ledgers.call(an_end().call) == an_end()
    assert await ledgers.call("1.7") == an_end("1.7")
    assert list(await ledgers.story("1.7")) == list(lines(call="1.7"))
    assert len(await ledgers.deeds()) == 1
    assert await ledgers.fact_count() == 4


async def test_of_a_life_that_was_followed_only_calls_nobody_else_knows_are_written(ledgers: Ledgers) -> None:
    """The one that led next went on from older rows: its calls and the numbers of its facts are its own."""
    old, new = ledgers.open(), ledgers.open()
    await old.load()
    await old.commit([turn(said(1, offered("1.1")), changes=put(a_call("1.1"), a_call("1.2")))])
    await new.load()
    found_lost = replace(an_end("1.1"), result="lost")
    await new.commit([turn(said(2, found_lost), changes=gone(a_call("1.1")))])
    both = (turn(said(2, an_end("1.1")), said(3, an_end("1.2")), changes=(*gone(a_call("1.1")), *gone(a_call("1.2")))),)
    owing = Owing(old.holder, (*both, *_begun_and_ended("1.7", 4)))
    for _ in range(2):
        assert not await ledgers.open().settle(owing)
    assert await ledgers.call("1.1") == found_lost, "ended by the new leader"
    assert await ledgers.call("1.2") is None, "it goes on"
    assert await ledgers.call("1.7") == an_end("1.7")
    assert list(await ledgers.story("1.7")) == list(lines(call="1.7"))
    assert len(await ledgers.deeds()) == 1
    await new.commit([turn(said(3, an_end("1.2")), changes=gone(a_call("1.2")))])
    assert await ledgers.call("1.2") == an_end("1.2")
    loaded = await ledgers.open().load()
    assert (loaded.entities, loaded.last_seq, await ledgers.fact_count()) == ((), 3, 3)


async def test_a_life_that_never_led_settles_and_leaves_the_lead_where_it_is(ledgers: Ledgers) -> None:
    leader = ledgers.open()
    await leader.load()
    assert not await ledgers.open().settle(Owing("nobody", _begun_and_ended("1.7", 1)))
    await leader.commit([turn(said(1, offered()), changes=put(a_call()))])
    assert await ledgers.call("1.7") == an_end("1.7")


async def test_books_that_go_on_after_what_is_handed_in_keep_their_rows(ledgers: Ledgers) -> None:
    """Its life could not take the file away, and wrote on: older rows may not come over newer ones."""
    old = ledgers.open()
    await old.load()
    left = (turn(said(1, offered("1.1")), changes=put(an_agent("binh", status="available"))),)
    await old.commit([*left, turn(said(2, offered("1.2")), changes=put(an_agent("binh", status="not_ready")))])
    new = ledgers.open()
    assert not await new.settle(Owing(old.holder, left))
    assert (await new.load()).entities == (an_agent("binh", status="not_ready"),)


async def test_books_keep_their_name(ledgers: Ledgers) -> None:
    first, second = ledgers.open(), ledgers.open()
    name = await first.name_of_books()
    assert name
    assert [await row.name_of_books() for row in (second, first, ledgers.open())] == [name] * 3
