"""The daemon dies, Asterisk dies: talkers talk, waiting callers keep their place, nobody is stuck."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from controller.lab.sipcall import Rule
from tests.live.floor import CUSTOMER_HZ, SPEECH, Floor, agent_hz
from tests.live.harness import soon, until
from tests.live.patience import SLOW_S
from tests.live.setups import HOTLINE, hotline, queue, whole

pytestmark = pytest.mark.live

RESTING, BY_PHONE, BY_RING = "+842473001061", "+842473001062", "+842473001063"
REST_S = 20  # longer than a daemon takes to be back on a machine that does much besides
PACKETS_MIN = 15  # a second, of 50 on an idle machine
SETTLED_S = 0.2  # in which packets that wait to be read are read
SETUP = whole(
    hotline(queue="sales"),
    hotline(RESTING, queue="resting"),
    hotline(BY_PHONE, queue="sales", fallback={"phone": "0912345678"}),
    hotline(BY_RING, queue="sales", fallback="ring"),
    queue("sales", "team", ring_time=45, max_wait=120),
    queue("resting", "team", wrap_up=REST_S),
    groups={"team": ("a1", "a2", "a3", "a4")},
)


async def _kill(floor: Floor) -> float:
    """`kill -9` the daemon and wait until it serves again; how long that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    floor.lab.kill("daemon")
    await floor.lab.ready(floor.api)
    return loop.time() - began


def _hears(call: Any, hz: int) -> Any:
    async def ask() -> bool:
        return call.media.level(hz, 0.3) > SPEECH

    return ask


async def test_talkers_still_talk(floor: Floor) -> None:
    phone = await floor.desk("a1")
    call, row = await floor.talk(HOTLINE)
    leg = await phone.next_call()
    await until(_hears(call, agent_hz("a1")), "they talk")
    before = (call.media.received, leg.media.received)
    took = await _kill(floor)
    await asyncio.sleep(SETTLED_S)
    assert call.media.received - before[0] > took * PACKETS_MIN, "the customer heard the agent all the time"
    assert leg.media.received - before[1] > took * PACKETS_MIN, "the agent heard the customer all the time"
    await until(_hears(call, agent_hz("a1")), "the customer hears the agent")
    await until(_hears(leg, CUSTOMER_HZ), "the agent hears the customer")
    again = await floor.live(state="talking")
    assert (again["id"], again["agent"], again["answered_at"]) == (row["id"], "a1", row["answered_at"])
    assert (await floor.api.agent("a1"))["state"] == "talking"
    await leg.hangup()
    await soon(call.ended, "the call still ends as it should")
    assert (await floor.ended())["result"] == "answered"


@pytest.mark.parametrize("late_s", [0.0, 0.003, 0.006])
async def test_an_answer_in_the_moment_of_death_is_not_lost(floor: Floor, late_s: float) -> None:
    phone = await floor.desk("a1", rule=Rule(status=0))
    call = floor.dial(HOTLINE)
    leg = await phone.next_call()
    await soon(leg.ringing, "the agent rings")
    answering = asyncio.create_task(leg.answer())
    await asyncio.sleep(late_s)
    await _kill(floor)
    await answering
    phone.rule = Rule()
    await floor.live(state="talking", agent="a1")
    live = phone.live()
    assert len(live) == 1, "one call at a time"
    await until(_hears(call, agent_hz("a1")), "the customer hears the agent")
    await until(_hears(live[0], CUSTOMER_HZ), "the agent hears the customer")
    await call.hangup()
    assert (await floor.ended())["result"] == "answered"


async def test_waiting_callers_keep_their_order_and_their_time(floor: Floor) -> None:
    await floor.desk("a1", status="not_ready")
    numbers = [f"028100000{n}" for n in range(1, 5)]
    calls = {}
    for place, number in enumerate(numbers, 1):
        calls[number] = floor.dial(HOTLINE, number)
        await floor.live(number, state="waiting", position=place)
    before = {row["caller"]: (row["position"], row["queued_at"]) for row in await floor.api.calls()}
    await _kill(floor)
    after = {row["caller"]: (row["position"], row["queued_at"]) for row in await floor.api.calls()}
    assert after == before
    assert not any(call.ended.is_set() for call in calls.values())
    phone = await floor.desk("a1", state="talking")
    served = []
    for _ in numbers:
        leg = await phone.next_call()
        await soon(leg.up, "answered")
        served.append(leg.caller[-4:])
        await leg.hangup()
    assert served == [number[-4:] for number in numbers]


