"""A clock that is stepped: waits, talks and rests keep their length, and nothing is told twice."""

from __future__ import annotations

import pytest

from controller.core.commands import RingAgent
from controller.core.events import ClockMoved, SetupChanged
from controller.core.facts import AlertRaised, CallAnswered, CallEnded, OfferEnded
from controller.core.model import Agent, Call
from controller.core.setup import Hotline
from controller.core.world import World
from tests.core.setups import SALES, small
from tests.core.words import answers, arrives, caller_seen, leaves, leg_gone, rings, snapshot, status
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

HOUR_MS = 3_600_000
STEPS = [HOUR_MS, -HOUR_MS, 1_000, -1_000, -24 * HOUR_MS, 400 * 24 * HOUR_MS]


def moved(book: Playbook, delta_ms: int) -> Playbook:
    book.now_ms += delta_ms
    return book.when(ClockMoved(delta_ms))


@pytest.mark.parametrize("delta_ms", STEPS)
def test_a_ring_time_keeps_its_length(delta_ms: int) -> None:
    book = given(small("an", ring_time=15)).available("an").when(arrives()).when(rings())
    moved(book, delta_ms).then(never(OfferEnded)).passes(14.9).then(never(OfferEnded))
    book.passes(0.1).then(a(OfferEnded, outcome="no_answer", rang_ms=15_000))


@pytest.mark.parametrize("delta_ms", STEPS)
def test_a_rest_keeps_its_length(delta_ms: int) -> None:
    book = (
        given(small("an", wrap_up=20)).available("an").when(arrives(1)).when(answers()).when(leaves()).when(leg_gone())
    )
    moved(book.when(arrives(2)), delta_ms).then(never(RingAgent)).passes(19.9).then(never(RingAgent))
    book.passes(0.1).then(a(RingAgent, call="1.2"))


@pytest.mark.parametrize("delta_ms", STEPS)
def test_an_alert_is_neither_early_nor_late_nor_a_storm(delta_ms: int) -> None:
    setup = small("an", hotline=Hotline(SALES, queue="sales", notify_answer_time=20), max_wait=100)
    book = given(setup).when(status("an", "not_ready"))
    for n in range(1, 5):
        book.when(arrives(n))
    moved(book, delta_ms).then(never(AlertRaised)).passes(19.9).then(never(AlertRaised))
    book.passes(0.2)
    assert len([fact for fact in book.facts if isinstance(fact, AlertRaised)]) == 4


@pytest.mark.parametrize("delta_ms", STEPS)
def test_the_wait_is_told_right(delta_ms: int) -> None:
    book = given(small("an", max_wait=100)).available("an").when(arrives()).passes(5)
    moved(book, delta_ms).passes(4.98).when(answers()).then(a(CallAnswered, waited_ms=10_000))
    moved(book, delta_ms).when(leaves()).then(a(CallEnded, result="answered"))


def test_the_sums_of_the_day_are_no_instants() -> None:
    book = given(small("an")).available("an").when(arrives()).passes(5).when(answers())
    assert book.world.queue_days["sales"].wait_sum_ms == 5_010
    assert moved(book, HOUR_MS).world.queue_days["sales"].wait_sum_ms == 5_010


def test_what_never_was_stays_never() -> None:
    book = moved(given(small("an")), HOUR_MS)
    assert (book.agent("an").last_offered_ms, book.agent("an").wrap_up_until_ms) == (0, None)


def test_a_small_step_back_stands_still() -> None:
    book = given(small("an")).available("an").when(arrives())
    book.now_ms -= 900
    book.when(answers())
    assert book.call("1.1").answered_at_ms == book.call("1.1").arrived_at_ms


def test_a_clock_set_back_while_we_were_away_shows_in_the_rows() -> None:
    book = given(small("an", wrap_up=20)).available("an").when(arrives(1)).when(answers()).when(arrives(2))
    book.when(leaves(1)).when(leg_gone(1))
    rows = [row for row in book.world.entities() if isinstance(row, Call | Agent)]
    again = Playbook(World(book.world.setup, rows))
    again.stories = book.stories
    again.now_ms = book.now_ms - HOUR_MS
    again.when(SetupChanged(book.world.setup)).when(snapshot(caller_seen(2), phones=("an",)))
    again.passes(19).then(never(RingAgent)).passes(1).then(a(RingAgent, call="1.2"))
