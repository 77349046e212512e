"""The one door: `step(world, event, now_ms)` decides everything that follows from an event.

Same events at the same times give the same changes, commands and facts, byte for byte, under any hash seed. Nothing
that comes from outside can make it raise: what breaks is undone and told as an OddEvent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.core import agent as agents
from controller.core import call as calls
from controller.core import events, facts, figures, matching, outbound, queueing, reconcile, settle
from controller.core.answer import OK, Answer
from controller.core.commands import Command
from controller.core.model import Agent, AgentPhase, Call, Change, TrunkState
from controller.core.turn import Turn
from controller.core.world import World

DUE_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from one event. `cause` is the name every command of the step carries."""

    cause: str
    changes: tuple[Change, ...]
    commands: tuple[Command, ...]
    facts: tuple[facts.Fact, ...]
    answer: Answer = OK
    broken: str = ""


def step(world: World, event: events.Event, now_ms: int) -> Step:
    """Decide what follows from `event` at `now_ms`; the world has changed when this returns."""
    world.steps += 1
    turn = Turn(world, now_ms, f"{type(event).__name__}#{world.steps}")
    try:
        figures.roll(turn)
        answer = _dispatch(turn, event)
        _run_due(turn)
        matching.match(turn)
        settle.sweep(turn)
        changes = turn.finish()
    except Exception as exc:  # noqa: BLE001  # whatever breaks here must not take the other calls with it
        turn.undo()
        why = f"{type(exc).__name__}: {exc}"
        odd = facts.OddEvent(getattr(event, "call", ""), type(event).__name__, why[:200])
        return Step(turn.cause, (), (), (odd,), Answer("conflict", "this could not be done: see the log"), why)
    return Step(turn.cause, changes, tuple(turn.commands), tuple(turn.facts), answer)


def _dispatch(turn: Turn, event: events.Event) -> Answer:
    match event:
        case events.Ticked():
            return OK
        case events.LinkLost():
            turn.world.linked = False
        case events.CallArrived():
            calls.arrive(turn, event)
        case events.PhoneChanged():
            agents.phone_changed(turn, event)
        case events.PhoneChannel():
            if not outbound.phone_channel(turn, event):
                agents.phone_channel(turn, event)
        case events.AgentStatusAsked():
            return _status(turn, event)
        case events.WrapUpEndAsked():
            return agents.ask_wrap_up_end(turn, event)
        case events.WrapUpExtendAsked():
            return agents.ask_wrap_up_extend(turn, event)
        case events.OutboundAsked():
            outbound.asked(turn, event)
        case events.SetupChanged():
            settle.changed(turn, event.setup)
        case events.SnapshotTaken():
            reconcile.taken(turn, event)
        case events.ClockMoved():
            reconcile.shifted(turn, event.delta_ms)
        case events.HangupAsked() if event.call not in turn.world.calls:
            return Answer("not_found", f"no live call has the id {event.call!r}")
        case _:
            calls.handle(turn, event)
    return OK


def _status(turn: Turn, event: events.AgentStatusAsked) -> Answer:
    answer = agents.ask_status(turn, event)
    if answer.ok and event.status != "available":
        if turn.world.agents[event.agent].phase is AgentPhase.OFFERED:
            queueing.withdraw(turn, event.agent, "declined")
        for name, _ in turn.setup.tiers_of_agent[event.agent]:
            queueing.nobody_left(turn, turn.setup.queue[name])
    return answer


def _run_due(turn: Turn) -> None:
    """Handle every deadline that has come, the earliest first."""
    for _ in range(DUE_MAX):
        entity = turn.world.first_due(turn.now_ms)
        match entity:
            case None:
                return
            case Call():
                calls.due(turn, entity)
            case Agent():
                agents.due(turn, entity)
            case TrunkState():
                turn.put(replace(entity, cooling_until_ms=None))
            case _:
                raise LookupError(f"nothing is due for a {type(entity).__name__}")
    raise LookupError("deadlines never end")
