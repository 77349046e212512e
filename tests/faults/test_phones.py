"""Agents' phones that are not there (F21), and many that vanish one by one and come back in another order (F22)."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from controller.lab.sipcall import Rule, SipCall
from controller.lab.softphone import Softphone
from tests.faults.figures import cases, record, runs
from tests.faults.ward import Ward, crowd_setup
from tests.live.harness import until
from tests.live.setups import HOTLINE, hotline, queue

NAMES = tuple(f"p{n:02d}" for n in range(1, 21))
RING_S = 3
SETUP = crowd_setup(
    NAMES,
    hotline(queue="sales"),
    queue("sales", "team", ring_time=RING_S, max_wait=300, max_size=50, strategy="linear"),
)
SETTLE_S = 60.0


@pytest.mark.parametrize("way", cases("408", long=("no 100", "503")))
async def test_a_phone_that_is_not_there_is_offered_one_call(floor: Ward, way: str) -> None:
    """Set aside after one offer, not offered again, and back with the first sign of life."""
    rule = Rule(status=int(way)) if way != "no 100" else None
    await floor.seat("p01", rule=rule)
    await floor.seat("p02")
    dead = floor.phones["p01"]
    if way == "no 100":
        dead.vanish()
    began = time.monotonic()
    call = floor.dial(HOTLINE, "0288000001")
    await floor.live("0288000001", state="talking", agent="p02", seconds=RING_S + 60.0)
    took = time.monotonic() - began
    assert (await floor.api.agent("p01"))["state"] == "unreachable"
    await call.hangup()
    await floor.ended("0288000001")
    await floor.state("p02", "ready")
    offers = len(dead.calls)
    again = time.monotonic()
    second = floor.dial(HOTLINE, "0288000002")
    await floor.live("0288000002", state="talking", agent="p02")
    straight = time.monotonic() - again
    assert len(dead.calls) == offers, "not offered again"
    await second.hangup()
    await floor.ended("0288000002")
    if way == "no 100":
        floor.phones["p01"] = dead = Softphone(floor.lab.sip, "p01", password=dead.password, hz=700)
    dead.rule = Rule()
    await dead.unregister() if way != "no 100" else None
    await dead.register()
    await floor.state("p01", "ready")
    record("F21", f"{way}: the next agent talks after", "≤ 1 offer", [took], limit=RING_S + 1.0)
    record("F21", f"{way}: the call after that", "straight to the next", [straight], limit=1.0)
    assert took <= RING_S + 60.0


@pytest.mark.faults
async def test_phones_vanish_and_return_in_another_order(floor: Ward) -> None:
    """Swizzle: half of the phones lose power one by one; calls keep coming; everybody is served in the end."""
    count, gone = runs(4, 20), runs(2, 10)
    names, chance = NAMES[:count], random.Random(20)
    await floor.seat(*names)
    talks = {f"0288{n:06d}": floor.dial(HOTLINE, f"0288{n:06d}") for n in range(count)}
    await floor.talks(talks)
    lost = list(names[:gone])
    for name in lost:
        floor.phones[name].vanish()
        await asyncio.sleep(runs(1, 5) / gone * 0.5)
    waiting: dict[str, SipCall] = {f"0289{n:06d}": floor.dial(HOTLINE, f"0289{n:06d}") for n in range(gone)}
    for number in waiting:
        await floor.live(number, state="waiting")
    await asyncio.gather(*(call.hangup() for call in talks.values()))
    chance.shuffle(lost)
    began = time.monotonic()
    for name in lost:
        fresh = Softphone(floor.lab.sip, name, password=floor.phones[name].password, hz=700)
        await fresh.register()
        floor.phones[name] = fresh
    await floor.talks(waiting)
    served = time.monotonic() - began
    await asyncio.gather(*(call.hangup() for call in waiting.values()))

    async def settled() -> bool:
        states = [row["state"] for row in (await floor.api.get("/api/v1/agents", limit=100))["items"]]
        return not any(await floor.left()) and states.count("ready") == count

    await until(settled, "nobody is stuck, nothing is left", SETTLE_S)
    took = time.monotonic() - began
    record("F22", "waiting callers served after the phones return", "≤ 60 s", [served], limit=60.0)
    record("F22", "all phones free, Asterisk empty after", "L1–L4 ≤ 60 s", [took], limit=60.0)
