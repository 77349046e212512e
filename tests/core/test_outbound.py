"""Agents who dial: the decision asked in the dial path, the next trunk, meters, and how it ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import HangUp, RecordOutbound, ReplyTrunks, RingPhone
from controller.core.events import (
    CallGone,
    CommandFailed,
    HangupAsked,
    HoldChanged,
    OutboundAsked,
    OutboundEnded,
    OutboundNextAsked,
    PhoneChannel,
)
from controller.core.facts import (
    AgentChanged,
    CallAnswered,
    CallEnded,
    CallStarted,
    OddEvent,
    OfferEnded,
    OutboundBlocked,
    OutboundPicked,
    TrunkFailed,
)
from controller.core.meter import FAILURES_MAX
from controller.core.model import AgentPhase, Attempt, Phase
from controller.core.outbound import DIAL_S, _begin, gone
from controller.core.setup import Adaptive, Blocked, Hotline, Setup, Trunk, Way, WayKind
from controller.core.trunks import Decision
from controller.core.turn import Turn
from tests.core.setups import NEVER, SALES, small
from tests.core.words import answers, arrives, caller_seen, leg_gone, own_seen, snapshot
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

SECOND = "+842473001002"
ASKED = OutboundAsked("1.9", "an", "0967123456")


def trunks(**first: object) -> Setup:
    """Two trunks of one carrier, a hotline on each, adaptive as the agents' default."""
    setup = small("an", "binh", hotline=Hotline(SALES, queue="sales", trunk="v1", carrier="viettel", outbound=True))
    second = Hotline(SECOND, queue="sales", trunk="v2", carrier="viettel", outbound=True, wrap_up=9, notify_talk_time=7)
    one = replace(Trunk("v1", "viettel", endpoint="v1"), **first)
    return replace(setup, trunks=(one, Trunk("v2", "viettel", endpoint="v2")), hotlines=(*setup.hotlines, second))


def dials(setup: Setup | None = None) -> Playbook:
    return given(setup or trunks()).when(PhoneChannel("an", "1.9", "ring")).when(ASKED)


def test_an_agent_who_dials_is_given_a_trunk_and_is_busy() -> None:
    book = dials()
    attempt = book.one(ReplyTrunks).attempt
    assert isinstance(attempt, Attempt)
    assert (attempt.trunk, attempt.number, attempt.caller_id) == ("v1", "0967123456", SALES)
    book.only(a(ReplyTrunks, call="1.9", refusal="", dial_timeout_s=DIAL_S))
    book.then(
        a(CallStarted, direction="outbound", agent="an", caller="101", callee="+84967123456"),
        a(OutboundPicked, carrier="viettel", carrier_source="prefix"),
    )
    assert book.states()["an"] == "busy"
    assert book.world.trunks["v1"].live == ("1.9",)
    assert book.agent("an").foreign == ()


def test_the_agent_s_channel_goes_up_when_the_callee_answers() -> None:
    book = dials().when(PhoneChannel("an", "1.9", "up")).then(a(CallAnswered, agent="an", hotline=SALES))
    assert book.call("1.9").phase is Phase.CONNECTED
    assert book.states()["an"] == "talking"
    book.when(PhoneChannel("an", "1.9", "up")).then(never(CallAnswered))
    book.when(OutboundAsked("1.8", "an", "0967123456")).only(a(ReplyTrunks, refusal="in_call"))


def test_an_agent_s_row_from_before_they_could_be_seen_talking_is_mended() -> None:
    book = dials().when(PhoneChannel("an", "1.9", "up"))
    book.world.put(replace(book.agent("an"), phase=AgentPhase.DIALING))
    book.when(snapshot(own_seen("1.9", "an"), phones=("an",)))
    assert book.states()["an"] == "talking"
    book.when(PhoneChannel("an", "1.9", "gone")).then(a(CallEnded, result="answered"))


@pytest.mark.parametrize("row", [Phase.DIALING, Phase.CONNECTED])
def test_an_agent_s_own_phone_holds_an_outbound_call(row: Phase) -> None:
    book = dials()
    if row is Phase.CONNECTED:
        book.when(PhoneChannel("an", "1.9", "up"))
    book.when(HoldChanged("1.9", "1.9", True))
    assert book.call("1.9").held_by == (("agent",) if row is Phase.CONNECTED else ())
    book.when(OutboundEnded("1.9", "ANSWER", 16, 3)).then(
        a(CallEnded, result="answered", end_cause="agent", trunk="v1")
    )
    assert book.world.trunks["v1"].live == ()


