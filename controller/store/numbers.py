"""Ported and blocked numbers that came by the ten thousand: importing them, and knowing them in the dial path.

An import looks at the whole file first and writes nothing when it has a mistake. It then writes in small
transactions, because the ledger waits at the same door; a run that was cut short is simply repeated. A file is the
truth about the rows it brought: those no longer in it go.

Looking up costs no query: the table is held in memory, 8 bytes a row (`core.ported`), and read again when the number
of imports changed.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Table, and_, delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.core.numbers import normalise
from controller.core.ported import PortedTable
from controller.core.setup import Blocked, Setup
from controller.errors import LedgerError
from controller.store import audit, number_files
from controller.store.db import Database
from controller.store.number_files import ReadRow, Report, Values
from controller.store.statements import insert_for
from controller.store.tables import blocked, meta, ported

BATCH_ROWS: Final = 500
"""Rows of one transaction: a few milliseconds, so that no call waits."""
PAGE_ROWS: Final = 5_000
SOURCE: Final = "ported"
_COUNTER: Final = "numbers"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: rows of the file, and rows of an earlier run of it that are gone."""

    rows: int
    removed: int


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the two kinds of file."""

    table: Table
    needed: tuple[str, ...]
    read_row: ReadRow


_PORTED: Final = _Kind(ported, ("number", "carrier"), number_files.ported_row)
_BLOCKED: Final = _Kind(blocked, ("number",), number_files.blocked_row)


class Numbers:
    """The imported numbers of this database. `country` is the one nationally written numbers belong to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = PortedTable.build(())
        self._seen = -1
        self._country = "VN"

    async def import_ported(
        self, path: Path, at_ms: int, by: str = "", carriers: Mapping[str, str] | None = None, country: str = "VN"
    ) -> Imported:
        """Import a file of ported numbers; SetupError with every mistake and nothing written when it has any.

        `carriers` are the spellings the setup knows (`Setup.carrier_spelling`); None takes any name.
        """
        return await self._import(_PORTED, path, at_ms, by, country, carriers)

    async def import_blocked(self, path: Path, at_ms: int, by: str = "", country: str = "VN") -> Imported:
        """Import a file of blocked numbers; SetupError with every mistake and nothing written when it has any."""
        return await self._import(_BLOCKED, path, at_ms, by, country, None)

    async def load_ported(self) -> AsyncIterator[tuple[str, str]]:
        """Yield every ported number (E.164) and its carrier, a page at a time."""
        after = 0
        while True:
            query = select(ported.c.number, ported.c.carrier).where(ported.c.number > after)
            async with self._database.reading() as connection:
                rows = (await connection.execute(query.order_by(ported.c.number).limit(PAGE_ROWS))).all()
            for number, carrier in rows:
                yield f"+{number}", carrier
            if len(rows) < PAGE_ROWS:
                return
            after = rows[-1].number

    async def load_blocked(self) -> tuple[Blocked, ...]:
        """Return every imported blocked number."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(blocked).order_by(blocked.c.number, blocked.c.prefix))
            return tuple(number_files.blocked_of(row) for row in rows.mappings())

    async def find(self, number: str) -> str:
        """Ask the database for one number's carrier; empty when it is not in the table."""
        digits = number.removeprefix("+")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):  # noqa: PLR2004 - E.164
            return ""
        async with self._database.reading() as connection:
            found = await connection.scalar(select(ported.c.carrier).where(ported.c.number == int(digits)))
        return found or ""

    async def look_up(self, number: str) -> tuple[str, str]:
        """Say from memory whose subscriber a number is, and that the ported table says so; two empty texts if not."""
        carrier = self._table.find(normalise(number, self._country).e164)
        return (carrier, SOURCE) if carrier else ("", "")

    async def changed(self) -> bool:
        """Whether there was an import since `completed` last read the tables."""
        return await self._count() != self._seen

    async def completed(self, setup: Setup) -> Setup:
        """Return the setup with the imported blocked numbers in it, and take the ported ones into memory."""
        seen = await self._count()
        digits, places, names = array("Q"), array("L"), dict[str, int]()
        async for number, carrier in self.load_ported():
            digits.append(int(number))
            places.append(names.setdefault(carrier, len(names)))
        carriers = list(names)
        rows = ((f"+{number}", carriers[place]) for number, place in zip(digits, places, strict=True))
        try:
            table = await asyncio.to_thread(PortedTable.build, rows)
        except ValueError as error:
            raise LedgerError(f"ported numbers: {error}") from error
        more = await self.load_blocked()
        self._table, self._seen, self._country = table, seen, setup.defaults.country
        return replace(setup, blocked=(*setup.blocked, *more)) if more else setup

    async def _count(self) -> int:
        async with self._database.reading() as connection:
            return await _read_count(connection)

    async def _import(
        self, kind: _Kind, path: Path, at_ms: int, by: str, country: str, carriers: Mapping[str, str] | None
    ) -> Imported:
        def rows(report: Report) -> Iterator[Values]:
            return number_files.read(path, kind.needed, kind.read_row, country, carriers, report)

        checked = Report()
        await asyncio.to_thread(lambda: sum(1 for _ in rows(checked)))
        checked.check()
        marks = {"source": path.name, "imported_at_ms": at_ms}
        good = rows(Report())
        while batch := await asyncio.to_thread(lambda: list(islice(good, BATCH_ROWS))):
            async with self._database.writing() as connection:
                await _put(connection, kind.table, [{**values, **marks} for values in batch])
        removed = await self._remove_old(kind.table, path.name, at_ms)
        done = Imported(checked.rows, removed)
        async with self._database.writing() as connection:
            await _raise_count(connection)
            subject = f"{kind.table.name} {path.name}"
            change = audit.Entry(by, "numbers.import", subject, old=f"{removed} gone", new=f"{done.rows} rows")
            await audit.write(connection, at_ms, change)
        return done

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


async def _read_count(connection: AsyncConnection) -> int:
    found = await connection.scalar(select(meta.c.value).where(meta.c.name == _COUNTER))
    return int(found or 0)


async def _raise_count(connection: AsyncConnection) -> None:
    count = await _read_count(connection) + 1
    await connection.execute(delete(meta).where(meta.c.name == _COUNTER))
    await connection.execute(insert(meta), {"name": _COUNTER, "value": str(count)})
