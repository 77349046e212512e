"""Hostile names and numbers (Z4): whatever a caller is called, answers and events stay what they are."""

from __future__ import annotations

import json
import re

import pytest

from controller.core.facts import CallStarted
from controller.core.text import clean_name, clean_number
from controller.ports import Said
from controller.web.auth import Principal, Role
from controller.web.broadcast import Frame
from controller.web.views import fact_out, hidden
from tests.web.hostile import NAMES
from tests.web.house import HOTLINE

pytestmark = pytest.mark.web

CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


async def test_every_caller_comes_back_as_json_and_nothing_else(house):
    await house.sign_in()
    for n, name in enumerate(NAMES):
        call = f"17000{n:05d}.1"
        await house.arrive(call, clean_number(name), clean_name(name))
        answer = await house.get(f"/api/v1/calls/{call}")
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        row = answer.json()
        assert (row["caller"] or "") == clean_number(name)
        assert (row["caller_name"] or "") == clean_name(name)
        assert not CONTROL.search(answer.content)
        assert len(row["caller_name"] or "") <= 64
        await house.end(call)


@pytest.mark.parametrize("masked", [False, True])
def test_no_name_ends_an_event_or_begins_another(masked):
    """Even a name no door has cleaned stays inside its own line."""
    for n, name in enumerate(NAMES):
        said = Said(n + 1, 1_700_000_000_000, CallStarted(name, name, name, name, name, name))
        who = Principal(Role.READ if masked else Role.ADMIN)
        frame = Frame(said).shown_to(who).decode()
        assert frame.isascii()
        assert frame.count("\n") == 4
        number, event, data, _ = frame.split("\n", 3)
        assert (number, event) == (f"id: {n + 1}", "event: CallStarted")
        told = json.loads(data.removeprefix("data: "))
        assert told["hotline"] == name
        assert told == fact_out(said, masked=masked)


async def test_no_parameter_breaks_a_question(house):
    async with house.client() as client:
        for name in NAMES:
            for path, query in (
                ("/api/v1/calls", {"caller": name}),
                ("/api/v1/calls", {"queue": name, "agent": name}),
                ("/api/v1/outbound/explain", {"to": name, "hotline": HOTLINE}),
                ("/api/v1/outbound/explain", {"to": "0912345678", "hotline": name}),
                ("/api/v1/agents", {"cursor": name}),
            ):
                answer = await client.get(path, params=query)
                assert answer.status_code in {200, 422}, (path, name)
                assert answer.headers["content-type"] in {"application/json", "application/problem+json"}


async def test_no_path_breaks_a_question(house):
    from urllib.parse import quote

    async with house.client() as client:
        # A client takes `.` and `..` out of a path before it is sent.
        for name in (row for row in NAMES if row not in {".", "..", ""}):
            for path in (f"/api/v1/agents/{quote(name[:500], safe='')}", f"/api/v1/calls/{quote(name[:500], safe='')}"):
                answer = await client.get(path)
                assert answer.status_code in {404, 422}, path
                assert answer.headers["content-type"] == "application/problem+json"


async def test_no_reason_of_an_agent_breaks_anything(house):
    path = "/api/v1/agents/an/status"
    for name in NAMES:
        answer = await house.send("PUT", path, {"status": "not_ready", "reason": name})
        if answer.status_code == 200:
            assert (await house.get("/api/v1/agents/an")).json()["reason"] == (name or None)
        else:
            assert answer.status_code == 422
            assert len(name) > 64 or not name.isprintable()


def test_steps_of_a_decision_are_masked_too():
    told = hidden(
        {"to": "+84967000001", "steps": ["dialled '0967000001' reads as +84967000001"], "seq": 5, "call": "1.1"}
    )
    assert told == {"to": "***001", "steps": ["dialled '***001' reads as ***001"], "seq": 5, "call": "1.1"}
