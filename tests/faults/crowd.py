"""Callers who keep coming while something happens to the daemons, and what must be true of each of them afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise

from controller.lab.sipcall import Rule, SipCall
from tests.faults.pair import START_S, Twins
from tests.live.floor import same
from tests.live.harness import until
from tests.live.setups import hotline, queue

BUSY = "+842473001063"
EVERY_S, TALK_S, REST_S = 0.3, 0.3, 1
WAITING_MAX = 40
"""Nobody new comes while so many wait: a slow machine has no more to carry than another."""
CLOCK_S = 0.05
QUEUES = (
    hotline(BUSY, queue="busy"),
    queue("busy", "busy", ring_time=120, wrap_up=REST_S, max_wait=600, max_size=200),
)
GROUPS = {"busy": ("a1", "a5")}
"""Two who take call after call, end each and rest after it: there are callers in every state all the time."""


class Crowd:
    """`calls` are the customers' sides by the number they show."""

    def __init__(self, floor: Twins) -> None:
        self.floor = floor
        self.calls: dict[str, SipCall] = {}
        self.began = datetime.now(UTC).isoformat(timespec="milliseconds")

    @asynccontextmanager
    async def coming(self) -> AsyncIterator[None]:
        """Within this they come; at the end they stay."""
        await self.floor.desk(*GROUPS["busy"], rule=Rule(talk_s=TALK_S))
        arriving = asyncio.create_task(self._arrive())
        try:
            yield
        finally:
            arriving.cancel()
            with suppress(asyncio.CancelledError):
                await arriving

    async def _arrive(self) -> None:
        while True:
            if len(self.live()) < WAITING_MAX:
                number = f"02820{len(self.calls):05d}"
                self.calls[number] = self.floor.dial(BUSY, number)
            await asyncio.sleep(EVERY_S)

    def live(self) -> list[SipCall]:
        """Those who have not ended."""
        return [call for call in self.calls.values() if not call.ended.is_set()]

    async def more(self, count: int) -> None:
        """Wait until so many more have come and as many as now have been served."""
        known, served = len(self.calls), self._served()

        async def ask() -> bool:
            return len(self.calls) >= known + count and self._served() > served

        await until(ask, f"{count} more callers, and one more served", START_S)

    def _served(self) -> int:
        return sum(call.ended.is_set() for name in GROUPS["busy"] for call in self.floor.phones[name].calls)

    async def go_home(self) -> int:
        """They hang up; each has had one agent at most, and one record. How many there were."""
        floor = self.floor

        async def all_known() -> bool:
            known = {row["caller"][-9:] for state in ("live", "ended") for row in await floor.api.calls(state)}
            return {number[-9:] for number in self.calls} <= known

        await until(all_known, "every caller is known", START_S)
        served = {leg.caller[-9:] for name in GROUPS["busy"] for leg in floor.phones[name].calls}
        gone = {number[-9:] for number, call in self.calls.items() if call.ended.is_set()}
        assert gone <= served, "only who has talked has gone"
        await asyncio.gather(*(call.hangup() for call in self.live()))

        async def all_ended() -> bool:
            callers = {row["caller"][-9:] for row in await floor.api.calls()}
            return not callers & {number[-9:] for number in self.calls}

        await until(all_ended, "every call has ended", START_S)
        rows = [row for row in await floor.api.history(self.began) if same(row["hotline"], BUSY)]
        assert Counter(row["caller"][-9:] for row in rows) == Counter(number[-9:] for number in self.calls)
        assert gone <= {row["caller"][-9:] for row in rows if row["result"] == "answered"}
        self._phones()
        return len(self.calls)

    def _phones(self) -> None:
        """Nobody was rung twice for, and no agent before the rest was over."""
        legs = [leg for name in GROUPS["busy"] for leg in self.floor.phones[name].calls]
        assert max(Counter(leg.caller[-9:] for leg in legs).values()) == 1
        for name in GROUPS["busy"]:
            for last, following in pairwise(self.floor.phones[name].calls):
                pause_s = following.at["invite"] - last.at["ended"]
                assert last.ended_by != "us" or pause_s >= REST_S - CLOCK_S, f"{name} rests after each call"
