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
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog

from controller import log, setup_file
from controller.agi.scripts import Dialogues
from controller.agi.server import LOOPBACK
from controller.agi.server import Server as AgiServer
from controller.ari.client import TooOldError
from controller.ari.link import LinkState
from controller.core import asking, dialcodes, hours, trunks
from controller.core.commands import RingBell
from controller.core.events import Event, LinkLost, OutboundAsked, PhoneChannel, SetupChanged, Ticked
from controller.core.setup import Setup
from controller.core.world import World
from controller.effects import Effects
from controller.engine import Engine
from controller.errors import LeadLostError, LedgerError, SettingsError, TelephoneError, TongdaiError
from controller.foyer import Foyer
from controller.journal import Journal
from controller.lab.render import modules_to_reload, write_generated
from controller.lookup.chain import Chain
from controller.lookup.made import service_of
from controller.notify import WebhookBell
from controller.ports import Bell
from controller.settings import Settings, is_loopback
from controller.store.history import History
from controller.store.retention import prune_facts, prune_stories
from controller.store.tokens import Tokens
from controller.watch import Watch
from controller.watchdog import Watchdog
from controller.web.app import create_app
from controller.web.deps import Deps
from controller.web.latest import Latest

AUDIT_S = 30.0
AUDIT_MARGIN_MS = 2_000
TRUNKS_S = 5.0
SETUP_POLL_S = 2.0
FORGET_S = 3600.0
HAND_OVER_S = 0.5
FACTS_DAYS, STORIES_DAYS = 30, 90
SNAPSHOT_RETRY_S = 0.2
BEHIND_MAX = 1_000
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
        self._changing = asyncio.Lock()
        self._syncing: asyncio.Task[None] | None = None
        self._phone_ended = asyncio.Event()
        self._unread: dict[str, None] = {}
        self.engine.flooded = self._flooded
        self.watchdog = Watchdog(lambda: self.engine.ready_parts["asterisk"] == "live", lambda: self.engine.stuck_s)

    # -- building ----------------------------------------------------------------------------------------------------

    @classmethod
    async def build(cls, foyer: Foyer) -> House:
        """Read the books and put the rooms together; no call is served yet."""
        settings, numbers, telephone, metrics = foyer.settings, foyer.numbers, foyer.telephone, foyer.metrics
        loaded = await foyer.ledger.load()
        for row in loaded.quarantined:
            structlog.get_logger("store").error("row set aside", row=row)
        setup = await numbers.completed(loaded.setup)
        world = World(setup, loaded.entities, loaded.over)
        journal = Journal(Path(settings.journal.dir), settings.journal.days, settings.journal.max_mb)
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
            apply_setup=self.apply,
            parse_setup=setup_file.parse_in_force,
            explain=self.explain,
            look_up=self.lookups.look_up,
            numbers=self.numbers,
            lookup=self.lookups.service,
            refresh=self.refresh,
            metrics=self.metrics.registry,
            clock=self.clock,
        )

    # -- living ------------------------------------------------------------------------------------------------------

    async def live(self) -> int:
        """Open the doors, work until told to stop, close the doors."""
        agi = AgiServer(self.dialogues.scripts, _peers(self.settings), meter=self.metrics.agi)
        await agi.start_on(self.foyer.agi_socket)
        self.engine.ready_parts["agi"] = "ok"
        self.metrics.watch(self.engine, self.bell, self.telephone.odd)
        self.metrics.lead(True)
        self.foyer.front.show(create_app(self.deps(), self.settings.http))
        work: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = (
            self.engine.run,
            self.foyer.keep_lead,
            lambda: _end_of(self.foyer.serve()),
            lambda: self.telephone.run_link(self.hear, self.on_link),
            self.audit_calls,
            self.ask_when_phones_end,
            self.watch_trunks,
            self.watch_setup,
            self.numbers.run,
            self.bell.run,
            self.forget,
            self.watchdog.run,
        )
        self.engine.tell(SetupChanged(self.engine.world.setup))
        tasks = [asyncio.create_task(self._guard(job)) for job in work]
        await self._over.wait()
        self.watchdog.stopping()
        await self._close(agi, tasks)
        return self.code

    async def _guard(self, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
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
        if self.foyer.has_standby and self.code == EXIT_OK:
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

    # -- the link ----------------------------------------------------------------------------------------------------

    def on_link(self, state: LinkState) -> None:
        """The event stream came, is there, or went."""
        match state:
            case LinkState.SYNCING:
                self.engine.hold()
                self._syncing = asyncio.create_task(self._guard(self._synchronise))
            case LinkState.LOST:
                if self._syncing is not None:
                    self._syncing.cancel()
                self.engine.ready_parts["asterisk"] = "lost"
                self.engine.tell(LinkLost())
            case LinkState.REPLACED:
                self._lose_lead("the ARI application was taken over")
            case _:
                pass

    def _flooded(self) -> None:
        """Asterisk speaks faster than we decide: what was left out is looked up once we have caught up."""
        self._log.warning("events come faster than they are decided on")
        self.engine.ready_parts["asterisk"] = "behind"
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.create_task(self._guard(self._synchronise))

    async def _synchronise(self) -> None:
        while True:
            if self.engine.behind > BEHIND_MAX:
                await asyncio.sleep(SNAPSHOT_RETRY_S)
                continue
            try:
                await self._watch_phones(self.engine.world.setup)
                self.telephone.know_trunks(tuple(self.engine.world.setup.trunk_of_endpoint))
                snapshot = await self.telephone.snapshot()
            except TelephoneError as error:
                self._log.warning("no snapshot yet", why=str(error))
                await asyncio.sleep(SNAPSHOT_RETRY_S)
                continue
            if self.engine.resume(snapshot):
                break
            self.engine.hold()
        await self.engine.ask(Ticked())  # decided on, and on the books: before that nothing is reconciled
        self.telephone.synced()
        self.engine.ready_parts["asterisk"] = "live"
        await self._generate_and_reload(self.engine.world.setup)
        await self._ask_kept()

    async def _ask_kept(self) -> None:
        """Take what the dialplan did by itself into the history. It is kept there, so another time will do."""
        try:
            await self.telephone.ask_kept()
        except TelephoneError as error:
            self._log.warning("what the dialplan did by itself is not told", why=str(error))

    async def _watch_phones(self, setup: Setup) -> None:
        await self.telephone.watch_phones(tuple(row.endpoint for row in setup.agents if row.endpoint))

    def hear(self, event: Event) -> None:
        """Take an event in. A call that is not ours and ends at a phone of ours may be one the dialplan served."""
        self.engine.hear(event)
        if isinstance(event, PhoneChannel) and event.state == "gone":
            world = self.engine.world
            if event.channel not in world.calls and not world.is_over(event.channel):
                self._phone_ended.set()

    async def ask_when_phones_end(self) -> None:
        """Have an emergency call in the history as soon as it has ended, without any part in it before."""
        while True:
            await self._phone_ended.wait()
            self._phone_ended.clear()
            with contextlib.suppress(TelephoneError):  # the next audit asks too
                if self.engine.ready_parts["asterisk"] == "live" and await self.telephone.kept():
                    await self._ask_kept()

    async def audit_calls(self) -> None:
        """Every so often look at everything Asterisk has, beside the calls."""
        while True:
            await asyncio.sleep(AUDIT_S)
            await self._look()

    async def watch_trunks(self) -> None:
        """Every few seconds look whether carriers answer, and tell the engine of those that changed."""
        while True:
            await asyncio.sleep(TRUNKS_S)
            world = self.engine.world
            self.telephone.know_trunks(tuple(world.setup.trunk_of_endpoint))
            try:
                states = await self.telephone.trunk_states()
            except TelephoneError:
                continue  # the audit tells of what goes on
            for seen in states:
                row = world.trunks.get(world.setup.trunk_of_endpoint.get(seen.endpoint, ""))
                if seen.reachable is not (row is None or row.reachable):
                    self.engine.tell(seen)

    async def forget(self) -> None:
        """Once an hour, take what is too old out of the books."""
        while True:
            try:
                await prune_facts(self.database, self.clock.now_ms(), FACTS_DAYS)
                await prune_stories(self.database, self.clock.now_ms(), STORIES_DAYS)
            except TongdaiError as error:
                self._log.warning("nothing was pruned", why=str(error))
            await asyncio.sleep(FORGET_S)

    async def _look(self) -> None:
        if self.engine.ready_parts["asterisk"] != "live":
            return
        asked_at_ms = self.clock.now_ms() - AUDIT_MARGIN_MS
        try:
            snapshot = await self.telephone.snapshot()
            kept = await self.telephone.kept()
            await self._point_at_us()
        except TelephoneError as error:
            self._log.warning("audit left out", why=str(error))
            return
        self.engine.hear(replace(snapshot, asked_at_ms=asked_at_ms))
        if kept:
            await self._ask_kept()

    # -- the setup ---------------------------------------------------------------------------------------------------

    async def apply(self, text: str, seen_version: int | None, by: str) -> int:
        """Put a setup in force: on the books first, then here."""
        async with self._changing:
            version = await self.setups.put(text, seen_version, by)
            await self._take_over(text, version)
        return version

    async def refresh(self) -> None:
        """Look at the books and at the table of carriers now, because somebody says that they changed."""
        async with self._changing:
            await self.numbers.refresh()
            stored = await self.setups.current()
            parsed = setup_file.parse_in_force(stored.text, now_ms=self.clock.now_ms())
            if await self.numbers.completed(replace(parsed, version=stored.version)) != self.engine.world.setup:
                await self._take_over(stored.text, stored.version)

    async def watch_setup(self) -> None:
        """Notice a setup or number table that somebody else put on the books."""
        while True:
            await asyncio.sleep(SETUP_POLL_S)
            try:
                async with self._changing:
                    self.metrics.ping(self.telephone.latency_s)
                    stored = await self.setups.current()
                    if stored.version != self.engine.world.setup.version or await self.numbers.refresh():
                        await self._take_over(stored.text, stored.version)
            except TongdaiError as error:
                self._log.warning("setup not looked at", why=str(error))

    async def _take_over(self, text: str, version: int) -> None:
        parsed = setup_file.parse_in_force(text, now_ms=self.clock.now_ms())
        setup = await self.numbers.completed(replace(parsed, version=version))
        if setup.carriers_from.trouble:
            self._log.error("the shipped table of carriers stands in", why=setup.carriers_from.trouble)
        before = self.engine.world.setup
        await self.engine.ask(SetupChanged(setup))
        await self._generate_and_reload(setup)
        if [row.endpoint for row in before.agents] != [row.endpoint for row in setup.agents]:
            with contextlib.suppress(TelephoneError):
                await self._watch_phones(setup)
        await self._look()

    def _generate(self, setup: Setup) -> tuple[str, ...]:
        """Render the dialplan and PJSIP files that are ours; the names of those that changed."""
        folder = self.settings.asterisk.generated_dir
        return tuple(write_generated(setup, Path(folder))) if folder else ()

    async def _generate_and_reload(self, setup: Setup) -> None:
        """Hotlines are exact extensions: Asterisk reads them anew; calls and registrations stay (docs/dialplan.md)."""
        try:
            self._unread.update(dict.fromkeys(modules_to_reload(self._generate(setup))))
            for module in tuple(self._unread):
                await self.telephone.reload(module)
                del self._unread[module]
            await self._point_at_us()
        except (OSError, TongdaiError) as error:
            self._log.error("Asterisk has not read the new setup", why=str(error))

    async def _point_at_us(self) -> None:
        """Tell the dialplan whom to ask: two may be there, and a file that is read anew names the one of the file."""
        if self.foyer.lease is not None:
            await self.telephone.set_global("TD_AGI", f"agi://{self.settings.agi.bind}")

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
