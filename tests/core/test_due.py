"""Deadlines as data: every field that is one is found, and nothing else is."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from controller.core.due import deadlines, next_deadline
from controller.core.model import (
    Agent,
    AgentUse,
    Alert,
    Call,
    CalleeDay,
    HotlineState,
    Offer,
    Pbx,
    Phase,
    QueueDay,
    Slot,
    TrunkState,
    TrunkWindow,
)

pytestmark = pytest.mark.pure

CALL = Call("1.1", "inbound", Phase.WAITING, "", "", "", "", 1, queued_at_ms=2, answered_at_ms=3, talk_ended_at_ms=4)
AGENT = Agent("an", wrap_up_started_ms=1, since_ms=2, idle_since_ms=3, last_offered_ms=4, phone_at_ms=5)
PAST = {"arrived_at_ms", "queued_at_ms", "answered_at_ms", "talk_ended_at_ms", "wrap_up_started_ms", "since_ms"}
PAST |= {"idle_since_ms", "last_offered_ms", "phone_at_ms", "attempt_at_ms", "consulted_at_ms", "parties_at_ms"}


@pytest.mark.parametrize("entity", [CALL, AGENT], ids=["call", "agent"])
def test_every_instant_to_come_is_a_deadline(entity: Call | Agent) -> None:
    to_come = [field.name for field in fields(entity) if field.name.endswith("_ms") and field.name not in PAST]
    assert len(to_come) >= 3
    for name in to_come:
        assert next_deadline(replace(entity, **{name: 77})) == 77, name


@pytest.mark.parametrize(
    "entity",
    [
        CALL,
        AGENT,
        TrunkState("v1", starts_ms=(5,)),
        HotlineState("+84", 5),
        TrunkWindow("v1", (Slot(5),)),
        AgentUse("an", odd_ms=(5,)),
        Alert("a", "k", "1.1", "", "", "", 1, 5),
        QueueDay("sales", "2026-01-01", wait_sum_ms=5),
        Pbx(),
    ],
    ids=lambda entity: type(entity).__name__,
)
def test_what_has_been_is_none(entity: object) -> None:
    assert list(deadlines(entity)) == []  # type: ignore[arg-type]
    assert next_deadline(entity) is None  # type: ignore[arg-type]


def test_the_earliest_counts() -> None:
    offers = (Offer("an", "a", 1, 30), Offer("binh", "b", 1, 20))
    call = replace(CALL, offers=offers, max_wait_at_ms=25, answer_alert_at_ms=40)
    assert sorted(deadlines(call)) == [20, 25, 30, 40]
    assert next_deadline(call) == 20
    assert next_deadline(TrunkState("v1", cooling_until_ms=9)) == 9


def test_what_calling_out_used_up_has_its_ends() -> None:
    assert list(deadlines(TrunkState("v1", cooling_until_ms=3, runs_out_ms=2))) == [3, 2]
    assert next_deadline(HotlineState("+84", runs_out_ms=4)) == 4
    assert next_deadline(AgentUse("an", calm_at_ms=5)) == 5
    assert next_deadline(CalleeDay("+84>+85", "2026-01-01", 1, 6)) == 6
