"""What stands before anybody leads: books, ports, figures, and the wait for the lead.

On SQLite there is nobody to wait for. On PostgreSQL the lease decides (docs/standby.md): until it is ours we stand by,
warm: everything loaded, the setup and the number tables read, Asterisk's API known, the ports taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from controller import setup_file
from controller.agi.server import reserve
from controller.ari.telephone import AriTelephone
from controller.arrears import Arrears
from controller.clock import SystemClock
from controller.core.saying import say
from controller.core.setup import Setup
from controller.errors import LedgerError, SettingsError, TelephoneError, TongdaiError
from controller.metrics import Metrics
from controller.settings import Settings
from controller.store.db import Database, migrate
from controller.store.ledger import SqlLedger
from controller.store.numbers import Numbers
from controller.store.setup_repo import SetupRepo, setup_of
from controller.store.tokens import Tokens
from controller.store.vigil import LOOK_EVERY_S, Seen, Vigil
from controller.watchdog import Watchdog
from controller.web.front import Front, StandbyDeps, create_standby
from controller.web.server import listen
from controller.web.server import serve as serve_http

if TYPE_CHECKING:
    from controller.store.lease import Lease

RENEW_EVERY_S: Final = 0.5
RETRY_S: Final = 0.1
SETTLE_S: Final = 5.0
"""How long calls wait for a standby that hands in what the one before owed: some ten thousand turns."""
WARM_EVERY_S: Final = 2.0
CLOSE_S, CLOSE_LOST_S = 4.0, 1.0


@dataclass
class Foyer:
    """The rooms a standby has open; a leader goes on in them. `over` is set when the process is told to stop."""

    settings: Settings
    over: asyncio.Event
    clock: SystemClock
    database: Database
    ledger: SqlLedger
    setups: SetupRepo
    numbers: Numbers
    metrics: Metrics
    telephone: AriTelephone
    listener: socket.socket
    agi_socket: socket.socket
    lease: Lease | None
    reader: _Reader
    arrears: Arrears
    front: Front = field(default_factory=Front)
    leader: str = ""
    leader_url: str = ""
    database_state: str = "ok"
    _serving: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, settings: Settings, over: asyncio.Event) -> Foyer:
        """Take the ports and open the books; LedgerError or SettingsError in one line when they cannot be had."""
        listener = listen(settings.http.bind)
        try:
            agi_socket = _reserve(settings)
        except SettingsError:
            listener.close()
            raise
        try:
            await migrate(settings.database.url)
            foyer = cls._furnish(settings, over, listener, agi_socket)
            await foyer.hand_in()
        except BaseException:
            listener.close()
            agi_socket.close()
            raise
        return foyer

    @classmethod
    def _furnish(
        cls, settings: Settings, over: asyncio.Event, listener: socket.socket, agi_socket: socket.socket
    ) -> Foyer:
        clock = SystemClock()
        database = Database(settings.database.url)
        reader = _Reader()
        ledger = SqlLedger(database, clock, reader.parse)
        lease = _lease(database, ledger.holder, settings)
        foyer = cls(
            settings=settings,
            over=over,
            clock=clock,
            database=database,
            ledger=ledger,
            setups=SetupRepo(database, clock),
            numbers=Numbers(database),
            metrics=Metrics(),
            telephone=AriTelephone(settings.ari, None if lease is None else lambda: _prove(lease)),
            listener=listener,
            agi_socket=agi_socket,
            lease=lease,
            reader=reader,
            arrears=Arrears(Path(settings.journal.dir), ledger),
        )
        foyer.stand_by()
        return foyer

    async def hand_in(self) -> None:
        """Write what an earlier life owed: a hundred thousand turns take half a minute, and nobody may end us."""
        asking = asyncio.create_task(Watchdog(lambda: False, lambda: 0.0).more_time())
        try:
            await self.arrears.hand_in()
        finally:
            asking.cancel()

    # -- the lead ----------------------------------------------------------------------------------------------------

    async def lead(self) -> bool:
        """Wait until we lead; False when told to stop before."""
        if self.lease is None:
            return True
        log = structlog.get_logger("standby")
        vigil = Vigil(self.settings.instance)
        warming: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()
        try:
            while not self.over.is_set():
                try:
                    seen = await self.lease.look(prove=vigil.doubts)
                    self.leader, self.leader_url = (seen.name, seen.url) if seen.holder else ("", "")
                    self._told("ok", "")
                    why = vigil.judge(seen, loop.time())
                    if why and await self._take(seen):
                        self.ledger.lead()
                        self.leader, self.leader_url = self.settings.instance, ""
                        log.info("leads now", why=why, epoch=seen.epoch + 1)
                        return True
                except LedgerError as error:
                    self._told("lost", str(error))
                if not warming:
                    log.info("stands by", leader=self.leader)
                    self.serve()
                    # To a keeper a standby is at work: it does what it is there for.
                    works = (self._warm(), self.numbers.run(), Watchdog(lambda: True, lambda: 0.0).run())
                    warming = [loop.create_task(work) for work in works]
                await _within(self.over, LOOK_EVERY_S)
        finally:
            for task in warming:
                task.cancel()
            await asyncio.gather(*warming, return_exceptions=True)
        return False

    async def _take(self, seen: Seen) -> bool:
        """Take the lead; what an earlier life left in our folder is handed in before: as yet all of it counts."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                await self.arrears.hand_in()
        return self.lease is not None and await self.lease.take(seen)

    async def keep_lead(self) -> None:
        """Say again and again that we live; LeadLostError when somebody else leads by now."""
        if self.lease is None:
            return
        late = False
        while True:
            self.lease.cut.clear()
            try:
                await self.lease.renew()
                late = False
            except LedgerError as error:
                if not late:
                    structlog.get_logger("standby").warning("the lease is not renewed", why=str(error))
                late = True
                await asyncio.sleep(RETRY_S)
                continue
            await _within(self.lease.cut, RENEW_EVERY_S)

    async def hand_over(self) -> None:
        """Give up the lead, so that a standby takes it at once."""
        if self.lease is not None and self.lease.leading:
            with contextlib.suppress(LedgerError):
                await self.lease.release()

    async def has_standby(self) -> bool:
        """Whether another controller stands by: asked once more, for one that has just come up is not known yet."""
        if self.lease is None:
            return False
        with contextlib.suppress(TongdaiError, TimeoutError):
            async with asyncio.timeout(RENEW_EVERY_S):
                await self.lease.renew()
        return self.lease.leading and self.lease.standbys > 0

    def _told(self, state: str, why: str) -> None:
        if state != self.database_state and state == "lost":
            structlog.get_logger("standby").warning("the database is silent", why=why)
        self.database_state = state

    async def _warm(self) -> None:
        """Read ahead what a leader needs, and again whenever it changed."""
        seen, described = -1, False
        while True:
            try:
                stored = await self.setups.current()
                if stored.version != seen or await self.numbers.changed():
                    await self.numbers.completed(setup_of(stored, self.reader.parse))
                    seen = stored.version
            except TongdaiError as error:
                structlog.get_logger("standby").warning("not warm yet", why=str(error))
            if not described:
                with contextlib.suppress(TelephoneError):
                    await self.telephone.prepare()
                    described = True
            await asyncio.sleep(WARM_EVERY_S)

    # -- the front ---------------------------------------------------------------------------------------------------

    def stand_by(self) -> None:
        """From now on answer as a standby does."""
        self.metrics.lead(False)
        deps = StandbyDeps(self, Tokens(self.database, self.clock), self.metrics.registry, self.clock)
        self.front.show(create_standby(deps, self.settings.http))

    def serve(self) -> asyncio.Task[None]:
        """Answer HTTP until cancelled."""
        if self._serving is None:
            self._serving = asyncio.create_task(serve_http(self.front, self.listener))
        return self._serving

    async def close(self) -> None:
        """Give back the lead and the ports."""
        if self._serving is not None and not self._serving.done():
            self._serving.cancel()
            await asyncio.wait([self._serving])
        self.listener.close()
        self.agi_socket.close()
        lost = self.lease is not None and not self.lease.leading
        with contextlib.suppress(TelephoneError, TimeoutError):
            async with asyncio.timeout(CLOSE_LOST_S if lost else CLOSE_S):
                await self.hand_over()
                await self.telephone.close()
                await self.ledger.close()
                if self.lease is not None:
                    await self.lease.close()
                await self.database.close()


