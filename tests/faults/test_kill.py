"""The daemon dies: at any moment, under load, politely, or it stands still (F1, F2, F4, F17)."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from controller.lab.sipcall import Rule, SipCall
from tests.faults import processes
from tests.faults.figures import record, runs
from tests.faults.ward import Ward, crowd_setup
from tests.live.harness import Json, soon, until
from tests.live.setups import HOTLINE, hotline, queue

SILENT = "+842473001071"
WRAP_S = 45 if runs(1, 2) > 1 else 25  # longer than it takes to fill the exchange and to die
PER_S = 45.0  # of 50 packets a second each way, the least that says nobody stopped hearing
BUSY_S = 60.0  # what a busy machine may take; the programme's own figures are recorded
NAMES = tuple(f"b{n:02d}" for n in range(1, 31))
SETUP = crowd_setup(
    NAMES,
    hotline(queue="sales"),
    hotline(SILENT, queue="silent"),
    queue("silent", "team", max_wait=3600, max_size=250, music="none"),
    queue("sales", "team", ring_time=60, max_wait=600, max_size=50, wrap_up=WRAP_S, strategy="linear"),
)


@dataclass(frozen=True)
class Size:
    """How many talk, wait, ring and rest."""

    talking: int
    waiting: int
    ringing: int
    resting: int


def size() -> Size:
    """Small in `make test`, as asked otherwise."""
    return Size(20, 10, 5, 5) if runs(1, 2) > 1 else Size(3, 3, 1, 1)


class Crowd:
    """A busy exchange: some talk, some wait, some ring, some rest after a call."""

    def __init__(self, floor: Ward, size: Size) -> None:
        self.floor, self.size = floor, size
        talk, ring = size.talking, size.talking + size.resting
        self.talkers, self.resters = NAMES[:talk], NAMES[talk:ring]
        self.ringers = NAMES[ring : ring + size.ringing]
        self.talks: dict[str, SipCall] = {}
        self.queued: dict[str, SipCall] = {}

    async def gather(self) -> None:
        """Fill the exchange; those who rest have just begun to."""
        floor, size = self.floor, self.size
        await floor.seat(*self.talkers)
        self.talks = {number: floor.dial(HOTLINE, number) for number in numbers("02811", size.talking)}
        await floor.talks(self.talks)
        await floor.seat(*self.ringers, rule=Rule(status=0))
        for place, number in enumerate(numbers("02812", size.ringing + size.resting + size.waiting)):
            self.queued[number] = floor.dial(HOTLINE, number)
            await floor.live(number, state="ringing" if place < size.ringing else "waiting")

    async def begin_rests(self) -> None:
        """Some agents sign in, take the first who wait, and their calls end at once."""
        floor = self.floor
        await floor.seat(*self.resters, state="talking")
        for name in self.resters:
            await floor.phones[name].live()[0].hangup()
            await floor.state(name, "wrap_up")

    async def waiting(self) -> list[tuple[str, int, str]]:
        """Who waits: number, place, since when."""
        rows = [row for row in await self.floor.api.calls(limit=200) if row["state"] in ("waiting", "ringing")]
        return sorted((row["caller"], row["position"], row["queued_at"]) for row in rows)

    def packets(self) -> list[int]:
        """Packets heard by both sides of every talk."""
        legs = [self.floor.phones[name].live()[0] for name in self.talkers]
        return [call.media.received for call in (*self.talks.values(), *legs)]


def numbers(prefix: str, count: int) -> list[str]:
    """Callers' numbers."""
    return [f"{prefix}{n:05d}" for n in range(1, count + 1)]


# -- F1 --------------------------------------------------------------------------------------------------------------


