"""What an agent does and is: status by interface and by phone, the rest after a call, and the truth about the phone."""

from __future__ import annotations

import asyncio

import pytest

from controller.lab.sipcall import Rule
from tests.live.floor import Floor
from tests.live.harness import soon, until
from tests.live.patience import SLOW_S
from tests.live.setups import HOTLINE, hotline, queue, whole

pytestmark = pytest.mark.live

REST_S = 3
LONG = "+842473001002"
SETUP = whole(
    hotline(queue="sales"),
    hotline(LONG, queue="long"),
    queue("sales", "team", wrap_up=REST_S),
    queue("long", "team", wrap_up=60),
    groups={"team": ("a1", "a2")},
)


async def _code(floor: Floor, name: str, code: str) -> None:
    """The agent dials a feature code and hears what became of it."""
    call = floor.phones[name].dial(code)
    await soon(call.up, f"{code} is answered")
    await soon(call.ended, f"{code} says its word and ends")


async def test_status_by_the_interface(floor: Floor) -> None:
    await floor.desk("a1")
    assert (await floor.api.status("a1", "not_ready", "lunch")).is_success
    agent = await floor.state("a1", "not_ready")
    assert (agent["status"], agent["reason"]) == ("not_ready", "lunch")
    assert (await floor.api.status("a1", "asleep")).status_code in {400, 422}
    assert (await floor.api.status("nobody", "available")).status_code == 404


async def test_status_by_feature_codes(floor: Floor) -> None:
    await floor.desk("a1", status="offline")
    await _code(floor, "a1", "*40")
    await floor.state("a1", "ready")
    await _code(floor, "a1", "*41")
    await floor.state("a1", "not_ready")


async def test_available_without_a_phone_is_unreachable_until_it_registers(floor: Floor) -> None:
    assert (await floor.api.status("a2", "available")).is_success
    await floor.state("a2", "unreachable")
    await floor.desk("a2")
    await floor.phones["a2"].unregister()
    await floor.state("a2", "unreachable")


async def _rest(floor: Floor) -> None:
    """One answered call, and a rest after it that lasts until somebody ends it."""
    call, _ = await floor.talk(LONG)
    await call.hangup()
    await floor.state("a1", "wrap_up")


async def test_the_rest_ends_by_itself(floor: Floor) -> None:
    await floor.desk("a1")
    call, _ = await floor.talk(HOTLINE)
    began = asyncio.get_running_loop().time()
    await call.hangup()
    await floor.ended()
    await floor.state("a1", "ready")
    assert REST_S - 0.1 <= asyncio.get_running_loop().time() - began <= REST_S + SLOW_S


async def test_the_rest_is_ended_early_and_only_once(floor: Floor) -> None:
    await floor.desk("a1")
    await _rest(floor)
    assert (await floor.api.send("POST", "/api/v1/agents/a1/wrap-up", {"action": "end"})).is_success
    await floor.state("a1", "ready")
    again = await floor.api.send("POST", "/api/v1/agents/a1/wrap-up", {"action": "end"})
    assert again.status_code == 409
    assert again.headers["content-type"].startswith("application/problem+json")


async def test_the_rest_is_extended_within_its_limit(floor: Floor) -> None:
    await floor.desk("a1")
    await _rest(floor)
    before = (await floor.api.agent("a1"))["wrap_up_until"]
    extend = {"action": "extend", "seconds": 30}
    assert (await floor.api.send("POST", "/api/v1/agents/a1/wrap-up", extend)).is_success
    assert (await floor.api.agent("a1"))["wrap_up_until"] > before
    too_much = {"action": "extend", "seconds": 600}
    assert (await floor.api.send("POST", "/api/v1/agents/a1/wrap-up", too_much)).status_code in {400, 409, 422}


async def test_the_rest_by_feature_codes(floor: Floor) -> None:
    await floor.desk("a1")
    await _rest(floor)
    before = (await floor.api.agent("a1"))["wrap_up_until"]
    await _code(floor, "a1", "*43")
    assert (await floor.api.agent("a1"))["wrap_up_until"] > before
    await _code(floor, "a1", "*42")
    await floor.state("a1", "ready")


async def test_signing_out_in_a_talk_finishes_the_talk_first(floor: Floor) -> None:
    await floor.desk("a1")
    call, _ = await floor.talk(HOTLINE)
    await floor.api.status("a1", "offline")
    assert not call.ended.is_set()
    await call.hangup()
    await floor.ended()
    assert (await floor.api.agent("a1"))["status"] == "offline"


async def test_a_call_we_did_not_make_keeps_an_agent_busy(floor: Floor) -> None:
    phone = await floor.desk("a1", rule=Rule(status=0))
    channel = await floor.api.ring_by_hand("a1")
    leg = await phone.next_call()
    await floor.state("a1", "busy")
    call = floor.dial(HOTLINE)
    await floor.live(state="waiting")
    assert len(phone.calls) == 1, "a phone in use is not rung"
    phone.rule = Rule()
    await floor.api.ari(f"channels/{channel}", "DELETE")
    await soon(leg.ended, "the foreign call ends")
    await floor.live(state="talking", agent="a1")
    await call.hangup()


async def test_a_phone_that_comes_back_is_offered_the_waiting_call(floor: Floor) -> None:
    await floor.desk("a1")
    await floor.phones["a1"].unregister()
    await floor.state("a1", "unreachable")
    call = floor.dial(HOTLINE)
    await floor.live(state="waiting")
    await floor.phones["a1"].register()
    await floor.live(state="talking", agent="a1")
    await call.hangup()

    async def counted() -> bool:
        return (await floor.api.queue("sales"))["answered"] > 0

    await until(counted, "the queue's figures know it")
