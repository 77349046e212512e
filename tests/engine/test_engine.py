"""The writer: write down, then speak; late books; deadlines; snapshots before what was held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from controller import engine as engine_module
from controller import owed
from controller.clock import SystemClock
from controller.core.commands import Command, Join, RingAgent
from controller.core.events import (
    AgentStatusAsked,
    CallArrived,
    CallGone,
    EndpointSeen,
    LegAnswered,
    LegGone,
    LegRinging,
    PhoneChanged,
    SetupChanged,
    SnapshotTaken,
)
from controller.core.setup import AgentSetup, Group, Hotline, Queue, QueueGroup, Setup
from controller.core.world import World
from controller.engine import Engine
from controller.errors import LeadLostError, LedgerError
from controller.journal import Journal
from controller.ports import Loaded, Turn

pytestmark = pytest.mark.pure

HOTLINE = "+842473001001"
SETUP = Setup(
    hotlines=(Hotline(HOTLINE, queue="sales"),),
    queues=(Queue("sales", (QueueGroup("sales"),), ring_time=60),),
    groups=(Group("sales"),),
    agents=(AgentSetup("an", ("sales",), endpoint="an"),),
)
BRIEF = replace(SETUP, queues=(replace(SETUP.queues[0], ring_time=3),))
"""Where it is about a deadline; elsewhere none comes, however long a machine stands still."""


PATIENT_S = 20.0
COMMIT_LIMIT_S = 0.25
"""How long books may be late in the tests that are about it; elsewhere as long as a machine may stand still."""


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owed, "COMMIT_LIMIT_S", PATIENT_S)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The books are late soon."""
    monkeypatch.setattr(owed, "COMMIT_LIMIT_S", COMMIT_LIMIT_S)