@pytest.mark.faults
async def test_an_idle_daemon_is_killed_at_any_moment(floor: Ward) -> None:
    chance = random.Random(8412771)
    await floor.seat("b01")
    gaps, starts, lost = [], [], 0
    for n in range(runs(3, 50)):
        wanted = ("not_ready", "available")[n % 2]
        await floor.api.status("b01", wanted)
        await asyncio.sleep(chance.random() * runs(1, 2) * 0.5)
        gap, start = await floor.killed()
        gaps.append(gap)
        starts.append(start)
        lost += (await floor.api.agent("b01"))["status"] != wanted
    record("F1", "process start to ready, idle", "≤ 3 s p99", starts, limit=3.0)
    record("F1", "gap with supervisor, idle", "≤ 5 s", gaps, limit=5.0, promise="gap")
    record("F1", "acknowledged changes lost", "0", str(lost), times=len(gaps), passed=lost == 0)
    assert lost == 0
    assert max(starts) <= BUSY_S


@pytest.mark.parametrize("channels", [50, 200])
@pytest.mark.faults
async def test_a_daemon_is_killed_beside_many_channels(floor: Ward, channels: int) -> None:
    await floor.seat("b30", status="not_ready")
    made = floor.mute_callers(SILENT, channels)

    async def waiting() -> bool:
        return (await floor.api.queue("silent"))["waiting"] == channels

    await until(waiting, f"{channels} wait", 60.0)
    for call in made.values():  # who is not answered within ten seconds, one death after another, hears the fallback
        await soon(call.up, "everybody hears music", 30.0)
    gaps, starts = [], []
    for _ in range(runs(1, 20)):
        gap, start = await floor.killed()
        gaps.append(gap)
        starts.append(start)
        assert await waiting(), "everybody keeps their place, from the first moment on"
    assert not any(call.ended.is_set() for call in made.values())
    what = f"process start to ready, {channels} channels"
    record("F1", what, "≤ 3 s p99", starts, limit=3.0, promise="back" if channels == 200 else "")
    record("F1", f"gap with supervisor, {channels} channels", "≤ 5 s", gaps, limit=5.0, promise="gap")
    assert max(starts) <= BUSY_S


# -- F2 --------------------------------------------------------------------------------------------------------------


@dataclass
class Deaths:
    """What all deaths of a busy daemon showed together."""

    starts: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    per_s: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    empty: list[float] = field(default_factory=list)
    talking: int = 0
    waiting: int = 0

    def keep(self) -> None:
        """Record it; callers and agents are counted over all deaths."""
        times, least = len(self.gaps), min(self.per_s)
        record("F2", "start to ready", "≤ 3 s", self.starts, limit=3.0)
        record("F2", "gap with supervisor", "≤ 5 s", self.gaps, limit=5.0)
        seen = f"{self.talking} of {self.talking}; at least {least:.1f} packets/s each way of 50"
        record("F2", "talkers still talking", "all", seen, times=times, passed=least >= PER_S, promise="talkers")
        seen = f"{self.waiting} of {self.waiting}, same order and time"
        record("F2", "waiting callers in order", "all, in order", seen, times=times, passed=True, promise="waiting")
        record("F2", "wrap-up off by", "± 1 s", self.late, limit=1.0, promise="wrap_up")
        record("F2", "double offers", "0", "0", times=times, passed=True, promise="one_offer")
        record("F2", "nothing left once all hang up", "0 after 30 s", self.empty, limit=30.0)


@pytest.mark.live
async def test_a_busy_daemon_is_killed(floor: Ward) -> None:
    deaths = Deaths()
    for _ in range(runs(1, 5)):
        await _killed_busy(floor, deaths)
    deaths.keep()
    assert min(deaths.per_s) >= 5.0, "50 packets a second are sent; a busy machine may be late"
    assert max(deaths.late) <= BUSY_S


