"""The hall: builds every room, opens the doors in order, closes them in order.

Start: the foyer (books, ports, the wait for the lead: `controller.foyer`), world, side door (FastAGI), parlour (HTTP),
telephone. The dial path is open before Asterisk is looked at, and readiness is told only when all of it is there. Stop:
doors first, then what is under way, then the books; where a standby waits it is given the lead before we are gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from controller import log, setup_file
from controller.agi.scripts import Dialogues
from controller.agi.server import LOOPBACK, Limits
from controller.agi.server import Server as AgiServer
from controller.ari.client import TooOldError
from controller.core import asking, dialcodes, hours, trunks
from controller.core.commands import RingBell
from controller.core.events import OutboundAsked, SetupChanged
from controller.core.world import World
from controller.effects import Effects
from controller.engine import Engine
from controller.errors import LeadLostError, LedgerError, SettingsError, TelephoneError, TongdaiError
from controller.foyer import Foyer
from controller.generated import Generated
from controller.journal import Journal
from controller.link import Job, Link
from controller.lookup.chain import Chain
from controller.lookup.made import service_of
from controller.notify import WebhookBell
from controller.ports import Bell
from controller.rounds import Rounds
from controller.settings import Settings, is_loopback
from controller.setup_watch import SetupWatch
from controller.store.history import History
from controller.store.tokens import Tokens
from controller.watch import Watch
from controller.watchdog import Watchdog
from controller.web.app import create_app
from controller.web.deps import Deps
from controller.web.latest import Latest

HAND_OVER_S = 0.5
DRAIN_S = 4.0
LOST_S = 0.5
TAKEN_OVER_S = 8.0  # how long a caller who arrives between two leaders may find the application open
EXIT_OK, EXIT_USAGE, EXIT_LEAD_LOST = 0, 2, 75


async def serve(settings: Settings) -> int:
    """Run the daemon until it is told to stop; returns the exit code of the process."""
    log.configure(settings.log.level, settings.log.format)
    over = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, over.set)
    try:
        foyer = await Foyer.open(settings, over)
        try:
            return await (await House.build(foyer)).live() if await foyer.lead() else EXIT_OK
        finally:
            await foyer.close()
    except (LedgerError, SettingsError, TelephoneError) as error:
        sys.stderr.write(f"tongdai: {error}\n")
        return EXIT_USAGE


@dataclass
class House:
    """Every room, and the work that belongs to none of them."""

    foyer: Foyer
    lookups: Chain
    engine: Engine
    effects: Effects
    dialogues: Dialogues
    bell: WebhookBell
    code: int = EXIT_OK

    def __post_init__(self) -> None:
        self.settings, self.clock, self.database = self.foyer.settings, self.foyer.clock, self.foyer.database
        self.setups, self.numbers, self.metrics = self.foyer.setups, self.foyer.numbers, self.foyer.metrics
        self.telephone = self.foyer.telephone
        self._log = structlog.get_logger("main")
        self._over = self.foyer.over
        self._leaving = False
        self._replaced = asyncio.Event()
        generated = Generated(self.telephone, self.settings, two=self.foyer.lease is not None)
        self.rounds = Rounds(self.engine, self.telephone, generated, self.clock, self.database)
        self.link = Link(self.engine, self.telephone, generated, self.rounds, self._guard, self._lose_lead)
        self.setup_watch = SetupWatch(self.foyer, self.engine, generated, self.link, self.rounds)
        self.watchdog = Watchdog(lambda: self.engine.ready_parts["asterisk"] == "live", lambda: self.engine.stuck_s)

    # -- building ----------------------------------------------------------------------------------------------------

    @classmethod
    async def build(cls, foyer: Foyer) -> House:
        """Read the books and put the rooms together; no call is served yet."""
        settings, numbers, telephone, metrics = foyer.settings, foyer.numbers, foyer.telephone, foyer.metrics
        loaded, spool = await foyer.arrears.begin()
        for row in loaded.quarantined:
            structlog.get_logger("store").error("row set aside", row=row)
        setup = await numbers.completed(loaded.setup)
        world = World(setup, loaded.entities, loaded.over)
        kept = settings.journal
        journal = Journal(Path(kept.dir), kept.days, kept.max_mb, spool)
        bell = WebhookBell()
        later: list[Engine] = []
        effects = Effects(
            telephone,
            tell=lambda event: later[0].tell(event),  # noqa: PLW0108  # the engine is built after its effects
            ring=lambda command: _ring(bell, later[0], command),
            count=metrics.command,
        )
        watch = Watch(metrics.meter.breach, always=os.environ.get("CHECK") == "1")
        engine = Engine(
            world, foyer.ledger, foyer.clock, effects.release, journal, loaded.last_seq, metrics.meter, watch
        )
        later.append(engine)
        service = service_of(settings.lookup, metrics.lookup)
        lookups = Chain(numbers.look_up, lambda: engine.world.setup, service)
        dialogues = Dialogues(engine, lambda: engine.world.setup, lookups.look_up)
        effects.dial_path = dialogues
        return cls(foyer, lookups, engine, effects, dialogues, bell)

    def deps(self) -> Deps:
        """What the parlour may use."""
        return Deps(
            engine=self.engine,
            history=Latest(History(self.database), self.engine),
            tokens=Tokens(self.database, self.clock),
            setups=self.setups,
            apply_setup=self.setup_watch.apply,
            parse_setup=setup_file.parse_in_force,
            explain=self.explain,
            look_up=self.lookups.look_up,
            numbers=self.numbers,
            lookup=self.lookups.service,
            refresh=self.setup_watch.refresh,
            metrics=self.metrics.registry,
            clock=self.clock,
        )

    # -- living ------------------------------------------------------------------------------------------------------

    async def live(self) -> int:
        """Open the doors, work until told to stop, close the doors."""
        limits = Limits(dialogue_s=self.settings.agi.limit_ms / 1000)
        agi = AgiServer(self.dialogues.scripts, _peers(self.settings), limits, self.metrics.agi)
        await agi.start_on(self.foyer.agi_socket)
        self.engine.ready_parts["agi"] = "ok"
        self.metrics.watch(self.engine, self.bell, self.telephone.odd)
        self.metrics.lead(True)
        self.foyer.front.show(create_app(self.deps(), self.settings.http))
        work: tuple[Job, ...] = (
            self.engine.run,
            self.foyer.keep_lead,
            lambda: _end_of(self.foyer.serve()),
            lambda: self.telephone.run_link(self.link.hear, self.link.on_link),
            self.rounds.audit_calls,
            self.rounds.ask_when_phones_end,
            self.rounds.watch_trunks,
            self.setup_watch.run,
            self.numbers.run,
            self.bell.run,
            self.rounds.forget,
            self.foyer.arrears.run,
            self.watchdog.run,
        )
        self.engine.tell(SetupChanged(self.engine.world.setup))
        tasks = [asyncio.create_task(self._guard(job)) for job in work]
        await self._over.wait()
        self.watchdog.stopping()
        await self._close(agi, tasks)
        return self.code

    async def _guard(self, job: Job) -> None:
        try:
            await job()
        except LeadLostError as error:
            self._lose_lead(str(error))
        except TooOldError as error:
            self._log.error("this Asterisk is too old", why=str(error))
            self.code = EXIT_USAGE
            self._over.set()
        except Exception:  # noqa: BLE001  # the process ends and is started again: nothing is swallowed
            self._log.exception("a room broke down: stopping, so that a fresh start can reconcile")
            self.code = 1
            self._over.set()

    def _lose_lead(self, why: str) -> None:
        self.effects.fence()
        self._replaced.set()
        if self._leaving:
            return
        self._log.error("another controller leads", why=why)
        self.code = EXIT_LEAD_LOST
        self._over.set()

    async def _hand_over(self, keeping: asyncio.Task[None], deciding: asyncio.Task[None]) -> None:
        """Let the standby lead: decide nothing more, write what is owed, give up the lease.

        Our event stream stays open until it is taken over: a caller who arrives in between enters the application,
        finds nobody, and is found by the snapshot of the one who leads then.
        """
        self._leaving = True
        keeping.cancel()
        self.engine.stop()
        await asyncio.wait({deciding}, timeout=HAND_OVER_S)
        await self.effects.drain(HAND_OVER_S)
        self.effects.fence()
        await self.engine.close(DRAIN_S / 2)
        self.foyer.stand_by()
        await self.foyer.hand_over()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TAKEN_OVER_S):
                await self._replaced.wait()

    async def _close(self, agi: AgiServer, tasks: list[asyncio.Task[None]]) -> None:
        await agi.finish()
        await agi.close()
        self.engine.ready_parts["agi"] = "down"
        if self.code == EXIT_OK and await self.foyer.has_standby():
            await self._hand_over(tasks[1], tasks[0])
        # Who lost the lead has nothing to write down any more, and may have lost the books for the same reason.
        drain_s = LOST_S if self.code == EXIT_LEAD_LOST else DRAIN_S
        await self.effects.drain(drain_s / 2)
        for task in tasks[1:]:
            task.cancel()
        await asyncio.wait(tasks[1:], timeout=drain_s)
        tasks[0].cancel()
        await self.engine.close(drain_s / 2)
        with contextlib.suppress(TongdaiError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self.telephone.close()
                await self.lookups.close()
                await self.bell.close()

    # -- what the parlour asks -----------------------------------------------------------------------------------------

    async def explain(self, to: str, via: str, agent: str) -> trunks.Decision:
        """Decide as the dial path would, and change nothing."""
        world = self.engine.world
        to, via = dialcodes.take_off(world.setup, to, via)
        ported, source = await self.lookups.look_up(to)
        now_ms = self.clock.now_ms()
        day = hours.local_day(now_ms, world.setup.defaults.timezone)
        asked = OutboundAsked(f"explain/{to}", "", to, via, ported, source)
        return trunks.decide(asking.question(world, now_ms, day, asked, agent))


async def _end_of(task: asyncio.Task[None]) -> None:
    """Wait for a task, and end it when we are ended."""
    await task


def _peers(settings: Settings) -> tuple[str, ...]:
    """Whose FastAGI is answered: this machine's, and Asterisk's own where it is another's by the settings."""
    host = urlsplit(settings.ari.url).hostname or ""
    if not settings.agi.allow_remote or is_loopback(host):
        return LOOPBACK
    try:
        return (*LOOPBACK, str(ipaddress.ip_address(host)))
    except ValueError:
        return LOOPBACK


def _ring(bell: Bell, engine: Engine, command: RingBell) -> None:
    bell.ring(command.alert, command.change, engine.world.setup)
