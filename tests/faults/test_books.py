"""The database locked, full, gone or torn, and two who save at once (F11, F12, F14, F15, F28 of the programme)."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.faults.figures import record, runs
from tests.faults.goes_on import calls_go_on, caught_up, database_state, served
from tests.faults.ward import Ward
from tests.live.harness import REPOSITORY, soon
from tests.live.setups import HOTLINE, hotline, queue, whole

pytestmark = pytest.mark.live

SETUP = whole(hotline(queue="sales"), queue("sales", "team", max_wait=120), groups={"team": ("a1", "a2")})
NUMBERS = tuple(f"028100000{n}" for n in range(1, 5))


def _books(floor: Ward) -> str:
    return str(floor.lab.directory / "tongdai.db")


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


@pytest.mark.parametrize(("name", "what"), [("F11", "locked"), ("F12", "full")])
async def test_calls_go_on_and_nothing_is_lost(floor: Ward, name: str, what: str) -> None:
    daemon = floor.daemon

    async def gaps() -> int:
        return _gaps(_books(floor))

    await calls_go_on(floor, lambda: _locked(_books(floor)) if name == "F11" else _full(daemon), gaps, name, what)
    assert floor.daemon == daemon, "nobody was started again"


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
async def test_whoever_ends_while_the_books_are_away_leaves_what_it_owed(floor: Ward, sign: signal.Signals) -> None:
    """A call that came and went meanwhile has its record, and what a person was told was done stays done."""
    await floor.desk("a1")
    rounds = runs(1, 20)
    for _ in range(rounds):
        await floor.api.status("a2", "available")
        async with AsyncExitStack() as lock:
            await lock.enter_async_context(_locked(_books(floor)))
            await served(floor, NUMBERS[3])
            assert (await floor.api.status("a2", "not_ready")).is_success
            assert await database_state(floor) == "degraded"
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


async def test_who_starts_while_the_books_are_still_away_knows_what_was_said(floor: Ward) -> None:
    """Killed and started again under the lock: what a person was told was done is done, then and afterwards."""
    await floor.desk("a1")
    await floor.api.status("a2", "available")
    async with _locked(_books(floor)):
        await served(floor, NUMBERS[3])
        assert (await floor.api.status("a2", "not_ready")).is_success
        daemon = floor.daemon
        async with floor.lab.without_daemon():
            pass
        await floor.lab.ready(floor.api)
        assert floor.daemon != daemon
        assert (await floor.api.agent("a2"))["status"] == "not_ready"
        daemon = floor.daemon
        assert (await floor.api.status("a2", "available")).is_success
        assert (await floor.api.agent("a2"))["status"] == "available"
    await caught_up(floor, time.monotonic())
    assert floor.daemon == daemon, "it goes on with the books"
    assert (await floor.api.agent("a2"))["status"] == "available"
    calls = await floor.api.history(floor.began)
    assert [row["result"] for row in calls] == ["answered"]
    assert _gaps(_books(floor)) == 0
    record(
        "F11", "database locked, kill -9 and a start meanwhile: kept", "all", "1 of 1", passed=True, promise="history"
    )


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
