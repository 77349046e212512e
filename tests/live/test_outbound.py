"""An agent just dials: which trunk carries it, whose number is shown, what is refused, and who still gets out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from controller.lab.sipcall import Rule, SipCall
from controller.lab.softphone import Softphone
from tests.live.floor import CARRIER_HZ, CARRIERS, CUSTOMER_HZ, SPEECH, Floor, agent_hz
from tests.live.harness import Json, soon, until
from tests.live.patience import PATIENCE_S, SLOW_S
from tests.live.setups import hotline, queue, table, whole

pytestmark = pytest.mark.live

BY_VIETTEL, BY_MOBI, BY_VINA, GROUPED, RESTING, LASTING = (f"+84247300105{n}" for n in range(6))
VIRTUAL = "19001059"
RINGING_HZ = 425
REST_S = 5
LONG_REST_S = 300
"""Longer than anybody waits here: an agent who is ready again has not rested, one who rests still does."""
CODE = "74"
OUT = {"queue": "sales", "outbound": True}
SETUP = whole(
    hotline(BY_VIETTEL, **OUT),
    hotline(BY_MOBI, **OUT | {"trunk": "mobifone", "dial_code": "72"}),
    hotline(BY_VINA, **OUT | {"trunk": "vinaphone", "outbound_groups": ["backup"]}),
    hotline(GROUPED, **OUT | {"outbound_groups": ["backup"]}),
    hotline(RESTING, **OUT | {"trunk": "mobifone", "wrap_up": REST_S, "outbound_groups": ["resting"]}),
    hotline(
        LASTING,
        **OUT | {"trunk": "mobifone", "wrap_up": LONG_REST_S, "outbound_groups": ["resting"], "dial_code": CODE},
    ),
    table("hotline", {"number": VIRTUAL, "kind": "virtual", "queue": "sales"}),
    table("adaptive", {"name": "auto", "fallback": BY_MOBI}),
    table("adaptive", {"name": "narrow", "fallback": BY_VINA}),
    table("ported", {"number": "0912345679", "carrier": "viettel"}),
    table("blocked", {"number": "0967000999", "scopes": ["outbound"]}),
    queue("sales", "team"),
    groups={"team": ("a1", "a2", "a3", "a4"), "backup": ("a5",), "resting": ("a6",)},
    agents={
        "a1": {"outbound_with": "auto"},
        "a2": {"outbound_with": BY_VIETTEL},
        "a3": {"outbound_with": "narrow"},
        "a4": {"outbound_with": GROUPED},
        "a6": {"outbound_with": RESTING},
    },
)


@pytest.fixture
async def switches(floor: Floor) -> dict[str, Softphone]:
    """Every operator's switch, answering."""
    return {name: floor.carrier(name) for name in CARRIERS}


async def _dial(floor: Floor, agent: str, number: str) -> SipCall:
    phone = await floor.desk(agent)
    return phone.dial(number)


async def _history(floor: Floor, seconds: float = PATIENCE_S, **fields: Any) -> Json:
    """The newest outbound call in the history, once it has these fields."""

    async def ask() -> Json | None:
        if any(row["direction"] == "outbound" for row in await floor.api.calls()):
            return None
        rows = await floor.api.calls("ended", since=floor.began, direction="outbound")
        return rows[0] if rows and all(rows[0][key] == want for key, want in fields.items()) else None

    return await until(ask, f"an outbound call with {fields}", seconds)


def _shown(leg: SipCall) -> str:
    return leg.caller.lstrip("+0").removeprefix("84")


