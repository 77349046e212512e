"""Limits on calling out against a real Asterisk: a stolen phone, caps under a rush and a kill, our number on the wire.

The attack is short here; FRAUD_CALLS=500 FRAUD_SECONDS=600 makes it the long one (`make fraud`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from controller.lab.sipcall import Rule, SipCall
from controller.lab.softphone import Softphone
from tests.live.floor import AGENTS, CARRIERS, CUSTOMER_HZ, SPEECH, Floor, agent_hz
from tests.live.harness import NO_TLS, Json, soon, until
from tests.live.patience import PATIENCE_S, READY_S
from tests.live.setups import UNLIMITED, hotline, menu, people, queue, table, trunks

pytestmark = pytest.mark.live

BY_VIETTEL, BY_MOBI, BY_VINA, BY_SPARE, NOBODY_IN, COUNTED = (f"+84247300106{n}" for n in range(6))
OUT: dict[str, Any] = {"queue": "sales", "outbound": True}
PER_MINUTE = 10
CALLS = int(os.environ.get("FRAUD_CALLS", "45"))
SECONDS = float(os.environ.get("FRAUD_SECONDS", "16"))
ROOM = 2
STARTS = 1
CODE = "72"
LONGEST_S = 4
TOGETHER = 10
TONE_HZ = 1400
SLEEPY_S = 20
PATIENT_TRIES = 3
COUNTING = "127.0.0.15"
SETUP = "".join(
    (
        UNLIMITED,
        trunks(
            viettel={"caller_id": "national", "caller_id_in": "from", "excluded_prefixes": ["0969"]},
            mobifone={"caller_id": "plain", "caller_id_in": "pai", "account": "acc-4711"},
            vinaphone={"privacy": True, "max_channels": ROOM},
            spare={"carrier": "gmobile", "qualify": 1, "max_cps": STARTS},
        ),
        people(
            {"team": AGENTS, "nobody": ()},
            {
                "a1": {"outbound_with": BY_MOBI, "limits": {"calls_per_minute": PER_MINUTE}},
                "a2": {"outbound_with": BY_VIETTEL, "limits": {"longest_call": LONGEST_S}},
                **{name: {"outbound_with": BY_VINA} for name in ("a3", "a4", "a5")},
                "a6": {"outbound_with": BY_SPARE},
            },
        ),
        hotline(BY_VIETTEL, **OUT),
        hotline(BY_MOBI, **OUT | {"trunk": "mobifone"}),
        hotline(BY_VINA, **OUT | {"trunk": "vinaphone"}),
        hotline(BY_SPARE, **OUT | {"trunk": "spare", "dial_code": CODE}),
        table("trunk", {"name": "counted", "host": f"{COUNTING}:@TRUNK@", "minutes_per_day": 1}),
        hotline(COUNTED, menu="outside", outbound=True, trunk="counted"),
        menu("outside", keys={"9": {"phone": "0912000113"}}, timeout=SLEEPY_S, on_timeout="hangup"),
        hotline(NOBODY_IN, **OUT | {"queue": "nobody", "limits": {"minutes_per_day": 1}}),
        queue("sales", "team"),
        queue("nobody", "nobody", overflow={"phone": "0967000112"}),
        table("blocked", {"number": "0967000999", "scopes": ["outbound"]}),
    )
)
SORTS = ("0967{:06d}", "1900{:04d}", "+1415555{:04d}", "0088216{:06d}", "0912{:06d}", "+44701{:07d}", "1130{:06d}")
"""National, premium, abroad, satellite, national, premium abroad, and what looks like an emergency number."""

NOT_OURS = "0243999888"
FORGED = tuple(
    (name, f"<sip:{NOT_OURS}@127.0.0.1>") for name in ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID")
)


@pytest.fixture
async def switches(floor: Floor) -> dict[str, Softphone]:
    """Every operator's switch; the callees are busy."""
    return {name: floor.carrier(name, Rule(status=486)) for name in CARRIERS}


async def _last(floor: Floor, agent: str, **fields: Any) -> Json:
    """The newest outbound call of an agent in the history, once it has these fields."""

    async def ask() -> Json | None:
        rows = await floor.api.calls("ended", since=floor.began, direction="outbound", agent=agent)
        return rows[0] if rows and all(rows[0][key] == want for key, want in fields.items()) else None

    return await until(ask, f"an outbound call of {agent} with {fields}")


async def _metric(floor: Floor, line: str) -> bool:
    info = floor.lab.info
    async with httpx.AsyncClient(base_url=info["http"], trust_env=False, verify=NO_TLS) as http:
        found = await http.get("/metrics", headers={"Authorization": f"Bearer {info['admin_token']}"})
    return line in found.text


