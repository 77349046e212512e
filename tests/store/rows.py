"""Entities, facts and turns to write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controller.core.facts import AlertCleared, AlertRaised, CallAnswered, CallEnded, CallOffered, Fact, OfferEnded
from controller.core.model import Agent, Call, Change, Entity, Phase, key_of
from controller.ports import Line, Said, Turn

T0 = 1_700_000_000_000


def a_call(name: str = "1700000000.1", **fields: Any) -> Call:
    call = Call(
        id=name,
        direction="inbound",
        phase=Phase.WAITING,
        hotline="+842473001001",
        caller="+84912345678",
        caller_name="Nguyễn Văn An",
        callee="",
        arrived_at_ms=T0,
    )
    return replace(call, **fields)


def an_agent(name: str = "an", **fields: Any) -> Agent:
    return replace(Agent(name), **fields)


def put(*entities: Entity) -> tuple[Change, ...]:
    return tuple(Change(*key_of(entity), entity) for entity in entities)


def gone(entity: Entity) -> tuple[Change, ...]:
    return (Change(*key_of(entity), None),)


def an_end(call: str = "1700000000.1", arrived_at_ms: int = T0, **fields: Any) -> CallEnded:
    end = CallEnded(
        call=call,
        direction="inbound",
        hotline="+842473001001",
        caller="+84912345678",
        callee="",
        queue="sales",
        agent="an",
        arrived_at_ms=arrived_at_ms,
        queued_at_ms=arrived_at_ms + 1_000,
        answered_at_ms=arrived_at_ms + 5_000,
        ended_at_ms=arrived_at_ms + 60_000,
        result="answered",
        end_cause="caller",
        reason="",
        via="",
        trunk="viettel-1",
        carrier="viettel",
        caller_id="",
        recording="2026/11/1.wav",
        offers=1,
    )
    return replace(end, **fields)


def offered(leg: str = "1700000000.1.a1", agent: str = "an", call: str = "1700000000.1") -> CallOffered:
    return CallOffered(call, "sales", agent, leg, "longest-idle")


def offer_ended(
    leg: str = "1700000000.1.a1", agent: str = "an", outcome: str = "no_answer", rang_ms: int = 15_000
) -> OfferEnded:
    return OfferEnded("1700000000.1", "sales", agent, leg, outcome, rang_ms)


def answered(agent: str = "an") -> CallAnswered:
    return CallAnswered("1700000000.1", "+842473001001", "sales", agent, 4_000)


def raised(call: str = "1700000000.1", kind: str = "answer_time") -> AlertRaised:
    return AlertRaised(f"{call}.{kind}", kind, call, "+842473001001", "sales", "", 20)


def cleared(call: str = "1700000000.1", kind: str = "answer_time") -> AlertCleared:
    return AlertCleared(f"{call}.{kind}", kind, call)


def said(seq: int, fact: Fact, at_ms: int | None = None) -> Said:
    return Said(seq, T0 + seq if at_ms is None else at_ms, fact)


def turn(*facts: Said, changes: tuple[Change, ...] = (), at_ms: int = T0, **fields: Any) -> Turn:
    return Turn(at_ms, changes, tuple(facts), **fields)


def lines(call: str = "1700000000.1", count: int = 3, start: int = 0) -> tuple[Line, ...]:
    return tuple(
        Line(T0 + n, call, "event", "DigitPressed", "", {"digit": str(n % 10), "who": "Trần\n\u2028x"})
        for n in range(start, start + count)
    )
