"""Waiting: into the queue, what becomes of offers, the place that is kept, and every way out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core import queueing
from controller.core.commands import Answer, CloseBridge, HangUp, Join, Play, Record, RingAgent, StartMusic, StopMusic
from controller.core.events import CommandFailed, Event, PhoneChannel, SetupChanged, Ticked
from controller.core.facts import (
    AgentChanged,
    AlertRaised,
    CallAnswered,
    CallEnded,
    CallOffered,
    CallQueued,
    CallRouted,
    OddEvent,
    OfferEnded,
)
from controller.core.model import Phase
from controller.core.queueing import HOPS_MAX, RETRY_PAUSE_MS, outcome_of
from controller.core.setup import Hotline, Queue, QueueGroup, Schedule, Setup, Sla, Strategy, Way, WayKind
from controller.core.step import step
from controller.core.turn import Turn
from tests.core.setups import NEVER, QUEUE_BANNED, SALES, SUPPORT, small, whole
from tests.core.words import answers, arrives, busy, declines, leaves, leg_gone, played, rings, snapshot, status
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure


def to(kind: WayKind, target: str = "", play: str = "") -> Way:
    return Way(kind, target, play=play)


def waiting(book: Playbook, n: int = 1) -> Playbook:
    assert book.call(f"1.{n}").phase is Phase.WAITING
    return book


# -- in ------------------------------------------------------------------------------------------------------------


def test_a_caller_is_answered_hears_music_and_rings_the_free_agent_in_one_step() -> None:
    book = given(small("an", music="jazz")).available("an").when(arrives(name="Ông Tâm"))
    book.only(
        a(Answer, call="1.1"),
        a(StartMusic, music="jazz"),
        a(RingAgent, leg="1.1.a1", endpoint="an", caller="0967000001", caller_name="Ông Tâm", timeout_s=20),
    ).then(a(CallQueued, queue="sales", position=1), a(CallOffered, agent="an"))


def test_an_anonymous_caller_is_a_caller() -> None:
    given(small("an")).available("an").when(arrives(caller="")).then(a(RingAgent, caller="", caller_name=""))


def test_arriving_twice_is_arriving_once() -> None:
    book = given(small("an")).available("an").when(arrives()).when(arrives())
    book.only().then(never(CallQueued))


def test_positions_are_told_and_follow() -> None:
    book = given(small("an")).when(status("an", "not_ready"))
    for n in (1, 2, 3):
        book.when(arrives(n)).then(a(CallQueued, position=n))
    book.when(leaves(1))
    assert [book.world.position(call) for call in book.world.waiting("sales")] == [1, 2]


def test_the_position_is_kept_while_ringing_and_ends_with_the_wait() -> None:
    book = given(small("an")).available("an").when(arrives())
    assert book.world.position(book.call("1.1")) == 1
    book.when(answers())
    assert book.world.position(book.call("1.1")) is None


def test_a_number_kept_out_of_queues_is_dropped_where_the_queue_would_begin() -> None:
    setup = replace(small("an"), blocked=whole().blocked)
    book = given(setup).available("an").when(arrives(caller=QUEUE_BANNED))
    book.only(a(HangUp, channel="1.1", q850=21)).when(leaves())
    book.then(a(CallEnded, result="blocked", reason="blocked", queued_at_ms=None))


# -- offers and what comes of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "tech", "outcome"),
    [
        (17, 486, "busy"),
        (17, 600, "busy"),
        (17, None, "busy"),
        (21, 603, "declined"),
        (0, 302, "declined"),
        (34, 302, "declined"),
        (21, None, "declined"),
        (16, None, "declined"),
        (0, 607, "declined"),
        (19, 480, "no_answer"),
        (18, None, "no_answer"),
        (19, None, "no_answer"),
        (18, 408, "unreachable"),
        (20, None, "unreachable"),
        (27, 503, "unreachable"),
        (1, 404, "unreachable"),
        (0, None, "unreachable"),
        (0, 500, "unreachable"),
    ],
)
def test_causes_have_one_meaning(cause: int, tech: int | None, outcome: str) -> None:
    assert outcome_of(cause, tech) == outcome
    book = given(small("an", "binh")).available("an", "binh").when(arrives())
    book.when(leg_gone(1, 1, cause, tech)).then(
        a(OfferEnded, agent="an", outcome=outcome), a(RingAgent, endpoint="binh")
    )
    assert book.states()["an"] == ("unreachable" if outcome == "unreachable" else "ready")


def test_ring_time_over_goes_on_to_the_next_and_keeps_the_place() -> None:
    book = given(small("an", "binh", ring_time=15)).available("an", "binh").when(arrives(1)).when(rings(1))
    book.when(arrives(2)).when(leg_gone(2), at=2)
    queued_at_ms = book.call("1.1").queued_at_ms
    book.passes(15).then(
        a(HangUp, channel="1.1.a1"), a(OfferEnded, call="1.1", agent="an", outcome="no_answer", rang_ms=15_000)
    )
    assert book.call("1.1").queued_at_ms == queued_at_ms
    assert book.world.position(book.call("1.1")) == 1


# -- who lets calls ring out (docs/decisions.md 30) ------------------------------------------------------------------


def rung_out(book: Playbook, n: int) -> Playbook:
    """A caller whose phone rings out at the agent, and who then gives up."""
    return book.when(arrives(n)).when(rings(n)).passes(15).when(leaves(n)).when(leg_gone(n))


def test_who_lets_as_many_calls_in_a_row_ring_out_as_the_queue_says_is_not_ready() -> None:
    book = given(small("an", ring_time=15, pause_after=2)).available("an")
    assert rung_out(book, 1).agent("an").status == "available"
    book.when(arrives(2)).when(rings(2)).passes(15).then(
        a(OfferEnded, outcome="no_answer"), a(AgentChanged, agent="an", status="not_ready", reason="no_answer", by="")
    )
    assert book.world.position(book.call("1.2")) == 1
    book.when(leg_gone(2)).when(status("an", "available")).passes(RETRY_PAUSE_MS / 1000).then(
        a(RingAgent, endpoint="an")
    )
    assert book.agent("an").unanswered == 0


def test_a_phone_that_gives_up_by_itself_rang_out_too() -> None:
    book = given(small("an", pause_after=1)).available("an").when(arrives()).when(rings())
    book.when(leg_gone(1, 1, 19, 480)).then(a(AgentChanged, status="not_ready", reason="no_answer"), never(HangUp))


@pytest.mark.parametrize(
    "there",
    [
        (arrives(8), rings(8), answers(8), leaves(8), leg_gone(8)),
        (arrives(8), declines(8), leaves(8)),
        (status("an", "available"),),
    ],
    ids=["answered", "declined", "asked for a status"],
)
def test_who_did_something_meanwhile_begins_again(there: tuple[Event, ...]) -> None:
    book = rung_out(given(small("an", ring_time=15, pause_after=2)).available("an"), 1)
    assert book.agent("an").unanswered == 1
    for event in there:
        book.when(event)
    assert book.agent("an").unanswered == 0
    assert rung_out(book, 2).agent("an").status == "available"


@pytest.mark.parametrize("pause_after", [0, 3])
def test_fewer_than_that_or_no_such_rule_pauses_nobody(pause_after: int) -> None:
    book = given(small("an", ring_time=15, pause_after=pause_after)).available("an")
    rung_out(rung_out(book, 1), 2)
    assert (book.agent("an").status, book.agent("an").unanswered) == ("available", 2)


def test_a_caller_who_gives_up_while_it_rings_counts_for_nothing() -> None:
    book = given(small("an", ring_time=15, pause_after=1)).available("an").when(arrives()).when(rings())
    book.when(leaves()).when(leg_gone())
    assert (book.agent("an").status, book.agent("an").unanswered) == ("available", 0)


def test_the_next_agent_rings_in_the_step_in_which_the_ring_time_ends() -> None:
    book = given(small("an", "binh", ring_time=15)).available("an", "binh").when(arrives()).when(rings())
    book.passes(14.9).then(never(HangUp))
    book.passes(0.1).only(a(HangUp, channel="1.1.a1"), a(RingAgent, endpoint="binh", leg="1.1.a2"))


def test_a_phone_that_never_rang_is_unreachable() -> None:
    book = given(small("an")).available("an").when(arrives()).passes(15).then(a(OfferEnded, outcome="unreachable"))
    book.when(leg_gone(1, 1))
    assert book.states() == {"an": "unreachable"}


def test_a_ring_command_that_failed_is_an_unreachable_phone_and_hung_up_all_the_same() -> None:
    book = given(small("an", "binh")).available("an", "binh").when(arrives())
    book.when(CommandFailed("1.1", "RingAgent", "1.1.a1", "too slow"))
    book.only(a(HangUp, channel="1.1.a1"), a(RingAgent, endpoint="binh")).then(a(OfferEnded, outcome="unreachable"))


def test_two_offers_that_answer_at_once_make_one_talk() -> None:
    book = given(small("an", "binh", strategy=Strategy.RING_ALL)).available("an", "binh").when(arrives())
    book.when(answers(1, 1)).then(a(HangUp, channel="1.1.a2"), a(Join, leg="1.1.a1"), never(CloseBridge))
    book.when(answers(1, 2)).only(a(HangUp, channel="1.1.a2")).then(never(CallAnswered))
    book.when(leg_gone(1, 2))
    assert book.states() == {"an": "talking", "binh": "ready"}


def test_an_answer_joins_and_records_and_is_told_with_the_wait() -> None:
    book = given(small("an")).available("an").when(arrives(), at=10).when(answers(), at=14)
    book.only(a(Join, leg="1.1.a1", bridge="1.1.br"), a(Record, bridge="1.1.br", name="calls/1.1"))
    book.then(a(CallAnswered, queue="sales", agent="an", waited_ms=4_000, hotline=SALES))


def test_a_queue_that_does_not_record_does_not() -> None:
    given(small("an", record=False)).available("an").when(arrives()).when(answers()).only(a(Join))


def test_a_recording_that_failed_is_not_in_the_record() -> None:
    book = given(small("an")).available("an").when(arrives()).when(answers())
    book.when(CommandFailed("1.1", "Record", "calls/1.1", "disk full"))
    book.when(leaves()).then(a(CallEnded, recording="", result="answered"))


def test_an_answer_heard_twice_is_one_answer() -> None:
    book = given(small("an")).available("an").when(arrives()).when(answers())
    book.when(answers()).only().then(never(CallAnswered))


def test_a_refused_caller_is_offered_to_others_before_the_pause_and_to_the_same_after_it() -> None:
    book = given(small("an")).available("an").when(arrives()).when(busy(), at=5).then(never(RingAgent))
    assert book.call("1.1").retry_at_ms is not None
    book.passes(1.9).then(never(RingAgent))
    book.passes(0.1).then(a(RingAgent, endpoint="an", leg="1.1.a2"))


def test_an_agent_who_becomes_not_ready_declines() -> None:
    book = given(small("an", "binh")).available("an", "binh").when(arrives()).when(status("an", "not_ready", "lunch"))
    book.then(a(OfferEnded, agent="an", outcome="declined"), a(HangUp, channel="1.1.a1"), a(RingAgent, endpoint="binh"))


def test_an_agent_who_uses_the_phone_otherwise_is_not_rung() -> None:
    book = (
        given(small("an")).available("an").when(PhoneChannel("an", "9.9", "up")).when(arrives()).then(never(RingAgent))
    )
    book.when(PhoneChannel("an", "9.9", "gone")).then(a(RingAgent, endpoint="an"))


# -- out -------------------------------------------------------------------------------------------------------------


def test_nobody_signed_in_takes_its_way_out_at_once() -> None:
    book = given(small("an", on_no_agent=to(WayKind.HANGUP, play="nobody"))).when(arrives())
    book.only(a(Answer), a(Play, media=("nobody",), playback="1.1.pb1")).then(a(CallRouted, why="no_agent"))
    book.when(played()).only(a(HangUp, channel="1.1"))
    book.when(leaves()).then(a(CallEnded, result="missed", end_cause="overflow", reason="no_agent", queue="sales"))


@pytest.mark.parametrize("how", ["not_ready", "unreachable", "wrap_up", "talking"])
def test_agents_who_will_be_free_are_waited_for(how: str) -> None:
    book = given(small("an", wrap_up=30)).available("an")
    if how in {"wrap_up", "talking"}:
        book.when(arrives(1)).when(answers(1))
        if how == "wrap_up":
            book.when(leg_gone(1)).when(leaves(1))
    elif how == "unreachable":
        book.unreachable("an")
    else:
        book.when(status("an", how))
    assert book.states()["an"] == how
    waiting(book.when(arrives(2)), 2)


def test_the_last_one_to_sign_out_sends_those_who_wait_their_way() -> None:
    book = given(small("an", "binh", on_no_agent=to(WayKind.VOICEMAIL))).available("an", "binh")
    book.when(arrives(1)).when(arrives(2)).when(arrives(3))
    book.when(status("an", "offline")).then(never(CallRouted))
    book.when(status("binh", "offline"))
    book.then(
        *(a(CallRouted, call=f"1.{n}", way="voicemail", why="no_agent") for n in (1, 2, 3)),
        a(HangUp, channel="1.2.a1"),
        a(StopMusic, call="1.3"),
    )


def test_a_full_queue_takes_its_way_out() -> None:
    book = given(small("an", max_size=2, on_full=to(WayKind.HANGUP))).available("an")
    book.when(arrives(1)).when(arrives(2)).when(arrives(3)).only(a(HangUp, call="1.3", channel="1.3"))
    book.when(leaves(3)).then(a(CallEnded, call="1.3", result="missed", end_cause="overflow", reason="full"))
    book.when(leaves(1)).when(arrives(4))
    waiting(book, 4)


def test_one_being_offered_counts_towards_the_size_and_one_talking_does_not() -> None:
    book = given(small("an", max_size=1, on_full=to(WayKind.HANGUP))).available("an").when(arrives(1))
    book.when(arrives(2)).then(a(CallRouted, why="full"))
    book.when(answers(1)).when(arrives(3))
    waiting(book, 3)


def test_the_longest_wait_ends_in_its_way_out() -> None:
    book = given(small("an", max_wait=60, on_max_wait=to(WayKind.HANGUP))).available("an").when(arrives(), at=0)
    book.passes(59.9)
    waiting(book)
    book.passes(0.1).then(a(CallRouted, why="max_wait"), a(HangUp, channel="1.1"))
    book.when(leaves()).then(a(CallEnded, result="missed", end_cause="overflow", reason="max_wait"))


def test_the_longest_wait_ends_a_ringing_offer() -> None:
    book = given(small("an", max_wait=20, ring_time=15, on_max_wait=to(WayKind.HANGUP))).available("an")
    book.when(arrives(), at=0).when(rings(), at=1).passes(14).when(leg_gone(), at=16).when(rings(1, 2), at=18)
    book.when(rings(1, 2), at=19.9).passes(0.1)
    book.then(a(OfferEnded, outcome="cancelled"), a(HangUp, channel="1.1.a2"), a(HangUp, channel="1.1"))


def chain(*ways: Way) -> Setup:
    """Queues q0, q1, …: each full at once (nobody signed in), each with its own way out."""
    queues = tuple(Queue(f"q{n}", (QueueGroup("sales"),), on_no_agent=way) for n, way in enumerate(ways))
    return replace(small("an"), queues=queues, hotlines=(Hotline(SALES, queue="q0"),))


def test_an_overflow_goes_through_queues_in_turn() -> None:
    book = given(chain(to(WayKind.QUEUE, "q1"), to(WayKind.QUEUE, "q2"), to(WayKind.HANGUP))).when(arrives())
    book.then(*(a(CallRouted, way=way, why="no_agent") for way in ("queue q1", "queue q2", "hangup")))
    book.only(a(HangUp, channel="1.1"))


def test_an_overflow_in_a_circle_ends() -> None:
    book = given(chain(to(WayKind.QUEUE, "q1"), to(WayKind.QUEUE, "q0"))).when(arrives())
    assert len([fact for fact in book.facts if isinstance(fact, CallRouted)]) == HOPS_MAX
    book.only(a(HangUp, channel="1.1")).when(leaves()).then(a(CallEnded, end_cause="overflow", result="missed"))


def two(**first: object) -> Setup:
    setup = small("an", **first)
    second = Queue("support", (QueueGroup("sales"),), music="rock", wrap_up=0, max_wait=20)
    return replace(setup, queues=(*setup.queues, second), hotlines=(*setup.hotlines, Hotline(SUPPORT, queue="support")))


def test_an_overflowing_caller_keeps_the_time_waited_and_goes_before_later_ones() -> None:
    book = given(two(max_wait=30, on_max_wait=to(WayKind.QUEUE, "support"))).when(status("an", "not_ready"))
    book.when(arrives(1), at=0).when(arrives(2, SUPPORT), at=20).passes(10)
    book.then(a(CallQueued, call="1.1", queue="support", position=1), a(StartMusic, call="1.1", music="rock"))
    book.when(status("an", "available")).then(a(RingAgent, call="1.1"))
    book.when(answers(1), at=40).then(a(CallAnswered, waited_ms=40_000, queue="support"))


def test_the_longest_wait_counts_anew_in_the_next_queue() -> None:
    book = given(two(max_wait=30, on_max_wait=to(WayKind.QUEUE, "support"))).when(status("an", "not_ready"))
    book.when(arrives(1), at=0).passes(30).passes(19.9)
    waiting(book)
    book.passes(0.1).then(a(HangUp, channel="1.1"))


def test_an_announcement_silences_the_music_and_the_next_queue_begins_it_again() -> None:
    way = to(WayKind.QUEUE, "support", play="sorry")
    book = given(two(max_wait=30, on_max_wait=way)).when(status("an", "not_ready")).when(arrives(1), at=0).passes(30)
    book.only(a(StopMusic), a(Play, media=("sorry",)))
    book.when(played()).only(a(StartMusic, music="rock"))
    waiting(book)


def test_a_closed_queue_takes_its_way_and_is_marked() -> None:
    setup = replace(small("an", hours="never", closed=to(WayKind.HANGUP, play="closed")), schedules=(NEVER,))
    book = given(setup).available("an").when(arrives()).then(a(Play, media=("closed",)), never(RingAgent))
    book.when(played()).when(leaves()).then(a(CallEnded, result="closed", reason="closed", queued_at_ms=None))


def test_closed_but_served_elsewhere_is_judged_by_what_came_of_it() -> None:
    setup = two(hours="never", closed=to(WayKind.QUEUE, "support"))
    book = given(replace(setup, schedules=(NEVER,))).available("an").when(arrives())
    book.then(a(CallQueued, queue="support"), a(RingAgent))
    book.when(leaves()).then(a(CallEnded, result="missed", queue="support"))
    assert book.world.queue_days["support"].missed == 1


def test_open_hours_let_in() -> None:
    always = Schedule("always", "Asia/Ho_Chi_Minh", (((0, 1440),),) * 7)
    waiting(given(replace(small("an", hours="always"), schedules=(always,))).available("an").when(arrives()))


# -- the figures of the day -------------------------------------------------------------------------------------------


def test_the_figures_count_what_happened_today() -> None:
    book = given(small("an", "binh", sla=Sla(80, 5))).available("an", "binh")
    book.when(arrives(1), at=0).when(declines(1), at=2).when(answers(1, 2), at=4)
    book.when(arrives(2), at=10).when(answers(2), at=19)
    book.when(arrives(3), at=20).when(leaves(3), at=23)
    day = book.world.queue_days["sales"]
    assert (day.queued, day.offered, day.answered, day.missed) == (3, 3, 2, 1)
    assert (day.answered_in_sla, day.wait_sum_ms) == (1, 13_000)


def test_an_answer_nobody_waits_for_is_hung_up() -> None:
    book = given(small("an")).available("an").when(arrives()).when(answers(1, 7)).only(a(HangUp, channel="1.1.a7"))
    waiting(book)


def test_a_command_that_failed_without_a_meaning_is_told() -> None:
    book = given(small("an")).available("an").when(arrives())
    book.when(CommandFailed("1.1", "StartMusic", "1.1", "no such class")).then(a(OddEvent, event="CommandFailed"))
    waiting(book)


@pytest.mark.parametrize(("command", "about"), [("Answer", "1.1"), ("Join", "1.1.a1")])
def test_without_a_voice_there_is_no_call(command: str, about: str) -> None:
    book = given(small("an")).available("an").when(arrives()).when(answers())
    book.when(CommandFailed("1.1", command, about, "gone")).then(
        a(HangUp, channel="1.1.a1"), a(HangUp, channel="1.1", q850=38)
    )
    book.when(leaves()).then(a(CallEnded, end_cause="failed", result="answered"))


def test_a_queue_that_does_not_exist_any_more_lets_the_caller_go() -> None:
    setup = chain(to(WayKind.QUEUE, "q7"))
    given(setup).when(arrives()).only(a(HangUp, channel="1.1"))


def test_the_rest_of_an_agent_counts_from_the_queue_entered_last() -> None:
    book = given(two(wrap_up=40, on_max_wait=to(WayKind.QUEUE, "support"), max_wait=10)).when(status("an", "not_ready"))
    book.when(arrives(), at=0).passes(10).when(status("an", "available")).when(answers()).when(leaves())
    assert book.agent("an").wrap_up_until_ms is None
    book.when(SetupChanged(book.world.setup)).when(snapshot(phones=("an",)))
    assert book.states() == {"an": "ready"}


def test_an_offer_nobody_holds_is_not_withdrawn() -> None:
    book = given(small("an")).available("an")
    turn = Turn(book.world, book.now_ms, "test#1")
    queueing.withdraw(turn, "an", "declined")
    assert (turn.commands, turn.facts) == ([], [])


def test_an_alert_due_before_the_next_queue_began_comes_at_once() -> None:
    setup = two(max_wait=20, on_max_wait=to(WayKind.QUEUE, "support", play="sorry"))
    hotlines = (replace(setup.hotlines[0], notify_answer_time=21), *setup.hotlines[1:])
    book = given(replace(setup, hotlines=hotlines)).when(status("an", "not_ready")).when(arrives(), at=0).passes(25)
    book.when(played()).passes(0.01).then(a(AlertRaised, queue="support"))


def test_offers_of_agents_whose_rows_are_gone_end_all_the_same() -> None:
    for event in (leg_gone(1, 1, 20), None):
        book = given(small("an", "binh")).available("an", "binh").when(arrives())
        book.world.remove("agent", "an")
        done = step(book.world, event or Ticked(), book.now_ms + 60_000 if event is None else book.now_ms)
        assert not done.broken
        assert any(isinstance(fact, OfferEnded) and fact.agent == "an" for fact in done.facts)