def test_an_adaptive_number_s_own_switch_decides_about_recording() -> None:
    setup = replace(trunks(), adaptives=(Adaptive("auto", record_outbound=True),))
    book = dials(setup).when(PhoneChannel("an", "1.9", "up"))
    book.only(a(RecordOutbound, snoop="1.9.sn", name="calls/1.9"))
    book.when(CommandFailed("1.9", "RecordOutbound", "calls/1.9", "no")).when(OutboundEnded("1.9", "ANSWER"))
    book.then(a(CallEnded, recording="", via="auto"))


@pytest.mark.parametrize(
    ("word", "result", "cause"),
    [
        ("ANSWER", "answered", "agent"),
        ("BUSY", "missed", "busy"),
        ("DECLINED", "missed", "declined"),
        ("NOANSWER", "missed", "no_answer"),
        ("CANCEL", "missed", "agent"),
        ("CHANUNAVAIL", "failed", "trunk"),
        ("CONGESTION", "failed", "trunk"),
        ("INVALIDARGS", "failed", "failed"),
    ],
)
def test_every_outcome_of_dial_has_a_word_in_the_history(word: str, result: str, cause: str) -> None:
    book = dials().when(OutboundEnded("1.9", word, 16, 0)).then(a(CallEnded, result=result, end_cause=cause))
    assert book.world.trunks["v1"].live == ()


def test_a_talk_the_callee_ended_is_told_so() -> None:
    book = dials().when(PhoneChannel("an", "1.9", "up")).when(OutboundEnded("1.9", "ANSWER", 16, 3, by_callee=True))
    book.then(a(CallEnded, result="answered", end_cause="callee"))


def test_an_answer_heard_of_only_at_the_end_is_an_answer() -> None:
    book = dials().passes(20).when(OutboundEnded("1.9", "ANSWER", 16, 12))
    ended = book.one(CallEnded)
    assert (ended.ended_at_ms - ended.answered_at_ms, ended.result) == (12_000, "answered")


def test_a_report_of_more_talk_than_there_was_time_is_cut() -> None:
    ended = dials().when(OutboundEnded("1.9", "ANSWER", 16, 9_999)).one(CallEnded)
    assert ended.answered_at_ms == ended.arrived_at_ms


@pytest.mark.parametrize("gone", [PhoneChannel("an", "1.9", "gone"), CallGone("1.9")])
def test_a_channel_that_goes_without_a_report_ends_the_call(gone: object) -> None:
    book = dials().when(gone).then(a(CallEnded, result="missed", end_cause="agent"))
    assert book.states()["an"] == "offline"
    book.when(OutboundEnded("1.9", "CANCEL")).only()
    assert book.facts == []


# -- the next trunk ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["CONGESTION", "CHANUNAVAIL"])
def test_the_next_trunk_is_given_when_the_trunk_failed_itself(word: str) -> None:
    book = dials().when(OutboundNextAsked("1.9", word, 34)).then(a(TrunkFailed, trunk="v1", status=word, cause=34))
    assert book.one(ReplyTrunks).attempt.trunk == "v2"
    assert (book.world.trunks["v1"].live, book.world.trunks["v2"].live) == ((), ("1.9",))


@pytest.mark.parametrize("word", ["BUSY", "DECLINED", "NOANSWER", "CANCEL", "INVALIDARGS"])
def test_the_next_trunk_is_not_given_for_the_callee_s_reasons(word: str) -> None:
    book = dials().when(OutboundNextAsked("1.9", word, 17)).only(a(ReplyTrunks, attempt=None)).then(never(TrunkFailed))
    assert book.world.trunks["v1"].live == ("1.9",)


def test_after_the_last_trunk_there_is_none() -> None:
    book = dials().when(OutboundNextAsked("1.9", "CONGESTION", 34)).when(OutboundNextAsked("1.9", "CONGESTION", 34))
    book.only(a(ReplyTrunks, attempt=None, refusal="no_trunk"))
    book.when(OutboundEnded("1.9", "CONGESTION", 34))
    book.then(a(CallEnded, result="failed", end_cause="trunk", reason="no_trunk"), never(TrunkFailed))


def test_a_trunk_that_keeps_failing_is_left_out_and_comes_back() -> None:
    book = given(trunks())
    for n in range(FAILURES_MAX):
        book.when(OutboundAsked(f"1.{n}", "an", "0967123456", SALES))
        book.when(OutboundNextAsked(f"1.{n}", "CONGESTION", 34)).when(OutboundEnded(f"1.{n}", "BUSY", 17))
        book.when(PhoneChannel("an", f"1.{n}", "gone"))
    assert book.world.trunks["v1"].cooling_until_ms is not None
    book.when(OutboundAsked("1.7", "an", "0967123456", SALES))
    assert book.one(ReplyTrunks).attempt.trunk == "v2"
    book.when(OutboundEnded("1.7", "BUSY", 17)).passes(30)
    assert book.world.trunks["v1"].cooling_until_ms is None
    book.when(OutboundAsked("1.8", "an", "0967123456", SALES))
    assert book.one(ReplyTrunks).attempt.trunk == "v1"


