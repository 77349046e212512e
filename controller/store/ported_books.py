"""The table of ported numbers as the books hold it: editions of blocks, one of them in force.

An edition nobody names in `meta` is unfinished or over, and nobody reads it. So an import of ten million rows is
written in small transactions beside the calls, and comes into force in one.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, cast, delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.core.ported import SHIFT, PortedTable, packed
from controller.errors import LedgerError
from controller.store.db import Database
from controller.store.tables import meta, ported_block, ported_edition

IN_FORCE: Final = "ported"
"""The name in `meta` of the edition in force."""
FETCHED_BLOCKS: Final = 16
"""Blocks of one read: a megabyte, a few milliseconds."""
DROPPED_BLOCKS: Final = 64


@dataclass(frozen=True, slots=True)
class Listed:
    """One list whose rows are in the table: the file's name, when it was last imported, and its rows now."""

    name: str
    at_ms: int
    rows: int


@dataclass(frozen=True, slots=True)
class Edition:
    """One state of the table; number 0 is the empty one of fresh books."""

    number: int = 0
    rows: int = 0
    made_at_ms: int = 0
    carriers: tuple[str, ...] = ()
    lists: tuple[Listed, ...] = ()


async def in_force(connection: AsyncConnection, *, forgive: bool = False) -> Edition:
    """Read which edition is in force; LedgerError when it is lost, unless an import forgives that and begins anew."""
    told = await connection.scalar(select(meta.c.value).where(meta.c.name == IN_FORCE))
    number = int(told or 0)
    if not number:
        return Edition()
    found = (
        (await connection.execute(select(ported_edition).where(ported_edition.c.edition == number))).mappings().first()
    )
    if found is None and forgive:
        return Edition(number)
    if found is None:
        raise LedgerError(f"edition {number} of the ported numbers is not in the books: import the lists again")
    lists = tuple(Listed(*row) for row in json.loads(found["lists"]))
    return Edition(number, found["rows"], found["made_at_ms"], tuple(json.loads(found["carriers"])), lists)


async def table_of(connection: AsyncConnection, edition: Edition) -> PortedTable:
    """Read the index of an edition; its blocks come later."""
    query = select(ported_block.c.n, ported_block.c.first).where(ported_block.c.edition == edition.number)
    rows = (await connection.execute(query.order_by(ported_block.c.n))).all()
    if [row.n for row in rows] != list(range(len(rows))):
        raise LedgerError(f"edition {edition.number} of the ported numbers lacks a block: import the lists again")
    return PortedTable((row.first for row in rows), edition.carriers, edition.rows)


async def blocks_of(
    connection: AsyncConnection, edition: int, numbers: Sequence[int], *, forgive: bool = False
) -> dict[int, bytes]:
    """Read some blocks; those that are not there are left out.

    One that does not match its sum is a LedgerError, or is left out too where an import forgives it.
    """
    columns = (ported_block.c.n, ported_block.c.crc, ported_block.c.words)
    query = select(*columns).where(ported_block.c.edition == edition, ported_block.c.n.in_(numbers))
    found: dict[int, bytes] = {}
    for n, crc, words in (await connection.execute(query)).all():
        block = bytes(words)
        if zlib.crc32(block) == crc:
            found[n] = block
        elif not forgive:
            raise LedgerError(f"block {n} of the ported numbers does not match its sum: import the lists again")
    return found


def row_of(edition: int, n: int, words: Sequence[int]) -> dict[str, Any]:
    """Make the row of a block."""
    block = packed(words)
    values = {"first": words[0] >> SHIFT, "rows": len(words), "crc": zlib.crc32(block), "words": block}
    return {"edition": edition, "n": n, **values}


async def come_into_force(connection: AsyncConnection, edition: Edition, instead_of: int) -> bool:
    """Put an edition in force, unless another import came in between; the transaction is the caller's."""
    turn = update(meta).where(meta.c.name == IN_FORCE, meta.c.value == str(instead_of))
    done = await connection.execute(turn.values(value=str(edition.number)))
    if done.rowcount != 1:
        return False
    values = {
        "edition": edition.number,
        "rows": edition.rows,
        "made_at_ms": edition.made_at_ms,
        "carriers": json.dumps(edition.carriers),
        "lists": json.dumps([[row.name, row.at_ms, row.rows] for row in edition.lists]),
    }
    await connection.execute(insert(ported_edition), values)
    return True


async def drop_before(database: Database, edition: int, told: Callable[[int, int], None]) -> None:
    """Forget editions that began before this one, a few blocks at a time: they are over, or were never finished.

    `told` hears how many blocks are gone, and how many there were.
    """
    key = (ported_block.c.edition, ported_block.c.n)
    some = select(*key).where(ported_block.c.edition < cast(edition, BigInteger)).limit(DROPPED_BLOCKS)
    async with database.reading() as connection:
        old = select(func.count()).select_from(ported_block).where(ported_block.c.edition < cast(edition, BigInteger))
        whole, done = await connection.scalar(old) or 0, 0
    while True:
        async with database.writing() as connection:
            gone = (await connection.execute(delete(ported_block).where(tuple_(*key).in_(some)))).rowcount
            if gone < DROPPED_BLOCKS:
                await connection.execute(delete(ported_edition).where(ported_edition.c.edition < edition))
        done += gone
        told(done, whole)
        if gone < DROPPED_BLOCKS:
            return


async def drop(database: Database, edition: int) -> None:
    """Forget an edition that will not come into force."""
    async with database.writing() as connection:
        await connection.execute(delete(ported_block).where(ported_block.c.edition == edition))