@pytest.mark.parametrize(
    ("agent", "dialled", "switch", "shown", "source"),
    [
        pytest.param("a1", "0967000111", "viettel", BY_VIETTEL, "prefix", id="own-carrier"),
        pytest.param("a1", "0901000111", "mobifone", BY_MOBI, "prefix", id="another-carrier"),
        pytest.param("a1", "0912345679", "viettel", BY_VIETTEL, "ported", id="ported"),
        pytest.param("a1", "0281112223", "mobifone", BY_MOBI, "unknown", id="unknown-by-fallback"),
        pytest.param("a2", "0901000111", "viettel", BY_VIETTEL, "prefix", id="explicit-hotline"),
    ],
)
async def test_the_right_trunk_shows_the_right_number(
    floor: Floor, switches: dict[str, Softphone], agent: str, dialled: str, switch: str, shown: str, source: str
) -> None:
    hotline_asked = {"a1": "auto", "a2": BY_VIETTEL}[agent]
    asked = {"to": dialled, "agent": agent, "hotline": hotline_asked}
    explained = await floor.api.get("/api/v1/outbound/explain", **asked)
    call = await _dial(floor, agent, dialled)
    leg = await switches[switch].next_call()
    await soon(call.up, "the callee talks")
    assert leg.invite.target.partition("@")[0].removeprefix("sip:").endswith(dialled[1:])
    assert _shown(leg) == shown.removeprefix("+84")
    await call.hangup()
    row = await _history(floor, result="answered")
    assert (row["trunk"], row["hotline"], row["agent"]) == (switch, shown, agent)
    first = explained["attempts"][0]
    assert (explained["allowed"], first["trunk"], first["caller_id"]) == (True, switch, shown)
    assert explained["carrier_source"] == source
    assert not [name for name, other in switches.items() if name != switch and other.calls]


@pytest.mark.parametrize("last", ["agent", "callee"])
async def test_the_history_says_who_ended_the_talk(floor: Floor, switches: dict[str, Softphone], last: str) -> None:
    call = await _dial(floor, "a2", "0901000112")
    leg = await switches["viettel"].next_call()
    await soon(call.up, "the callee talks")
    await (call if last == "agent" else leg).hangup()
    await soon(call.ended, "both are let go")
    assert (await _history(floor, result="answered"))["end_cause"] == last


async def test_a_fallback_that_is_not_usable_gives_way_to_any_that_is(
    floor: Floor, switches: dict[str, Softphone]
) -> None:
    call = await _dial(floor, "a3", "0281112223")
    await soon(call.up, "the callee talks")
    used = [name for name, switch in switches.items() if switch.calls]
    assert len(used) == 1
    assert used[0] in {"viettel", "mobifone"}, "a3 may not use the fallback on vinaphone"
    await call.hangup()
    await _history(floor, result="answered")


async def test_the_next_trunk_is_tried_when_a_trunk_fails(floor: Floor, switches: dict[str, Softphone]) -> None:
    switches["viettel"].rule = Rule(status=503)
    call = await _dial(floor, "a2", "0967000222")
    leg = await switches["spare"].next_call()
    await soon(call.up, "the callee talks")
    assert len(switches["viettel"].calls) == 1
    assert _shown(leg) == BY_VIETTEL.removeprefix("+84")
    await call.hangup()
    row = await _history(floor, result="answered")
    assert row["trunk"] == "spare"
    failed = [line["body"]["trunk"] for line in await floor.api.story(row["id"]) if line["name"] == "TrunkFailed"]
    assert failed == ["viettel"]


@pytest.mark.parametrize(("status", "cause"), [(486, "busy"), (603, "declined")])
async def test_a_busy_callee_is_no_reason_for_another_trunk(
    floor: Floor, switches: dict[str, Softphone], status: int, cause: str
) -> None:
    switches["viettel"].rule = Rule(status=status)
    call = await _dial(floor, "a2", "0967000333")
    await soon(call.ended, "the agent is told")
    row = await _history(floor)
    assert (row["result"], row["end_cause"]) == ("missed", cause)
    assert len(switches["viettel"].calls) == 1
    assert not switches["spare"].calls


async def test_a_callee_who_does_not_answer_until_the_agent_gives_up(
    floor: Floor, switches: dict[str, Softphone]
) -> None:
    switches["viettel"].rule = Rule(status=0)
    call = await _dial(floor, "a2", "0967000444")
    leg = await switches["viettel"].next_call()
    await soon(call.ringing, "ringing is passed on")
    await call.hangup()
    await soon(leg.ended, "the callee's phone stops")
    assert (await _history(floor, result="missed"))["trunk"] == "viettel"


