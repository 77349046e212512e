"""Importing a list of ported numbers: read and sorted on disk, merged with what is in force, in force at one stroke.

What is in memory at a time is a run of the file and a stretch of the merge, some fifty megabytes whatever the length
of either. The rows go into an edition of their own that nobody looks at (`store.ported_books`); the last transaction
puts it in force, with the audit. A run that breaks before leaves the old edition as it was, and its blocks go with
the next import.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any, Final

from sqlalchemy import insert

from controller.core import ported
from controller.core.ported import CARRIER_BITS, LISTS_MAX, merged
from controller.core.saying import Saying, say
from controller.errors import LedgerError, SetupError
from controller.store import audit, ported_books, ported_files
from controller.store.db import Database
from controller.store.number_files import Report
from controller.store.ported_books import Edition, Listed
from controller.store.ported_course import Course, Part, Progress
from controller.store.ported_files import Reading, Spill
from controller.store.tables import ported_block

WRITTEN_BLOCKS: Final = 16
"""Blocks of one transaction: a megabyte, some ten milliseconds, so that no call waits."""
ATTEMPTS: Final = 20
"""How often an import begins anew because another one came in between."""
_RANDOM_BITS: Final = 20


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: rows of the file, rows of an earlier run of it that are gone, lines that were passed over."""

    rows: int
    removed: int
    skipped: int = 0
    problems: tuple[Saying, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be imported: `list_name` says which list the rows are the new state of."""

    reading: Reading
    list_name: str
    at_ms: int
    by: str = ""
    skip_bad: bool = False


async def run(database: Database, order: Order, progress: Progress | None = None) -> Imported:
    """Import one list; SetupError with every mistake and nothing changed when it may not have any."""
    course: Course | None = None
    for _ in range(ATTEMPTS):
        async with database.reading() as connection:
            base = await ported_books.in_force(connection, forgive=True)
        course = course or Course(progress, order.reading.file_bytes, base.rows)
        lists, place = _place_for(base.lists, order.list_name)
        places = {name: n for n, name in enumerate(base.carriers)}
        told = partial(course.at, Part.READ)
        reading = replace(order.reading, places=places, place=place, report=Report(), progress=told)
        with Spill() as new, Spill() as old:
            await _collect(reading, new, course)
            reading.report.check(skip_bad=order.skip_bad)
            await _copy(database, base, old, partial(course.at, Part.COPY))
            merging = _Merging(database, base, lists, old, new, order, reading, course)
            if await merging.write():
                report = reading.report
                problems = (*report.problems, *_lost(base, old.rows, order.list_name))
                return Imported(report.rows, merging.gone, report.bad, problems)
    raise LedgerError("other imports came in between again and again: nothing was imported")


async def _collect(reading: Reading, spill: Spill, course: Course) -> None:
    """Read the file beside everything else; a thread cannot be cancelled, but it hears of it."""
    try:
        await asyncio.to_thread(ported_files.collect, reading, spill)
    except asyncio.CancelledError:
        course.stop()
        raise


def _place_for(lists: tuple[Listed, ...], name: str) -> tuple[list[Listed], int]:
    """The lists with a place for this one; SetupError when there are too many."""
    found = list(lists)
    for sought in (name, ""):
        place = next((n for n, row in enumerate(found) if row.name == sought), None)
        if place is not None:
            return found, place
    if len(found) == LISTS_MAX:
        raise SetupError((say("too_many_lists", most=LISTS_MAX),))
    return [*found, Listed("", 0, 0)], len(found)


async def _copy(database: Database, base: Edition, spill: Spill, told: Callable[[int, int], None]) -> None:
    """Bring the edition in force into one run on disk, without blocks that are lost."""
    blocks = -(-base.rows // ported.BLOCK_ROWS)
    for n in range(0, blocks, ported_books.FETCHED_BLOCKS):
        many = range(n, min(n + ported_books.FETCHED_BLOCKS, blocks))
        async with database.reading() as connection:
            found = await ported_books.blocks_of(connection, base.number, many, forgive=True)
        for at in many:
            if at in found:
                spill.add(ported.unpacked(found[at]))
        told(many.stop, blocks)
    spill.end_run()


def _lost(base: Edition, copied: int, name: str) -> tuple[Saying, ...]:
    """What to say of rows that could not be read, unless they can only have been those this list brought anew."""
    others = [row.name for row in base.lists if row.name not in {name, ""}]
    if base.number and not base.lists:
        return (say("all_lost"),)
    return (say("rows_lost", n=base.rows - copied, lists=", ".join(others)),) if others and copied < base.rows else ()


@dataclass(slots=True)
class _Merging:
    """One new edition on its way into the books."""

    database: Database
    base: Edition
    lists: list[Listed]
    old: Spill
    new: Spill
    order: Order
    reading: Reading
    course: Course
    number: int = 0
    rows: int = 0
    gone: int = 0
    taken: int = 0
    counts: Counter[int] = field(default_factory=Counter)

    async def write(self) -> bool:
        """Write the blocks, then put them in force; False when another import came in between."""
        began_ms = max(time.time_ns() // 1_000_000, (self.base.number >> _RANDOM_BITS) + 1)
        self.number = began_ms << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
        rows = self._block_rows()
        while batch := await asyncio.to_thread(lambda: list(islice(rows, WRITTEN_BLOCKS))):
            async with self.database.writing() as connection:
                await connection.execute(insert(ported_block), batch)
            self.old.let_go()
            self.new.let_go()
            self.course.at(Part.WRITE, self.taken, self.old.rows + self.new.rows)
        edition = self._edition()
        async with self.database.writing() as connection:
            done = await ported_books.come_into_force(connection, edition, self.base.number)
            if done:
                subject, told = f"ported {self.order.list_name}", f"{self.reading.report.rows} rows"
                change = audit.Entry(self.order.by, "numbers.import", subject, old=f"{self.gone} gone", new=told)
                await audit.write(connection, self.order.at_ms, change)
        if done:
            await ported_books.drop_before(self.database, self.number, partial(self.course.at, Part.CLEAR))
        else:
            await ported_books.drop(self.database, self.number)
        return done

    def _block_rows(self) -> Iterator[dict[str, Any]]:
        """Yield the row of every block, merging as it goes."""
        n, waiting = 0, list[int]()
        for words, gone, taken in merged(self.old.runs()[0], self.reading.place, self.new.runs()):
            self.gone += gone
            self.taken += taken
            waiting += words
            whole = len(waiting) - len(waiting) % ported.BLOCK_ROWS
            for at in range(0, whole, ported.BLOCK_ROWS):
                yield self._row(n, waiting[at : at + ported.BLOCK_ROWS])
                n += 1
            del waiting[:whole]
        if waiting:
            yield self._row(n, waiting)

    def _row(self, n: int, words: list[int]) -> dict[str, Any]:
        self.rows += len(words)
        if len(self.lists) == 1:
            self.counts[0] += len(words)
        else:
            self.counts.update(word >> CARRIER_BITS & (LISTS_MAX - 1) for word in words)
        return ported_books.row_of(self.number, n, words)

    def _edition(self) -> Edition:
        """The new edition; a list that has no rows left gives its place back."""
        lists = list(self.lists)
        lists[self.reading.place] = Listed(self.order.list_name, self.order.at_ms, 0)
        told = tuple(
            replace(row, rows=self.counts[n]) if self.counts[n] else Listed("", 0, 0) for n, row in enumerate(lists)
        )
        return Edition(self.number, self.rows, self.order.at_ms, tuple(self.reading.places), told)
