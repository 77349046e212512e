"""Trunks over HTTP: who may be used and why not, and how the last hour went."""

from __future__ import annotations

import pytest

from controller.core.events import OutboundAsked, OutboundEnded, PhoneChannel, TrunkSeen
from tests.web.house import House

pytestmark = pytest.mark.web


async def _trunk(house: House, name: str) -> dict[str, object]:
    page = (await house.get("/api/v1/trunks", "read")).json()
    return next(row for row in page["items"] if row["name"] == name)


async def test_a_trunk_nobody_has_used(house: House) -> None:
    page = (await house.get("/api/v1/trunks", "read")).json()
    assert [row["name"] for row in page["items"]] == [row.name for row in house.engine.world.setup.trunks]
    first = page["items"][0]
    assert (first["usable"], first["why_not"], first["reachable"], first["calls"]) == (True, None, True, 0)
    assert first["worked"] == {
        "attempts": 0, "answered": 0, "failed": 0, "answer_seizure_percent": None, "post_dial_delay_ms": None,
        "codes": [],
    }  # fmt: skip


async def test_what_attempts_came_to(house: House) -> None:
    setup = house.engine.world.setup
    agent = next(row for row in setup.agents if row.outbound_with)
    await house.engine.ask(PhoneChannel(agent.endpoint, "7.1", "ring"))
    await house.engine.ask(OutboundAsked("7.1", agent.endpoint, "0967123456"))
    name = house.engine.world.calls["7.1"].trunk
    assert (await _trunk(house, name))["calls"] == 1
    await house.engine.ask(OutboundEnded("7.1", "CONGESTION", 34, 0, False, 503, 80))
    row = await _trunk(house, name)
    assert row["calls"] == 0
    assert row["failures_in_a_row"] == 1
    worked = row["worked"]
    assert isinstance(worked, dict)
    assert (worked["attempts"], worked["failed"], worked["answer_seizure_percent"]) == (1, 1, 0.0)
    assert (worked["post_dial_delay_ms"], worked["codes"]) == (80, [{"code": "sip 503", "count": 1}])
    carriers = (await house.get("/api/v1/trunks", "read")).json()["carriers"]
    assert carriers[0]["worked"]["attempts"] == 1


async def test_a_trunk_that_does_not_answer(house: House) -> None:
    trunk = house.engine.world.setup.trunks[0]
    await house.engine.ask(TrunkSeen(trunk.endpoint, False))
    row = await _trunk(house, trunk.name)
    assert (row["usable"], row["reachable"]) == (False, False)
    assert "OPTIONS" in str(row["why_not"])


async def test_asking_changes_nothing(house: House) -> None:
    before = list(house.engine.world.entities())
    agent = next(row for row in house.engine.world.setup.agents if row.outbound_with)
    for to in ("0967123456", "0088216123456", "113"):
        assert (await house.get(f"/api/v1/outbound/explain?to={to}&agent={agent.name}", "admin")).status_code == 200
    assert list(house.engine.world.entities()) == before