class _Reader:
    """Reads a setup's text once: what a standby has read it need not read again in the moment it leads."""

    def __init__(self) -> None:
        self._text: str | None = None
        self._setup = Setup()

    def parse(self, text: str, source: str) -> Setup:
        """Read a setup; SetupError with every mistake."""
        if text != self._text:
            self._setup = setup_file.parse_in_force(text, source)
            self._text = text
        return self._setup


def _lease(database: Database, holder: str, settings: Settings) -> Lease | None:
    if database.sqlite:
        return None
    from controller.store.lease import Lease  # noqa: PLC0415 - its driver takes time to load

    return Lease(database, holder, settings.instance, f"http://{settings.http.bind}")


def _reserve(settings: Settings) -> socket.socket:
    bind = settings.agi.bind
    try:
        return reserve(bind.host, bind.port)
    except OSError as error:
        raise SettingsError(say("at", where=f"[agi] bind = {bind}", what=error.strerror or error)) from None


async def _prove(lease: Lease) -> None:
    """Return when nobody else leads; LeadLostError when somebody does.

    With the books silent only a standby could; where none was seen, waiting would cost calls and win nothing.
    """
    while True:
        try:
            await lease.renew()
        except LedgerError:
            if lease.standbys == 0:
                return
            await asyncio.sleep(RETRY_S)
        else:
            return


async def _within(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
