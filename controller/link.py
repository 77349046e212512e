"""The link to Asterisk as the hall keeps it: a snapshot before the first event, and again when events were missed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from controller.ari.link import LinkState
from controller.ari.telephone import AriTelephone
from controller.core.events import Event, LinkLost, PhoneChannel, Ticked
from controller.core.setup import Setup
from controller.engine import Engine
from controller.errors import TelephoneError
from controller.generated import Generated
from controller.loading import set_aside
from controller.rounds import Rounds

SNAPSHOT_RETRY_S: Final = 0.2
BEHIND_MAX: Final = 1_000

Job = Callable[[], Coroutine[Any, Any, None]]


class Link:
    """Joins event stream and engine. `guard` runs work whose end ends the house, `taken_over` hears that we lost."""

    def __init__(
        self,
        engine: Engine,
        telephone: AriTelephone,
        generated: Generated,
        rounds: Rounds,
        guard: Callable[[Job], Coroutine[Any, Any, None]],
        taken_over: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._telephone = telephone
        self._generated = generated
        self._rounds = rounds
        self._guard = guard
        self._taken_over = taken_over
        self._syncing: asyncio.Task[None] | None = None
        self._started = False
        self._log = structlog.get_logger("main")
        engine.flooded = self._flooded

    def hear(self, event: Event) -> None:
        """Take an event in. A call that is not ours and ends at a phone of ours may be one the dialplan served."""
        self._engine.hear(event)
        if isinstance(event, PhoneChannel) and event.state == "gone":
            world = self._engine.world
            if event.channel not in world.calls and not world.is_over(event.channel):
                self._rounds.phone_ended()

    def on_link(self, state: LinkState) -> None:
        """The event stream came, is there, or went."""
        match state:
            case LinkState.SYNCING:
                self._engine.hold()
                self._syncing = asyncio.create_task(self._guard(self._synchronise))
            case LinkState.LOST:
                self.give_up()
                self._engine.ready_parts["asterisk"] = "lost"
                self._engine.tell(LinkLost())
            case LinkState.REPLACED:
                self._taken_over("the ARI application was taken over")
            case _:
                pass

    def give_up(self) -> None:
        """End a comparison that is under way: the stream it was for is gone."""
        if self._syncing is not None:
            self._syncing.cancel()

    async def watch_phones(self, setup: Setup) -> None:
        """Have events of every agent's phone; TelephoneError when Asterisk does not answer."""
        await self._telephone.watch_phones(tuple(row.endpoint for row in setup.agents if row.endpoint))

    def _flooded(self) -> None:
        """Asterisk speaks faster than we decide: what was left out is looked up once we have caught up."""
        self._log.warning("events come faster than they are decided on")
        self._engine.ready_parts["asterisk"] = "behind"
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.create_task(self._guard(self._synchronise))

    async def _synchronise(self) -> None:
        while not await self._compared():
            pass
        await self._engine.ask(Ticked())  # decided on, and on the books: before that nothing is reconciled
        self._telephone.synced()
        self._engine.ready_parts["asterisk"] = "live"
        await self._generated.renew(self._engine.world.setup)
        if not self._started:
            # Once a life: in a flood or a flapping network the search would take the time that is short already, and
            # what is kept out of later searches each time would add up.
            set_aside()
            self._started = True
        await self._rounds.ask_kept()

    async def _compared(self) -> bool:
        """Let a snapshot in, and the events held back behind it; False, a moment later, when that was not possible."""
        if self._engine.behind > BEHIND_MAX:
            await asyncio.sleep(SNAPSHOT_RETRY_S)
            return False
        try:
            await self.watch_phones(self._engine.world.setup)
            self._telephone.know_trunks(tuple(self._engine.world.setup.trunk_of_endpoint))
            snapshot = await self._telephone.snapshot()
        except TelephoneError as error:
            self._log.warning("no snapshot yet", why=str(error))
            await asyncio.sleep(SNAPSHOT_RETRY_S)
            return False
        if self._engine.resume(snapshot):
            return True
        self._engine.hold()
        return False
