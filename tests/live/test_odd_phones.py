"""Oddities at the agent's phone: whatever it says, the caller loses nothing but time and nobody is left over.

The numbers are those of the table in docs/sip-oddities.md. The floor looks after every test that no channel, no bridge
and no live call is left.
"""

from __future__ import annotations

import asyncio

import pytest

from controller.lab import sip
from controller.lab.sipcall import Rule, SipCall
from controller.lab.softphone import Softphone
from tests.live.floor import CARRIERS, SPEECH, Floor, agent_hz
from tests.live.harness import Json, soon, until
from tests.live.setups import HOTLINE, ODDITIES, hotline, queue, whole

pytestmark = [pytest.mark.live, ODDITIES]

BRIEF = "+842473001002"
BY_HAND = Rule(silent=True)
"""A phone that does nothing by itself: the test says every word it says."""
SETUP = whole(
    hotline(queue="sales", wrap_up=0),
    hotline(BRIEF, queue="brief"),
    queue("sales", "team"),
    queue("brief", "team", ring_time=5),
    groups={"team": ("a1", "a2")},
)


async def _rung(floor: Floor, name: str = "a1", line: str = HOTLINE) -> tuple[SipCall, SipCall]:
    """A customer dials; the agent's phone has the INVITE and has said nothing yet."""
    phone = await floor.desk(name, rule=BY_HAND)
    call = floor.dial(line)
    return call, await phone.next_call()


async def _offers(floor: Floor, call: str) -> dict[str, str]:
    """How every offer of a call ended, by agent."""
    story = await floor.api.story(call)
    return {line["body"]["agent"]: line["body"]["outcome"] for line in story if line["name"] == "OfferEnded"}


async def _missed(floor: Floor) -> Json:
    """The caller gave up, nobody rests, and the story has one end."""
    row = await floor.ended()
    assert (row["result"], row["end_cause"], row["answered_at"]) == ("missed", "caller", None)
    names = [line["name"] for line in await floor.api.story(row["id"])]
    assert names.count("CallEnded") == 1
    await floor.state("a1", "ready")
    return row


async def _talks(floor: Floor, call: SipCall, agent: str = "a1") -> Json:
    """The customer talks with the agent and hears them."""
    row = await floor.live(state="talking", agent=agent)

    async def heard() -> bool:
        return call.media.level(agent_hz(agent), 0.3) > SPEECH

    await until(heard, "the customer hears the agent")
    return row


async def test_01_the_caller_gives_up_before_the_phone_says_it_rings(floor: Floor) -> None:
    call, leg = await _rung(floor)
    leg.respond(100, "Trying")
    await floor.live(state="ringing")
    await call.hangup()
    await soon(leg.ended, "the phone gets its CANCEL")
    assert leg.status == sip.TERMINATED
    await _missed(floor)


async def test_02_the_phone_answers_as_it_is_cancelled(floor: Floor) -> None:
    call, leg = await _rung(floor)
    leg.ring()
    leg.deaf_to = frozenset({"CANCEL"})
    await floor.live(state="ringing")
    await call.hangup()

    async def cancelled() -> bool:
        return bool(leg.heard.get("CANCEL"))

    await until(cancelled, "the CANCEL is under way")
    await leg.answer()
    await soon(leg.ended, "the answer that came too late is ended at once")
    assert leg.heard["BYE"]
    await _missed(floor)


async def test_04_an_answer_is_repeated_until_its_ack_is_heard(floor: Floor) -> None:
    call, leg = await _rung(floor)
    leg.deaf_to = frozenset({"ACK"})
    answering = asyncio.create_task(leg.answer())
    row = await floor.live(state="talking")

    async def repeated() -> bool:
        return leg.heard.get("ACK", 0) > 2

    await until(repeated, "each repeated answer is acknowledged anew")
    leg.deaf_to = frozenset()
    await soon(leg.up, "at last the ACK is heard")
    await answering
    await _talks(floor, call)
    assert [line["name"] for line in await floor.api.story(row["id"])].count("CallAnswered") == 1
    await call.hangup()
    await floor.ended()


@pytest.mark.parametrize("first", ["INVITE", "BYE"])
async def test_05_a_bye_crosses_a_re_invite(floor: Floor, first: str) -> None:
    call, leg = await _rung(floor)
    await leg.answer()
    await _talks(floor, call)
    hold = (("Content-Type", "application/sdp"),), sip.offer(leg.media_host, leg.media.port, way="sendonly")
    requests = [leg.within("INVITE", *hold), leg.within("BYE")]
    for request in requests if first == "INVITE" else reversed(requests):
        leg.phone.send(request)
    await soon(call.ended, "the customer is let go")
    leg.close()
    row = await floor.ended()
    assert (row["result"], row["end_cause"]) == ("answered", "agent")
    await floor.state("a1", "ready")


