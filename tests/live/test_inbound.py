"""A customer dials a hotline: what they hear, who is rung, and what the books say afterwards."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from controller.lab import tone
from controller.lab.sipcall import Rule
from controller.lab.softphone import Softphone
from tests.live.floor import CUSTOMER, CUSTOMER_HZ, SPEECH, Floor, agent_hz, same
from tests.live.harness import soon, until
from tests.live.patience import SLOW_S
from tests.live.setups import HOTLINE, RING_MIN_S, hotline, queue, table, whole

pytestmark = pytest.mark.live

SMALL, TIERS, RESTING, CLOSED, SHORT, NOBODY, FIXED, BRIEF = (f"+8424730010{n}" for n in range(11, 19))
REST_S = 5
DESK = "127.0.0.21"
ANOTHER_DAY = (datetime.now(UTC) + timedelta(days=3)).strftime("%a").lower()
SETUP = whole(
    hotline(queue="sales"),
    hotline(SMALL, queue="small"),
    hotline(TIERS, queue="tiers"),
    hotline(RESTING, queue="resting", wrap_up=1),
    hotline(SHORT, queue="short"),
    hotline(FIXED, queue="fixed"),
    hotline(BRIEF, queue="brief"),
    hotline(CLOSED, queue="sales", hours="office", closed={"play": "live-short", "then": {"voicemail": True}}),
    hotline(NOBODY, queue="nobody"),
    queue("sales", "team"),
    queue("brief", "team", ring_time=RING_MIN_S),
    queue("small", "team", max_size=1, on_full={"queue": "tiers"}),
    queue("tiers", "backup", "team"),
    queue("resting", "team", wrap_up=REST_S),
    queue("short", "team", max_wait=1, on_max_wait={"queue": "tiers"}),
    queue("fixed", "fixed"),
    queue("nobody", "empty", on_no_agent={"queue": "tiers"}),
    table("schedule", {"name": "office", "open": {ANOTHER_DAY: ["08:00-17:00"]}}),
    table("blocked", {"number": "0900000001", "scopes": ["ivr"]}),
    table("blocked", {"number": "0900000002", "scopes": ["queue"]}),
    groups={"team": ("a1", "a2", "a3"), "backup": ("a4",), "fixed": ("a5",), "empty": ("a6",)},
    agents={"a5": {"phone": {"contact": f"sip:a5@{DESK}:@TRUNK@"}}},
)


async def test_a_free_agent_rings_answers_and_talks(floor: Floor) -> None:
    phone = await floor.desk("a1")
    call, row = await floor.talk(HOTLINE)
    assert (row["hotline"], row["agent"], row["queue"], row["direction"]) == (HOTLINE, "a1", "sales", "inbound")
    assert (await floor.api.agent("a1"))["state"] == "talking"
    leg = await phone.next_call()
    assert same(leg.caller, CUSTOMER)
    await until(_heard(call, agent_hz("a1")), "the customer hears the agent")
    await until(_heard(leg, CUSTOMER_HZ), "the agent hears the customer")
    await leg.hangup()
    await soon(call.ended, "the customer is told")
    ended = await floor.ended()
    assert (ended["result"], ended["end_cause"], ended["agent"]) == ("answered", "agent", "a1")
    assert ended["arrived_at"] <= ended["queued_at"] <= ended["answered_at"] <= ended["ended_at"]
    await floor.state("a1", "ready")


async def test_the_story_tells_every_step_in_order(floor: Floor) -> None:
    await floor.desk("a1")
    call, row = await floor.talk(HOTLINE)
    await call.hangup()
    await floor.ended()
    names = [line["name"] for line in await floor.api.story(row["id"])]
    order = ["CallArrived", "CallStarted", "CallQueued", "CallOffered", "RingAgent", "LegAnswered", "CallAnswered"]
    order += ["Join", "CallGone", "CallEnded"]
    places = [names.index(name) for name in order]
    assert set(order) <= set(names)
    assert places[0] == 0
    assert (
        names.index("CallQueued") < names.index("CallOffered") < names.index("CallAnswered") < names.index("CallEnded")
    )


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        pytest.param(Rule(status=603), "declined", id="declines"),
        pytest.param(Rule(status=486), "busy", id="busy"),
        pytest.param(Rule(status=480), "no_answer", id="unavailable"),
        pytest.param(Rule(status=503), "unreachable", id="broken"),
        pytest.param(Rule(status=0), "no_answer", id="does-not-answer"),
        pytest.param(Rule(silent=True), "unreachable", id="silent"),
    ],
)
async def test_an_agent_who_cannot_costs_the_caller_only_time(floor: Floor, rule: Rule, outcome: str) -> None:
    await floor.desk("a2")
    await floor.desk("a1", rule=rule)
    call, row = await floor.talk(BRIEF)
    assert row["agent"] == "a2"
    story = await floor.api.story(row["id"])
    offers = [line["body"]["agent"] for line in story if line["name"] == "CallOffered"]
    ends = [(line["body"]["agent"], line["body"]["outcome"]) for line in story if line["name"] == "OfferEnded"]
    assert offers == ["a1", "a2"]
    assert ("a1", outcome) in ends
    queued = [line for line in story if line["name"] == "CallQueued"]
    assert len(queued) == 1, "the place in the queue is kept"
    await call.hangup()


async def test_a_phone_that_is_gone_is_set_aside_after_one_try(floor: Floor) -> None:
    await floor.desk("a1", "a2")
    floor.phones.pop("a1").vanish()
    first, row = await floor.talk(BRIEF)
    assert row["agent"] == "a2"
    assert (await floor.api.agent("a1"))["state"] == "unreachable"
    await first.hangup()
    await floor.ended()
    _second, row = await floor.talk(BRIEF)
    assert [line["body"]["agent"] for line in await floor.api.story(row["id"]) if line["name"] == "CallOffered"] == [
        "a2"
    ]
    await floor.desk("a1")  # registers again: a sign of life


async def test_a_phone_at_a_fixed_contact_needs_no_registration(floor: Floor) -> None:
    phone = Softphone(floor.lab.sip, "a5", bind=(DESK, floor.lab.trunk_port), hz=agent_hz("a5"))
    floor.others.append(phone)
    assert (await floor.api.status("a5", "available")).is_success
    await floor.state("a5", "ready")
    call, row = await floor.talk(FIXED)
    assert row["agent"] == "a5"
    await until(_heard(call, agent_hz("a5")), "the customer hears the agent")
    await call.hangup()


async def test_the_caller_gives_up_while_waiting(floor: Floor) -> None:
    await floor.desk("a1", status="not_ready")
    call = floor.dial(HOTLINE)
    await floor.live(state="waiting", position=1)
    await call.hangup()
    ended = await floor.ended()
    assert (ended["result"], ended["end_cause"], ended["agent"]) == ("missed", "caller", None)


async def test_the_caller_gives_up_while_an_agent_rings(floor: Floor) -> None:
    phone = await floor.desk("a1", rule=Rule(status=0))
    call = floor.dial(HOTLINE)
    await floor.live(state="ringing", position=1)
    leg = await phone.next_call()
    await call.hangup()
    await soon(leg.ended, "the agent's phone stops ringing")
    assert leg.status == 487
    await floor.state("a1", "ready")
    assert (await floor.ended())["result"] == "missed"


@pytest.mark.parametrize("late_s", [0.0, 0.002, 0.005, 0.01, 0.02])
async def test_the_caller_gives_up_at_the_moment_of_answer(floor: Floor, late_s: float) -> None:
    phone = await floor.desk("a1", rule=Rule(status=0))
    call = floor.dial(HOTLINE)
    leg = await phone.next_call()
    await soon(leg.ringing, "the agent rings")
    answering = asyncio.create_task(leg.answer())
    await asyncio.sleep(late_s)
    await call.hangup()
    await soon(leg.ended, "the agent's leg is down")
    await answering
    ended = await floor.ended()
    assert ended["result"] in {"missed", "answered"}
    assert ended["end_cause"] == "caller"
    await floor.state("a1", "ready")
    facts = [line["name"] for line in await floor.api.story(ended["id"])]
    assert facts.count("CallEnded") == 1


async def test_two_callers_for_one_agent_are_served_in_order(floor: Floor) -> None:
    phone = await floor.desk("a1", rule=Rule(status=0))
    first = floor.dial(HOTLINE, "0281000001")
    await floor.live("0281000001", state="ringing", position=1)
    second = floor.dial(HOTLINE, "0281000002")
    await floor.live("0281000002", state="waiting", position=2)
    leg = await phone.next_call()
    await leg.answer()
    await floor.live("0281000001", state="talking", position=None)
    await floor.live("0281000002", state="waiting", position=1)
    assert len(phone.live()) == 1, "one call at a time"
    await leg.hangup()
    leg = await phone.next_call()
    assert leg.caller.endswith("281000002")
    await leg.answer()
    await soon(second.up, "the second caller talks")
    await floor.live("0281000002", state="talking")
    assert first.ended.is_set()


async def test_the_next_caller_rings_the_moment_the_rest_is_over(floor: Floor) -> None:
    phone = await floor.desk("a1")
    first, _ = await floor.talk(RESTING, "0281000001")
    waiting = floor.dial(RESTING, "0281000002")
    await floor.live("0281000002", state="waiting")
    leg = await phone.next_call()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await first.hangup()
    resting = await floor.state("a1", "wrap_up")
    assert resting["wrap_up_until"]
    next_leg = await phone.next_call()
    rested = loop.time() - began
    assert REST_S - 0.1 <= rested <= REST_S + SLOW_S, f"the longer of queue and hotline (1 s), not {rested:.2f} s"
    await soon(waiting.up, "the waiting caller is served")
    assert leg is not next_leg


async def test_primary_groups_come_before_the_others(floor: Floor) -> None:
    await floor.desk("a1", "a4")
    _, first = await floor.talk(TIERS, "0281000001")
    _, second = await floor.talk(TIERS, "0281000002")
    assert (first["agent"], second["agent"]) == ("a4", "a1")


async def test_a_full_queue_sends_its_caller_on(floor: Floor) -> None:
    await floor.desk("a1", "a4", status="not_ready")
    floor.dial(SMALL, "0281000001")
    await floor.live("0281000001", state="waiting", queue="small")
    floor.dial(SMALL, "0281000002")
    await floor.live("0281000002", state="waiting", queue="tiers")


async def test_the_longest_wait_sends_a_caller_on(floor: Floor) -> None:
    await floor.desk("a1", "a4", status="not_ready")
    call = floor.dial(SHORT)
    row = await floor.live(state="waiting", queue="tiers")
    story = await floor.api.story(row["id"])
    assert [line["body"]["queue"] for line in story if line["name"] == "CallQueued"] == ["short", "tiers"]
    assert [line["body"]["why"] for line in story if line["name"] == "CallRouted"] == ["max_wait"]
    await call.hangup()


async def test_a_queue_without_anybody_signed_in_sends_its_caller_on(floor: Floor) -> None:
    await floor.desk("a4")
    _, row = await floor.talk(NOBODY)
    assert (row["agent"], row["queue"]) == ("a4", "tiers")


async def test_agents_who_are_not_ready_are_waited_for(floor: Floor) -> None:
    await floor.desk("a1", status="not_ready")
    call = floor.dial(HOTLINE)
    await floor.live(state="waiting")
    await floor.desk("a1", state="talking")
    await floor.live(state="talking", agent="a1")
    await call.hangup()


async def test_outside_its_hours_a_hotline_takes_a_message(floor: Floor) -> None:
    await floor.desk("a1")
    call = floor.dial(CLOSED)
    row = await floor.live(state="menu")

    async def recording() -> bool:
        return "RecordMessage" in [line["name"] for line in await floor.api.story(row["id"])]

    await until(recording, "the caller may speak")
    spoken = call.media.sent

    async def said() -> bool:
        return call.media.sent > spoken + 50

    await until(said, "the caller speaks for a second")
    await call.press("#", by_info=True)
    await soon(call.ended, "the message ends with #")
    ended = await floor.ended()
    assert (ended["result"], ended["agent"]) == ("voicemail", None)
    samples, rate = tone.read_wav(floor.lab.directory / "asterisk/spool/recording" / f"{ended['recording']}.wav")
    assert tone.power_at(samples[-rate // 2 :], CUSTOMER_HZ, rate) > SPEECH
    assert not floor.phones["a1"].calls


async def test_blocked_numbers_are_kept_out(floor: Floor) -> None:
    await floor.desk("a1")
    rejected = floor.dial(HOTLINE, "0900000001")
    await soon(rejected.ended, "rejected at once")
    dropped = floor.dial(HOTLINE, "0900000002")
    await soon(dropped.ended, "dropped where the queue begins")
    for number in ("0900000001", "0900000002"):
        assert (await floor.ended(number))["result"] == "blocked"
    assert not floor.phones["a1"].calls


@pytest.mark.parametrize("shown", ["anonymous", "", "abc;drop", "500&PJSIP"])
async def test_a_caller_id_that_is_no_number_is_an_anonymous_caller(floor: Floor, shown: str) -> None:
    phone = await floor.desk("a1")
    call = floor.dial(HOTLINE, shown or "unknown")
    await soon(call.up, "answered all the same")
    row = await until(floor.api.calls, "a live call")
    assert not row[0]["caller"] or row[0]["caller"].strip("+").isdigit()
    assert await phone.next_call()
    await call.hangup()


@pytest.mark.parametrize("dialled", ["+842473001001", "842473001001", "02473001001"])
async def test_a_hotline_is_known_in_every_spelling_a_carrier_uses(floor: Floor, dialled: str) -> None:
    await floor.desk("a1")
    _, row = await floor.talk(dialled)
    assert row["hotline"] == HOTLINE


async def test_a_number_that_is_no_hotline_is_refused(floor: Floor) -> None:
    call = floor.dial("+842473009999")
    await soon(call.ended, "refused")
    assert call.status >= 400
    assert not call.up.is_set()


async def test_a_supervisor_ends_a_call(floor: Floor) -> None:
    await floor.desk("a1")
    call, row = await floor.talk(HOTLINE)
    assert (await floor.api.send("POST", f"/api/v1/calls/{row['id']}/hangup")).is_success
    await soon(call.ended, "the customer's call ends")
    await floor.ended()


def _heard(call, hz: int):
    async def ask() -> bool:
        return call.media.level(hz, 0.3) > SPEECH

    return ask
