"""Ported numbers by the million: one meaning of a line at two speeds, all or nothing, in force at one stroke."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, text, update

from controller.core import ported
from controller.core.ported import SHIFT
from controller.core.setup import Carrier, Setup
from controller.errors import LedgerError, SetupError
from controller.store import audit, number_files, ported_books, ported_files, ported_import, schema
from controller.store.db import Database, migrate
from controller.store.number_files import Report
from controller.store.numbers import Imported, Numbers
from controller.store.ported_course import Course
from controller.store.ported_files import Reading, Spill, collect
from controller.store.tables import ported_block, ported_edition
from tests.store.conftest import NOW_MS

pytestmark = pytest.mark.store

SETUP = Setup(carriers=(Carrier("viettel"), Carrier("vinaphone")))
HEAD = "number,carrier\n"


@pytest.fixture
def books(database: Database) -> Numbers:
    return Numbers(database)


@pytest.fixture(name="write")
def _write(tmp_path: Path):
    def write(words: str, name: str = "list.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(words.encode())
        return path

    return write


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every limit so low that a short list meets all of them."""
    monkeypatch.setattr(ported, "BLOCK_ROWS", 4)
    monkeypatch.setattr(ported, "SAMPLE_ROWS", 3)
    monkeypatch.setattr(ported, "STRETCH_SAMPLES", 2)
    monkeypatch.setattr(ported_files, "RUN_ROWS", 5)
    monkeypatch.setattr(ported_import, "WRITTEN_BLOCKS", 2)
    monkeypatch.setattr(ported_books, "DROPPED_BLOCKS", 2)
    monkeypatch.setattr(number_files, "CHUNK_BYTES", 64)


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - the books ring no bell when a block is in memory
        await asyncio.sleep(0.01)


def words_of(path: Path, country: str = "VN") -> tuple[dict[int, int], Report]:
    reading = Reading(path, country, SETUP.carrier_spelling, {}, 3)
    with Spill() as spill:
        collect(reading, spill)
        found = {word >> SHIFT: word for run in spill.runs() for word in run}
    return found, reading.report


FIELDS = st.one_of(
    st.from_regex(r"(0|84|\+84|0084)?[0-9]{8,10}", fullmatch=True),
    st.sampled_from(
        ["0912345679", " 0912345679", "02439361234", "01201234567", '"0912345679"', "", "x", "０912345679"]
    ),
)
CARRIERS = st.sampled_from(["viettel", "Viettel", " viettel", "vinaphone", "nobody", "", '"viettel"', 'vi"ettel', "é"])
ENDS = st.sampled_from(["\n", "\r\n"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(FIELDS, CARRIERS), max_size=12), ENDS, st.sampled_from([",", ";"]), st.booleans())
def test_a_line_means_the_same_at_both_speeds(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], end: str, separator: str, swapped: bool
) -> None:
    order = (1, 0) if swapped else (0, 1)
    lines = [("number", "carrier"), ("0912345679", "viettel"), *rows]
    path = tmp_path_factory.mktemp("speeds") / "list.csv"
    path.write_bytes("".join(separator.join((row[order[0]], row[order[1]])) + end for row in lines).encode())
    quick, told = words_of(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ported_files, "plain", lambda _digits: 0)
        slow, told_slowly = words_of(path)
    assert quick == slow
    assert (told.rows, told.problems, told.more) == (told_slowly.rows, told_slowly.problems, told_slowly.more)


def test_other_countries_take_no_vietnamese_short_cut(write) -> None:
    found, report = words_of(write(HEAD + "07400123456,viettel\n0384567890,viettel\n"), "GB")
    assert list(found) == [447400123456]
    assert list(map(str, report.problems)) == ["list.csv:3: number: '0384567890' is no phone number"]


def test_memory_while_reading_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ported_files, "RUN_ROWS", 2_000)
    monkeypatch.setattr(number_files, "CHUNK_BYTES", 8_192)

    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.csv"
        path.write_text(HEAD + "".join(f"09{n:08},viettel\n" for n in range(rows)))
        tracemalloc.start()
        with Spill() as spill:
            collect(Reading(path, "VN", None, {}, 0), spill)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(3_000)
    assert peak(30_000) < peak(6_000) + 50_000


