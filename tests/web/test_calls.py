"""Calls as the API shows them: states, places, filters, pages, stories, and the order to end one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from controller.core.commands import HangUp
from controller.core.events import CallGone, PhoneChanged
from tests.web.house import CALLER, HOTLINE, MENU_HOTLINE

pytestmark = pytest.mark.web

KEYS = {
    "id", "direction", "hotline", "caller", "callee", "state", "queue", "agent", "position", "arrived_at", "queued_at",
    "answered_at", "ended_at", "result", "end_cause", "trunk", "carrier", "recording",
}  # fmt: skip


async def test_a_call_is_shown_from_menu_to_history(house):
    await house.sign_in()
    call = await house.arrive(to=MENU_HOTLINE)
    row = (await house.get(f"/api/v1/calls/{call}")).json()
    assert row.keys() >= KEYS
    assert (row["state"], row["queue"], row["position"], row["caller"]) == ("menu", None, None, CALLER)

    await house.tell(CallGone(call, 16))
    await house.end(call)
    row = (await house.get(f"/api/v1/calls/{call}")).json()
    assert (row["state"], row["result"], row["end_cause"]) == ("ended", "stopped_at_menu", "caller")
    assert row["arrived_at"] <= row["ended_at"]


async def test_waiting_is_without_an_offer_and_ringing_with_one(house):
    call = await house.arrive()
    assert (await house.get(f"/api/v1/calls/{call}")).json()["state"] == "waiting" or not house.engine.world.calls


async def test_a_place_is_kept_while_ringing(house):
    await house.sign_in()
    first, second = await house.arrive("1700000000.1"), await house.arrive("1700000000.2")
    rows = {row["id"]: row for row in (await house.get("/api/v1/calls", state="live")).json()["items"]}
    assert (rows[first]["state"], rows[first]["position"], rows[first]["agent"]) == ("ringing", 1, "an")
    assert rows[first]["ringing"] == ["an"]
    assert (rows[second]["state"], rows[second]["position"], rows[second]["agent"]) == ("waiting", 2, None)


async def test_an_answered_call_talks_and_has_no_place(house):
    call = await house.talk()
    row = (await house.get(f"/api/v1/calls/{call}")).json()
    assert (row["state"], row["agent"], row["position"]) == ("talking", "an", None)
    for name in ("arrived_at", "queued_at", "answered_at"):
        moment = datetime.fromisoformat(row[name])
        assert row[name].endswith("Z")
        assert len(row[name]) == len("2026-11-22T03:04:05.678Z")
        assert abs(datetime.now(UTC) - moment) < timedelta(seconds=20)


async def test_a_talking_call_that_must_end_still_talks_until_it_is_gone(house):
    call = await house.talk()
    answer = await house.send("POST", f"/api/v1/calls/{call}/hangup")
    assert (answer.status_code, answer.json()) == (202, {"call": call, "ordered": True})
    assert any(isinstance(row, HangUp) and row.channel == call for row in house.commands)
    assert (await house.get(f"/api/v1/calls/{call}")).json()["state"] == "talking"
    await house.end(call)
    assert (await house.get(f"/api/v1/calls/{call}")).json()["result"] == "answered"
    again = await house.send("POST", f"/api/v1/calls/{call}/hangup")
    assert (again.status_code, again.json()["type"]) == (409, "urn:tongdai:problem:conflict")


async def test_an_unknown_call_is_404_everywhere(house):
    for method, path in (("GET", ""), ("GET", "/story"), ("POST", "/hangup")):
        answer = await house.send(method, f"/api/v1/calls/nobody.1{path}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def ended(house, count, caller=CALLER):
    await house.sign_in()
    calls = []
    for n in range(count):
        calls.append(await house.arrive(f"170000000{n}.1", caller))
        await house.end(calls[-1])
        await house.tell(PhoneChanged("an", reachable=True))
    return calls


async def test_lists_are_paged_newest_first_and_live_and_ended_are_one_list(house):
    calls = await ended(house, 4)
    calls.append(await house.arrive("1700000009.1"))
    seen, cursor, pages = [], None, 0
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await house.get("/api/v1/calls", **query)).json()
        seen += [row["id"] for row in page["items"]]
        cursor, pages = page["next"], pages + 1
        if cursor is None:
            break
    assert seen == calls[::-1]
    assert pages == 3


async def test_the_state_chooses_between_live_and_ended(house):
    calls = await ended(house, 2)
    live = await house.arrive("1700000009.1")
    assert [row["id"] for row in (await house.get("/api/v1/calls", state="live")).json()["items"]] == [live]
    assert [row["id"] for row in (await house.get("/api/v1/calls", state="ended")).json()["items"]] == calls[::-1]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"hotline": HOTLINE}, True),
        ({"hotline": "02473001001"}, True),
        ({"hotline": " 842473001001"}, True),
        ({"hotline": MENU_HOTLINE}, False),
        ({"queue": "sales"}, True),
        ({"queue": "care"}, False),
        ({"direction": "inbound"}, True),
        ({"direction": "outbound"}, False),
        ({"caller": "0912345678"}, True),
        ({"caller": "+84912345678"}, True),
        ({"caller": " 84912345678"}, True),
        ({"caller": "0912345679"}, False),
        ({"since": "2020-01-01T00:00:00Z"}, True),
        ({"since": "2020-01-01T07:00:00+07:00"}, True),
        ({"until": "2020-01-01T00:00:00Z"}, False),
        ({"since": "2999-01-01T00:00:00Z"}, False),
    ],
)
async def test_filters_hold_for_live_and_ended_calls_alike(house, query, found):
    await ended(house, 1)
    await house.arrive("1700000009.1")
    for state in ("live", "ended"):
        items = (await house.get("/api/v1/calls", state=state, **query)).json()["items"]
        assert len(items) == int(found), state


async def test_results_and_agents_filter_too(house):
    call = await house.talk()
    assert [row["id"] for row in (await house.get("/api/v1/calls", agent="an")).json()["items"]] == [call]
    assert (await house.get("/api/v1/calls", agent="binh")).json()["items"] == []
    await house.end(call)
    assert [row["id"] for row in (await house.get("/api/v1/calls", result="answered")).json()["items"]] == [call]
    assert (await house.get("/api/v1/calls", result="missed")).json()["items"] == []


async def test_a_plus_that_became_a_space_in_a_zone_is_understood(house):
    await house.arrive()
    async with house.client() as client:
        answer = await client.get("/api/v1/calls?since=2020-01-01T07:00:00+07:00")
    assert answer.status_code == 200
    assert len(answer.json()["items"]) == len(house.engine.world.calls)


async def test_a_story_tells_events_decisions_and_commands_with_their_cause(house):
    call = await house.talk()
    live = (await house.get(f"/api/v1/calls/{call}/story")).json()
    assert live["call"] == call
    assert live["items"][0]["name"] == "CallArrived"
    assert live["items"][0]["offset_ms"] == 0
    assert {row["kind"] for row in live["items"]} == {"event", "fact", "command"}
    assert {"CallQueued", "CallOffered", "RingAgent", "LegAnswered", "CallAnswered"} <= {
        row["name"] for row in live["items"]
    }
    assert all(row["cause"] for row in live["items"])
    await house.end(call)
    told = (await house.get(f"/api/v1/calls/{call}/story")).json()
    assert told["items"][: len(live["items"])] == live["items"]
    assert "CallEnded" in {row["name"] for row in told["items"]}
    record = next(row["body"] for row in told["items"] if row["name"] == "CallEnded")
    assert record["arrived_at"].endswith("Z")


async def test_a_body_of_hangup_may_be_empty_or_an_empty_object_and_nothing_else(house):
    call = await house.talk()
    assert (await house.send("POST", f"/api/v1/calls/{call}/hangup", {"now": True})).status_code == 422
    assert (await house.send("POST", f"/api/v1/calls/{call}/hangup", {})).status_code == 202
