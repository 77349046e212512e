"""What an earlier life still owed the books when it ended (`controller.spool`), written at the next start.

If nobody has led since, the rows are as that life left them and all of its turns go on from there. If somebody has,
that one read older rows and goes on from them: then only calls it does not know, neither live nor ended, come into the
history, with their offers and stories, and into the audit what people did. The order of facts is not touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.ports import Debt, Turn
from controller.store.db import MIGRATE_LIMIT_S, Database
from controller.store.statements import NAMES, statements
from controller.store.tables import calls, lead, live
from controller.store.turns import batch_of, ended_in, history_of, scrubbed

SOME: Final = 500
"""How many turns are in memory at a time, and names in one question."""
_NUMBERED_OR_LIVE: Final = ("fact", "live_put", "live_drop")
_T = TypeVar("_T")


async def settle(database: Database, debt: Debt) -> bool:
    """Write it in one transaction; see `ports.Ledger.settle`."""
    async with database.writing(MIGRATE_LIMIT_S) as connection:
        # Whoever takes the lead waits for us: it reads the rows of the life that led last as that life left them.
        led_last = select(lead.c.holder).where(lead.c.holder == debt.holder).with_for_update()
        whole = await connection.scalar(led_last) is not None
        turns = debt.turns() if whole else await _what_nobody_knows(connection, debt)
        for some in _by_some(turns):
            await _write(connection, some, left_out=() if whole else _NUMBERED_OR_LIVE)
    return whole


async def _what_nobody_knows(connection: AsyncConnection, debt: Debt) -> Iterator[Turn]:
    ended = set(ended_in(debt.turns()))
    for names in _by_some(sorted(ended)):
        live_calls = select(live.c.id).where(live.c.kind == "call", live.c.id.in_(names))
        for known in (live_calls, select(calls.c.id).where(calls.c.id.in_(names))):
            ended.difference_update((await connection.scalars(known)).all())
    return (history_of(turn, ended) for turn in debt.turns())


async def _write(connection: AsyncConnection, turns: Sequence[Turn], left_out: Sequence[str]) -> None:
    said = statements(connection.dialect)
    for name, rows in scrubbed(batch_of(turns)).items():
        if name not in left_out:
            await connection.execute(said[name], [dict(zip(NAMES[name], row, strict=True)) for row in rows])


def _by_some(values: Iterable[_T]) -> Iterator[list[_T]]:
    them = iter(values)
    while some := list(islice(them, SOME)):
        yield some
