"""The books on PostgreSQL locked, full, slow or standing still (F11, F12, F13), two daemons on them all the while."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults import pairs
from tests.faults.figures import record, runs
from tests.faults.goes_on import calls_go_on, served
from tests.faults.pair import START_S, Pair, Twins
from tests.live import conftest as live
from tests.live.harness import until
from tests.live.setups import hotline, queue, whole

pytestmark = pytest.mark.faults

SLOW_S, COMMIT_S = float(runs(3, 10)), 0.2
OUTER_S = 60.0  # what no busy machine exceeds; the programme's own figure is recorded beside what was seen
WRITTEN = ("lead", "live", "facts", "calls", "offers", "alerts", "stories", "audit")
"""What the ledger writes."""
SETUP = whole(hotline(queue="sales"), queue("sales", "team", max_wait=120), groups={"team": ("a1",)})
base, lab, floor = pairs.base, pairs.lab, pairs.floor
setup, pytest_runtest_makereport = live.setup, live.pytest_runtest_makereport


# -- locked, full (F11, F12) -------------------------------------------------------------------------------------------


@asynccontextmanager
async def _locked(pair: Pair) -> AsyncIterator[None]:
    """Somebody else's transaction keeps every table for itself, as a repair of a table does."""
    async with pair.books() as session:
        await session.execute(f"BEGIN; LOCK TABLE {', '.join(WRITTEN)} IN ACCESS EXCLUSIVE MODE")
        yield


@asynccontextmanager
async def _full(pair: Pair) -> AsyncIterator[None]:
    """Whatever is written is refused as on a full disk, the lease too; what is there can be read."""
    async with pair.books() as session:
        await session.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$"
        )
        for table in (*WRITTEN, "lease"):
            await session.execute(
                f"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE OR DELETE ON {table} EXECUTE FUNCTION full_disk()"
            )
        try:
            yield
        finally:
            await session.execute("DROP FUNCTION full_disk CASCADE")


@pytest.mark.parametrize(("name", "what", "fault"), [("F11", "locked", _locked), ("F12", "full", _full)])
async def test_calls_go_on_and_nothing_is_lost(floor: Twins, name: str, what: str, fault: Any) -> None:
    pair = floor.pair
    leader = await pair.whole()
    floor.api.http.base_url = httpx.URL(pair.url(leader))
    floor.began = datetime.now(UTC).isoformat(timespec="milliseconds")
    daemons = [pair.daemon("a"), pair.daemon("b")]

    async def gaps() -> int:
        async with pair.books() as session:
            return int(await session.fetchval("SELECT max(seq) - min(seq) + 1 - count(*) FROM facts"))

    await calls_go_on(floor, lambda: fault(pair), gaps, name, what, ", on PostgreSQL")
    assert await pair.role(leader) == "leader"
    assert daemons == [pair.daemon("a"), pair.daemon("b")], "nothing changed hands"


# -- slow, or standing still (F13) -------------------------------------------------------------------------------------


def _stand(pid: int, sign: signal.Signals) -> None:
    """Stop or wake the whole server: its sessions are processes of their own."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for one in (pid, *map(int, children)):
        with suppress(ProcessLookupError):
            os.kill(one, sign)


@contextmanager
def _standing(floor: Twins, _leader: str) -> Iterator[None]:
    _stand(floor.pair.server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        _stand(floor.pair.server.pid, signal.SIGCONT)


@contextmanager
def _slowly(floor: Twins, leader: str) -> Iterator[None]:
    floor.pair.wires[leader].slow(COMMIT_S)
    try:
        yield
    finally:
        floor.pair.wires[leader].polite()


@pytest.mark.parametrize(("how", "fault"), [("PostgreSQL stands still", _standing), ("200 ms a commit", _slowly)])
async def test_a_slow_database_slows_no_call(floor: Twins, how: str, fault: Any) -> None:
    leader = await floor.pair.whole()
    floor.api.http.base_url = httpx.URL(floor.pair.url(leader))
    floor.began = datetime.now(UTC).isoformat(timespec="milliseconds")
    await floor.desk("a1")
    usual = statistics.median([await served(floor, f"0289000{n:03d}") for n in range(3)])
    began, added = time.monotonic(), []
    with fault(floor, leader):
        while time.monotonic() - began < SLOW_S or not added:
            added.append(max(0.0, await served(floor, f"0289100{len(added):03d}") - usual))
    mended = time.monotonic()

    async def caught_up() -> bool:
        owed = await floor.metric("tongdai_ledger_owed_turns")
        return await floor.pair.role(leader) == "leader" and owed == 0

    await until(caught_up, "the books are caught up with", START_S)
    took = time.monotonic() - mended
    rows = await floor.api.history(floor.began)
    assert [row["result"] for row in rows] == ["answered"] * (3 + len(added)), (
        "one record a call, under the same leader"
    )
    record("F13", f"{how}: delay added to a call", "p99 ≤ 500 ms", added, limit=0.5)
    record("F13", f"{how}: caught up afterwards, 0 rows lost", "≤ 2 s", [took], limit=2.0)
    seen = f"{len(rows)} of {len(rows)}"
    record("F13", f"{how}: records", "one a call", seen, times=len(rows), passed=True, promise="history")
    assert max(added) <= OUTER_S