@pytest.mark.parametrize(
    ("agent", "dialled", "reason"),
    [
        pytest.param("a4", "0967000555", "not_permitted", id="group"),
        pytest.param("a5", "0967000555", "not_permitted", id="no-number-of-their-own"),
        pytest.param("a2", "0967000999", "blocked", id="blocked"),
    ],
)
async def test_refused_calls_are_announced_and_leave_by_no_trunk(
    floor: Floor, switches: dict[str, Softphone], agent: str, dialled: str, reason: str
) -> None:
    call = await _dial(floor, agent, dialled)

    async def announced() -> bool:
        return call.media.received > 10 or call.ended.is_set()

    await until(announced, "an announcement")
    await soon(call.ended, "the call ends by itself")
    assert call.media.received > 10, "an announcement was heard"
    row = await _history(floor)
    assert row["result"] in {"refused", "blocked"}
    story = await floor.api.story(row["id"])
    assert [line["body"]["reason"] for line in story if line["name"] == "OutboundBlocked"] == [reason]
    assert not any(switch.calls for switch in switches.values())


async def test_a_virtual_number_never_calls_out(floor: Floor) -> None:
    found = await floor.api.get("/api/v1/outbound/explain", to="0967000111", hotline=VIRTUAL, agent="a1")
    assert (found["allowed"], found["reason"], found["attempts"]) == (False, "virtual", [])


async def test_the_rest_after_an_answered_outbound_call(floor: Floor, switches: dict[str, Softphone]) -> None:
    call = await _dial(floor, "a6", "0901000666")
    assert await switches["mobifone"].next_call()
    await soon(call.up, "the callee talks")
    loop = asyncio.get_running_loop()
    began = loop.time()
    await call.hangup()
    await floor.state("a6", "wrap_up")
    await floor.state("a6", "ready")
    assert REST_S - 0.1 <= loop.time() - began <= REST_S + SLOW_S


async def test_the_rest_after_a_clicked_call(floor: Floor, switches: dict[str, Softphone]) -> None:
    await floor.desk("a6")
    call = await _click(floor, "a6", "0901000667", hotline=LASTING)
    callee = await switches["mobifone"].next_call()
    await _talking(floor, call)
    await callee.hangup()
    await floor.state("a6", "wrap_up")
    assert (await _history(floor))["result"] == "answered"


async def test_the_rest_of_an_agent_begins_when_a_caller_is_sent_on(
    floor: Floor, switches: dict[str, Softphone]
) -> None:
    await floor.desk("a1")
    call, row = await floor.talk(LASTING)
    wish = {"to": "0901000668", "hotline": BY_MOBI}
    sent = await floor.api.send("POST", f"/api/v1/calls/{row['id']}/transfer", wish)
    assert sent.status_code == 202, sent.text
    callee = await switches["mobifone"].next_call()
    await floor.live(state="talking", agent=None)
    await floor.state("a1", "wrap_up")
    assert not call.ended.is_set(), "the agent rests while the caller talks"
    await callee.hangup()
    await soon(call.ended, "the caller is let go")


@pytest.mark.parametrize("clicked", [False, True], ids=["dialled", "clicked"])
async def test_no_rest_after_an_outbound_call_nobody_answered(
    floor: Floor, switches: dict[str, Softphone], clicked: bool
) -> None:
    switches["mobifone"].rule = Rule(status=486)
    phone = await floor.desk("a6")
    if clicked:
        await _click(floor, "a6", "0901000777", hotline=LASTING)
        call = await phone.next_call()
    else:
        call = phone.dial(f"{CODE}0901000777")
    await soon(call.ended, "busy")
    assert (await _history(floor))["hotline"] == LASTING
    await floor.state("a6", "ready")


async def test_an_agent_who_dials_is_busy_and_not_offered(floor: Floor, switches: dict[str, Softphone]) -> None:
    switches["viettel"].rule = Rule(status=0)
    call = await _dial(floor, "a2", "0967000888")
    await floor.state("a2", "busy")
    waiting = floor.dial(BY_VIETTEL)
    await floor.live(state="waiting")
    assert len(floor.phones["a2"].calls) == 1
    await call.hangup()
    await floor.live(state="talking", agent="a2")
    await waiting.hangup()


@pytest.mark.parametrize(
    ("dialled", "left"),
    [
        ("0967000111&PJSIP/spare", "0967000111"),
        ("0967%26000111", "0967000111"),
        ("abc", None),
        ("x0967000111", "0967000111"),
        ("tel:+84967000111", None),
    ],
)
async def test_what_is_no_number_is_refused_aloud_and_told(
    floor: Floor, switches: dict[str, Softphone], dialled: str, left: str | None
) -> None:
    call = await _dial(floor, "a2", dialled)
    await soon(call.ended, "refused")
    assert call.media.received > 10, "an announcement was heard"
    row = await _history(floor, result="refused")
    assert (row["reason"], row["agent"], row["callee"]) == ("not_understood", "a2", left)
    assert not any(switch.calls for switch in switches.values())


