"""Click to call and transfer: what the API takes, whom it rings, and what it answers when it does not."""

from __future__ import annotations

import pytest

from controller.core.commands import RingDialler
from controller.core.events import LegAnswered, OutboundAsked
from tests.web.house import HOTLINE

pytestmark = pytest.mark.web

PATH = "/api/v1/outbound"


def rung(house):
    return [row for row in house.commands if isinstance(row, RingDialler)]


async def test_the_phone_of_the_agent_is_rung_and_the_call_can_be_watched(house):
    await house.sign_in()
    answer = await house.send("POST", PATH, {"agent": "an", "to": "0967 000.001", "hotline": "02473001001"})
    assert answer.status_code == 202
    call = answer.json()["call"]
    (command,) = rung(house)
    assert (command.call, command.endpoint, command.dialled, command.via) == (call, "an", "0967000001", HOTLINE)
    row = (await house.get(f"/api/v1/calls/{call}")).json()
    assert (row["state"], row["direction"], row["agent"], row["callee"]) == (
        "ringing",
        "outbound",
        "an",
        "+84967000001",
    )
    assert (await house.get("/api/v1/agents/an")).json()["state"] == "busy"
    await house.tell(OutboundAsked(call, "an", "0967000001", HOTLINE))
    kinds = [line["name"] for line in (await house.get(f"/api/v1/calls/{call}/story")).json()["items"]]
    assert kinds[0] == "ClickToCallAsked"
    assert {"CallStarted", "RingDialler", "OutboundPicked", "ReplyTrunks"} <= set(kinds)


@pytest.mark.parametrize(
    ("written", "dialled"),
    [
        ("tel:+84-967-000-001", "+84967000001"),
        ("TEL:0967000001", "0967000001"),
        ("tel:967000001;phone-context=+84", "+84967000001"),
        ("tel:0967000001;ext=5;phone-context=example.com", "0967000001"),
        ("tel:+84967000001;phone-context=+1", "+84967000001"),
        ("0967000001;phone-context=+84", "0967000001"),
        ("０９６７ ０００ ００１", "0967000001"),
        ("+84 (0) 967 000 001", "+840967000001"),
        ("0084967000001", "0084967000001"),
        ("0967 000 001 ext 12", "0967000001#12"),
        ("0967000001,12", "0967000001#12"),
        ("0967000001 máy lẻ 12", "0967000001#12"),
    ],
)
async def test_a_number_however_it_is_written_is_explained_and_called_alike(house, written, dialled):
    await house.sign_in()
    explained = (await house.get("/api/v1/outbound/explain", to=written, agent="an")).json()
    assert (explained["to"], explained["allowed"]) == ("+84967000001", True)
    assert (await house.send("POST", PATH, {"agent": "an", "to": written})).status_code == 202
    (command,) = rung(house)
    assert command.dialled == dialled
    assert any("the extension 12 is kept apart" in step for step in explained["steps"]) == ("#" in dialled)


@pytest.mark.parametrize(
    "written", ["0967000001p12", "0967000001w12", "0967000001,,12#", "0967-CALL", "1800 FLOWERS", "tel:", "9" * 41]
)
async def test_what_is_no_number_is_refused_and_explained_as_that(house, written):
    await house.sign_in()
    explained = (await house.get("/api/v1/outbound/explain", to=written, agent="an")).json()
    assert (explained["allowed"], explained["reason"]) == (False, "not_understood")
    assert (await house.send("POST", PATH, {"agent": "an", "to": written})).status_code == 422
    assert not rung(house)


async def test_who_asked_is_on_the_audit(house):
    await house.sign_in()
    await house.send("POST", PATH, {"agent": "an", "to": "0967000001"}, "dial")
    entry = (await house.audit())[0]
    assert (entry.who, entry.action, entry.subject, entry.new) == ("dial/dial", "outbound.click", "an", "0967000001")


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"agent": "an", "to": "0967000001"}, 409, "no phone that can be reached"),
        ({"agent": "nobody", "to": "0967000001"}, 422, "no agent of this name"),
        ({"agent": "an", "to": "500&PJSIP/x/1900"}, 422, "no phone number"),
        ({"agent": "an", "to": ""}, 422, ""),
        ({"agent": "an"}, 422, ""),
        ({"agent": "an", "to": "1", "more": 1}, 422, ""),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_line(house, body, status, word):
    answer = await house.send("POST", PATH, body)
    problem = answer.json()
    assert answer.status_code == status
    assert word in problem["detail"] + str(problem.get("errors"))
    assert not rung(house)


