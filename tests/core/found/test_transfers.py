"""Found: callers an agent sent on to outside phones went past the agent's longest call, minutes and calls at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import HangUp, Join, RingPhone
from controller.core.events import (
    CallGone,
    ConsultAsked,
    LegAnswered,
    OutboundAsked,
    PhoneChannel,
    TransferAsked,
)
from controller.core.facts import CallEnded, ConsultEnded, OutboundBlocked
from controller.core.model import Phase
from controller.core.setup import Limits, Reach
from tests.core.test_outbound import trunks
from tests.core.words import answers, arrives, leg_gone
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

PHONE = "0967123456"
DIALS = OutboundAsked("7.1", "an", "0912345678")


def house(longest_call: int = 0, **limits: int) -> Playbook:
    """An agent with these limits, and no rest between callers."""
    setup = trunks()
    people = tuple(
        replace(row, limits=Limits(**limits), reach=Reach(longest_call=longest_call), wrap_up=0) for row in setup.agents
    )
    return given(replace(setup, agents=people)).available("an")


def talks(book: Playbook, n: int) -> Playbook:
    """Caller n talks to the agent."""
    return book.when(arrives(n)).when(answers(n)).passes(5)


def sent_on(book: Playbook, n: int) -> Playbook:
    """Caller n is sent on, and the phone is picked up."""
    talks(book, n).when(TransferAsked(f"1.{n}", PHONE, by="an")).then(a(RingPhone))
    return book.when(leg_gone(n)).when(LegAnswered(f"1.{n}", f"1.{n}.p2"))


def test_a_caller_sent_on_talks_no_longer_than_the_agent_s_longest_call() -> None:
    book = sent_on(house(longest_call=60), 1)
    assert book.call("1.1").talk_ends_at_ms == book.now_ms + 60_000
    book.passes(59).then(never(HangUp)).passes(2).then(a(HangUp, channel="1.1.p2"), a(HangUp, channel="1.1"))
    book.when(CallGone("1.1", 16)).then(a(CallEnded, end_cause="limit", agent="an", result="answered"))


def test_it_ends_after_a_restart_too() -> None:
    book = sent_on(house(longest_call=60, minutes_per_day=1), 1).passes(20)
    kept = book.call("1.1").talk_ends_at_ms
    book.restarted()
    assert kept is not None
    assert book.call("1.1").talk_ends_at_ms == kept
    assert book.world.agent_uses["an"].runs_out_ms is not None
    assert dict(book.world.agent_uses["an"].use.talks) == {"1.1": kept - 60_000}


def test_callers_sent_on_share_the_minutes_of_the_agent() -> None:
    book = house(minutes_per_day=1)
    for n in range(1, 4):
        sent_on(book, n)
    assert len(book.world.agent_uses["an"].use.talks) == 3
    book.passes(10).then(never(HangUp))
    assert all(book.call(f"1.{n}").phase is Phase.TALKING for n in range(1, 4))
    book.passes(6).then(*(a(HangUp, channel=f"1.{n}") for n in range(1, 4)))
    for n in range(1, 4):
        book.when(CallGone(f"1.{n}", 16)).then(a(CallEnded, end_cause="limit"))
    assert 60_000 <= book.world.agent_uses["an"].use.talked_ms < 66_000
    assert book.world.agent_uses["an"].runs_out_ms is None
    book.when(PhoneChannel("an", "7.1", "ring")).when(DIALS).then(a(OutboundBlocked, reason="over_limit"))


def test_minutes_of_a_caller_sent_on_are_the_agent_s_when_the_caller_hangs_up() -> None:
    book = sent_on(house(minutes_per_day=5), 1).passes(30).when(CallGone("1.1", 16))
    use = book.world.agent_uses["an"].use
    assert (use.live, use.talks) == ((), ())
    assert 30_000 <= use.talked_ms < 31_000, "what the agent said to the caller is no talk out"


def test_callers_sent_on_are_calls_at_once_of_the_agent() -> None:
    book = house(calls_at_once=2)
    sent_on(book, 1)
    sent_on(book, 2)
    book.when(PhoneChannel("an", "7.1", "ring")).when(DIALS).then(a(OutboundBlocked, reason="over_limit"))
    book.when(PhoneChannel("an", "7.1", "gone"))
    talks(book, 3).when(TransferAsked("1.3", PHONE, by="an")).then(never(RingPhone))
    assert (book.answer.code, book.call("1.3").phase) == ("refused", Phase.TALKING)
    book.when(CallGone("1.1", 16)).when(TransferAsked("1.3", PHONE, by="an")).then(a(RingPhone))


def consults(book: Playbook) -> Playbook:
    """Caller 1 hears music, agent and phone talk."""
    talks(book, 1).when(ConsultAsked("1.1", "begin", PHONE, by="an"))
    return book.when(LegAnswered("1.1", "1.1.p2"))


def test_a_consultation_counts_and_what_follows_it_counts_on() -> None:
    book = consults(house(longest_call=60, minutes_per_day=2))
    ends_at_ms = book.now_ms + 60_000
    assert book.call("1.1").talk_ends_at_ms == ends_at_ms
    book.passes(20).when(ConsultAsked("1.1", "complete", by="an")).when(leg_gone())
    assert book.call("1.1").talk_ends_at_ms == ends_at_ms, "the phone is talked to since it was picked up"
    book.passes(38).then(never(HangUp)).passes(4).then(a(HangUp, channel="1.1"))
    book.when(CallGone("1.1", 16)).then(a(CallEnded, end_cause="limit", callee="+84967123456"))
    assert 60_000 <= book.world.agent_uses["an"].use.talked_ms < 64_000


def test_the_longest_call_ends_a_consultation_and_not_the_caller() -> None:
    book = consults(house(longest_call=60)).passes(61)
    book.then(a(ConsultEnded, outcome="limit"), a(HangUp, channel="1.1.p2"), a(Join, leg="1.1.a1"))
    assert (book.call("1.1").phase, book.call("1.1").talk_ends_at_ms) == (Phase.TALKING, None)
    book.passes(600).then(never(HangUp))


def test_a_consultation_that_was_taken_back_leaves_no_end_behind() -> None:
    book = consults(house(longest_call=60, minutes_per_day=1)).passes(10)
    book.when(ConsultAsked("1.1", "cancel", by="an"))
    assert book.call("1.1").talk_ends_at_ms is None
    assert book.world.agent_uses["an"].runs_out_ms is None
    book.passes(120).then(never(HangUp))


def test_a_phone_picked_up_after_the_hand_over_has_the_same_end() -> None:
    book = talks(house(longest_call=60), 1).when(ConsultAsked("1.1", "begin", PHONE, by="an"))
    book.when(ConsultAsked("1.1", "complete", by="an")).when(leg_gone()).when(LegAnswered("1.1", "1.1.p2"))
    book.passes(61).then(a(HangUp, channel="1.1"))


def test_a_caller_who_only_talks_to_the_agent_has_no_end() -> None:
    book = talks(house(longest_call=60, minutes_per_day=1), 1).passes(600).then(never(HangUp))
    assert book.call("1.1").talk_ends_at_ms is None