async def test_keys_that_are_no_code_reach_no_trunk(floor: Floor, switches: dict[str, Softphone]) -> None:
    call = await _dial(floor, "a2", "*99")
    await soon(call.ended, "refused")
    for name, switch in switches.items():
        assert not [leg for leg in switch.calls if "spare" in leg.invite.target], name
    await asyncio.gather(*(leg.hangup() for switch in switches.values() for leg in switch.live()))


async def test_emergency_numbers_need_nothing_of_ours(floor: Floor, switches: dict[str, Softphone]) -> None:
    phone = await floor.desk("a2")
    async with floor.lab.without_daemon():
        call = phone.dial("113")
        await soon(call.up, "somebody helps")
        used = [switch for switch in switches.values() if switch.calls]
        assert used[0].calls[0].invite.target.partition("@")[0] == "sip:113"
        await call.hangup()
    await floor.lab.ready(floor.api)


async def test_an_ordinary_call_is_refused_while_the_daemon_is_away(
    floor: Floor, switches: dict[str, Softphone]
) -> None:
    phone = await floor.desk("a2")
    async with floor.lab.without_daemon():
        call = phone.dial("0967000111")
        await soon(call.ended, "announced and ended")
        assert call.media.received > 10, "an announcement was heard"
        assert not any(switch.calls for switch in switches.values())
    await floor.lab.ready(floor.api)


async def test_a_dial_code_names_the_hotline(floor: Floor, switches: dict[str, Softphone]) -> None:
    call = await _dial(floor, "a1", "720967000119")
    leg = await switches["mobifone"].next_call()
    assert leg.invite.target.partition("@")[0].endswith("967000119")
    assert _shown(leg) == BY_MOBI.removeprefix("+84")
    explained = await floor.api.get("/api/v1/outbound/explain", to="720967000119", agent="a1")
    assert (explained["to"], explained["attempts"][0]["hotline"]) == ("+84967000119", BY_MOBI)
    await soon(call.up, "the callee talks")
    await call.hangup()
    assert (await _history(floor, result="answered"))["callee"] == "+84967000119"


# -- click to call ---------------------------------------------------------------------------------------------------


async def _click(floor: Floor, agent: str, number: str, **more: str) -> str:
    answer = await floor.api.send("POST", "/api/v1/outbound", {"agent": agent, "to": number, **more})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["call"])


async def _talking(floor: Floor, call: str, seconds: float = PATIENCE_S) -> Json:
    async def ask() -> Json | None:
        row = await floor.api.get(f"/api/v1/calls/{call}")
        return row if row["state"] == "talking" else None

    return await until(ask, f"call {call} talking", seconds)


async def test_a_clicked_call_rings_the_agent_and_then_the_callee(floor: Floor, switches: dict[str, Softphone]) -> None:
    phone = await floor.desk("a1")
    call = await _click(floor, "a1", "0901 000 113", hotline=BY_MOBI)
    leg = await phone.next_call()
    await soon(leg.up, "the agent picks up")
    callee = await switches["mobifone"].next_call()
    assert _shown(callee) == BY_MOBI.removeprefix("+84")
    row = await _talking(floor, call)
    assert (row["direction"], row["trunk"], row["hotline"]) == ("outbound", "mobifone", BY_MOBI)

    async def heard() -> bool:
        return leg.media.level(CARRIER_HZ, 0.3) > SPEECH

    await until(heard, "the agent hears the callee")
    await callee.hangup()
    row = await _history(floor, result="answered", end_cause="callee")
    assert (row["id"], row["agent"], row["callee"]) == (call, "a1", "+84901000113")


async def test_an_agent_who_does_not_pick_up_costs_nobody_a_ring(floor: Floor, switches: dict[str, Softphone]) -> None:
    await floor.desk("a1", rule=Rule(status=603))
    call = await _click(floor, "a1", "0967000114")
    row = await _history(floor, result="missed", end_cause="declined")
    assert row["id"] == call
    assert not [name for name, switch in switches.items() if switch.calls]
    await floor.state("a1", "ready")