class Books:
    """A ledger whose commits wait for `open`, or fail while `broken`."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.commits = 0
        self.open = asyncio.Event()
        self.open.set()
        self.broken = False
        self.taken = False

    async def load(self) -> Loaded:
        return Loaded(SETUP)

    async def commit(self, turns: Sequence[Turn]) -> None:
        await self.open.wait()
        if self.taken:
            raise LeadLostError("another instance writes these books")
        if self.broken:
            raise LedgerError("database is locked")
        self.turns.extend(turns)
        self.commits += 1


class SetClock(SystemClock):
    """A clock that somebody sets."""

    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


class Rig:
    """An engine on its own, with what it released and when."""

    def __init__(self, folder: Path | None = None, clock: SystemClock | None = None, setup: Setup = SETUP) -> None:
        self.books = Books()
        self.setup = setup
        self.released: list[Command] = []
        self.engine = Engine(World(setup), self.books, clock or SystemClock(), self.released.extend, Journal(folder))

    async def ready(self) -> None:
        self.engine.tell(SetupChanged(self.setup))
        self.engine.resume(SnapshotTaken("boot", endpoints=(EndpointSeen("an", True),)))
        assert (await self.engine.ask(AgentStatusAsked("an", "available"))).ok

    @property
    def rings(self) -> list[Command]:
        return [command for command in self.released if isinstance(command, RingAgent)]


@asynccontextmanager
async def running(
    folder: Path | None = None, clock: SystemClock | None = None, setup: Setup = SETUP
) -> AsyncIterator[Rig]:
    rig = Rig(folder, clock, setup)
    task = asyncio.create_task(rig.engine.run())
    try:
        await rig.ready()
        yield rig
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await rig.engine.close(PATIENT_S)


async def until(true: Callable[[], object], limit_s: float = 20.0) -> None:
    async with asyncio.timeout(limit_s):
        while not true():  # noqa: ASYNC110  # the world signals nobody
            await asyncio.sleep(0.005)


async def test_nothing_is_spoken_before_it_is_written_down() -> None:
    async with running() as rig:
        rig.books.open.clear()
        seen = rig.engine.feed.last_seq
        rig.engine.hear(CallArrived("1.1", HOTLINE, "0967"))
        await asyncio.sleep(0.08)
        assert rig.released == []
        assert rig.engine.feed.last_seq == seen
        rig.books.open.set()
        await until(lambda: rig.rings)
        written = [said.fact for turn in rig.books.turns for said in turn.facts]
        assert [said.fact for said in rig.engine.feed.since(0)] == written


async def test_a_turn_nobody_waits_for_is_written_with_the_next_one_and_not_before_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_module, "LINGER_S", PATIENT_S)
    async with running() as rig:
        rig.engine.hear(CallArrived("1.1", HOTLINE, "0967"))
        await until(lambda: rig.rings)
        seen, commits = rig.engine.feed.last_seq, rig.books.commits
        rig.engine.hear(LegRinging("1.1", "1.1.a1"))
        await until(lambda: rig.engine.world.calls["1.1"].offers[0].ringing)
        rig.engine.hear(LegAnswered("1.1", "1.1.a1"))
        await until(lambda: [command for command in rig.released if isinstance(command, Join)])
        assert rig.books.commits == commits + 1
        assert len(rig.books.turns[-2:]) == 2
        assert rig.engine.feed.last_seq > seen


async def test_a_turn_nobody_waits_for_is_written_soon_when_nothing_else_happens() -> None:
    async with running() as rig:
        rig.engine.hear(CallArrived("1.1", HOTLINE, "0967"))
        await until(lambda: rig.rings)
        written = len(rig.books.turns)
        rig.engine.hear(CallGone("1.1"))
        rig.engine.hear(LegGone("1.1", "1.1.a1", 16))
        await until(lambda: rig.engine.owed == 0 and len(rig.books.turns) == written + 2)
        assert rig.engine.world.agents["an"].state == "ready"


async def test_what_lingers_is_written_when_the_engine_closes() -> None:
    rig = Rig()
    task = asyncio.create_task(rig.engine.run())
    await rig.ready()
    written = len(rig.books.turns)
    rig.engine.hear(PhoneChanged("an", reachable=False))
    await until(lambda: rig.engine.owed)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await rig.engine.close(PATIENT_S)
    assert len(rig.books.turns) > written
    assert rig.engine.owed == 0


async def test_a_reader_sees_nothing_a_crash_could_take_back() -> None:
    async with running() as rig:
        rig.books.open.clear()
        rig.engine.hear(CallArrived("1.1", HOTLINE, "0967"))
        await until(lambda: rig.engine.world.calls)
        reader = asyncio.create_task(rig.engine.written())
        await asyncio.sleep(0.05)
        assert not reader.done()
        rig.books.open.set()
        await asyncio.wait_for(reader, PATIENT_S)
        assert not rig.engine.degraded
        assert any(change.kind == "call" for turn in rig.books.turns for change in turn.changes)


async def test_a_reader_looks_before_the_next_step_changes_the_world() -> None:
    async with running() as rig:
        seen: list[tuple[set[str], set[str]]] = []

        async def look() -> None:
            await rig.engine.written()
            on_the_books = {change.id for turn in rig.books.turns for change in turn.changes if change.kind == "call"}
            seen.append((set(rig.engine.world.calls), on_the_books))

        for n in range(40):
            rig.engine.hear(CallArrived(f"1.{n}", HOTLINE, "0967"))
            reader = asyncio.create_task(look())
            await asyncio.sleep(0)
            rig.engine.hear(CallArrived(f"2.{n}", HOTLINE, "0967"))
            await reader
        assert [shown - written for shown, written in seen] == [set()] * 40
        assert seen[-1][0]


@pytest.mark.usefixtures("late")
async def test_late_books_do_not_keep_a_reader_waiting() -> None:
    async with running() as rig:
        rig.books.open.clear()
        rig.engine.hear(CallArrived("1.1", HOTLINE, "0967"))
        await until(lambda: rig.engine.world.calls)
        await asyncio.wait_for(rig.engine.written(), PATIENT_S)
        assert rig.engine.degraded
        await asyncio.wait_for(rig.engine.written(), PATIENT_S)
        rig.books.open.set()
        await until(lambda: not rig.engine.degraded)


@pytest.mark.usefixtures("late")
async def test_no_call_waits_for_the_books_longer_than_the_limit() -> None:
    async with running() as rig:
        rig.books.open.clear()
        rig.engine.hear(CallArrived("1.1", HOTLINE, "0967"))
        await until(lambda: rig.rings)
        assert rig.engine.degraded
        assert rig.engine.ready_parts["database"] == "degraded"
        rig.books.open.set()
        await until(lambda: not rig.engine.degraded)
        assert rig.engine.owed == 0
        assert any(change.kind == "call" for turn in rig.books.turns for change in turn.changes)


@pytest.mark.usefixtures("late")
async def test_turns_that_failed_are_written_once_and_in_order_later() -> None:
    async with running() as rig:
        rig.books.broken = True
        for n in range(3):
            rig.engine.hear(CallArrived(f"1.{n}", HOTLINE, "0967"))
        await until(lambda: rig.engine.degraded and rig.rings)
        assert rig.engine.owed > 0
        rig.books.broken = False
        await until(lambda: not rig.engine.degraded)
        await until(lambda: len(rig.engine.world.calls) == 3 and rig.engine.owed == 0)
        seqs = [said.seq for turn in rig.books.turns for said in turn.facts]
        assert seqs == sorted(set(seqs))
        await until(lambda: rig.engine.feed.last_seq == seqs[-1])  # said a moment after it is written


async def test_books_that_belong_to_another_instance_end_the_writer() -> None:
    rig = Rig()
    task = asyncio.create_task(rig.engine.run())
    await rig.ready()
    rig.books.taken = True
    rig.engine.hear(CallArrived("1.1", HOTLINE, "0967"))
    with pytest.raises(LeadLostError):
        await asyncio.wait_for(task, 20.0)
    assert rig.rings == []


async def test_a_deadline_wakes_the_engine() -> None:
    async with running(setup=BRIEF) as rig:
        rig.engine.hear(CallArrived("1.1", HOTLINE, "0967"))
        await until(lambda: rig.rings)
        await until(lambda: not rig.engine.world.calls["1.1"].offers)
        assert rig.engine.world.agents["an"].phase == "releasing"


async def test_a_deadline_comes_although_the_clock_was_set_back_meanwhile() -> None:
    """Nothing else happens: only the deadline wakes the engine, and by the clock it is not due for an hour."""
    clock = SetClock()
    async with running(clock=clock, setup=BRIEF) as rig:
        rig.engine.hear(CallArrived("1.1", HOTLINE, "0967"))
        await until(lambda: rig.rings)
        clock.ahead_ms = -3_600_000
        await until(lambda: not rig.engine.world.calls["1.1"].offers)


async def test_the_snapshot_is_seen_before_what_was_held() -> None:
    async with running() as rig:
        rig.engine.hold()
        rig.engine.hear(CallArrived("1.1", HOTLINE, "0967"))
        await asyncio.sleep(0.02)
        assert "1.1" not in rig.engine.world.calls
        assert rig.engine.resume(SnapshotTaken("boot", endpoints=(EndpointSeen("an", True),)))
        await until(lambda: "1.1" in rig.engine.world.calls)


async def test_events_beyond_what_can_be_decided_are_looked_up_and_not_dropped_in_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("controller.engine.HELD_MAX", 100)
    async with running() as rig:
        told: list[int] = []
        rig.engine.flooded = lambda: told.append(rig.engine.behind)
        for n in range(1, 102):
            rig.engine.hear(CallGone(f"9.{n}"))
        assert told == [100]
        rig.engine.hear(CallArrived("1.1", HOTLINE, "0967"))
        assert rig.engine.behind == 100
        await until(lambda: rig.engine.behind == 0)
        assert "1.1" not in rig.engine.world.calls
        assert rig.engine.resume(SnapshotTaken("boot", endpoints=(EndpointSeen("an", True),)))
        await until(lambda: "1.1" in rig.engine.world.calls)
        assert len(told) == 1


async def test_the_story_of_a_call_tells_event_facts_and_commands_with_their_cause(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.engine.hear(CallArrived("1.1", HOTLINE, "0967"))
        await until(lambda: rig.rings)
        story = rig.engine.story("1.1")
        assert [line.name for line in story if line.kind == "event"] == ["CallArrived"]
        assert {"CallQueued", "CallOffered"} <= {line.name for line in story if line.kind == "fact"}
        assert {"Answer", "RingAgent"} <= {line.name for line in story if line.kind == "command"}
        assert len({line.cause for line in story}) == 1
    again = Engine(
        World(SETUP, rig.engine.world.entities()), Books(), SystemClock(), lambda _commands: None, Journal(tmp_path)
    )
    assert again.story("1.1") == story


async def test_a_question_is_answered_after_the_commit() -> None:
    async with running() as rig:
        before = len(rig.books.turns)
        answer = await rig.engine.ask(AgentStatusAsked("an", "not_ready", "lunch", "supervisor"))
        assert answer.ok
        assert len(rig.books.turns) == before + 1
        refused = await rig.engine.ask(AgentStatusAsked("nobody", "available"))
        assert refused.code == "not_found"


@pytest.mark.usefixtures("late")
async def test_more_turns_than_can_be_kept_cost_the_oldest_and_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owed, "OWED_MAX", 5)
    async with running() as rig:
        rig.books.broken = True
        for n in range(9):
            rig.engine.hear(CallArrived(f"1.{n}", HOTLINE, "0967"))
            await until(lambda n=n: f"1.{n}" in rig.engine.world.calls)
        await until(lambda: rig.engine.degraded)
        assert (rig.engine.owed, rig.engine.owed_lost) == (5, 4)
        rig.books.broken = False
        await until(lambda: not rig.engine.degraded)
        assert rig.engine.owed == 0
        told = [said.fact.call for turn in rig.books.turns for said in turn.facts if getattr(said.fact, "call", "")]
        assert set(told) == {f"1.{n}" for n in range(4, 9)}
        assert list(rig.engine.world.calls) == [f"1.{n}" for n in range(9)], "calls themselves are not hurt"
