"""A start while the books can be read and not written goes on with what the life before owed them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import select

from controller import owed
from controller.arrears import Arrears
from controller.errors import LeadLostError
from controller.owed import Owed
from controller.ports import Loaded, Turn
from controller.spool import Spool
from controller.store import db
from controller.store.db import Database
from controller.store.history import History
from controller.store.ledger import SqlLedger
from controller.store.tables import facts
from tests.store.conftest import StoppedClock
from tests.store.rows import a_call, an_agent, an_end, gone, lines, offered, put, said, turn

pytestmark = pytest.mark.store
PATIENT_S = 30.0


class Meter:
    def commit(self, seconds: float, turns: int) -> None:
        """One commit took so long."""

    def degraded(self, on: bool, owed: int) -> None:
        """The books are late, or no longer."""


class Town:
    """Books, a folder of journals, and lives one after the other."""

    def __init__(self, url: str, folder: Path, clock: StoppedClock) -> None:
        self.database = Database(url)
        self.folder = folder
        self.clock = clock
        self.ledgers: list[SqlLedger] = []

    async def life(self) -> tuple[SqlLedger, Loaded, Spool]:
        """Begin as the daemon does."""
        ledger, arrears = self.opened()
        await arrears.hand_in()
        return ledger, *(await arrears.begin())

    def opened(self) -> tuple[SqlLedger, Arrears]:
        self.ledgers.append(SqlLedger(self.database, self.clock))
        return self.ledgers[-1], Arrears(self.folder, self.ledgers[-1])

    @contextmanager
    def locked(self) -> Iterator[None]:
        other = sqlite3.connect(str(self.database.url.database), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()

    async def numbers(self) -> list[int]:
        async with self.database.reading() as connection:
            return list((await connection.scalars(select(facts.c.seq).order_by(facts.c.seq))).all())

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest_asyncio.fixture
async def town(
    sqlite_url: str, tmp_path: Path, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Town]:
    monkeypatch.setattr(db, "PRAGMAS", ("PRAGMA busy_timeout=20", *db.PRAGMAS[1:]))
    monkeypatch.setattr(owed, "RETRY_S", 0.01)
    found = Town(sqlite_url, tmp_path, clock)
    yield found
    for ledger in found.ledgers:
        await ledger.close()
    await found.database.close()


OWED: tuple[Turn, ...] = (
    turn(said(2, offered("1.7.a1", call="1.7")), changes=put(a_call("1.7"), an_agent("binh", status="not_ready"))),
    turn(said(3, an_end("1.7")), changes=gone(a_call("1.7")), stories=(("1.7", lines(call="1.7")),)),
    turn(said(4, offered("1.8.a1", call="1.8")), changes=put(a_call("1.8"))),
)
LATER = turn(said(5, an_end("1.8")), changes=gone(a_call("1.8")))


async def _one_who_owed(town: Town) -> None:
    ledger, _, kept = await town.life()
    await ledger.commit(
        [turn(said(1, offered("1.1.a1", call="1.1")), changes=put(an_agent("binh", status="available")))]
    )
    kept.keep(OWED)
    kept.close()


async def _until(true: object) -> None:
    async with asyncio.timeout(PATIENT_S):
        while not true():  # type: ignore[operator]  # noqa: ASYNC110 - nobody calls back
            await asyncio.sleep(0.01)


async def test_a_start_while_the_books_are_locked_knows_all_that_was_said(town: Town) -> None:
    await _one_who_owed(town)
    with town.locked():
        ledger, loaded, kept = await town.life()
        assert loaded.last_seq == 4
        assert set(loaded.entities) == {an_agent("binh", status="not_ready"), a_call("1.8")}
        assert loaded.over[-1:] == ("1.7",)
        owing = Owed(ledger, Meter(), lambda: None, lambda _: None, kept)
        assert len(owing) == 3
        owing.owe([LATER])
        await owing.commit()
        await _until(lambda: owing.degraded)
        assert kept.read(0, 9) == [*OWED, LATER]
    await _until(lambda: not owing.degraded)
    assert await town.numbers() == [1, 2, 3, 4, 5]
    assert await History(town.database).call("1.8") == an_end("1.8")
    assert town.files() == []
    _, loaded, _ = await town.life()
    assert (loaded.last_seq, loaded.entities) == (5, (an_agent("binh", status="not_ready"),))


async def test_books_that_can_be_written_again_when_they_are_read(town: Town) -> None:
    """Taken over at once, what could not be handed in before would no longer count as a whole."""
    await _one_who_owed(town)
    ledger, arrears = town.opened()
    with town.locked():
        await arrears.hand_in()
    loaded, kept = await arrears.begin()
    assert (loaded.last_seq, kept.kept) == (4, 3)
    owing = Owed(ledger, Meter(), lambda: None, lambda _: None, kept)
    owing.owe([LATER])
    await owing.commit()
    await _until(lambda: not len(owing) and not owing.degraded)
    assert (await town.numbers(), town.files()) == ([1, 2, 3, 4, 5], [])


@pytest.mark.parametrize("starts", [1, 3])
async def test_it_may_end_in_its_turn_and_again_nothing_is_lost(town: Town, starts: int) -> None:
    await _one_who_owed(town)
    with town.locked():
        for n in range(starts):
            _, loaded, kept = await town.life()
            assert loaded.last_seq == 4 + n
            kept.keep([turn(said(5 + n, an_end(f"2.{n}")))])
            kept.close()
    _, loaded, _ = await town.life()
    assert await town.numbers() == list(range(1, 5 + starts))
    assert (loaded.last_seq, town.files()) == (4 + starts, [])


async def test_ended_after_its_first_commit_and_before_the_file_is_gone(town: Town) -> None:
    await _one_who_owed(town)
    with town.locked():
        ledger, _, kept = await town.life()
        kept.keep([LATER])
    await ledger.commit(OWED[:2])
    kept.close()
    _, loaded, _ = await town.life()
    assert (await town.numbers(), loaded.last_seq, town.files()) == ([1, 2, 3, 4, 5], 5, [])
    assert loaded.entities == (an_agent("binh", status="not_ready"),)


async def test_where_the_one_before_turns_out_to_live_nothing_of_ours_is_put_over_its_rows(town: Town) -> None:
    old, _, _ = await town.life()
    await old.commit([turn(said(1, offered()), changes=put(an_agent("binh", status="available")))])
    with town.locked():
        ledger, _, kept = await town.life()
        mine = [turn(said(n, an_end(f"3.{n}")), changes=put(an_agent("binh", status="offline"))) for n in (2, 3, 4)]
        kept.keep(mine)
    await old.commit([turn(said(2, an_end("1.5")), changes=put(an_agent("binh", status="not_ready")))])
    with pytest.raises(LeadLostError):
        await ledger.commit(mine)
    kept.close()
    _, loaded, _ = await town.life()
    assert loaded.entities == (an_agent("binh", status="not_ready"),)
    assert await town.numbers() == [1, 2]
    assert await History(town.database).call("3.2") == an_end("3.2"), "nobody else knows it"


async def test_a_torn_end_is_cut_off_before_anything_is_added(town: Town) -> None:
    await _one_who_owed(town)
    (path,) = town.folder.iterdir()
    with path.open("ab") as file:
        file.write(b"[170")
    with town.locked():
        _, loaded, kept = await town.life()
        kept.keep([LATER])
        kept.close()
    assert loaded.last_seq == 4
    _, loaded, _ = await town.life()
    assert (await town.numbers(), town.files()) == ([1, 2, 3, 4, 5], [])


async def test_a_file_that_cannot_be_read_to_its_end_is_not_gone_on_with(town: Town) -> None:
    await _one_who_owed(town)
    (path,) = town.folder.iterdir()
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"?\n" + b"".join(rest))
    with town.locked():
        _, loaded, kept = await town.life()
        assert (loaded.last_seq, kept.kept) == (1, 0)
