"""The heart: one writer, one queue.

    inbox -> step -> commit -> publish -> release

Events wait in the inbox; the writer takes what is there, lets the core decide on each, writes all of it in one
transaction, publishes the facts, answers whoever asked, and only then releases the commands. When the books do not
answer in time (`controller/owed.py`) the engine is degraded: it routes from memory and catches up. There are no
timers: the writer sleeps until the next event or the nearest deadline of the world.

A turn that nobody waits for (no command, no answer) may be written and published together with the next one, at most
`LINGER_S` later: half of the commits of a call. A crash in between forgets it whole, as if it had come a moment later,
and what Asterisk has then tells it again.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from controller.core.answer import Answer
from controller.core.commands import Command
from controller.core.events import ClockMoved, Event, SnapshotTaken, Ticked
from controller.core.facts import CallEnded
from controller.core.step import Step, step
from controller.core.world import World
from controller.errors import LedgerError
from controller.feed import Feed
from controller.journal import Journal
from controller.owed import CommitMeter, Owed
from controller.ports import Clock, Deed, Ledger, Line, Said, Turn
from controller.stories import Stories
from controller.watch import Watch

BATCH_MAX = 256
HELD_MAX = 50_000
CLOCK_STEP_MS = 500
BROKEN_PAUSE_S = 1.0
LINGER_S = 0.02


HANDS_OVER = "this controller hands over to another: ask again"


class Meter(CommitMeter, Protocol):
    """What the engine tells the metrics room."""

    def step(self, event: str, seconds: float) -> None:
        """One step took so long."""

    def odd(self, why: str) -> None:
        """A step broke or met something unforeseen."""


class NoMeter:
    """Measures nothing."""

    def step(self, event: str, seconds: float) -> None:
        """One step took so long."""

    def commit(self, seconds: float, turns: int) -> None:
        """One commit took so long."""

    def degraded(self, on: bool, owed: int) -> None:
        """The engine is, or is no longer, routing without its books."""

    def odd(self, why: str) -> None:
        """A step broke or met something unforeseen."""


@dataclass(slots=True)
class _Item:
    event: Event
    answer: asyncio.Future[Answer] | None = None
    deed: Callable[[], Deed] | None = None


@dataclass(slots=True)
class _Batch:
    """What one round of steps, or a few of them, left to be written, said, answered and done."""

    said: list[Said] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    answers: list[tuple[asyncio.Future[Answer], Answer]] = field(default_factory=list)

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody inside or outside can go on only when this is written."""
        return bool(self.commands or self.answers)


