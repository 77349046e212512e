"""Click to call: the agent's phone first, then the number, by the rules of a phone that dials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from controller.core.commands import HangUp, RecordOutbound, ReplyTrunks, RingDialler
from controller.core.events import (
    CalleeAnswered,
    ClickToCallAsked,
    CommandFailed,
    HangupAsked,
    OutboundAsked,
    OutboundEnded,
    PhoneChannel,
    SetupChanged,
)
from controller.core.facts import CallAnswered, CallEnded, CallStarted, OutboundBlocked, OutboundPicked
from controller.core.model import AgentPhase, Phase
from controller.core.setup import Adaptive, Blocked
from tests.core.test_outbound import SECOND, trunks
from tests.core.words import arrives
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

CALL = "click-1.1"
NUMBER = "0967123456"
ASKED = ClickToCallAsked(CALL, "an", NUMBER, by="boss")
UP = PhoneChannel("an", CALL, "up")
DIALS = OutboundAsked(CALL, "an", NUMBER)


def clicked(event: ClickToCallAsked = ASKED) -> Playbook:
    return given(trunks()).available("an").when(event)


def test_the_agent_s_phone_rings_first_and_nobody_else_rings_it() -> None:
    book = clicked()
    book.only(a(RingDialler, call=CALL, endpoint="an", dialled=NUMBER, via=""))
    book.then(a(CallStarted, direction="outbound", agent="an", callee="+84967123456"), never(OutboundPicked))
    assert book.call(CALL).phase is Phase.CALLING
    assert book.states()["an"] == "busy"
    assert book.world.trunks.get("v1") is None, "no trunk is taken before the agent is there"
    book.when(arrives())
    assert not book.call("1.1").offers


def test_picked_up_it_goes_the_way_of_every_call_an_agent_dials() -> None:
    book = clicked().when(UP).then(never(CallAnswered)).when(DIALS).then(a(OutboundPicked, agent="an"))
    assert book.one(ReplyTrunks).attempt is not None
    assert (book.call(CALL).phase, book.world.trunks["v1"].live) == (Phase.DIALING, (CALL,))
    book.when(UP).then(never(CallAnswered))
    book.passes(5).when(CalleeAnswered(CALL)).then(a(CallAnswered, agent="an"))
    assert book.states()["an"] == "talking"
    book.when(CalleeAnswered(CALL)).then(never(CallAnswered))
    book.when(OutboundEnded(CALL, "ANSWER", 16, 3, by_callee=True))
    book.then(a(CallEnded, call=CALL, result="answered", end_cause="callee", trunk="v1"))
    assert book.world.trunks["v1"].live == ()


def test_the_dial_path_may_ask_before_the_phone_is_told_to_be_up() -> None:
    book = clicked().when(DIALS).when(UP).then(never(CallAnswered))
    assert book.call(CALL).phase is Phase.DIALING


def test_a_recording_begins_when_the_callee_answers() -> None:
    setup = replace(trunks(), adaptives=(Adaptive("auto", record_outbound=True),))
    book = given(setup).available("an").when(ASKED).when(UP).when(DIALS).when(CalleeAnswered(CALL))
    book.only(a(RecordOutbound, call=CALL))


@pytest.mark.parametrize(
    ("cause", "tech_cause", "end_cause"),
    [(21, 603, "declined"), (17, 486, "busy"), (19, None, "no_answer"), (20, 480, "unreachable")],
)
def test_an_agent_who_does_not_pick_up_ends_it(cause: int, tech_cause: int | None, end_cause: str) -> None:
    book = clicked().when(PhoneChannel("an", CALL, "gone", cause, tech_cause))
    book.then(a(CallEnded, call=CALL, result="missed", end_cause=end_cause))
    assert book.agent("an").phase is AgentPhase.IDLE


def test_a_phone_that_could_not_be_rung_ends_it_and_is_set_aside() -> None:
    book = clicked().when(CommandFailed(CALL, "RingDialler", CALL, "no")).only(a(HangUp, channel=CALL))
    book.then(a(CallEnded, result="failed", end_cause="unreachable"))
    assert book.agent("an").unreachable_until_ms is not None
    book.when(DIALS)
    assert book.one(ReplyTrunks).attempt is None, "a channel that came late may not dial"


def test_a_ring_nobody_hears_the_end_of_is_ended() -> None:
    book = clicked().passes(36).only(a(HangUp, channel=CALL))
    book.passes(11).then(a(CallEnded, call=CALL))
    assert book.agent("an").phase is AgentPhase.IDLE


def test_it_may_be_ended_from_outside_while_the_phone_rings() -> None:
    book = clicked().when(HangupAsked(CALL, "boss")).only(a(HangUp, channel=CALL))
    book.when(PhoneChannel("an", CALL, "gone", 16)).then(a(CallEnded, end_cause="supervisor"))


@pytest.mark.parametrize(
    ("prepare", "code", "word"),
    [
        (lambda book: book.when(arrives()), "conflict", "is in a call"),
        (lambda book: book.when(PhoneChannel("an", "9.9", "ring")), "conflict", "is in a call"),
        (lambda book: book.unreachable("an"), "conflict", "no phone that can be reached"),
        (lambda book: book.when(ASKED), "conflict", "there is a call"),
    ],
    ids=["offered", "in-use", "away", "twice"],
)
def test_a_phone_that_cannot_take_it_is_told_at_once(
    prepare: Callable[[Playbook], Playbook], code: str, word: str
) -> None:
    book = prepare(given(trunks()).available("an")).when(ASKED)
    assert (book.answer.code, word in str(book.answer.reason)) == (code, True), book.answer
    book.only()


def test_nobody_s_phone_rings_for_a_call_that_may_not_be_made() -> None:
    setup = replace(trunks(), blocked=(Blocked("+84967123456"),))
    book = given(setup).available("an").when(ASKED).only()
    assert (book.answer.code, str(book.answer.reason)) == ("refused", "+84967123456 may not be called: blocked")
    book.then(a(OutboundBlocked, reason="blocked"), a(CallEnded, call=CALL, result="blocked", reason="blocked"))
    assert book.agent("an").phase is AgentPhase.IDLE


def test_what_became_forbidden_meanwhile_is_refused_when_it_is_picked_up() -> None:
    setup = trunks()
    switched_off = replace(setup, trunks=tuple(replace(row, enabled=False) for row in setup.trunks))
    book = clicked().when(UP).when(SetupChanged(switched_off)).when(DIALS)
    assert book.one(ReplyTrunks).refusal == "no_trunk"
    book.then(a(CallEnded, call=CALL, result="refused", reason="no_trunk"))
    assert book.states()["an"] == "busy", "the phone still hears why"
    book.when(PhoneChannel("an", CALL, "gone", 16))
    assert book.states()["an"] == "ready"


def test_another_phone_may_not_use_the_name_of_the_call() -> None:
    book = clicked().when(OutboundAsked(CALL, "binh", NUMBER))
    assert book.one(ReplyTrunks).refusal == "not_permitted"
    assert book.call(CALL).phase is Phase.CALLING


def test_a_hotline_may_be_named() -> None:
    book = clicked(replace(ASKED, via=SECOND)).only(a(RingDialler, via=SECOND))
    attempt = book.when(replace(DIALS, via=SECOND)).one(ReplyTrunks).attempt
    assert attempt is not None
    assert attempt.hotline == SECOND
