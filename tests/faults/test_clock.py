"""The wall clock is set while calls are up (F16): by a second, by an hour, forwards and back."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.faults.figures import cases, record
from tests.faults.own_daemon import another_daemon
from tests.faults.ward import Ward
from tests.live.harness import until
from tests.live.setups import HOTLINE, hotline, queue, whole

REST_S, LIMIT_S = 10, 60
RESTING = "+842473001072"
SETUP = whole(
    hotline(queue="sales", notify_answer_time=LIMIT_S, notify_talk_time=600),
    hotline(RESTING, queue="resting"),
    queue("sales", "team", max_wait=120),
    queue("resting", "team", wrap_up=REST_S),
    groups={"team": ("a1", "a2")},
)
HOUR_MS = 3_600_000
OUTER_S = 40.0


def _seconds(row: dict[str, str], first: str, last: str) -> float:
    return (datetime.fromisoformat(row[last]) - datetime.fromisoformat(row[first])).total_seconds()


@pytest.mark.parametrize("step_ms", cases(-HOUR_MS, long=(1_000, -1_000, HOUR_MS)))
async def test_a_stepped_clock_hurts_no_duration(floor: Ward, tmp_path: Path, step_ms: int) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    logged = floor.logged
    log = floor.lab.directory / "daemon.log"
    async with another_daemon(floor, log, "tests.faults.stepped", FAULTS_CLOCK=str(clock)):
        await floor.desk("a1", "a2")
        talk, talking = await floor.talk(HOTLINE, "0281000001")
        began = time.monotonic()
        resting, _ = await floor.talk(RESTING, "0281000002")
        await resting.hangup()
        await floor.state("a2", "wrap_up")
        rest_began = time.monotonic()
        waiting = floor.dial(HOTLINE, "0281000003")
        await floor.live("0281000003", state="waiting")
        clock.write_text(str(step_ms))
        known = len(floor.phones["a2"].calls)

        async def rung() -> bool:
            return len(floor.phones["a2"].calls) > known

        await until(rung, "the rest ends, and the next call rings", REST_S + OUTER_S)
        rest = abs(time.monotonic() - rest_began - REST_S)
        other = await floor.live("0281000003", state="talking")
        alerts = await floor.api.alerts("open")
        await asyncio.sleep(0.5)
        talked = time.monotonic() - began
        await talk.hangup()
        row = await until(lambda: _ended(floor, talking["id"]), "the talk is in the history")
        off = abs(_seconds(row, "answered_at", "ended_at") - talked)
        await waiting.hangup()
        await until(lambda: _ended(floor, other["id"]), "the other, too")
        clock.write_text("0")
        await asyncio.sleep(0.2)
        errors = floor.complaints(logged)
    by = f"{step_ms / 1000:+.0f} s"
    record("F16", f"{by}: talk's duration wrong by", "≤ 1 s", [off], limit=1.0)
    record("F16", f"{by}: wrap-up wrong by", "≤ 1 s", [rest], limit=1.0, note="a step of 1 s is itself the error")
    record("F16", f"{by}: alerts raised", "no storm", str(len(alerts)), times=1, passed=not alerts)
    assert off <= 1.0 + abs(step_ms) / 1000 * (abs(step_ms) <= 1000) + OUTER_S
    assert rest <= OUTER_S
    assert alerts == []
    assert errors == []


async def _ended(floor: Ward, call: str) -> dict[str, str] | None:
    row: dict[str, str] = await floor.api.get(f"/api/v1/calls/{call}")
    return row if row["state"] == "ended" else None
