"""The books the engine writes: what it owes is written in one transaction a commit, and read again at the next start.

Everything has a key, so a commit may be repeated after an unknown outcome. One commit is under way at a time; when its
answer is late the caller gets LedgerError after `COMMIT_LIMIT_S`, and the next commit first sees that one end.

Whoever loads the books takes the lead in the same transaction: a controller that led before is refused from then on
(LeadLostError). So nothing is written between what was read and our first commit, whose facts go on from the number
that was read, and no zombie writes an old world over the new one. On PostgreSQL a daemon takes the lead with the lease
(`store.lease`) before it loads anything. Books that can be read and not written (locked, full) are read alone, for
calls come first; then the first commit takes the lead, unless somebody has written since.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

import structlog
from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from controller import setup_file
from controller.core import codec
from controller.core.model import Entity, Pbx, key_of
from controller.core.world import OVER_MAX
from controller.errors import LedgerError
from controller.ports import Clock, Debt, Loaded, Turn
from controller.store import schema, settling
from controller.store.db import OPEN_LIMIT_S, Database
from controller.store.setup_repo import Parse, StoredSetup, latest, setup_of
from controller.store.sqlite_writer import SqliteWriter
from controller.store.statements import KNOWN_ALL, insert_for, lead_take
from controller.store.tables import LIVE_SCHEMA, calls, facts, lead, live, live_quarantine, meta

if TYPE_CHECKING:
    from controller.store.postgres_writer import PostgresWriter

COMMIT_LIMIT_S: Final = 3.0
"""The longest a commit keeps its caller: a little more than SQLite waits for another writer."""
TAKE_LIMIT_S: Final = 2.5
"""The longest a start waits to take the lead: a little more than SQLite waits for another writer."""
TURN_LIMIT_S: Final = 0.002
"""What each turn adds to that: ten thousand of them, owed after a long outage, take seconds by themselves."""
REASON_MAX: Final = 200
BOOKS: Final = "books"
"""The mark that names the books (table `meta`)."""
_ENTITIES: Final[tuple[type, ...]] = get_args(Entity)
_LAST_CALLS: Final = select(calls.c.id).order_by(calls.c.arrived_at_ms.desc(), calls.c.id.desc()).limit(OVER_MAX)


@dataclass(frozen=True, slots=True)
class _Unread:
    """A live row that could not be read, and why."""

    kind: str
    id: str
    schema: int
    body: str
    reason: str

    def __str__(self) -> str:
        return f"live row {self.kind} {self.id}: {self.reason}"


class _Rows(NamedTuple):
    """What a start reads: the setup as stored, the last fact's number, live rows, the calls that ended last."""

    stored: StoredSetup
    last_seq: int
    live: Sequence[Row[Any]]
    ended: Sequence[str]


