"""What is kept on disk while the books are away, and how it comes onto them when its life is over."""

from __future__ import annotations

import asyncio
import fcntl
import io
import multiprocessing
import os
import signal
import stat
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller import owed, spool
from controller.arrears import Arrears
from controller.errors import LeadLostError, LedgerError
from controller.owed import Owed
from controller.ports import Deed, Turn
from controller.spool import Left, Spool
from tests.fakes.ledger import Books, FakeLedger
from tests.store.rows import a_call, an_agent, an_end, gone, lines, offered, put, said, turn

pytestmark = pytest.mark.pure

PATIENT_S = 20.0


def some(first: int, many: int) -> list[Turn]:
    """Turns with all that a turn can hold."""
    deed = Deed("chị", "agent.status", "an", "offline", "available", "life.1")
    return [
        turn(
            said(n, offered(f"1.{n}.a1", call=f"1.{n}")),
            changes=(*put(a_call(f"1.{n}", caller_name="Trần \ud800\u2028x")), *gone(an_agent("binh"))),
            stories=((f"1.{n}", lines(call=f"1.{n}")),),
            deeds=(deed,),
        )
        for n in range(first, first + many)
    ]


def ends(first: int, many: int) -> list[Turn]:
    return [
        turn(said(n, an_end(f"1.{n}")), stories=((f"1.{n}", lines(call=f"1.{n}")),)) for n in range(first, first + many)
    ]


def found(folder: Path, books: str = "books") -> list[Left]:
    rows = list(spool.left(folder, books))
    for row in rows:
        row.close()
    return rows


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def turns_of(folder: Path, books: str = "books") -> list[Turn]:
    kept = []
    for left in spool.left(folder, books):
        with closing(left):
            kept.extend(left.turns())
    return kept


# -- the file ----------------------------------------------------------------------------------------------------------


def test_turns_come_back_as_they_were_and_the_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    kept = Spool(tmp_path / "journal", "books", "life")
    kept.keep(some(1, 3))
    kept.keep(some(4, 2))
    kept.close()
    (path,) = (tmp_path / "journal").iterdir()
    assert path.name == "books.life.owed"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert turns_of(tmp_path / "journal") == some(1, 5)
    assert kept.failures == 0


def test_what_is_on_the_books_leaves_no_file(tmp_path: Path) -> None:
    kept = Spool(tmp_path, "books", "life")
    kept.keep(some(1, 3))
    kept.clear()
    assert names(tmp_path) == []
    kept.keep(some(9, 1))
    kept.close()
    assert turns_of(tmp_path) == some(9, 1)


def test_turns_can_be_read_again_in_any_stretch(tmp_path: Path) -> None:
    kept = Spool(tmp_path, "books", "life")
    kept.keep(some(0, 20))
    assert kept.read(0, 7) == some(0, 7)
    assert kept.read(7, 7) == some(7, 7)
    kept.keep(some(20, 5))
    assert kept.read(14, 99) == some(14, 11)
    assert kept.read(3, 2) == some(3, 2)
    assert kept.read(25, 1) == []
    kept.close()


def test_what_a_life_still_adds_to_is_nobody_else_s(tmp_path: Path) -> None:
    kept = Spool(tmp_path, "books", "life")
    kept.keep(some(1, 1))
    assert found(tmp_path) == []
    kept.close()
    assert [row.holder for row in found(tmp_path)] == ["life"]
    assert found(tmp_path, "other") == [], "of other books"


