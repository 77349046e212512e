"""Agents over the API: status, reason, wrap-up, and every wish on the audit with its author."""

from __future__ import annotations

import asyncio
import sqlite3
import tomllib

import pytest

from controller import owed
from controller.web.auth import ACCESS
from tests.web.house import HOTLINE, SETUP, open_house

pytestmark = pytest.mark.web

STATUS = "/api/v1/agents/an/status"
WRAP_UP = "/api/v1/agents/an/wrap-up"


async def test_agents_come_in_the_order_of_the_setup_with_every_key(house):
    rows = (await house.get("/api/v1/agents")).json()["items"]
    assert [row["name"] for row in rows] == ["an", "binh"]
    assert rows[0].keys() >= {"name", "groups", "status", "reason", "state", "call", "since", "wrap_up_until"}
    assert (rows[0]["groups"], rows[0]["status"], rows[0]["state"]) == (["sales"], "offline", "offline")


async def test_agents_are_paged(house):
    first = (await house.get("/api/v1/agents", limit=1)).json()
    assert [row["name"] for row in first["items"]] == ["an"]
    second = (await house.get("/api/v1/agents", limit=1, cursor=first["next"])).json()
    assert ([row["name"] for row in second["items"]], second["next"]) == (["binh"], None)


async def test_a_status_is_accepted_whatever_the_phone_does(house):
    answer = await house.send("PUT", STATUS, {"status": "available"})
    assert (answer.status_code, answer.json()["status"], answer.json()["state"]) == (200, "available", "unreachable")
    await house.sign_in()
    assert (await house.get("/api/v1/agents/an")).json()["state"] == "ready"
    lunch = await house.send("PUT", STATUS, {"status": "not_ready", "reason": "ăn trưa"})
    assert (lunch.json()["state"], lunch.json()["reason"]) == ("not_ready", "ăn trưa")
    assert (await house.send("PUT", STATUS, {"status": "offline"})).json()["reason"] is None


@pytest.mark.parametrize(
    "body",
    [
        None, [], {}, "available", {"status": "busy"}, {"status": None}, {"status": "available", "reason": "x"},
        {"status": "offline", "until": 1}, {"status": "not_ready", "reason": 7},
        {"status": "not_ready", "reason": "a\nb"},
        {"status": "not_ready", "reason": "x" * 65}, {"status": "not_ready", "reason": "\x00"},
    ],
)  # fmt: skip
async def test_a_status_that_is_none_changes_nothing(house, body):
    await house.sign_in()
    answer = await house.send("PUT", STATUS, body)
    assert answer.status_code == 422
    assert all(row["path"].startswith("body") and row["reason"] for row in answer.json()["errors"])
    assert house.engine.world.agents["an"].status == "available"


async def test_wrap_up_begins_after_a_call_is_extended_and_ended(house):
    assert (await house.send("POST", WRAP_UP, {"action": "end"})).status_code == 409
    await house.end(await house.talk())
    before = (await house.get("/api/v1/agents/an")).json()
    assert (before["state"], before["call"]) == ("wrap_up", None)
    extended = await house.send("POST", WRAP_UP, {"action": "extend", "seconds": 30})
    assert extended.status_code == 200
    assert extended.json()["wrap_up_until"] > before["wrap_up_until"]
    ended = await house.send("POST", WRAP_UP, {"action": "end"})
    assert (ended.status_code, ended.json()["state"], ended.json()["wrap_up_until"]) == (200, "ready", None)
    assert (await house.send("POST", WRAP_UP, {"action": "end"})).json()["type"] == "urn:tongdai:problem:conflict"


async def test_an_extension_beyond_the_longest_is_refused_with_the_reason(house):
    await house.end(await house.talk())
    until = (await house.get("/api/v1/agents/an")).json()["wrap_up_until"]
    answer = await house.send("POST", WRAP_UP, {"action": "extend", "seconds": 900})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"path": "body.seconds", "reason": "wrap-up lasts 600 seconds at most in all"},
    ]
    assert (await house.get("/api/v1/agents/an")).json()["wrap_up_until"] == until


@pytest.mark.parametrize(
    "body",
    [
        {}, {"action": "stop"}, {"action": "extend"}, {"action": "extend", "seconds": 0},
        {"action": "extend", "seconds": -5}, {"action": "extend", "seconds": "30"},
        {"action": "extend", "seconds": 1.5},
        {"action": "end", "seconds": 3}, {"action": "extend", "seconds": 10**30},
    ],
)  # fmt: skip
async def test_a_wrap_up_that_is_none_is_422(house, body):
    assert (await house.send("POST", WRAP_UP, body)).status_code == 422


