"""Trunk picks through FastAGI: the real side door, engine and books, with many ported numbers in the table.

    python -m benchmarks.pick [--rows 100000] [--rate 200] [--seconds 10] [--beside]

A second process plays Asterisk: it opens a session per call as `AGI()` does, answers each `SET VARIABLE`, and ends
the call with `ended`. The first picks of the process go alone (`first_ms` is the very first), then it is a steady rate
(latency), then as fast as sixteen sessions at a time go (throughput).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from benchmarks import pick_beside
from controller import log
from controller.agi.scripts import Dialogues
from controller.agi.server import Server
from controller.clock import SystemClock
from controller.core.commands import Command
from controller.core.events import EndpointSeen, SetupChanged, SnapshotTaken
from controller.core.setup import Adaptive, AgentSetup, Carrier, Group, Hotline, Queue, QueueGroup, Setup, Trunk
from controller.core.world import World
from controller.effects import Effects
from controller.engine import Engine
from controller.journal import Journal
from controller.loading import set_aside
from controller.store.db import Database, migrate
from controller.store.ledger import SqlLedger
from controller.store.numbers import Numbers

CARRIERS, TRUNKS, HOTLINES, AGENTS = 20, 200, 2_000, 400
SIDE_BY_SIDE = 16
COLD = 50
"""So many picks, one after the other, go before the steady part: the first ones of a process fill its caches."""


def setup() -> Setup:
    """A large operator's setup: every carrier has trunks and hotlines, every agent dials by the adaptive number."""
    carriers = tuple(Carrier(f"c{n}", prefixes=(f"09{n:02d}"[:4],)) for n in range(CARRIERS))
    trunks = tuple(Trunk(f"t{n}", f"c{n % CARRIERS}", endpoint=f"t{n}") for n in range(TRUNKS))
    hotlines = tuple(
        Hotline(f"+8424{n:07d}", trunk=f"t{n % TRUNKS}", carrier=f"c{n % CARRIERS}", outbound=True, queue="q")
        for n in range(HOTLINES)
    )
    agents = tuple(AgentSetup(f"a{n}", ("g",), endpoint=f"a{n}", outbound_with="auto") for n in range(AGENTS))
    queues = (Queue("q", (QueueGroup("g"),)),)
    return Setup(
        trunks=trunks,
        carriers=carriers,
        hotlines=hotlines,
        adaptives=(Adaptive("auto"),),
        queues=queues,
        groups=(Group("g"),),
        agents=agents,
    )


async def bring_in(url: str, path: Path, rows: int) -> None:
    """Import a list of ported numbers in a process of its own, so that the door's memory is the door's."""
    with path.open("w") as file:
        file.write("number,carrier\n")
        file.writelines(f"09{n:08d},c{n % CARRIERS}\n" for n in range(rows))
    command = [sys.executable, "-m", "benchmarks.ported", "--bring-in", str(path), "--url", url]
    importing = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    if await importing.wait():
        raise RuntimeError("the list was not imported")


async def serve(rows: int, folder: Path) -> None:
    """Run the side door until standard input ends; says its port first."""
    url = f"sqlite+aiosqlite:///{folder / 'bench.db'}"
    await migrate(url)
    database = Database(url)
    ledger = SqlLedger(database, SystemClock())
    world = World(setup())
    numbers = Numbers(database)
    await bring_in(url, folder / "list.csv", rows)
    await numbers.completed(world.setup)
    await numbers.fill()
    later: list[Engine] = []
    effects = Effects(_NoTelephone(), lambda e: later[0].tell(e), lambda _c: None, lambda _n, _o: None)  # noqa: PLW0108  # built later
    engine = Engine(world, ledger, SystemClock(), effects.release, Journal(folder / "journal"))
    later.append(engine)
    dialogues = Dialogues(engine, lambda: world.setup, numbers.look_up)
    effects.dial_path = dialogues
    asked: list[float] = []
    server = Server(dialogues.scripts, meter=lambda script, _, seconds: script == "outbound" and asked.append(seconds))
    await server.start("127.0.0.1", 0)
    engine.tell(SetupChanged(world.setup))
    engine.resume(SnapshotTaken("b", endpoints=tuple(EndpointSeen(f"a{n}", True) for n in range(AGENTS))))
    running = asyncio.create_task(engine.run())
    await engine.written()
    set_aside()
    before_s = time.process_time()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    running.cancel()
    await server.close()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    a_row = numbers.held.size_bytes / max(rows, 1)
    cpu_ms = 1000 * (time.process_time() - before_s) / max(len(asked), 1)
    sys.stdout.write(json.dumps({"cpu_ms_a_pick": cpu_ms, "peak_mb": peak_mb, "table_bytes_row": a_row}) + "\n")


