"""The database locked, full, gone or torn, and two who save at once (F11, F12, F14, F15, F28 of the programme)."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.faults.figures import record, runs
from tests.faults.ward import Ward
from tests.live.harness import REPOSITORY, soon, until
from tests.live.setups import HOTLINE, hotline, queue, whole

pytestmark = pytest.mark.live

SETUP = whole(hotline(queue="sales"), queue("sales", "team", max_wait=120), groups={"team": ("a1", "a2")})
NUMBERS = tuple(f"028100000{n}" for n in range(1, 5))
OUTER_S = 40.0  # what no busy machine exceeds; the programme's own figures are recorded beside what was seen


def _books(floor: Ward) -> str:
    return str(floor.lab.directory / "tongdai.db")


async def _served(floor: Ward, number: str) -> float:
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


async def _database(floor: Ward) -> str:
    """What readiness says of the database."""
    return str((await floor.api.http.get("/readyz")).json()["database"])


async def _caught_up(floor: Ward, since: float) -> float:
    """Wait until nothing is owed to the books; how long that took since."""

    async def ask() -> bool:
        return await _database(floor) == "ok" and await floor.metric("tongdai_ledger_owed_turns") == 0

    await until(ask, "the books are caught up with")
    return time.monotonic() - since


def _gaps(path: str) -> int:
    """Facts that are missing on the books: their numbers have no gap when none is lost."""
    connection = sqlite3.connect(path)
    try:
        count, first, last = connection.execute("SELECT count(*), min(seq), max(seq) FROM facts").fetchone()
    finally:
        connection.close()
    return int(last - first + 1 - count)


@asynccontextmanager
async def _locked(path: str) -> AsyncIterator[None]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@asynccontextmanager
async def _full(pid: int) -> AsyncIterator[None]:
    """No file of the daemon grows any more: the limit is its kernel's, the disk is as it was."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("fault", ["locked", "full"])
async def test_calls_go_on_and_nothing_is_lost(floor: Ward, fault: str) -> None:
    await floor.desk("a1")
    usual = statistics.median([await _served(floor, NUMBERS[0]) for _ in range(3)])
    added, told, caught = [], [], []
    daemon = floor.daemon
    for _ in range(runs(1, 20)):
        async with _locked(_books(floor)) if fault == "locked" else _full(daemon):
            began = time.monotonic()
            call = asyncio.create_task(_served(floor, NUMBERS[1]))

            async def degraded() -> bool:
                return await _database(floor) == "degraded"

            await until(degraded, "readiness says degraded")
            told.append(time.monotonic() - began)
            added.append(max(0.0, await call - usual))
            while time.monotonic() - began < 5.0:
                added.append(max(0.0, await _served(floor, NUMBERS[2]) - usual))
        caught.append(await _caught_up(floor, time.monotonic()))
    assert floor.daemon == daemon, "nobody was started again"
    calls = await floor.api.history(floor.began)
    assert len(calls) == 3 * 1 + len(added), "every call has one record"
    assert {row["result"] for row in calls} == {"answered"}
    assert _gaps(_books(floor)) == 0
    seen = f"{len(calls)} of {len(calls)} calls, facts without a gap"
    record("F11" if fault == "locked" else "F12", f"database {fault}: records", "one a call", seen, passed=True,
           times=len(calls), promise="history")  # fmt: skip
    name, limit_s = ("F11", 1.0) if fault == "locked" else ("F12", 5.0)
    record(name, f"database {fault}: delay added to a call", "≤ 300 ms", added, limit=0.3)
    record(name, f"database {fault}: told by readiness", f"≤ {limit_s:g} s", told, limit=limit_s)
    record(name, f"database {fault}: caught up afterwards, 0 rows lost", "≤ 2 s", caught, limit=2.0)
    assert max(added) <= OUTER_S


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
async def test_whoever_ends_while_the_books_are_away_leaves_what_it_owed(floor: Ward, sign: signal.Signals) -> None:
    """A call that came and went meanwhile has its record, and what a person was told was done stays done."""
    await floor.desk("a1")
    rounds = runs(1, 20)
    for _ in range(rounds):
        await floor.api.status("a2", "available")
        async with AsyncExitStack() as lock:
            await lock.enter_async_context(_locked(_books(floor)))
            await _served(floor, NUMBERS[3])
            assert (await floor.api.status("a2", "not_ready")).is_success
            assert await _database(floor) == "degraded"
            daemon = floor.daemon
            async with floor.lab.without_daemon(sign):
                await lock.aclose()
        await floor.lab.ready(floor.api)
        assert floor.daemon != daemon
        assert (await floor.api.agent("a2"))["status"] == "not_ready"
    calls = await floor.api.history(floor.began)
    assert len(calls) == rounds, "every call has one record"
    assert {row["result"] for row in calls} == {"answered"}
    assert _gaps(_books(floor)) == 0
    seen = f"{rounds} of {rounds} calls, what was acknowledged is kept"
    record("F11", f"database locked and {sign.name} meanwhile: records", "one a call", seen, passed=True,
           times=rounds, promise="history")  # fmt: skip


