"""Oddities of operators' trunks on the way out: the agent is told, the next trunk is tried when it may help, no fraud.

The numbers are those of the table in docs/sip-oddities.md. The floor looks after every test that no channel, no bridge
and no live call is left.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from controller.lab import sip
from controller.lab.sipcall import Rule, SipCall
from controller.lab.softphone import Softphone
from tests.live.floor import CARRIER_HZ, CARRIERS, SPEECH, Floor
from tests.live.harness import Json, soon, until
from tests.live.patience import PATIENCE_S
from tests.live.setups import ODDITIES, hotline, queue, whole
from tests.web.hostile import NAMES

pytestmark = [pytest.mark.live, ODDITIES]

OWN, MOBI = "+842473001081", "+842473001082"
SETUP = whole(
    hotline(OWN, queue="sales", outbound=True),
    hotline(MOBI, queue="sales", outbound=True, trunk="mobifone"),
    queue("sales", "team"),
    groups={"team": ("a1", "a2")},
    agents={"a1": {"outbound_with": OWN}, "a2": {"outbound_with": MOBI}},
)
CALLEE = "0967000111"
BY_HAND = Rule(silent=True)


async def _dialled(floor: Floor, agent: str = "a1", **rules: Rule) -> tuple[SipCall, SipCall, dict[str, Softphone]]:
    """An agent dials; the first switch has the INVITE. Switches do nothing by themselves unless `rules` say so."""
    switches = {name: floor.carrier(name, rules.get(name, BY_HAND)) for name in CARRIERS}
    phone = await floor.desk(agent)
    call = phone.dial(CALLEE)
    first = switches["viettel" if agent == "a1" else "mobifone"]
    return call, await first.next_call(), switches


async def _history(floor: Floor, seconds: float = PATIENCE_S) -> Json:
    async def ask() -> Json | None:
        if await floor.api.calls():
            return None
        rows = await floor.api.calls("ended", since=floor.began, direction="outbound")
        return rows[0] if rows else None

    return await until(ask, "an outbound call in the history", seconds)


async def _ended(floor: Floor, result: str, cause: str, trunk: str | None = "viettel") -> Json:
    row = await _history(floor)
    assert (row["result"], row["end_cause"], row["trunk"]) == (result, cause, trunk)
    await floor.state("a1", "ready")
    return row


async def _failed_trunks(floor: Floor, call: str) -> list[Any]:
    return [line["body"]["trunk"] for line in await floor.api.story(call) if line["name"] == "TrunkFailed"]


async def _forgiven(floor: Floor, switch: Softphone) -> None:
    """One call carried: the trunk's failures in this test are no part of the next one."""
    switch.rule = Rule()
    call = floor.phones["a1"].dial(CALLEE)
    await switch.next_call()
    await soon(call.up, "the trunk is used again at once")
    await call.hangup()
    await _history(floor)


async def test_01_the_agent_gives_up_before_the_switch_says_it_rings(floor: Floor) -> None:
    call, leg, _ = await _dialled(floor)
    leg.respond(100, "Trying")
    await floor.state("a1", "busy")
    await call.hangup()
    await soon(leg.ended, "the switch gets its CANCEL")
    await _ended(floor, "missed", "agent")


async def test_02_the_callee_answers_as_the_agent_gives_up(floor: Floor) -> None:
    call, leg, _ = await _dialled(floor)
    leg.ring()
    leg.deaf_to = frozenset({"CANCEL"})
    await soon(call.ringing, "the agent hears it ring")
    await call.hangup()

    async def cancelled() -> bool:
        return bool(leg.heard.get("CANCEL"))

    await until(cancelled, "the CANCEL is under way")
    await leg.answer()
    await soon(leg.ended, "the answer that came too late is ended")
    await _ended(floor, "missed", "agent")


