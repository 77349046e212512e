"""What a commit costs: `python scripts/bench_ledger.py [URL] [COMMITS]`; SQLite in a temporary folder unless told.

Each commit is what a busy call makes of one event: two live rows replaced, two facts, one offer.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from dataclasses import replace

from controller.clock import SystemClock
from controller.core.facts import AgentChanged, CallOffered
from controller.core.model import Agent, Call, Change, Phase
from controller.ports import Said, Turn
from controller.store.db import Database, migrate
from controller.store.ledger import SqlLedger

WARM_UP = 100
CALLS, AGENTS = 200, 60


def turn(n: int, first: int) -> Turn:
    """Build the n-th turn; `first` keeps the numbers of facts apart from those of an earlier run."""
    at_ms = first + n
    call = Call(
        id=f"1700000000.{n % CALLS}",
        direction="inbound",
        phase=Phase.WAITING,
        hotline="+842473001001",
        caller="+84912345678",
        caller_name="",
        callee="",
        arrived_at_ms=at_ms,
    )
    agent = replace(Agent(f"agent{n % AGENTS}"), since_ms=at_ms)
    offer = CallOffered(call.id, "sales", agent.name, f"{call.id}.a{at_ms}", "longest-idle")
    changed = AgentChanged(agent.name, "available", "", "offered", call.id, None, "")
    said = (Said(2 * at_ms, at_ms, offer), Said(2 * at_ms + 1, at_ms, changed))
    return Turn(at_ms, (Change("call", call.id, call), Change("agent", agent.name, agent)), said)


async def run(url: str, count: int) -> str:
    """Commit `count` turns one after another and say what one of them cost."""
    await migrate(url)
    database = Database(url)
    ledger = SqlLedger(database, SystemClock())
    first = SystemClock().now_ms()
    turns = [turn(n, first) for n in range(WARM_UP + count)]
    for owed in turns[:WARM_UP]:
        await ledger.commit([owed])
    took: list[float] = []
    cpu_s = time.process_time()
    for owed in turns[WARM_UP:]:
        began = time.perf_counter()
        await ledger.commit([owed])
        took.append(time.perf_counter() - began)
    cpu_ms = (time.process_time() - cpu_s) / count * 1000
    took.sort()
    await ledger.close()
    await database.close()
    p50_ms, p99_ms = (took[int(count * share)] * 1000 for share in (0.5, 0.99))
    return f"{cpu_ms:.3f} ms CPU a commit; p50 {p50_ms:.2f} ms, p99 {p99_ms:.2f} ms, {count} commits"


def main() -> None:
    """Read the command line."""
    with tempfile.TemporaryDirectory() as folder:
        given = dict(enumerate(sys.argv[1:]))
        url = given.get(0, f"sqlite+aiosqlite:///{folder}/books.db")
        print(asyncio.run(run(url, int(given.get(1, "3000")))))


if __name__ == "__main__":
    main()