async def _calls_out(floor: Floor, phone: Softphone, *, clicked: bool) -> SipCall:
    """An agent calls a number by the phone or by a click: the agent's leg."""
    if not clicked:
        return phone.dial("0967000111")
    asked = await floor.api.send("POST", "/api/v1/outbound", {"agent": "a2", "to": "0967000111"})
    assert asked.status_code == 202, asked.text
    return await phone.next_call()


async def _talks(floor: Floor, agent: str) -> Json:
    """The call an agent talks in, once it is known to."""

    async def ask() -> Json | None:
        rows = await floor.api.calls(agent=agent)
        return rows[0] if rows and rows[0]["state"] == "talking" else None

    return await until(ask, f"{agent} talks", LONGEST_S)


async def _frauds(floor: Floor) -> list[Json]:
    """Open warnings about the stolen phone; other tests leave theirs, which stay for an hour."""
    return [row for row in await floor.api.alerts() if (row["kind"], row["agent"]) == ("fraud", "a1")]


async def _usable(floor: Floor, trunk: str, wanted: bool = True) -> Json | None:
    page = await floor.api.get("/api/v1/trunks")
    row = next(row for row in page["items"] if row["name"] == trunk)
    return row if row["usable"] is wanted else None


async def _attack(phone: Softphone, first: int, count: int, seconds: float) -> None:
    """Dial one number after the other and wait for nothing."""
    for n in range(first, first + count):
        call = phone.dial(SORTS[n % len(SORTS)].format(n), name="Police <113>", headers=FORGED)
        await asyncio.sleep(seconds / CALLS)
        await call.hangup()


@pytest.mark.parametrize(
    ("dialled", "reason"),
    [("19001234", "number_kind"), ("+14155552671", "country"), ("0088216123456", "number_kind")],
)
async def test_what_is_closed_is_announced_and_told(
    floor: Floor, switches: dict[str, Softphone], dialled: str, reason: str
) -> None:
    phone = await floor.desk("a2")
    call = phone.dial(dialled)
    await soon(call.ended, "the call ends by itself")
    assert call.media.received > 10, "an announcement was heard"
    row = await _last(floor, "a2", reason=reason)
    assert row["result"] == "refused"
    assert not any(switch.calls for switch in switches.values())


@pytest.mark.parametrize(
    ("agent", "switch", "sender", "asserted", "privacy"),
    [
        pytest.param("a2", "viettel", "<sip:02473001060@", "", "", id="national-from-alone"),
        pytest.param("a1", "mobifone", "<sip:acc-4711@", "<sip:842473001061@", "", id="plain-pai-and-account"),
        pytest.param("a3", "vinaphone", "anonymous@anonymous.invalid", "<sip:+842473001062@", "id", id="e164-private"),
        pytest.param("a6", "spare", "<sip:+842473001063@", "<sip:+842473001063@", "", id="e164-both"),
    ],
)
async def test_our_number_on_the_wire(
    floor: Floor, switches: dict[str, Softphone], agent: str, switch: str, sender: str, asserted: str, privacy: str
) -> None:
    phone = await floor.desk(agent)
    await until(lambda: _usable(floor, switch), "the carrier has answered Asterisk", READY_S)
    phone.dial("0967000111" if agent != "a1" else "0901000111")
    leg = await switches[switch].next_call()
    shown = leg.invite.get("From").partition(";")[0]
    assert shown.endswith(">")
    assert sender in shown
    said = leg.invite.get("P-Asserted-Identity")
    assert asserted in said if asserted else not said
    assert leg.invite.get("Privacy") == privacy


async def test_a_trunk_s_own_exclusions(floor: Floor, switches: dict[str, Softphone]) -> None:
    await floor.desk("a2")
    found = await floor.api.get("/api/v1/outbound/explain", to="0969000111", agent="a2")
    assert (found["allowed"], found["reason"]) == (False, "no_trunk")
    assert any("takes no numbers that begin with +84969" in step for step in found["steps"])


@pytest.mark.parametrize("clicked", [False, True], ids=["dialled", "clicked"])
async def test_the_longest_call_ends_after_a_tone_that_the_agent_hears(
    floor: Floor, switches: dict[str, Softphone], clicked: bool
) -> None:
    switches["viettel"].rule = Rule()
    call = await _calls_out(floor, await floor.desk("a2"), clicked=clicked)
    callee = await switches["viettel"].next_call()
    await soon(call.ended, "the talk is ended", LONGEST_S + PATIENCE_S)
    assert call.at["ended"] - callee.at["invite"] > LONGEST_S - 0.3
    # Phones keep the last three seconds they heard, and the tone comes two before the end.
    assert call.media.level(TONE_HZ, 3.0) > SPEECH
    assert callee.media.level(TONE_HZ, 3.0) < SPEECH / 4
    assert (await _last(floor, "a2", result="answered"))["end_cause"] == "limit"