class _NoTelephone:
    async def run(self, command: Command) -> None:
        """Nothing to command: the calls live in the dialplan."""

    async def snapshot(self) -> SnapshotTaken:
        return SnapshotTaken("b")

    async def watch_phones(self, endpoints: object) -> None:
        """Nobody to watch."""


async def _line(reader: asyncio.StreamReader) -> bytes:
    """One line; nothing when the door closed, also when it did so in our face."""
    try:
        return await reader.readline()
    except ConnectionError:
        return b""


async def session(port: int, script: str, call: str, agent: str, arguments: tuple[str, ...]) -> dict[str, str]:
    """One `AGI()` as Asterisk runs it; the variables that were set."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = {
        "agi_network": "yes",
        "agi_network_script": script,
        "agi_request": f"agi://127.0.0.1/{script}",
        "agi_channel": f"PJSIP/{agent}-00000001",
        "agi_uniqueid": call,
        "agi_callerid": "101",
        "agi_calleridname": "unknown",
        "agi_context": "tongdai-outbound",
        "agi_extension": "s",
        "agi_threadid": "1",
    }
    head |= {f"agi_arg_{n}": value for n, value in enumerate(arguments, 1)}
    writer.write("".join(f"{key}: {value}\n" for key, value in head.items()).encode() + b"\n")
    found: dict[str, str] = {}
    while line := await _line(reader):
        _, _, rest = line.decode().strip().partition("SET VARIABLE ")
        name, _, value = rest.partition(" ")
        names = name.strip('"').removeprefix("ARRAY(").removesuffix(")").split(",")
        found.update(zip(names, value.strip('"').split(","), strict=False))
        writer.write(b"200 result=1\n")
    writer.close()
    return found


def dialled(n: int, rows: int) -> str:
    """A number to call: every other one is in the table of ported numbers, the others are anywhere."""
    return f"09{random.randrange(min(rows, 10**8) if n % 2 else 10**8):08d}"  # noqa: S311


Ask = Callable[[int, list[float]], Awaitable[bool]]
"""One call by its running number: notes how long the answer took, and says whether there was one."""


def ours(port: int, rows: int) -> Ask:
    """Ask the side door for a trunk, then end the call."""

    async def one(n: int, took: list[float]) -> bool:
        call, agent = f"bench.{n}", f"a{n % AGENTS}"
        began = time.perf_counter()
        found = await session(port, "outbound", call, agent, (dialled(n, rows),))
        took.append(time.perf_counter() - began)
        await session(port, "ended", call, agent, ("NOANSWER", "19", "0"))
        return found.get("TD_OK") == "1"

    return one


def theirs(port: int, rows: int) -> Ask:
    """Ask another FastAGI server, which wants no report."""

    async def one(n: int, took: list[float]) -> bool:
        began = time.perf_counter()
        found = await session(port, "outbound", f"bench.{n}", f"a{n % AGENTS}", (dialled(n, rows),))
        took.append(time.perf_counter() - began)
        return found.get("TD_OK") == "1"

    return one


def forked(script: Path, table: Path, rows: int) -> Ask:
    """Fork a script for each call."""

    async def one(n: int, took: list[float]) -> bool:
        began = time.perf_counter()
        found = await pick_beside.forked(script, table, (CARRIERS, TRUNKS), dialled(n, rows))
        took.append(time.perf_counter() - began)
        return found.get("TD_OK") == "1"

    return one


async def load(ask: Ask, rate: float, seconds: float) -> dict[str, float]:
    """The first picks of the process, the steady part, then the full-speed part."""
    took: list[float] = []
    cold: list[float] = []
    numbers = iter(range(10**9))
    for _ in range(COLD):
        await ask(next(numbers), cold)
    begun: set[asyncio.Task[bool]] = set()
    start = time.perf_counter()
    while (due := start + len(begun) / rate) < start + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        begun.add(asyncio.create_task(ask(next(numbers), took)))
    answered = await asyncio.gather(*begun)
    steady = sorted(took)
    fast: list[float] = []
    end = time.perf_counter() + seconds / 2

    async def worker() -> None:
        while time.perf_counter() < end:
            await ask(next(numbers), fast)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(SIDE_BY_SIDE)))
    return {
        "first_ms": 1000 * cold[0],
        "picks": len(steady),
        "unanswered": answered.count(False),
        "p50_ms": 1000 * statistics.median(steady),
        "p99_ms": 1000 * steady[int(len(steady) * 0.99)],
        "worst_ms": 1000 * steady[-1],
        "full_speed_per_s": len(fast) / (time.perf_counter() - began),
    }


@asynccontextmanager
async def door(*arguments: str) -> AsyncIterator[tuple[int, Callable[[], Awaitable[bytes]]]]:
    """Start a server in a process of its own: its port, and what ends it and tells what it said last."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", *arguments, stdin=pipe, stdout=pipe)
    if child.stdout is None or child.stdin is None:
        raise RuntimeError("the door was started without pipes")
    said, heard = child.stdout, child.stdin

    async def end() -> bytes:
        heard.close()
        # Between the two lines of its own stands what the door had to warn of.
        return b"".join((await said.read()).splitlines()[-1:])

    try:
        yield int(await said.readline()), end
    finally:
        heard.close()
        await child.wait()


