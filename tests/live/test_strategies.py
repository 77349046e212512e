"""Who is rung: the six strategies, each shown by the agents a series of quick calls reaches."""

from __future__ import annotations

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from controller.core.setup import Defaults
from controller.lab.sipcall import Rule
from tests.live.floor import Floor
from tests.live.harness import soon, until
from tests.live.setups import hotline, queue, whole

pytestmark = pytest.mark.live

TEAM = ("a1", "a2", "a3")
ENOUGH = 30
STRATEGIES = ("linear", "longest-idle", "round-robin", "fewest-calls", "random", "ring-all")
LINES = {strategy: f"+84247300103{n}" for n, strategy in enumerate(STRATEGIES)}
SETUP = whole(
    *(hotline(number, queue=strategy) for strategy, number in LINES.items()),
    *(queue(strategy, "team", strategy=strategy) for strategy in STRATEGIES),
    groups={"team": TEAM},
)


async def _reached(floor: Floor, strategy: str, calls: int) -> list[str]:
    """The agents that answer so many calls, one after another."""
    found = []
    for _ in range(calls):
        call, row = await floor.talk(LINES[strategy])
        found.append(row["agent"])
        await call.hangup()
        await floor.ended()
        await floor.state(row["agent"], "ready")
    return found


async def test_linear_asks_in_the_order_of_the_setup(floor: Floor) -> None:
    await floor.desk(*TEAM)
    assert await _reached(floor, "linear", 3) == ["a1", "a1", "a1"]


async def test_longest_idle_asks_who_has_rested_longest(floor: Floor) -> None:
    for name in ("a3", "a1", "a2"):
        await floor.desk(name)
    assert await _reached(floor, "longest-idle", 4) == ["a3", "a1", "a2", "a3"]


async def test_round_robin_goes_round(floor: Floor) -> None:
    await floor.desk(*TEAM)
    reached = await _reached(floor, "round-robin", 6)
    assert sorted(reached[:3]) == sorted(TEAM)
    assert reached[3:] == reached[:3]


async def test_fewest_calls_evens_out(floor: Floor) -> None:
    await floor.desk(*TEAM)
    before, reached = await _answered_today(floor), await _reached(floor, "fewest-calls", 3)
    if before[0] != _midnight():  # the figures of the day began anew in between
        before, reached = await _answered_today(floor), await _reached(floor, "fewest-calls", 3)
    counts = before[1]
    for name in reached:
        assert counts[name] == min(counts.values()), f"{name} had more calls than somebody else: {counts}"
        counts[name] += 1


async def test_random_asks_anybody(floor: Floor) -> None:
    await floor.desk(*TEAM)
    reached: set[str] = set()
    for _ in range(ENOUGH):
        reached |= set(await _reached(floor, "random", 1))
        if len(reached) > 1:
            break
    assert reached <= set(TEAM)
    assert len(reached) > 1, f"{ENOUGH} calls to one of three at random: once in 10^14"


async def test_ring_all_rings_everybody_and_one_gets_the_call(floor: Floor) -> None:
    await floor.desk(*TEAM, rule=Rule(status=0))
    call = floor.dial(LINES["ring-all"])
    legs = [await floor.phones[name].next_call() for name in TEAM]
    await asyncio.gather(*(soon(leg.ringing, "everybody rings") for leg in legs))
    await legs[1].answer()
    row = await floor.live(state="talking")
    assert row["agent"] == "a2"
    for leg in (legs[0], legs[2]):
        await soon(leg.ended, "the others stop ringing")
    for name in ("a1", "a3"):
        await floor.state(name, "ready")
    await call.hangup()


async def test_two_who_answer_at_once_are_never_both_with_the_caller(floor: Floor) -> None:
    await floor.desk(*TEAM, rule=Rule(status=0))
    call = floor.dial(LINES["ring-all"])
    legs = [await floor.phones[name].next_call() for name in TEAM]
    await asyncio.gather(*(soon(leg.ringing, "everybody rings") for leg in legs))
    await asyncio.gather(*(leg.answer() for leg in legs))
    row = await floor.live(state="talking")
    winner = TEAM.index(row["agent"])

    async def alone() -> bool:
        return [leg.ended.is_set() for leg in legs] == [n != winner for n in range(len(TEAM))]

    await until(alone, "only the winner's leg is left")

    async def two() -> bool:
        return len(await floor.api.ari("channels")) == 2

    await until(two, "the caller's channel and the winner's")
    for n, name in enumerate(TEAM):
        await floor.state(name, "talking" if n == winner else "ready")
    await call.hangup()
    await floor.ended()


def _midnight() -> str:
    """When the day began for which calls are counted, by the time zone of the setup."""
    return datetime.now(ZoneInfo(Defaults().timezone)).replace(hour=0, minute=0, second=0, microsecond=0).isoformat()


async def _answered_today(floor: Floor) -> tuple[str, dict[str, int]]:
    """The day, and how many calls each agent has answered on it."""
    since, counts = _midnight(), {}
    for name in TEAM:
        asked = {"since": since, "agent": name, "direction": "inbound", "result": "answered", "limit": 200}
        counts[name] = len(await floor.api.calls("ended", **asked))
    return since, counts