async def test_the_longest_call_ends_a_caller_sent_on_also_by_a_controller_that_was_away_then(
    floor: Floor, switches: dict[str, Softphone]
) -> None:
    switches["viettel"].rule = Rule()
    await floor.desk("a2")
    caller, row = await floor.talk(BY_VIETTEL)
    sent = await floor.api.send("POST", f"/api/v1/calls/{row['id']}/transfer", {"to": "0967000111"})
    assert sent.status_code == 202, sent.text
    callee = await switches["viettel"].next_call()
    await soon(callee.up, "the callee talks")
    with contextlib.suppress(AssertionError):  # a machine that stands still is past the talk before it can look
        await floor.live(state="talking", agent=None, seconds=LONGEST_S / 2)
    floor.lab.kill("daemon")
    await floor.lab.ready(floor.api)
    await asyncio.gather(*(soon(leg.ended, "the talk is ended", READY_S) for leg in (caller, callee)))
    assert callee.at["ended"] - callee.at["invite"] > LONGEST_S - 0.3
    assert max(leg.media.level(TONE_HZ, 3.0) for leg in (caller, callee)) < SPEECH / 4, "the tone is for agents alone"
    ended = await floor.ended()
    assert (ended["end_cause"], ended["agent"], ended["callee"]) == ("limit", "a2", "+84967000111")


@pytest.mark.parametrize("clicked", [False, True], ids=["dialled", "clicked"])
async def test_the_longest_call_ends_while_the_controller_is_away(
    floor: Floor, switches: dict[str, Softphone], clicked: bool
) -> None:
    switches["viettel"].rule = Rule()
    phone = await floor.desk("a2")
    call = await _calls_out(floor, phone, clicked=clicked)
    callee = await switches["viettel"].next_call()
    with contextlib.suppress(AssertionError):  # a machine that stands still is past the talk before it can look
        await _talks(floor, "a2")
    async with floor.lab.without_daemon():
        await asyncio.gather(*(soon(leg.ended, "the talk is ended", LONGEST_S + PATIENCE_S) for leg in (call, callee)))
        assert callee.at["ended"] - callee.at["invite"] > LONGEST_S - 0.3
        assert call.media.level(TONE_HZ, 3.0) > SPEECH
    await floor.lab.ready(floor.api)
    assert (await _last(floor, "a2"))["callee"] == "+84967000111"


async def test_the_longest_call_ends_a_consultation_and_then_the_talk_of_the_caller_handed_over(
    floor: Floor, switches: dict[str, Softphone]
) -> None:
    switches["viettel"].rule = Rule()
    phone = await floor.desk("a2")
    caller, row = await floor.talk(BY_VIETTEL)
    leg = await phone.next_call()

    async def consults(action: str, **more: str) -> httpx.Response:
        return await floor.api.send("POST", f"/api/v1/calls/{row['id']}/consult", {"action": action, **more})

    async def together() -> bool:
        return min(leg.media.level(CUSTOMER_HZ, 0.3), caller.media.level(agent_hz("a2"), 0.3)) > SPEECH

    assert (await consults("begin", to="0967000111")).status_code == 202
    asked = await switches["viettel"].next_call()
    await soon(asked.ended, "the phone that is asked is let go", LONGEST_S + PATIENCE_S)
    assert asked.at["ended"] - asked.at["invite"] > LONGEST_S - 0.3
    await until(together, "agent and caller hear each other again")
    for n in range(PATIENT_TRIES):
        assert (await consults("begin", to=f"096700012{n}")).status_code == 202
        callee = await switches["viettel"].next_call()
        with contextlib.suppress(AssertionError):  # past it, as above
            await floor.live(state="talking", consulting="talking", seconds=LONGEST_S)
        if (await consults("complete")).status_code == 202:
            break
    await soon(leg.ended, "the agent is let go")
    await asyncio.gather(*(soon(one.ended, "the talk is ended", LONGEST_S + PATIENCE_S) for one in (caller, callee)))
    assert callee.at["ended"] - callee.at["invite"] > LONGEST_S - 0.3
    ended = await floor.ended()
    assert (ended["end_cause"], ended["agent"], ended["callee"]) == ("limit", "a2", f"+8496700012{n}")


