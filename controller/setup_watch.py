"""The setup in force: put on the books, noticed there when somebody else did, and taken over by every room."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Final

import structlog

from controller import setup_file
from controller.core.events import SetupChanged
from controller.core.setup import Setup
from controller.engine import Engine
from controller.errors import TelephoneError, TongdaiError
from controller.foyer import Foyer
from controller.generated import Generated
from controller.link import Link
from controller.loading import set_aside
from controller.rounds import Rounds

SETUP_POLL_S: Final = 2.0


class SetupWatch:
    """Keeps the running house at the setup of the books; one change at a time."""

    def __init__(self, foyer: Foyer, engine: Engine, generated: Generated, link: Link, rounds: Rounds) -> None:
        self._setups, self._numbers = foyer.setups, foyer.numbers
        self._clock, self._telephone, self._metrics = foyer.clock, foyer.telephone, foyer.metrics
        self._engine = engine
        self._generated = generated
        self._link = link
        self._rounds = rounds
        self._changing = asyncio.Lock()
        self._log = structlog.get_logger("main")

    async def apply(self, text: str, seen_version: int | None, by: str) -> int:
        """Put a setup in force: on the books first, then here."""
        async with self._changing:
            version = await self._setups.put(text, seen_version, by)
            await self._take_over(text, version)
        return version

    async def refresh(self) -> None:
        """Look at the books and at the table of carriers now, because somebody says that they changed."""
        async with self._changing:
            await self._numbers.refresh()
            stored = await self._setups.current()
            parsed = await self._parsed(stored.text)
            if await self._numbers.completed(replace(parsed, version=stored.version)) != self._engine.world.setup:
                await self._take_over(stored.text, stored.version)

    async def run(self) -> None:
        """Notice a setup or number table that somebody else put on the books."""
        while True:
            await asyncio.sleep(SETUP_POLL_S)
            try:
                async with self._changing:
                    self._metrics.ping(self._telephone.latency_s)
                    version = await self._setups.version_in_force()
                    if version != self._engine.world.setup.version or await self._numbers.refresh():
                        stored = await self._setups.current()
                        await self._take_over(stored.text, stored.version)
            except TongdaiError as error:
                self._log.warning("setup not looked at", why=str(error))

    async def _parsed(self, text: str) -> Setup:
        """Read a setup beside the calls: a megabyte takes a second of a core."""
        return await asyncio.to_thread(setup_file.parse_in_force, text, now_ms=self._clock.now_ms())

    async def _take_over(self, text: str, version: int) -> None:
        parsed = await self._parsed(text)
        setup = await self._numbers.completed(replace(parsed, version=version))
        if setup.carriers_from.trouble:
            self._log.error("the shipped table of carriers stands in", why=setup.carriers_from.trouble)
        before = self._engine.world.setup
        await self._engine.ask(SetupChanged(setup))
        await self._generated.renew(setup)
        if [row.endpoint for row in before.agents] != [row.endpoint for row in setup.agents]:
            with contextlib.suppress(TelephoneError):
                await self._link.watch_phones(setup)
        set_aside()
        await self._rounds.look()