async def _killed_busy(floor: Ward, deaths: Deaths) -> None:
    crowd = Crowd(floor, size())
    await crowd.gather()
    await crowd.begin_rests()
    waiting, packets, began = await crowd.waiting(), crowd.packets(), time.monotonic()
    until_before = {name: (await floor.api.agent(name))["wrap_up_until"] for name in crowd.resters}
    gap, start = await floor.killed()
    gone = time.monotonic() - began
    heard = [now - before for now, before in zip(crowd.packets(), packets, strict=True)]
    assert await crowd.waiting() == waiting, "everybody keeps place and time"
    people = crowd.size
    assert len(waiting) == people.waiting + people.ringing, "those who rest had a call of their own"
    assert {name: (await floor.api.agent(name))["wrap_up_until"] for name in crowd.resters} == until_before
    doubles = sum(len(floor.phones[name].live()) > 1 for name in crowd.ringers)
    assert doubles == 0
    talking = [row for row in await floor.api.calls(limit=200) if row["state"] == "talking"]
    assert len(talking) == len(crowd.talks)
    late = await _rests_end(floor, crowd, until_before)
    await _ringing_is_answered(floor, crowd)
    rows = [row for row in await floor.api.calls(limit=200) if row["state"] == "talking"]
    agents = [row["agent"] for row in rows]
    assert len(agents) == len(set(agents)), "nobody has two calls"
    deaths.starts.append(start)
    deaths.gaps.append(gap)
    deaths.per_s.append(min(heard) / gone)
    deaths.late += late
    deaths.talking += len(talking)
    deaths.waiting += len(waiting)
    deaths.empty.append(await _go_home(floor, crowd))


async def _rests_end(floor: Ward, crowd: Crowd, ends: dict[str, str]) -> list[float]:
    """Each who rests gets the next call when the rest is over: by how much too early or too late."""
    late = []
    known = {name: len(floor.phones[name].calls) for name in crowd.resters}  # all at once: they may end together
    for name in crowd.resters:

        async def rung(name: str = name) -> bool:
            return len(floor.phones[name].calls) > known[name]

        await until(rung, f"{name} rings after the rest", WRAP_S + BUSY_S)
        over = _epoch_s(ends[name])
        leg = floor.phones[name].calls[known[name]]
        late.append(abs(leg.at["invite"] - asyncio.get_running_loop().time() + time.time() - over))
    return late


def _epoch_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def _ringing_is_answered(floor: Ward, crowd: Crowd) -> None:
    """Every offer that was out is still out, or was made again, once; now it is answered."""
    for name in crowd.ringers:
        phone = floor.phones[name]
        live = phone.live()
        leg = live[0] if live else await phone.next_call()
        await leg.answer()
        await floor.state(name, "talking")
        assert len(phone.live()) == 1


async def _go_home(floor: Ward, crowd: Crowd) -> float:
    """Everybody hangs up; how long until nothing is left in Asterisk."""
    for name in NAMES:
        await floor.api.status(name, "offline")
    await asyncio.gather(*(call.hangup() for call in (*crowd.talks.values(), *crowd.queued.values())))

    async def empty() -> bool:
        return not any(await floor.left())

    began = time.monotonic()
    await until(empty, "no call, channel or bridge is left", BUSY_S)
    took = time.monotonic() - began
    for name in NAMES:
        await floor.api.send("POST", f"/api/v1/agents/{name}/wrap-up", {"action": "end"})
    return took


# -- calls that arrive in the gap ------------------------------------------------------------------------------------


@pytest.mark.live
async def test_calls_that_arrive_around_the_death_are_all_heard(floor: Ward) -> None:
    """Asterisk sees the dead socket after some milliseconds: a call of those waits for the next daemon."""
    waits = []
    await floor.seat("b30", status="not_ready")
    for n in range(runs(2, 20)):
        calls = []
        floor.lab.kill("daemon")
        began = asyncio.get_running_loop().time()
        for k, late_ms in enumerate((0, 2, 4, 8, 12, 16, 24, 50, 200, 400)):
            await asyncio.sleep(max(0.0, began + late_ms / 1000 - asyncio.get_running_loop().time()))
            calls.append(floor.dial(HOTLINE, f"0282{n:03d}{k:03d}"))
        for call in calls:
            await soon(call.up, "somebody answers: an apology, or the daemon that came back", BUSY_S)
            waits.append(call.at["up"] - call.at["invite"])
        await floor.lab.ready(floor.api)
        await asyncio.gather(*(call.hangup() for call in calls))

        async def empty() -> bool:
            return not any(await floor.left())

        await until(empty, "nothing is left", BUSY_S)
    record("F1", "a call around the death is answered after", "100 % heard", waits, limit=5.0, promise="fallback")
    assert max(waits) <= BUSY_S