async def test_the_minutes_of_a_hotline_end_the_talks_of_callers_its_queue_leads_to_a_phone(
    floor: Floor, switches: dict[str, Softphone]
) -> None:
    switches["viettel"].rule = Rule()
    callers = [floor.dial(NOBODY_IN, f"02812345{n:02}") for n in range(TOGETHER)]
    legs = [await switches["viettel"].next_call() for _ in callers]
    await asyncio.gather(*(soon(leg.ended, "the talk is ended", 2 * READY_S) for leg in (*callers, *legs)))
    assert sum(leg.at["ended"] - leg.at["invite"] for leg in legs) > 60.0 - 0.3 * TOGETHER, "one minute in all, shared"

    async def told() -> bool:
        rows = await floor.api.calls("ended", since=floor.began)
        return [(row["direction"], row["end_cause"]) for row in rows] == [("inbound", "limit")] * TOGETHER

    await until(told, "every call is in the history as ended by the limit")


async def test_the_minutes_of_a_trunk_end_the_talks_of_callers_a_menu_leads_to_a_phone(floor: Floor) -> None:
    """No longest call does: it is an agent's, and nobody of ours is in these talks."""
    switch = Softphone(floor.lab.sip, "counted", bind=(COUNTING, floor.lab.trunk_port), rule=Rule())
    floor.others.append(switch)
    callers = [floor.dial(COUNTED, f"02812346{n:02}") for n in range(TOGETHER)]
    for caller in callers:
        await soon(caller.up, "the menu picks up")
    for n, caller in enumerate(callers):
        await floor.live(f"02812346{n:02}", state="menu")
        await caller.press("9")
    legs = [await switch.next_call() for _ in callers]
    await asyncio.gather(*(soon(leg.ended, "the talk is ended", 2 * READY_S) for leg in (*callers, *legs)))
    assert sum(leg.at["ended"] - leg.at["invite"] for leg in legs) > 60.0 - 0.3 * TOGETHER, "one minute in all, shared"

    async def told() -> bool:
        rows = await floor.api.calls("ended", since=floor.began)
        seen = [(row["direction"], row["end_cause"], row["agent"], row["trunk"]) for row in rows]
        return seen == [("inbound", "limit", None, "counted")] * TOGETHER

    await until(told, "every call is in the history as ended by the limit")
    found = await floor.api.get("/api/v1/outbound/explain", to="0912000113", hotline=COUNTED)
    assert (found["allowed"], found["reason"]) == (False, "no_trunk"), "the minutes of the day are used up"


async def test_channels_of_a_trunk_are_kept_to_the_call_under_a_rush_and_across_a_kill(
    floor: Floor, switches: dict[str, Softphone]
) -> None:
    switches["vinaphone"].rule = Rule()
    names = ("a3", "a4", "a5")
    for name in names:
        await floor.desk(name)
    calls: list[SipCall] = [floor.phones[name].dial(f"091200011{n}") for n, name in enumerate(names)]

    async def two() -> bool:
        return sum(call.up.is_set() for call in calls) == ROOM and sum(call.ended.is_set() for call in calls) == 1

    await until(two, "two talk and one was refused")
    assert len(switches["vinaphone"].calls) == ROOM
    floor.lab.kill("daemon")
    await floor.lab.ready(floor.api)
    refused = names[next(n for n, call in enumerate(calls) if call.ended.is_set())]
    again = floor.phones[refused].dial("0912000119")
    await soon(again.ended, "there is still no room")
    assert len(switches["vinaphone"].calls) == ROOM
    await asyncio.gather(*(call.hangup() for call in calls if not call.ended.is_set()))


async def _rush(floor: Floor, names: tuple[str, ...], first: int) -> None:
    """All of them dial by the same hotline at once, and hear a busy callee or a refusal."""
    for name in names:
        await floor.state(name, "ready")
    calls = [floor.phones[name].dial(f"{CODE}{912_000_000 + first + n:010}") for n, name in enumerate(names)]
    await asyncio.gather(*(soon(call.ended, "busy or refused", READY_S) for call in calls))


