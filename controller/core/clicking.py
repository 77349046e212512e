"""Click to call: somebody names an agent and a number; the agent's phone rings first, then the number is dialled.

    (asked) -> CALLING --picked up--> DIALING -> CONNECTED -> (gone)

The channel we make on the agent's phone enters the dial path when it is picked up, and asks there like any phone that
dials: permission, caps and trunks are judged at that moment, by the rules of `controller.core.outbound`. They are
looked at beforehand too, so that nobody picks up a phone to hear a refusal that was certain.
"""

from __future__ import annotations

from controller.core import agent as agents
from controller.core import commands, ending, facts, fraud, leaving, outbound, queueing, trunks, ways
from controller.core.answer import OK, Answer
from controller.core.events import CalleeAnswered, ClickToCallAsked, CommandFailed, OutboundAsked, PhoneChannel
from controller.core.model import Agent, AgentPhase, Call, Phase
from controller.core.saying import Saying, say
from controller.core.turn import Turn

RING_S = 30
NET_MS = 5_000
"""How much longer than the phone's own ring time we wait to be told that nobody picked up."""


def asked(turn: Turn, event: ClickToCallAsked) -> Answer:
    """Ring the agent's phone for a call to a number, or say in one line why not."""
    agent = turn.world.agents.get(event.agent)
    if agent is None or event.agent not in turn.setup.agent:
        return Answer("not_found", say("no_agent_named", agent=repr(event.agent)))
    if event.call in turn.world.calls or turn.world.is_over(event.call):
        return Answer("conflict", say("call_there", call=event.call))
    hindrance = _hindrance(agent)
    if hindrance is not None:
        return Answer("conflict", hindrance)
    turn.by = event.by
    endpoint = turn.setup.agent[agent.name].endpoint
    question = OutboundAsked(event.call, endpoint, event.dialled, event.via, event.ported, event.ported_source)
    decision = trunks.decide(outbound.question(turn, question, agent.name))
    if not decision.allowed:
        fraud.watch(turn, agent.name, event.call, event.dialled, decision.reason)
        outbound.record_refusal(turn, question, agent.name, decision)
        return Answer("refused", say("may_not_be_called", number=decision.to or event.dialled, reason=decision.reason))
    _ring(turn, outbound.call_of(turn, question, agent.name, decision), event)
    return OK


def _hindrance(agent: Agent) -> Saying | None:
    if agent.phase is not AgentPhase.IDLE or agent.foreign:
        return say("is_in_a_call", agent=agent.name)
    if not agent.reachable or agent.unreachable_until_ms is not None:
        return say("has_no_phone", agent=agent.name)
    return None


def _ring(turn: Turn, call: Call, event: ClickToCallAsked) -> None:
    turn.put(call)
    turn.change_call(
        call.id,
        phase=Phase.CALLING,
        attempts=(),
        key_until_ms=turn.now_ms + 1000 * RING_S + NET_MS,
    )
    turn.say(facts.CallStarted(call.id, "outbound", call.hotline, call.caller, call.callee, call.agent))
    agents.move(turn, call.agent, "dialed", call=call.id, leg="")
    endpoint = turn.setup.agent[call.agent].endpoint
    turn.do(commands.RingDialler(call.id, turn.cause, endpoint, event.dialled, event.via, RING_S))


def picked_up(turn: Turn, call: Call, event: OutboundAsked) -> None:
    """The agent picked up and the dial path asks: decide as for a phone that dials."""
    if turn.setup.agent_of_endpoint.get(event.endpoint) != call.agent:
        outbound.refuse(turn, event.call, "not_permitted")
        return
    decision = trunks.decide(outbound.question(turn, event, call.agent))
    fraud.watch(turn, call.agent, call.id, event.dialled, decision.reason)
    if not decision.allowed:
        turn.say(facts.OutboundBlocked(call.id, call.agent, call.callee, decision.reason, decision.steps))
        _refused(turn, call, decision.reason)
        return
    terms = outbound.call_of(turn, event, call.agent, decision)
    call = turn.change_call(
        call.id,
        phase=Phase.DIALING,
        channel_up=True,
        key_until_ms=None,
        hotline=terms.hotline,
        callee=terms.callee,
        via=terms.via,
        carrier=terms.carrier,
        attempts=terms.attempts,
        record_wanted=terms.record_wanted,
    )
    ways.say_picked(turn, call, decision)
    attempt = leaving.admit_next(turn, call)
    if attempt is None:
        _refused(turn, turn.world.calls[call.id], "no_trunk")
    else:
        outbound.go(turn, call.id, attempt)


def _refused(turn: Turn, call: Call, reason: str) -> None:
    outbound.refuse(turn, call.id, reason)
    result = "blocked" if reason in outbound.BLOCKED_WORDS else "refused"
    call = turn.change_call(call.id, result=result, reason=reason, key_until_ms=None)
    outbound.over(turn, call, "refused", still_there=True)


def callee_answered(turn: Turn, call: Call, _event: CalleeAnswered) -> None:
    """The number called picked up; of a phone that dialled by itself this is known by its own channel already."""
    outbound.connected(turn, call)


def not_rung(turn: Turn, call: Call, _event: CommandFailed) -> None:
    """The agent's phone could not be rung. The command may have been slow and not lost: what it made is hung up."""
    turn.do(commands.HangUp(call.id, turn.cause, call.id))
    outbound.over(turn, turn.change_call(call.id, result="failed"), "unreachable")
    agents.set_aside(turn, call.agent)


def declined(turn: Turn, call: Call, event: PhoneChannel) -> None:
    """The agent's phone refused, was hung up or rang in vain."""
    outbound.over(turn, call, queueing.outcome_of(event.cause, event.tech_cause))


def not_picked_up(turn: Turn, call: Call) -> None:
    """The ring time is over and nobody told us how it ended."""
    ending.hang_up(turn, call, "no_answer")
