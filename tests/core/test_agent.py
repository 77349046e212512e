"""Agents: wrap-up and who shortens it, status at any moment, the truth about phones, one pair of hands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core import agent as agents
from controller.core.commands import HangUp, ReplyTrunks, RingAgent
from controller.core.events import (
    HangupAsked,
    LinkLost,
    OutboundAsked,
    OutboundEnded,
    PhoneChanged,
    PhoneChannel,
    SetupChanged,
    WrapUpEndAsked,
    WrapUpExtendAsked,
)
from controller.core.facts import AgentChanged, CallEnded, CallOffered, OddEvent, OfferEnded
from controller.core.model import AgentPhase, Phase
from controller.core.setup import Hotline, Setup
from controller.core.turn import Turn
from tests.core.setups import SALES, small
from tests.core.words import answers, arrives, busy, leaves, leg_gone, leg_seen, rings, snapshot, status
from tests.playbook import ZERO_MS, Playbook, a, given, never

pytestmark = pytest.mark.pure


def hotline(wrap_up: int) -> Hotline:
    return Hotline(SALES, queue="sales", trunk="v1", carrier="viettel", outbound=True, wrap_up=wrap_up)


def talked(setup: Setup, until: float = 10) -> Playbook:
    """An talks from 0 s on and hangs up."""
    book = given(setup).available("an").when(arrives(), at=0).when(answers(), at=0)
    return book.when(leg_gone(), at=until).when(leaves(), at=until)


def rest_s(book: Playbook, since: float = 10) -> float | None:
    until_ms = book.agent("an").wrap_up_until_ms
    return None if until_ms is None else (until_ms - ZERO_MS) / 1000 - since


# -- wrap-up ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of_queue", "of_hotline", "own", "expected"),
    [(10, 0, None, 10), (10, 25, None, 25), (30, 25, None, 30), (30, 25, 5, 5), (30, 25, 0, None), (0, 0, None, None)],
)
def test_the_longer_of_queue_and_hotline_and_an_agents_own_wins(
    of_queue: int, of_hotline: int, own: int | None, expected: int | None
) -> None:
    book = talked(small("an", own_wrap_up=own, wrap_up=of_queue, hotline=hotline(of_hotline)))
    assert rest_s(book) == expected
    assert book.states()["an"] == ("ready" if expected is None else "wrap_up")


def test_the_rest_begins_when_the_talk_ends_whoever_ends_it() -> None:
    book = given(small("an", wrap_up=20)).available("an").when(arrives(), at=0).when(answers(), at=0)
    book.when(leaves(), at=7).then(a(AgentChanged, agent="an", state="wrap_up"))
    assert rest_s(book, since=7) == 20
    assert book.agent("an").phase is AgentPhase.RELEASING
    book.when(leg_gone(), at=8)
    assert rest_s(book, since=7) == 20


def test_a_supervisor_who_ends_the_talk_begins_the_rest_too() -> None:
    book = given(small("an", wrap_up=20)).available("an").when(arrives(), at=0).when(answers(), at=0)
    book.when(HangupAsked("1.1", "boss"), at=5).then(
        a(HangUp, channel="1.1.a1"), a(AgentChanged, state="wrap_up", by="boss")
    )
    book.when(leaves(), at=6).then(a(CallEnded, end_cause="supervisor", result="answered"))


def test_an_unanswered_call_gives_no_rest() -> None:
    book = given(small("an", wrap_up=20)).available("an").when(arrives()).when(leaves()).when(leg_gone())
    assert book.states() == {"an": "ready"}


def test_nobody_in_wrap_up_is_offered_and_the_end_is_exact() -> None:
    book = talked(small("an", wrap_up=20)).when(arrives(2), at=11).then(never(RingAgent))
    book.passes(18.99).then(never(RingAgent))
    book.passes(0.01).then(a(RingAgent, call="1.2"), a(AgentChanged, agent="an", state="offered"))


def test_the_rest_is_ended_early_once() -> None:
    book = talked(small("an", wrap_up=20)).when(WrapUpEndAsked("an", "an"), at=12)
    book.then(a(AgentChanged, state="ready", wrap_up_until_ms=None, by="an"))
    assert book.answer.ok
    assert book.when(WrapUpEndAsked("an")).answer.code == "conflict"
    assert book.when(WrapUpEndAsked("nobody")).answer.code == "not_found"


def test_the_rest_is_extended_to_ten_minutes_in_all_and_no_further() -> None:
    book = talked(small("an", wrap_up=20)).when(WrapUpExtendAsked("an", 30), at=15)
    assert rest_s(book) == 50
    assert book.when(WrapUpExtendAsked("an", 550)).answer.ok
    assert rest_s(book) == 600
    refused = book.when(WrapUpExtendAsked("an", 1)).answer
    assert (refused.code, "600" in str(refused.reason)) == ("invalid", True)
    assert rest_s(book) == 600
    assert book.when(WrapUpExtendAsked("an", 0)).answer.code == "invalid"
    assert book.when(WrapUpExtendAsked("nobody", 5)).answer.code == "not_found"


def test_there_is_no_rest_to_extend_when_none_runs() -> None:
    assert given(small("an")).available("an").when(WrapUpExtendAsked("an", 5)).answer.code == "conflict"


def test_the_setup_may_allow_another_longest_rest() -> None:
    setup = small("an", wrap_up=20)
    setup = replace(setup, defaults=replace(setup.defaults, wrap_up_max=25))
    book = talked(setup)
    assert not book.when(WrapUpExtendAsked("an", 6)).answer.ok
    assert book.when(WrapUpExtendAsked("an", 5)).answer.ok


def test_the_rest_outlives_a_restart_to_the_millisecond() -> None:
    book = talked(small("an", wrap_up=20))
    until_ms = book.agent("an").wrap_up_until_ms
    book.restarted().when(snapshot(phones=("an",)), at=15)
    assert book.agent("an").wrap_up_until_ms == until_ms
    book.when(arrives(2)).then(never(RingAgent)).passes(15).then(a(RingAgent, call="1.2"))


def test_a_rest_that_ended_while_nobody_ran_is_over() -> None:
    book = talked(small("an", wrap_up=20)).restarted()
    book.when(snapshot(phones=("an",)), at=31)
    assert book.states() == {"an": "ready"}


def test_dialling_out_in_wrap_up_is_allowed_and_does_not_shorten_it() -> None:
    book = talked(small("an", wrap_up=20, hotline=hotline(5)))
    book.when(OutboundAsked("1.9", "an", "0967123456"), at=12).then(a(ReplyTrunks, refusal=""))
    assert book.states() == {"an": "busy"}
    book.when(PhoneChannel("an", "1.9", "up"), at=13).when(OutboundEnded("1.9", "ANSWER", 16, 2), at=15)
    book.when(PhoneChannel("an", "1.9", "gone"), at=15)
    assert rest_s(book) == 20, "the longer one stays"


def test_a_talk_dialled_in_wrap_up_can_make_it_longer() -> None:
    book = talked(small("an", wrap_up=20, hotline=hotline(25))).when(OutboundAsked("1.9", "an", "0967123456"), at=12)
    book.when(PhoneChannel("an", "1.9", "up"), at=13).when(OutboundEnded("1.9", "ANSWER", 16, 2), at=15)
    assert rest_s(book, since=15) == 25


@pytest.mark.parametrize(
    ("status_", "rests"), [("ANSWER", True), ("NOANSWER", False), ("BUSY", False), ("CANCEL", False)]
)
def test_outbound_calls_give_a_rest_when_they_were_answered(status_: str, rests: bool) -> None:
    book = given(small("an", hotline=hotline(30))).available("an").when(OutboundAsked("1.9", "an", "0967123456"))
    book.when(OutboundEnded("1.9", status_, 16, 0)).when(PhoneChannel("an", "1.9", "gone"))
    assert book.states() == {"an": "wrap_up" if rests else "ready"}


def test_one_agent_has_one_rest() -> None:
    book = talked(small("an", wrap_up=20)).when(status("an", "not_ready", "lunch"), at=12)
    assert book.states() == {"an": "wrap_up"}
    book.passes(18)
    assert book.states() == {"an": "not_ready"}


# -- status ----------------------------------------------------------------------------------------------------------


def test_a_status_is_accepted_whatever_the_phone_says() -> None:
    book = given(small("an"), reachable=False)
    assert book.when(status("an", "available")).answer.ok
    assert book.states() == {"an": "unreachable"}
    book.when(PhoneChanged("an", True)).then(a(AgentChanged, agent="an", state="ready"))


@pytest.mark.parametrize(("who", "word", "code"), [("nobody", "available", "not_found"), ("an", "asleep", "invalid")])
def test_what_is_no_status_or_no_agent_is_refused(who: str, word: str, code: str) -> None:
    book = given(small("an")).when(status(who, word))
    assert book.answer.code == code
    assert book.states() == {"an": "offline"}


def test_the_reason_belongs_to_not_ready() -> None:
    book = given(small("an")).when(status("an", "not_ready", "x" * 500))
    assert len(book.agent("an").reason) == agents.REASON_MAX
    book.when(status("an", "available", "ignored"))
    assert book.agent("an").reason == ""


@pytest.mark.parametrize("word", ["not_ready", "offline"])
def test_a_status_changed_while_talking_counts_after_the_talk(word: str) -> None:
    book = given(small("an", wrap_up=0)).available("an").when(arrives()).when(answers()).when(status("an", word))
    book.then(never(HangUp))
    assert book.states() == {"an": "talking"}
    book.when(leg_gone()).when(leaves()).when(arrives(2)).then(never(CallOffered))
    assert book.states() == {"an": word}


@pytest.mark.parametrize("word", ["not_ready", "offline"])
def test_a_status_changed_while_offered_takes_the_offer_away(word: str) -> None:
    book = given(small("an", "binh")).available("an", "binh").when(arrives()).when(status("an", word))
    book.then(a(OfferEnded, agent="an", outcome="declined"), a(CallOffered, agent="binh"))
    book.when(leg_gone())
    assert book.states() == {"an": word, "binh": "offered"}


def test_available_while_offered_changes_nothing() -> None:
    book = given(small("an")).available("an").when(arrives()).when(status("an", "available"))
    book.then(never(OfferEnded), never(RingAgent))


# -- the truth about phones ------------------------------------------------------------------------------------------


def test_an_unreachable_phone_is_not_rung() -> None:
    book = given(small("an")).available("an").unreachable("an").when(arrives()).then(never(RingAgent))
    book.when(PhoneChanged("an", True)).then(a(RingAgent, endpoint="an"))


@pytest.mark.parametrize("sign", [PhoneChanged("an", True), PhoneChannel("an", "9.9", "ring"), None])
def test_a_phone_that_failed_an_offer_is_set_aside_until_a_sign_of_life(sign: object) -> None:
    book = given(small("an", max_wait=300)).available("an").when(arrives()).when(leg_gone(1, 1, 20), at=0)
    assert book.states() == {"an": "unreachable"}
    book.passes(30).then(never(RingAgent))
    if sign is None:
        book.passes(30)
    elif isinstance(sign, PhoneChannel):
        book.when(sign).when(PhoneChannel("an", "9.9", "gone"))
    else:
        book.when(sign)
    assert book.states() == {"an": "ready"}
    book.passes(2).then(a(RingAgent, endpoint="an"))


def test_the_phone_that_says_it_is_unreachable_gives_no_sign_of_life() -> None:
    book = given(small("an")).available("an").when(arrives()).when(leg_gone(1, 1, 20)).when(PhoneChanged("an", False))
    assert book.agent("an").unreachable_until_ms is not None


@pytest.mark.parametrize("state", ["down", "ring", "up"])
def test_a_call_that_is_not_ours_makes_the_phone_busy(state: str) -> None:
    book = given(small("an")).available("an").when(PhoneChannel("an", "9.9", state)).then(a(AgentChanged, state="busy"))
    book.when(PhoneChannel("an", "9.8", "up")).when(PhoneChannel("an", "9.9", "gone"))
    assert book.states() == {"an": "busy"}, "another one is still there"
    book.when(PhoneChannel("an", "9.8", "gone")).then(a(AgentChanged, state="ready"))


def test_no_more_foreign_channels_are_kept_than_a_phone_has() -> None:
    book = given(small("an")).available("an")
    for n in range(40):
        book.when(PhoneChannel("an", f"9.{n}", "up"))
    assert len(book.agent("an").foreign) == agents.FOREIGN_MAX


def test_our_own_legs_are_no_foreign_channels() -> None:
    book = given(small("an")).available("an").when(arrives()).when(PhoneChannel("an", "1.1.a1", "up"))
    assert book.agent("an").foreign == ()


@pytest.mark.parametrize("event", [PhoneChanged("ghost", True), PhoneChannel("ghost", "9.9", "up")])
def test_phones_of_nobody_are_nobodys_business(event: object) -> None:
    book = given(small("an")).available("an").when(event).only()
    assert book.facts == []


# -- one pair of hands ------------------------------------------------------------------------------------------------


def test_a_leg_that_was_given_up_holds_its_agent_until_it_is_gone() -> None:
    book = given(small("an")).available("an").when(arrives(1)).when(leaves(1)).only(a(HangUp, channel="1.1.a1"))
    book.when(arrives(2)).then(never(RingAgent))
    book.when(leg_gone(1)).then(a(RingAgent, call="1.2"))


def test_a_leg_that_never_goes_is_hung_up_again_and_its_phone_set_aside() -> None:
    book = given(small("an")).available("an").when(arrives(1)).when(leaves(1), at=0)
    book.passes(4.9).then(never(HangUp))
    book.passes(0.1).only(a(HangUp, call="1.1", channel="1.1.a1"))
    assert book.states() == {"an": "unreachable"}


def test_the_end_of_a_leg_heard_late_or_twice_does_no_harm() -> None:
    book = given(small("an", "binh")).available("an", "binh").when(arrives(1)).when(busy()).when(answers(1, 2))
    book.when(leg_gone(1, 1)).when(leg_gone(1, 1))
    assert book.states() == {"an": "ready", "binh": "talking"}


def test_an_agent_who_dials_while_offered_declines() -> None:
    book = given(small("an", "binh")).available("an", "binh").when(arrives())
    book.when(OutboundAsked("1.9", "an", "0967123456"))
    book.then(a(OfferEnded, agent="an", outcome="declined"), a(ReplyTrunks, refusal=""), a(RingAgent, endpoint="binh"))
    book.when(leg_gone(1, 1))
    assert book.agent("an").phase is AgentPhase.DIALING


def test_somebody_who_was_never_rung_cannot_answer() -> None:
    book = given(small("an", "binh")).available("an", "binh").when(arrives()).when(rings())
    turn = Turn(book.world, book.now_ms, "test#1")
    with pytest.raises(LookupError, match="answered while idle"):
        agents.move(turn, "binh", "answered")


def test_an_agent_removed_while_talking_finishes_the_talk() -> None:
    setup = small("an", "binh", wrap_up=20)
    book = given(setup).available("an", "binh").when(arrives()).when(answers())
    book.when(SetupChanged(replace(setup, agents=setup.agents[1:]))).then(never(HangUp), never(OddEvent))
    assert book.call("1.1").phase is Phase.TALKING
    book.when(leg_gone()).when(leaves()).then(a(CallEnded, agent="an", result="answered"))
    assert set(book.world.agents) == {"binh"}


def test_a_leg_is_waited_for_longer_while_nobody_listens() -> None:
    book = given(small("an")).available("an").when(arrives()).when(leaves()).when(LinkLost("cut")).passes(30)
    book.then(never(HangUp))
    assert book.agent("an").phase is AgentPhase.RELEASING
    book.when(snapshot(phones=("an",)))
    assert book.states() == {"an": "ready"}


def test_a_leg_still_there_after_a_cut_is_hung_up_again_and_its_phone_not_blamed() -> None:
    book = given(small("an")).available("an").when(arrives()).when(leaves()).when(LinkLost("cut"))
    book.when(snapshot(leg_seen("1.1.a1", "an", "ring"), phones=("an",)), at=4).only(a(HangUp, channel="1.1.a1"))
    book.passes(4.9).then(never(HangUp))
    book.when(leg_gone())
    assert book.states() == {"an": "ready"}
