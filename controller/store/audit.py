"""Who changed what: one row a change, written in the transaction of the change itself.

What goes through the engine (an agent's status, a hang-up by hand) is written by the ledger, with its turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

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


_SHOWN: Final = [tables.audit.c[name] for name in Entry.__slots__]


async def write(connection: AsyncConnection, at_ms: int, entry: Entry) -> None:
    """Add an entry to the transaction of what it tells about."""
    row = {"who": entry.who, "action": entry.action, "subject": entry.subject, "old": entry.old, "new": entry.new}
    await connection.execute(insert(tables.audit), {"at_ms": at_ms, **row})


async def latest(database: Database, limit: int = 50, before: int | None = None) -> Sequence[Entry]:
    """List entries, newest first; `before` is the `n` of the last one of a page."""
    query = select(*_SHOWN).order_by(tables.audit.c.n.desc()).limit(limit)
    if before is not None:
        query = query.where(tables.audit.c.n < before)
    async with database.reading() as connection:
        return [Entry(**row) for row in (await connection.execute(query)).mappings()]
