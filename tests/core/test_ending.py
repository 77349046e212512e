"""How calls end: one hang-up, one record, and the words of the history."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core import ending
from controller.core.commands import CloseBridge, HangUp
from controller.core.events import HangupAsked
from controller.core.facts import AlertCleared, CallEnded, OfferEnded
from controller.core.model import AgentPhase, Attempt, Call, Phase
from controller.core.setup import Hotline, Strategy
from controller.core.turn import Turn
from tests.core.setups import SALES, small
from tests.core.words import answers, arrives, leaves, leg_gone, rings
from tests.playbook import a, given, never

pytestmark = pytest.mark.pure

CALL = Call("1.1", "inbound", Phase.MENU, SALES, "0967", "", SALES, 1_000)
ATTEMPT = Attempt("v1", "v1", "0912345678", SALES, SALES, "why")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({}, "stopped_at_menu"),
        ({"queued_at_ms": 5}, "missed"),
        ({"queued_at_ms": 5, "answered_at_ms": 6}, "answered"),
        ({"answered_at_ms": 6, "result": "voicemail"}, "answered"),
        ({"result": "blocked"}, "blocked"),
        ({"result": "closed"}, "closed"),
        ({"result": "voicemail", "queued_at_ms": 5}, "voicemail"),
        ({"attempts": (ATTEMPT,)}, "missed"),
        ({"direction": "outbound"}, "missed"),
        ({"direction": "outbound", "result": "failed"}, "failed"),
    ],
)
def test_the_history_has_a_word_for_every_end(change: dict[str, object], word: str) -> None:
    assert ending.result_of(replace(CALL, **change)) == word


def test_a_record_ends_after_everything_in_it() -> None:
    call = replace(CALL, queued_at_ms=2_000, answered_at_ms=9_000)
    assert ending.record_of(call, 5_000).ended_at_ms == 9_000
    assert ending.record_of(call, 12_000).ended_at_ms == 12_000


def test_the_record_holds_what_the_call_was() -> None:
    book = given(small("an")).available("an").when(arrives(), at=0).when(answers(), at=3).when(leaves(), at=9)
    ended = book.one(CallEnded)
    assert (ended.ended_at_ms - ended.arrived_at_ms, ended.answered_at_ms - ended.queued_at_ms) == (9_000, 3_000)
    book.then(
        a(CallEnded, call="1.1", direction="inbound", hotline=SALES, caller="0967000001", callee=SALES),
        never(CallEnded, agent=""),
    )
    assert (ended.queue, ended.agent, ended.offers, ended.recording) == ("sales", "an", 1, "calls/1.1")


def test_every_ended_call_has_one_record() -> None:
    book = given(small("an")).available("an").when(arrives()).when(answers())
    book.when(HangupAsked("1.1")).then(never(CallEnded)).when(HangupAsked("1.1")).then(never(CallEnded))
    book.when(leg_gone()).then(never(CallEnded)).when(leaves()).then(a(CallEnded)).when(leaves()).then(never(CallEnded))


def test_what_ends_a_call_first_is_its_cause() -> None:
    book = given(small("an")).available("an").when(arrives()).when(answers()).when(leg_gone())
    book.when(HangupAsked("1.1", "boss")).when(leaves()).then(a(CallEnded, end_cause="agent"))


def test_everybody_rung_is_let_go() -> None:
    book = given(small("an", "binh", strategy=Strategy.RING_ALL)).available("an", "binh").when(arrives()).when(leaves())
    book.only(a(HangUp, channel="1.1.a1"), a(HangUp, channel="1.1.a2"))
    book.then(a(OfferEnded, agent="an", outcome="cancelled"), a(OfferEnded, agent="binh", outcome="cancelled"))


def test_an_unanswered_call_has_no_bridge_to_close() -> None:
    given(small("an")).available("an").when(arrives()).when(HangupAsked("1.1")).then(never(CloseBridge))


def test_an_end_clears_the_alerts() -> None:
    setup = small("an", hotline=Hotline(SALES, queue="sales", notify_answer_time=2))
    book = given(setup).available("an").when(arrives()).when(rings()).passes(3)
    assert book.world.alerts
    book.when(leaves()).then(a(AlertCleared))
    assert not book.world.alerts


def test_an_offer_whose_agent_is_gone_is_taken_back_all_the_same() -> None:
    """A row that could not be read leaves an offer without its agent."""
    book = given(small("an")).available("an").when(arrives())
    book.world.remove("agent", "an")
    turn = Turn(book.world, book.now_ms, "test#1")
    ending.withdraw_all(turn, "1.1")
    assert turn.commands == [HangUp("1.1", "test#1", "1.1.a1")]
    assert book.call("1.1").offers == ()


def test_a_talk_whose_agent_is_elsewhere_hangs_up_the_leg() -> None:
    book = given(small("an")).available("an").when(arrives()).when(answers())
    book.world.put(replace(book.agent("an"), phase=AgentPhase.IDLE, call="", leg=""))
    turn = Turn(book.world, book.now_ms, "test#1")
    ending.end_talk(turn, "1.1")
    assert turn.commands == [HangUp("1.1", "test#1", "1.1.a1")]
    assert book.call("1.1").talk_ended_at_ms == book.now_ms


def test_whoever_is_ending_is_not_ended_again() -> None:
    book = given(small("an")).when(arrives())
    assert book.call("1.1").phase is Phase.ENDING
    turn = Turn(book.world, book.now_ms, "test#1")
    ending.hang_up(turn, book.call("1.1"), "supervisor")
    assert (turn.commands, book.call("1.1").end_cause) == ([], "overflow")