def test_a_torn_last_line_is_left_out_and_what_cannot_be_read_is_put_aside(tmp_path: Path) -> None:
    kept = Spool(tmp_path, "books", "life")
    kept.keep(some(1, 3))
    kept.close()
    path = tmp_path / "books.life.owed"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    for left in spool.left(tmp_path, "books"):
        with closing(left):
            assert list(left.turns()) == some(1, 2)
            assert (left.read, left.unread) == (2, 0)
            left.done()
    assert names(tmp_path) == []
    first, second, third = whole.splitlines(keepends=True)
    path.write_bytes(first + second.replace(b"CallOffered", b"CallOfTomorrow") + third)
    for left in spool.left(tmp_path, "books"):
        with closing(left):
            assert list(left.turns()) == some(1, 1)
            assert (left.read, left.unread) == (1, 2)
            left.done()
    assert names(tmp_path) == ["books.life.unread"]
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b"[1,2,3,4,5]", b'[1,[["call","1"]],[],[],[]]', b"\xff", b"[" * 9000]
)
def test_no_line_breaks_a_start(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "books.life.owed").write_bytes(line + b"\n")
    (left,) = spool.left(tmp_path, "books")
    with closing(left):
        assert list(left.turns()) == []
        assert left.unread == 1


def test_a_full_disk_costs_the_spool_and_leaves_no_gap(tmp_path: Path) -> None:
    """What would stand behind a gap was decided on a state nobody could come back to."""
    kept = Spool(tmp_path, "books", "life")
    kept.keep(some(1, 2))

    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            super().write(bytes(data)[:9])
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            super().close()
            raise OSError(28, "No space left on device")

    kept.close()
    kept._file = Full(tmp_path / "books.life.owed", "a+")
    fcntl.flock(kept._file, fcntl.LOCK_EX)
    kept.keep(some(3, 1))
    kept.keep(some(4, 1))
    assert (kept.kept, kept.failures) == (2, 1)
    whole = (tmp_path / "books.life.owed").read_bytes()
    assert (whole.count(b"\n"), whole[-1:]) == (2, b"\n"), "half a turn is taken away again"
    assert found(tmp_path) == [], "its life goes on: nobody else hands it in"
    assert kept.read(0, 9) == some(1, 2)
    kept.clear()
    kept.keep(some(5, 1))
    kept.close()
    assert turns_of(tmp_path) == some(5, 1)


