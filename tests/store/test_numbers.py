"""Lists of ported and blocked numbers: every mistake told, nothing half-way, memory that grows with no file."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path

import pytest

from controller.core import ported
from controller.core.setup import Blocked, Carrier, Defaults, Setup
from controller.errors import SetupError
from controller.store import audit, number_files, ported_books, ported_import
from controller.store.db import Database
from controller.store.number_files import Report
from controller.store.numbers import Imported, Numbers
from tests.store.conftest import NOW_MS

pytestmark = pytest.mark.store

SETUP = Setup(carriers=(Carrier("viettel", aliases=("Viettel Telecom",)), Carrier("vinaphone")))


@pytest.fixture
def books(database: Database) -> Numbers:
    return Numbers(database)


@pytest.fixture(name="write")
def _write(tmp_path: Path):
    def write(words: str | bytes, name: str = "list.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(words if isinstance(words, bytes) else words.encode())
        return path

    return write


async def test_a_ported_number_is_found_however_it_is_written(books: Numbers, write) -> None:
    path = write("number,carrier\n0912345679,viettel\n+84 967 000 111,vinaphone\n84967000112,vinaphone\n")
    assert await books.import_ported(path, NOW_MS, "an") == Imported(3, 0)
    assert await books.find("+84912345679") == "viettel"
    assert await books.find("+84912345678") == ""
    assert await books.find("nonsense") == ""
    assert [row async for row in books.load_ported()] == [
        ("+84912345679", "viettel"),
        ("+84967000111", "vinaphone"),
        ("+84967000112", "vinaphone"),
    ]
    assert await books.look_up("0912345679") == ("", "")
    await books.completed(SETUP)
    for written in ("0912345679", "+84912345679", "0084912345679", "091 234 5679"):
        assert await books.look_up(written) == ("viettel", "ported")
    for unknown in ("0912345678", "113", "", "nonsense", "x" * 500):
        assert await books.look_up(unknown) == ("", "")


@pytest.mark.parametrize(
    "words",
    [
        "number;carrier\n0912345679;viettel\n",
        "number\tcarrier\n0912345679\tviettel\n",
        "\ufeffnumber,carrier\r\n0912345679,viettel\r\n",
        ' Number , CARRIER ,since\n"0912345679","viettel",2020-01-01\n\n',
        "since,carrier,number\n2020,viettel,0912345679",
    ],
)
async def test_the_dialects_of_a_list(books: Numbers, write, words: str) -> None:
    assert (await books.import_ported(write(words), NOW_MS)).rows == 1
    assert await books.find("+84912345679") == "viettel"


MISTAKES: list[tuple[str | bytes, list[str]]] = [
    ("", ["list.csv:1: the file is empty"]),
    ("0912345679,viettel\n", ["list.csv:1: wants a first line with the columns number, carrier"]),
    ("number,carrier\nnobody,viettel\n", ["list.csv:2: number: 'nobody' is no phone number"]),
    ("number,carrier\n12,viettel\n", ["list.csv:2: number: '12' is no phone number"]),
    ("number,carrier\n0912345679,\n", ["list.csv:2: carrier: '' is not in the setup"]),
    ("number,carrier\n0912345679,Viettle\n", ["list.csv:2: carrier: 'Viettle' is not in the setup"]),
    ("number,carrier\n0912345679\n", ["list.csv:2: has 1 columns, the first line names 2"]),
    ("number,carrier\n0912345679,viettel,x\n", ["list.csv:2: has 3 columns, the first line names 2"]),
    (b"number,carrier\n0912345679,\xff\n", ["list.csv:2: is not UTF-8"]),
    ('number,carrier\n"0912345679,viettel\n', ["list.csv:2: unexpected end of data"]),
    ("number,carrier\n" + "9" * 5_000 + "\n", ["list.csv:2: is longer than 4096 bytes"]),
    (
        "number,carrier\n0912345679,viettel\nx,viettel\n\n0912345670,y\n",
        ["list.csv:3: number: 'x' is no phone number", "list.csv:5: carrier: 'y' is not in the setup"],
    ),
]


@pytest.mark.parametrize(("words", "problems"), MISTAKES)
async def test_every_mistake_has_its_line_and_nothing_is_written(
    books: Numbers, database: Database, write, words: str | bytes, problems: list[str]
) -> None:
    with pytest.raises(SetupError) as caught:
        await books.import_ported(write(words), NOW_MS, carriers=SETUP.carrier_spelling)
    assert list(caught.value.problems) == problems
    assert [row async for row in books.load_ported()] == []
    assert await audit.latest(database) == []


async def test_many_mistakes_are_counted(books: Numbers, write) -> None:
    with pytest.raises(SetupError) as caught:
        await books.import_ported(write("number,carrier\n" + "x,viettel\n" * 1_000), NOW_MS)
    assert len(caught.value.problems) == number_files.PROBLEMS_MAX + 1
    assert caught.value.problems[-1] == "... and 980 more"


async def test_a_file_that_is_not_there(books: Numbers, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"none\.csv: cannot be read \(No such file"):
        await books.import_ported(tmp_path / "none.csv", NOW_MS)


async def test_carriers_are_spelled_as_in_the_setup(books: Numbers, write) -> None:
    path = write("number,carrier\n0912345679,VIETTEL TELECOM\n0912345670, Vinaphone \n")
    await books.import_ported(path, NOW_MS, carriers=SETUP.carrier_spelling)
    assert await books.find("+84912345679") == "viettel"
    assert await books.find("+84912345670") == "vinaphone"


async def test_a_file_is_the_truth_about_what_it_brought(
    books: Numbers, database: Database, write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ported, "BLOCK_ROWS", 3)
    monkeypatch.setattr(ported_import, "WRITTEN_BLOCKS", 2)
    monkeypatch.setattr(ported_books, "DROPPED_BLOCKS", 2)
    head = "number,carrier\n"
    first = head + "".join(f"09123456{n:02},viettel\n" for n in range(20))
    assert await books.import_ported(write(first), NOW_MS, "an") == Imported(20, 0)
    other = write(head + "0967000111,viettel\n0912345600,vinaphone\n", "other.csv")
    assert await books.import_ported(other, NOW_MS + 1, "an") == Imported(2, 0)
    second = head + "".join(f"09123456{n:02},vinaphone\n" for n in range(8, 10))
    assert await books.import_ported(write(second), NOW_MS + 2, "binh") == Imported(2, 17)
    assert [row async for row in books.load_ported()] == [
        ("+84912345600", "vinaphone"),
        ("+84912345608", "vinaphone"),
        ("+84912345609", "vinaphone"),
        ("+84967000111", "viettel"),
    ]
    entry = (await audit.latest(database))[0]
    assert (entry.who, entry.action, entry.subject) == ("binh", "numbers.import", "ported list.csv")
    assert (entry.old, entry.new) == ("17 gone", "2 rows")


async def test_of_one_number_twice_the_last_counts(books: Numbers, write) -> None:
    path = write("number,carrier\n0912345679,viettel\n+84912345679,vinaphone\n")
    await books.import_ported(path, NOW_MS)
    assert await books.find("+84912345679") == "vinaphone"


async def test_blocked_numbers_and_prefixes(books: Numbers, write) -> None:
    words = (
        "number,scopes,prefix,until\n"
        "0900000001,,,\n"
        "1900,outbound,yes,\n"
        "0912345679,ivr queue ivr,no,2026-12-31T18:00+07:00\n"
        "0912345670,queue,0,2026-12-31\n"
    )
    assert await books.import_blocked(write(words), NOW_MS, "an") == Imported(4, 0)
    assert await books.load_blocked() == (
        Blocked("+84900000001"),
        Blocked("+84912345670", ("queue",), until_ms=1_798_675_200_000),
        Blocked("+84912345679", ("ivr", "queue"), until_ms=1_798_714_800_000),
        Blocked("1900", ("outbound",), prefix=True),
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nobody,,,", "number: 'nobody' is no phone number"),
        ("19x,,yes,", "number: '19x' is no phone number"),
        ("00,,yes,", "number: '00' is no phone number"),
        ("1900,,maybe,", "prefix: 'maybe' is neither yes nor no"),
        ("0912345679,ivr everything,,", "scopes: 'everything' is none of ivr, queue, outbound"),
        ("0912345679,,,soon", "until: 'soon' is no date (2026-12-31 or 2026-12-31T18:00+07:00)"),
    ],
)
async def test_mistakes_in_a_blocked_list(books: Numbers, write, line: str, problem: str) -> None:
    with pytest.raises(SetupError) as caught:
        await books.import_blocked(write(f"number,scopes,prefix,until\n{line}\n"), NOW_MS)
    assert caught.value.problems == (f"list.csv:2: {problem}",)


async def test_a_setup_is_completed_and_an_import_is_noticed(url: str, books: Numbers, write) -> None:
    setup = Setup(Defaults(), blocked=(Blocked("+84911111111"),))
    assert await books.changed()
    assert await books.completed(setup) is setup
    assert not await books.changed()
    elsewhere = Database(url)
    await Numbers(elsewhere).import_blocked(write("number\n0900000001\n"), NOW_MS)
    assert await books.changed()
    completed = await books.completed(setup)
    assert completed.blocked == (Blocked("+84911111111"), Blocked("+84900000001"))
    assert not await books.changed()
    await Numbers(elsewhere).import_ported(write("number,carrier\n0912345679,viettel\n"), NOW_MS + 1)
    assert await books.changed()
    assert await books.look_up("0912345679") == ("", "")
    await books.completed(setup)
    assert await books.look_up("0912345679") == ("viettel", "ported")
    await elsewhere.close()


async def test_more_carriers_than_a_table_holds_is_a_line_each(books: Numbers, write) -> None:
    rows = "".join(f"0912345{n:03},carrier {n}\n" for n in range(258))
    with pytest.raises(SetupError) as caught:
        await books.import_ported(write("number,carrier\n" + rows), NOW_MS)
    assert caught.value.problems == tuple(f"list.csv:{n}: more than 256 carriers in one table" for n in (258, 259))


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_files, "CHUNK_BYTES", 4_096)

    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.csv"
        path.write_text("number,scopes\n" + "".join(f"09{n:08},ivr\n" for n in range(rows)))
        tracemalloc.start()
        report = Report()
        count = sum(1 for _ in number_files.read(path, ("number",), number_files.blocked_row, "VN", None, report))
        assert count == report.rows
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(100)
    assert peak(5_000) < peak(1_000) + 50_000


def test_two_imports_at_once_both_count(sqlite_url: str, write) -> None:
    files = [write(f"number,carrier\n091234567{n},viettel\n", f"{n}.csv") for n in range(4)]

    async def both() -> list[str]:
        database = Database(sqlite_url)
        await asyncio.gather(*(Numbers(database).import_ported(path, NOW_MS) for path in files))
        found = [number async for number, _ in Numbers(database).load_ported()]
        await database.close()
        return found

    assert asyncio.run(both()) == [f"+8491234567{n}" for n in range(4)]
