"""The engine alone at full speed: an hour of a busy hotline, replayed as fast as it goes, with its books and without.

python -m benchmarks.engine [--calls 3600]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import uvloop

from benchmarks.step_cost import QUIET, setup
from controller.clock import SystemClock
from controller.core.events import (
    AgentStatusAsked,
    CallArrived,
    CallGone,
    EndpointSeen,
    Event,
    LegAnswered,
    LegGone,
    LegRinging,
    SetupChanged,
    SnapshotTaken,
    WrapUpEndAsked,
)
from controller.core.world import World
from controller.engine import Engine
from controller.journal import Journal
from controller.ports import Ledger, Loaded, Turn
from controller.store.db import Database, migrate
from controller.store.ledger import SqlLedger

AGENTS = 60
AT_ONCE = 20
"""Calls whose events are told together: the engine takes what is there in one turn."""


class NoBooks:
    """A ledger that writes nothing down."""

    async def load(self) -> Loaded:
        """Nothing was written."""
        return Loaded(setup(AGENTS))

    async def commit(self, turns: Sequence[Turn]) -> None:
        """Nothing is written."""


def calls(first: int, agent_of: Callable[[str], str]) -> Iterator[list[Event]]:
    """The events of `AT_ONCE` calls, one step of all of them after another."""
    names = [f"1700000000.{first + n}" for n in range(AT_ONCE)]
    yield [CallArrived(name, QUIET, "0967000001") for name in names]
    yield [LegRinging(name, f"{name}.a1") for name in names]
    yield [LegAnswered(name, f"{name}.a1") for name in names]
    agents = [agent_of(name) for name in names]
    yield [LegGone(name, f"{name}.a1", 16) for name in names]
    yield [CallGone(name, 16) for name in names]
    yield [WrapUpEndAsked(agent) for agent in agents]


async def replay(ledger: Ledger, folder: Path | None, count: int) -> tuple[float, float, int]:
    """Events a second, events a second of CPU, and how many there were."""
    world = World(setup(AGENTS))
    engine = Engine(world, ledger, SystemClock(), lambda _commands: None, Journal(folder))
    running = asyncio.create_task(engine.run())
    engine.tell(SetupChanged(world.setup))
    engine.resume(SnapshotTaken("b", endpoints=tuple(EndpointSeen(row.endpoint, True) for row in world.setup.agents)))
    for row in world.setup.agents:
        await engine.ask(AgentStatusAsked(row.name, "available"))
    told, began, cpu_s = 0, time.perf_counter(), time.process_time()
    for first in range(0, count, AT_ONCE):
        for events in calls(first, lambda name: world.calls[name].agent):
            for event in events[:-1]:
                engine.tell(event)
            await engine.ask(events[-1])
            told += len(events)
    took, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
    running.cancel()
    await engine.close(5.0)
    if world.calls:
        raise RuntimeError(f"{len(world.calls)} calls did not end")
    return told / took, told / cpu_s, told


async def bench(count: int) -> None:
    """Both ways."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite+aiosqlite:///{folder / 'bench.db'}"
        await migrate(url)
        database = Database(url)
        ledger = SqlLedger(database, SystemClock())
        for words, books, kept in (("with books", ledger, folder / "journal"), ("without books", NoBooks(), None)):
            rate, per_cpu_s, told = await replay(books, kept, count)
            text = f"engine {words:14} {rate:8,.0f} events/s, {per_cpu_s:8,.0f} a second of CPU ({told:,} events)\n"
            sys.stdout.write(text)
        await ledger.close()
        await database.close()


def main(argv: list[str] | None = None) -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=3_600)
    uvloop.run(bench(parser.parse_args(argv).calls))


if __name__ == "__main__":
    main()