@pytest.mark.usefixtures("small")
async def test_lists_of_many_blocks_are_merged_and_looked_up(books: Numbers, write) -> None:
    expected: dict[str, str] = {}
    for name, carrier, numbers in (
        ("a.csv", "viettel", range(0, 60, 2)),
        ("b.csv", "vinaphone", range(0, 60, 3)),
        ("a.csv", "vinaphone", range(10, 90, 5)),
    ):
        brought = {f"+84912345{n:03}": carrier for n in numbers}
        gone = {n for n in expected if name == "a.csv" and expected[n] == "viettel" and n not in brought}
        expected = {n: c for n, c in expected.items() if n not in gone} | brought
        path = write(HEAD + "".join(f"{number},{told}\n" for number, told in brought.items()), name)
        assert await books.import_ported(path, NOW_MS) == Imported(len(brought), len(gone))
    assert dict([row async for row in books.load_ported()]) == expected
    await books.completed(SETUP)
    assert books.held.blocks > 5
    assert books.held.edition.rows == len(expected)
    for n in range(100):
        number = f"+84912345{n:03}"
        assert (await books.look_up(number))[0] == expected.get(number, "")
    await books.fill()
    assert books.held.blocks_here == books.held.blocks
    assert books.held.size_bytes == 8 * (len(expected) + books.held.blocks)
    for n in range(100):
        number = f"+84912345{n:03}"
        assert (await books.look_up(number))[0] == expected.get(number, "")


async def test_a_start_reads_the_index_and_a_call_its_own_block(
    url: str, books: Numbers, write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ported, "BLOCK_ROWS", 4)
    await books.import_ported(write(HEAD + "".join(f"09123456{n:02},viettel\n" for n in range(40))), NOW_MS)
    started = Numbers(Database(url))
    await started.completed(SETUP)
    assert (started.held.blocks, started.held.blocks_here) == (10, 0)
    assert await started.look_up("0912345621") == ("viettel", "ported")
    assert await started.look_up("0912345699") == ("", "")
    assert started.held.blocks_here == 2
    await started._database.close()


async def test_blocks_come_in_behind_and_again_after_the_next_import(
    books: Numbers, write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ported, "BLOCK_ROWS", 4)
    await books.import_ported(write(HEAD + "".join(f"09123456{n:02},viettel\n" for n in range(40))), NOW_MS)
    await books.completed(SETUP)
    running = asyncio.create_task(books.run())
    async with asyncio.timeout(60):
        await until(lambda: books.held.blocks_here == 10)
        await books.import_ported(write(HEAD + "0912345600,vinaphone\n"), NOW_MS + 1)
        assert not await books.refresh(), "no blocked number changed"
        assert await books.look_up("0912345600") == ("vinaphone", "ported")
        assert await books.look_up("0912345601") == ("", "")
        await until(lambda: books.held.blocks_here == 1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_import_that_ends_between_two_looks_is_followed(url: str, books: Numbers, write) -> None:
    await books.import_ported(write(HEAD + "0912345600,viettel\n"), NOW_MS)
    await books.completed(SETUP)
    elsewhere = Database(url)
    await Numbers(elsewhere).import_ported(write(HEAD + "0912345600,vinaphone\n"), NOW_MS + 1)
    await elsewhere.close()
    # The old edition is gone from the books, and its only block was never fetched.
    assert await books.look_up("0912345600") == ("vinaphone", "ported")


async def test_bad_lines_are_passed_over_when_told_to(books: Numbers, write) -> None:
    path = write(HEAD + "0912345600,viettel\nnobody,viettel\n0912345601,Viettle\n\n0912345602,vinaphone\n")
    done = await books.import_ported(path, NOW_MS, "an", SETUP.carrier_spelling, skip_bad=True)
    assert (done.rows, done.removed, done.skipped) == (2, 0, 2)
    assert tuple(map(str, done.problems)) == (
        "list.csv:3: number: 'nobody' is no phone number",
        "list.csv:4: carrier: 'Viettle' is not in the setup",
    )
    assert [row async for row in books.load_ported()] == [("+84912345600", "viettel"), ("+84912345602", "vinaphone")]


@pytest.mark.parametrize("words", ["", "0912345679,viettel\n", HEAD + "9" * 5_000 + "\n"])
async def test_a_file_that_is_no_list_is_refused_whatever_was_said(books: Numbers, write, words: str) -> None:
    with pytest.raises(SetupError):
        await books.import_ported(write(words), NOW_MS, skip_bad=True)
    assert [row async for row in books.load_ported()] == []


@pytest.mark.usefixtures("small")
async def test_an_import_that_breaks_half_way_leaves_what_was_and_goes_with_the_next(
    books: Numbers, database: Database, write, monkeypatch: pytest.MonkeyPatch
) -> None:
    await books.import_ported(write(HEAD + "0912345600,viettel\n"), NOW_MS)
    rows = "".join(f"09123456{n:02},vinaphone\n" for n in range(60))

    def torn(*_args: object) -> object:
        raise LedgerError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(ported_books, "come_into_force", torn)
        with pytest.raises(LedgerError, match="disk is full"):
            await books.import_ported(write(HEAD + rows), NOW_MS + 1)
    assert [row async for row in books.load_ported()] == [("+84912345600", "viettel")]
    async with database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(ported_block)) == 1 + 15
    await asyncio.sleep(0.002)
    assert await books.import_ported(write(HEAD + "0912345601,viettel\n"), NOW_MS + 2) == Imported(1, 1)
    async with database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(ported_block)) == 1
        assert await connection.scalar(select(func.count()).select_from(ported_edition)) == 1
    assert [entry.new for entry in await audit.latest(database)] == ["1 rows", "1 rows"]