async def test_07_ringing_then_progress_then_ringing(floor: Floor) -> None:
    call, leg = await _rung(floor)
    leg.respond(180, "Ringing")
    leg.respond(183, "Session Progress", sip.offer(leg.media_host, leg.media.port))
    leg.respond(180, "Ringing")
    row = await floor.live(state="ringing")
    await leg.answer()
    await _talks(floor, call)
    assert [line["name"] for line in await floor.api.story(row["id"])].count("CallAnswered") == 1
    await leg.hangup()
    await floor.ended()


async def test_08_early_media_is_no_answer(floor: Floor) -> None:
    call, leg = await _rung(floor, line=BRIEF)
    await floor.desk("a2")
    leg.respond(183, "Session Progress", sip.offer(leg.media_host, leg.media.port))
    offered = sip.media_of(leg.invite.body)
    assert offered is not None
    leg.media.start(*offered)
    ringing = await floor.live(state="ringing")
    assert ringing["answered_at"] is None
    await asyncio.sleep(0.5)
    assert call.media.level(agent_hz("a1"), 0.3) < SPEECH, "the caller does not hear a phone nobody has picked up"
    row = await _talks(floor, call, "a2")
    assert await _offers(floor, row["id"]) == {"a1": "unreachable"}, (
        "183 alone is no sign that anybody can hear it ring"
    )
    assert leg.status == sip.TERMINATED
    await call.hangup()
    await floor.ended()


@pytest.mark.parametrize("to", ["trunk", "elsewhere"])
async def test_09_a_phone_cannot_send_our_caller_elsewhere(floor: Floor, to: str) -> None:
    """A redirect is a refusal: who may be called is our decision, and toll fraud begins with a phone's 302."""
    switches = [floor.carrier(name) for name in CARRIERS]
    stranger = Softphone(floor.lab.sip, "stranger", bind=("127.0.0.99", 0))
    floor.others.append(stranger)
    call, leg = await _rung(floor)
    await floor.desk("a2")
    target = {
        "trunk": f"sip:0900123456@{CARRIERS['viettel']}:{floor.lab.trunk_port}",
        "elsewhere": f"sip:19001234@{stranger.at[0]}:{stranger.at[1]}",
    }
    leg.respond(302, "Moved Temporarily", more=(("Contact", f"<{target[to]}>"),))
    row = await _talks(floor, call, "a2")
    assert await _offers(floor, row["id"]) == {"a1": "declined"}
    assert not any(phone.calls for phone in (*switches, stranger))
    leg.close()
    await call.hangup()
    await floor.ended()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(486, "busy"), (603, "declined"), (480, "no_answer"), (408, "unreachable"), (488, "unreachable")],
    ids=["10-busy-here", "11-decline", "13-unavailable", "12-timeout", "24-not-acceptable"],
)
async def test_a_refusal_costs_the_caller_only_time(floor: Floor, status: int, outcome: str) -> None:
    call, leg = await _rung(floor)
    await floor.desk("a2")
    leg.refuse(status)
    row = await _talks(floor, call, "a2")
    assert await _offers(floor, row["id"]) == {"a1": outcome}
    await call.hangup()
    await floor.ended()


async def test_24_a_phone_that_answers_with_a_codec_nobody_offered(floor: Floor) -> None:
    """Asterisk takes that for an answer: a talk without sound, which ends like any other."""
    call, leg = await _rung(floor)
    leg.respond(200, "OK", sip.offer(leg.media_host, leg.media.port, sip.G729))
    await floor.live(state="talking", agent="a1")
    leg.phone.send(leg.within("BYE"))
    await soon(call.ended, "the customer is let go")
    leg.close()
    row = await floor.ended()
    assert (row["result"], row["end_cause"]) == ("answered", "agent")
    await floor.state("a1", "ready")


async def test_16_hold_is_music_and_is_seen(floor: Floor) -> None:
    call, leg = await _rung(floor)
    await leg.answer()
    row = await _talks(floor, call)
    assert row["held_by"] == []
    assert await leg.hold() == sip.OK
    await floor.live(state="talking", held_by=["agent"])

    async def music() -> bool:
        heard = list(call.media.heard)[-15:]
        return len(set(heard)) > 5 and call.media.level(agent_hz("a1"), 0.3) < SPEECH

    await until(music, "the customer hears music, not the agent and not silence")
    assert (await floor.api.agent("a1"))["state"] == "talking"
    assert await leg.resume() == sip.OK
    await floor.live(state="talking", held_by=[])
    await _talks(floor, call)
    names = [line["name"] for line in await floor.api.story(row["id"])]
    assert names.index("CallHeld") < names.index("CallResumed")
    await leg.hangup()
    row = await floor.ended()
    assert (row["result"], row["end_cause"]) == ("answered", "agent")


async def test_16_a_held_talk_ends_like_any_other(floor: Floor) -> None:
    call, leg = await _rung(floor)
    await leg.answer()
    await _talks(floor, call)
    assert await leg.hold() == sip.OK
    await floor.live(held_by=["agent"])
    await call.hangup()
    await soon(leg.ended, "the agent is let go")
    row = await floor.ended()
    assert (row["result"], row["end_cause"]) == ("answered", "caller")
    await floor.state("a1", "ready")
