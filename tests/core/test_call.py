"""The call machine at its races: whoever comes first wins, and everybody else is let go."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from controller.core.call import handle
from controller.core.commands import (
    CloseBridge,
    HangUp,
    Join,
    RecordMessage,
    ReplyTrunks,
    RingAgent,
    RingPhone,
)
from controller.core.events import (
    CallGone,
    CommandFailed,
    DigitPressed,
    Event,
    HangupAsked,
    HoldChanged,
    LegGone,
    MessageRecorded,
    OutboundAsked,
    OutboundEnded,
    OutboundNextAsked,
    Ticked,
)
from controller.core.facts import CallAnswered, CallEnded, CallHeld, CallResumed, OddEvent
from controller.core.model import AgentPhase, Phase
from controller.core.setup import Way, WayKind
from controller.core.turn import Turn
from controller.core.world import OVER_MAX, World
from tests.core.setups import NEVER, menu_of, small
from tests.core.words import RING_S, answers, arrives, leaves, leg_gone, played, ringing, rings
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

# -- F19: the agent answers in the instant the ring time ends ---------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(("time", "answered", "sent", "gone"))), ids=" ".join)
def test_an_answer_at_the_end_of_the_ring_time_has_one_outcome(order: tuple[str, ...]) -> None:
    """All 24 orders; `sent` is the moment our hang-up reaches the phone, which tells us nothing."""
    book = ringing(wrap_up=20)
    said: list[object] = []
    for n, what in enumerate(order):
        at_s = RING_S - 0.002 + 0.001 * n if order.index("time") > n else RING_S + 0.001 * n
        event = {"time": Ticked(), "answered": answers(), "sent": Ticked(), "gone": leg_gone(1, 1, 16)}[what]
        book.when(event, at=at_s)
        said += [*book.facts, *book.commands]
    assert len([fact for fact in said if isinstance(fact, CallAnswered)]) <= 1
    talked = any(isinstance(fact, CallAnswered) for fact in said)
    offered_on = any(isinstance(c, RingAgent) and c.endpoint == "binh" for c in said)
    assert talked != offered_on, "either the agent has the caller, or the next one is rung"
    assert talked == (order.index("answered") < min(order.index("time"), order.index("gone")))
    assert book.agent("an").phase in {AgentPhase.IDLE, AgentPhase.RELEASING}, "the leg is gone: nobody holds it"
    legs = [c.leg for c in said if isinstance(c, Join)]
    assert legs == (["1.1.a1"] if talked else [])


@pytest.mark.parametrize("order", list(permutations(("caller", "answered", "gone"))), ids=" ".join)
def test_a_caller_who_leaves_while_the_agent_answers(order: tuple[str, ...]) -> None:
    """F20: the leg comes down, the record is one, and only who talked rests."""
    book = ringing("an", wrap_up=20)
    events: dict[str, Event] = {"caller": CallGone("1.1"), "answered": answers(), "gone": leg_gone()}
    ended: list[CallEnded] = []
    hung_up: list[str] = []
    for what in order:
        book.when(events[what])
        ended += [fact for fact in book.facts if isinstance(fact, CallEnded)]
        hung_up += [c.channel for c in book.commands if isinstance(c, HangUp)]
    assert len(ended) == 1
    talked = order[0] == "answered"
    assert ended[0].result == ("answered" if talked else "missed")
    if order.index("gone") > order.index("caller"):
        assert "1.1.a1" in hung_up
    assert book.agent("an").phase is AgentPhase.IDLE
    assert book.agent("an").state == ("wrap_up" if talked else "ready")


def test_a_caller_who_leaves_ends_everything_at_once() -> None:
    book = (
        ringing("an").when(answers()).when(leaves()).only(a(HangUp, channel="1.1.a1"), a(CloseBridge, bridge="1.1.br"))
    )
    book.then(a(CallEnded, end_cause="caller", agent="an", recording="calls/1.1"))


def test_hang_ups_come_before_the_bridge_is_closed() -> None:
    ringing("an").when(answers()).when(HangupAsked("1.1", "boss")).only(
        a(HangUp, channel="1.1.a1"), a(HangUp, channel="1.1"), a(CloseBridge)
    )


def test_an_agent_who_hangs_up_ends_the_call() -> None:
    book = ringing("an").when(answers()).when(leg_gone()).only(a(HangUp, channel="1.1"), a(CloseBridge))
    assert book.call("1.1").phase is Phase.ENDING
    book.when(leaves()).then(a(CallEnded, end_cause="agent", result="answered"))


def test_hanging_up_a_call_nobody_knows_is_not_found() -> None:
    assert ringing().when(HangupAsked("7.7", "boss")).answer.code == "not_found"
    assert ringing().when(HangupAsked("1.1", "boss")).answer.ok


# -- messages about what is over --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        CallGone("7.7"),
        LegGone("7.7", "7.7.a1"),
        rings(7),
        played(7),
        DigitPressed("7.7", "1"),
        OutboundEnded("7.7", "BUSY"),
        CommandFailed("7.7", "HangUp", "7.7.a1", "gone"),
        CommandFailed("7.7", "RingAgent", "7.7.a1", "gone"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_messages_about_no_call_are_let_pass(event: Event) -> None:
    book = ringing().when(event).only()
    assert book.facts == []


def test_an_answer_for_no_call_is_hung_up() -> None:
    ringing().when(answers(7)).only(a(HangUp, call="1.7", channel="1.7.a1"))


def test_not_every_call_there_ever_was_is_remembered() -> None:
    book = given(small("an"))
    for n in range(OVER_MAX + 1):
        book.world.note_over(f"8.{n}")
    assert (book.world.is_over("8.0"), book.world.is_over("8.1")) == (False, True)


def test_a_question_about_an_inbound_call_s_trunk_is_odd() -> None:
    ringing().when(OutboundNextAsked("1.1", "CONGESTION")).then(a(OddEvent)).only()


# -- commands that fail late ------------------------------------------------------------------------------------------


def test_a_ring_command_that_failed_after_the_offer_was_taken_back_frees_the_agent() -> None:
    book = ringing("an").when(HangupAsked("1.1", "boss")).when(CommandFailed("1.1", "RingAgent", "1.1.a1", "no"))
    assert book.states() == {"an": "ready"}
    book = ringing().passes(RING_S).when(CommandFailed("1.1", "RingAgent", "1.1.a1", "no"))
    assert book.states() == {"an": "ready", "binh": "offered"}
    book = ringing().when(leg_gone(1, 1, 17, 486)).when(answers(1, 2))
    book.when(CommandFailed("1.1", "RingAgent", "1.1.a1", "no")).only(a(HangUp, channel="1.1.a1"))


@pytest.mark.parametrize("command", ["HangUp", "Join"])
def test_a_hang_up_that_failed_is_no_proof_that_the_leg_is_gone(command: str) -> None:
    book = ringing("an").when(leaves()).when(CommandFailed("1.1", command, "1.1.a1", "slow"))
    assert book.agent("an").phase is AgentPhase.RELEASING
    book = ringing("an").when(HangupAsked("1.1", "boss")).when(CommandFailed("1.1", command, "1.1.a1", "slow"))
    assert book.agent("an").phase is AgentPhase.RELEASING


def test_a_join_that_failed_for_another_leg_is_told_and_nothing_else() -> None:
    book = ringing("an").when(answers()).when(CommandFailed("1.1", "Join", "1.1.a9", "no")).only().then(a(OddEvent))
    assert book.call("1.1").phase is Phase.TALKING


def test_a_leg_that_rings_is_remembered_and_another_s_ring_is_not() -> None:
    book = ringing("an").when(rings(1, 7)).when(rings(1, 1))
    assert [offer.ringing for offer in book.call("1.1").offers] == [True]


# -- a whole life, place by place ------------------------------------------------------------------------------------


def test_a_menu_a_prompt_and_a_key() -> None:
    book = given(menu_of()).available("an").when(arrives()).when(arrives()).only()
    book.when(DigitPressed("1.1", "1")).then(a(RingAgent)).when(DigitPressed("1.1", "1")).only()


def test_a_message_its_end_and_its_longest_time() -> None:
    book = given(menu_of()).when(arrives()).when(DigitPressed("1.1", "4")).when(played(1, 2)).then(a(RecordMessage))
    book.when(MessageRecorded("1.1", "voicemail/1.1", ok=False)).only(a(HangUp))
    book = given(menu_of()).when(arrives()).when(DigitPressed("1.1", "4")).when(played(1, 2)).passes(300)
    book.then(a(HangUp))


def test_a_phone_outside_rings_talks_and_may_not_answer() -> None:
    def out() -> Playbook:
        return given(menu_of()).when(arrives()).when(DigitPressed("1.1", "3")).then(a(RingPhone))

    out().when(answers(1, 9, "p")).only(a(HangUp, channel="1.1.p9"))
    book = out().when(answers(1, 1, "p")).only(a(Join)).when(leg_gone(1, 5, kind="p")).only()
    book.when(leg_gone(1, 1, kind="p")).only(a(HangUp), a(CloseBridge))
    out().when(leg_gone(1, 7, kind="p")).only().when(leg_gone(1, 1, 17, 486, "p")).only(a(HangUp))
    out().passes(45).only(a(HangUp, channel="1.1.p1"), a(HangUp, channel="1.1"))
    out().when(CommandFailed("1.1", "RingPhone", "1.1.p1", "no")).then(a(HangUp, channel="1.1.p1"))


def test_a_dialled_call_and_its_end() -> None:
    def dialled() -> Playbook:
        return given(small("an")).when(OutboundAsked("1.1", "an", "0967123456"))

    dialled().when(CallGone("1.1")).then(a(CallEnded, result="missed"))
    dialled().when(HangupAsked("1.1", "boss")).when(CallGone("1.1")).then(a(CallEnded, end_cause="supervisor"))
    dialled().when(HangupAsked("1.1", "boss")).passes(10).then(a(HangUp), a(CallEnded))


def test_commands_that_fail_for_whom_they_were() -> None:
    book = given(menu_of()).when(arrives()).when(CommandFailed("1.1", "Play", "1.1.pb1", "no")).passes(5)
    book.only(a(HangUp))
    given(menu_of()).when(arrives()).when(CommandFailed("1.1", "Answer", "1.1", "no")).only(a(HangUp, q850=38))
    book = ringing("an").when(answers()).when(CommandFailed("1.1", "Record", "calls/1.1", "no"))
    assert book.call("1.1").recording == ""
    book.when(CommandFailed("1.1", "Join", "1.1.a1", "no")).then(a(HangUp, channel="1.1", q850=38))


def test_what_nobody_knows_is_told() -> None:
    given(small("an")).when(OutboundNextAsked("7.7", "BUSY")).only(a(ReplyTrunks, attempt=None))
    turn = Turn(World(), 1, "test#1")
    handle(turn, HangupAsked("7.7"))
    assert turn.facts == [OddEvent("7.7", "HangupAsked", "no such call")]


def test_each_side_of_a_talk_holds_for_itself() -> None:
    book = given(small("an")).available("an").when(arrives()).when(answers())
    book.when(HoldChanged("1.1", "1.1.a1", True)).only().then(a(CallHeld, by="agent"))
    book.when(HoldChanged("1.1", "1.1.a1", True)).then(never(CallHeld))
    book.when(HoldChanged("1.1", "1.1", True)).then(a(CallHeld, by="caller"))
    assert book.call("1.1").held_by == ("agent", "caller")
    book.when(HoldChanged("1.1", "1.1.a1", False)).then(a(CallResumed, by="agent"))
    assert book.call("1.1").held_by == ("caller",)
    book.when(HoldChanged("1.1", "1.1.a7", True)).then(never(CallHeld))
    book.when(HangupAsked("1.1", "boss"))
    assert book.call("1.1").held_by == (), "nobody holds what is being ended"


def test_the_outside_phone_of_a_forward_holds_as_callee() -> None:
    book = (
        given(
            replace(
                small("an"),
                hotlines=(replace(small("an").hotlines[0], hours="never", closed=Way(WayKind.PHONE, "0912345678")),),
                schedules=(NEVER,),
            )
        )
        .when(arrives())
        .when(answers(kind="p"))
    )
    book.when(HoldChanged("1.1", book.call("1.1").leg, True)).then(a(CallHeld, by="callee"))
