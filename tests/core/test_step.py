"""The one door: nothing that comes through it can raise, and every command says what caused it."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from controller.core import events, figures, invariants
from controller.core.events import (
    AgentStatusAsked,
    CallArrived,
    CallGone,
    ClockMoved,
    HangupAsked,
    LegAnswered,
    LegGone,
    LinkLost,
    PhoneChannel,
    SetupChanged,
    Ticked,
)
from controller.core.facts import CallOffered, CallRouted, OddEvent, OfferEnded
from controller.core.model import Call, Pbx, TrunkState
from controller.core.step import _due, step
from controller.core.turn import Turn
from controller.core.world import World
from tests.core import setups
from tests.core.setups import SALES, small, whole
from tests.core.test_codec import values
from tests.core.words import arrives, snapshot, status
from tests.playbook import a, given

pytestmark = pytest.mark.pure

NOW_MS = 1_763_000_000_000
ANYTHING = [cls for cls in get_args(events.Event) if cls not in {SetupChanged, ClockMoved}]
LIKELY = {
    "call": ("1.1", "1.2", "9.9"),
    "channel": ("1.1", "9.9", "1.1.a1"),
    "leg": ("1.1.a1", "1.1.a2", "1.2.a1", "1.1.p1"),
    "about": ("1.1.a1", "1.1.pb1", "1.1"),
    "playback": ("1.1.pb1", "1.1.pb2", ""),
    "agent": ("an", "chi", "em", "dung"),
    "endpoint": ("an", "chi", "em", "dung"),
    "status": ("available", "offline", "not_ready", "ANSWER", "BUSY", "CONGESTION"),
    "state": ("ring", "up", "gone"),
    "digit": ("1", "2", "3", "9"),
    "dialled": (SALES, setups.MENU, setups.CLOSED, "0967123456"),
    "command": ("RingAgent", "Play", "Join", "Answer"),
    "via": ("", "auto"),
}
"""Words that mean something here; what is drawn otherwise means nothing to anybody."""


@cache
def likely(cls: Any) -> st.SearchStrategy[Any]:
    hints = get_type_hints(cls)
    fields = {name: st.sampled_from(LIKELY[name]) if name in LIKELY else values(hint) for name, hint in hints.items()}
    return st.builds(cls, **fields)


def test_every_command_says_what_caused_it() -> None:
    book = given(small("an")).available("an").when(arrives())
    assert {command.cause for command in book.commands} == {"CallArrived#4"}


def test_a_step_that_breaks_is_undone_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    book = given(small("an")).available("an")
    before, orders = list(book.world.entities()), book.world.orders()
    monkeypatch.setattr("controller.core.queueing.figures.count", lambda *_, **__: 1 / 0)
    done = step(book.world, arrives(), book.now_ms)
    why = "ZeroDivisionError: division by zero"
    assert (done.changes, done.commands, done.facts) == ((), (), (OddEvent("1.1", "CallArrived", why),))
    assert (done.answer.code, done.broken) == ("conflict", why)
    assert (list(book.world.entities()), book.world.orders()) == (before, orders)
    monkeypatch.undo()
    book.when(arrives()).then(a(CallOffered))


def test_deadlines_that_never_end_are_an_error_and_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    book = given(small("an")).when(status("an", "not_ready")).when(arrives())
    monkeypatch.setattr("controller.core.step.DUE_MAX", 50)
    again = iter(range(1_000_000))
    monkeypatch.setattr("controller.core.waking.due", lambda turn, call: turn.change_call(call.id, hops=next(again)))
    done = step(book.world, Ticked(), book.now_ms + 100_000)
    assert "deadlines never end" in done.broken
    assert book.call("1.1").hops == 0


def test_deadlines_that_came_together_are_handled_the_earliest_first() -> None:
    book = given(small("an", ring_time=5, max_wait=30)).available("an").when(arrives(1)).when(arrives(2))
    done = step(book.world, Ticked(), book.now_ms + 100_000)
    said = [fact for fact in done.facts if isinstance(fact, OfferEnded | CallRouted)]
    assert [type(fact) for fact in said] == [OfferEnded, CallRouted, CallRouted]
    assert [fact.call for fact in said] == ["1.1", "1.1", "1.2"]


def test_a_process_that_slept_handles_all_of_it_in_one_turn_and_offers_nobody_twice() -> None:
    book = (
        given(small("an", "binh", ring_time=5, max_wait=300)).available("an", "binh").when(arrives(1)).when(arrives(2))
    )
    book.now_ms += 30_000
    book.when(Ticked())
    assert invariants.check(book.world, book.now_ms) == []
    assert book.offered() == [], "both phones are being let go"


def test_time_that_goes_back_a_little_stands_still() -> None:
    world = World()
    step(world, SetupChanged(small("an")), NOW_MS)
    for now_ms, seen_ms in (
        (NOW_MS - 1, NOW_MS),
        (NOW_MS - 999, NOW_MS),
        (NOW_MS - 1_000, NOW_MS - 1_000),
        (NOW_MS, NOW_MS),
    ):
        step(world, Ticked(), now_ms)
        assert world.now_ms == seen_ms


def test_a_clock_that_moved_is_followed() -> None:
    world = World()
    step(world, SetupChanged(small("an")), NOW_MS)
    step(world, ClockMoved(-3_600_000), NOW_MS - 3_600_000)
    assert world.now_ms == NOW_MS - 3_600_000


def test_the_first_step_of_a_day_is_like_any_other() -> None:
    world = World(small("an"))
    assert not step(world, Ticked(), NOW_MS).broken
    assert world.figures_day == figures.today(world, NOW_MS)


@settings(max_examples=150, deadline=None)
@generated(st.lists(st.tuples(st.sampled_from(ANYTHING).flatmap(likely), st.integers(0, 40_000)), max_size=12))
def test_nothing_whatever_raises(happening: list[tuple[Any, int]]) -> None:
    world, now_ms = World(), NOW_MS
    step(world, SetupChanged(whole()), now_ms)
    step(world, snapshot(phones=("an", "binh", "chi", "dung", "em")), now_ms)
    for name in ("an", "chi", "em"):
        step(world, AgentStatusAsked(name, "available"), now_ms)
    step(world, CallArrived("1.1", SALES, "0967"), now_ms)
    for event, later_ms in happening:
        now_ms += later_ms
        done = step(world, event, now_ms)
        assert not done.broken, f"{event}: {done.broken}"
        assert not [fact for fact in done.facts if isinstance(fact, OddEvent) and "given up" in fact.why]
        found = [breach for breach in invariants.check(world, world.now_ms, done) if not breach.startswith("S13")]
        assert found == [], f"{event}"
    assert all(isinstance(call, Call) for call in world.calls.values())


def test_every_kind_of_row_that_waits_has_somebody_to_wake_it() -> None:
    book = given(small("an", wrap_up=9)).available("an").when(arrives()).when(LegAnswered("1.1", "1.1.a1"))
    book.when(CallGone("1.1")).when(LegGone("1.1", "1.1.a1"))
    book.world.put(TrunkState("v1", cooling_until_ms=book.now_ms + 5_000))
    book.passes(20)
    assert (book.agent("an").wrap_up_until_ms, book.world.trunks["v1"].cooling_until_ms) == (None, None)
    turn = Turn(book.world, book.now_ms, "test#1")
    with pytest.raises(LookupError, match="nothing is due for a Pbx"):
        _due(turn, Pbx())


def test_a_call_nobody_knows_is_not_found() -> None:
    assert given(small("an")).when(HangupAsked("7.7")).answer.code == "not_found"
    book = given(small("an")).available("an").when(arrives())
    assert book.when(HangupAsked("1.1")).answer.ok
    book = given(small("an", "binh")).available("an", "binh").when(arrives())
    book.when(status("an", "offline")).when(PhoneChannel("an", "9.9", "up")).when(LinkLost())
    assert not book.world.linked


def test_a_deadline_nobody_handles_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    book = given(small("an")).when(status("an", "not_ready")).when(arrives())
    monkeypatch.setattr("controller.core.waking.due", lambda *_: None)
    done = step(book.world, Ticked(), book.now_ms + 100_000)
    assert [fact.why for fact in done.facts if isinstance(fact, OddEvent)] == [
        "call 1.1 given up: its deadline does not pass"
    ]
