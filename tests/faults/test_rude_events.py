"""Events are lost, doubled and change places on their way from a real Asterisk; afterwards everything settles (F23-25).

The simulator does this at length. Here it is Asterisk's own events, in its own order and number.
"""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from controller.lab.sipcall import Rule, SipCall
from tests.faults.figures import cases, record, runs
from tests.faults.frames import Rudeness
from tests.faults.ward import Ward, crowd_setup
from tests.live.harness import until
from tests.live.setups import HOTLINE, hotline, queue

NAMES = ("r01", "r02", "r03", "r04")
SETUP = crowd_setup(
    NAMES, hotline(queue="sales"), queue("sales", "team", ring_time=3, max_wait=20, max_size=50, wrap_up=1)
)
SETTLE_S = 60.0
OUTER_S = 100.0
RUDE = {
    "doubled 1 in 2": Rudeness(duplicate=0.5),
    "swapped within 16": Rudeness(swap=16),
    "late by up to 5 s": Rudeness(delay_s=5.0),
    "lost 3 in 10": Rudeness(drop=0.3),
    "all of it": Rudeness(drop=0.15, duplicate=0.3, swap=8),
}


@pytest.mark.parametrize("how", cases("doubled 1 in 2", long=tuple(RUDE)[1:]))
async def test_a_rude_stream_and_then_everything_settles(floor: Ward, how: str) -> None:
    chance, logged = random.Random(how), floor.logged
    await floor.seat(*NAMES, rule=Rule(ring_s=0.2))
    floor.rude.events(RUDE[how])
    calls: list[SipCall] = []
    for n in range(runs(8, 60)):
        calls.append(floor.dial(HOTLINE, f"0291{n:06d}"))
        await asyncio.sleep(chance.random() * 0.6)
        if chance.random() < 0.5:
            await chance.choice(calls).hangup()
        for name in NAMES:
            for leg in floor.phones[name].live():
                if leg.up.is_set() and chance.random() < 0.2:
                    await leg.hangup()
    assert all(len(floor.phones[name].live()) <= 2 for name in NAMES)
    floor.rude.polite()
    await asyncio.gather(*(call.hangup() for call in calls))
    began = time.monotonic()

    async def settled() -> bool:
        states = {name: (await floor.api.agent(name))["state"] for name in NAMES}
        return not any(await floor.left()) and set(states.values()) <= {"ready", "unreachable"}

    await until(settled, "nobody is stuck and nothing is left", OUTER_S)
    took = time.monotonic() - began
    fault = {"doubled": "F23", "swapped": "F24", "late": "F24"}.get(how.split(maxsplit=1)[0], "F25")
    record(fault, f"events {how}: all settled after", "L1–L4 ≤ 60 s", [took], limit=SETTLE_S)
    assert [line for line in floor.complaints(logged) if "broke" in line] == []
    for name in NAMES:
        await floor.phones[name].unregister()
        await floor.phones[name].register()
        await floor.state(name, "ready")
    await floor.serve_one()