async def test_04_the_answer_is_repeated_until_its_ack_is_heard(floor: Floor) -> None:
    call, leg, _ = await _dialled(floor)
    leg.deaf_to = frozenset({"ACK"})
    answering = asyncio.create_task(leg.answer())
    await soon(call.up, "the agent talks")
    await floor.state("a1", "talking")

    async def repeated() -> bool:
        return leg.heard.get("ACK", 0) > 1

    await until(repeated, "each repeated answer is acknowledged anew")
    leg.deaf_to = frozenset()
    await answering
    await call.hangup()
    await _ended(floor, "answered", "agent")


@pytest.mark.parametrize("first", ["INVITE", "BYE"])
async def test_05_bye_crosses_a_re_invite(floor: Floor, first: str) -> None:
    call, leg, _ = await _dialled(floor)
    await leg.answer()
    await soon(call.up, "the agent talks")
    hold = (("Content-Type", "application/sdp"),), sip.offer(leg.media_host, leg.media.port, way="sendonly")
    requests = [leg.within("INVITE", *hold), leg.within("BYE")]
    for request in requests if first == "INVITE" else reversed(requests):
        leg.phone.send(request)
    await soon(call.ended, "the agent is let go")
    leg.close()
    await _ended(floor, "answered", "callee")


async def test_07_ringing_then_progress_then_ringing(floor: Floor) -> None:
    call, leg, _ = await _dialled(floor)
    leg.respond(180, "Ringing")
    leg.respond(183, "Session Progress", sip.offer(leg.media_host, leg.media.port))
    leg.respond(180, "Ringing")
    await soon(call.ringing, "the agent hears it ring")
    await floor.state("a1", "busy")
    await leg.answer()
    await soon(call.up, "the agent talks")
    await floor.state("a1", "talking")
    await leg.hangup()
    await soon(call.ended, "the agent is let go")
    await _ended(floor, "answered", "callee")


async def test_08_early_media_is_heard_and_is_no_answer(floor: Floor) -> None:
    """An operator's announcement ("the number you have dialled…") reaches the agent; nothing counts as answered."""
    call, leg, switches = await _dialled(floor)
    leg.respond(183, "Session Progress", sip.offer(leg.media_host, leg.media.port))
    to = sip.media_of(leg.invite.body)
    assert to is not None
    leg.media.start(*to)

    async def heard() -> bool:
        return call.media.level(CARRIER_HZ, 0.3) > SPEECH

    call.media.start(("127.0.0.1", 9), 101)  # the port is open already; it hears early media as a real phone does
    await until(heard, "the agent hears the operator's announcement")
    await floor.state("a1", "busy")
    leg.refuse(404)
    await soon(call.ended, "the agent is told")
    row = await _ended(floor, "failed", "number")
    assert row["answered_at"] is None
    assert not switches["spare"].calls


@pytest.mark.parametrize("to", ["trunk", "elsewhere"])
async def test_09_a_switch_cannot_send_our_call_elsewhere(floor: Floor, to: str) -> None:
    stranger = Softphone(floor.lab.sip, "stranger", bind=("127.0.0.99", 0))
    floor.others.append(stranger)
    call, leg, switches = await _dialled(floor)
    target = {
        "trunk": f"sip:19001234@{CARRIERS['mobifone']}:{floor.lab.trunk_port}",
        "elsewhere": f"sip:19001234@{stranger.at[0]}:{stranger.at[1]}",
    }
    leg.respond(302, "Moved Temporarily", more=(("Contact", f"<{target[to]}>"),))
    leg.close()
    await soon(call.ended, "the agent is told")
    await _ended(floor, "missed", "busy")  # Dial, told to follow nobody (`i`), says so and hears no more of it
    assert not any(phone.calls for name, phone in switches.items() if name != "viettel")
    assert not stranger.calls


@pytest.mark.parametrize(
    ("status", "result", "cause"),
    [
        pytest.param(486, "missed", "busy", id="10-busy-here"),
        pytest.param(603, "missed", "declined", id="11-decline"),
        pytest.param(480, "missed", "no_answer", id="13-unavailable"),
    ],
)
async def test_what_the_callee_says_leads_to_no_other_trunk(floor: Floor, status: int, result: str, cause: str) -> None:
    call, leg, switches = await _dialled(floor)
    leg.refuse(status)
    await soon(call.ended, "the agent is told")
    await _ended(floor, result, cause)
    assert not switches["spare"].calls


