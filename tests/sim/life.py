"""One life of the controller: the real core, engine, effects, ARI room, dialogues and hall, from start to death.

What is replaced is what touches the machine: the sockets (`line`), the clock, the database (`books`). A life can be
killed between any two awaits, and at each of the engine's five joints; nothing of it acts afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Coroutine, Sequence
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

from controller.agi.scripts import Dialogues, SessionOverError
from controller.agi.server import DIALOGUE_S
from controller.arrears import LOOK_EVERY_S
from controller.core.commands import Command, RingBell
from controller.core.events import Event, SetupChanged
from controller.core.setup import Setup
from controller.core.step import Step
from controller.core.world import World
from controller.effects import Effects
from controller.engine import Engine
from controller.errors import LeadLostError, TelephoneError
from controller.journal import Journal
from controller.link import Job
from controller.main import EXIT_LEAD_LOST, House
from controller.ports import Line, Said
from controller.settings import Settings
from tests.sim.books import SimLedger, SimSpool
from tests.sim.dialplan import Talk
from tests.sim.line import ModelTelephone, Wire


class Joint(StrEnum):
    """Where the engine may be killed (F3)."""

    INBOX = "after inbox"
    STEP = "after step"
    COMMIT = "after commit"
    FIRST = "after 1st command"
    LAST = "after last"


class Kept(Journal):
    """A journal in memory, which survives the process as the file does."""

    def __init__(self, lines: list[Line], spool: SimSpool) -> None:
        super().__init__(None, spool=spool)
        self._lines = lines

    def write(self, lines: Sequence[Line]) -> None:
        self._lines.extend(lines)
        del self._lines[:-20_000]

    def stories(self, calls: Any) -> dict[str, list[Line]]:
        wanted = dict.fromkeys(calls)
        found: dict[str, list[Line]] = {call: [] for call in wanted}
        for line in self._lines:
            if line.call in wanted:
                found[line.call].append(line)
        return found


class Ears:
    """Between the ARI room and the engine: where messages are lost, repeated and late. Faithful here."""

    def hear(self, event: Event, on: Callable[[Event], None]) -> None:
        on(event)


class _Unseen:
    """The daemon's own look at its invariants: ours sees every step."""

    def after(self, world: World, done: Step) -> None:
        """Nothing."""


class SimEngine(Engine):
    """The engine, watched after every step, and mortal at its joints."""

    life: Life

    def tell(self, event: Event) -> None:
        super().tell(event)
        self.life.joint(Joint.INBOX)

    async def _turn(self) -> None:
        if self.life.dying:
            await asyncio.Event().wait()
        await super()._turn()

    @staticmethod
    def _monotonic_ms() -> int:
        return int(asyncio.get_running_loop().time() * 1000)

    async def _settle(self) -> None:
        if self.life.dying:
            await asyncio.Event().wait()
        await super()._settle()

    def _step(self, item: Any, now_ms: int, batch: Any) -> Step:
        done = super()._step(item, now_ms, batch)
        self.life.on_step(self.life, self, item.event, done)
        if self.life.joint(Joint.STEP):
            raise asyncio.CancelledError
        return done


class SimHouse(House):
    """The hall; what breaks in it is told with its traceback."""

    life: Life

    async def _guard(self, job: Job) -> None:
        try:
            await job()
        except LeadLostError as error:
            self._lose_lead(str(error))
        except Exception:  # noqa: BLE001  # as the hall does; here it is told with its traceback
            self.life.on_broken(traceback.format_exc())
            self.code = 1
            self._over.set()


async def _no_arrears(_ledger: SimLedger) -> None:
    """Nobody left anything."""