def test_a_trunk_that_carries_a_call_is_forgiven() -> None:
    book = dials().when(OutboundNextAsked("1.9", "CONGESTION", 34)).when(OutboundEnded("1.9", "BUSY", 17))
    assert book.world.trunks["v1"].failures == 1
    book.when(OutboundAsked("1.8", "binh", "0967123456", SALES)).when(PhoneChannel("binh", "1.8", "up"))
    assert book.world.trunks["v1"].failures == 0


def test_the_caps_of_a_trunk_hold() -> None:
    book = given(trunks(max_channels=1)).when(replace(ASKED, via=SALES))
    book.when(OutboundAsked("1.8", "binh", "0967123456", SALES))
    assert book.one(ReplyTrunks).attempt.trunk == "v2"


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_whoever_is_no_agent_of_ours_may_not_dial() -> None:
    book = given(trunks()).when(OutboundAsked("1.9", "ghost", "0967123456"))
    book.only(a(ReplyTrunks, attempt=None, refusal="not_agent"))
    book.then(
        a(CallStarted), a(OutboundBlocked, reason="not_agent"), a(CallEnded, result="refused", end_cause="refused")
    )
    assert not book.world.calls


@pytest.mark.parametrize(
    ("via", "dialled", "word", "result"),
    [
        ("", "0900000001", "blocked", "blocked"),
        (SALES, "hello", "not_understood", "refused"),
        ("nobody", "0967123456", "no_hotline", "refused"),
    ],
)
def test_a_refused_call_is_in_the_history_with_its_reason(via: str, dialled: str, word: str, result: str) -> None:
    setup = replace(trunks(), blocked=(Blocked("+84900000001", ("outbound",)),))
    book = given(setup).when(OutboundAsked("1.9", "an", dialled, via)).only(a(ReplyTrunks, attempt=None, refusal=word))
    book.then(a(OutboundBlocked, agent="an", reason=word), a(CallEnded, result=result, reason=word, agent="an"))
    assert book.agent("an").phase is AgentPhase.IDLE


def test_a_number_with_other_characters_is_refused_whatever_is_left_of_it() -> None:
    for dialled in ("0967123456", "113", ""):
        book = given(trunks()).when(OutboundAsked("1.9", "an", dialled, odd=True))
        book.only(a(ReplyTrunks, attempt=None, refusal="not_understood"))
        book.then(a(OutboundBlocked, agent="an"), a(CallEnded, result="refused", reason="not_understood", agent="an"))


def test_an_agent_who_talks_may_not_dial() -> None:
    book = given(trunks()).available("an").when(arrives()).when(answers()).when(ASKED)
    book.only(a(ReplyTrunks, attempt=None, refusal="in_call"))
    assert book.states()["an"] == "talking"


def test_an_agent_dials_once_at_a_time() -> None:
    book = dials().when(OutboundAsked("1.8", "an", "0967123457")).only(a(ReplyTrunks, call="1.8", refusal="in_call"))
    book.then(a(CallEnded, call="1.8"))
    assert list(book.world.calls) == ["1.9"]


def test_asking_twice_for_one_call_is_refused_and_leaves_it_alone() -> None:
    book = dials().when(ASKED).only(a(ReplyTrunks, attempt=None, refusal="not_permitted"))
    assert book.call("1.9").phase is Phase.DIALING
    book.when(OutboundEnded("1.9", "BUSY")).when(ASKED).only(a(ReplyTrunks, attempt=None))
    assert not book.world.calls


def test_no_trunk_with_room_is_a_refusal_with_a_record() -> None:
    setup = trunks(max_channels=1)
    setup = replace(setup, trunks=setup.trunks[:1], hotlines=setup.hotlines[:1])
    book = given(setup).when(ASKED).when(OutboundAsked("1.8", "binh", "0967123456"))
    book.only(a(ReplyTrunks, attempt=None, refusal="no_trunk"))
    book.then(a(CallEnded, call="1.8", result="refused", reason="no_trunk"))
    assert book.states()["binh"] == "offline"


# -- what else may come -----------------------------------------------------------------------------------------------


def test_a_supervisor_ends_a_dialled_call() -> None:
    book = dials().when(PhoneChannel("an", "1.9", "up")).when(HangupAsked("1.9", "boss")).only(a(HangUp, channel="1.9"))
    book.when(OutboundNextAsked("1.9", "CONGESTION")).only(a(ReplyTrunks, attempt=None, refusal="not_permitted"))
    book.when(CallGone("1.9")).then(a(CallEnded, end_cause="supervisor", result="answered"))