async def test_every_wish_leaves_one_row_on_the_audit_with_its_author(house):
    call = await house.talk()
    before = len(await house.audit())
    await house.send("PUT", STATUS, {"status": "not_ready", "reason": "lunch"}, "supervisor")
    await house.send("POST", f"/api/v1/calls/{call}/hangup", role="supervisor")
    await house.end(call)
    await house.send("POST", WRAP_UP, {"action": "extend", "seconds": 30}, "agent:an")
    await house.send("POST", WRAP_UP, {"action": "end"}, "agent:an")
    rows = (await house.audit())[: len(await house.audit()) - before][::-1]
    assert [(row.who, row.action, row.subject, row.old[:7], row.new) for row in rows] == [
        ("supervisor/supervisor", "agent.status", "an", "availab", "not_ready lunch"),
        ("supervisor/supervisor", "call.hangup", call, "talking", ""),
        ("agent:an/agent-an", "wrap-up.extend", "an", "until 2", "30 s more"),
        ("agent:an/agent-an", "wrap-up.end", "an", "until 2", ""),
    ]


async def test_every_route_that_changes_something_leaves_one_row(house):
    """All of them, one after the other; a check and a refresh change nothing. A new route wants a line here."""
    call, elsewhere = await house.talk(), {"to": "0967000001"}
    calls, number = "/api/v1/calls/{call}", "/api/v1/numbers/{number}/carrier"
    wishes = [
        ("PUT", "/api/v1/agents/{agent}/status", {"status": "not_ready"}, "agent.status"),
        ("POST", f"{calls}/consult", {"action": "begin", **elsewhere}, "call.consult"),
        ("POST", f"{calls}/consult", {"action": "cancel"}, "call.consult"),
        ("POST", f"{calls}/transfer", elsewhere, "call.transfer"),
        ("POST", "/api/v1/agents/{agent}/wrap-up", {"action": "end"}, "wrap-up.end"),
        ("POST", f"{calls}/hangup", None, "call.hangup"),
        ("PUT", "/api/v1/agents/{agent}/status", {"status": "available"}, "agent.status"),
        ("POST", "/api/v1/outbound", {"agent": "an", **elsewhere}, "outbound.click"),
        ("PUT", number, {"carrier": "viettel"}, "number.carrier"),
        ("DELETE", number, None, "number.carrier"),
        ("POST", "/api/v1/numbers/refresh", None, ""),
        ("POST", "/api/v1/setup/check", tomllib.loads(SETUP), ""),
        ("PUT", "/api/v1/setup", tomllib.loads(SETUP) | {"defaults": {"timezone": "Asia/Tokyo"}}, "setup"),
    ]
    assert {(method, path) for method, path, *_ in wishes} == {
        (method, path) for path, methods in ACCESS.items() for method in methods if method != "GET"
    }
    for method, template, body, action in wishes:
        path = template.format(call=call, agent="an", number="0967000001")
        before = len(await house.audit())
        async with house.client() as client:
            head = {"If-Match": "*"} if path == "/api/v1/setup" else {}
            answer = await client.request(method, path, json=body, headers=head)
        assert answer.is_success, (method, path, answer.text)
        await house.written()
        fresh = (await house.audit())[: len(await house.audit()) - before]
        assert [row.action.partition(" ")[0].startswith(action) for row in fresh] == [True] * bool(action), (
            path,
            fresh,
        )
        assert {row.who for row in fresh} <= {"admin/admin"}
        if action == "call.hangup":
            await house.end(call)


async def test_a_wish_that_was_refused_leaves_no_row(house):
    before = len(await house.audit())
    assert (await house.send("POST", WRAP_UP, {"action": "end"})).status_code == 409
    assert len(await house.audit()) == before


async def test_late_books_take_a_wish_and_its_row_together_when_they_are_back(house, monkeypatch):
    monkeypatch.setattr(owed, "COMMIT_LIMIT_S", 0.25)
    before = len(await house.audit())
    path = house.database.url.database
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert (await house.send("PUT", STATUS, {"status": "not_ready", "reason": "lunch"})).status_code == 200
        assert len(await house.audit()) == before
    finally:
        other.execute("ROLLBACK")
        other.close()
    await house.written()
    rows = await house.audit()
    assert (rows[0].action, rows[0].new, len(rows)) == ("agent.status", "not_ready lunch", before + 1)


# -- queues ----------------------------------------------------------------------------------------------------------


async def queue(house):
    return (await house.get("/api/v1/queues")).json()["items"][0]


