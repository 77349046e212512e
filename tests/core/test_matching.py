"""Who is offered to whom: the six strategies, tiers, order, fairness between queues, and nobody forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import RingAgent
from controller.core.events import LinkLost, WrapUpEndAsked
from controller.core.facts import CallAnswered, CallOffered
from controller.core.matching import PASSED_MAX
from controller.core.setup import Group, Hotline, Queue, QueueGroup, Setup, Strategy
from tests.core.setups import SALES, SUPPORT, agents, small
from tests.core.words import (
    answers,
    arrives,
    busy,
    caller_seen,
    declines,
    leaves,
    leg_gone,
    rings,
    snapshot,
    status,
)
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

ONE_AT_A_TIME = [strategy for strategy in Strategy if strategy is not Strategy.RING_ALL]


def serve(book: Playbook, n: int) -> str:
    """Call n comes, is answered by whoever is rung, and ends; who that was."""
    book.when(arrives(n))
    (agent,) = book.offered()
    book.when(answers(n)).then(a(CallAnswered, agent=agent))
    book.when(leg_gone(n)).when(leaves(n))
    return agent


def of(strategy: Strategy, *names: str) -> Playbook:
    return given(small(*names, strategy=strategy)).available(*names)


def test_longest_idle_is_whoever_has_rested_longest_since_the_last_talk() -> None:
    book = of(Strategy.LONGEST_IDLE, "an", "binh", "chi")
    assert [serve(book, n) for n in range(1, 7)] == ["an", "binh", "chi"] * 2


def test_longest_idle_begins_when_an_agent_comes() -> None:
    book = of(Strategy.LONGEST_IDLE, "binh", "chi", "an")
    assert [serve(book, n) for n in range(1, 4)] == ["binh", "chi", "an"]
    book.when(status("binh", "not_ready")).when(status("binh", "available"))
    assert [serve(book, n) for n in range(4, 7)] == ["chi", "an", "binh"]


def test_an_agent_who_declines_keeps_the_place_of_longest_idle() -> None:
    book = of(Strategy.LONGEST_IDLE, "an", "binh")
    book.when(arrives(1)).when(declines(1, 1)).when(answers(1, 2)).when(arrives(2))
    assert book.offered() == ["an"]


def test_round_robin_goes_round_by_offers_and_not_by_talks() -> None:
    book = of(Strategy.ROUND_ROBIN, "an", "binh", "chi")
    book.when(arrives(1)).then(a(RingAgent, endpoint="an"))
    book.when(declines(1, 1)).then(a(RingAgent, endpoint="binh"))
    book.when(leaves(1)).when(leg_gone(1, 2))
    assert [serve(book, n) for n in range(2, 6)] == ["chi", "an", "binh", "chi"]


def test_round_robin_is_fair() -> None:
    book = of(Strategy.ROUND_ROBIN, *"abcde")
    served = [serve(book, n) for n in range(1, 51)]
    assert {name: served.count(name) for name in "abcde"} == dict.fromkeys("abcde", 10)


def test_fewest_calls_counts_the_talks_of_today() -> None:
    book = of(Strategy.FEWEST_CALLS, "an", "binh")
    assert [serve(book, n) for n in range(1, 3)] == ["an", "binh"]
    book.when(status("an", "not_ready"))
    assert [serve(book, n) for n in range(3, 6)] == ["binh"] * 3
    book.when(status("an", "available"))
    assert [serve(book, n) for n in range(6, 10)] == ["an"] * 4


def test_fewest_calls_begins_anew_at_local_midnight() -> None:
    book = of(Strategy.FEWEST_CALLS, "an", "binh")
    serve(book, 1)
    book.when(arrives(2))
    assert book.offered() == ["binh"]
    book.when(leaves(2)).when(leg_gone(2))
    book.passes(16 * 3600).when(arrives(3))
    assert book.offered() == ["an"], "yesterday's talk of an does not count"


def test_linear_is_the_order_of_the_setup() -> None:
    book = of(Strategy.LINEAR, "binh", "an", "chi")
    assert [serve(book, n) for n in range(1, 4)] == ["binh"] * 3


@pytest.mark.parametrize("strategy", [s for s in ONE_AT_A_TIME if s is not Strategy.RANDOM])
def test_ties_break_by_the_order_of_the_setup(strategy: Strategy) -> None:
    book = given(small("chi", "an", "binh", strategy=strategy))
    for name in ("an", "binh", "chi"):
        book.when(status(name, "available"), at=1)
    book.when(arrives(1), at=1)
    assert book.offered() == ["chi"]


def test_random_spreads_and_is_the_same_every_day() -> None:
    def day() -> list[str]:
        book = of(Strategy.RANDOM, "an", "binh", "chi")
        return [serve(book, n) for n in range(1, 61)]

    served = day()
    assert served == day()
    assert all(served.count(name) >= 10 for name in ("an", "binh", "chi"))
    assert served != sorted(served)


def test_ring_all_rings_everybody_free_of_the_first_tier_at_once() -> None:
    setup = small("an", "binh", "chi", strategy=Strategy.RING_ALL)
    book = given(setup).available("an", "chi").when(arrives())
    assert book.offered() == ["an", "chi"]
    book.when(answers(1, 2)).then(a(CallAnswered, agent="chi"))
    assert book.states() == {"an": "busy", "binh": "offline", "chi": "talking"}
    book.when(leg_gone(1, 1))
    assert book.states()["an"] == "ready"


def test_ring_all_goes_on_while_one_of_them_declines() -> None:
    book = of(Strategy.RING_ALL, "an", "binh").when(arrives())
    book.when(declines(1, 1)).then(never(RingAgent))
    book.when(answers(1, 2)).then(a(CallAnswered, agent="binh"))


def two_tiers(strategy: Strategy = Strategy.LONGEST_IDLE) -> Setup:
    setup = small("an", "binh", strategy=strategy, groups=(QueueGroup("sales", primary=False), QueueGroup("first")))
    return replace(
        setup, groups=(Group("sales"), Group("first")), agents=(*setup.agents, *agents("chi", groups=("first",)))
    )


@pytest.mark.parametrize("strategy", Strategy)
def test_primary_groups_come_first_and_the_others_after_they_were_tried(strategy: Strategy) -> None:
    book = given(two_tiers(strategy)).available("an", "binh", "chi").when(arrives())
    assert book.offered() == ["chi"]
    assert "primary" in book.one(CallOffered).why
    book.when(declines(1, 1))
    assert set(book.offered()) in ({"an"}, {"binh"}, {"an", "binh"})
    assert "secondary" in book.facts[1].why


def test_secondary_agents_serve_while_no_primary_one_is_free() -> None:
    book = given(two_tiers()).available("an").when(arrives())
    assert book.offered() == ["an"]


@pytest.mark.parametrize("strategy", ONE_AT_A_TIME)
def test_nobody_is_offered_the_same_caller_again_before_everybody_else(strategy: Strategy) -> None:
    names = ("an", "binh", "chi", "dung")
    book = of(strategy, *names).when(arrives())
    rung = book.offered()
    for leg in range(1, 4):
        rung += book.when(declines(1, leg)).offered()
    assert sorted(rung) == list(names)
    assert book.when(busy(1, 4)).offered() == [], "everybody has been tried: a pause"
    again = book.passes(2).offered()
    for leg in range(5, 8):
        again += book.when(declines(1, leg)).offered()
    assert sorted(again) == list(names)


def test_in_the_pause_a_fresh_agent_is_rung_at_once() -> None:
    book = given(small("an", "binh")).available("an").when(arrives()).when(declines())
    assert book.available("binh").offered() == ["binh"]
    assert book.call("1.1").tried == ("an",)


def test_callers_leave_in_the_order_of_arrival() -> None:
    book = given(small("an", wrap_up=0)).available("an")
    for n in (5, 2, 9, 3):
        book.when(arrives(n))
    served = [5]
    for n in (2, 9, 3):
        book.when(answers(served[-1]))
        book.when(leg_gone(served[-1])).then(a(RingAgent, call=f"1.{n}"))
        served.append(n)


def test_who_arrived_in_the_same_moment_goes_by_id() -> None:
    book = given(small("an")).when(status("an", "available"), at=1)
    book.when(arrives(3), at=2).when(arrives(2), at=2).when(arrives(1), at=2)
    book.when(leaves(3), at=3).when(leg_gone(3), at=3).then(a(RingAgent, call="1.1"))


def test_a_caller_everybody_has_refused_lets_the_next_one_pass() -> None:
    book = given(small("an")).available("an").when(arrives(1)).when(arrives(2))
    book.when(declines(1)).then(a(RingAgent, call="1.2", endpoint="an"))
    assert [call.id for call in book.world.waiting("sales")] == ["1.1", "1.2"], "the place is kept"


def two_queues() -> Setup:
    setup = small("an")
    return replace(
        setup,
        hotlines=(*setup.hotlines, Hotline(SUPPORT, queue="support")),
        queues=(*setup.queues, Queue("support", (QueueGroup("sales"),), wrap_up=0)),
    )


def test_an_agent_of_two_queues_goes_to_whoever_has_waited_longest() -> None:
    book = given(two_queues()).available("an").when(arrives(1))
    book.when(arrives(2, SUPPORT)).when(arrives(3)).when(arrives(4, SUPPORT))
    order = []
    for n in (1, 2, 3, 4):
        book.when(answers(n)).when(leg_gone(n))
        order += [command.call for command in book.commands if isinstance(command, RingAgent)]
    assert order == ["1.2", "1.3", "1.4"]


def test_two_callers_and_one_agent_make_one_offer() -> None:
    book = given(small("an")).available("an").when(arrives(1)).then(a(RingAgent))
    book.when(arrives(2)).then(never(RingAgent))
    assert book.agent("an").call == "1.1"


def test_a_wrap_up_that_ends_rings_the_longest_waiter_in_the_same_step() -> None:
    book = given(small("an", wrap_up=30)).available("an").when(arrives(1)).when(answers()).when(arrives(2))
    book.when(leg_gone(1)).then(never(RingAgent))
    book.when(WrapUpEndAsked("an")).then(a(RingAgent, call="1.2"))


def test_many_callers_and_many_agents_meet_in_one_step() -> None:
    names = [f"a{n:03}" for n in range(100)]
    book = given(small(*names, max_size=200, max_wait=600), reachable=False).available(*names)
    for n in range(1, 101):
        book.when(arrives(n)).then(never(RingAgent))
    book.when(snapshot(*(caller_seen(n) for n in range(1, 101)), phones=tuple(names)))
    assert len(book.offered()) == len(set(book.offered())) == 100 > PASSED_MAX


def test_no_more_than_so_many_are_passed_over_in_one_step_and_none_for_ever() -> None:
    book = given(small("an", ring_time=3, max_size=200, max_wait=600)).available("an")
    for n in range(1, PASSED_MAX + 4):
        book.when(arrives(n))
    for n in range(1, PASSED_MAX + 1):
        book.when(declines(n))
    book.then(never(RingAgent))
    book.passes(2).then(a(RingAgent, call="1.1"))


def test_nobody_is_rung_while_asterisk_cannot_be_heard() -> None:
    book = given(small("an")).when(LinkLost("cut")).available("an")
    book.when(arrives(1)).then(never(RingAgent))
    book.when(snapshot(caller_seen(1), phones=("an",))).then(a(RingAgent, call="1.1"))
    book.when(rings(1))
    assert book.call("1.1").offers[0].ringing


@pytest.mark.parametrize("number", [SALES, SUPPORT])
def test_the_reason_is_told_with_the_offer(number: str) -> None:
    book = given(two_queues()).available("an").when(arrives(1, number))
    book.then(a(CallOffered, agent="an", why="longest-idle, primary group"))


def test_the_pause_of_one_caller_is_not_made_longer_by_what_others_do() -> None:
    book = given(small("an", max_size=9)).available("an").when(arrives(1), at=0).when(declines(1), at=0)
    for n in range(2, 6):
        book.when(arrives(n), at=0.3 * n).when(declines(n), at=0.3 * n)
    book.when(leaves(5), at=1.9).passes(0.1)
    assert book.call("1.1").offers or book.call("1.1").retry_at_ms is None
    book.then(a(RingAgent, call="1.1"))