@pytest.mark.parametrize(
    "status",
    [pytest.param(408, id="12-timeout"), pytest.param(503, id="14-unavailable"), pytest.param(488, id="24-codecs")],
)
async def test_what_is_the_trunk_s_fault_leads_to_the_next(floor: Floor, status: int) -> None:
    call, leg, switches = await _dialled(floor)
    leg.respond(status, "No", more=(("Retry-After", "3600"),))
    leg.close()
    spare = await switches["spare"].next_call()
    await spare.answer()
    await soon(call.up, "the agent talks by the next trunk")
    await call.hangup()
    row = await _ended(floor, "answered", "agent", "spare")
    assert await _failed_trunks(floor, row["id"]) == ["viettel"]
    await _forgiven(floor, switches["viettel"])


async def test_14_retry_after_of_an_hour_costs_one_call_and_not_an_hour(floor: Floor) -> None:
    """How long a trunk is left out is our rule (three failures in a row), whatever it says of itself."""
    call, leg, switches = await _dialled(floor, spare=Rule(status=503), viettel=BY_HAND)
    leg.respond(503, "Service Unavailable", more=(("Retry-After", "3600"),))
    leg.close()
    await soon(call.ended, "announced and ended")
    assert call.media.received > 10, "the agent heard why"
    row = await _history(floor)
    assert (row["result"], row["end_cause"]) == ("failed", "trunk")
    assert await _failed_trunks(floor, row["id"]) == ["viettel", "spare"]
    await _forgiven(floor, switches["viettel"])


async def test_16_the_agent_holds_an_outbound_call(floor: Floor) -> None:
    call, leg, _ = await _dialled(floor)
    await leg.answer()
    await soon(call.up, "the agent talks")
    await floor.state("a1", "talking")
    assert await call.hold() == sip.OK

    async def held() -> bool:
        rows = await floor.api.calls()
        return bool(rows) and rows[0]["held_by"] == ["agent"] and len(set(list(leg.media.heard)[-15:])) > 5

    await until(held, "it is shown, and the callee hears music")
    assert await call.resume() == sip.OK
    await call.hangup()
    await _ended(floor, "answered", "agent")


async def test_17_a_callee_without_a_packet(floor: Floor) -> None:
    call, leg, _ = await _dialled(floor)
    leg.media.hz = 0
    await leg.answer()
    await soon(call.up, "the agent talks")
    await leg.hangup()
    await soon(call.ended, "the agent is let go")
    await _ended(floor, "answered", "callee")


async def test_21_a_hostile_name_of_an_agent_s_phone_goes_nowhere(floor: Floor) -> None:
    switches = {name: floor.carrier(name) for name in CARRIERS}
    phone = await floor.desk("a1")
    names = [name for name in NAMES if name.isprintable() and 2 < len(name) < 100][:: len(NAMES) // 10]
    for name in names:
        call = phone.dial(CALLEE, name=name)
        leg = await switches["viettel"].next_call()
        await soon(call.up, "the agent talks")
        assert leg.caller.lstrip("+") == OWN.lstrip("+")
        spoken = [value for key, value in leg.invite.headers if key in {"From", "P-Asserted-Identity", "Contact"}]
        shown = [value.partition(";tag=")[0] for value in spoken]  # a tag is random, and holds any short word some day
        assert not [value for value in shown if name in value]
        await call.hangup()
        await floor.state("a1", "ready")  # who dials before that is told that a call is under way
    await _history(floor)


async def test_24_a_phone_that_offers_no_codec_of_ours(floor: Floor) -> None:
    switches = [floor.carrier(name) for name in CARRIERS]
    phone = await floor.desk("a1")
    call = phone.dial(CALLEE, codec=sip.G729)
    await soon(call.ended, "refused")
    assert call.status == 488
    assert not any(switch.calls for switch in switches)
    assert not await floor.api.calls("ended", since=floor.began, direction="outbound")
    await floor.state("a1", "ready")