async def test_no_database_at_start_is_one_line(tmp_path: Path) -> None:
    took = []
    urls = ("postgresql+asyncpg://ann:geheim@127.0.0.1:1/books", f"sqlite+aiosqlite:///{tmp_path}/disk/books.db")
    for n in range(runs(2, 20)):
        environ = {key: value for key, value in os.environ.items() if not key.startswith("TONGDAI_")}
        settings = {"DATABASE__URL": urls[n % 2], "HTTP__BIND": "127.0.0.1:19471", "AGI__BIND": "127.0.0.1:19472"}
        environ |= {f"TONGDAI_{key}": value for key, value in settings.items()}
        began = time.monotonic()
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-m", "controller", "serve"],
            cwd=REPOSITORY, env=environ, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        took.append(time.monotonic() - began)
        assert done.returncode == 2
        said = done.stderr.decode().strip()
        assert said.startswith("tongdai: database ")
        assert "\n" not in said
        assert "geheim" not in said
    record("F14", "no database at start: one line, exit 2", "≤ 5 s", took, limit=5.0)


async def test_a_torn_row_costs_one_row(floor: Ward) -> None:
    phone = await floor.desk("a1")
    call, _ = await floor.talk(HOTLINE, NUMBERS[0])
    async with floor.lab.without_daemon():
        connection = sqlite3.connect(_books(floor), isolation_level=None)
        rows = (("call", "1.9", 1, '{"type":"Call","id":"1.9",'), ("agent", "a2", 99, "{}"), ("ufo", "1.8", 1, "null"))
        connection.executemany("INSERT OR REPLACE INTO live (kind, id, schema, body) VALUES (?, ?, ?, ?)", rows)
        connection.close()
    await floor.lab.ready(floor.api)
    assert (await floor.live(NUMBERS[0], state="talking"))["agent"] == "a1"
    assert (await floor.api.agent("a2"))["status"] == "offline"
    connection = sqlite3.connect(_books(floor))
    kept = connection.execute("SELECT kind, id FROM live_quarantine ORDER BY kind").fetchall()
    connection.close()
    assert kept == [("agent", "a2"), ("call", "1.9"), ("ufo", "1.8")]
    asked = "set aside, the rest loads, 0 crashes"
    record("F15", "torn, newer and foreign rows", asked, "3 of 3 set aside", times=3, passed=True)
    await phone.live()[0].hangup()
    await soon(call.ended, "it ends as it should")
    await floor.serve_one()


async def test_of_two_who_save_at_once_one_wins(floor: Ward) -> None:
    rounds = runs(3, 50)
    for n in range(rounds):
        seen = await floor.api.http.get("/api/v1/setup", headers={"Accept": "application/toml"})
        bodies = [f"{seen.text}\n# {who} {n}\n".encode() for who in ("an", "binh")]
        head = {"If-Match": seen.headers["ETag"], "Content-Type": "application/toml"}
        put = [floor.api.http.put("/api/v1/setup", headers=head, content=body) for body in bodies]
        answers = await asyncio.gather(*put)
        assert sorted(row.status_code for row in answers) == [200, 409]
        won = next(body for body, row in zip(bodies, answers, strict=True) if row.status_code == 200)
        refused = next(row for row in answers if row.status_code == 409)
        after = await floor.api.http.get("/api/v1/setup", headers={"Accept": "application/toml"})
        assert after.content == won, "not a word of the other's"
        version = int(seen.headers["ETag"].strip('"')) + 1
        assert after.headers["ETag"] == f'"{version}"'
        assert str(version) in refused.json()["detail"]
    seen_text = f"{rounds} of {rounds}: one 200, one 409 naming the newer version"
    asked = "exactly one wins, 0 mixed rows"
    record("F28", "two administrators save at once", asked, seen_text, times=rounds, passed=True)
