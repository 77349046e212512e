"""The call machine at its races: whoever comes first wins, and everybody else is let go."""

from __future__ import annotations

from itertools import permutations

import pytest

from controller.core.commands import CloseBridge, HangUp, Join, RingAgent
from controller.core.events import (
    CallArrived,
    CallGone,
    CommandFailed,
    DigitPressed,
    Event,
    HangupAsked,
    LegGone,
    OutboundEnded,
    OutboundNextAsked,
    Ticked,
)
from controller.core.facts import CallAnswered, CallEnded, CallStarted, OddEvent
from controller.core.model import AgentPhase, Phase
from controller.core.world import OVER_MAX
from tests.core.setups import SALES, small
from tests.core.words import answers, arrives, leaves, leg_gone, played, rings
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

RING_S = 15


def ringing(*names: str, **queue: object) -> Playbook:
    book = given(small(*(names or ("an", "binh")), ring_time=RING_S, **queue)).available(*(names or ("an", "binh")))
    return book.when(arrives(), at=0).when(rings(), at=1)


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


def test_a_channel_that_never_goes_is_let_go_all_the_same() -> None:
    book = ringing("an").when(HangupAsked("1.1", "boss")).passes(9.9).then(never(CallEnded))
    book.passes(0.1).then(a(HangUp, channel="1.1"), a(CallEnded, end_cause="supervisor"))


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


def test_a_call_that_is_over_does_not_begin_again() -> None:
    book = ringing("an").when(leaves()).when(arrives()).only(a(HangUp, channel="1.1")).then(never(CallStarted))
    assert not book.world.calls


def test_an_end_that_overtook_the_beginning_is_believed() -> None:
    book = given(small("an")).available("an").when(CallGone("1.1")).when(arrives()).then(never(CallStarted))
    book.when(arrives(2)).then(a(CallStarted))


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


def test_a_hotline_is_known_by_its_number_alone() -> None:
    book = given(small("an")).available("an").when(CallArrived("1.1", SALES.removeprefix("+"), "0967")).only(a(HangUp))
    book.when(leaves()).then(a(CallEnded, reason="no_such_hotline"))
