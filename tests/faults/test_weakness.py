"""What Asterisk does badly by itself, and that it cannot hurt: each weakness of docs/asterisk-facts.md, part 2."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time

import pytest

from tests.faults.figures import record
from tests.faults.frames import Rudeness
from tests.faults.rude_proxy import Rude
from tests.faults.ward import Ward
from tests.live.harness import GREETING_HZ, soon, until
from tests.live.setups import HOTLINE, hotline, menu, queue, whole

KEYS, ENDLESS, RECORDED = "+842473001081", "+842473001082", "+842473001083"
WAIT_S, LATE_S = 10.0, 50.0
SETUP = whole(
    hotline(queue="sales"),
    hotline(KEYS, menu="keys"),
    hotline(ENDLESS, menu="short"),
    hotline(RECORDED, queue="recorded"),
    menu("keys", play="live-endless", timeout=5, keys={"1": {"queue": "sales"}}, on_timeout="hangup"),
    menu("short", keys={"1": {"queue": "sales"}}, on_timeout={"queue": "sales"}),
    queue("sales", "team", max_wait=120),
    queue("recorded", "team", record=True),
    groups={"team": ("a1", "a2")},
)


@pytest.mark.live
async def test_no_command_waits_behind_a_playback(floor: Ward) -> None:
    """A key in the middle of a prompt of a minute: Asterisk would hold the join back until the prompt ends."""
    await floor.desk("a1")
    call = floor.dial(KEYS)
    await soon(call.up, "the menu answers")
    await floor.hears(call, GREETING_HZ, "the prompt is heard")
    pressed = time.monotonic()
    await call.press("1")
    await floor.talk_both_ways("a1", call) if await floor.live(state="talking") else None
    took = time.monotonic() - pressed
    record("W1", "key in a prompt of a minute to talking", "not behind the prompt", [took], limit=2.0)
    assert took < 30.0
    await call.hangup()


@pytest.mark.live
async def test_a_playback_whose_end_is_never_told(floor: Ward) -> None:
    """Every `PlaybackFinished` is lost: stopping does not wait for ever, and a key leads on."""
    await floor.desk("a1")
    floor.rude.events(Rudeness(drop=1.0, only='"PlaybackFinished"'))
    call = floor.dial(ENDLESS)
    await soon(call.up, "the menu answers")
    await floor.hears(call, GREETING_HZ, "the prompt is heard")
    pressed = time.monotonic()
    await call.press("1")
    await floor.live(state="talking")
    record("W2", "key, the prompt's end never told, to talking", "an end", [time.monotonic() - pressed], limit=5.0)
    await call.hangup()
    assert (await floor.ended())["result"] == "answered"


@pytest.mark.live
async def test_a_daemon_whose_reader_hangs_costs_ten_seconds_and_no_call(floor: Ward) -> None:
    """The socket is open and nobody reads: calls enter, nobody takes them, and the dialplan takes them back."""
    await floor.desk("a1", status="not_ready")
    os.kill(floor.daemon, signal.SIGSTOP)
    try:
        calls = [floor.dial(HOTLINE, f"02831{n:05d}") for n in range(5)]
        for call in calls:
            await soon(call.up, "the apology is heard", WAIT_S + LATE_S)
        waits = [call.at["up"] - call.at["invite"] for call in calls]
    finally:
        os.kill(floor.daemon, signal.SIGCONT)
    record("W3", "a call nobody takes hears the fallback after", "≤ 10 s", waits, limit=WAIT_S + 1.0)
    assert min(waits) >= WAIT_S - 1.0
    for call in calls:
        await soon(call.ended, "the apology ends", LATE_S)
    await floor.resynced()


@pytest.mark.faults
async def test_a_call_that_was_taken_is_not_cut_after_the_wait(floor: Ward) -> None:
    """What the dialplan allows a call that nobody takes is lifted when it is taken: it waits on, longer than that."""
    await floor.desk("a1", status="not_ready")
    call = floor.dial(HOTLINE)
    row = await floor.live(state="waiting")
    told = floor.rude.of(rf"POST /ari/channels/{re.escape(row['id'])}/variable")
    assert len(told) == 1
    assert "14400" in told[0].line
    await asyncio.sleep(WAIT_S + 1.0 - (asyncio.get_running_loop().time() - call.at["invite"]))
    assert not call.ended.is_set()
    assert (await floor.live())["state"] == "waiting"
    await call.hangup()


@pytest.mark.faults
async def test_a_silent_dial_path_costs_three_seconds_and_not_the_call(floor: Ward) -> None:
    """An agent dials while the daemon stands still: refused aloud, fail closed, and the phone is free again."""
    phone = await floor.desk("a1")
    os.kill(floor.daemon, signal.SIGSTOP)
    try:
        call = phone.dial("0912345678")
        began = time.monotonic()
        await soon(call.ended, "the call is given back", 15.0)
        took = time.monotonic() - began
    finally:
        os.kill(floor.daemon, signal.SIGCONT)
    record("W4", "agent's call at a silent AGI server ends after", "3 s, and what is said", [took], limit=10.0)
    assert took >= 2.5
    assert call.status >= 400
    await floor.resynced()
    await floor.state("a1", "ready")
    await floor.serve_one()


@pytest.mark.live
async def test_a_missing_recording_directory_costs_the_recording_only(floor: Ward) -> None:
    await floor.desk("a1")
    place = floor.lab.directory / "asterisk/spool/recording"
    away = place.with_name("away")
    place.rename(away)
    try:
        call = floor.dial(RECORDED)
        row = await floor.live(state="talking")
        await floor.talk_both_ways("a1", call)

        async def told() -> bool:
            return not (await floor.api.call(row["id"]))["recording"]

        await until(told, "the call says that it is not recorded")
        await call.hangup()
    finally:
        if place.exists():
            place.rmdir()
        away.rename(place)
    ended = await floor.ended()
    record("W5", "no recording directory: the call", "goes on", str(ended["result"]), times=1, passed=True)
    assert (ended["result"], ended["recording"]) == ("answered", None)


@pytest.mark.live
async def test_a_destroyed_bridge_that_stays_listed(floor: Ward) -> None:
    """A ghost with the name of a call that is over: asked away at each look, in vain, and nobody minds."""
    ghost = {"id": "1795369149.0.br", "channels": [], "bridge_type": "mixing", "technology": "simple_bridge"}

    def haunted(body: bytes) -> bytes:
        return json.dumps([*json.loads(body), ghost]).encode()

    await floor.desk("a1")
    floor.rude.rules = (Rude(r"GET /ari/bridges(\?|$)", edit=haunted),)
    logged = floor.logged
    for _ in range(3):
        cut_at = floor.rude.cut("rst")
        await floor.noticed()
        await floor.resynced()

        async def asked_away(since_s: float = cut_at) -> bool:
            return bool(floor.rude.of("DELETE /ari/bridges/1795369149.0.br", since_s))

        await until(asked_away, "the ghost is asked away")
    await floor.serve_one()
    assert floor.complaints(logged) == []
    record("W6", "a ghost bridge in every snapshot", "harmless", "calls served, 0 errors", times=3, passed=True)
