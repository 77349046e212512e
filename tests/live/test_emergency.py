"""Emergency calls leave when nothing else may: every trunk is full, and the agent has used up every limit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from controller.lab.sipcall import Rule, SipCall
from controller.lab.softphone import Softphone
from tests.live.floor import CARRIERS, Floor
from tests.live.harness import Json, soon, until
from tests.live.setups import UNLIMITED, hotline, people, queue, trunks

pytestmark = pytest.mark.live

BY = {name: f"+84247300107{n}" for n, name in enumerate(CARRIERS)}
TALKERS = dict(zip(("a1", "a2", "a3", "a4"), CARRIERS, strict=True))
"""Who fills which trunk."""
SPENT = "a5"
"""An agent who has made their one call of the day."""
FULL: dict[str, Any] = {"max_channels": 1, "max_cps": 1}
SETUP = "".join(
    (
        UNLIMITED,
        trunks(**dict.fromkeys(CARRIERS, FULL)),
        people(
            agents={
                **{agent: {"outbound_with": BY[trunk]} for agent, trunk in TALKERS.items()},
                SPENT: {"outbound_with": BY["viettel"], "limits": {"calls_per_day": 1, "calls_per_minute": 1}},
                "a6": {"outbound_with": BY["viettel"]},
            }
        ),
        *(hotline(number, trunk=trunk, queue="sales", outbound=True) for trunk, number in BY.items()),
        queue("sales", "team"),
    )
)


async def _urgent(switches: dict[str, Softphone], count: int) -> list[SipCall]:
    """Every call to 113 that reached an operator, once there are so many."""

    async def arrived() -> list[SipCall] | None:
        legs = [leg for switch in switches.values() for leg in switch.calls if "sip:113@" in leg.invite.target]
        return legs if len(legs) >= count else None

    return await until(arrived, f"{count} calls to 113")


async def _fills(floor: Floor, agent: str) -> SipCall:
    """A talk by the agent's own trunk, once that may begin another call in this second."""

    async def free() -> bool:
        found = await floor.api.get("/api/v1/outbound/explain", to="0967000120", agent=agent)
        return bool(found["attempts"]) and found["attempts"][0]["trunk"] == TALKERS[agent]

    await until(free, f"{TALKERS[agent]} is free")
    call = floor.phones[agent].dial("0967000120")
    await soon(call.up, "a talk that fills a trunk")
    return call


async def _nothing_else_leaves(floor: Floor) -> None:
    """Somebody with every right finds no trunk; the agent without a call left is refused before one is looked for."""
    free = await floor.api.get("/api/v1/outbound/explain", to="0967000111", agent="a6")
    assert (free["allowed"], free["reason"]) == (False, "no_trunk"), free
    spent = await floor.api.get("/api/v1/outbound/explain", to="0967000111", agent=SPENT)
    assert (spent["allowed"], spent["reason"]) == (False, "over_limit"), spent


async def _dialled_and_clicked(floor: Floor, switches: dict[str, Softphone], before: int) -> None:
    """113 by the keys of the phone, which asks nobody, then twice at once by the API, which asks the controller."""
    phone = floor.phones[SPENT]
    call = phone.dial("113")
    await _urgent(switches, before + 1)
    await soon(call.up, "somebody helps who dialled")
    await floor.state(SPENT, "busy")
    await call.hangup()
    await floor.state(SPENT, "ready")
    await floor.state("a6", "ready")
    for agent in (SPENT, "a6"):
        asked = await floor.api.send("POST", "/api/v1/outbound", {"agent": agent, "to": "113"})
        assert asked.status_code == 202, asked.text
    legs = await _urgent(switches, before + 3)
    await asyncio.gather(*(soon(leg.up, "somebody helps who clicked") for leg in legs))
    await asyncio.gather(*(leg.hangup() for leg in legs if not leg.ended.is_set()))
    await floor.state(SPENT, "ready")
    await floor.state("a6", "ready")


async def test_an_emergency_call_leaves_by_full_trunks_and_without_a_call_left_also_after_a_kill(floor: Floor) -> None:
    switches = {name: floor.carrier(name, Rule(status=486)) for name in CARRIERS}
    await floor.desk(*TALKERS, SPENT, "a6")
    used_up = floor.phones[SPENT].dial("0967000110")
    await soon(used_up.ended, "the one call of the day is over")
    await floor.state(SPENT, "ready")
    for switch in switches.values():
        switch.rule = Rule()
    talks = [await _fills(floor, agent) for agent in TALKERS]
    await _nothing_else_leaves(floor)
    await _dialled_and_clicked(floor, switches, 0)
    floor.lab.kill("daemon")
    await floor.lab.ready(floor.api)
    await _nothing_else_leaves(floor)
    await _dialled_and_clicked(floor, switches, 3)
    assert not any(call.ended.is_set() for call in talks), "nobody had to go for them"
    await asyncio.gather(*(call.hangup() for call in talks))

    async def told() -> list[Json] | None:
        rows = await floor.api.calls("ended", since=floor.began, direction="outbound")
        urgent = [row for row in rows if row["callee"] == "113"]
        return urgent if len(urgent) == 6 else None

    rows = await until(told, "six calls to 113 in the history")
    assert {row["result"] for row in rows} == {"answered"}
