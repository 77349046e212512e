"""The workbench of one step: what changed is told once, and what broke is taken back without a trace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import HangUp
from controller.core.facts import AgentChanged, CallEnded, OddEvent
from controller.core.model import Agent, AgentPhase, Call, Change, HotlineState, Phase, TrunkState
from controller.core.turn import Turn, state_of
from controller.core.world import World
from tests.core.setups import small

pytestmark = pytest.mark.pure

CALL = Call("1.1", "inbound", Phase.WAITING, "", "", "", "", 1, queue="sales", queued_at_ms=1)


def fresh() -> tuple[World, Turn]:
    world = World(
        small("an", "binh"), [Agent("an", "available", reachable=True, state="ready"), CALL, TrunkState("v1")]
    )
    return world, Turn(world, 50, "Ticked#1")


@pytest.mark.parametrize(
    ("agent", "word"),
    [
        (Agent("an"), "offline"),
        (Agent("an", "not_ready"), "not_ready"),
        (Agent("an", "available"), "unreachable"),
        (Agent("an", "available", reachable=True), "ready"),
        (Agent("an", "available", reachable=True, unreachable_until_ms=9), "unreachable"),
        (Agent("an", "available", reachable=True, wrap_up_until_ms=9), "wrap_up"),
        (Agent("an", "offline", reachable=True, wrap_up_until_ms=9), "offline"),
        (Agent("an", "available", reachable=True, wrap_up_until_ms=9, foreign=("x",)), "busy"),
        (Agent("an", "offline", foreign=("x",)), "busy"),
        (Agent("an", "available", phase=AgentPhase.OFFERED), "offered"),
        (Agent("an", "offline", phase=AgentPhase.TALKING), "talking"),
        (Agent("an", "offline", phase=AgentPhase.DIALING), "busy"),
        (Agent("an", "offline", phase=AgentPhase.CONNECTED), "talking"),
        (Agent("an", "available", phase=AgentPhase.RELEASING, wrap_up_until_ms=9), "wrap_up"),
        (Agent("an", "available", phase=AgentPhase.RELEASING), "busy"),
        (Agent("an", "offline", phase=AgentPhase.RELEASING), "offline"),
    ],
)
def test_the_first_word_that_holds_is_an_agent_s_state(agent: Agent, word: str) -> None:
    assert state_of(agent) == word


def test_a_row_changed_twice_is_one_change() -> None:
    world, turn = fresh()
    turn.change_call("1.1", hops=1)
    turn.change_call("1.1", hops=2)
    turn.put(HotlineState("+84", 7))
    assert turn.finish() == (
        Change("call", "1.1", replace(CALL, hops=2)),
        Change("hotline", "+84", HotlineState("+84", 7)),
    )
    assert world.calls["1.1"].hops == 2


def test_what_is_as_before_is_no_change() -> None:
    _, turn = fresh()
    turn.change_call("1.1", hops=1)
    turn.change_call("1.1", hops=0)
    turn.put(HotlineState("+84"))
    turn.remove("hotline", "+84")
    assert turn.finish() == ()


def test_a_removed_row_is_a_change_without_an_after() -> None:
    _, turn = fresh()
    turn.remove("call", "1.1")
    turn.remove("call", "7.7")
    assert turn.finish() == (Change("call", "1.1", None),)


def test_an_agent_s_change_is_told_once_with_who_wished_it() -> None:
    world, turn = fresh()
    turn.by = "boss"
    turn.change_agent("an", status="not_ready")
    turn.change_agent("an", reason="lunch")
    turn.finish()
    assert turn.facts == [AgentChanged("an", "not_ready", "lunch", "not_ready", "", None, "boss")]
    assert world.agents["an"].since_ms == 50


def test_what_nobody_sees_is_not_told() -> None:
    world, turn = fresh()
    turn.change_agent("an", last_offered_ms=9)
    turn.finish()
    assert (turn.facts, world.agents["an"].since_ms) == ([], 0)


def test_whoever_becomes_free_has_their_queues_looked_at() -> None:
    _, turn = fresh()
    turn.change_agent("an", reason="x")
    assert turn.touched == {}
    turn.change_agent("an", reachable=False)
    turn.change_agent("an", reachable=True)
    assert list(turn.touched) == ["sales"]


def test_undoing_leaves_no_trace() -> None:
    world, turn = fresh()
    before, orders, setup = list(world.entities()), world.orders(), world.setup
    turn.change_call("1.1", queue="other")
    turn.change_agent("an", status="offline")
    turn.put(Agent("binh", "available", reachable=True))
    turn.remove("trunk", "v1")
    world.linked = True
    world.figures_day = "2026-01-01"
    world.install(small("binh"))
    turn.finish()
    turn.undo()
    assert (list(world.entities()), world.orders(), world.setup) == (before, orders, setup)
    assert (world.linked, world.figures_day) == (False, "")


def test_a_part_that_breaks_is_taken_back_and_the_rest_stays() -> None:
    world, turn = fresh()

    def bad() -> None:
        turn.change_call("1.1", hops=9)
        turn.do(HangUp("1.1", turn.cause, "1.1"))
        turn.say(OddEvent("1.1", "x", "y"))
        raise KeyError("no")

    turn.change_call("1.1", loop=3)
    turn.do(HangUp("1.1", turn.cause, "1.1.a1"))
    assert turn.attempt(bad) == "KeyError: 'no'"
    assert turn.attempt(lambda: turn.change_call("1.1", wrong=1) and None) == ""
    assert world.calls["1.1"] == replace(CALL, loop=3, wrong=1)
    assert [command.channel for command in turn.commands if isinstance(command, HangUp)] == ["1.1.a1"]
    assert turn.facts == []
    assert turn.finish() == (Change("call", "1.1", replace(CALL, loop=3, wrong=1)),)


def test_a_call_whose_end_was_said_is_over() -> None:
    world, turn = fresh()
    record = dict.fromkeys(
        ("direction", "hotline", "caller", "callee", "queue", "agent", "result", "end_cause", "reason", "via"), ""
    )
    more = dict.fromkeys(("trunk", "carrier", "caller_id", "recording"), "")
    times = {"arrived_at_ms": 1, "queued_at_ms": None, "answered_at_ms": None, "ended_at_ms": 2, "offers": 0}
    turn.say(CallEnded(call="1.1", **record, **more, **times))  # type: ignore[arg-type]
    assert world.is_over("1.1")


def test_the_agents_touched_are_known() -> None:
    _, turn = fresh()
    turn.change_agent("an", reason="x")
    turn.change_agent("an", reason="y")
    turn.change_call("1.1", hops=1)
    assert turn.changed_agents() == ["an"]
