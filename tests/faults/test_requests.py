"""Asterisk answers 500, 503, late or never (F9); another controller takes the application (F10)."""

from __future__ import annotations

import time
from base64 import b64encode

import aiohttp
import pytest

from controller.lab.sipcall import SipCall
from tests.faults import processes
from tests.faults.figures import cases, p99, record, runs
from tests.faults.rude_proxy import Rude
from tests.faults.ward import Ward
from tests.live.harness import soon, until
from tests.live.setups import HOTLINE, hotline, queue, whole

OTHER = "+842473001091"
HURT, WELL = "0285000001", "0285000002"
SETUP = whole(
    hotline(queue="sales"),
    hotline(OTHER, queue="others"),
    queue("sales", "team", ring_time=10, max_wait=120),
    queue("others", "spared", max_wait=120),
    groups={"team": ("a1", "a2"), "spared": ("a3",)},
)
TROUBLE = {
    "500": Rude("", status=500),
    "503": Rude("", status=503),
    "after 5 s": Rude("", wait_s=5.0),
    "never": Rude("", never=True),
    "carried out, answer lost": Rude("", never=True, carried=True),
}
LIMIT_S = 2.0
OUTER_S = 60.0


def about(route: str, rude: Rude) -> Rude:
    """The same trouble for one route."""
    return Rude(route, rude.status, rude.wait_s, rude.never, rude.carried)


@pytest.mark.parametrize("trouble", cases("never", long=tuple(name for name in TROUBLE if name != "never")))
async def test_a_phone_that_cannot_be_rung_costs_a_moment(floor: Ward, trouble: str) -> None:
    """Making a leg for the first agent fails: the caller gets the second one, and talks."""
    await floor.desk("a1", "a2")
    floor.rude.rules = (about("POST /ari/channels/create.*PJSIP(/|%2F)a1", TROUBLE[trouble]),)
    call = floor.dial(HOTLINE, HURT)
    began = time.monotonic()
    row = await floor.live(HURT, state="talking", seconds=OUTER_S)
    took = time.monotonic() - began
    assert row["agent"] == "a2"
    record("F9", f"ring: {trouble}: the next agent talks after", "command limit 2 s", [took], limit=LIMIT_S + 1.0)
    assert took <= LIMIT_S + OUTER_S
    floor.rude.polite()
    await call.hangup()
    await floor.ended(HURT)
    assert [leg for leg in floor.phones["a1"].calls if not leg.ended.is_set()] == []


@pytest.mark.parametrize("trouble", cases("500", long=tuple(name for name in TROUBLE if name != "500")))
async def test_a_caller_who_cannot_be_answered_is_let_go(floor: Ward, trouble: str) -> None:
    """What cannot be carried out ends as a failed call with a cause, and nothing is left over."""
    await floor.desk("a1")
    floor.rude.rules = (about("POST /ari/channels/[^/]*/answer", TROUBLE[trouble]),)
    call = floor.dial(HOTLINE, HURT)
    began = time.monotonic()
    await soon(call.ended, "the caller is let go", OUTER_S)
    took = time.monotonic() - began
    floor.rude.polite()
    record("F9", f"answer: {trouble}: the call is over after", "command limit 2 s", [took], limit=LIMIT_S + 1.0)
    row = await floor.ended(HURT)
    assert row["end_cause"] in ("failed", "agent", "caller")
    await floor.state("a1", "ready")
    await floor.serve_one()


@pytest.mark.faults
async def test_other_calls_do_not_notice(floor: Ward) -> None:
    """While every request for one agent hangs, the others' calls are as quick as before, in pairs one after another."""
    await floor.desk("a1", "a2", "a3")
    plain, beside = [], []
    for n in range(runs(4, 100)):
        plain.append(await _rings_after(floor, f"02861{n:05d}"))
        floor.rude.rules = (about("POST /ari/channels/create.*PJSIP(/|%2F)a1", TROUBLE["never"]),)
        hurt: SipCall = floor.dial(HOTLINE, f"02862{n:05d}")
        beside.append(await _rings_after(floor, f"02863{n:05d}"))
        floor.rude.rules = ()
        await hurt.hangup()
    ratio = p99(beside) / p99(plain)
    record("F9", "other calls, dial to ring: alone", "", plain)
    record("F9", "other calls, dial to ring: beside the trouble", "p99 ± 20 %", beside, passed=ratio <= 1.2)
    assert sorted(beside)[len(beside) // 2] <= sorted(plain)[len(plain) // 2] * 2 + 0.5


async def _rings_after(floor: Ward, number: str) -> float:
    known = len(floor.phones["a3"].calls)
    call = floor.dial(OTHER, number)

    async def rung() -> bool:
        return len(floor.phones["a3"].calls) > known

    await until(rung, "the spared agent rings")
    took = floor.phones["a3"].calls[known].at["invite"] - call.at["invite"]
    await call.hangup()
    await floor.ended(number)
    await floor.state("a3", "ready")
    return took


@pytest.mark.live
async def test_a_second_controller_silences_the_first(floor: Ward) -> None:
    """The word `ApplicationReplaced`: no request afterwards, exit 75; the next daemon takes over and reconciles."""
    fenced, gone = [], []
    for n in range(runs(1, 20)):
        await floor.desk("a1")
        number = f"02871{n:05d}"
        call = floor.dial(HOTLINE, number)
        await floor.live(number, state="talking")
        info, daemon = floor.lab.info, floor.daemon
        floor.rude.replaced_at_s = 0.0
        floor.pause_supervisor()
        try:
            secret = b64encode(f"{info['ari_user']}:{info['ari_password']}".encode()).decode()
            head = {"Authorization": f"Basic {secret}"}
            events = f"{info['ari']}/ari/events?app=tongdai"
            async with aiohttp.ClientSession(headers=head) as http, http.ws_connect(events):
                began = time.monotonic()

                async def over(daemon: int = daemon) -> bool:
                    return processes.exit_code(daemon) is not None

                await until(over, "the older one ends", OUTER_S)
                gone.append(time.monotonic() - began)
                assert processes.exit_code(daemon) == 75
                late = [row.at_s for row in floor.rude.asked if row.at_s > floor.rude.replaced_at_s]
                fenced.append(max([at_s - floor.rude.replaced_at_s for at_s in late], default=0.0))
        finally:
            floor.resume_supervisor()
        await floor.reborn(daemon)
        assert (await floor.live(number))["state"] == "talking"
        await call.hangup()
        await floor.ended(number)
    record("F10", "last request after another took over", "≤ 100 ms", fenced, limit=0.1)
    record("F10", "older one has ended, exit 75, after", "0 commands after", gone, limit=5.0)
    assert max(fenced) <= 5.0
