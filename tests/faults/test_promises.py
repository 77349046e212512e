"""What is promised on a good day, measured where it is kept: rings, rests, warnings, picks, emergency numbers."""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import datetime

import pytest

from controller.lab.sipcall import Rule, SipCall
from tests.faults.figures import p99, record, runs
from tests.faults.ward import Ward, crowd_setup
from tests.live.harness import Json, soon, until
from tests.live.setups import HOTLINE, UNLIMITED, hotline, queue

pytestmark = pytest.mark.faults

RESTING, WATCHED = "+842473001073", "+842473001074"
NAMES = tuple(f"p{n:02d}" for n in range(1, 21))
REST_S, ALERT_S, TALK_S, RATE, SHORTEST_S = 2, 2, 5.0, 5.0, 12
URGENT = ("113", "114", "115")
OUTSIDE = "0967000111"
OUTER_S = 15.0  # what no busy machine exceeds; the promised figures are recorded
SETUP = UNLIMITED + crowd_setup(
    NAMES,
    hotline(queue="sales", outbound=True),
    hotline(RESTING, queue="resting"),
    hotline(WATCHED, queue="sales", notify_answer_time=ALERT_S),
    queue("sales", "team", ring_time=30, max_wait=600, max_size=500),
    queue("resting", "team", ring_time=30, max_wait=600, max_size=500, wrap_up=REST_S),
    with_hotline=HOTLINE,
)


