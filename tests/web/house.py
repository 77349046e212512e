"""The API as the daemon builds it, without Asterisk: real engine, real books, and the telephone played by the test."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Gauge

from controller import owed, setup_file
from controller.clock import SystemClock
from controller.core import asking, hours, trunks
from controller.core.commands import Command, RingAgent
from controller.core.events import (
    AgentStatusAsked,
    CallArrived,
    CallGone,
    Event,
    LegAnswered,
    LegGone,
    LegRinging,
    OutboundAsked,
    PhoneChanged,
    SetupChanged,
    SnapshotTaken,
)
from controller.core.setup import Setup
from controller.core.world import World
from controller.engine import Engine
from controller.journal import Journal
from controller.settings import Http
from controller.store import audit
from controller.store import ledger as ledgers
from controller.store.db import Database
from controller.store.history import History
from controller.store.ledger import SqlLedger
from controller.store.numbers import Numbers
from controller.store.setup_repo import SetupRepo
from controller.store.tokens import Tokens
from controller.web import auth
from controller.web.app import create_app
from controller.web.deps import Deps
from controller.web.latest import Latest

HOTLINE = "+842473001001"
MENU_HOTLINE = "+842473001002"
CALLER = "0912345678"
SECRET = "not-for-everybody"
PATIENT_S = 30.0
ROLES = ("admin", "supervisor", "agent:an", "agent:binh", "dial", "read")

SETUP = f"""
# written by a person
[[trunk]]
name = "viettel-1"
carrier = "viettel"
host = "127.0.0.11:5070"
max_channels = 30

[[carrier]]
name = "viettel"
prefixes = ["096", "097"]

[[hotline]]
number = "{HOTLINE}"
name = "Sales"
trunk = "viettel-1"
outbound = true
queue = "sales"
wrap_up = 20
notify_answer_time = 30

[[hotline]]
number = "{MENU_HOTLINE}"
name = "Support"
trunk = "viettel-1"
menu = "main"

[[adaptive]]
name = "auto"
fallback = "{HOTLINE}"

[[menu]]
name = "main"
play = "welcome"
keys = {{ 1 = {{ queue = "sales" }} }}

[[queue]]
name = "sales"
groups = [{{ name = "sales" }}]
strategy = "linear"
max_wait = 60
sla = {{ percent = 80, seconds = 20 }}
overflow = "hangup"

[[queue]]
name = "care"
groups = [{{ name = "care" }}]
overflow = "hangup"

[[group]]
name = "sales"

[[group]]
name = "care"

[[agent]]
name = "an"
groups = ["sales"]
extension = "101"
outbound_with = "auto"
phone = {{ user = "an", password = "{SECRET}" }}

[[agent]]
name = "binh"
groups = ["care"]
extension = "102"
phone = {{ user = "binh", password = "{SECRET}" }}
"""


@dataclass
class House:
    """One running application. `tokens` holds a token for every role, `commands` what Asterisk was asked for."""

    app: FastAPI
    engine: Engine
    database: Database
    deps: Deps
    tokens: dict[str, str]
    commands: list[Command] = field(default_factory=list)

    @asynccontextmanager
    async def client(self, role: str | None = "admin", **options: Any) -> AsyncIterator[httpx.AsyncClient]:
        """A client with the token of a role, None for nobody."""
        head = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        peer = options.pop("peer", "127.0.0.1")
        transport = httpx.ASGITransport(self.app, client=(peer, 50000))
        options = {"base_url": "http://localhost:8090", **options}
        async with httpx.AsyncClient(transport=transport, headers=head, **options) as client:
            yield client

    async def get(self, path: str, role: str | None = "admin", **query: Any) -> httpx.Response:
        async with self.client(role) as client:
            return await client.get(path, params=query or None)

    async def send(self, method: str, path: str, body: Any = None, role: str | None = "admin") -> httpx.Response:
        async with self.client(role) as client:
            return await client.request(method, path, json=body)

    async def tell(self, *events: Event) -> None:
        """Let these events happen, and wait until the last of them is written down."""
        for event in events:
            await self.engine.ask(event)

    async def sign_in(self, agent: str = "an") -> None:
        await self.tell(PhoneChanged(agent, reachable=True), AgentStatusAsked(agent, "available"))

    async def arrive(self, call: str = "1700000000.1", caller: str = CALLER, name: str = "", to: str = HOTLINE) -> str:
        await self.tell(CallArrived(call, to, caller, name))
        return call

    def leg(self, call: str) -> str:
        """The leg that rings an agent for a call."""
        rung = [row.leg for row in self.commands if isinstance(row, RingAgent) and row.call == call]
        assert rung, f"nobody is rung for {call}"
        return rung[-1]

    async def talk(self, call: str = "1700000000.1", caller: str = CALLER) -> str:
        """A call that an has answered."""
        await self.sign_in()
        await self.arrive(call, caller)
        leg = self.leg(call)
        await self.tell(LegRinging(call, leg), LegAnswered(call, leg))
        return call

    async def end(self, call: str) -> None:
        """The caller hangs up, and the agent's leg goes too."""
        legs = [row.leg for row in self.commands if isinstance(row, RingAgent) and row.call == call]
        await self.tell(CallGone(call, 16), *(LegGone(call, leg, 16) for leg in legs))
        await self.written()

    async def written(self) -> None:
        """Wait until nothing is owed to the books."""
        for _ in range(4000):
            if not self.engine.owed:
                return
            await asyncio.sleep(0.005)
        raise AssertionError("the books were never done")

    async def audit(self) -> list[audit.Entry]:
        return list(await audit.latest(self.database, 500))