async def test_a_clicked_call_nobody_answers_is_missed(floor: Floor) -> None:
    floor.carrier("viettel", Rule(status=486))
    phone = await floor.desk("a1")
    await _click(floor, "a1", "0967000115")
    leg = await phone.next_call()
    await soon(leg.up, "the agent picks up")
    row = await _history(floor, result="missed", end_cause="busy")
    assert row["answered_at"] is None
    await soon(leg.ended, "the agent is let go")


async def test_a_clicked_call_outlives_the_controller(floor: Floor, switches: dict[str, Softphone]) -> None:
    phone = await floor.desk("a1")
    call = await _click(floor, "a1", "0967000116")
    leg = await phone.next_call()
    await soon(leg.up, "the agent picks up")
    callee = await switches["viettel"].next_call()
    await _talking(floor, call)
    floor.lab.kill("daemon")
    await floor.lab.ready(floor.api)
    await _talking(floor, call)
    assert (await floor.api.agent("a1"))["state"] == "talking"
    await callee.hangup()
    await _history(floor, result="answered")


# -- transfer --------------------------------------------------------------------------------------------------------


async def test_a_caller_is_transferred_to_an_outside_phone(floor: Floor, switches: dict[str, Softphone]) -> None:
    phone = await floor.desk("a1")
    call, row = await floor.talk(BY_VIETTEL)
    leg = await phone.next_call()
    path = f"/api/v1/calls/{row['id']}/transfer"
    virtual = await floor.api.send("POST", path, {"to": "0967000117", "hotline": VIRTUAL})
    assert (virtual.status_code, (await floor.live())["state"]) == (409, "talking"), virtual.text
    done = await floor.api.send("POST", path, {"to": "0967000117", "hotline": BY_VIETTEL})
    assert done.status_code == 202, done.text
    callee = await switches["viettel"].next_call()
    assert _shown(callee) == BY_VIETTEL.removeprefix("+84")
    await soon(leg.ended, "the agent is let go at once")
    await floor.live(state="talking", agent=None)

    async def heard() -> bool:
        return min(call.media.level(CARRIER_HZ, 0.3), callee.media.level(CUSTOMER_HZ, 0.3)) > SPEECH

    await until(heard, "caller and callee hear each other")
    await callee.hangup()
    await soon(call.ended, "the caller is let go")
    ended = await floor.ended()
    assert (ended["result"], ended["agent"], ended["callee"]) == ("answered", "a1", "+84967000117")
    assert ended["answered_at"] == row["answered_at"]


async def test_a_transfer_nobody_takes_ends_the_call(floor: Floor) -> None:
    floor.carrier("viettel", Rule(status=486))
    await floor.desk("a1")
    call, row = await floor.talk(BY_VIETTEL)
    done = await floor.api.send("POST", f"/api/v1/calls/{row['id']}/transfer", {"to": "0967000118"})
    assert done.status_code == 202, done.text
    await soon(call.ended, "the caller is let go")
    assert (await floor.ended())["end_cause"] == "callee"


async def _consult(floor: Floor, call: str, action: str, **more: str) -> None:
    answer = await floor.api.send("POST", f"/api/v1/calls/{call}/consult", {"action": action, **more})
    assert answer.status_code == 202, answer.text


async def _hear(one: SipCall, one_hz: int, other: SipCall, other_hz: int, who: str) -> None:
    """Two hear each other: each speaks on a frequency of their own."""

    async def heard() -> bool:
        return min(one.media.level(other_hz, 0.3), other.media.level(one_hz, 0.3)) > SPEECH

    await until(heard, f"{who} hear each other")