def _ms(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000


@pytest.mark.parametrize("rest_s", [0, REST_S])
async def test_who_is_free_is_rung_at_once(floor: Ward, rest_s: int) -> None:
    """Five callers a second, more than twenty agents can talk to: from the end of a call, or rest, to the next ring."""
    await floor.seat(*NAMES, rule=Rule(talk_s=TALK_S))
    switch, calls = floor.customer(), []
    for n in range(int(RATE * max(SHORTEST_S, runs(SHORTEST_S, 60)))):
        calls.append(switch.dial(RESTING if rest_s else HOTLINE, shown=f"0286{n:06d}"))
        await asyncio.sleep(1 / RATE)
    for name in NAMES:
        await floor.api.status(name, "offline")
    late = [gap - rest_s for name in NAMES for gap in _gaps(floor.phones[name].calls)]
    await asyncio.gather(*(call.hangup() for call in calls if not call.ended.is_set()))
    await floor.settle()
    shown = [abs(row) for row in late]
    note = f"p50 {statistics.median(shown) * 1000:.0f} ms"
    if rest_s:
        what = "off by, with the ring that follows, at 5 calls/s"
        record("P1", what, "± 250 ms", shown, limit=0.25, promise="wrap_up", note=note)
    else:
        passed = statistics.median(shown) <= 0.05 and p99(shown) <= 0.15
        what = "agent's BYE to agent's INVITE while callers wait, at 5 calls/s"
        record("P1", what, "≤ 50 ms p50, ≤ 150 ms p99", shown, passed=passed, promise="ring")
    assert min(late) >= -0.25, "nobody is rung in the rest"
    assert statistics.median(shown) <= OUTER_S


def _gaps(calls: list[SipCall]) -> list[float]:
    """From the end of each call at a phone to the beginning of the next."""
    whole = [call for call in calls if "up" in call.at and "ended" in call.at]
    return [after.at["invite"] - before.at["ended"] for before, after in zip(whole, calls[1:], strict=False)]


async def test_a_warning_comes_once_and_in_time(floor: Ward) -> None:
    """Callers who wait too long; some are answered then, some leave."""
    count = runs(4, 20)
    await floor.seat(*NAMES, status="not_ready")
    calls = {f"0287{n:06d}": floor.dial(WATCHED, f"0287{n:06d}") for n in range(count)}

    async def raised() -> list[Json]:
        rows = [row for row in await floor.api.alerts("all") if row["hotline"] == WATCHED]
        return rows if len({row["call"] for row in rows}) == count else []

    await until(raised, "a warning for each", 30.0)
    rows = {row["id"]: row for row in await floor.api.calls(limit=500) if row["hotline"] == WATCHED}
    leaving = list(calls.values())[::2]
    await asyncio.gather(*(call.hangup() for call in leaving))
    for name in NAMES:
        await floor.api.status(name, "available")

    async def cleared() -> list[Json]:
        found = [row for row in await floor.api.alerts("all") if row["call"] in rows]
        return found if all(row["cleared_at"] for row in found) else []

    alerts = await until(cleared, "all are cleared", 30.0)
    assert len(alerts) == count, "once for each call and threshold"
    late = [(_ms(row["raised_at"]) - _ms(rows[row["call"]]["queued_at"])) / 1000 - ALERT_S for row in alerts]
    await asyncio.gather(*(call.hangup() for call in calls.values() if not call.ended.is_set()))

    async def ended() -> dict[str, Json]:
        found = {row["id"]: row for row in await floor.api.history(floor.began)}
        return found if set(rows) <= set(found) else {}

    history = await until(ended, "all are in the history", 30.0)
    over = [_ms(row["cleared_at"]) - _ms(_answered_or_gone(history[row["call"]])) for row in alerts]
    record("P1", "answer-time alert: late by", "≤ 1 s", late, limit=1.0, promise="alert")
    record("P1", "answer-time alert: cleared after", "≤ 1 s", [row / 1000 for row in over], limit=1.0, promise="alert")
    assert min(late) >= 0.0
    assert max(late) <= OUTER_S


def _answered_or_gone(row: Json) -> str:
    return str(row["answered_at"] or row["ended_at"])


async def test_picks_are_answered_beside_calls(floor: Ward) -> None:
    """Twenty questions a second by FastAGI, each for an agent of its own, beside calls that come and go."""
    await floor.seat(*NAMES[:5], rule=Rule(talk_s=1.0))
    took: list[float] = []
    ringing = asyncio.create_task(_callers(floor))
    for n in range(20 * runs(2, 30)):
        began = time.monotonic()
        await _pick(floor, n, took)
        await asyncio.sleep(max(0.0, 0.05 - (time.monotonic() - began)))
    ringing.cancel()
    await asyncio.gather(ringing, return_exceptions=True)
    record("P2", "outbound pick, 20/s beside calls", "≤ 50 ms p99, ≤ 300 ms", took, limit=0.05, promise="pick")
    await floor.lab.ready(floor.api)
    assert max(took) <= OUTER_S


async def _callers(floor: Ward) -> None:
    n = 0
    while True:
        call = floor.dial(HOTLINE, f"0288{n:06d}")
        n += 1
        await asyncio.sleep(0.5)
        if n % 3 == 0:
            await call.hangup()


async def _pick(floor: Ward, n: int, took: list[float]) -> None:
    """One question and its end, as Asterisk puts them for an agent who is not at a desk."""
    call = f"{int(time.time())}.{900_000 + n}"
    began = time.monotonic()
    said = await _session(floor, "outbound", NAMES[5 + n % 15], call, (OUTSIDE, ""))
    took.append(time.monotonic() - began)
    assert any(b"TD_OK" in line for line in said), said
    await _session(floor, "ended", NAMES[5 + n % 15], call, ("BUSY", "17", "0", "", "486", "10"))


async def _session(floor: Ward, script: str, agent: str, call: str, arguments: tuple[str, ...]) -> list[bytes]:
    host, _, port = floor.lab.info["agi"].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = [
        f"agi_network_script: {script}",
        f"agi_request: agi://{host}/{script}",
        f"agi_channel: PJSIP/{agent}-00000001",
        f"agi_uniqueid: {call}",
    ]
    head += [f"agi_callerid: {agent}", "agi_context: tongdai-outbound-call", "agi_threadid: 140"] + [
        f"agi_arg_{n}: {text}" for n, text in enumerate(arguments, 1)
    ]
    said = []
    try:
        writer.write("\n".join(["agi_network: yes", *head, "", ""]).encode())
        while line := await asyncio.wait_for(reader.readline(), OUTER_S):
            said.append(line)
            if line.startswith((b"NOOP", b"SET")):
                writer.write(b"200 result=1\n")
    finally:
        writer.close()
    return said


async def test_emergency_numbers_need_nothing_of_ours(floor: Ward) -> None:
    """Controller, its books and its FastAGI are gone."""
    floor.carrier("viettel", Rule(talk_s=0.1))
    await floor.seat(NAMES[0])
    count, out = runs(6, 50), 0
    books, away = floor.lab.directory / "tongdai.db", floor.lab.directory / "tongdai.db.away"
    async with floor.lab.without_daemon():
        books.rename(away)
        try:
            for n in range(count):
                call = floor.phones[NAMES[0]].dial(URGENT[n % len(URGENT)])
                await soon(call.ended, "it is over", OUTER_S)
                out += "up" in call.at
        finally:
            away.rename(books)
    await floor.lab.ready(floor.api)
    seen = f"{out} of {count}"
    record("P3", "emergency calls answered, nothing of ours alive", "100 %", seen, times=count, passed=out == count,
           promise="emergency")  # fmt: skip
    assert out == count
