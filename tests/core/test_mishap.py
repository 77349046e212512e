"""One entity's trouble costs that entity, whatever is wrong with it, and nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core import agent as agents
from controller.core import mishap, queueing, reconcile, waking
from controller.core.commands import CloseBridge, HangUp, RingAgent, RingBell
from controller.core.events import AgentStatusAsked, OutboundAsked, Ticked
from controller.core.facts import AlertCleared, CallEnded, CallOffered, OddEvent
from controller.core.model import Agent, AgentPhase, Alert, Call, Phase, QueueDay, TrunkState
from controller.core.setup import Strategy
from controller.core.step import Step, step
from controller.core.turn import Turn
from tests.core.setups import SALES, small
from tests.core.words import answers, arrives, caller_seen, leg_gone, leg_seen, snapshot, status
from tests.playbook import Playbook, given

pytestmark = pytest.mark.pure


WHY = "KeyError: 'a bug nobody knows yet'"


def breaks(*_: object) -> None:
    raise KeyError("a bug nobody knows yet")


def gives_up(book: Playbook, entity: Call | Agent | TrunkState | QueueDay) -> Turn:
    turn = Turn(book.world, book.now_ms, "Ticked#9")
    mishap.contained(turn, entity, breaks)
    return turn


def test_work_that_succeeds_is_left_alone() -> None:
    book = given(small("an"))
    turn = Turn(book.world, book.now_ms, "Ticked#9")
    mishap.contained(turn, book.agent("an"), lambda: turn.change_agent("an", reason="x") and None)
    assert (book.agent("an").reason, turn.facts) == ("x", [])


def test_a_talking_call_is_hung_up_and_recorded_and_its_agent_is_free() -> None:
    book = given(small("an")).available("an").when(arrives()).when(answers())
    book.world.put(Alert("1.1.talk_time", "talk_time", "1.1", SALES, "sales", "an", 1, book.now_ms))
    turn = gives_up(book, book.call("1.1"))
    assert [type(command) for command in turn.commands] == [HangUp, HangUp, CloseBridge, RingBell]
    assert [type(fact) for fact in turn.facts] == [OddEvent, AlertCleared, CallEnded]
    ended = turn.facts[-1]
    assert isinstance(ended, CallEnded)
    assert (ended.result, ended.end_cause, ended.reason) == ("answered", "failed", "failed")
    assert book.agent("an").phase is AgentPhase.IDLE
    assert not book.world.calls


def test_a_ringing_call_takes_its_legs_with_it() -> None:
    book = given(small("an", "binh", strategy=Strategy.RING_ALL)).available("an", "binh").when(arrives())
    turn = gives_up(book, book.call("1.1"))
    assert [c.channel for c in turn.commands if isinstance(c, HangUp)] == ["1.1.a1", "1.1.a2", "1.1"]
    assert book.states() == {"an": "ready", "binh": "ready"}


def test_a_dialled_call_gives_its_trunk_back() -> None:
    book = given(small("an")).when(OutboundAsked("1.9", "an", "0967123456"))
    turn = gives_up(book, book.call("1.9"))
    assert [type(command) for command in turn.commands] == [HangUp]
    assert book.world.trunks["v1"].live == ()
    assert book.agent("an").phase is AgentPhase.IDLE


def test_an_agent_loses_what_it_waits_for_and_keeps_a_talk() -> None:
    book = given(small("an", "binh", wrap_up=20)).available("an", "binh").when(arrives(1)).when(answers(1))
    gives_up(book, book.agent("an"))
    assert book.agent("an").phase is AgentPhase.TALKING
    book.when(arrives(2)).when(answers(2)).when(leg_gone(2)).when(arrives(3))
    gives_up(book, book.agent("binh"))
    assert (book.agent("binh").wrap_up_until_ms, book.agent("binh").phase) == (None, AgentPhase.IDLE)


def test_an_agent_being_let_go_is_let_go() -> None:
    book = given(small("an")).available("an").when(arrives(1)).when(status("an", "not_ready"))
    assert book.agent("an").phase is AgentPhase.RELEASING
    gives_up(book, book.agent("an"))
    assert book.agent("an").phase is AgentPhase.IDLE


def test_a_trunk_loses_its_cool_down_and_other_rows_are_removed() -> None:
    book = given(small("an"))
    trunk, day = TrunkState("v1", ("1.9",), (), 5, book.now_ms + 1), QueueDay("sales", "2026-01-01")
    book.world.put(trunk)
    book.world.put(day)
    gives_up(book, trunk)
    gives_up(book, day)
    assert book.world.trunks["v1"] == TrunkState("v1", ("1.9",))
    assert not book.world.queue_days


# -- where it is used -------------------------------------------------------------------------------------------------


def two_waiting() -> Playbook:
    return given(small("an", max_wait=20)).when(status("an", "not_ready")).when(arrives(1)).when(arrives(2))


def broken(fact: object) -> bool:
    return isinstance(fact, OddEvent) and "a bug nobody knows yet" in fact.why


def test_a_deadline_that_cannot_be_handled_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    book = two_waiting()
    handle = waking.due
    monkeypatch.setattr(waking, "due", lambda turn, call: breaks() if call.id == "1.1" else handle(turn, call))
    done = step(book.world, Ticked(), book.now_ms + 30_000)
    assert not done.broken
    assert any(broken(fact) for fact in done.facts)
    assert "1.1" not in book.world.calls
    assert book.call("1.2").phase is Phase.ENDING
    assert step(book.world, Ticked(), book.now_ms + 31_000).facts == ()


def test_a_deadline_that_does_not_pass_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    book = two_waiting()
    monkeypatch.setattr(waking, "due", lambda *_: None)
    done = step(book.world, Ticked(), book.now_ms + 30_000)
    assert len([fact for fact in done.facts if isinstance(fact, OddEvent)]) == 2
    assert not book.world.calls


def test_a_call_that_cannot_be_offered_does_not_keep_the_next_one_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    book = two_waiting()
    offer = queueing.offer

    def picky(turn: Turn, call: Call, *rest: object) -> None:
        if call.id == "1.1":
            breaks()
        offer(turn, call, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(queueing, "offer", picky)
    done = step(book.world, AgentStatusAsked("an", "available"), book.now_ms + 1)
    assert [c.call for c in done.commands if isinstance(c, RingAgent)] == ["1.2"]
    assert any(isinstance(fact, CallEnded) and fact.call == "1.1" for fact in done.facts)


def test_a_snapshot_mends_whom_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    book = given(small("an", "binh")).available("an", "binh").when(arrives(1)).when(arrives(2))
    mend = reconcile._mend_call
    monkeypatch.setattr(reconcile, "_mend_call", lambda t, call, s: breaks() if call.id == "1.1" else mend(t, call, s))
    seen = (caller_seen(1), caller_seen(2), leg_seen("1.1.a1", "an", "ring"), leg_seen("1.2.a1", "binh"))
    done: Step = step(book.world, snapshot(*seen, phones=("an", "binh")), book.now_ms + 1)
    assert not done.broken
    assert book.call("1.2").phase is Phase.TALKING
    assert "1.1" not in book.world.calls


def test_an_agent_s_trouble_in_a_snapshot_is_the_agent_s(monkeypatch: pytest.MonkeyPatch) -> None:
    book = given(small("an", "binh")).available("an", "binh").when(arrives(1)).when(status("an", "not_ready"))
    monkeypatch.setattr(agents, "free", breaks)
    done = step(book.world, snapshot(caller_seen(1), leg_seen("1.1.a2", "binh"), phones=("binh",)), book.now_ms + 1)
    assert not done.broken
    assert (book.agent("an").phase, book.call("1.1").phase) == (AgentPhase.IDLE, Phase.TALKING)


def test_rows_that_contradict_each_other_cost_one_call() -> None:
    """A row that could not be read leaves the others pointing at nothing."""
    book = given(small("an", "binh")).available("an", "binh").when(arrives(1))
    rows = [row for row in book.world.entities() if not isinstance(row, Agent)]
    fresh = Playbook(type(book.world)(book.world.setup, rows))
    fresh.stories = book.stories
    assert replace(fresh.call("1.1")).offers
    done = step(fresh.world, Ticked(), book.now_ms + 60_000)
    assert not done.broken
    assert not any(isinstance(fact, CallOffered) for fact in done.facts)


def test_what_was_given_up_is_named() -> None:
    book = given(small("an")).available("an").when(arrives())
    call, agent = book.call("1.1"), book.agent("an")
    assert gives_up(book, call).facts[0] == OddEvent("1.1", "Ticked", f"call 1.1 given up: {WHY}")
    assert gives_up(book, agent).facts[0] == OddEvent("", "Ticked", f"agent an given up: {WHY}")