@asynccontextmanager
async def open_house(path: Path, setup: str = SETUP, http: Http | None = None) -> AsyncIterator[House]:
    """Build the application on a migrated database file. It is patient: a slow disk is no silent one."""
    owed.COMMIT_LIMIT_S = ledgers.COMMIT_LIMIT_S = auth.BOOKS_LIMIT_S = PATIENT_S  # type: ignore[misc]
    clock = SystemClock()
    database = Database(f"sqlite+aiosqlite:///{path}")
    setups = SetupRepo(database, clock)
    await setups.put(setup, None, "test")
    ledger = SqlLedger(database, clock)
    loaded = await ledger.load()
    commands: list[Command] = []
    engine = Engine(World(loaded.setup), ledger, clock, commands.extend, Journal(None), loaded.last_seq)
    engine.ready_parts |= {"asterisk": "live", "agi": "ok"}
    running = asyncio.create_task(engine.run())
    await engine.ask(SetupChanged(loaded.setup))
    await engine.ask(SnapshotTaken("first life"))
    tokens = Tokens(database, clock)
    app = create_app(deps := _deps(engine, database, setups, tokens, clock), http)
    house = House(app, engine, database, deps, {}, commands)
    for role in ROLES:
        house.tokens[role] = await tokens.create(role.replace(":", "-"), role, "test")
    try:
        yield house
    finally:
        app.state.viewers.close()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await engine.close(PATIENT_S)
        await ledger.close()
        await database.close()


def _deps(engine: Engine, database: Database, setups: SetupRepo, tokens: Tokens, clock: SystemClock) -> Deps:
    async def apply(text: str, seen: int | None, by: str) -> int:
        version = await setups.put(text, seen, by)
        await engine.ask(SetupChanged(replace(setup_file.parse(text), version=version)))
        return version

    async def explain(to: str, via: str, agent: str) -> trunks.Decision:
        world = engine.world
        now_ms = clock.now_ms()
        day = hours.local_day(now_ms, world.setup.defaults.timezone)
        return trunks.decide(asking.question(world, now_ms, day, OutboundAsked(f"explain/{to}", "", to, via), agent))

    numbers = Numbers(database)

    async def refresh() -> None:
        await numbers.refresh()

    def parse(text: str, place: str) -> Setup:
        return setup_file.parse(text, place)

    registry = CollectorRegistry()
    Gauge("tongdai_calls", "Calls that are up", registry=registry).set_function(lambda: len(engine.world.calls))
    return Deps(
        engine=engine, history=Latest(History(database), engine), tokens=tokens, setups=setups, apply_setup=apply,
        parse_setup=parse, explain=explain, look_up=numbers.look_up, numbers=numbers,
        lookup=None, refresh=refresh, metrics=registry, clock=clock,
    )  # fmt: skip


async def frames(lines: AsyncIterator[str], most: int) -> list[dict[str, Any]]:
    """Read `most` events of a stream; `data` is read as JSON, comments and heads are passed over."""
    found: list[dict[str, Any]] = []
    frame: dict[str, Any] = {}
    async for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            frame[name] = json.loads(value) if name == "data" else value
        elif not line:
            if "data" in frame:
                found.append(frame)
            frame = {}
        if len(found) == most:
            break
    return found
