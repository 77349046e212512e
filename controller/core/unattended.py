"""Calls the dialplan served or refused by itself, as nobody could ask us: one record each, and never a live call.

They are over when they are told, perhaps long ago, perhaps twice. What Asterisk does not tell stays open: who ended a
talk is then `dialplan`, which says who served the call.
"""

from __future__ import annotations

from controller.core import dialcodes, ending, facts, numbers
from controller.core.events import DialplanCalled
from controller.core.model import Call, Phase
from controller.core.setup import Setup
from controller.core.turn import Turn

ANSWERED = "ANSWER"
SERVED = "dialplan"
REFUSED, UNAVAILABLE = "refused", "unavailable"
"""The row about a call of an agent that nobody could permit, and the reason in the history."""
_NOBODY = "the controller did not answer, so nothing was permitted"
_CAUSES = {"BUSY": "busy", "NOANSWER": "no_answer", "CHANUNAVAIL": "trunk", "CONGESTION": "trunk"}
"""How a call ended by how its last Dial did; `CANCEL` is whoever called."""
_FAILED = frozenset({"CHANUNAVAIL", "CONGESTION", ""})
"""An emergency call that no trunk carried."""


def told(turn: Turn, event: DialplanCalled) -> None:
    """Write the record of a call that is over; once, and not when the call has come to us after all."""
    if event.call in turn.world.calls or turn.world.is_over(event.call):
        return
    call, ended_at_ms = _call_of(turn.setup, event), min(event.ended_at_ms, turn.now_ms)
    turn.say(facts.CallStarted(call.id, call.direction, call.hotline, call.caller, call.callee, call.agent))
    if event.kind == REFUSED:
        turn.say(facts.OutboundBlocked(call.id, call.agent, call.callee, UNAVAILABLE, (_NOBODY,)))
    if call.answered_at_ms is not None:
        waited_ms = call.answered_at_ms - call.arrived_at_ms
        turn.say(facts.CallAnswered(call.id, call.hotline, "", call.agent, waited_ms))
    turn.say(ending.record_of(call, ended_at_ms))


def _call_of(setup: Setup, event: DialplanCalled) -> Call:
    """The call as it was at its end."""
    if event.kind == REFUSED:
        return _refused(setup, event)
    emergency = event.kind == "emergency"
    agent = setup.agent_of_endpoint.get(event.endpoint, "")
    answered = event.status == ANSWERED
    return Call(
        id=event.call,
        direction="outbound" if emergency else "inbound",
        phase=Phase.ENDING,
        hotline=event.hotline,
        caller=_own_number(setup, agent, event.endpoint) if emergency else event.caller,
        caller_name="",
        callee=event.callee,
        arrived_at_ms=event.began_at_ms,
        answered_at_ms=max(event.began_at_ms, event.ended_at_ms - event.talked_s * 1000) if answered else None,
        agent=agent if emergency or answered else "",
        result="answered" if answered else "failed" if emergency and event.status in _FAILED else "missed",
        end_cause=_cause(event.status, emergency),
        reason=event.kind,
        trunk=next((row.name for row in setup.trunks if row.endpoint and row.endpoint == event.trunk), ""),
        caller_id=event.hotline if emergency or event.trunk else "",
    )


def _refused(setup: Setup, event: DialplanCalled) -> Call:
    """A call nobody could permit, because nobody answered the dial path."""
    agent = setup.agent_of_endpoint.get(event.endpoint, "")
    dialled, via = dialcodes.take_off(setup, event.callee, "")
    return Call(
        id=event.call,
        direction="outbound",
        phase=Phase.ENDING,
        hotline=via,
        caller=_own_number(setup, agent, event.endpoint),
        caller_name=agent,
        callee=numbers.normalise(dialled, setup.defaults.country).shown or dialled,
        arrived_at_ms=event.began_at_ms,
        agent=agent,
        via=via,
        result="refused",
        end_cause="refused",
        reason=UNAVAILABLE,
    )


def _own_number(setup: Setup, agent: str, endpoint: str) -> str:
    """Who called, as other outbound calls name it: the extension, else the agent; a phone of nobody by its own name."""
    return (setup.agent[agent].extension or agent) if agent else endpoint


def _cause(status: str, emergency: bool) -> str:
    if status == "CANCEL":
        return "agent" if emergency else "caller"
    return _CAUSES.get(status, SERVED)
