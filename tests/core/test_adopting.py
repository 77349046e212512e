"""Calls that Asterisk has and we do not know: with an empty database, names alone must do."""

from __future__ import annotations

import pytest

from controller.core.commands import Answer, CloseBridge, HangUp, Join, RingAgent
from controller.core.events import SetupChanged
from controller.core.facts import CallAnswered, CallEnded, CallQueued, CallStarted, Reconciled
from controller.core.model import Agent, AgentPhase, Call, Phase
from controller.core.setup import Setup
from controller.core.step import step
from controller.core.world import World
from tests.core.setups import SALES, small
from tests.core.stories import Story
from tests.core.words import answers, arrives, caller_seen, leaves, leg_gone, leg_seen, own_seen, snapshot
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

BRIDGE = {"1.1.br": ("1.1", "1.1.a4")}
TALK = (caller_seen(), leg_seen("1.1.a4", "an"))


def setup(**queue: object) -> Setup:
    return small("an", "binh", **{"wrap_up": 20, **queue})


def test_a_caller_nobody_knows_is_let_in() -> None:
    book = given(setup()).available("an").when(snapshot(caller_seen(), phones=("an", "binh")))
    book.then(a(CallStarted, hotline=SALES), a(CallQueued), a(Reconciled, calls_adopted=1)).then(
        a(Answer), a(RingAgent)
    )


def test_a_channel_that_is_no_caller_of_ours_is_not() -> None:
    book = given(setup()).when(snapshot(own_seen("5.5", "an"), caller_seen(ours=False), phones=("an",)))
    assert not book.world.calls


def test_two_who_talk_go_on_talking() -> None:
    book = given(setup()).when(snapshot(*TALK, bridges=BRIDGE, phones=("an", "binh")))
    book.only(a(Join, leg="1.1.a4")).then(a(CallStarted), a(CallAnswered, agent="an"))
    assert (book.call("1.1").phase, book.states()["an"]) == (Phase.TALKING, "talking")
    book.when(leg_gone(1, 4)).when(leaves()).then(a(CallEnded, agent="an", result="answered"))
    assert book.agent("an").wrap_up_until_ms == book.now_ms - 10 + 20_000


def test_the_agent_s_own_wrap_up_counts_there_too() -> None:
    book = given(small("an", own_wrap_up=3)).when(snapshot(*TALK, bridges=BRIDGE, phones=("an",)))
    assert book.call("1.1").wrap_up_s == 3


def test_a_talk_with_an_outside_phone_goes_on_too() -> None:
    legs = (caller_seen(), leg_seen("1.1.p1", ""))
    book = given(setup()).when(snapshot(*legs, bridges={"1.1.br": ("1.1", "1.1.p1")}, phones=("an", "binh")))
    assert (book.call("1.1").phase, book.call("1.1").agent) == (Phase.TALKING, "")


def test_an_agent_who_is_busy_elsewhere_is_left_alone() -> None:
    book = given(setup()).available("an").when(arrives(2))
    assert book.agent("an").phase is AgentPhase.OFFERED
    seen = (*TALK, caller_seen(2), leg_seen("1.2.a1", "an", "ring"))
    book.when(snapshot(*seen, bridges=BRIDGE, phones=("an", "binh")))
    assert (book.call("1.1").phase, book.call("1.1").agent) == (Phase.TALKING, "")
    assert book.agent("an").call == "1.2"


def test_legs_without_a_bridge_are_hung_up_and_their_names_not_used_again() -> None:
    book = given(setup()).available("binh").when(snapshot(*TALK, phones=("an", "binh")))
    book.then(a(HangUp, channel="1.1.a4"), a(RingAgent, endpoint="binh", leg="1.1.a5"))


def test_a_bridge_somebody_left_is_closed() -> None:
    book = given(setup()).when(snapshot(caller_seen(), bridges={"1.1.br": ("1.1",)}, phones=("an", "binh")))
    book.then(a(CloseBridge, bridge="1.1.br"))


def known_talk() -> tuple[Call, Agent]:
    book = given(setup()).available("an").when(arrives()).when(answers())
    return book.call("1.1"), book.agent("an")


def with_rows(*rows: Call | Agent) -> Playbook:
    """A new process whose books lost the other row of a talk."""
    book = Playbook(World(setup(), rows))
    book.stories.live["1.1"] = Story("inbound", queued=True, answered=True)
    book.now_ms += 1_000
    step(book.world, SetupChanged(setup()), book.now_ms)
    return book


SEEN = snapshot(caller_seen(), leg_seen("1.1.a1", "an"), bridges={"1.1.br": ("1.1", "1.1.a1")}, phones=("an", "binh"))


def test_a_talk_whose_agent_s_row_was_lost_is_put_back_into_the_agent_s_hands() -> None:
    call, _ = known_talk()
    book = with_rows(call).when(SEEN).only()
    assert book.states() == {"an": "talking", "binh": "offline"}
    book.when(leg_gone()).when(leaves()).then(a(CallEnded, agent="an"))


def test_an_agent_whose_call_s_row_was_lost_talks_on() -> None:
    _, agent = known_talk()
    book = with_rows(agent)
    book.stories.live.clear()
    book.when(SEEN).then(never(HangUp))
    assert book.agent("an").state == "talking"
    assert book.call("1.1").agent == "an"


def test_a_caller_known_to_be_over_is_hung_up_and_not_let_in() -> None:
    book = given(setup()).when(arrives()).when(leaves()).when(snapshot(caller_seen(), phones=("an", "binh")))
    book.only(a(HangUp, channel="1.1")).then(never(CallStarted))


def test_an_agent_of_the_setup_without_a_row_is_given_one() -> None:
    book = given(setup())
    book.world.remove("agent", "an")
    book.when(snapshot(*TALK, bridges=BRIDGE, phones=("an", "binh")))
    assert book.agent("an").phase is AgentPhase.TALKING


@pytest.mark.parametrize("inside", [("1.1",), ("1.1.a4",)])
def test_who_is_alone_in_a_bridge_does_not_talk(inside: tuple[str, ...]) -> None:
    book = given(setup()).available("binh").when(snapshot(*TALK, bridges={"1.1.br": inside}, phones=("an", "binh")))
    assert book.call("1.1").phase is Phase.WAITING