class SqlLedger:
    """`ports.Ledger` on SQLite or PostgreSQL. The database must have been migrated (`db.migrate`)."""

    def __init__(self, database: Database, clock: Clock, parse: Parse = setup_file.parse_in_force) -> None:
        self._database = database
        self._clock = clock
        self._parse = parse
        self.holder = secrets.token_hex(8)
        """The name we lead under, of this life alone."""
        self._writer = _writer(database, self.holder)
        self.followed = ""
        """Who led last where we looked only, and have not taken the lead yet (`load`)."""
        self._leading = False
        self._pending: asyncio.Future[None] | None = None

    async def commit(self, turns: Sequence[Turn]) -> None:
        """Write these turns; LedgerError when it failed, or when the database is silent and the outcome unknown."""
        limit_s = COMMIT_LIMIT_S + len(turns) * TURN_LIMIT_S
        if self._pending is not None:
            await self._wait(self._pending, limit_s)
        self._pending = pending = self._writer.write(tuple(turns), limit_s)
        await self._wait(pending, limit_s)
        pending.result()

    def lead(self) -> None:
        """From now on we lead, and nothing here takes the lead by itself: the lease was taken in our name."""
        self._writer.lead()
        self._leading = True

    async def name_of_books(self) -> str:
        """Return what these books are called, whoever opens them; they are given the name when it is first asked."""
        query = select(meta.c.value).where(meta.c.name == BOOKS)
        async with self._database.reading() as connection:
            found = await connection.scalar(query)
        if found is None:
            async with self._database.writing() as connection:
                add = insert_for(connection.dialect, meta).values(name=BOOKS, value=secrets.token_hex(8))
                await connection.execute(add.on_conflict_do_nothing())
                found = await connection.scalar(query)
        return str(found)

    async def settle(self, debt: Debt) -> bool:
        """Write what an earlier life owed; see `ports.Ledger.settle`."""
        return await settling.settle(self._database, debt)

    async def load(self, *, look: bool = False) -> Loaded:
        """Take the lead and read everything a start needs; rows that cannot be read are set aside and named.

        `look` leaves the lead to our first commit: what the one that led last owed could not be written yet.
        """
        stored, last_seq, rows, ended = (None if look else await self._led()) or await self._looked()
        read = [_read(row) for row in rows]
        unread = [found for found in read if isinstance(found, _Unread)]
        if unread:
            await self._quarantine(unread)
        entities = tuple(found for found in read if not isinstance(found, _Unread))
        return Loaded(
            setup=setup_of(stored, self._parse),
            entities=entities,
            last_seq=last_seq,
            boot=next((row.boot for row in entities if isinstance(row, Pbx)), ""),
            quarantined=tuple(str(found) for found in unread),
            over=tuple(reversed(ended)),
        )

    async def _led(self) -> _Rows | None:
        """Take the lead and read in one transaction; None when we lead already, or the books cannot be written."""
        if self._leading:
            return None
        names = {"holder": self.holder, "unless_holder": self.holder, "known_to": KNOWN_ALL}
        try:
            async with self._database.writing(TAKE_LIMIT_S) as connection:
                await _check_schema(connection, self._database.name)
                await connection.execute(lead_take(), names)
                found = await _rows(connection)
        except LedgerError as error:
            structlog.get_logger("store").warning("the books are read alone", why=str(error))
            return None
        self.lead()
        return found

    async def _looked(self) -> _Rows:
        """Read alone; the first commit is refused if somebody else has written by then."""
        async with self._database.reading(OPEN_LIMIT_S) as connection:
            await _check_schema(connection, self._database.name)
            found = await _rows(connection)
            if not self._leading:
                self.followed = await connection.scalar(select(lead.c.holder)) or ""
        self._writer.known_to = found.last_seq
        return found

    async def close(self) -> None:
        """Let the last commit end, then close its connection (not the database's pool)."""
        with suppress(LedgerError):
            if self._pending is not None:
                await self._wait(self._pending, COMMIT_LIMIT_S)
        await self._writer.close()

    async def _wait(self, pending: asyncio.Future[None], limit_s: float) -> None:
        """Wait for a commit to end, well or not. It goes on when we give up, or are cancelled, before it ends."""
        if pending.done():
            return
        try:
            await asyncio.wait((pending,), timeout=limit_s)
        finally:
            if not pending.done():
                pending.add_done_callback(_forget)
        if not pending.done():
            raise LedgerError(f"{self._database.name}: no answer in time")

    async def _quarantine(self, unread: Sequence[_Unread]) -> None:
        """Move rows out of the way of the next start, where a person can look at them."""
        at_ms = self._clock.now_ms()
        async with self._database.writing() as connection:
            for row in unread:
                await _set_aside(connection, row, at_ms)


async def _check_schema(connection: AsyncConnection, name: str) -> None:
    if not schema.is_current(await connection.run_sync(schema.revision)):
        raise LedgerError(f"{name} is not up to date: run `tongdai migrate`")


async def _rows(connection: AsyncConnection) -> _Rows:
    stored = await latest(connection)
    last_seq = await connection.scalar(select(func.max(facts.c.seq)))
    rows = (await connection.execute(select(live).order_by(live.c.kind, live.c.id))).all()
    return _Rows(stored, last_seq or 0, rows, (await connection.scalars(_LAST_CALLS)).all())


async def _set_aside(connection: AsyncConnection, row: _Unread, at_ms: int) -> None:
    columns = {name: getattr(row, name) for name in _Unread.__slots__}
    await connection.execute(insert(live_quarantine), {"at_ms": at_ms, **columns})
    await connection.execute(delete(live).where(live.c.kind == row.kind, live.c.id == row.id))


def _writer(database: Database, holder: str) -> SqliteWriter | PostgresWriter:
    if database.sqlite:
        return SqliteWriter(database, holder)
    from controller.store.postgres_writer import PostgresWriter  # noqa: PLC0415 - its driver takes time to load

    return PostgresWriter(database, holder)


def _read(row: Row[Any]) -> Entity | _Unread:
    """Read one live row; whatever is wrong with it concerns this row only."""
    unread = _Unread(row.kind, row.id, row.schema, row.body, "holds something else")
    if row.schema > LIVE_SCHEMA:
        return replace(unread, reason=f"written by a newer program (schema {row.schema})")
    try:
        entity: Entity = codec.loads(row.body)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return replace(unread, reason=" ".join(str(error).split())[:REASON_MAX])
    if not isinstance(entity, _ENTITIES) or key_of(entity) != (row.kind, row.id):
        return unread
    return entity


def _forget(done: asyncio.Future[None]) -> None:
    """Look at the outcome of a commit nobody waits for any more, so that asyncio does not complain."""
    if not done.cancelled():
        done.exception()
