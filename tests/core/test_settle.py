"""A setup that changes under running calls: nobody who talks or waits pays for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import HangUp, RingAgent, StartMusic
from controller.core.events import OutboundAsked, OutboundEnded, PhoneChannel, SetupChanged
from controller.core.facts import AgentChanged, CallEnded, CallQueued, CallRouted, OfferEnded, SetupApplied
from controller.core.model import Phase
from controller.core.setup import Group, Hotline, Queue, QueueGroup, Setup, Strategy, Way, WayKind
from tests.core.setups import SALES, agents, small
from tests.core.words import answers, arrives, caller_seen, declines, leaves, leg_gone, snapshot, status
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure


def changes(book: Playbook, setup: Setup) -> Playbook:
    return book.when(SetupChanged(setup)).then(a(SetupApplied, version=setup.version))


def test_new_agents_begin_offline_and_old_ones_keep_what_they_were() -> None:
    book = given(small("an")).available("an")
    changes(book, small("an", "binh")).then(a(AgentChanged, agent="binh", status="offline"))
    assert book.states() == {"an": "ready", "binh": "offline"}


def test_a_new_agent_who_signs_in_is_rung() -> None:
    book = given(small("an")).when(status("an", "not_ready")).when(arrives())
    changes(book, small("an", "binh")).when(snapshot_of(book, "an", "binh"))
    book.when(status("binh", "available")).then(a(RingAgent, endpoint="binh"))


def snapshot_of(book: Playbook, *phones: str) -> object:
    return snapshot(*(caller_seen(int(call.partition(".")[2])) for call in book.world.calls), phones=phones)


def test_the_callers_of_a_removed_queue_go_its_way_out() -> None:
    second = Queue("second", (QueueGroup("sales"),), music="rock")
    setup = small("an", on_max_wait=Way(WayKind.QUEUE, "second"))
    setup = replace(setup, queues=(*setup.queues, second))
    book = given(setup).available("an").when(arrives(1)).when(arrives(2))
    changes(book, replace(setup, queues=(second,), hotlines=(Hotline(SALES, queue="second"),)))
    book.then(
        a(OfferEnded, call="1.1", outcome="cancelled"),
        a(CallRouted, call="1.1", why="queue_removed"),
        a(CallQueued, call="1.1", queue="second", position=1),
        a(CallQueued, call="1.2", queue="second", position=2),
        a(HangUp, channel="1.1.a1"),
        a(StartMusic, call="1.1", music="rock"),
    )
    book.when(leg_gone(1)).then(a(RingAgent, call="1.1", leg="1.1.a2"))


def test_talkers_of_a_removed_queue_talk_on() -> None:
    setup = small("an", wrap_up=9)
    book = given(setup).available("an").when(arrives()).when(answers())
    changes(book, replace(setup, queues=(), hotlines=())).then(never(HangUp))
    book.when(leaves()).then(a(CallEnded, result="answered", queue="sales"))
    assert book.states() == {"an": "wrap_up"}


def test_an_agent_removed_while_rung_lets_go() -> None:
    book = given(small("an", "binh")).available("an", "binh").when(arrives())
    changes(book, small("binh")).then(a(OfferEnded, agent="an", outcome="cancelled"), a(RingAgent, endpoint="binh"))
    assert "an" in book.world.agents, "until the phone has stopped ringing"
    book.when(leg_gone())
    assert set(book.world.agents) == {"binh"}


def test_an_agent_removed_while_dialling_finishes_the_call() -> None:
    setup = small("an", "binh")
    book = given(setup).when(OutboundAsked("1.9", "an", "0967123456"))
    changes(book, replace(setup, agents=setup.agents[1:])).then(never(CallEnded))
    book.when(OutboundEnded("1.9", "ANSWER", 16, 3)).then(a(CallEnded, agent="an", result="answered"))
    assert set(book.world.agents) == {"binh"}
    book.when(PhoneChannel("an", "1.9", "gone"))


def test_an_agent_removed_while_resting_is_gone_at_once_and_comes_back_rested() -> None:
    setup = small("an", "binh", wrap_up=60)
    book = given(setup).available("an").when(arrives()).when(answers()).when(leg_gone()).when(leaves())
    changes(book, replace(setup, agents=setup.agents[1:]))
    assert set(book.world.agents) == {"binh"}
    changes(book, setup)
    assert book.states()["an"] == "offline"


def test_whoever_waits_for_nobody_any_more_takes_the_way_for_that() -> None:
    setup = replace(small("an", "binh", on_no_agent=Way(play="nobody")), groups=(Group("sales"), Group("other")))
    book = given(setup).available("an").when(arrives(1)).when(arrives(2))
    others = (replace(setup.agents[0], groups=("other",)), setup.agents[1])
    changes(book, replace(setup, agents=others))
    book.then(*(a(CallRouted, call=f"1.{n}", why="no_agent") for n in (1, 2)))


def test_an_agent_who_joins_a_group_serves_it_in_the_same_step() -> None:
    setup = replace(
        small("an"),
        groups=(Group("sales"), Group("other")),
        agents=(*small("an").agents, *agents("chi", groups=("other",))),
    )
    book = given(setup).when(status("an", "not_ready")).available("chi").when(arrives()).then(never(RingAgent))
    changes(book, replace(setup, agents=(setup.agents[0], replace(setup.agents[1], groups=("other", "sales")))))
    book.then(a(RingAgent, endpoint="chi"))


def test_another_strategy_orders_the_free_anew() -> None:
    book = given(small("an", "binh", strategy=Strategy.LINEAR)).available("binh", "an")
    changes(book, small("an", "binh", strategy=Strategy.LONGEST_IDLE)).when(arrives())
    assert book.offered() == ["binh"]


def test_another_phone_is_unknown_until_it_is_heard_of() -> None:
    setup = small("an")
    book = given(setup).available("an").when(PhoneChannel("an", "9.9", "up"))
    changes(book, replace(setup, agents=(replace(setup.agents[0], endpoint="desk-7"),)))
    assert book.states() == {"an": "unreachable"}
    book.when(snapshot(phones=("desk-7",))).when(arrives()).then(a(RingAgent, endpoint="desk-7"))


def test_a_call_keeps_the_wrap_up_it_was_queued_with() -> None:
    book = given(small("an", wrap_up=9)).available("an").when(arrives())
    changes(book, small("an", wrap_up=500)).when(answers()).when(leaves())
    assert book.agent("an").wrap_up_until_ms == book.now_ms + 9_000


def test_the_same_setup_again_changes_nothing() -> None:
    setup = small("an", "binh")
    book = given(setup).available("an", "binh").when(arrives(1)).when(declines()).when(arrives(2))
    before = list(book.world.entities())
    changes(book, setup).only()
    assert list(book.world.entities()) == before


def test_a_caller_in_a_queue_that_goes_nowhere_is_let_go() -> None:
    setup = small("an", on_max_wait=Way(WayKind.QUEUE, "gone"))
    book = given(setup).available("an").when(arrives())
    changes(book, replace(setup, queues=(), hotlines=()))
    assert book.call("1.1").phase is Phase.ENDING


def test_another_phone_is_not_blamed_for_the_old_one() -> None:
    setup = small("an")
    book = given(setup).available("an").when(arrives()).when(leg_gone(1, 1, 20))
    assert book.agent("an").unreachable_until_ms is not None
    changes(book, replace(setup, agents=(replace(setup.agents[0], endpoint="desk-7"),)))
    assert book.agent("an").unreachable_until_ms is None
