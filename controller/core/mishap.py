"""Trouble with one entity stays with that entity.

A step that breaks is undone. That is right for what somebody asked, and fatal for what time or a snapshot asks: the
same deadline, or the same call in every snapshot, would break each step that follows, and one call would stop them
all. So that work is done entity by entity, and an entity whose own handling breaks is given up: a call is hung up and
recorded as failed, an agent or a trunk loses what it waits for. Nothing is known that leads here; if something does,
it is told as an OddEvent and costs one call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from controller.core import alerts, commands, ending, facts, spending
from controller.core.model import Agent, AgentPhase, AgentUse, Call, Entity, HotlineState, TrunkState, key_of
from controller.core.turn import Turn

FAILED_Q850 = 38


def contained(turn: Turn, entity: Entity, work: Callable[[], None]) -> None:
    """Do the work that belongs to one entity; when it breaks, take it back and give the entity up."""
    why = turn.attempt(work)
    if why:
        give_up(turn, entity, why)


def give_up(turn: Turn, entity: Entity, why: str) -> None:
    """Take an entity that cannot be handled out of everybody's way."""
    kind, name = key_of(entity)
    event = turn.cause.partition("#")[0]
    turn.say(facts.OddEvent(name if kind == "call" else "", event, f"{kind} {name} given up: {why}"))
    match entity:
        case Call():
            _drop_call(turn, entity)
        case Agent():
            turn.put(_idle(entity) if entity.phase is AgentPhase.RELEASING else _timeless(entity))
        case TrunkState():
            turn.put(replace(entity, failures=0, cooling_until_ms=None, runs_out_ms=None, pauses=0, probe=""))
        case HotlineState():
            turn.put(replace(entity, runs_out_ms=None))
        case AgentUse():
            turn.put(replace(entity, alert="", calm_at_ms=None, runs_out_ms=None))
        case _:
            turn.remove(kind, name)


def _drop_call(turn: Turn, call: Call) -> None:
    """Hang up everything a call has and write its record, whatever state the rest of the world is in."""
    for name in (*(offer.agent for offer in call.offers), call.agent):
        agent = turn.world.agents.get(name)
        if agent is not None and agent.call == call.id:
            turn.put(_idle(agent))
    for offer in call.offers:
        ending.drop_offer(turn, call.id, offer, "lost")
        turn.do(commands.HangUp(call.id, turn.cause, offer.leg, FAILED_Q850))
    if call.consult:
        turn.say(facts.ConsultEnded(call.id, call.agent, call.callee, "lost"))
    for channel in filter(None, (call.leg, call.consult, call.id)):
        turn.do(commands.HangUp(call.id, turn.cause, channel, FAILED_Q850))
    if call.answered_at_ms is not None and call.direction == "inbound":
        turn.do(commands.CloseBridge(call.id, turn.cause, ending.bridge_of(call)))
    for trunk in [row for row in turn.world.trunks.values() if call.id in row.live]:
        turn.put(replace(trunk, live=tuple(other for other in trunk.live if other != call.id)))
    spending.over(turn, call)
    alerts.clear_all(turn, call.id)
    turn.remove("call", call.id)
    result = "answered" if call.answered_at_ms is not None else "failed"
    turn.say(ending.record_of(replace(call, result=result, end_cause="failed", reason="failed"), turn.now_ms))


def _timeless(agent: Agent) -> Agent:
    return replace(
        agent,
        releasing_until_ms=None,
        wrap_up_started_ms=None,
        wrap_up_until_ms=None,
        unreachable_until_ms=None,
    )


def _idle(agent: Agent) -> Agent:
    return replace(_timeless(agent), phase=AgentPhase.IDLE, call="", leg="")
