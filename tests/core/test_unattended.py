"""Calls the dialplan served by itself: one record each, whatever is told how often, and nothing alive."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.events import DialplanCalled
from controller.core.facts import CallAnswered, CallEnded, CallStarted, OutboundBlocked
from tests.core.setups import SALES, STRANGER, small
from tests.core.words import arrives, leaves
from tests.playbook import ZERO_MS, Playbook, a, given, never

pytestmark = pytest.mark.pure

BEGAN_MS, ENDED_MS = ZERO_MS - 90_000, ZERO_MS - 60_000
ANNOUNCED = DialplanCalled("1.1", "fallback", SALES, STRANGER, SALES, "", "", BEGAN_MS, ENDED_MS)
URGENT = DialplanCalled("1.2", "emergency", SALES, "", "113", "v1", "an", BEGAN_MS, ENDED_MS, "ANSWER", 20)


REFUSED = DialplanCalled("1.3", "refused", "", "", "0967123456", "", "an", BEGAN_MS, ENDED_MS)


def desk() -> Playbook:
    return given(small("an", "binh")).available("an")


def record(event: DialplanCalled) -> CallEnded:
    book = desk().when(event)
    assert book.world.calls == {}
    return book.one(CallEnded)


def test_an_apology_is_a_missed_call_of_its_own_time() -> None:
    book = desk().when(ANNOUNCED).then(a(CallStarted, call="1.1", direction="inbound"), never(CallAnswered))
    ended = book.one(CallEnded)
    assert (ended.direction, ended.hotline, ended.caller, ended.callee) == ("inbound", SALES, STRANGER, SALES)
    assert (ended.arrived_at_ms, ended.answered_at_ms, ended.ended_at_ms) == (BEGAN_MS, None, ENDED_MS)
    assert (ended.result, ended.reason, ended.end_cause, ended.via) == ("missed", "fallback", "dialplan", "")
    assert (ended.agent, ended.trunk, ended.queue) == ("", "", "")


def test_an_emergency_call_is_its_agents_and_names_trunk_and_number() -> None:
    ended = record(URGENT)
    assert (ended.direction, ended.caller, ended.callee, ended.agent) == ("outbound", "101", "113", "an")
    assert (ended.trunk, ended.caller_id, ended.reason, ended.result) == ("v1", SALES, "emergency", "answered")
    assert (ended.answered_at_ms, ended.ended_at_ms) == (ENDED_MS - 20_000, ENDED_MS)


def test_a_phone_that_answered_a_fallback_is_its_agents_and_earns_no_rest() -> None:
    book = desk().when(replace(ANNOUNCED, endpoint="an", status="ANSWER", talked_s=5))
    assert book.one(CallEnded).agent == "an"
    assert book.one(CallAnswered).waited_ms == 25_000
    assert book.agent("an").state == "ready"


@pytest.mark.parametrize(
    ("event", "status", "result", "cause"),
    [
        (ANNOUNCED, "NOANSWER", "missed", "no_answer"),
        (ANNOUNCED, "CONGESTION", "missed", "trunk"),
        (ANNOUNCED, "CANCEL", "missed", "caller"),
        (ANNOUNCED, "ODD", "missed", "dialplan"),
        (URGENT, "CANCEL", "missed", "agent"),
        (URGENT, "BUSY", "missed", "busy"),
        (URGENT, "CONGESTION", "failed", "trunk"),
        (URGENT, "", "failed", "dialplan"),
    ],
)
def test_how_it_ended_is_as_the_dialplan_says(event: DialplanCalled, status: str, result: str, cause: str) -> None:
    ended = record(replace(event, status=status))
    assert (ended.result, ended.end_cause, ended.answered_at_ms) == (result, cause, None)


def test_a_call_nobody_could_permit_is_a_refusal_of_its_own_time() -> None:
    book = desk().when(REFUSED).then(a(CallStarted, direction="outbound", agent="an"), never(CallAnswered))
    book.then(a(OutboundBlocked, reason="unavailable", to="+84967123456"))
    ended = record(REFUSED)
    assert (ended.direction, ended.caller, ended.callee, ended.agent) == ("outbound", "101", "+84967123456", "an")
    assert (ended.result, ended.reason, ended.end_cause, ended.trunk) == ("refused", "unavailable", "refused", "")
    assert (ended.arrived_at_ms, ended.answered_at_ms, ended.ended_at_ms) == (BEGAN_MS, None, ENDED_MS)
    book.when(REFUSED).then(never(CallStarted), never(CallEnded))


def test_what_is_told_twice_is_one_record() -> None:
    desk().when(ANNOUNCED).then(a(CallEnded)).when(ANNOUNCED).then(never(CallStarted), never(CallEnded))


def test_a_call_that_came_to_us_after_all_keeps_its_own_record() -> None:
    book = desk().when(arrives()).when(ANNOUNCED).then(never(CallEnded))
    assert "1.1" in book.world.calls
    book.when(leaves()).then(a(CallEnded, reason="")).when(ANNOUNCED).then(never(CallEnded))


@pytest.mark.parametrize(("began_ms", "ended_ms"), [(ZERO_MS + 10**9, ZERO_MS + 2 * 10**9), (ENDED_MS, BEGAN_MS)])
def test_times_keep_their_order_whatever_the_clock_did(began_ms: int, ended_ms: int) -> None:
    event = replace(URGENT, began_at_ms=began_ms, ended_at_ms=ended_ms, talked_s=10**6)
    ended = record(event)
    assert ended.arrived_at_ms <= (ended.answered_at_ms or 0) <= ended.ended_at_ms


def test_a_phone_of_nobody_is_named_by_its_endpoint() -> None:
    ended = record(replace(URGENT, endpoint="lobby", trunk="gone"))
    assert (ended.caller, ended.agent, ended.trunk) == ("lobby", "", "")
