"""Calls while the books cannot be written: they go on, it is told, and afterwards nothing is missing (F11, F12)."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from tests.faults.figures import record, runs
from tests.faults.ward import Ward
from tests.live.harness import soon, until
from tests.live.setups import HOTLINE

NUMBERS = tuple(f"028100000{n}" for n in range(1, 4))
HOLDS_S = 5.0
"""How long the fault lasts at least."""
OUTER_S = 40.0  # what no busy machine exceeds; the programme's own figures are recorded beside what was seen
TOLD_S = {"F11": 1.0, "F12": 5.0}

Fault = Callable[[], AbstractAsyncContextManager[None]]


async def calls_go_on(
    floor: Ward, fault: Fault, gaps: Callable[[], Awaitable[int]], name: str, what: str, where: str = ""
) -> None:
    """Calls one after another through `fault` and after it, by agent a1; `gaps` counts facts missing on the books.

    `name` is the number of the fault, `what` and `where` say what it is and of which database.
    """
    await floor.desk("a1")
    usual = statistics.median([await served(floor, NUMBERS[0]) for _ in range(3)])
    added, told, caught = [], [], []
    for _ in range(runs(1, 20)):
        async with fault():
            began = time.monotonic()
            call = asyncio.create_task(served(floor, NUMBERS[1]))

            async def degraded() -> bool:
                return await database_state(floor) == "degraded"

            await until(degraded, "readiness says degraded")
            told.append(time.monotonic() - began)
            added.append(max(0.0, await call - usual))
            while time.monotonic() - began < HOLDS_S:
                added.append(max(0.0, await served(floor, NUMBERS[2]) - usual))
        caught.append(await caught_up(floor, time.monotonic()))
    calls = await floor.api.history(floor.began)
    assert len(calls) == 3 * 1 + len(added), "every call has one record"
    assert {row["result"] for row in calls} == {"answered"}
    assert await gaps() == 0
    limit_s, what = TOLD_S[name], f"database {what}"
    seen = f"{len(calls)} of {len(calls)} calls, facts without a gap"
    record(name, f"{what}: records{where}", "one a call", seen, passed=True, times=len(calls), promise="history")
    record(name, f"{what}: delay added to a call{where}", "≤ 300 ms", added, limit=0.3)
    record(name, f"{what}: told by readiness{where}", f"≤ {limit_s:g} s", told, limit=limit_s)
    record(name, f"{what}: caught up afterwards, 0 rows lost{where}", "≤ 2 s", caught, limit=2.0)
    assert max(added) <= OUTER_S


async def served(floor: Ward, number: str) -> float:
    """A call from dialling to the agent's voice: how long until the agent's phone rang. Then it ends."""
    phone = floor.phones["a1"]
    began = time.monotonic()
    call = floor.dial(HOTLINE, number)
    leg = await phone.next_call(OUTER_S)
    rang = time.monotonic() - began
    await soon(leg.up, "the agent answers", OUTER_S)
    await floor.live(number, state="talking")
    await call.hangup()
    await soon(leg.ended, "it ends", OUTER_S)
    await floor.state("a1", "ready")
    return rang


async def database_state(floor: Ward) -> str:
    """What readiness says of the database."""
    return str((await floor.api.http.get("/readyz")).json()["database"])


async def caught_up(floor: Ward, since: float) -> float:
    """Wait until nothing is owed to the books; how long that took since."""

    async def ask() -> bool:
        return await database_state(floor) == "ok" and await floor.metric("tongdai_ledger_owed_turns") == 0

    await until(ask, "the books are caught up with")
    return time.monotonic() - since
