"""Forgetting: facts and stories older than so many days, in small bites between commits."""

from __future__ import annotations

import asyncio
from typing import Final

from sqlalchemy import delete, func, select

from controller.store.db import Database
from controller.store.tables import facts, stories

BITE_ROWS: Final = 1_000
PAUSE_S: Final = 0.05
"""Between two bites the door is free for the ledger."""
DAY_MS: Final = 86_400_000


async def prune_facts(database: Database, now_ms: int, days: int) -> int:
    """Remove facts older than `days` and return how many went. The newest stays: numbering goes on from it."""
    before_ms = now_ms - days * DAY_MS
    oldest = select(facts.c.seq, facts.c.at_ms).order_by(facts.c.seq).limit(BITE_ROWS).subquery()
    newest = select(func.max(facts.c.seq)).scalar_subquery()
    gone = select(oldest.c.seq).where(oldest.c.at_ms < before_ms, oldest.c.seq < newest)
    removed = 0
    while True:
        async with database.writing() as connection:
            bite = (await connection.execute(delete(facts).where(facts.c.seq.in_(gone)))).rowcount
        removed += bite
        if bite == 0:
            return removed
        await asyncio.sleep(PAUSE_S)


async def prune_stories(database: Database, now_ms: int, days: int) -> int:
    """Remove stories that ended more than `days` ago and return how many went; the records of the calls stay."""
    before_ms = now_ms - days * DAY_MS
    some = select(stories.c.call).where(stories.c.at_ms < before_ms).order_by(stories.c.at_ms).limit(BITE_ROWS)
    removed = 0
    while True:
        async with database.writing() as connection:
            old = delete(stories).where(stories.c.at_ms < before_ms, stories.c.call.in_(some))
            bite = (await connection.execute(old)).rowcount
        removed += bite
        if bite == 0:
            return removed
        await asyncio.sleep(PAUSE_S)
