"""What the books know of single numbers: ported and blocked ones that came by the ten thousand, and those people named.

An import looks at the whole file first and writes nothing when it has a mistake. Blocked numbers are then written in
small transactions, because the ledger waits at the same door; a run that was cut short is simply repeated. A file is
the truth about the rows it brought: those no longer in it go. Ported numbers have a way of their own
(`store.ported_import`).

Looking up costs no query: the table is held in memory, 8 bytes a row (`core.ported`). A start or an import reads the
list of its blocks only, a thousandth of it; the blocks come in behind, and a call whose block is not here yet fetches
that one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Table, and_, delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.core.numbers import normalise
from controller.core.ported import CARRIERS_MAX, SHIFT, PortedTable, key_of, unpacked
from controller.core.setup import Blocked, Setup
from controller.errors import LedgerError
from controller.store import audit, number_files, ported_books, ported_import
from controller.store.db import Database
from controller.store.number_files import ReadRow, Report, Values
from controller.store.ported_books import FETCHED_BLOCKS, Edition
from controller.store.ported_course import Progress
from controller.store.ported_files import Reading
from controller.store.ported_import import Imported, Order
from controller.store.statements import insert_for
from controller.store.tables import blocked, meta, number_carrier

BATCH_ROWS: Final = 500
"""Rows of one transaction: a few milliseconds, so that no call waits."""
BY_HAND_MAX: Final = 100_000
FETCH_AGAIN_S: Final = 2.0
_BLOCKED: Final = "numbers"
_BY_HAND: Final = "carriers_by_hand"
_MARKS: Final = (_BLOCKED, _BY_HAND, ported_books.IN_FORCE)

_log = structlog.get_logger("store")


@dataclass(frozen=True, slots=True)
class ByHand:
    """The carrier of one number (E.164) as somebody named it."""

    number: str
    carrier: str
    note: str
    by: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Held:
    """What is in memory of the ported numbers: of which edition, how many of its blocks, and how large they are."""

    edition: Edition
    blocks: int
    blocks_here: int
    size_bytes: int
    by_hand: int
    trouble: str


class Numbers:
    """The numbers this database knows. Nationally written ones belong to the country of the last `completed` setup."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._edition = Edition()
        self._table = PortedTable((), (), 0)
        self._by_hand: dict[int, str] = {}
        self._blocked: tuple[Blocked, ...] = ()
        self._seen: dict[str, str] | None = None
        self._country = "VN"
        self._owed = False
        self._looking = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._trouble = ""

    # -- imports -----------------------------------------------------------------------------------------------------

    async def import_ported(
        self,
        path: Path,
        at_ms: int,
        by: str = "",
        carriers: Mapping[str, str] | None = None,
        country: str = "VN",
        *,
        skip_bad: bool = False,
        progress: Progress | None = None,
    ) -> Imported:
        """Import a file of ported numbers; SetupError with every mistake and nothing changed when it has any.

        `carriers` are the spellings the setup knows (`Setup.carrier_spelling`); None takes any name. `skip_bad` passes
        over lines that cannot be used, and counts them.
        """
        reading = Reading(path, country, carriers, {}, 0)
        order = Order(reading, path.name, at_ms, by, skip_bad)
        return await ported_import.run(self._database, order, progress)

    async def import_blocked(
        self, path: Path, at_ms: int, by: str = "", country: str = "VN", timezone: str = "UTC"
    ) -> Imported:
        """Import a file of blocked numbers; SetupError with every mistake and nothing written when it has any.

        `timezone` is that of an `until` which names none.
        """

        def rows(report: Report) -> Iterator[Values]:
            return number_files.read(path, ("number",), read_row, country, None, report)

        read_row: ReadRow = partial(number_files.blocked_row, timezone=timezone)
        checked = Report()
        await asyncio.to_thread(lambda: sum(1 for _ in rows(checked)))
        checked.check()
        marks = {"source": path.name, "imported_at_ms": at_ms}
        good = rows(Report())
        while batch := await asyncio.to_thread(lambda: list(islice(good, BATCH_ROWS))):
            async with self._database.writing() as connection:
                await _put(connection, blocked, [{**values, **marks} for values in batch])
        removed = await self._remove_old(blocked, path.name, at_ms)
        async with self._database.writing() as connection:
            await _raise_count(connection, _BLOCKED)
            subject = f"blocked {path.name}"
            change = audit.Entry(by, "numbers.import", subject, old=f"{removed} gone", new=f"{checked.rows} rows")
            await audit.write(connection, at_ms, change)
        return Imported(checked.rows, removed)

    # -- single numbers ----------------------------------------------------------------------------------------------

    async def name_carrier(self, number: str, carrier: str, at_ms: int, by: str, note: str = "") -> None:
        """Name the carrier of one number (E.164), or with an empty one take back what was named; both are audited.

        LedgerError when there are too many: a list of thousands is imported.
        """
        key = key_of(number)
        if key is None:
            raise LedgerError(f"{number[:20]!r} is no number in E.164")
        async with self._database.writing() as connection:
            old = await connection.scalar(select(number_carrier.c.carrier).where(number_carrier.c.number == key))
            await connection.execute(delete(number_carrier).where(number_carrier.c.number == key))
            if carrier:
                values = {"number": key, "carrier": carrier, "note": note, "by_whom": by, "at_ms": at_ms}
                await connection.execute(insert(number_carrier), values)
            await _raise_count(connection, _BY_HAND)
            change = audit.Entry(by, "number.carrier", number, old=old or "", new=carrier)
            await audit.write(connection, at_ms, change)

    async def by_hand(self) -> tuple[ByHand, ...]:
        """Every number whose carrier somebody named, in the order of the numbers."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(number_carrier).order_by(number_carrier.c.number).limit(BY_HAND_MAX))
            return tuple(ByHand(f"+{row.number}", row.carrier, row.note, row.by_whom, row.at_ms) for row in rows.all())

    async def look_up(self, number: str) -> tuple[str, str]:
        """Say whose subscriber a number is and what says so (override, ported); two empty texts when nothing does."""
        e164 = normalise(number, self._country).e164
        key = key_of(e164)
        if key is None:
            return "", ""
        named = self._by_hand.get(key)
        if named:
            return named, "override"
        carrier = self._table.find(e164)
        if carrier is None:
            carrier = await self._fetched(e164)
        return (carrier, "ported") if carrier else ("", "")

    async def _fetched(self, e164: str) -> str:
        """Look into a block that has to be fetched first; twice, because an import may end in between."""
        for _ in range(2):
            edition, table = self._edition.number, self._table
            n = table.block_of(e164)
            if n is None:
                return ""
            async with self._database.reading() as connection:
                blocks = await ported_books.blocks_of(connection, edition, (n,))
            if n in blocks:
                table.put(n, blocks[n])
                return table.find(e164) or ""
            await self.refresh()
        return ""

    async def find(self, number: str) -> str:
        """Ask the database for one number's carrier; empty when it is not in the table."""
        if key_of(number) is None:
            return ""
        async with self._database.reading() as connection:
            edition = await ported_books.in_force(connection)
            table = await ported_books.table_of(connection, edition)
            n = table.block_of(number)
            if n is None:
                return ""
            for at, block in (await ported_books.blocks_of(connection, edition.number, (n,))).items():
                table.put(at, block)
        return table.find(number) or ""

    # -- what is known here ------------------------------------------------------------------------------------------

    async def changed(self) -> bool:
        """Whether the books have changed since they were last read."""
        async with self._database.reading() as connection:
            return await _marks(connection) != self._seen

    async def refresh(self) -> bool:
        """Read what has changed in the books; True while a setup must be completed, because blocked numbers did."""
        async with self._looking, self._database.reading() as connection:
            marks = await _marks(connection)
            seen = self._seen or {}
            if marks == self._seen:
                return self._owed
            if marks[_BY_HAND] != seen.get(_BY_HAND):
                rows = await connection.execute(select(number_carrier.c.number, number_carrier.c.carrier))
                self._by_hand = {row.number: row.carrier for row in rows.all()}
            if marks[ported_books.IN_FORCE] != seen.get(ported_books.IN_FORCE):
                edition = await ported_books.in_force(connection)
                self._table, self._edition = await ported_books.table_of(connection, edition), edition
                self._wanted.set()
            if marks[_BLOCKED] != seen.get(_BLOCKED):
                self._owed = True
                rows = await connection.execute(select(blocked).order_by(blocked.c.number, blocked.c.prefix))
                self._blocked = tuple(number_files.blocked_of(row) for row in rows.mappings())
            self._seen = marks
        return self._owed

    async def completed(self, setup: Setup) -> Setup:
        """Return the setup with the imported blocked numbers in it; ported ones are known here afterwards."""
        await self.refresh()
        self._owed = False
        self._country = setup.defaults.country
        return replace(setup, blocked=(*setup.blocked, *self._blocked)) if self._blocked else setup

    async def run(self) -> None:
        """Bring the blocks of each new edition into memory, behind whatever else is done."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.fill()
                self._trouble = ""
            except (LedgerError, ValueError) as error:
                self._trouble = str(error)
                _log.error("ported numbers are not all in memory, calls fetch them one by one", why=self._trouble)
                await asyncio.sleep(FETCH_AGAIN_S)
                self._wanted.set()

    async def fill(self) -> None:
        """Read every block that is missing; ends early when another edition comes into force."""
        edition, table = self._edition.number, self._table
        missing = table.missing
        for at in range(0, len(missing), FETCHED_BLOCKS):
            async with self._database.reading() as connection:
                blocks = await ported_books.blocks_of(connection, edition, missing[at : at + FETCHED_BLOCKS])
            if not blocks or table is not self._table:
                return
            for n, block in blocks.items():
                table.put(n, block)

    @property
    def held(self) -> Held:
        """What is in memory now."""
        table = self._table
        here = table.blocks - len(table.missing)
        return Held(self._edition, table.blocks, here, table.size_bytes, len(self._by_hand), self._trouble)

    async def load_ported(self) -> AsyncIterator[tuple[str, str]]:
        """Yield every ported number (E.164) of the books and its carrier, in order."""
        async with self._database.reading() as connection:
            edition = await ported_books.in_force(connection)
        n = 0
        while edition.number:
            async with self._database.reading() as connection:
                blocks = await ported_books.blocks_of(connection, edition.number, range(n, n + FETCHED_BLOCKS))
            for at in sorted(blocks):
                for word in unpacked(blocks[at]):
                    yield f"+{word >> SHIFT}", edition.carriers[word & (CARRIERS_MAX - 1)]
            n += FETCHED_BLOCKS
            if len(blocks) < FETCHED_BLOCKS:
                return

    async def load_blocked(self) -> tuple[Blocked, ...]:
        """Return every imported blocked number."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(blocked).order_by(blocked.c.number, blocked.c.prefix))
            return tuple(number_files.blocked_of(row) for row in rows.mappings())

    async def _remove_old(self, table: Table, source: str, at_ms: int) -> int:
        """Remove what an earlier run of this file brought and this one did not."""
        keys = list(table.primary_key.columns)
        old = and_(table.c.source == source, table.c.imported_at_ms != at_ms)
        removed = 0
        while True:
            some = select(*keys).where(old).limit(BATCH_ROWS)
            async with self._database.writing() as connection:
                gone = (await connection.execute(delete(table).where(tuple_(*keys).in_(some)))).rowcount
            removed += gone
            if gone < BATCH_ROWS:
                return removed


async def _put(connection: AsyncConnection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows; a number that is there already is written over. Of one number twice in a batch the last counts."""
    keys = [column.name for column in table.primary_key.columns]
    last = {tuple(row[key] for key in keys): row for row in rows}
    stmt = insert_for(connection.dialect, table)
    rest = {column.name: stmt.excluded[column.name] for column in table.columns if column.name not in keys}
    stmt = stmt.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=rest)
    await connection.execute(stmt, list(last.values()))


async def _marks(connection: AsyncConnection) -> dict[str, str]:
    """Read what says that something changed."""
    rows = await connection.execute(select(meta.c.name, meta.c.value).where(meta.c.name.in_(_MARKS)))
    return dict.fromkeys(_MARKS, "0") | {row.name: row.value for row in rows.all()}


async def _raise_count(connection: AsyncConnection, name: str) -> None:
    found = await connection.scalar(select(meta.c.value).where(meta.c.name == name))
    await connection.execute(delete(meta).where(meta.c.name == name))
    await connection.execute(insert(meta), {"name": name, "value": str(int(found or 0) + 1)})
