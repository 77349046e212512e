"""Two thousand events a second, at a daemon that keeps up and at one that stands still meanwhile (F8)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from datetime import UTC, datetime

import pytest

from tests.faults import processes
from tests.faults.figures import record, runs
from tests.faults.ward import Ward
from tests.live.harness import until
from tests.live.setups import HOTLINE, hotline, queue, whole

PER_S = 2000
SETUP = whole(hotline(queue="sales"), queue("sales", "team", max_wait=120), groups={"team": ("a1", "a2")})
OUTER_S = 60.0


def _key(call: str, n: int) -> str:
    """A key that is pressed in a talk, as Asterisk tells it, each time another message."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    channel = f'{{"id":"{call}","name":"PJSIP/viettel-{n:08x}","state":"Up"}}'
    return (
        f'{{"type":"ChannelDtmfReceived","timestamp":"{at}","digit":"5","duration_ms":{n},'
        f'"channel":{channel},"asterisk_id":"x","application":"tongdai"}}'
    )


@pytest.mark.live
async def test_a_flood_is_kept_up_with(floor: Ward) -> None:
    """Every event reaches the engine, the stream is not cut, and a call in the middle is served."""
    await floor.desk("a1", "a2")
    talk, row = await floor.talk(HOTLINE, "0281000001")
    before, cuts = await floor.metric("tongdai_events_total", type="DigitPressed"), len(floor.rude.streams)
    flood = asyncio.create_task(floor.rude.flood(lambda n: _key(row["id"], n), PER_S, runs(2, 20)))
    await asyncio.sleep(0.5)
    began = time.monotonic()
    call = floor.dial(HOTLINE, "0281000002")
    await floor.live("0281000002", state="talking", seconds=OUTER_S)
    took = time.monotonic() - began
    said = await flood

    async def all_of_them() -> bool:
        return await floor.metric("tongdai_events_total", type="DigitPressed") - before >= said

    await until(all_of_them, f"{said} events are decided on", 2 * OUTER_S)
    record("F8", f"{PER_S} events/s: dropped", "0", "0", times=said, passed=True)
    record("F8", f"{PER_S} events/s: a call talks after", "", [took])
    record("F8", f"{PER_S} events/s: stream cut", "not", "not", times=1, passed=len(floor.rude.streams) == cuts)
    assert len(floor.rude.streams) == cuts
    assert took <= OUTER_S
    await asyncio.gather(talk.hangup(), call.hangup())


@pytest.mark.faults
async def test_a_daemon_that_stands_still_in_a_flood(floor: Ward) -> None:
    """Asterisk cuts whoever does not read after two or three seconds: in step again at once after waking."""
    mended = []
    await floor.desk("a1", "a2")
    talk, row = await floor.talk(HOTLINE, "0281000001")
    waiting = floor.dial(HOTLINE, "0281000002")
    await floor.live("0281000002", state="talking")
    for _ in range(runs(1, 10)):
        os.kill(floor.daemon, signal.SIGSTOP)
        flood = asyncio.create_task(floor.rude.flood(lambda n: _key(row["id"], n), PER_S, 2.5))
        await flood
        floor.rude.cut("rst")
        await asyncio.sleep(runs(1, 3))
        os.kill(floor.daemon, signal.SIGCONT)
        woke = time.monotonic()
        await floor.noticed()
        await floor.resynced()
        mended.append(time.monotonic() - woke)
    assert processes.is_alive(floor.daemon)
    await talk.hangup()
    await floor.ended("0281000001")
    await waiting.hangup()
    await floor.ended("0281000002")
    await floor.serve_one()
    record("F8", "frozen under the same and cut: in step after waking", "≤ 1 s", mended, limit=1.0)
    assert max(mended) <= OUTER_S