class Engine:
    """The one writer. `release` takes the commands of a turn once it is on the books."""

    def __init__(
        self,
        world: World,
        ledger: Ledger,
        clock: Clock,
        release: Callable[[Sequence[Command]], None],
        journal: Journal,
        last_seq: int = 0,
        meter: Meter | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.world = world
        self.feed = Feed(last_seq)
        self.flooded: Callable[[], None] = lambda: None
        self.ready_parts: dict[str, str] = {"asterisk": "connecting", "database": "ok", "agi": "down"}
        self._clock = clock
        self._log = structlog.get_logger("engine")
        self._release = release
        self._journal = journal
        self._meter = meter or NoMeter()
        self._watch = watch or Watch()
        self._inbox: deque[_Item] = deque()
        self._held: deque[Event] | None = deque()
        self._held_lost = False
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._seq = last_seq
        self._life = secrets.token_hex(8)
        self._deeds = 0
        self._stopping = False
        self._books = Owed(ledger, self._meter, self._wake.set, self._books_late, journal.spool)
        self._batch = _Batch()
        self._linger: asyncio.TimerHandle | None = None
        self._lingered = False
        self._turned_at_s = time.monotonic()
        self._offset_ms = clock.now_ms() - self._monotonic_ms()
        self._stories = Stories(world, journal)

    # -- the door --------------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """Put an event into the inbox; never blocks."""
        self._inbox.append(_Item(event))
        self._wake.set()

    def hear(self, event: Event) -> None:
        """The event stream speaks: held back while a snapshot is under way, so that it is seen first.

        Faster than it can be decided on, it is left out and held back from here on, and `flooded` is told: a snapshot
        taken afterwards shows what was missed, and nothing is dropped in silence.
        """
        if self._held is None and len(self._inbox) < HELD_MAX:
            self.tell(event)
        elif self._held is None:
            self._held = deque()
            self.flooded()
        elif len(self._held) < HELD_MAX:
            self._held.append(event)
        else:
            self._held_lost = True

    async def ask(self, event: Event, deed: Callable[[], Deed] | None = None) -> Answer:
        """Put an event into the inbox and wait until it is decided and written down.

        `deed` is called just before the step, so that it can tell what was there; unless the answer is no, it goes on
        the audit in the transaction of what it changed.
        """
        if self._stopping:
            raise LedgerError(HANDS_OVER)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._inbox.append(_Item(event, answer, deed))
        self._wake.set()
        return await answer

    def hold(self) -> None:
        """From now on keep back what the event stream says: a snapshot will be taken."""
        if self._held is None:
            self._held = deque()

    def resume(self, snapshot: SnapshotTaken) -> bool:
        """Let the snapshot in, then what was held back. False when too much was held: take another snapshot."""
        held, self._held = self._held or deque(), None
        lost, self._held_lost = self._held_lost, False
        self.tell(snapshot)
        for event in held:
            self.tell(event)
        return not lost

    @property
    def behind(self) -> int:
        """Events that wait to be decided on."""
        return len(self._inbox)

    @property
    def stuck_s(self) -> float:
        """For how long an event has waited without any turn being taken."""
        return time.monotonic() - self._turned_at_s if self._inbox else 0.0

    @property
    def journal_failures(self) -> int:
        """How often the journal, or what stands in for the books while they are away, could not be written."""
        return self._journal.failures + self._journal.spool.failures

    def story(self, call: str) -> tuple[Line, ...]:
        """What has happened to a live call so far."""
        return self._stories.of(call)

    async def written(self) -> None:
        """Return at a moment when the world shows nothing that a crash could take back: look before awaiting anything.

        At once while the engine is degraded: then memory is all there is.
        """
        await self._books.written()

    @property
    def degraded(self) -> bool:
        """Whether calls are routed from memory because the books do not answer."""
        return self._books.degraded

    @property
    def owed(self) -> int:
        """Turns not yet on the books."""
        return len(self._books)

    @property
    def owed_lost(self) -> int:
        """Turns given up because more than `owed.OWED_MAX` were waiting for the books."""
        return self._books.lost

    def owed_ends(self) -> dict[str, tuple[CallEnded, tuple[Line, ...]]]:
        """Calls that have ended and are not on the books yet, with their stories: a reader finds them nowhere else."""
        return self._books.ends()

    # -- the writer --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Take turns until told to stop; LeadLostError when the books belong to another instance."""
        while not self._stopping:
            await self._wake.wait()
            self._wake.clear()
            if self._books.lead_lost is not None:
                raise self._books.lead_lost
            self._turned_at_s = time.monotonic()
            while (self._inbox or self._is_due() or self._clock_moved()) and not self._stopping:
                await self._turn()
                self._turned_at_s = time.monotonic()
            if self._books.wanted or self._lingered:
                await self._settle()
            self._set_timer()
        await self._settle()
        for item in self._inbox:
            if item.answer is not None and not item.answer.done():
                item.answer.set_exception(LedgerError(HANDS_OVER))

    def stop(self) -> None:
        """End after the turn under way: what has not been decided is left to the controller that takes over."""
        self._stopping = True
        self._wake.set()

    async def _turn(self) -> None:
        now_ms = self._clock.now_ms()
        self._watch_clock(now_ms, self._batch)
        if not self._inbox and self._step(_Item(Ticked()), now_ms, self._batch).broken:
            await asyncio.sleep(BROKEN_PAUSE_S)
        for _ in range(min(len(self._inbox), BATCH_MAX)):
            self._step(self._inbox.popleft(), now_ms, self._batch)
        if self._batch.is_waited_for or self._books.wanted or self.degraded or self._lingered:
            await self._settle()
        elif self._linger is None:
            self._linger = asyncio.get_running_loop().call_later(LINGER_S, self._linger_over)

    def _linger_over(self) -> None:
        self._lingered = True
        self._wake.set()

    async def _settle(self) -> None:
        """Write down what was decided, then say it, then let it be done."""
        batch, self._batch = self._batch, _Batch()
        if self._linger is not None:
            self._linger.cancel()
        self._linger, self._lingered = None, False
        self._journal.write(batch.lines)
        await self._books.commit()
        for said in batch.said:
            self.feed.publish(said)
        self._release(batch.commands)
        for waiting, answer in batch.answers:
            if not waiting.done():
                waiting.set_result(answer)
        await self._books.let_read()

    def _step(self, item: _Item, now_ms: int, batch: _Batch) -> Step:
        deed = item.deed() if item.deed is not None else None
        began = time.perf_counter()
        done = step(self.world, item.event, now_ms)
        self._meter.step(type(item.event).__name__, time.perf_counter() - began)
        if done.broken:
            self._meter.odd(done.broken)
            self._log.error("a step broke and was undone", cause=done.cause, why=done.broken)
        self._watch.after(self.world, done)
        batch.lines.extend(self._stories.told(item.event, done, now_ms))
        if item.answer is not None:
            batch.answers.append((item.answer, done.answer))
        batch.commands.extend(done.commands)
        deeds = (self._signed(deed),) if deed is not None and done.answer.ok else ()
        if done.changes or done.facts or deeds:
            said = tuple(self._number(fact, now_ms) for fact in done.facts)
            batch.said.extend(said)
            self._books.owe((Turn(now_ms, done.changes, said, self._stories.closed(done), deeds),))
        return done

    def _signed(self, deed: Deed) -> Deed:
        """The same deed under a key nobody else uses, so that a repeated commit does not tell it twice."""
        self._deeds += 1
        return replace(deed, key=f"{self._life}.{self._deeds}")

    def _number(self, fact: object, now_ms: int) -> Said:
        self._seq += 1
        return Said(self._seq, now_ms, fact)  # type: ignore[arg-type]  # facts of a step are Facts

    async def close(self, limit_s: float) -> None:
        """Write what is still owed, at most so long."""
        self._journal.write(self._batch.lines)
        await self._books.close(limit_s)
        self._journal.close()

    def _books_late(self, on: bool) -> None:
        self.ready_parts["database"] = "degraded" if on else "ok"

    # -- time ----------------------------------------------------------------------------------------------------------

    def _is_due(self) -> bool:
        at_ms = self.world.next_due_ms()
        return at_ms is not None and at_ms <= self._clock.now_ms()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at_ms = self.world.next_due_ms()
        if at_ms is not None:
            delay_s = max(0.0, (at_ms - self._clock.now_ms()) / 1000)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._wake.set)

    def _clock_moved(self) -> bool:
        """Whether somebody set the clock since the last turn: set back, nothing would be due for as long."""
        return abs(self._clock.now_ms() - self._monotonic_ms() - self._offset_ms) >= CLOCK_STEP_MS

    def _watch_clock(self, now_ms: int, batch: _Batch) -> None:
        offset_ms = now_ms - self._monotonic_ms()
        delta_ms = offset_ms - self._offset_ms
        self._offset_ms = offset_ms
        if abs(delta_ms) >= CLOCK_STEP_MS:
            self._step(_Item(ClockMoved(delta_ms)), now_ms, batch)

    @staticmethod
    def _monotonic_ms() -> int:
        """A clock nobody sets: against it a stepped wall clock is noticed."""
        return time.monotonic_ns() // 1_000_000
