"""The way between daemon and Asterisk fails: cut, half-open, flapping, frozen (F6, F7 of the programme)."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from controller.lab.sipcall import SipCall
from tests.faults import processes
from tests.faults.figures import cases, record, runs
from tests.faults.rude_proxy import Rude
from tests.faults.ward import Ward
from tests.live.harness import soon
from tests.live.setups import HOTLINE, hotline, queue, whole

SETUP = whole(hotline(queue="sales"), queue("sales", "team", max_wait=120), groups={"team": ("a1", "a2")})
FIRST, SECOND, THIRD = "0281000001", "0281000002", "0281000003"
HALF_OPEN_S = 5.0
OUTER_S = 60.0  # what no busy machine exceeds; the programme's own figures are recorded beside what was seen
DOWN_S = 2.0


async def _three(floor: Ward) -> dict[str, SipCall]:
    """Two talk, one waits."""
    await floor.desk("a1", "a2")
    calls = {}
    for number in (FIRST, SECOND):
        calls[number] = floor.dial(HOTLINE, number)
        await floor.live(number, state="talking")
    calls[THIRD] = floor.dial(HOTLINE, THIRD)
    await floor.live(THIRD, state="waiting")
    return calls


async def _end_well(floor: Ward, calls: dict[str, SipCall]) -> list[tuple[str, str]]:
    """The end of the day, the same whether the link was cut or not: who was answered, and by whom it was ended."""
    await floor.live(THIRD, state="talking")
    await calls[THIRD].hangup()
    rows = [await floor.ended(number) for number in (FIRST, SECOND, THIRD)]
    return [(row["result"], row["end_cause"]) for row in rows]


@pytest.mark.parametrize("how", cases("rst", long=("fin", "close")))
async def test_a_cut_is_noticed_and_mended(floor: Ward, how: str) -> None:
    calls = await _three(floor)
    noticed, mended = [], []
    for _ in range(runs(2, 20)):
        cut_at = floor.rude.cut(how)
        noticed.append(await floor.noticed() - cut_at)
        mended.append(await floor.resynced() - cut_at)
    record("F6", f"{how}: noticed", "≤ 100 ms", noticed, limit=0.1)
    record("F6", f"{how}: in step again after the cut", "≤ 1 s", mended, limit=1.0)
    assert max(noticed) <= OUTER_S
    assert max(mended) <= OUTER_S
    assert not any(call.ended.is_set() for call in calls.values())
    await calls[FIRST].hangup()
    await floor.ended(FIRST)
    await calls[SECOND].hangup()
    assert await _end_well(floor, calls) == [("answered", "caller")] * 3


@pytest.mark.parametrize("how", cases("rst", long=("frozen",)))
async def test_what_happens_while_nobody_listens_is_made_up_for(floor: Ward, how: str) -> None:
    """While the link is down one caller hangs up, one agent hangs up; the one who waits is served afterwards."""
    calls = await _three(floor)
    if how == "frozen":
        floor.rude.freeze()
    else:
        floor.rude.refuse()
        floor.rude.cut(how, everything=True)
    await floor.noticed()
    await calls[FIRST].hangup()
    leg = floor.phones["a2"].live()[0]
    await leg.hangup()
    open_at = time.monotonic()
    floor.rude.thaw() if how == "frozen" else floor.rude.listen()
    mended = await floor.resynced() - open_at
    record("F6", f"{how}: in step again once the way is open", "≤ 1 s, back-off ≤ 5 s", [mended], limit=6.0)
    assert mended <= HALF_OPEN_S + OUTER_S
    ends = await _end_well(floor, calls)
    assert [result for result, _ in ends] == ["answered"] * 3
    record("F6", f"{how}: events lost in effect", "0", "0: ended as without the cut", times=1, passed=True)


@pytest.mark.live
async def test_a_half_open_stream_is_noticed(floor: Ward) -> None:
    """Nothing is closed and nothing comes: only the missing pong tells."""
    calls = await _three(floor)
    noticed, mended = [], []
    for _ in range(runs(1, 20)):
        began = time.monotonic()
        floor.rude.freeze()
        noticed.append(await floor.noticed() - began)
        thawed = time.monotonic()
        floor.rude.thaw()
        mended.append(await floor.resynced() - thawed)
    record("F6", "half-open or frozen peer: noticed", "≤ 5 s", noticed, limit=5.0)
    record("F6", "half-open: in step again after thaw", "≤ 1 s", mended, limit=1.0)
    assert max(noticed) <= HALF_OPEN_S + OUTER_S
    for number in (FIRST, SECOND, THIRD):
        await calls[number].hangup()
        await floor.ended(number)


@pytest.mark.live
async def test_no_busy_loop_while_there_is_no_way(floor: Ward) -> None:
    floor.rude.refuse()
    floor.rude.cut("rst", everything=True)
    await floor.noticed()
    seconds = runs(2, 10)
    before = processes.cpu_s(floor.daemon)
    await asyncio.sleep(seconds)
    share = (processes.cpu_s(floor.daemon) - before) / seconds * 100
    floor.rude.listen()
    await floor.resynced()
    record("F6", "processor time while there is no way", "≤ 5 %", [share], unit="%", limit=5.0)
    assert share <= 60.0, "a loop without a pause takes all there is"


@pytest.mark.live
async def test_a_way_that_flaps(floor: Ward) -> None:
    """A cut as soon as the link is there again, some of them before it is."""
    await (await floor.desk("a1")).stay_registered()  # two hundred cuts take longer than a registration lasts
    call = floor.dial(HOTLINE, FIRST)
    await floor.live(FIRST, state="talking")
    cuts, spread_s = runs(8, 200), runs(1, 10) * 0.3
    await floor.resynced()
    before, logged, began = processes.memory_mb(floor.daemon), floor.logged, time.monotonic()
    for n in range(cuts):
        floor.rude.cut(("rst", "fin", "close")[n % 3])
        await asyncio.sleep(spread_s * (0.2 if n % 4 == 0 else 1.0))
    await floor.resynced()
    grown = processes.memory_mb(floor.daemon) - before
    record("F7", "memory after flapping", "+ ≤ 5 MB", [grown], unit="MB", times=cuts, limit=5.0)
    record("F7", "errors logged, calls hurt", "0", "0", times=cuts, passed=not floor.complaints(logged))
    assert floor.complaints(logged) == []
    assert floor.rude.of("eventFilter", began) == [], "a filter replaced beside a reader kills Asterisk"
    assert grown <= 20.0
    assert (await floor.live(FIRST))["state"] == "talking"
    await call.hangup()
    await floor.ended(FIRST)
    await floor.serve_one()


@pytest.mark.faults
async def test_attempts_become_rarer_and_keep_no_step(floor: Ward) -> None:
    """0.1 s doubled up to 5 s, of which chance takes up to half (F7)."""
    floor.rude.rules = (Rude("GET /ari/events", status=503),)
    floor.rude.cut("rst")
    floor.rude.streams.clear()
    await asyncio.sleep(runs(3, 20))
    tries = list(floor.rude.streams)
    floor.rude.rules = ()
    pauses = [after - before for before, after in pairwise(tries)]
    expected = [min(0.1 * 2 ** (n + 1), 5.0) for n in range(len(pauses))]
    assert len(pauses) >= 2
    assert all(pause >= least / 2 - 0.01 for pause, least in zip(pauses, expected, strict=True))
    most = max(pause - least for pause, least in zip(pauses, expected, strict=True))
    record("F7", "longest pause beyond the back-off's own", "≤ 0", [max(0.0, most)], limit=0.1, times=len(pauses))
    assert most <= OUTER_S
    await floor.resynced(15.0)


@pytest.mark.faults
async def test_the_customer_hears_nothing_of_it(floor: Ward) -> None:
    """Sound is Asterisk's: packets come at their pace while the link is down."""
    await floor.desk("a1")
    call, _ = await floor.talk(HOTLINE)
    leg = floor.phones["a1"].live()[0]
    floor.rude.freeze()
    began, before = time.monotonic(), (call.media.received, leg.media.received)
    await asyncio.sleep(DOWN_S)
    gone = time.monotonic() - began
    floor.rude.thaw()
    for media, was in zip((call.media, leg.media), before, strict=True):
        assert media.received - was >= gone * 10, "50 packets a second are sent; a busy machine may be late"
    await floor.resynced()
    await call.hangup()
    await soon(leg.ended, "the agent's side ends, too")
