"""Blind transfer: an inbound caller who talks is sent on to an outside phone, by a hotline of ours.

The rules are those of every call out (`controller.core.trunks`), asked for the agent who talks: a transfer that may
not be made is refused while the talk goes on. One that may be made ends the agent's part at once (their wrap-up
begins); the caller hears music until the phone is picked up. The call stays one call with one record: who answered
it first is in the history as its agent, the phone as its callee. Its talk with the phone is a call out of that agent:
it uses up the agent's limits and ends when they say so.
"""

from __future__ import annotations

from dataclasses import replace

from controller.core import alerts, commands, ending, facts, fraud, trunks, ways
from controller.core.answer import OK, Answer
from controller.core.events import ConsultAsked, TransferAsked
from controller.core.model import Call, Phase
from controller.core.saying import say
from controller.core.turn import Turn


def asked(turn: Turn, event: TransferAsked) -> Answer:
    """Send a talking caller on, or say in one line why not."""
    call = turn.world.calls.get(event.call)
    if call is None:
        return Answer("not_found", say("no_live_call", call=repr(event.call)))
    if call.consult:
        return Answer("conflict", say("consulted_first"))
    turn.by = event.by
    found = permitted(turn, call, event)
    if isinstance(found, Answer):
        return found
    turn.say(facts.CallTransferred(call.id, call.agent, found.to))
    call = leave_agent(turn, call)
    turn.do(commands.Part(call.id, turn.cause, ending.bridge_of(call)))
    ways.forward_along(turn, call, found)
    return OK


def permitted(turn: Turn, call: Call, event: TransferAsked | ConsultAsked) -> trunks.Decision | Answer:
    """What is decided about an outside phone for a caller who talks to an agent; an answer when it is no."""
    if call.phase is not Phase.TALKING or not call.agent:
        return Answer("conflict", say("only_talking"))
    question = ways.question(turn, call, event.dialled, event.via or call.hotline)
    question = replace(question, agent=call.agent, ported=event.ported, ported_source=event.ported_source)
    decision = trunks.decide(question)
    fraud.watch(turn, call.agent, call.id, event.dialled, decision.reason)
    if decision.allowed:
        return decision
    turn.say(facts.OutboundBlocked(call.id, call.agent, decision.to, decision.reason, decision.steps))
    return Answer("refused", say("may_not_be_called", number=decision.to or event.dialled, reason=decision.reason))


def leave_agent(turn: Turn, call: Call) -> Call:
    """The agent's part is over; the bridge is kept for the next talk."""
    ending.end_talk(turn, call.id)
    alerts.clear(turn, call.id, "talk_time")
    ends_at_ms = turn.world.calls[call.id].talk_ends_at_ms
    fields = {**ending.CALM, "agent": "", "served_by": call.agent, "talk_limit_s": None, "talk_ends_at_ms": ends_at_ms}
    return turn.change_call(call.id, **fields)
