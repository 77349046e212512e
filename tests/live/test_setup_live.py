"""A change of the setup is in force at once: no restart, and calls in progress are left alone."""

from __future__ import annotations

import asyncio

import pytest

from tests.live.conftest import put_setup
from tests.live.floor import Floor
from tests.live.harness import soon
from tests.live.setups import HOTLINE, hotline, queue, whole

pytestmark = pytest.mark.live

NEW = "+842473001077"
BEFORE = (hotline(queue="sales"), queue("sales", "team"))
TEAM = {"team": ("a1", "a2"), "new": ("a3",)}
SETUP = whole(*BEFORE, groups=TEAM)


async def _put(floor: Floor, text: str) -> None:
    await asyncio.to_thread(put_setup, floor.lab, floor.lab.filled(text))


async def test_a_new_hotline_takes_calls_without_a_restart(floor: Floor) -> None:
    daemon, asterisk = floor.lab.pid("daemon"), floor.lab.pid("asterisk")
    await floor.desk("a1", "a3")
    talking, row = await floor.talk(HOTLINE, "0281000001")
    early = floor.dial(NEW, "0281000002")
    await soon(early.ended, "nobody knows the number yet")
    await _put(floor, whole(*BEFORE, hotline(NEW, queue="new"), queue("new", "new"), groups=TEAM))
    call, new_row = await floor.talk(NEW, "0281000003")
    assert (new_row["hotline"], new_row["agent"]) == (NEW, "a3")
    assert (await floor.api.call(row["id"]))["state"] == "talking"
    assert not talking.ended.is_set()
    assert (floor.lab.pid("daemon"), floor.lab.pid("asterisk")) == (daemon, asterisk)
    await call.hangup()
    await talking.hangup()
    await _put(floor, SETUP)


async def test_callers_of_a_removed_queue_go_its_way_out(floor: Floor) -> None:
    await floor.desk("a1", status="not_ready")
    await _put(floor, whole(*BEFORE, hotline(NEW, queue="new"), queue("new", "team"), groups=TEAM))
    call = floor.dial(NEW)
    await floor.live(state="waiting", queue="new")
    await _put(floor, SETUP)
    await soon(call.ended, "its way out is to hang up")
    assert (await floor.ended())["result"] == "missed"


async def test_an_agent_removed_while_talking_finishes_first(floor: Floor) -> None:
    await floor.desk("a3")
    await _put(floor, whole(*BEFORE, hotline(NEW, queue="new"), queue("new", "new"), groups=TEAM))
    call, row = await floor.talk(NEW)
    await _put(
        floor, whole(*BEFORE, hotline(NEW, queue="new"), queue("new", "new"), groups={"team": ("a1",), "new": ()})
    )
    assert (await floor.api.call(row["id"]))["state"] == "talking"
    assert not call.ended.is_set()
    await call.hangup()
    await floor.ended()
    await _put(floor, SETUP)


async def test_a_bad_setup_changes_nothing(floor: Floor) -> None:
    before = await floor.api.get("/api/v1/setup")
    head = {"If-Match": f'"{before["version"]}"', "Content-Type": "application/toml"}
    body = whole(hotline(queue="nowhere"), queue("sales", "nobody")).encode()
    response = await floor.api.http.put("/api/v1/setup", headers=head, content=floor.lab.filled(body.decode()).encode())
    assert response.status_code == 422
    assert "nowhere" in response.text
    assert "nobody" in response.text
    assert (await floor.api.get("/api/v1/setup"))["version"] == before["version"]
    stale = {"If-Match": '"1"', "Content-Type": "application/toml"}
    again = await floor.api.http.put("/api/v1/setup", headers=stale, content=floor.lab.filled(SETUP).encode())
    assert again.status_code in {409, 412}
