"""What was: ended calls, their offers and stories, alerts and facts, for reading. Nothing here decides anything.

Pages are cut by the key of the last row seen (`before`), never by counting rows, so that page 2,000 costs what page 1
costs and a call that ends meanwhile neither repeats nor hides another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sqlalchemy import BigInteger, ColumnElement, RowMapping, Select, and_, case, cast, func, or_, select, tuple_

from controller.core import codec
from controller.core.facts import CallEnded
from controller.core.model import Alert
from controller.ports import Line, Said
from controller.store.db import Database
from controller.store.tables import alerts, calls, facts, offers, stories
from controller.store.turns import fitting, story_lines

PAGE_MAX: Final = 1_000
Key = tuple[int, str]
"""Where a page ends: the instant a list is ordered by, and the id that breaks ties."""


class CallsWanted(Protocol):
    """Filters of the history; empty means every. `since_ms` ≤ arrived < `until_ms`; `callers` spell one number."""

    @property
    def hotline(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def agent(self) -> str: ...
    @property
    def callers(self) -> tuple[str, ...]: ...
    @property
    def result(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def since_ms(self) -> int | None: ...
    @property
    def until_ms(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class OfferRow:
    """One time an agent was rung. `outcome` is empty while it rings; `why` is empty when only its end was written."""

    leg: str
    call: str
    queue: str
    agent: str
    why: str
    offered_at_ms: int
    ended_at_ms: int | None
    outcome: str


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """One queue over a span of time, by arrival of the calls. Waits run from entering the queue to the answer."""

    queue: str
    queued: int = 0
    answered: int = 0
    missed: int = 0
    answered_in_sla: int = 0
    wait_sum_ms: int = 0
    offered: int = 0


class History:
    """The books, for reading. LedgerError when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def calls(self, wanted: CallsWanted, *, before: Key | None = None, limit: int = 50) -> Sequence[CallEnded]:
        """List ended calls, the last to arrive first, below `before` (arrived_at_ms, id)."""
        query = select(calls).where(*_filters(wanted))
        rows = await self._page(query, calls.c.arrived_at_ms, calls.c.id, before, limit)
        return [_call(row) for row in rows]

    async def call(self, call: str) -> CallEnded | None:
        """Return one ended call, None when there is none of this name."""
        rows = await self._rows(select(calls).where(calls.c.id == fitting(call)))
        return _call(rows[0]) if rows else None

    async def offers(self, call: str) -> Sequence[OfferRow]:
        """List the offers of a call in the order they were made."""
        query = select(offers).where(offers.c.call == fitting(call)).order_by(offers.c.offered_at_ms, offers.c.leg)
        return [OfferRow(**row) for row in await self._rows(query)]

    async def story(self, call: str) -> Sequence[Line]:
        """Return the lines of an ended call's story; none when it is unknown or was pruned."""
        query = select(stories.c.lines).where(stories.c.call == fitting(call)).order_by(stories.c.at_ms, stories.c.part)
        return [line for row in await self._rows(query) for line in story_lines(call, row["lines"])]

    async def alerts(self, *, before: Key | None = None, limit: int = 50, open_only: bool = False) -> Sequence[Alert]:
        """List alerts, the last to be raised first, below `before` (raised_at_ms, id)."""
        query = select(alerts)
        if open_only:
            query = query.where(alerts.c.cleared_at_ms.is_(None))
        rows = await self._page(query, alerts.c.raised_at_ms, alerts.c.id, before, limit)
        return [Alert(**row) for row in rows]

    async def facts(self, after: int, limit: int = PAGE_MAX) -> Sequence[Said]:
        """List facts with a number above `after` that are still on the books, oldest first.

        A fact of a newer program, or a torn one, is left out: one row must not end a viewer's stream.
        """
        query = select(facts).where(facts.c.seq > fitting(after)).order_by(facts.c.seq).limit(min(limit, PAGE_MAX))
        found = [_said(row) for row in await self._rows(query)]
        return [said for said in found if said is not None]

    async def queue_figures(
        self, since_ms: int, until_ms: int, sla_s: Mapping[str, int] | None = None
    ) -> dict[str, QueueFigures]:
        """Sum up every queue over calls that arrived in [since_ms, until_ms). `sla_s` gives seconds by queue name."""
        within = and_(calls.c.arrived_at_ms >= since_ms, calls.c.arrived_at_ms < until_ms)
        query = _figures(sla_s or {}).where(within, calls.c.queue != "", calls.c.queued_at_ms.is_not(None))
        return {row["queue"]: QueueFigures(**row) for row in await self._rows(query)}

    async def _page(
        self,
        query: Select[Any],
        at_ms: ColumnElement[int],
        name: ColumnElement[str],
        before: Key | None,
        limit: int,
    ) -> Sequence[RowMapping]:
        if before is not None:
            query = query.where(tuple_(at_ms, name) < tuple_(*map(fitting, before)))
        return await self._rows(query.order_by(at_ms.desc(), name.desc()).limit(min(limit, PAGE_MAX)))

    async def _rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        async with self._database.reading() as connection:
            rows: Sequence[RowMapping] = (await connection.execute(query)).mappings().all()
        return rows


def _filters(wanted: CallsWanted) -> list[ColumnElement[bool]]:
    """Conditions of the history; every value is a bound parameter."""
    same = {
        calls.c.hotline: wanted.hotline,
        calls.c.queue: wanted.queue,
        calls.c.agent: wanted.agent,
        calls.c.result: wanted.result,
        calls.c.direction: wanted.direction,
    }
    found: list[ColumnElement[bool]] = [column == fitting(value) for column, value in same.items() if value]
    if wanted.callers:
        found.append(calls.c.caller.in_([fitting(caller) for caller in wanted.callers]))
    if wanted.since_ms is not None:
        found.append(calls.c.arrived_at_ms >= fitting(wanted.since_ms))
    if wanted.until_ms is not None:
        found.append(calls.c.arrived_at_ms < fitting(wanted.until_ms))
    return found


def _figures(sla_s: Mapping[str, int]) -> Select[Any]:
    answered = calls.c.answered_at_ms.is_not(None)
    wait_ms = calls.c.answered_at_ms - calls.c.queued_at_ms
    limits = [and_(calls.c.queue == queue, wait_ms <= seconds * 1000) for queue, seconds in sla_s.items()]

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count(case((condition, 1)))

    return select(
        calls.c.queue,
        func.count().label("queued"),
        count(answered).label("answered"),
        count(calls.c.result == "missed").label("missed"),
        count(and_(answered, or_(*limits)) if limits else calls.c.queue == "").label("answered_in_sla"),
        cast(func.coalesce(func.sum(case((answered, wait_ms), else_=0)), 0), BigInteger).label("wait_sum_ms"),
        cast(func.coalesce(func.sum(calls.c.offers), 0), BigInteger).label("offered"),
    ).group_by(calls.c.queue)


def _call(row: RowMapping) -> CallEnded:
    values = dict(row)
    values["call"] = values.pop("id")
    return CallEnded(**values)


def _said(row: RowMapping) -> Said | None:
    try:
        return Said(row["seq"], row["at_ms"], codec.loads(row["body"]))
    except (ValueError, TypeError, RecursionError):
        return None