async def test_starts_of_a_trunk_are_kept_to_the_call_under_a_rush_and_across_a_kill(
    floor: Floor, switches: dict[str, Softphone]
) -> None:
    names = ("a2", "a3", "a4", "a5", "a6")
    await floor.desk(*names)
    await until(lambda: _usable(floor, "spare"), "the carrier has answered Asterisk", READY_S)
    await _rush(floor, names, 0)
    floor.lab.kill("daemon")
    await floor.lab.ready(floor.api)
    await until(lambda: _usable(floor, "spare"), "the carrier has answered Asterisk", READY_S)
    await _rush(floor, names, 10)
    await _rush(floor, names, 20)

    async def told() -> list[Json] | None:
        rows = await floor.api.calls("ended", since=floor.began, direction="outbound")
        return rows if len(rows) == 3 * len(names) else None

    rows = await until(told, "every call is in the history", READY_S)
    left = sorted(datetime.fromisoformat(row["arrived_at"]) for row in rows if row["trunk"] == "spare")
    refused = [row["reason"] for row in rows if row["trunk"] is None]
    assert len(switches["spare"].calls) == len(left)
    assert refused == ["no_trunk"] * (len(rows) - len(left))
    assert refused, "more was asked for than one second permits"
    assert all(later - at >= timedelta(seconds=1) for at, later in zip(left, left[STARTS:], strict=False))


async def test_a_carrier_that_does_not_answer_options_is_left_out_and_comes_back(floor: Floor) -> None:
    await floor.desk("a6")

    row = await until(lambda: _usable(floor, "spare", False), "the trunk is left out", READY_S)
    assert "OPTIONS" in row["why_not"]
    found = await floor.api.get("/api/v1/outbound/explain", to="0967000111", agent="a6")
    assert (found["allowed"], found["reason"]) == (False, "no_trunk")
    floor.carrier("spare")
    await until(lambda: _usable(floor, "spare"), "the trunk is back", READY_S)


async def test_the_story_says_what_was_explained_however_often_and_what_the_trunk_returned(
    floor: Floor, switches: dict[str, Softphone]
) -> None:
    switches["mobifone"].rule = Rule(status=503)
    phone = await floor.desk("a1")
    # More often than the agent may call in a minute: asking uses nothing up.
    for _ in range(PER_MINUTE + 1):
        asked = await floor.api.get("/api/v1/outbound/explain", to="0901000111", agent="a1")
        assert asked["allowed"], asked
    phone.dial("0901000111")
    row = await _last(floor, "a1", reason="no_trunk")
    story = await floor.api.story(row["id"])
    told = [line["body"] for line in story if line["name"] == "AttemptEnded"]
    assert [(body["trunk"], body["status"], body["sip"]) for body in told] == [("mobifone", "CONGESTION", 503)]
    picked = next(line["body"] for line in story if line["name"] == "OutboundPicked")
    assert picked["steps"] == asked["steps"], "what was explained beforehand is what was done"


async def test_a_stolen_phone(floor: Floor, switches: dict[str, Softphone]) -> None:
    phone = await floor.desk("a1")
    await phone.stay_registered()
    loop = asyncio.get_running_loop()
    began = loop.time()
    half = CALLS // 2

    async def alerted() -> Json | None:
        return next(iter(await _frauds(floor)), None)

    async def told_after() -> float:
        await until(alerted, "an alert of fraud", 60.0)
        return loop.time() - began

    telling = asyncio.create_task(told_after())
    await _attack(phone, 0, half, SECONDS)
    wish = {"agent": "a1", "to": "0967000777"}
    replayed = [(await floor.api.send("POST", "/api/v1/outbound", wish)).status_code for _ in range(PER_MINUTE)]
    assert 409 in replayed
    assert set(replayed) <= {202, 409}
    stranger = phone.dial("0967000778", shown=NOT_OURS)
    await soon(stranger.ended, "a phone that says it is somebody else is let go", 25.0)
    assert await telling < 60
    (alert,) = await _frauds(floor)
    assert alert["call"]
    assert await _metric(floor, 'tongdai_alerts_open{kind="fraud"}')
    floor.lab.kill("daemon")
    await floor.lab.ready(floor.api)
    await floor.state("a1", "ready")
    await _attack(phone, half, CALLS - half, SECONDS)
    got = [leg for switch in switches.values() for leg in switch.calls]
    minutes = 1 + int(loop.time() - began) // 60
    assert 0 < len(got) <= PER_MINUTE * minutes, "the cap held across the kill"
    for leg in got:
        number = leg.invite.target.partition("@")[0].removeprefix("sip:")
        assert number.startswith(("0967", "0912")), "only what is open left the house"
        assert number != "0967000778", "who says to be somebody else has no account"
        assert BY_MOBI[1:] in leg.invite.get("P-Asserted-Identity"), "with a number of ours"
        headers = " ".join(value for _, value in leg.invite.headers)
        assert NOT_OURS not in headers
        assert "Police" not in headers
    rows = await floor.api.calls("ended", since=floor.began, direction="outbound", agent="a1")
    assert {row["reason"] for row in rows} >= {"number_kind", "country"}
    assert len(await _frauds(floor)) == 1, "told once"
