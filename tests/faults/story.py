"""A floor in the middle of its day, and that nobody on it notices when the leader changes (docs/standby.md)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from controller.lab.sipcall import Rule, SipCall
from tests.faults.pair import START_S, Twins
from tests.live.floor import CUSTOMER_HZ, SPEECH, agent_hz
from tests.live.harness import soon, until
from tests.live.setups import HOTLINE, hotline, queue

RESTING = "+842473001061"
REST_S = 12
TALKING, RINGING, FIRST, SECOND = "0281000001", "0281000002", "0281000003", "0281000004"
PACKETS_MIN, READ_S = 20, 0.2
"""Packets a second of 50, on a machine that may be late; and how long those that wait are read."""
PATIENT_S = 600
"""Longer than a machine stands still: nobody on this floor gives up by the clock."""
QUEUES = (
    hotline(queue="sales", outbound=True),
    hotline(RESTING, queue="resting"),
    queue("sales", "team", ring_time=120, max_wait=PATIENT_S, max_size=200),
    queue("resting", "rest", wrap_up=REST_S),
)
GROUPS = {"team": ("a2", "a3"), "rest": ("a6",)}
"""Who rests serves nobody else, so the end of the rest changes nothing for those who wait."""


def _hears(call: SipCall, hz: int) -> Callable[[], object]:
    async def ask() -> bool:
        return call.media.level(hz, 0.3) > SPEECH

    return ask


class Story:
    """One talks, one is rung for, one rests, two wait: what must be the same afterwards."""

    def __init__(self, floor: Twins) -> None:
        self.floor = floor
        self.calls: dict[str, SipCall] = {}

    async def begin(self) -> None:
        floor = self.floor
        floor.began = datetime.now(UTC).isoformat(timespec="milliseconds")
        await floor.desk("a3", "a6")
        done, _ = await floor.talk(RESTING, "0281000009")
        await floor.state("a6", "talking")
        await done.hangup()
        self.resting = await floor.state("a6", "wrap_up")
        self.calls[TALKING], self.row = await floor.talk(HOTLINE, TALKING)
        assert self.row["agent"] == "a3"
        self.leg = floor.phones["a3"].live()[0]
        await until(_hears(self.calls[TALKING], agent_hz("a3")), "they talk")
        await floor.desk("a2", rule=Rule(status=0))
        self.calls[RINGING] = floor.dial(HOTLINE, RINGING)
        await floor.live(RINGING, state="ringing")
        for place, number in enumerate((FIRST, SECOND), 2):
            self.calls[number] = floor.dial(HOTLINE, number)
            await floor.live(number, state="waiting", position=place)
        self.before = await self._places()
        self.heard = (self.calls[TALKING].media.received, self.leg.media.received, time.monotonic())

    async def _places(self) -> dict[str, tuple[int, str]]:
        """Place and time in the queue of the calls of this story, whoever else is there."""
        rows = {row["caller"][-9:]: row for row in await self.floor.api.calls()}
        mine = {number: rows[number[-9:]] for number in self.calls}
        return {number: (row["position"], row["queued_at"]) for number, row in mine.items()}

    async def go_on(self) -> None:
        """After the handover: nobody noticed anything."""
        floor = self.floor
        assert not any(call.ended.is_set() for call in self.calls.values())
        seconds = time.monotonic() - self.heard[2]
        await asyncio.sleep(READ_S)
        assert self.calls[TALKING].media.received - self.heard[0] > seconds * PACKETS_MIN, "heard all the time"
        assert self.leg.media.received - self.heard[1] > seconds * PACKETS_MIN
        assert await self._places() == self.before
        again = await floor.api.call(self.row["id"])
        assert (again["state"], again["agent"], again["answered_at"]) == ("talking", "a3", self.row["answered_at"])
        rest = await floor.api.agent("a6")
        if rest["state"] == "wrap_up":
            assert rest["wrap_up_until"] == self.resting["wrap_up_until"]
        else:
            until_s = datetime.fromisoformat(self.resting["wrap_up_until"]).timestamp()
            assert time.time() >= until_s, "the rest was cut short"
        await until(_hears(self.calls[TALKING], agent_hz("a3")), "the customer hears the agent")
        await until(_hears(self.leg, CUSTOMER_HZ), "the agent hears the customer")
        phone = floor.phones["a2"]
        assert len(phone.live()) <= 1, "nobody is rung twice"
        phone.rule = Rule()
        for leg in phone.live():
            await leg.answer()
        await floor.live(RINGING, state="talking", seconds=START_S)
        await self.calls[RINGING].hangup()
        for number in (FIRST, SECOND):
            await floor.live(number, state="talking", seconds=START_S)
            await self.calls[number].hangup()
            await floor.ended(number)
        await self.leg.hangup()
        await soon(self.calls[TALKING].ended, "the call still ends as it should")
        for number in (TALKING, RINGING, FIRST, SECOND):
            assert (await floor.ended(number))["result"] == "answered"
            assert len(await floor.records(number)) == 1, "one record each"
