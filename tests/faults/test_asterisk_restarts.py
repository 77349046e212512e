"""Asterisk goes and comes back: killed, stopped at once, stopped when its calls are over (F5)."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from pathlib import Path

import pytest

from controller.lab.sipcall import Rule
from tests.faults.figures import cases, record, runs
from tests.faults.ward import Ward
from tests.live.harness import until
from tests.live.setups import HOTLINE, hotline, queue, whole

SETUP = whole(hotline(queue="sales"), queue("sales", "team", ring_time=60, max_wait=120), groups={"team": ("a1", "a2")})
OUTER_S = 60.0
EVERY_S = 0.25
GRACE_S = 1.0


def _console(floor: Ward, command: str) -> subprocess.Popen[bytes]:
    """Say one command to Asterisk's console; the command line that started it says where it is.

    The console waits for a stop to be done, so it is not waited for.
    """
    raw = Path(f"/proc/{floor.lab.pid('asterisk')}/cmdline").read_bytes()
    argv = [word.decode() for word in raw.split(b"\0") if word and word not in (b"-f", b"-n")]
    quiet = subprocess.DEVNULL
    return subprocess.Popen([*argv, "-rx", command], stdin=quiet, stdout=quiet, stderr=quiet)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def _http_is_up(floor: Ward, died: int) -> float:
    """Wait until another Asterisk's HTTP answers; the moment."""

    async def up() -> bool:
        return floor.lab.pid("asterisk") not in (0, died) and _answers(floor.lab.base + 1)

    await until(up, "Asterisk's HTTP is up", OUTER_S)
    return time.monotonic()


@pytest.mark.parametrize("how", cases("stop now", long=("killed", "stop gracefully")))
async def test_asterisk_comes_back(floor: Ward, how: str) -> None:
    ended, served = [], []
    for n in range(runs(1, 20)):
        seconds = await _once(floor, how, n)
        ended.append(seconds[0])
        served.append(seconds[1])
    record("F5", f"{how}: calls ended as lost, after HTTP is up", "≤ 1 s", ended, limit=1.0)
    record("F5", f"{how}: first new call handled, after HTTP is up", "≤ 2 s", served, limit=2.0, promise="pbx_back")
    assert max(*ended, *served) <= OUTER_S


async def _once(floor: Ward, how: str, n: int) -> tuple[float, float]:
    phone = await floor.desk("a1")
    await floor.api.status("a2", "offline")  # whoever rested longer would be rung first, which may be either
    talking, ringing, new = (f"028{digit}{n:06d}" for digit in (4, 5, 6))
    call = floor.dial(HOTLINE, talking)
    await floor.live(talking, state="talking", agent="a1")
    await floor.desk("a2", rule=Rule(status=0))
    floor.dial(HOTLINE, ringing)
    await floor.live(ringing, state="ringing")
    asterisk = floor.lab.pid("asterisk")
    await _next_second()
    if how == "killed":
        floor.lab.kill("asterisk")
    else:
        console = _console(floor, f"core {how}")
        if how == "stop gracefully":
            await asyncio.sleep(GRACE_S)
            assert not call.ended.is_set(), "calls that are up may go on"
            await asyncio.gather(*(other.hangup() for known in floor.others for other in known.live()))
        await asyncio.to_thread(console.wait, 60)
    up = await _http_is_up(floor, asterisk)
    rows = [await floor.ended(number, OUTER_S) for number in (talking, ringing)]
    over = time.monotonic() - up
    # An orderly stop hangs every channel up before the stream ends, and tells it: those calls end like any other.
    if how == "killed":
        assert [row["end_cause"] for row in rows] == ["pbx_lost", "pbx_lost"]
    for softphone in floor.phones.values():
        for left in softphone.live():
            left.close()
        softphone.rule = Rule()
    handled = await _first_call(floor, new, up)
    assert call.ended.is_set() or how != "stop gracefully"
    await floor.lab.ready(floor.api)
    for name in ("a1", "a2"):
        await floor.phones[name].register()
        await floor.state(name, "ready")
    assert await floor.api.calls() == []
    assert phone.live() == []
    await floor.serve_one(HOTLINE, f"0287{n:06d}")
    return over, handled


async def _next_second() -> None:
    """Wait for the next second: Asterisk names a call by the second and by a number that begins anew at each start.

    One that starts twice within a second gives two calls one name, and the second is taken for an echo of the first
    (docs/asterisk-facts.md, A28).
    """
    await asyncio.sleep(1.0 - time.time() % 1.0)


async def _first_call(floor: Ward, number: str, up: float) -> float:
    """Dial again and again until the daemon has one of the calls; when that was."""
    deadline = time.monotonic() + OUTER_S
    while time.monotonic() < deadline:
        call = floor.dial(HOTLINE, number)
        for _ in range(int(EVERY_S / 0.02)):
            await asyncio.sleep(0.02)
            if any(row["caller"][-6:] == number[-6:] for row in await floor.api.calls()):
                took = time.monotonic() - up
                await call.hangup()
                await floor.ended(number)
                return took
        await call.hangup()
    raise AssertionError("no call was handled")