async def test_an_agent_asks_a_phone_goes_back_asks_again_and_hands_the_caller_over(
    floor: Floor, switches: dict[str, Softphone]
) -> None:
    phone = await floor.desk("a1")
    call, row = await floor.talk(BY_VIETTEL)
    leg = await phone.next_call()
    switches["viettel"].rule = Rule(status=0)
    await _consult(floor, row["id"], "begin", to="0967000119", hotline=BY_VIETTEL)
    callee = await switches["viettel"].next_call()

    async def rings() -> bool:
        return leg.media.level(RINGING_HZ, 0.3) > SPEECH

    await until(rings, "the agent hears the phone ring", 20.0)
    await callee.answer()
    await floor.live(state="talking", agent="a1", consulting="talking", callee="+84967000119")
    await _hear(leg, agent_hz("a1"), callee, CARRIER_HZ, "agent and phone")

    async def alone() -> bool:
        return max(call.media.level(agent_hz("a1"), 0.3), call.media.level(CARRIER_HZ, 0.3)) < SPEECH / 4

    await until(alone, "the caller hears neither of the two")
    await _consult(floor, row["id"], "cancel")
    await soon(callee.ended, "the phone is let go")
    await _hear(leg, agent_hz("a1"), call, CUSTOMER_HZ, "agent and caller")
    await floor.live(state="talking", agent="a1", consulting=None, callee=None)
    switches["viettel"].rule = Rule()
    await _consult(floor, row["id"], "begin", to="0967000120")
    callee = await switches["viettel"].next_call()
    await _hear(leg, agent_hz("a1"), callee, CARRIER_HZ, "agent and phone")
    await _consult(floor, row["id"], "complete")
    await soon(leg.ended, "the agent is let go")
    await _hear(callee, CARRIER_HZ, call, CUSTOMER_HZ, "phone and caller")
    await call.hangup()
    await soon(callee.ended, "the phone is let go")
    ended = await floor.ended()
    assert (ended["result"], ended["agent"], ended["callee"], ended["trunk"]) == (
        "answered", "a1", "+84967000120", "viettel",
    )  # fmt: skip
    said = [line["body"].get("outcome") for line in await floor.api.story(row["id"]) if line["name"] == "ConsultEnded"]
    assert said == ["cancelled", "completed"]


async def test_a_consultation_outlives_the_controller_and_ends_with_the_agent(
    floor: Floor, switches: dict[str, Softphone]
) -> None:
    phone = await floor.desk("a1")
    call, row = await floor.talk(BY_VIETTEL)
    leg = await phone.next_call()
    await _consult(floor, row["id"], "begin", to="0967000121")
    callee = await switches["viettel"].next_call()
    await floor.live(consulting="talking")
    floor.lab.kill("daemon")
    await floor.lab.ready(floor.api)
    await floor.live(agent="a1", consulting="talking")
    await _hear(leg, agent_hz("a1"), callee, CARRIER_HZ, "agent and phone")
    await leg.hangup()
    await _hear(callee, CARRIER_HZ, call, CUSTOMER_HZ, "phone and caller")
    await callee.hangup()
    await soon(call.ended, "the caller is let go")
    ended = await floor.ended()
    assert (ended["end_cause"], ended["agent"], ended["callee"]) == ("callee", "a1", "+84967000121")


async def test_a_consulted_phone_that_is_busy_gives_the_agent_back(floor: Floor) -> None:
    floor.carrier("viettel", Rule(status=486))
    phone = await floor.desk("a1")
    call, row = await floor.talk(BY_VIETTEL)
    leg = await phone.next_call()
    await _consult(floor, row["id"], "begin", to="0967000122")

    async def over() -> bool:
        return any(line["name"] == "ConsultEnded" for line in await floor.api.story(row["id"]))

    await until(over, "the consultation is over")
    await _hear(leg, agent_hz("a1"), call, CUSTOMER_HZ, "agent and caller")
    await call.hangup()
    assert (await floor.ended())["callee"] is None


@pytest.mark.parametrize("who", ["agent", "customer"])
async def test_a_transfer_by_a_phone_is_refused_and_the_talk_goes_on(
    floor: Floor, switches: dict[str, Softphone], who: str
) -> None:
    phone = await floor.desk("a1")
    call, _ = await floor.talk(BY_VIETTEL)
    leg = await phone.next_call()
    asking = leg if who == "agent" else call
    host, port = asking.phone.server
    answer = await asking.phone.request(asking.within("REFER", (("Refer-To", f"<sip:0967000123@{host}:{port}>"),)))
    assert answer is not None
    assert answer.status >= 400
    await _hear(leg, agent_hz("a1"), call, CUSTOMER_HZ, "agent and caller")
    assert not any(switch.calls for switch in switches.values())
    await call.hangup()
