"""Blind transfer of a caller to an outside phone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import HangUp, Join, Part, RingPhone, StartMusic
from controller.core.events import CallGone, LegAnswered, TransferAsked
from controller.core.facts import (
    AttemptEnded,
    CallAnswered,
    CallEnded,
    CallTransferred,
    OutboundBlocked,
    OutboundPicked,
    TransferAnswered,
)
from controller.core.model import AgentPhase, Phase
from controller.core.setup import Blocked, Limits, Setup
from tests.core.setups import SALES
from tests.core.test_outbound import SECOND, trunks
from tests.core.words import answers, arrives, leg_gone
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

ASKED = TransferAsked("1.1", "0967123456", by="an")


def talking(setup: Setup | None = None) -> Playbook:
    return given(setup or trunks()).available("an").when(arrives()).when(answers()).passes(5)


def test_the_agent_leaves_and_the_caller_hears_music_until_the_phone_is_picked_up() -> None:
    setup = trunks()
    book = talking(replace(setup, agents=tuple(replace(row, wrap_up=30) for row in setup.agents))).when(ASKED)
    book.only(
        a(HangUp, channel="1.1.a1"),
        a(Part, call="1.1", bridge="1.1.br"),
        a(StartMusic, call="1.1"),
        a(RingPhone, leg="1.1.p2", number="0967123456", caller_id=SALES),
    )
    book.then(a(CallTransferred, agent="an", callee="+84967123456"), a(OutboundPicked, call="1.1"))
    assert (book.call("1.1").phase, book.agent("an").phase) == (Phase.FORWARDING, AgentPhase.RELEASING)
    assert book.agent("an").wrap_up_until_ms is not None, "the rest begins when the agent's part is over"
    book.when(leg_gone()).passes(3).when(LegAnswered("1.1", "1.1.p2"))
    book.only(a(Join, leg="1.1.p2", bridge="1.1.br")).then(a(TransferAnswered, callee="+84967123456"))
    book.then(never(CallAnswered))
    assert book.world.trunks["v1"].live == ("1.1",)
    book.passes(7).when(CallGone("1.1", 16))
    ended = book.one(CallEnded)
    assert (ended.result, ended.end_cause, ended.agent, ended.callee) == ("answered", "caller", "an", "+84967123456")
    assert ended.ended_at_ms - ended.answered_at_ms > 14_000, "the talk began with the agent"
    assert book.world.trunks["v1"].live == ()


def test_a_hotline_may_be_named_and_is_the_caller_s_own_else() -> None:
    assert talking().when(ASKED).one(RingPhone).caller_id == SALES
    assert talking().when(replace(ASKED, via=SECOND)).one(RingPhone).caller_id == SECOND


def test_a_transfer_that_may_not_be_made_leaves_the_talk_as_it_is() -> None:
    book = talking(replace(trunks(), blocked=(Blocked("+84967123456"),))).when(ASKED).only()
    book.then(a(OutboundBlocked, agent="an", reason="blocked"), never(CallTransferred))
    assert (book.answer.code, str(book.answer.reason)) == ("refused", "+84967123456 may not be called: blocked")
    assert (book.call("1.1").phase, book.agent("an").phase) == (Phase.TALKING, AgentPhase.TALKING)


def test_the_groups_of_the_agent_decide_whether_the_hotline_may_be_used() -> None:
    setup = trunks()
    closed = replace(setup, hotlines=tuple(replace(row, outbound_groups=()) for row in setup.hotlines))
    assert talking(closed).when(ASKED).only().answer.reason.told().endswith("not_permitted")


def test_only_a_caller_who_talks_to_an_agent_is_transferred() -> None:
    book = given(trunks()).available("an").when(arrives()).when(ASKED).only()
    assert (book.answer.code, book.when(replace(ASKED, call="9.9")).answer.code) == ("conflict", "not_found")
    book = talking().when(ASKED).when(LegAnswered("1.1", "1.1.p2")).when(ASKED).only()
    assert book.answer.code == "conflict"


def test_a_phone_that_does_not_take_the_transfer_ends_the_call() -> None:
    book = talking().when(ASKED).when(leg_gone(leg=2, cause=17, tech=486, kind="p")).then(a(HangUp, channel="1.1"))
    book.when(CallGone("1.1", 16)).then(a(CallEnded, result="answered", end_cause="callee", agent="an"))


def test_a_restart_in_the_middle_loses_nobody() -> None:
    book = talking().when(ASKED).restarted()
    assert (book.call("1.1").phase, book.call("1.1").served_by) == (Phase.FORWARDING, "an")


def test_a_transfer_is_a_call_out_of_the_agent_who_sent_the_caller_on() -> None:
    setup = trunks()
    limited = tuple(replace(row, limits=Limits(calls_per_day=1)) for row in setup.agents)
    book = talking(replace(setup, agents=limited)).when(ASKED).then(a(RingPhone))
    assert book.world.agent_uses["an"].use.calls == 1
    book.when(leg_gone()).when(LegAnswered("1.1", "1.1.p2")).then(a(AttemptEnded, status="ANSWER", trunk="v1"))
    book.passes(7).when(CallGone("1.1", 16)).then(never(AttemptEnded))
    assert book.world.agent_uses["an"].use.live == ()
    book.passes(30).when(arrives(2)).when(answers(2)).passes(1)
    book.when(TransferAsked("1.2", "0967123456", by="an")).then(
        never(RingPhone), a(OutboundBlocked, reason="over_limit")
    )
    assert book.answer.code == "refused"


def test_a_caller_who_leaves_while_the_phone_rings_answered_no_attempt() -> None:
    book = talking().when(ASKED).passes(2).when(CallGone("1.1", 16))
    book.then(a(AttemptEnded, status="CANCEL"), a(CallEnded, result="answered"))
