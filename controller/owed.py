"""Turns on their way to the books: one writer task, and what happens when the books do not answer.

A turn is owed from the moment it is decided until the ledger has it. When the ledger takes longer than
`COMMIT_LIMIT_S` the engine is degraded: it goes on from memory, the turns wait here in their order, and are written,
again and again, until none is owed. As long as that lasts they stand in the spool too (`controller.spool`), before
anything of them is said: should we end meanwhile, the next start hands them in. Memory holds the newest
`OWED_MAX`; older ones are read from the spool when their time has come.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Protocol

from controller.core.facts import CallEnded
from controller.errors import LeadLostError, LedgerError
from controller.ports import Ledger, Line, Turn
from controller.spool import Spool

COMMIT_LIMIT_S = 0.25
OWED_MAX = 10_000
SPOOLED_TURNS = 100
"""How many are read from the spool at a time: some ten milliseconds."""
COMMIT_TURNS = 1_000
"""How many are written at once: the rows of more would keep the event loop."""
RETRY_S = 0.5
READ_TRIES = 20
"""How often a spool that cannot be read is asked before it is put aside."""


class CommitMeter(Protocol):
    """What the books tell the metrics room."""

    def commit(self, seconds: float, turns: int) -> None:
        """One commit took so long."""

    def degraded(self, on: bool, owed: int) -> None:
        """The engine is, or is no longer, routing without its books."""


class Owed:
    """What the ledger has not confirmed yet.

    `wake` is called when the lead was lost while nobody waited for a commit and when somebody waits for what is owed,
    `late` when the books fall behind and when they have caught up. What stands in the `spool` already is owed as well.
    """

    def __init__(
        self,
        ledger: Ledger,
        meter: CommitMeter,
        wake: Callable[[], None],
        late: Callable[[bool], None],
        spool: Spool,
    ) -> None:
        self.degraded = False
        self.lost = 0
        self.lead_lost: LeadLostError | None = None
        self._ledger = ledger
        self._meter = meter
        self._wake = wake
        self._late = late
        self._spool = spool
        self._turns: deque[Turn] = deque()
        self._first = spool.kept
        self._written = 0
        self._spooled_from = 0
        self._unreadable = 0
        self._writing: asyncio.Task[None] | None = None
        self._readers: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        return len(self._turns) + self._only_spooled

    def owe(self, turns: Sequence[Turn]) -> None:
        """Take turns that are to be written with the next commit."""
        self._turns.extend(turns)
        if len(self._turns) > OWED_MAX:
            self.keep()
            while len(self._turns) > OWED_MAX:
                self._turns.popleft()
                self._first += 1
                self.lost += self._first > self._spooled_to

    async def commit(self) -> None:
        """Return when all is on the books, or at once while the books are late; LeadLostError when fenced."""
        if not self._turns:
            return
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        if self.degraded and self.lead_lost is None:
            self.keep()
            self._meter.degraded(True, len(self))
            return
        done, _ = await asyncio.wait({self._writing}, timeout=COMMIT_LIMIT_S)
        if not done:
            self._degrade(True)
        if self.lead_lost is not None:
            self._free_readers()
            raise self.lead_lost

    async def written(self) -> None:
        """Return at a moment when the world shows nothing that is not on the books; at once while they are late."""
        if (self._turns or self._writing is not None) and not self.degraded:
            seen: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._readers.append(seen)
            self._wake()
            await seen

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for `written`."""
        return bool(self._readers)

    async def let_read(self) -> None:
        """Let those who wait for `written` look at the world, before the next step changes it."""
        if self._readers:
            self._free_readers()
            await asyncio.sleep(0)

    def ends(self) -> dict[str, tuple[CallEnded, tuple[Line, ...]]]:
        """Calls that have ended and are not on the books yet, with their stories: a reader finds them nowhere else."""
        found: dict[str, tuple[CallEnded, tuple[Line, ...]]] = {}
        for turn in self._turns:
            stories = dict(turn.stories)
            ends = (said.fact for said in turn.facts if isinstance(said.fact, CallEnded))
            found.update((fact.call, (fact, stories.get(fact.call, ()))) for fact in ends)
        return found

    async def close(self, limit_s: float) -> None:
        """Write what is still owed, at most so long; the rest is left in the spool."""
        if self._turns and self._writing is None and self.lead_lost is None:
            self._writing = asyncio.create_task(self._write())
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=limit_s)
        self.keep()
        self._spool.close()

    def keep(self) -> None:
        """Put what is owed into the spool, as far as it is not there."""
        if not self._spool.kept:
            self._spooled_from = self._first
        self._spool.keep(list(islice(self._turns, max(0, self._spooled_to - self._first), None)))

    async def _write(self) -> None:
        try:
            while self._turns:
                try:
                    turns = self._next()
                    began = time.perf_counter()
                    await self._ledger.commit([turn for turn in turns if turn is not None])
                except LeadLostError as error:
                    self.lead_lost = error
                    self._wake()
                    return
                except (LedgerError, OSError):
                    self._degrade(True)
                    await asyncio.sleep(RETRY_S)
                    continue
                self._meter.commit(time.perf_counter() - began, len(turns))
                self._written += len(turns)
                self.lost += sum(turn is None for turn in turns)
                while self._first < self._written:
                    self._turns.popleft()
                    self._first += 1
            self._spool.clear()
            self._degrade(False)
        finally:
            self._writing = None

    def _next(self) -> Sequence[Turn | None]:
        """The turns whose time has come: all that memory holds, unless older ones wait in the spool.

        While there is a spool, what is written is in it before: handed in after a crash, it must not end before the
        books do. OSError when the spool cannot be read now.
        """
        if self.degraded or self._spool.kept:
            self.keep()
        if self._written < self._first:
            if turns := self._from_spool():
                return turns
            self._written = self._first
        return list(islice(self._turns, self._covered()))

    def _from_spool(self) -> Sequence[Turn | None]:
        """The oldest turns that memory holds no longer."""
        at, many = max(self._written, self._spooled_from), min(SPOOLED_TURNS, self._only_spooled)
        try:
            turns = self._spool.read(at - self._spooled_from, many) if many else ()
        except OSError:
            self._unreadable += 1
            if self._unreadable < READ_TRIES:
                raise
            self.lost += self._only_spooled
            self._spool.give_up()
            turns = ()
        self._unreadable = 0
        if not turns:
            return ()
        self._written = at
        return turns

    def _covered(self) -> int:
        """How many of the turns in memory may be written at once.

        A disk that failed has the spool end before memory does. What stands in it is written first and the spool
        cleared; without one, nothing is handed in.
        """
        if self._spool.kept and self._spooled_to <= self._first:
            self._spool.clear()
            self.keep()
        within = self._spooled_to - self._first if self._spool.kept else COMMIT_TURNS
        return min(within, COMMIT_TURNS) if within > 0 else COMMIT_TURNS

    @property
    def _spooled_to(self) -> int:
        return self._spooled_from + self._spool.kept

    @property
    def _only_spooled(self) -> int:
        """How many turns stand in the spool and no longer in memory."""
        return max(0, min(self._first, self._spooled_to) - max(self._written, self._spooled_from))

    def _free_readers(self) -> None:
        readers, self._readers = self._readers, []
        for seen in readers:
            if not seen.done():
                seen.set_result(None)

    def _degrade(self, on: bool) -> None:
        if on is not self.degraded:
            self.degraded = on
            self._late(on)
        if on:
            self.keep()
        self._meter.degraded(on, len(self))