def test_a_file_that_cannot_be_taken_away_is_emptied_or_stays_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Handed in later it would put older rows over newer ones."""

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    kept = Spool(tmp_path, "books", "life")
    kept.keep(some(1, 2))
    monkeypatch.setattr(Path, "unlink", refuse)
    kept.clear()
    assert (found(tmp_path), (tmp_path / "books.life.owed").read_bytes()) == ([], b"")
    kept.keep(some(3, 1))
    assert kept.read(0, 9) == some(3, 1)
    monkeypatch.setattr(os, "truncate", refuse)
    kept.clear()
    kept.keep(some(4, 1))
    assert kept.failures == 1
    assert found(tmp_path) == []
    monkeypatch.undo()
    kept.clear()
    kept.keep(some(5, 1))
    kept.close()
    assert turns_of(tmp_path) == some(5, 1)


def test_a_file_that_is_just_being_begun_or_has_just_gone_is_nobody_s(tmp_path: Path) -> None:
    (tmp_path / "books.life.owed").touch()
    assert found(tmp_path) == []
    kept = Spool(tmp_path, "books", "life")
    kept.keep(some(1, 1))
    with (tmp_path / "books.life.owed").open("rb") as opened:
        kept.clear()
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert os.fstat(opened.fileno()).st_nlink == 0, "what `left` looks at"


def test_a_file_that_cannot_be_had_keeps_nobody_from_the_others(tmp_path: Path) -> None:
    (tmp_path / "books.a.owed").mkdir()
    (tmp_path / "books.a.owed" / "something").touch()
    kept = Spool(tmp_path, "books", "b")
    kept.keep(some(1, 1))
    kept.close()
    refused: list[OSError] = []
    rows = list(spool.left(tmp_path, "books", refused.append))
    assert [row.holder for row in rows] == ["b"]
    rows[0].close()
    assert [type(error) for error in refused] == [IsADirectoryError]


def test_a_line_that_cannot_be_read_costs_itself_and_puts_the_file_aside(tmp_path: Path) -> None:
    kept = Spool(tmp_path, "books", "life")
    kept.keep(some(1, 3))
    path = tmp_path / "books.life.owed"
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"#" * (len(second) - 1) + b"\n" + third)
    assert kept.read(0, 9) == [*some(1, 1), None, *some(3, 1)]
    kept.clear()
    assert names(tmp_path) == ["books.life.unread"]


def test_without_a_folder_nothing_is_kept() -> None:
    kept = Spool(None)
    kept.keep(some(1, 2))
    assert (kept.kept, kept.read(0, 5)) == (0, [])
    kept.clear()
    kept.close()


# -- turns that are owed -----------------------------------------------------------------------------------------------


class Meter:
    def commit(self, seconds: float, turns: int) -> None:
        """One commit took so long."""

    def degraded(self, on: bool, owed: int) -> None:
        """The books are late, or no longer."""


class Away(FakeLedger):
    """Books that fail while they are away; `spool` is looked at before each commit."""

    def __init__(self, books: Books, kept: Spool | None = None) -> None:
        super().__init__(books)
        self.away = True
        self.lead_lost = False
        self.kept = kept
        self.late: list[Turn] = []

    async def commit(self, turns: Sequence[Turn]) -> None:
        if self.lead_lost:
            raise LeadLostError("another leads")
        if self.away:
            raise LedgerError("the books are away")
        self.late += [row for row in turns if self.kept is not None and row not in self.kept.read(0, 10**6)]
        await super().commit(turns)


def debts(ledger: FakeLedger, kept: Spool) -> Owed:
    return Owed(ledger, Meter(), lambda: None, lambda _: None, kept)


async def in_debt(ledger: FakeLedger, kept: Spool, turns: Sequence[Turn]) -> Owed:
    """These turns are owed, and the books are known to be late."""
    owing = debts(ledger, kept)
    owing.owe(turns)
    await owing.commit()
    await until(lambda: owing.degraded)
    return owing


async def until(true: Any) -> None:
    async with asyncio.timeout(PATIENT_S):
        while not true():  # noqa: ASYNC110 - nobody calls back
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owed, "RETRY_S", 0.01)


async def test_while_the_books_are_away_all_that_is_owed_stands_on_disk_before_it_is_said(tmp_path: Path) -> None:
    kept = Spool(tmp_path, "books", "life")
    ledger = Away(Books())
    owing = debts(ledger, kept)
    for n in range(5):
        owing.owe(some(n, 1))
        await owing.commit()
        await until(lambda: owing.degraded)
        assert kept.read(0, 99) == some(0, n + 1)
    ledger.away = False
    await until(lambda: not owing.degraded)
    assert list(ledger.books.facts) == list(range(5))
    assert names(tmp_path) == []


async def test_nothing_is_written_that_the_disk_does_not_hold_while_the_books_are_late(tmp_path: Path) -> None:
    """Handed in after a crash the spool may not end before the books do: older rows would come over newer ones."""
    kept = Spool(tmp_path, "books", "life")
    ledger = Away(Books(), kept)
    owing = await in_debt(ledger, kept, some(0, 1))
    ledger.away = False
    owing.owe(some(1, 1))  # not committed by the engine yet
    await until(lambda: not owing.degraded)
    assert sorted(ledger.books.facts) == [0, 1]
    assert ledger.late == []


async def test_more_than_memory_holds_is_written_from_the_disk_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owed, "OWED_MAX", 10)
    monkeypatch.setattr(owed, "SPOOLED_TURNS", 7)
    kept = Spool(tmp_path, "books", "life")
    ledger = Away(Books())
    owing = await in_debt(ledger, kept, some(0, 3))
    for n in range(3, 60):
        owing.owe(some(n, 1))
        await owing.commit()
    assert (len(owing), owing.lost) == (60, 0)
    ledger.away = False
    await until(lambda: not owing.degraded)
    assert list(ledger.books.facts) == list(range(60)), "each once, in order"
    assert (len(owing), owing.lost) == (0, 0)
    owing.owe(some(60, 1))
    await owing.commit()
    assert list(ledger.books.facts) == list(range(61))


async def test_where_the_disk_fails_the_oldest_are_lost_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owed, "OWED_MAX", 10)
    kept = Spool(tmp_path, "books", "life")
    ledger = Away(Books())
    owing = await in_debt(ledger, kept, some(0, 12))
    kept._fail()
    for n in range(12, 40):
        owing.owe(some(n, 1))
        await owing.commit()
    assert (len(owing), owing.lost) == (22, 18)
    ledger.away = False
    await until(lambda: not owing.degraded)
    assert list(ledger.books.facts) == [*range(12), *range(30, 40)]


async def test_who_closes_without_its_books_leaves_all_it_owes(tmp_path: Path) -> None:
    for name, lead_lost in (("cut", False), ("fenced", True)):
        kept = Spool(tmp_path, name, "life")
        ledger = Away(Books())
        ledger.lead_lost = lead_lost
        owing = debts(ledger, kept)
        owing.owe(some(0, 4))
        await owing.close(0.05)
        assert turns_of(tmp_path, name) == some(0, 4)


class Watched(Away):
    """Before each commit: whatever file there is holds all that is written, or its rows come over newer ones."""

    def __init__(self, books: Books, folder: Path) -> None:
        super().__init__(books)
        self.folder = folder
        self.seen: list[bool] = []

    async def commit(self, turns: Sequence[Turn]) -> None:
        if not self.away:
            stand = [spool.loads(line) for path in self.folder.iterdir() for line in path.read_text().splitlines()]
            self.seen.append(not stand or all(row in stand for row in turns))
        await super().commit(turns)


async def test_where_the_disk_failed_what_it_holds_is_written_first_and_taken_away(tmp_path: Path) -> None:
    kept = Spool(tmp_path, "books", "life")
    ledger = Watched(Books(), tmp_path)
    owing = await in_debt(ledger, kept, some(0, 4))
    kept._fail()
    owing.owe(some(4, 3))
    await owing.commit()
    assert kept.kept == 4
    ledger.away = False
    await until(lambda: not owing.degraded)
    assert list(ledger.books.facts) == list(range(7))
    assert (ledger.seen, owing.lost) == ([True, True], 0)
    assert names(tmp_path) == []


async def test_more_at_once_than_memory_holds_while_the_books_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owed, "OWED_MAX", 10)
    ledger = Watched(Books(), tmp_path)
    ledger.away = False
    owing = debts(ledger, Spool(tmp_path, "books", "life"))
    owing.owe(some(0, 25))
    owing.owe(some(25, 3))
    await owing.commit()
    await until(lambda: not len(owing))
    assert list(ledger.books.facts) == list(range(28))
    assert all(ledger.seen)
    assert names(tmp_path) == []


class Moody(Spool):
    """A spool that cannot be read so many times."""

    moods = 0

    def read(self, first: int, many: int) -> Sequence[Turn | None]:
        if self.moods:
            self.moods -= 1
            raise OSError(24, "Too many open files")
        return super().read(first, many)


@pytest.mark.parametrize(("moods", "lost"), [(owed.READ_TRIES - 1, 0), (10**6, 30)])
async def test_a_spool_that_cannot_be_read_is_asked_again_before_it_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moods: int, lost: int
) -> None:
    monkeypatch.setattr(owed, "OWED_MAX", 10)
    kept = Moody(tmp_path, "books", "life")
    ledger = Watched(Books(), tmp_path)
    owing = await in_debt(ledger, kept, some(0, 1))
    owing.owe(some(1, 39))
    kept.moods = moods
    ledger.away = False
    await until(lambda: not owing.degraded)
    assert list(ledger.books.facts) == list(range(lost, 40))
    assert owing.lost == lost
    assert names(tmp_path) == (["books.life.unread"] if lost else [])


# -- handing in --------------------------------------------------------------------------------------------------------


def _owe_and_die(folder: str, books: str, holder: str) -> None:
    kept = Spool(Path(folder), books, holder)
    kept.keep(ends(1, 3))
    os.kill(os.getpid(), signal.SIGKILL)


async def test_what_a_killed_life_owed_is_on_the_books_after_the_next_start(tmp_path: Path) -> None:
    books = Books()
    old = FakeLedger(books)
    await old.load()
    process = multiprocessing.get_context("spawn").Process(
        target=_owe_and_die, args=(str(tmp_path), books.name, old.holder)
    )
    process.start()
    await asyncio.to_thread(process.join)
    assert process.exitcode == -signal.SIGKILL
    await Arrears(tmp_path, FakeLedger(books)).hand_in()  # type: ignore[arg-type]  # it passes the same contract
    assert list(books.calls) == ["1.1", "1.2", "1.3"]
    assert list(books.facts) == [1, 2, 3]
    assert names(tmp_path) == []


async def test_what_cannot_be_written_stays_for_the_next_who_looks(tmp_path: Path) -> None:
    books = Books()
    kept = Spool(tmp_path, books.name, "life")
    kept.keep(ends(1, 2))
    kept.close()

    class Locked(FakeLedger):
        locked = True

        async def settle(self, debt: Any) -> bool:
            if self.locked:
                raise LedgerError("database is locked")
            return await super().settle(debt)

    ledger = Locked(books)
    arrears = Arrears(tmp_path, ledger)  # type: ignore[arg-type]  # it passes the same contract
    await arrears.hand_in()
    assert len(found(tmp_path, books.name)) == 1
    ledger.locked = False
    await arrears.hand_in()
    assert list(books.calls) == ["1.1", "1.2"]
    assert found(tmp_path, books.name) == []


async def test_a_file_nobody_makes_sense_of_stops_no_start_and_no_other(tmp_path: Path) -> None:
    books = Books()

    class Puzzled(FakeLedger):
        async def settle(self, debt: Any) -> bool:
            if debt.holder == "a":
                raise TypeError("unsupported operand")
            return await super().settle(debt)

    for n, holder in enumerate(("a", "b"), 1):
        kept = Spool(tmp_path, books.name, holder)
        kept.keep(ends(n, 1))
        kept.close()
        os.utime(tmp_path / f"{books.name}.{holder}.owed", (n, n))
    await Arrears(tmp_path, Puzzled(books)).hand_in()  # type: ignore[arg-type]  # it passes the same contract
    assert list(books.calls) == ["1.2"]
    assert names(tmp_path) == [f"{books.name}.a.owed"]


async def test_two_lives_are_handed_in_oldest_first_and_our_own_is_left_alone(tmp_path: Path) -> None:
    books = Books()
    ledger = FakeLedger(books)
    arrears = Arrears(tmp_path, ledger)  # type: ignore[arg-type]  # it passes the same contract
    _, ours = await arrears.begin()
    for n, holder in enumerate(("b", "a")):
        kept = Spool(tmp_path, books.name, holder)
        kept.keep([turn(said(1, replace(an_end("1.1"), result=f"by {holder}")))])
        kept.close()
        os.utime(tmp_path / f"{books.name}.{holder}.owed", (n, n))
    ours.keep(ends(9, 1))
    await arrears.hand_in()
    assert books.calls["1.1"].result == "by b"
    assert list(books.calls) == ["1.1"]
    assert names(tmp_path) == [f"{books.name}.{ledger.holder}.owed"]
    ours.clear()


async def test_books_without_a_name_keep_nothing_and_stop_nobody(tmp_path: Path) -> None:
    class Full(FakeLedger):
        async def name_of_books(self) -> str:
            raise LedgerError("database or disk is full")

    arrears = Arrears(tmp_path, Full())  # type: ignore[arg-type]  # it passes the same contract
    await arrears.hand_in()
    _, kept = await arrears.begin()
    kept.keep(ends(1, 1))
    assert kept.kept == 0
    assert names(tmp_path) == []
