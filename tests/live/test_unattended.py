"""What the dialplan did while the daemon was dead stands in the history afterwards, once."""

from __future__ import annotations

import asyncio

import pytest

from tests.live.floor import Floor
from tests.live.harness import Json, soon, until
from tests.live.setups import HOTLINE, hotline, queue, whole

pytestmark = pytest.mark.live

BY_RING, BY_PHONE = "+842473001062", "+842473001063"
SETUP = whole(
    hotline(queue="sales"),
    hotline(BY_RING, queue="sales", fallback="ring"),
    hotline(BY_PHONE, queue="sales", fallback={"phone": "0912345678"}),
    queue("sales", "team"),
    groups={"team": ("a1",)},
)


async def _records(floor: Floor, count: int) -> list[Json]:
    """The calls the dialplan served in this test, the newest first, when there are as many as expected."""
    since = f"{floor.began[:19]}+00:00"  # the dialplan keeps whole seconds

    async def ask() -> list[Json] | None:
        rows = [row for row in await floor.api.calls("ended", since=since) if row["reason"]]
        return rows if len(rows) >= count else None

    return await until(ask, f"{count} records")


async def test_what_the_dialplan_did_is_in_the_history_once(floor: Floor) -> None:
    floor.carrier("viettel")
    await floor.desk("a1")
    phone = await floor.desk("a2")
    async with floor.lab.without_daemon():
        announced = floor.dial(HOTLINE, "0281000001")
        by_ring = floor.dial(BY_RING, "0281000002")
        urgent = phone.dial("113")
        await asyncio.gather(*(soon(call.up, "answered") for call in (announced, by_ring, urgent)))
        await asyncio.sleep(2.0)
        await asyncio.gather(by_ring.hangup(), urgent.hangup())
        by_phone = floor.dial(BY_PHONE, "0281000003")
        await soon(by_phone.up, "the outside phone answers")
        await by_phone.hangup()
        await soon(announced.ended, "the apology ends", 15.0)
    await floor.lab.ready(floor.api)
    rows = await _records(floor, 4)
    found = {row["caller"][-9:]: row for row in rows}
    assert sorted(found) == ["102", "281000001", "281000002", "281000003"]
    apology, rung = found["281000001"], found["281000002"]
    outside, emergency = found["281000003"], found["102"]
    assert (apology["direction"], apology["result"], apology["reason"]) == ("inbound", "missed", "fallback")
    assert (apology["hotline"], apology["answered_at"]) == (HOTLINE, None)
    assert (rung["result"], rung["agent"], rung["hotline"]) == ("answered", "a1", BY_RING)
    assert (outside["result"], outside["trunk"], outside["agent"]) == ("answered", "viettel", None)
    assert (emergency["direction"], emergency["callee"], emergency["agent"]) == ("outbound", "113", "a2")
    assert (emergency["result"], emergency["reason"]) == ("answered", "emergency")
    assert emergency["arrived_at"] <= emergency["answered_at"] < emergency["ended_at"]
    floor.lab.kill("daemon")
    await floor.lab.ready(floor.api)
    await asyncio.sleep(1.0)
    assert sorted(row["id"] for row in await _records(floor, 4)) == sorted(row["id"] for row in rows)


async def test_a_call_of_an_agent_that_nobody_could_permit_is_a_refusal_in_the_history(floor: Floor) -> None:
    floor.carrier("viettel")
    phone = await floor.desk("a1")
    async with floor.lab.without_daemon():
        await soon(phone.dial("0967123456").ended, "nobody permits it", 20.0)
    await floor.lab.ready(floor.api)
    since = f"{floor.began[:19]}+00:00"

    async def told(callee: str) -> list[Json]:
        return [row for row in await floor.api.calls("ended", since=since) if (row["callee"] or "").endswith(callee)]

    [row] = await until(lambda: told("967123456"), "the refusal in the history")
    assert (row["direction"], row["result"], row["reason"]) == ("outbound", "refused", "unavailable")
    assert row["agent"] == "a1"
    await soon(phone.dial("0912%20345").ended, "a number with a space in it is none", 20.0)
    [row] = await until(lambda: told("0912345"), "what was left of it in the history")
    assert (row["direction"], row["result"], row["reason"]) == ("outbound", "refused", "not_understood")
    assert row["agent"] == "a1"


async def test_an_emergency_call_is_in_the_history_as_soon_as_it_has_ended(floor: Floor) -> None:
    """The daemon is there and has no part in the call; it asks when the phone is free again, not at the next audit."""
    floor.carrier("viettel")
    phone = await floor.desk("a1")
    call = phone.dial("114")
    await soon(call.up, "somebody helps")
    await floor.state("a1", "busy")
    assert not await floor.api.calls(), "the dialplan serves it alone"
    await call.hangup()
    since = f"{floor.began[:19]}+00:00"

    async def told() -> list[Json]:
        return [row for row in await floor.api.calls("ended", since=since) if row["callee"] == "114"]

    rows = await until(told, "the call in the history")
    assert [(row["result"], row["reason"], row["agent"]) for row in rows] == [("answered", "emergency", "a1")]
    await floor.state("a1", "ready")
