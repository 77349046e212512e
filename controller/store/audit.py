"""Who changed what: one row a change, written in the transaction of the change itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.store import tables
from controller.store.db import Database


@dataclass(frozen=True, slots=True)
class Entry:
    """A change by `who`: `action` is a word such as `setup.put`; `old` and `new` never hold a secret."""

    who: str
    action: str
    subject: str
    old: str = ""
    new: str = ""
    at_ms: int = 0
    n: int = 0


async def write(connection: AsyncConnection, at_ms: int, entry: Entry) -> None:
    """Add an entry to the transaction of what it tells about."""
    row = {"who": entry.who, "action": entry.action, "subject": entry.subject, "old": entry.old, "new": entry.new}
    await connection.execute(insert(tables.audit), {"at_ms": at_ms, **row})


async def record(database: Database, at_ms: int, entry: Entry) -> None:
    """Write an entry about something that left no other row (an agent's status, a hang-up by hand)."""
    async with database.writing() as connection:
        await write(connection, at_ms, entry)


async def latest(database: Database, limit: int = 50, before: int | None = None) -> Sequence[Entry]:
    """List entries, newest first; `before` is the `n` of the last one of a page."""
    query = select(tables.audit).order_by(tables.audit.c.n.desc()).limit(limit)
    if before is not None:
        query = query.where(tables.audit.c.n < before)
    async with database.reading() as connection:
        return [Entry(**row) for row in (await connection.execute(query)).mappings()]
