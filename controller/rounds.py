"""The rounds: what is looked at every so often, because nobody tells of it or a message may have been lost."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Final

import structlog

from controller.ari.telephone import AriTelephone
from controller.engine import Engine
from controller.errors import TelephoneError, TongdaiError
from controller.generated import Generated
from controller.ports import Clock
from controller.store.db import Database
from controller.store.retention import prune_facts, prune_stories

AUDIT_S: Final = 30.0
AUDIT_MARGIN_MS: Final = 2_000
TRUNKS_S: Final = 5.0
FORGET_S: Final = 3600.0
FACTS_DAYS: Final = 30
STORIES_DAYS: Final = 90


class Rounds:
    """Looks at Asterisk beside the event stream, and at the age of what is on the books."""

    def __init__(
        self, engine: Engine, telephone: AriTelephone, generated: Generated, clock: Clock, database: Database
    ) -> None:
        self._engine = engine
        self._telephone = telephone
        self._generated = generated
        self._clock = clock
        self._database = database
        self._phone_ended = asyncio.Event()
        self._log = structlog.get_logger("main")

    async def audit_calls(self) -> None:
        """Every so often look at everything Asterisk has, beside the calls."""
        while True:
            await asyncio.sleep(AUDIT_S)
            await self.look()

    async def look(self) -> None:
        """Compare with everything Asterisk has now."""
        if self._engine.ready_parts["asterisk"] != "live":
            return
        asked_at_ms = self._clock.now_ms() - AUDIT_MARGIN_MS
        try:
            snapshot = await self._telephone.snapshot()
            kept = await self._telephone.kept()
            await self._generated.point_at_us()
        except TelephoneError as error:
            self._log.warning("audit left out", why=str(error))
            return
        self._engine.hear(replace(snapshot, asked_at_ms=asked_at_ms))
        if kept:
            await self.ask_kept()

    async def ask_kept(self) -> None:
        """Take what the dialplan did by itself into the history. It is kept there, so another time will do."""
        try:
            await self._telephone.ask_kept()
        except TelephoneError as error:
            self._log.warning("what the dialplan did by itself is not told", why=str(error))

    def phone_ended(self) -> None:
        """A call that is not ours ended at a phone of ours: it may be one the dialplan served."""
        self._phone_ended.set()

    async def ask_when_phones_end(self) -> None:
        """Have an emergency call in the history as soon as it has ended, without any part in it before."""
        while True:
            await self._phone_ended.wait()
            self._phone_ended.clear()
            with contextlib.suppress(TelephoneError):  # the next audit asks too
                if self._engine.ready_parts["asterisk"] == "live" and await self._telephone.kept():
                    await self.ask_kept()

    async def watch_trunks(self) -> None:
        """Every few seconds look whether carriers answer, and tell the engine of those that changed."""
        while True:
            await asyncio.sleep(TRUNKS_S)
            world = self._engine.world
            self._telephone.know_trunks(tuple(world.setup.trunk_of_endpoint))
            try:
                states = await self._telephone.trunk_states()
            except TelephoneError:
                continue  # the audit tells of what goes on
            for seen in states:
                row = world.trunks.get(world.setup.trunk_of_endpoint.get(seen.endpoint, ""))
                if seen.reachable is not (row is None or row.reachable):
                    self._engine.tell(seen)

    async def forget(self) -> None:
        """Once an hour, take what is too old out of the books."""
        while True:
            try:
                await prune_facts(self._database, self._clock.now_ms(), FACTS_DAYS)
                await prune_stories(self._database, self._clock.now_ms(), STORIES_DAYS)
            except TongdaiError as error:
                self._log.warning("nothing was pruned", why=str(error))
            await asyncio.sleep(FORGET_S)