class Steps:
    """What is told of the progress of an import."""

    def __init__(self, books: Numbers) -> None:
        self.books, self.told = books, list[tuple[int, int]]()

    async def of(self, path: Path, at_ms: int) -> list[tuple[int, int]]:
        self.told = []
        await self.books.import_ported(path, at_ms, progress=lambda done, whole: self.told.append((done, whole)))
        return self.told


def parts(told: list[tuple[int, int]], file_bytes: int, rows: int) -> list[int]:
    """How many steps each part of an import had, its end included."""
    course = Course(lambda _done, _whole: None, file_bytes, rows)
    ends = (*course._before[1:], course._whole)
    assert {whole for _, whole in told} == {course._whole}
    return [sum(begin < done <= end for done, _ in told) for begin, end in zip(course._before, ends, strict=True)]


@pytest.mark.usefixtures("small")
async def test_progress_is_told_while_reading_and_while_writing_and_never_goes_back(books: Numbers, write) -> None:
    steps, path = Steps(books), write(HEAD + "".join(f"09123456{n:02},viettel\n" for n in range(40)))
    size = path.stat().st_size
    for n, rows in enumerate((0, 40)):
        told = await steps.of(path, NOW_MS + n)
        assert [done for done, _ in told] == sorted({done for done, _ in told}), "each step is one forward"
        assert told[-1][0] == told[-1][1]
        read, copied, written, cleared = parts(told, size, rows)
        assert min(read, written) > 3
        assert (copied > 0) is (rows > 0)
        assert cleared > 0


@pytest.mark.usefixtures("small")
async def test_progress_does_not_go_back_when_an_import_begins_anew(
    books: Numbers, write, monkeypatch: pytest.MonkeyPatch
) -> None:
    plainly, again = ported_books.come_into_force, iter([False, False])

    async def late(*args: object) -> bool:
        return next(again, True) and await plainly(*args)

    monkeypatch.setattr(ported_books, "come_into_force", late)
    told = await Steps(books).of(write(HEAD + "".join(f"09123456{n:02},viettel\n" for n in range(40))), NOW_MS)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1][0] == told[-1][1]