async def test_a_queue_tells_who_is_there_and_who_waits(house):
    row = await queue(house)
    assert row["name"] == "sales"
    assert (row["online"], row["free"], row["waiting"], row["longest_wait_s"]) == (0, 0, 0, 0)
    await house.sign_in()
    assert ((await queue(house))["online"], (await queue(house))["free"]) == (1, 1)
    await house.arrive("1700000000.1")
    await house.arrive("1700000000.2")
    row = await queue(house)
    assert (row["ringing"], row["waiting"], row["talking"], row["free"]) == (1, 1, 0, 0)


async def test_a_queue_counts_its_day(house):
    row = await queue(house)
    assert (row["sla_percent"], row["average_speed_of_answer_s"]) == (None, None)
    call = await house.talk()
    row = await queue(house)
    assert (row["talking"], row["answered"], row["missed"], row["queued"]) == (1, 1, 0, 1)
    assert (row["sla_percent"], row["sla_target_percent"]) == (100.0, 80)
    assert row["average_speed_of_answer_s"] == pytest.approx(0, abs=19)
    await house.end(call)
    await house.end(await house.arrive("1700000000.2"))
    row = await queue(house)
    assert (row["talking"], row["answered"], row["missed"], row["sla_percent"]) == (0, 1, 1, 50.0)


# -- alerts ----------------------------------------------------------------------------------------------------------


async def test_an_alert_is_open_until_its_cause_ends(books):
    quick = SETUP.replace("notify_answer_time = 30", "notify_answer_time = 1")
    async with open_house(books, quick) as house:
        await _alert_comes_and_goes(house)


async def _alert_comes_and_goes(house):
    await house.sign_in()
    call = await house.arrive()
    async with asyncio.timeout(20):
        while not house.engine.world.alerts:  # noqa: ASYNC110 - the world signals nobody
            await asyncio.sleep(0.01)
    page = (await house.get("/api/v1/alerts")).json()
    row = page["items"][0]
    assert (row["kind"], row["call"], row["hotline"], row["limit_s"]) == ("answer_time", call, HOTLINE, 1)
    assert (row["queue"], row["cleared_at"], page["next"]) == ("sales", None, None)
    await house.end(call)
    assert (await house.get("/api/v1/alerts")).json()["items"] == []
    told = (await house.get("/api/v1/alerts", state="all")).json()["items"]
    assert [item["id"] for item in told] == [row["id"]]
    assert told[0]["cleared_at"] >= told[0]["raised_at"]


# -- which way out ---------------------------------------------------------------------------------------------------


async def explain(house, **query):
    return (await house.get("/api/v1/outbound/explain", **query)).json()


async def test_explain_names_trunk_caller_id_and_every_step(house):
    found = await explain(house, to="0967000001", hotline="auto", agent="an")
    assert found.keys() >= {"allowed", "reason", "to", "carrier", "carrier_source", "attempts", "steps"}
    assert (found["allowed"], found["to"], found["carrier"]) == (True, "+84967000001", "viettel")
    assert found["carrier_source"] == "prefix"
    assert found["attempts"][0]["trunk"] == "viettel-1"
    assert found["attempts"][0]["hotline"] == HOTLINE
    assert found["attempts"][0].keys() == {"trunk", "caller_id", "hotline", "why"}
    assert found["steps"]


@pytest.mark.parametrize("written", ["+84967000001", "%2B84967000001", " 84967000001", "%2084967000001", "0967000001"])
async def test_a_number_is_the_same_however_the_plus_was_written(house, written):
    async with house.client() as client:
        answer = await client.get(f"/api/v1/outbound/explain?to={written}&hotline={HOTLINE}")
    assert answer.json()["to"] == "+84967000001"
    assert answer.json()["allowed"] is True


@pytest.mark.parametrize(
    "query",
    [
        {"to": "0967000001", "hotline": "nobody"},
        {"to": "hello", "hotline": HOTLINE},
        {"to": "0967000001", "agent": "x"},
    ],
)
async def test_no_is_an_answer_too(house, query):
    answer = await house.get("/api/v1/outbound/explain", **query)
    assert (answer.status_code, answer.json()["allowed"], answer.json()["attempts"]) == (200, False, [])
    assert answer.json()["reason"]


@pytest.mark.parametrize("query", [{}, {"to": ""}, {"to": "0967000001"}, {"to": "1" * 65, "hotline": HOTLINE}])
async def test_a_question_that_is_none_is_422(house, query):
    assert (await house.get("/api/v1/outbound/explain", **query)).status_code == 422


@pytest.mark.parametrize("status", ["available", "not_ready", "offline"])
@pytest.mark.parametrize("reason", ["", None])
async def test_no_reason_is_accepted_with_every_status(house, status, reason):
    answer = await house.send("PUT", STATUS, {"status": status, "reason": reason})
    assert (answer.status_code, answer.json()["status"], answer.json()["reason"]) == (200, status, None)
