"""What an earlier life still owed the books when it ended (`controller.spool`), written at the next start.

If nobody has led since, the rows are as that life left them and all of its turns go on from there. If somebody has,
that one read older rows and goes on from them: then only calls it does not know, neither live nor ended, come into the
history, with their offers and stories, and into the audit what people did. The order of facts is not touched. The same
is done where the books themselves go on after what is handed in: its life had written it, and more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, TypeVar

from sqlalchemy import Executable, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.core import codec
from controller.ports import Debt, Said
from controller.store.db import MIGRATE_LIMIT_S, Database
from controller.store.statements import NAMES, statements
from controller.store.tables import calls, facts, lead, live
from controller.store.turns import Batch, batch_of, ended_in, fitting, history_of, scrubbed

SOME: Final = 50
"""How many turns are looked at before others have their turn: some milliseconds."""
NAMES_MAX: Final = 500
IDLE_LIMIT_MS: Final = 5_000
"""A process that stands still while it settles may not keep `lead` from whoever would take it."""
BOTH: Final = "+"
"""Between two holders: a life that began while the books could not be written goes on with what the first owed."""
_NUMBERED_OR_LIVE: Final = ("fact", "live_put", "live_drop")
_T = TypeVar("_T")


class _GoneOnError(Exception):
    """The books go on after this debt: the life itself wrote more, and could not take its file away."""


async def settle(database: Database, debt: Debt) -> bool:
    """Write it in one transaction; see `ports.Ledger.settle`."""
    try:
        async with database.writing(MIGRATE_LIMIT_S) as connection:
            if await _led_last(connection, debt):
                await _all_of_it(connection, debt)
                return True
    except _GoneOnError:
        pass
    ended = [call async for turns in _by_some(debt.turns()) for call in ended_in(turns)]
    async with database.writing(MIGRATE_LIMIT_S) as connection:
        await _what_nobody_knows(connection, debt, ended)
    return False


async def _led_last(connection: AsyncConnection, debt: Debt) -> bool:
    """Whether nobody has led since. Whoever takes the lead waits for us: it is to read the rows we write."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_LIMIT_MS}"))
    led_last = select(lead.c.holder).where(lead.c.holder.in_(debt.holder.split(BOTH))).with_for_update()
    return await connection.scalar(led_last) is not None


async def _all_of_it(connection: AsyncConnection, debt: Debt) -> None:
    said = statements(connection.dialect)
    known = await connection.scalar(select(func.max(facts.c.seq))) or 0
    last = 0
    async for turns in _by_some(debt.turns()):
        told = [row for turn in turns for row in turn.facts]
        if told and not last:
            await _same(connection, told[0], known)
        last = max(last, *(row.seq for row in told), 0)
        await _write(connection, said, batch_of(turns))
    if 0 < last < known:
        raise _GoneOnError


async def _same(connection: AsyncConnection, first: Said, known: int) -> None:
    """Make sure that its first fact, where the books have the number, is theirs."""
    if first.seq <= known:
        body = await connection.scalar(select(facts.c.body).where(facts.c.seq == first.seq))
        if body != fitting(codec.dumps(first.fact)):
            raise _GoneOnError


async def _what_nobody_knows(connection: AsyncConnection, debt: Debt, ended: list[str]) -> None:
    said = statements(connection.dialect)
    unknown = set(ended)
    async for names in _by_some(ended, NAMES_MAX):
        live_calls = select(live.c.id).where(live.c.kind == "call", live.c.id.in_(names))
        for known in (live_calls, select(calls.c.id).where(calls.c.id.in_(names))):
            unknown.difference_update((await connection.scalars(known)).all())
    async for turns in _by_some(debt.turns()):
        batch = batch_of([history_of(turn, unknown) for turn in turns])
        await _write(connection, said, {name: rows for name, rows in batch.items() if name not in _NUMBERED_OR_LIVE})


async def _write(connection: AsyncConnection, said: Mapping[str, Executable], batch: Batch) -> None:
    for name, rows in scrubbed(batch).items():
        await connection.execute(said[name], [dict(zip(NAMES[name], row, strict=True)) for row in rows])


async def _by_some(values: Iterable[_T], many: int = SOME) -> AsyncIterator[list[_T]]:
    """Cut into pieces; the event loop turns between two of them, for calls may be under way."""
    them: Iterator[_T] = iter(values)
    while some := list(islice(them, many)):
        yield some
        await asyncio.sleep(0)