async def test_a_call_that_may_not_be_made_is_refused_before_a_phone_rings(house):
    await house.sign_in()
    answer = await house.send("POST", PATH, {"agent": "an", "to": "0967000001", "hotline": "+842400000000"})
    assert (answer.status_code, rung(house)) == (409, [])
    assert answer.json()["detail"] == "+84967000001 may not be called: no_hotline"
    (row,) = (await house.get("/api/v1/calls", state="ended")).json()["items"]
    assert (row["result"], row["end_cause"], row["agent"]) == ("refused", "refused", "an")


async def test_an_agent_s_token_rings_that_agent_alone(house):
    await house.sign_in()
    await house.sign_in("binh")
    assert (await house.send("POST", PATH, {"agent": "binh", "to": "0967000001"}, "agent:an")).status_code == 422
    assert (await house.send("POST", PATH, {"agent": "an", "to": "0967000001"}, "agent:an")).status_code == 202


async def test_a_caller_is_transferred_and_the_agent_still_sees_the_call(house):
    call = await house.talk()
    path = f"/api/v1/calls/{call}/transfer"
    assert (await house.send("POST", path, {"to": "no number"})).status_code == 422
    assert (await house.send("POST", path, {"to": "0967000001"}, "agent:binh")).status_code == 404
    assert (await house.send("POST", path, {"to": "0967000001"}, "agent:an")).status_code == 202
    row = (await house.get(f"/api/v1/calls/{call}", "agent:an")).json()
    assert (row["state"], row["callee"], row["agent"]) == ("ringing", "+84967000001", None)
    assert (await house.get("/api/v1/agents/an")).json()["state"] == "wrap_up"
    again = await house.send("POST", path, {"to": "0967000001"})
    assert (again.status_code, again.json()["detail"]) == (
        409, "only a caller who talks to an agent can be transferred",
    )  # fmt: skip
    entry = (await house.audit())[0]
    assert (entry.action, entry.subject, entry.old, entry.new) == ("call.transfer", call, "talking", "0967000001")


async def test_a_call_nobody_knows_is_not_transferred(house):
    assert (await house.send("POST", "/api/v1/calls/1.1/transfer", {"to": "0967000001"})).status_code == 404


async def test_an_agent_asks_a_phone_before_sending_the_caller_on(house):
    call = await house.talk()
    path, begin = f"/api/v1/calls/{call}/consult", {"action": "begin", "to": "0967 000 001"}
    assert (await house.send("POST", path, {"action": "begin"})).status_code == 422
    assert (await house.send("POST", path, {"action": "ask", "to": "0967000001"})).status_code == 422
    assert (await house.send("POST", path, begin, "agent:binh")).status_code == 404
    assert (await house.send("POST", path, {"action": "cancel"}, "agent:an")).status_code == 409
    assert (await house.send("POST", path, begin, "agent:an")).status_code == 202
    row = (await house.get(f"/api/v1/calls/{call}", "agent:an")).json()
    assert (row["state"], row["consulting"], row["callee"], row["agent"]) == (
        "talking",
        "ringing",
        "+84967000001",
        "an",
    )
    await house.tell(LegAnswered(call, f"{call}.p2"))
    row = (await house.get(f"/api/v1/calls/{call}")).json()
    assert (row["state"], row["consulting"]) == ("talking", "talking")
    answer = await house.send("POST", path, {"action": "complete"}, "agent:an")
    assert (answer.status_code, answer.json()) == (202, {"call": call, "action": "complete"})
    row = (await house.get(f"/api/v1/calls/{call}", "agent:an")).json()
    assert (row["state"], row["consulting"], row["callee"], row["agent"]) == ("talking", None, "+84967000001", None)
    entries = [(row.action, row.subject, row.old, row.new) for row in (await house.audit())[:2]]
    assert entries == [
        ("call.consult", call, "talking", "complete"),
        ("call.consult", call, "talking", "begin 0967000001"),
    ]
