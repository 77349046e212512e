"""An engine that takes seconds for every turn, under two thousand events a second (F8 a): the reader keeps up.

The engine is the real one, held up where it may be held up; so are reader and link. Only Asterisk is a fake, because
the real one would be slower than this.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from controller.ari.link import LinkState
from controller.ari.telephone import AriTelephone
from controller.clock import SystemClock
from controller.core.events import SetupChanged
from controller.core.world import World
from controller.engine import Engine
from controller.journal import Journal
from tests.engine.test_engine import SETUP, Books, until
from tests.faults.figures import record
from tests.wire.fake_ari import Asked, FakeAri, fake_ari

PER_S = 2000
BUFFER_MAX = 50_000
TURN_S, FLOOD_S = 5.0, 32.0
CALL = {"id": "1795369149.0", "name": "PJSIP/x-00000000", "state": "Up"}


def _answers(asked: Asked) -> object:
    lists = {"/ari/channels", "/ari/bridges", "/ari/endpoints/PJSIP"}
    return (200, [] if asked.path in lists else {}) if asked.method == "GET" else 204


class House:
    """Telephone and engine, joined as the daemon joins them; a turn takes seconds."""

    def __init__(self, fake: FakeAri) -> None:
        self.engine = Engine(World(SETUP), Books(), SystemClock(), lambda _commands: None, Journal(None))
        self.telephone = AriTelephone(fake.settings)
        self.floods = self.lost = self.most = 0
        self.engine.flooded = self._flooded
        self.turn_s = TURN_S
        self._syncing: asyncio.Task[None] | None = None
        turn = self.engine._turn

        async def slow() -> None:
            await turn()
            await asyncio.sleep(self.turn_s)

        self.engine._turn = slow  # type: ignore[method-assign]  # the fault

    def _flooded(self) -> None:
        self.floods += 1
        self._syncing = asyncio.create_task(self._synchronise())

    def on_link(self, state: LinkState) -> None:
        if state is LinkState.SYNCING:
            self.engine.hold()
            self._syncing = asyncio.create_task(self._synchronise())
        elif state is LinkState.LOST:
            self.lost += 1

    async def _synchronise(self) -> None:
        await until(lambda: self.engine.behind < 1000, 60.0)
        self.engine.resume(await self.telephone.snapshot())
        self.telephone.synced()


@pytest.mark.faults
async def test_the_reader_keeps_up_with_a_slow_engine() -> None:
    """It falls behind by more than it may hold: looked up once, the stream is never cut, nothing dropped in silence."""
    async with fake_ari(answer=_answers) as fake:
        house = House(fake)
        house.engine.tell(SetupChanged(SETUP))
        tasks = [
            asyncio.create_task(house.engine.run()),
            asyncio.create_task(house.telephone.run_link(house.engine.hear, house.on_link)),
        ]
        try:
            await until(lambda: house.telephone.state is LinkState.LIVE, 15.0)
            said, began = 0, time.monotonic()
            while (gone := time.monotonic() - began) < FLOOD_S:
                for _ in range(int(gone * PER_S) - said):
                    said += 1
                    await fake.say("ChannelDtmfReceived", channel=CALL, digit="5", duration_ms=said)
                house.most = max(house.most, house.engine.behind)
                await asyncio.sleep(0.01)
            house.turn_s = 0.0
            await until(lambda: house.engine.behind == 0 and house.telephone.state is LinkState.LIVE, 60.0)
            assert house.telephone.odd == {}
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await house.telephone.close()
    what = f"engine {TURN_S:.0f} s a turn, {PER_S} events/s"
    record("F8", f"{what}: most events behind", f"≤ {BUFFER_MAX}", [house.most], unit="", limit=BUFFER_MAX, times=said)
    seen = f"{house.lost} cuts, {house.floods} resync, {said} events"
    record("F8", f"{what}: stream", "not cut; on overflow one resync", seen, times=1, passed=house.lost == 0)
    assert house.lost == 0
    assert house.most <= BUFFER_MAX
    assert house.floods == 1