async def test_progress_ends_where_nobody_knows_how_long_the_list_is(books: Numbers, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = asyncio.create_task(asyncio.to_thread(pipe.write_text, HEAD + "0912345600,viettel\n"))
    told = await Steps(books).of(pipe, NOW_MS)
    await writing
    assert told[-1][0] == told[-1][1]
    assert await books.find("+84912345600") == "viettel"


async def test_an_import_that_is_given_up_stops_reading(books: Numbers, write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who presses Ctrl-C does not wait until a list of millions is read."""
    monkeypatch.setattr(number_files, "CHUNK_BYTES", 64)
    steps, go_on = queue.SimpleQueue[int](), threading.Event()

    def told(done: int, _whole: int) -> None:
        steps.put(done)
        go_on.wait()

    path = write(HEAD + "".join(f"09123456{n:02},viettel\n" for n in range(90)))
    importing = asyncio.create_task(books.import_ported(path, NOW_MS, progress=told))
    await asyncio.to_thread(steps.get)
    importing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await importing
    go_on.set()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert steps.empty(), "the thread is over, and went no further"
    await books.completed(SETUP)
    assert books.held.edition.rows == 0


async def test_places_of_lists_run_out_and_are_given_back(
    books: Numbers, write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ported_import, "LISTS_MAX", 2)
    for name in ("a.csv", "b.csv"):
        await books.import_ported(write(HEAD + f"09123456{ord(name[0])},viettel\n", name), NOW_MS)
    with pytest.raises(SetupError, match="there are 2 lists"):
        await books.import_ported(write(HEAD + "0912345699,viettel\n", "c.csv"), NOW_MS)
    assert await books.import_ported(write(HEAD, "a.csv"), NOW_MS) == Imported(0, 1)
    await books.import_ported(write(HEAD + "0912345699,viettel\n", "c.csv"), NOW_MS)
    await books.completed(SETUP)
    assert [(row.name, row.rows) for row in books.held.edition.lists] == [("c.csv", 1), ("b.csv", 1)]


async def test_a_torn_block_is_told_and_costs_its_own_numbers(
    books: Numbers, database: Database, write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ported, "BLOCK_ROWS", 4)
    await books.import_ported(write(HEAD + "".join(f"09123456{n:02},viettel\n" for n in range(8))), NOW_MS)
    async with database.writing() as connection:
        await connection.execute(update(ported_block).where(ported_block.c.n == 1).values(words=b"x" * 32))
    await books.completed(SETUP)
    with pytest.raises(LedgerError, match="block 1 of the ported numbers does not match its sum"):
        await books.fill()
    assert await books.look_up("0912345600") == ("viettel", "ported")
    with pytest.raises(LedgerError, match="does not match"):
        await books.look_up("0912345607")


async def test_a_missing_block_or_edition_is_one_line(books: Numbers, database: Database, write) -> None:
    await books.import_ported(write(HEAD + "0912345600,viettel\n"), NOW_MS)
    async with database.writing() as connection:
        await connection.execute(update(ported_block).values(n=1))
    with pytest.raises(LedgerError, match="lacks a block: import the lists again"):
        await books.completed(SETUP)
    async with database.writing() as connection:
        await connection.execute(text("DELETE FROM ported_edition"))
    with pytest.raises(LedgerError, match="is not in the books: import the lists again"):
        await books.completed(SETUP)


DAMAGE = {
    "torn": "UPDATE ported_block SET crc = crc + 1 WHERE n = 1",
    "missing": "DELETE FROM ported_block WHERE n = 1",
    "lost": "DELETE FROM ported_edition",
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_importing_the_lists_again_mends_a_damaged_table(
    books: Numbers, database: Database, write, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """The remedy that every error about the table names; it was refused for the damage it is a remedy of."""
    monkeypatch.setattr(ported, "BLOCK_ROWS", 4)
    monkeypatch.setattr(ported_books, "FETCHED_BLOCKS", 2)
    lists = {name: [f"+8491234560{at + n}" for n in range(0, 8, 2)] for at, name in ((0, "a.csv"), (1, "b.csv"))}
    paths = {name: write(HEAD + "".join(f"{row},viettel\n" for row in rows), name) for name, rows in lists.items()}
    for path in (*paths.values(), write(HEAD + "0912345609,viettel\n", "c.csv")):
        await books.import_ported(path, NOW_MS)
    async with database.writing() as connection:
        await connection.execute(text(DAMAGE[damage]))
    done = await books.import_ported(paths["a.csv"], NOW_MS + 1)
    rest = {"+84912345609": "viettel"}
    gone = "ported numbers of before could not be read from the books and are gone: import"
    said = f"the {gone} every other list again" if damage == "lost" else f"4 {gone} these lists again: b.csv, c.csv"
    kept = {} if damage == "lost" else dict.fromkeys(lists["b.csv"][:2], "viettel") | rest
    assert [str(problem) for problem in done.problems] == [said]
    assert dict([row async for row in books.load_ported()]) == dict.fromkeys(lists["a.csv"], "viettel") | kept
    assert (await books.import_ported(paths["b.csv"], NOW_MS + 2)).problems == ()
    found = [number async for number, _ in books.load_ported()]
    assert found == sorted((*lists["a.csv"], *lists["b.csv"], *(rest if kept else ())))
    await books.completed(SETUP)
    assert [row.rows for row in books.held.edition.lists] == [4, 4, 1][: 2 + bool(kept)]


async def test_a_damaged_list_that_is_the_only_one_is_imported_again_without_a_word(
    books: Numbers, database: Database, write
) -> None:
    path = write(HEAD + "0912345600,viettel\n")
    await books.import_ported(path, NOW_MS)
    async with database.writing() as connection:
        await connection.execute(update(ported_block).values(crc=0))
    assert await books.import_ported(path, NOW_MS + 1) == Imported(1, 0)
    assert await books.find("+84912345600") == "viettel"


async def test_numbers_of_before_the_blocks_move_there_and_back(empty_url: str) -> None:
    await migrate(empty_url)
    database = Database(empty_url)
    old = [(84912345600 + n, "viettel" if n % 2 else "vinaphone", "ab"[n % 3 == 0], 7) for n in range(9_000)]
    async with database.writing() as connection:
        await connection.run_sync(schema.downgrade, "0002")
        table = text("INSERT INTO ported (number, carrier, source, imported_at_ms) VALUES (:n, :c, :s, :at)")
        await connection.execute(table, [dict(zip(("n", "c", "s", "at"), row, strict=True)) for row in old])
    await migrate(empty_url)
    books = Numbers(database)
    assert [row async for row in books.load_ported()] == [(f"+{n}", carrier) for n, carrier, _, _ in old]
    await books.completed(SETUP)
    assert (books.held.blocks, books.held.edition.rows) == (2, 9_000)
    assert [(row.name, row.at_ms, row.rows) for row in books.held.edition.lists] == [("a", 7, 6_000), ("b", 7, 3_000)]
    async with database.writing() as connection:
        await connection.run_sync(schema.downgrade, "0002")
        rows = (await connection.execute(text("SELECT number, carrier, source, imported_at_ms FROM ported"))).all()
        assert sorted(map(tuple, rows)) == old
    await database.close()


async def test_an_edition_somebody_else_made_in_between_is_not_written_over(
    database: Database, books: Numbers, write, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = write(HEAD + "0912345600,viettel\n", "a.csv"), write(HEAD + "0912345601,viettel\n", "b.csv")
    plainly, once = ported_books.come_into_force, iter([True])

    async def interrupted(*args: object) -> bool:
        if next(once, False):
            return False
        return await plainly(*args)

    monkeypatch.setattr(ported_books, "come_into_force", interrupted)
    await books.import_ported(first, NOW_MS)
    await books.import_ported(second, NOW_MS)
    assert [number async for number, _ in books.load_ported()] == ["+84912345600", "+84912345601"]
    async with database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(ported_block)) == 1


async def test_a_carrier_named_by_hand_wins_and_is_audited(books: Numbers, database: Database, write) -> None:
    await books.import_ported(write(HEAD + "0912345600,viettel\n"), NOW_MS)
    await books.name_carrier("+84912345600", "vinaphone", NOW_MS, "an", "he told us")
    await books.completed(SETUP)
    assert await books.look_up("0912345600") == ("vinaphone", "override")
    (row,) = await books.by_hand()
    assert (row.number, row.carrier, row.note, row.by, row.at_ms) == (
        "+84912345600", "vinaphone", "he told us", "an", NOW_MS,
    )  # fmt: skip
    await books.name_carrier("+84912345600", "viettel", NOW_MS + 1, "an")
    await books.name_carrier("+84912345600", "", NOW_MS + 2, "binh")
    assert await books.changed()
    await books.refresh()
    assert await books.look_up("0912345600") == ("viettel", "ported")
    assert await books.by_hand() == ()
    told = [(row.who, row.action, row.subject, row.old, row.new) for row in (await audit.latest(database))[:3]]
    assert told == [
        ("binh", "number.carrier", "+84912345600", "viettel", ""),
        ("an", "number.carrier", "+84912345600", "vinaphone", "viettel"),
        ("an", "number.carrier", "+84912345600", "", "vinaphone"),
    ]
    with pytest.raises(LedgerError, match=r"E\.164"):
        await books.name_carrier("0912345600", "viettel", NOW_MS, "an")


async def test_the_first_row_of_the_books_is_there_from_the_start(database: Database) -> None:
    async with database.reading() as connection:
        assert await ported_books.in_force(connection) == ported_books.Edition()
    async with database.writing() as connection:
        edition = ported_books.Edition(5, 0, NOW_MS)
        assert not await ported_books.come_into_force(connection, edition, 4), "another one is in force"
        assert await ported_books.come_into_force(connection, edition, 0)
        await connection.execute(insert(ported_block), ported_books.row_of(5, 0, [1 << SHIFT]))
