"""The history as of this instant: a call that ended a moment ago, or while the books were silent, is in it too.

A call leaves the world in the step that ends it and stands on the books a commit later. Whoever asks in between would
be told that there never was such a call. So what is owed is looked at before the books are: what is written while they
are being read is found in one of the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import nlargest
from typing import Protocol

from controller.core.facts import CallEnded
from controller.core.model import Alert
from controller.ports import Line, Said
from controller.web.deps import CallsWanted, History


class Owing(Protocol):
    """The engine, as far as it owes the books."""

    def owed_ends(self) -> Mapping[str, tuple[CallEnded, tuple[Line, ...]]]:
        """Calls that have ended and are not on the books yet, with their stories."""
        ...


class Latest:
    """A `History` that knows what the engine still owes it."""

    def __init__(self, history: History, engine: Owing) -> None:
        self._history = history
        self._engine = engine

    async def calls(self, wanted: CallsWanted, *, before: tuple[int, str] | None, limit: int) -> Sequence[CallEnded]:
        """Ended calls by (arrived_at_ms, id), newest first, below `before`."""
        owed = [row for row, _ in self._engine.owed_ends().values() if fits(row, wanted, before)]
        written = await self._history.calls(wanted, before=before, limit=limit)
        if not owed:
            return written
        rows = {(row.arrived_at_ms, row.call): row for row in (*owed, *written)}
        return [rows[key] for key in nlargest(limit, rows)]

    async def call(self, call: str) -> CallEnded | None:
        """One ended call."""
        owed = self._engine.owed_ends().get(call)
        return owed[0] if owed else await self._history.call(call)

    async def story(self, call: str) -> Sequence[Line]:
        """What happened to an ended call."""
        owed = self._engine.owed_ends().get(call)
        return owed[1] if owed else await self._history.story(call)

    async def facts(self, after: int, limit: int) -> Sequence[Said]:
        """Facts on the books; the latest ones stand in the feed."""
        return await self._history.facts(after, limit)

    async def alerts(self, *, before: tuple[int, str] | None, limit: int) -> Sequence[Alert]:
        """Alerts by (raised_at_ms, id), newest first, below `before`."""
        return await self._history.alerts(before=before, limit=limit)


def fits(row: CallEnded, wanted: CallsWanted, before: tuple[int, str] | None) -> bool:
    """Whether an ended call passes these filters, as the books would say."""
    return (
        (before is None or (row.arrived_at_ms, row.call) < before)
        and (wanted.since_ms is None or row.arrived_at_ms >= wanted.since_ms)
        and (wanted.until_ms is None or row.arrived_at_ms < wanted.until_ms)
        and _named(row, wanted)
        and (not wanted.callers or row.caller in wanted.callers)
    )


def _named(row: CallEnded, wanted: CallsWanted) -> bool:
    pairs = (
        (wanted.hotline, row.hotline),
        (wanted.queue, row.queue),
        (wanted.agent, row.agent),
        (wanted.result, row.result),
        (wanted.direction, row.direction),
    )
    return all(asked in {"", found} for asked, found in pairs)