async def test_a_rest_ends_when_it_should(floor: Floor) -> None:
    phone = await floor.desk("a1")
    call, _ = await floor.talk(RESTING)
    began = asyncio.get_running_loop().time()
    await call.hangup()
    resting = await floor.state("a1", "wrap_up")
    await _kill(floor)
    again = await floor.api.agent("a1")
    assert (again["state"], again["wrap_up_until"]) == ("wrap_up", resting["wrap_up_until"])
    waiting = floor.dial(RESTING, "0281000002")
    await floor.live("0281000002", state="waiting")
    await phone.next_call()
    leg = await phone.next_call(REST_S + SLOW_S)
    rested = leg.at["invite"] - began
    assert REST_S - 0.2 <= rested <= REST_S + SLOW_S, f"{REST_S} s, not {rested:.2f} s"
    await waiting.hangup()


async def test_a_ringing_offer_is_made_once(floor: Floor) -> None:
    phone = await floor.desk("a1", rule=Rule(status=0))
    call = floor.dial(HOTLINE)
    leg = await phone.next_call()
    await soon(leg.ringing, "the agent rings")
    await _kill(floor)
    assert len(phone.live()) <= 1, "nobody is offered twice"
    if leg.ended.is_set():
        leg = await phone.next_call()
    await leg.answer()
    row = await floor.live(state="talking")
    assert row["agent"] == "a1"
    assert len(phone.live()) == 1
    await until(_hears(call, agent_hz("a1")), "the customer hears the agent")
    await call.hangup()


async def test_answering_and_leaving_while_the_daemon_is_away(floor: Floor) -> None:
    phone = await floor.desk("a1", rule=Rule(status=0))
    await floor.desk("a2", rule=Rule(status=0))
    answered = floor.dial(HOTLINE, "0281000001")
    leg = await phone.next_call()
    gone = floor.dial(HOTLINE, "0281000002")
    other = await floor.phones["a2"].next_call()
    await asyncio.gather(soon(leg.ringing, "a1 rings"), soon(other.ringing, "a2 rings"))
    async with floor.lab.without_daemon():
        await leg.answer()
        await gone.hangup()
    await floor.lab.ready(floor.api)
    assert (await floor.ended("0281000002"))["result"] == "missed"
    await soon(other.ended, "the orphan leg is hung up")
    row = await floor.live("0281000001", state="talking")
    assert row["agent"] in {"a1", "a2"}
    await answered.hangup()
    await floor.ended("0281000001")
    for name in ("a1", "a2"):
        await floor.state(name, "ready")


async def test_calls_that_arrive_meanwhile_take_the_fallback(floor: Floor) -> None:
    viettel = floor.carrier("viettel")
    await floor.desk("a1", "a2")
    async with floor.lab.without_daemon():
        announced = floor.dial(HOTLINE, "0281000001")
        await soon(announced.up, "an apology is heard")
        by_phone = floor.dial(BY_PHONE, "0281000002")
        leg = await viettel.next_call()
        assert leg.invite.target.partition("@")[0].endswith("912345678")
        by_ring = floor.dial(BY_RING, "0281000003")
        await floor.phones["a1"].next_call()
        await soon(by_ring.up, "an agent answers without the daemon")
        await soon(announced.ended, "the apology ends")
        assert announced.media.received > 10
    await floor.lab.ready(floor.api)
    busy = [name for name in ("a1", "a2") if floor.phones[name].live()]
    for name in busy:
        await floor.state(name, "busy")
    await by_phone.hangup()
    await by_ring.hangup()
    for name in busy:
        await floor.state(name, "ready")


async def test_after_a_restart_of_asterisk_every_call_is_lost_and_nobody_is_stuck(floor: Floor) -> None:
    phone = await floor.desk("a1")
    await floor.desk("a2", rule=Rule(status=0))
    await floor.talk(HOTLINE, "0281000001")
    floor.dial(HOTLINE, "0281000002")
    await floor.live("0281000002", state="ringing")
    floor.lab.kill("asterisk")
    for number in ("0281000001", "0281000002"):
        ended = await floor.ended(number)
        assert ended["end_cause"] == "pbx_lost"
    await floor.lab.ready(floor.api)
    for call in phone.live():
        call.close()
    for name in ("a1", "a2"):
        floor.phones[name].rule = Rule()
        await floor.phones[name].register()
        await floor.state(name, "ready")
    call, row = await floor.talk(HOTLINE, "0281000003")
    assert row["agent"] in {"a1", "a2"}
    await call.hangup()