async def bench(rows: int, rate: float, seconds: float, *, beside: bool) -> dict[str, dict[str, float]]:
    """Load the side door from here, then those it stands beside."""
    gc.disable()  # the load generator may not pause
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with door("benchmarks.pick", "--serve", folder, "--rows", str(rows)) as (port, end):
            found["ours"] = await load(ours(port, rows), rate, seconds)
            found["ours"] |= json.loads(await end())
        if not beside:
            return found
        table, sizes = Path(folder) / "beside.db", (str(CARRIERS), str(TRUNKS))
        await asyncio.to_thread(pick_beside.books, table, rows, CARRIERS)
        async with door("benchmarks.pick_beside", str(table), *sizes) as (port, _):
            found["panoramisk's own server"] = await load(theirs(port, rows), rate, seconds)
        script = Path(folder) / "agi.py"
        script.write_text(pick_beside.SCRIPT)
        slow = min(rate, pick_beside.FORKED_RATE_MAX)
        found[f"a script forked for each call, {slow:g}/s"] = await load(forked(script, table, rows), slow, seconds)
    return found


def main(argv: list[str] | None = None, show: Callable[[str], None] = print) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--beside", action="store_true", help="panoramisk's own server and a forked script too")
    parser.add_argument("--serve", type=Path)
    options = parser.parse_args(argv)
    if options.serve is not None:
        log.configure("error", stream=sys.stderr)
        uvloop.run(serve(options.rows, options.serve))
        return
    found = uvloop.run(bench(options.rows, options.rate, options.seconds, beside=options.beside))
    show(f"trunk picks, {options.rows:,} ported numbers, {TRUNKS} trunks, {HOTLINES} hotlines, {options.rate:g}/s:")
    for who, figures in found.items():
        show(f"  {who}: " + "  ".join(f"{name} {value:,.2f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