# -- F4 --------------------------------------------------------------------------------------------------------------


@pytest.mark.live
async def test_told_to_end_it_ends_in_order(floor: Ward) -> None:
    took = []
    for _ in range(runs(1, 20)):
        await floor.seat("b01", "b02", "b03")
        talks = {number: floor.dial(HOTLINE, number) for number in numbers("02821", 2)}
        await floor.talks(talks)
        arriving = [floor.dial(HOTLINE, number) for number in numbers("02822", 12)]
        logged, daemon = floor.logged, floor.daemon
        floor.pause_supervisor()
        began = time.monotonic()
        try:
            os.kill(daemon, signal.SIGTERM)

            async def over(daemon: int = daemon) -> bool:
                return processes.exit_code(daemon) is not None

            await until(over, "the daemon ends", BUSY_S)
            took.append(time.monotonic() - began)
            code = processes.exit_code(daemon)
        finally:
            floor.resume_supervisor()
        assert code == 0
        assert floor.complaints(logged) == []
        _journal_is_whole(floor)
        await floor.reborn(daemon)
        await floor.talks(talks)
        await asyncio.gather(*(call.hangup() for call in (*talks.values(), *arriving)))
        await floor.settle()
        for name in ("b01", "b02", "b03"):
            await floor.api.send("POST", f"/api/v1/agents/{name}/wrap-up", {"action": "end"})
            await floor.api.status(name, "offline")
    record("F4", "SIGTERM under load: ended after", "≤ 5 s, exit 0, 0 errors", took, limit=5.0)
    assert max(took) <= BUSY_S


def _journal_is_whole(floor: Ward) -> None:
    newest = max((floor.lab.directory / "journal").glob("*.jsonl"))
    text = newest.read_text()
    assert text.endswith("\n")
    json.loads(text.splitlines()[-1])


# -- F17 -------------------------------------------------------------------------------------------------------------


@pytest.mark.faults
async def test_a_process_that_stood_still(floor: Ward) -> None:
    """Deadlines that passed meanwhile are handled when it wakes; nobody is offered twice; the link is mended."""
    still_s = runs(4, 30)
    await floor.seat("b01", "b02")
    talk = floor.dial(HOTLINE, "0281000001")
    await floor.talks({"0281000001": talk})
    short = floor.dial(HOTLINE, "0281000002")
    await floor.talks({"0281000002": short})
    await short.hangup()
    rest: Json = await floor.state("b02", "wrap_up")
    waiting = floor.dial(HOTLINE, "0281000003")
    await floor.live("0281000003", state="waiting")
    await floor.seat("b03", rule=Rule(status=0), state="offered")
    logged = floor.logged
    os.kill(floor.daemon, signal.SIGSTOP)
    began = time.monotonic()
    await asyncio.sleep(still_s)
    for_s = time.monotonic() - began
    os.kill(floor.daemon, signal.SIGCONT)
    woke = time.monotonic()
    await floor.api.agent("b01")
    mended = await floor.resynced() - woke
    assert len(floor.phones["b03"].live()) <= 1
    assert (await floor.live("0281000001"))["state"] == "talking"
    if _epoch_s(rest["wrap_up_until"]) < time.time():
        await floor.state("b02", "ready")
    live = floor.phones["b03"].live()
    leg = live[0] if live else await floor.phones["b03"].next_call()
    await leg.answer()
    await floor.live("0281000003", state="talking", agent="b03")
    assert floor.complaints(logged) == []
    record("F17", f"frozen {for_s:.0f} s: in step after waking", "≤ 1 s", [mended], limit=1.0)
    record("F17", "double offers", "0", "0", times=1, passed=True)
    await asyncio.gather(talk.hangup(), waiting.hangup())
