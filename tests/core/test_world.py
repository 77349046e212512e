"""The world keeps its orders right, whatever is put and removed, and says what is due next."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from controller.core.model import Agent, AgentPhase, Call, HotlineState, Offer, Pbx, Phase, QueueDay, TrunkState
from controller.core.setup import Strategy
from controller.core.world import OVER_MAX, World, is_free
from tests.core.setups import small, whole

pytestmark = pytest.mark.pure

FREE = Agent("an", "available", reachable=True)


def call(n: int, queued_at_ms: int | None = 5, **more: object) -> Call:
    row = Call(f"1.{n}", "inbound", Phase.WAITING, "", "", "", "", 1, queue="sales", queued_at_ms=queued_at_ms)
    return replace(row, **more)


@pytest.mark.parametrize(
    ("change", "free"),
    [
        ({}, True),
        ({"status": "not_ready"}, False),
        ({"status": "offline"}, False),
        ({"reachable": False}, False),
        ({"unreachable_until_ms": 7}, False),
        ({"foreign": ("9.9",)}, False),
        ({"wrap_up_until_ms": 7}, False),
        ({"phase": AgentPhase.OFFERED}, False),
        ({"phase": AgentPhase.RELEASING}, False),
        ({"phase": AgentPhase.DIALING}, False),
        ({"phase": AgentPhase.TALKING}, False),
    ],
)
def test_free_is_available_reachable_unused_rested_and_idle(change: dict[str, object], free: bool) -> None:
    assert is_free(replace(FREE, **change)) is free


def test_callers_stand_in_the_order_of_arrival_then_id() -> None:
    world = World(small("an"), [call(3), call(2, 4), call(1), call(4, 9, offers=(Offer("an", "x", 1, 2),))])
    assert [row.id for row in world.waiting("sales")] == ["1.2", "1.1", "1.3", "1.4"]
    assert [place[1] for place in world.hungry("sales")] == ["1.2", "1.1", "1.3"]
    assert [world.position(call(n, at)) for n, at in ((2, 4), (1, 5), (3, 5), (4, 9))] == [1, 2, 3, 4]
    assert (world.queue_size("sales"), world.queue_size("none"), world.waiting("none")) == (4, 0, [])


def test_nobody_has_a_position_who_does_not_wait() -> None:
    world = World(small("an"), [call(1)])
    assert world.position(call(1, phase=Phase.MENU)) is None
    assert world.position(call(1, None)) is None
    assert world.position(call(7)) is None


@pytest.mark.parametrize("strategy", Strategy)
def test_the_free_stand_best_first(strategy: Strategy) -> None:
    rows = [
        replace(FREE, name="an", idle_since_ms=9, last_offered_ms=1, answered_today=5),
        replace(FREE, name="binh", idle_since_ms=3, last_offered_ms=8, answered_today=5),
        replace(FREE, name="chi", idle_since_ms=3, last_offered_ms=4, answered_today=2),
    ]
    world = World(small("an", "binh", "chi", strategy=strategy), rows)
    expected = {
        Strategy.LONGEST_IDLE: ["binh", "chi", "an"],
        Strategy.ROUND_ROBIN: ["an", "chi", "binh"],
        Strategy.FEWEST_CALLS: ["chi", "an", "binh"],
    }.get(strategy, ["an", "binh", "chi"])
    assert [rank[2] for rank in world.free("sales", 0)] == expected
    assert world.free("sales", 1) == world.free("none", 0) == []


def test_signed_in_counts_who_is_not_offline() -> None:
    world = World(small("an", "binh"), [FREE, Agent("binh", "not_ready"), Agent("stranger", "available")])
    assert (world.signed_in("sales"), world.signed_in("none")) == (2, 0)
    world.put(replace(FREE, status="offline"))
    world.remove("agent", "binh")
    assert world.signed_in("sales") == 0


def test_putting_returns_what_was_there() -> None:
    world = World(small("an"))
    assert world.put(FREE) is None
    assert world.put(replace(FREE, reason="x")) is FREE
    assert world.remove("agent", "an") == replace(FREE, reason="x")
    assert world.remove("agent", "an") is None
    assert world.get("agent", "an") is None


def test_legs_lead_to_their_agents() -> None:
    world = World(small("an"), [replace(FREE, phase=AgentPhase.OFFERED, leg="1.1.a1")])
    assert world.agent_of_leg == {"1.1.a1": "an"}
    world.put(FREE)
    assert world.agent_of_leg == {}


def test_the_nearest_deadline_of_all_is_due_first() -> None:
    world = World(
        small("an"),
        [call(1, max_wait_at_ms=50), replace(FREE, wrap_up_until_ms=30), TrunkState("v1", cooling_until_ms=40)],
    )
    assert world.next_due_ms() == 30
    assert world.first_due(29) is None
    assert world.first_due(30) == replace(FREE, wrap_up_until_ms=30)
    world.put(FREE)
    assert world.next_due_ms() == 40
    world.remove("trunk", "v1")
    world.put(call(1, max_wait_at_ms=60))
    assert world.next_due_ms() == 60
    world.put(call(1))
    assert world.next_due_ms() is None


def test_a_deadline_that_comes_back_is_due_again() -> None:
    world = World(small("an"), [call(1, max_wait_at_ms=50)])
    world.put(call(1))
    assert world.next_due_ms() is None
    world.put(call(1, max_wait_at_ms=50))
    assert world.next_due_ms() == 50


def test_deadlines_moved_for_ever_take_no_room() -> None:
    world = World(small("an"), [call(1)])
    for n in range(10_000):
        world.put(call(1, max_wait_at_ms=10 + n))
    assert len(world._due) < 200
    assert world.next_due_ms() == 10_009


def test_another_setup_orders_the_free_anew() -> None:
    world = World(small("an", "binh"), [FREE, replace(FREE, name="binh")])
    world.install(small("binh", "an"))
    assert [rank[2] for rank in world.free("sales", 0)] == ["binh", "an"]
    world.install(whole())
    assert world.signed_in("sales") == 2
    world.install(small())
    assert world.free("sales", 0) == []


def test_every_row_is_told() -> None:
    rows = [call(1), FREE, TrunkState("v1"), HotlineState("+84"), QueueDay("sales", "2026-01-01"), Pbx(boot="b")]
    world = World(small("an"), rows)
    assert list(world.entities()) == rows
    assert World(small("an"), world.entities()).orders() == world.orders()


ROWS = st.one_of(
    st.builds(
        call,
        st.integers(1, 4),
        st.none() | st.integers(1, 5),
        phase=st.sampled_from([Phase.WAITING, Phase.TALKING]),
        queue=st.sampled_from(["sales", "support"]),
        offers=st.sampled_from([(), (Offer("an", "1.1.a1", 1, 9),)]),
        max_wait_at_ms=st.none() | st.integers(1, 9),
    ),
    st.builds(
        Agent,
        st.sampled_from(["an", "binh", "chi", "dung", "em", "stranger"]),
        st.sampled_from(["available", "offline"]),
        reachable=st.booleans(),
        idle_since_ms=st.integers(0, 3),
        answered_today=st.integers(0, 3),
        wrap_up_until_ms=st.none() | st.integers(1, 9),
    ),
    st.builds(TrunkState, st.just("v1"), cooling_until_ms=st.none() | st.integers(1, 9)),
)


@settings(max_examples=200, deadline=None)
@generated(st.lists(st.tuples(st.booleans(), ROWS), max_size=30), st.booleans())
def test_the_orders_are_those_of_a_world_built_anew(changes: list[tuple[bool, object]], other_setup: bool) -> None:
    world = World(whole())
    for keep, row in changes:
        if keep:
            world.put(row)  # type: ignore[arg-type]
        else:
            world.remove(
                *(
                    {Call: "call", Agent: "agent", TrunkState: "trunk"}[type(row)],
                    getattr(row, "id", getattr(row, "name", "")),
                )
            )
    if other_setup:
        world.install(small("an", "chi"))
    assert world.orders() == World(world.setup, world.entities()).orders()


def test_what_is_over_is_remembered_for_a_while() -> None:
    world = World()
    for n in range(OVER_MAX + 2):
        world.note_over(f"1.{n}")
    assert [world.is_over(f"1.{n}") for n in (0, 1, 2, OVER_MAX)] == [False, False, True, True]


def test_what_is_due_is_in_order_after_the_old_deadlines_were_thrown_away() -> None:
    world = World(small("an"), [call(n, max_wait_at_ms=1_000 - n) for n in range(20)])
    for n in range(1_000):
        world.put(TrunkState("v1", cooling_until_ms=5_000 + n))
    due = []
    while (entity := world.first_due(2_000)) is not None:
        due.append(entity)
        world.remove("call", entity.id)  # type: ignore[union-attr]
    assert [row.id for row in due] == [f"1.{n}" for n in range(19, -1, -1)]  # type: ignore[union-attr]
