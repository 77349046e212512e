"""Bringing books and telephone together: after a start, a cut, a death of Asterisk, and quietly besides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import (
    Answer,
    CloseBridge,
    HangUp,
    Join,
    Play,
    RingAgent,
    RingBell,
    RingPhone,
    StartMusic,
    StopPlay,
)
from controller.core.events import (
    CallGone,
    CommandFailed,
    DigitPressed,
    LinkLost,
    OutboundAsked,
    OutboundEnded,
    PhoneChanged,
    PhoneChannel,
)
from controller.core.facts import (
    AgentChanged,
    CallAnswered,
    CallEnded,
    CallOffered,
    CallStarted,
    MenuChosen,
    OfferEnded,
    Reconciled,
    TrunkFailed,
)
from controller.core.model import AgentPhase, Phase
from controller.core.reconcile import PROMPT_GRACE_MS
from controller.core.setup import Hotline, Menu, Strategy, Way, WayKind
from tests.core.setups import NEVER, SALES, small
from tests.core.words import (
    answers,
    arrives,
    caller_seen,
    leaves,
    leg_gone,
    leg_seen,
    own_seen,
    played,
    ringing,
    snapshot,
    status,
)
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

BRIDGE = {"1.1.br": ("1.1", "1.1.a1")}


def talking() -> Playbook:
    return given(small("an", "binh", wrap_up=20)).available("an", "binh").when(arrives()).when(answers())


def forwarding() -> Playbook:
    setup = small("an")
    row = replace(setup.hotlines[0], hours="never", closed=Way(WayKind.PHONE, "0912345678"))
    return given(replace(setup, hotlines=(row,), schedules=(NEVER,))).when(arrives())


def audit(book: Playbook, *channels: object, age_ms: int = 0, **more: object) -> object:
    return snapshot(*channels, asked_at_ms=book.now_ms - age_ms, **more)  # type: ignore[arg-type]


# -- calls that are gone ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarted", [False, True])
def test_a_caller_whom_asterisk_has_no_more_is_over(restarted: bool) -> None:
    book = (
        ringing().when(LinkLost("cut")).when(snapshot(phones=("an", "binh"), boot="boot 2" if restarted else "boot 1"))
    )
    book.then(
        a(OfferEnded, outcome="cancelled"),
        a(CallEnded, result="missed", end_cause="pbx_lost" if restarted else "caller"),
        a(Reconciled, calls_ended=1, pbx_restarted=restarted),
    )
    assert not book.world.calls


def test_a_caller_who_left_our_application_is_over() -> None:
    book = ringing().when(snapshot(caller_seen(ours=False), leg_seen("1.1.a1", "an", "ring"), phones=("an", "binh")))
    book.then(a(CallEnded), a(HangUp, channel="1.1.a1"))


def test_after_a_restart_of_asterisk_everybody_is_free() -> None:
    book = talking().when(OutboundAsked("1.9", "binh", "0967123456")).when(LinkLost("reset"))
    book.when(snapshot(phones=("an", "binh"), boot="boot 2"))
    book.then(
        a(CallEnded, call="1.1", end_cause="pbx_lost", result="answered"),
        a(CallEnded, call="1.9", end_cause="pbx_lost", result="failed"),
    )
    assert book.states() == {"an": "wrap_up", "binh": "ready"}
    assert all(agent.phase is AgentPhase.IDLE for agent in book.world.agents.values())
    assert book.world.trunks["v1"].live == ()


def test_a_command_that_failed_because_asterisk_was_dying_does_not_hide_that_the_call_was_lost() -> None:
    book = ringing().when(CommandFailed("1.1", "Answer", "1.1", "Asterisk does not listen")).when(LinkLost())
    book.when(snapshot(phones=("an", "binh"), boot="boot 2")).then(a(CallEnded, end_cause="pbx_lost"))


def test_a_dialled_call_that_vanished_is_over() -> None:
    book = given(small("an")).when(OutboundAsked("1.9", "an", "0967123456")).when(snapshot(phones=("an",)))
    book.then(a(CallEnded, call="1.9", end_cause="agent", result="missed"), a(Reconciled, calls_ended=1))


def test_a_dialled_call_that_was_answered_meanwhile_is_connected() -> None:
    book = given(small("an")).when(OutboundAsked("1.9", "an", "0967123456"))
    book.when(snapshot(own_seen("1.9", "an"), phones=("an",))).then(a(CallAnswered, call="1.9"))
    assert book.agent("an").foreign == ()


def test_a_call_that_is_to_end_is_hung_up_again() -> None:
    book = given(small("an")).when(arrives())
    assert book.call("1.1").phase is Phase.ENDING
    book.when(snapshot(caller_seen(), phones=("an",))).then(a(HangUp, channel="1.1"))


# -- offers and talks -------------------------------------------------------------------------------------------------


def test_an_offer_answered_meanwhile_is_a_talk() -> None:
    book = ringing().when(LinkLost("cut"))
    book.when(snapshot(caller_seen(), leg_seen("1.1.a1", "an"), phones=("an", "binh")))
    book.then(a(Join, leg="1.1.a1"), a(CallAnswered, agent="an"), never(RingAgent))


def test_an_interrupted_offer_is_made_again_under_another_name() -> None:
    book = ringing("an").when(snapshot(caller_seen(), phones=("an",)))
    book.then(a(OfferEnded, leg="1.1.a1", outcome="lost"), a(RingAgent, leg="1.1.a2", endpoint="an"))


def test_an_offer_that_still_rings_goes_on_and_nobody_is_offered_twice() -> None:
    book = ringing().when(snapshot(caller_seen(), leg_seen("1.1.a1", "an", "ring"), phones=("an", "binh")))
    book.then(never(RingAgent), never(OfferEnded))


def test_a_phone_that_began_to_ring_meanwhile_is_no_dead_one() -> None:
    book = given(small("an")).available("an").when(arrives()).when(LinkLost("cut"))
    book.when(snapshot(caller_seen(), leg_seen("1.1.a1", "an", "ring"), phones=("an",)))
    book.passes(15).then(a(OfferEnded, outcome="no_answer"))


def test_the_ring_time_does_not_end_while_nobody_listens() -> None:
    book = ringing().when(LinkLost("cut")).passes(40).then(never(HangUp), never(OfferEnded))
    book.when(snapshot(caller_seen(), leg_seen("1.1.a1", "an"), phones=("an", "binh"))).then(
        a(CallAnswered, agent="an")
    )


def test_nothing_is_decided_about_calls_while_nobody_listens_but_alerts_are_raised() -> None:
    setup = small("an", hotline=Hotline(SALES, queue="sales", notify_answer_time=5), max_wait=20)
    book = given(setup).when(status("an", "not_ready")).when(arrives()).when(LinkLost("cut"))
    book.passes(60).only(a(RingBell, change="raised"))
    book.when(snapshot(caller_seen(), phones=("an",))).passes(1).then(a(HangUp, channel="1.1"))


def test_a_talk_goes_on_and_legs_that_are_not_joined_are_joined() -> None:
    legs = (caller_seen(), leg_seen("1.1.a1", "an"))
    book = talking().when(snapshot(*legs, bridges=BRIDGE, phones=("an", "binh"))).only()
    book.when(snapshot(*legs, phones=("an", "binh"))).only(a(Join, leg="1.1.a1", bridge="1.1.br"))
    book.when(snapshot(*legs, bridges={"1.1.br": ("1.1",)}, phones=("an", "binh"))).only(a(Join))


def test_a_talk_whose_agent_is_gone_is_over() -> None:
    book = talking().when(snapshot(caller_seen(), phones=("an", "binh")))
    book.then(a(HangUp, channel="1.1"), a(CloseBridge), a(AgentChanged, agent="an", state="wrap_up"))
    assert book.agent("an").phase is AgentPhase.IDLE


def test_an_agent_let_go_is_free_when_the_leg_is_not_there() -> None:
    book = ringing().when(leaves()).when(snapshot(phones=("an", "binh")))
    assert book.states() == {"an": "ready", "binh": "ready"}


def test_a_leg_let_go_that_is_still_there_is_hung_up_again_and_its_phone_is_not_blamed() -> None:
    book = talking().when(leaves()).restarted()
    book.when(snapshot(leg_seen("1.1.a1", "an"), phones=("an", "binh"))).then(a(HangUp, channel="1.1.a1"))
    book.when(leg_gone()).passes(20)
    assert book.states() == {"an": "ready", "binh": "ready"}


def test_a_forward_answered_meanwhile_is_a_talk() -> None:
    book = forwarding().when(snapshot(caller_seen(), leg_seen("1.1.p1", "")))
    book.then(a(Join, leg="1.1.p1"), a(CallAnswered))


def test_a_forward_that_vanished_is_rung_again_and_the_trunk_is_not_blamed() -> None:
    book = forwarding().when(snapshot(caller_seen()))
    book.then(a(RingPhone, leg="1.1.p2", endpoint="v1"), never(TrunkFailed))
    assert book.world.trunks["v1"].live == ("1.1",)


def test_a_forward_that_still_rings_goes_on() -> None:
    forwarding().when(snapshot(caller_seen(), leg_seen("1.1.p1", "", "ring"))).only()


# -- after a start ----------------------------------------------------------------------------------------------------


def test_waiting_callers_keep_place_and_time_and_hear_music_again() -> None:
    book = given(small("an", max_wait=300)).when(status("an", "not_ready"))
    for n in (1, 2, 3):
        book.when(arrives(n))
    before = [(call.id, call.queued_at_ms) for call in book.world.waiting("sales")]
    book.passes(30).restarted().when(
        snapshot(caller_seen(2), caller_seen(3), caller_seen(1, state="ring"), phones=("an",))
    )
    assert [(call.id, call.queued_at_ms) for call in book.world.waiting("sales")] == before
    book.only(a(Answer, call="1.1"), a(StartMusic, call="1.1"), a(StartMusic, call="1.2"), a(StartMusic, call="1.3"))


def test_a_caller_who_was_to_be_picked_up_when_we_died_is_picked_up() -> None:
    """In a forward as in a queue: unanswered, the dialplan takes the call for abandoned after ten seconds."""
    book = forwarding().restarted().when(snapshot(caller_seen(state="ring"), leg_seen("1.1.p1", "", "ring")))
    book.then(a(Answer, call="1.1"))
    forwarding().restarted().when(snapshot(caller_seen(), leg_seen("1.1.p1", "", "ring"))).then(never(Answer))


def test_a_talk_survives_a_restart() -> None:
    book = talking().restarted()
    book.when(snapshot(caller_seen(), leg_seen("1.1.a1", "an"), bridges=BRIDGE, phones=("an", "binh"))).only()
    assert book.states() == {"an": "talking", "binh": "ready"}
    book.when(leg_gone()).when(leaves()).then(a(CallEnded, result="answered"))


def test_nobody_is_rung_before_asterisk_has_been_seen() -> None:
    book = given(small("an", "binh")).when(arrives()).available("an").when(arrives(2)).restarted()
    book.available("binh").then(never(RingAgent)).passes(30).then(never(RingAgent))


@pytest.mark.parametrize("how", ["restart", "cut"])
def test_a_prompt_whose_end_was_missed_is_not_waited_for_long(how: str) -> None:
    setup = small("an")
    menu = Menu("main", "welcome", keys=(("1", Way()),))
    setup = replace(setup, menus=(menu,), hotlines=(Hotline(SALES, menu="main"),))
    book = given(setup).available("an").when(arrives())
    book = book.restarted() if how == "restart" else book.when(LinkLost("cut"))
    book.when(snapshot(caller_seen(), phones=("an",))).passes(PROMPT_GRACE_MS / 1000).only(a(StopPlay))
    book.passes(5).then(a(MenuChosen, key=""))
    assert given(setup).when(arrives()).when(snapshot(caller_seen())).when(played()).passes(5).one(MenuChosen)
    given(setup).when(arrives()).when(snapshot(caller_seen())).when(DigitPressed("1.1", "1")).then(
        a(MenuChosen, key="1")
    )


def test_what_was_stored_about_phones_is_corrected() -> None:
    book = given(small("an", "binh", "chi")).available("an", "binh", "chi").restarted()
    book.when(snapshot(own_seen("9.9", "an"), phones=("an", "binh"), dead=("chi",)))
    assert book.states() == {"an": "busy", "binh": "ready", "chi": "unreachable"}


def test_phones_asterisk_does_not_know_are_unreachable_after_a_resync_only() -> None:
    book = given(small("an")).available("an")
    book.when(audit(book))
    assert book.states() == {"an": "ready"}
    book.when(snapshot())
    assert book.states() == {"an": "unreachable"}


def test_a_phone_set_aside_gets_another_chance_after_a_resync() -> None:
    book = given(small("an", max_wait=300)).available("an").when(arrives()).when(leg_gone(1, 1, 20))
    book.when(audit(book, caller_seen(), phones=("an",)))
    assert book.states() == {"an": "unreachable"}
    book.when(snapshot(caller_seen(), phones=("an",)))
    assert book.states() == {"an": "ready"}


# -- what nobody wants ------------------------------------------------------------------------------------------------


def test_legs_and_bridges_of_no_call_are_ended() -> None:
    book = given(small("an")).when(snapshot(leg_seen("7.7.a3", "an"), bridges={"7.7.br": ("7.7.a3",), "other": ()}))
    book.only(a(HangUp, call="7.7", channel="7.7.a3"), a(CloseBridge, call="7.7", bridge="7.7.br"))
    book.then(a(Reconciled, orphans=2))


def test_a_leg_its_call_gave_up_is_hung_up_once_its_agent_is_elsewhere() -> None:
    book = ringing().when(OutboundAsked("1.9", "an", "0967123456"))
    legs = (caller_seen(), leg_seen("1.1.a1", "an", "ring"), leg_seen("1.1.a2", "binh", "ring"), own_seen("1.9", "an"))
    book.when(snapshot(*legs, phones=("an", "binh"))).then(a(HangUp, channel="1.1.a1"), a(Reconciled, orphans=1))


def test_the_bridge_of_a_call_that_does_not_talk_is_closed() -> None:
    ringing().when(
        snapshot(caller_seen(), leg_seen("1.1.a1", "an", "ring"), bridges={"1.1.br": ()}, phones=("an", "binh"))
    ).then(a(CloseBridge, bridge="1.1.br"))


# -- audits -----------------------------------------------------------------------------------------------------------


def test_an_audit_that_finds_nothing_says_nothing() -> None:
    book = talking()
    book.when(audit(book, caller_seen(), leg_seen("1.1.a1", "an"), bridges=BRIDGE, phones=("an", "binh"))).only()
    assert book.facts == []


def test_an_audit_ends_what_is_gone() -> None:
    book = ringing().passes(5)
    book.when(audit(book, phones=("an", "binh"))).then(a(CallEnded), a(Reconciled, calls_ended=1))


def test_an_audit_from_before_a_call_leaves_it_alone() -> None:
    book = given(small("an")).available("an")
    seen = audit(book, phones=("an",))
    book.when(arrives()).when(seen).only()
    assert "1.1" in book.world.calls


def test_an_audit_from_before_an_offer_leaves_it_alone() -> None:
    book = given(small("an")).when(status("an", "not_ready")).when(arrives())
    seen = audit(book, caller_seen(), phones=("an",))
    book.when(status("an", "available")).when(seen).then(never(OfferEnded))
    assert book.states() == {"an": "offered"}


@pytest.mark.parametrize("event", [PhoneChannel("an", "9.9", "up"), PhoneChanged("an", False)])
def test_an_audit_from_before_a_phone_s_news_does_not_undo_it(event: object) -> None:
    book = given(small("an")).available("an")
    seen = audit(book, phones=("an",))
    book.when(event)
    before = book.states()
    assert before != {"an": "ready"}
    book.when(seen)
    assert book.states() == before
    book.when(audit(book, phones=("an",))).when(audit(book, phones=("an",)))
    assert book.states() == {"an": "ready"}, "a later one is believed"


def test_an_audit_lets_in_a_caller_whose_arrival_was_lost() -> None:
    book = given(small("an")).available("an")
    book.when(audit(book, caller_seen(), phones=("an",)))
    book.then(a(CallStarted), a(Reconciled, calls_adopted=1), a(CallOffered))
    book.when(arrives()).only()


def test_an_audit_does_not_bring_back_a_caller_who_has_left() -> None:
    book = ringing()
    seen = audit(book, caller_seen(), phones=("an", "binh"))
    book.when(CallGone("1.1")).when(seen).then(never(CallStarted), a(HangUp, channel="1.1"))


def test_an_audit_from_before_a_cut_is_of_no_use() -> None:
    book = ringing()
    seen = audit(book, phones=("an", "binh"))
    book.when(LinkLost("cut")).when(seen).only()
    assert "1.1" in book.world.calls
    assert not book.world.linked


def test_a_report_that_came_before_the_audit_keeps_the_phone_free() -> None:
    book = given(small("an")).when(OutboundAsked("1.9", "an", "0967123456"))
    seen = audit(book, own_seen("1.9", "an"), phones=("an",))
    book.when(OutboundEnded("1.9", "BUSY")).when(PhoneChannel("an", "1.9", "gone")).when(seen)
    assert book.states() == {"an": "offline"}


def test_an_announcement_is_heard_to_its_end_unless_it_was_missed() -> None:
    setup = small("an")
    row = replace(setup.hotlines[0], hours="never", closed=Way(play="closed"))
    book = given(replace(setup, hotlines=(row,), schedules=(NEVER,))).when(arrives()).then(a(Play))
    book.when(audit(book, caller_seen())).passes(60).then(never(StopPlay))
    book.when(snapshot(caller_seen())).passes(10).then(a(StopPlay), a(HangUp))


def test_two_who_answered_a_ring_all_meanwhile_make_one_talk() -> None:
    book = given(small("an", "binh", strategy=Strategy.RING_ALL)).available("an", "binh").when(arrives())
    seen = (caller_seen(), leg_seen("1.1.a1", "an"), leg_seen("1.1.a2", "binh"))
    book.when(snapshot(*seen, phones=("an", "binh"))).then(a(HangUp, channel="1.1.a2"), a(Join, leg="1.1.a1"))
    assert book.states() == {"an": "talking", "binh": "busy"}


def test_an_offer_whose_agent_s_row_was_lost_is_made_anew() -> None:
    book = given(small("an", "binh")).available("an", "binh").when(arrives())
    book.world.put(replace(book.agent("an"), phase=AgentPhase.IDLE, call="", leg=""))
    book.when(snapshot(caller_seen(), leg_seen("1.1.a1", "an", "ring"), phones=("an", "binh")))
    book.then(a(OfferEnded, leg="1.1.a1", outcome="lost"), a(HangUp, channel="1.1.a1"), a(CallOffered))


def test_a_talk_whose_agent_s_row_was_lost_is_taken_in_hand_again() -> None:
    book = talking()
    book.world.put(replace(book.agent("an"), phase=AgentPhase.IDLE, call="", leg=""))
    book.when(snapshot(caller_seen(), leg_seen("1.1.a1", "an"), bridges=BRIDGE, phones=("an", "binh"))).only()
    assert book.states()["an"] == "talking"


def test_a_prompt_with_nothing_to_say_waits_for_its_key() -> None:
    setup = small("an")
    setup = replace(setup, menus=(Menu("main", timeout=5),), hotlines=(Hotline(SALES, menu="main"),))
    given(setup).when(arrives()).when(snapshot(caller_seen())).passes(5).then(a(MenuChosen, key=""))


def test_a_trunk_whose_call_was_answered_meanwhile_is_forgiven() -> None:
    book = forwarding()
    book.world.put(replace(book.world.trunks["v1"], failures=2))
    book.when(snapshot(caller_seen(), leg_seen("1.1.p1", "")))
    assert book.world.trunks["v1"].failures == 0


def test_an_audit_asked_for_in_the_moment_of_an_arrival_leaves_it_alone() -> None:
    book = given(small("an")).available("an").when(arrives())
    book.when(audit(book, phones=("an",))).only()
    assert "1.1" in book.world.calls


def test_whoever_is_free_is_rung_when_an_audit_finds_an_offer_lost() -> None:
    book = ringing().when(PhoneChanged("an", False)).passes(3)
    book.when(audit(book, caller_seen(), phones=("binh",), dead=("an",))).then(a(RingAgent, endpoint="binh"))
