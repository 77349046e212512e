"""The one door: `step(world, event, now_ms)` decides everything that follows from an event.

Same events at the same times give the same changes, commands and facts, byte for byte, under any hash seed. Nothing
that comes from outside can make it raise: what breaks is undone and told as an OddEvent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from controller.core import agent as agents
from controller.core import (
    arriving,
    clicking,
    consulting,
    events,
    facts,
    figures,
    fraud,
    leaving,
    matching,
    mishap,
    outbound,
    queueing,
    reconcile,
    settle,
    shifting,
    transferring,
    unattended,
    waking,
)
from controller.core import call as calls
from controller.core.answer import OK, Answer
from controller.core.commands import Command
from controller.core.model import (
    Agent,
    AgentPhase,
    AgentUse,
    Call,
    CalleeDay,
    Change,
    Entity,
    HotlineState,
    Phase,
    TrunkState,
    key_of,
)
from controller.core.saying import say
from controller.core.turn import Turn
from controller.core.world import World

DUE_MAX = 100_000
BACKWARDS_MAX_MS = 1_000
"""A clock that goes back by less stands still instead; a larger step is told by ClockMoved."""


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
    turn = Turn(world, _time(world, event, now_ms), f"{type(event).__name__}#{world.steps}")
    try:
        if world.steps == 1:
            shifting.set_back(turn)
        figures.roll(turn)
        answer = _HANDLERS.get(type(event), calls.handle)(turn, event) or OK
        _run_due(turn)
        matching.match(turn)
        settle.sweep(turn)
        changes = turn.finish()
    except Exception as exc:  # noqa: BLE001  # whatever breaks here must not take the other calls with it
        turn.undo()
        why = f"{type(exc).__name__}: {exc}"
        odd = facts.OddEvent(getattr(event, "call", ""), type(event).__name__, why[:200])
        return Step(turn.cause, (), (), (odd,), Answer("conflict", say("see_log")), why)
    return Step(turn.cause, changes, tuple(turn.commands), tuple(turn.facts), answer)


def _time(world: World, event: events.Event, now_ms: int) -> int:
    """The time of this step: never a little before the last one, or a call would be answered before it arrived."""
    if isinstance(event, events.ClockMoved):
        world.now_ms += event.delta_ms
    if not 0 < world.now_ms - now_ms < BACKWARDS_MAX_MS:
        world.now_ms = now_ms
    return world.now_ms


def _run_due(turn: Turn) -> None:
    """Handle every deadline that has come, the earliest first."""
    for _ in range(DUE_MAX):
        entity = turn.world.first_due(turn.now_ms)
        if entity is None:
            return
        mishap.contained(turn, entity, partial(_due, turn, entity))
        if turn.world.get(*key_of(entity)) is entity:
            mishap.give_up(turn, entity, "its deadline does not pass")
    raise LookupError("deadlines never end")


def _due(turn: Turn, entity: Entity) -> None:
    match entity:
        case Call():
            waking.due(turn, entity)
        case Agent():
            agents.due(turn, entity)
        case TrunkState() if entity.cooling_until_ms is not None and entity.cooling_until_ms <= turn.now_ms:
            leaving.cooled(turn, entity)
        case AgentUse() if entity.calm_at_ms is not None and entity.calm_at_ms <= turn.now_ms:
            fraud.calm(turn, entity)
        case TrunkState() | HotlineState() | AgentUse():
            waking.minutes_over(turn, entity)
        case CalleeDay():
            turn.remove("callee_day", entity.id)
        case _:
            raise LookupError(f"nothing is due for a {type(entity).__name__}")


# -- events that are not about one call ----------------------------------------------------------------------------


def _nothing(turn: Turn, event: events.Ticked) -> None:
    """A deadline has come: it is handled after every event."""


def _link_lost(turn: Turn, _event: events.LinkLost) -> None:
    turn.world.linked = False


def _phone_channel(turn: Turn, event: events.PhoneChannel) -> None:
    call = turn.world.calls.get(event.channel)
    if call is not None and call.phase is Phase.CALLING:
        if event.state == "gone":
            clicking.declined(turn, call, event)
    elif not outbound.phone_channel(turn, event):
        agents.phone_channel(turn, event)


def _outbound_asked(turn: Turn, event: events.OutboundAsked) -> None:
    call = turn.world.calls.get(event.call)
    if call is not None and call.phase is Phase.CALLING:
        clicking.picked_up(turn, call, event)
    else:
        outbound.asked(turn, event)


def _trunk_seen(turn: Turn, event: events.TrunkSeen) -> None:
    leaving.seen(turn, event.endpoint, event.reachable)


def _status(turn: Turn, event: events.AgentStatusAsked) -> Answer:
    answer = agents.ask_status(turn, event)
    if answer.ok and event.status != "available":
        if turn.world.agents[event.agent].phase is AgentPhase.OFFERED:
            queueing.withdraw(turn, event.agent, "declined")
        for name, _ in turn.setup.tiers_of_agent[event.agent]:
            queueing.nobody_left(turn, turn.setup.queue[name])
    return answer


def _hangup(turn: Turn, event: events.HangupAsked) -> Answer:
    if event.call not in turn.world.calls:
        return Answer("not_found", say("no_live_call", call=repr(event.call)))
    calls.handle(turn, event)
    return OK


_HANDLERS: dict[type, Callable[[Turn, Any], Answer | None]] = {
    events.Ticked: _nothing,
    events.LinkLost: _link_lost,
    events.CallArrived: arriving.arrive,
    events.PhoneChanged: agents.phone_changed,
    events.PhoneChannel: _phone_channel,
    events.AgentStatusAsked: _status,
    events.WrapUpEndAsked: agents.ask_wrap_up_end,
    events.WrapUpExtendAsked: agents.ask_wrap_up_extend,
    events.HangupAsked: _hangup,
    events.TransferAsked: transferring.asked,
    events.ConsultAsked: consulting.asked,
    events.ClickToCallAsked: clicking.asked,
    events.OutboundAsked: _outbound_asked,
    events.DialplanCalled: unattended.told,
    events.TrunkSeen: _trunk_seen,
    events.SetupChanged: settle.changed,
    events.SnapshotTaken: reconcile.taken,
    events.ClockMoved: shifting.shifted,
}
"""What each event means; the others are about one call and have their cell in `call.MOVES`."""