class Life:
    """`on_step` looks at every step, `on_said` hears every published fact, `on_broken` every traceback."""

    def __init__(
        self,
        wire: Wire,
        ledger: SimLedger,
        clock: Any,
        journal: list[Line],
        ears: Ears,
        on_step: Callable[[Life, Engine, Event, Step], None],
        on_said: Callable[[Life, Said], None],
        on_broken: Callable[[str], None],
        on_end: Callable[[Life], None],
        on_load: Callable[[Life], None],
        bell: Any = None,
        building_s: float = 0.0,
        arrears: Callable[[SimLedger], Coroutine[Any, Any, None]] = _no_arrears,
    ) -> None:
        self.wire = wire
        self.ledger = ledger
        self.clock = clock
        self.on_step = on_step
        self.on_broken = on_broken
        self.on_load = on_load
        self.dead = False
        self.dying = False
        self.kill_at: Joint | None = None
        self.engine: SimEngine | None = None
        self.house: SimHouse | None = None
        self.bell = bell or SimpleNamespace(ring=lambda *_: None)
        self.spool = SimSpool(ledger.holder)
        self._building_s = building_s
        self._arrears = arrears
        self._journal = journal
        self._ears = ears
        self._on_said = on_said
        self._on_end = on_end
        self._tasks: list[asyncio.Task[None]] = []
        self._asks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """As `House.build` and `House.live`: rows, world, rooms, doors."""
        await self._arrears(self.ledger)
        loaded = await self.ledger.load()
        self.on_load(self)
        for row in loaded.quarantined:
            self.on_broken(f"a live row could not be read: {row}")
        if self._building_s:
            await asyncio.sleep(self._building_s)
        world = World(loaded.setup, loaded.entities, loaded.over)
        telephone = ModelTelephone(self.wire)
        later: list[SimEngine] = []
        effects = Effects(
            telephone,
            tell=lambda event: later[0].tell(event),  # noqa: PLW0108  # the engine is built after its effects
            ring=lambda command: self._ring(later[0], command),
            count=lambda *_: None,
        )
        meter = SimpleNamespace(
            step=lambda *_: None, commit=lambda *_: None, degraded=lambda *_: None, odd=lambda *_: None
        )
        engine = SimEngine.__new__(SimEngine)
        engine.life = self
        Engine.__init__(
            engine,
            world,
            self.ledger,
            self.clock,
            self._release,
            Kept(self._journal, self.spool),
            loaded.last_seq,
            meter,
            watch=_Unseen(),
        )
        engine.feed.publish = self._publish(engine.feed.publish)  # type: ignore[method-assign]  # heard on the way
        engine._books.commit = self._committed(engine._books.commit)  # type: ignore[method-assign]  # the same
        later.append(engine)
        dialogues = Dialogues(engine, lambda: engine.world.setup)
        effects.dial_path = dialogues
        foyer: Any = SimpleNamespace(
            settings=Settings(),
            over=asyncio.Event(),
            clock=self.clock,
            database=None,  # nobody asks it here
            ledger=self.ledger,
            setups=None,  # a setup comes by `change_setup`
            numbers=None,  # no tables beside the setup
            metrics=None,
            telephone=telephone,
            has_standby=False,
            lease=None,
        )
        lookups: Any = None
        house = SimHouse(foyer, lookups, engine, effects, dialogues, self.bell)
        house.life = self
        self.engine, self.house = engine, house
        engine.ready_parts["agi"] = "ok"
        engine.tell(SetupChanged(world.setup))
        hear = lambda event: self._ears.hear(event, house.link.hear)  # noqa: E731
        jobs: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = (
            engine.run,
            lambda: telephone.run_link(hear, house.link.on_link),
            house.rounds.audit_calls,
            house.rounds.ask_when_phones_end,
            self._hand_in,
            self._watch_end,
        )
        if self.dead:
            return
        self._tasks = [asyncio.create_task(house._guard(job)) for job in jobs]

    async def _hand_in(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._arrears(self.ledger)

    async def _watch_end(self) -> None:
        assert self.house is not None
        await self.house._over.wait()
        self._on_end(self)

    @property
    def lost_lead(self) -> bool:
        return self.house is not None and self.house.code == EXIT_LEAD_LOST

    @property
    def ready(self) -> bool:
        """As `/readyz`, the books apart: rows loaded, link live and reconciled."""
        return not self.dead and self.engine is not None and self.engine.ready_parts["asterisk"] == "live"

    # -- doors -------------------------------------------------------------------------------------------------------

    def ask(self, event: Event) -> None:
        """Somebody asks by HTTP and waits for the answer, unless the process dies first."""
        if self.dead or self.engine is None:
            return
        task = asyncio.create_task(self.engine.ask(event))
        self._asks.add(task)
        task.add_done_callback(self._asks.discard)

    def change_setup(self, setup: Setup) -> None:
        """As `SetupWatch._take_over`, the text apart; on the books first."""
        if self.dead or self.house is None:
            return
        self.ledger.books.setup = setup
        task = asyncio.create_task(self._change_setup(setup))
        self._asks.add(task)
        task.add_done_callback(self._asks.discard)

    async def _change_setup(self, setup: Setup) -> None:
        assert self.engine is not None
        assert self.house is not None
        await self.engine.ask(SetupChanged(setup))
        with contextlib.suppress(TelephoneError, LeadLostError):
            await self.house.link.watch_phones(setup)
        with contextlib.suppress(LeadLostError):
            await self.house.rounds.look()

    async def session(self, path: str, talk: Talk) -> bool:
        """One FastAGI session; False when nobody listens, or the process died in the middle."""
        if self.dead or self.house is None or self.house.code:
            return False
        task = asyncio.ensure_future(self._dialogue(path, talk))
        self._asks.add(task)
        task.add_done_callback(self._asks.discard)
        await asyncio.wait({task})
        return not task.cancelled()

    async def _dialogue(self, path: str, talk: Talk) -> None:
        assert self.house is not None
        with contextlib.suppress(TimeoutError, SessionOverError):
            async with asyncio.timeout(DIALOGUE_S):
                await self.house.dialogues.scripts[path](talk)

    # -- death -------------------------------------------------------------------------------------------------------

    def joint(self, joint: Joint) -> bool:
        """The engine is at a joint; True when it dies there."""
        if self.kill_at is not joint or self.dead or self.dying:
            return False
        self.kill()
        return True

    def kill(self) -> None:
        """`kill -9`: from here on this process does nothing."""
        if self.dead:
            return
        self.dead = self.wire.dead = self.ledger.dead = self.spool.over = True
        house, engine = self.house, self.engine
        if house is not None and engine is not None:
            for task in (*self._tasks, *self._asks, *house.effects._last.values()):
                task.cancel()
            for other in (house.link._syncing, engine._books._writing):
                if other is not None:
                    other.cancel()
            for timer in (engine._timer, engine._linger):
                if timer is not None:
                    timer.cancel()
            house.effects._fenced = True
        self._on_end(self)

    def _release(self, commands: Sequence[Command]) -> None:
        if self.dead:
            return
        assert self.house is not None
        if self.kill_at is Joint.FIRST and commands:
            self.house.effects.release(commands[:1])
            self._die_when_done()
        else:
            self.house.effects.release(commands)
            if self.kill_at is Joint.LAST and commands:
                self._die_when_done()

    def _die_when_done(self) -> None:
        """Nothing is decided any more; what was released is carried out, then the process dies."""
        self.dying = True
        self._tasks.append(asyncio.create_task(self._die()))

    async def _die(self) -> None:
        assert self.house is not None
        await self.house.effects.drain(8.0)
        self.kill()

    def _committed(self, commit: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Any]:
        async def committed(*arguments: Any) -> None:
            await commit(*arguments)
            if self.joint(Joint.COMMIT):
                raise asyncio.CancelledError

        return committed

    def _publish(self, publish: Callable[[Said], None]) -> Callable[[Said], None]:
        def heard(said: Said) -> None:
            publish(said)
            self._on_said(self, said)

        return heard

    def _ring(self, engine: Engine, command: RingBell) -> None:
        self.bell.ring(command.alert, command.change, engine.world.setup)