def test_a_dialled_call_that_will_not_go_is_over_after_a_while() -> None:
    book = dials().when(HangupAsked("1.9", "boss")).passes(10).only(a(HangUp, channel="1.9"))
    book.then(a(CallEnded, end_cause="supervisor"), a(AgentChanged, agent="an", state="offline"))


def test_the_agent_is_in_use_until_the_channel_is_gone() -> None:
    book = dials().when(OutboundEnded("1.9", "BUSY", 17))
    assert book.states()["an"] == "busy"
    book.when(PhoneChannel("an", "1.9", "gone"))
    assert book.states()["an"] == "offline"


def test_a_question_about_no_call_is_answered_all_the_same() -> None:
    given(trunks()).when(OutboundNextAsked("1.7", "CONGESTION")).only(a(ReplyTrunks, attempt=None, refusal="no_trunk"))


def test_legs_have_no_business_with_a_dialled_call() -> None:
    book = dials().when(answers(9)).then(a(OddEvent, event="LegAnswered")).only()
    assert book.call("1.9").phase is Phase.DIALING


def test_the_hotline_that_really_carries_the_call_sets_its_terms() -> None:
    book = dials().when(OutboundNextAsked("1.9", "CONGESTION", 34))
    call = book.call("1.9")
    assert (call.hotline, call.caller_id, call.wrap_up_s, call.talk_limit_s) == (SECOND, SECOND, 9, 7)


def test_an_agent_who_dials_while_offered_lets_the_offer_go() -> None:
    book = given(trunks()).available("an").when(arrives()).when(ASKED)
    book.then(a(OfferEnded, agent="an", outcome="declined"), a(ReplyTrunks, refusal=""))
    assert book.agent("an").phase is AgentPhase.DIALING


def test_attempts_without_room_are_a_refusal() -> None:
    """The decision saw room that is gone when the attempt is made; it cannot happen in one step, and does no harm."""
    book = given(trunks())
    turn = Turn(book.world, book.now_ms, "OutboundAsked#1")
    decision = Decision(True, "", "0967123456", attempts=(Attempt("gone", "gone", "0967123456", SALES, SALES, ""),))
    _begin(turn, ASKED, "an", decision)
    assert [type(fact) for fact in turn.facts] == [CallStarted, OutboundPicked, CallEnded]
    assert not book.world.calls


def forwarding() -> Playbook:
    setup = trunks()
    row = replace(setup.hotlines[0], hours="never", closed=Way(WayKind.PHONE, "0912345678"))
    return given(replace(setup, hotlines=(row, *setup.hotlines[1:]), schedules=(NEVER,))).when(arrives())


def test_a_forward_takes_the_next_trunk_when_the_trunk_failed() -> None:
    forwarding().when(leg_gone(1, 1, 34, 503, "p")).then(a(TrunkFailed, trunk="v1"), a(RingPhone, endpoint="v2"))


def test_a_forward_ends_when_the_callee_would_not() -> None:
    forwarding().when(leg_gone(1, 1, 17, 486, "p")).only(a(HangUp, channel="1.1"))


def test_a_forward_lost_in_a_cut_is_rung_again_by_the_same_trunk() -> None:
    forwarding().when(snapshot(caller_seen())).only(a(RingPhone, leg="1.1.p2", endpoint="v1"))


def test_a_dialled_call_lost_with_asterisk_is_over() -> None:
    book = dials().when(PhoneChannel("an", "1.9", "ring")).when(snapshot(phones=("an", "binh"), boot="boot 2"))
    book.then(a(CallEnded, end_cause="pbx_lost", result="failed"))


def test_an_agent_removed_meanwhile_does_not_hinder_the_end() -> None:
    book = dials()
    book.world.remove("agent", "an")
    turn = Turn(book.world, book.now_ms, "test#1")
    gone(turn, book.call("1.9"))
    assert not book.world.calls


def test_a_trunk_that_failed_at_the_last_is_blamed_once() -> None:
    book = dials().when(OutboundEnded("1.9", "CONGESTION", 34)).then(a(TrunkFailed, trunk="v1"))
    assert book.world.trunks["v1"].failures == 1


@pytest.mark.parametrize(("extension", "caller"), [("101", "101"), ("", "an")])
def test_an_agent_without_an_extension_calls_by_name(extension: str, caller: str) -> None:
    setup = trunks()
    setup = replace(setup, agents=(replace(setup.agents[0], extension=extension), *setup.agents[1:]))
    given(setup).when(ASKED).then(a(CallStarted, caller=caller))
    given(setup).when(replace(ASKED, dialled="hello")).then(a(CallStarted, caller=caller), a(CallEnded, caller=caller))
