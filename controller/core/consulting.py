"""Attended transfer: an agent who talks asks an outside phone first, while the caller hears music, and then decides.

    talk --begin--> phone rings --picked up--> agent and phone talk --complete--> caller and phone talk
                    |  complete, or the agent hangs up: a blind transfer from here on
    talk <----------+- cancel, busy, no answer, the phone hangs up

The call stays TALKING with its agent. The phone's leg is `consult`, `consulted_at_ms` the instant it was picked up, and
until then `key_until_ms` is when we stop ringing it. The call leaves by a trunk under the rules of every call out of
the agent; whatever ends the consultation gives back what it held. The agent stays in the call's bridge, hearing the
phone ring; it joins them there, and the caller is outside until one of the two ways out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from controller.core import commands, ending, facts, leaving, outbound, queueing, transferring, ways
from controller.core.answer import OK, Answer
from controller.core.events import ConsultAsked, LegGone
from controller.core.model import Call, Phase
from controller.core.saying import say
from controller.core.turn import Turn

MUSIC = "default"
NO_TRUNK = "no_trunk"


def asked(turn: Turn, event: ConsultAsked) -> Answer:
    """Begin, complete or cancel a consultation, or say in one line why not."""
    call = turn.world.calls.get(event.call)
    if call is None:
        return Answer("not_found", say("no_live_call", call=repr(event.call)))
    action = _ACTIONS.get(event.action)
    if action is None:
        return Answer("invalid", say("action_one_of", allowed=", ".join(_ACTIONS), action=repr(event.action)))
    turn.by = event.by
    return action(turn, call, event)


# -- what the agent asks -------------------------------------------------------------------------------------------


def _begin(turn: Turn, call: Call, event: ConsultAsked) -> Answer:
    if call.consult:
        return Answer("conflict", say("consulted_already"))
    found = transferring.permitted(turn, call, event)
    if isinstance(found, Answer):
        return found
    ways.say_picked(turn, call, found)
    call = turn.change_call(
        call.id, callee=found.to, carrier=found.carrier, attempts=found.attempts, attempt=0, consulted_at_ms=None
    )
    if not _ring(turn, call):
        leaving.give_up(turn, turn.world.calls[call.id], "CANCEL")
        return Answer("refused", say("cannot_be_called", number=found.to, reason=NO_TRUNK))
    turn.say(facts.ConsultStarted(call.id, call.agent, call.callee))
    _set_aside(turn, call)
    turn.do(commands.StartRinging(call.id, turn.cause, call.leg))
    return OK


def _ring(turn: Turn, call: Call) -> bool:
    """Ring the phone by the next trunk that has room."""
    attempt = leaving.admit_next(turn, call)
    if attempt is None:
        return False
    leg = ways.ring_phone(turn, turn.world.calls[call.id], attempt)
    turn.change_call(call.id, consult=leg, parties_at_ms=turn.now_ms)
    return True


def _set_aside(turn: Turn, call: Call) -> None:
    """The caller leaves the bridge and hears music."""
    turn.do(commands.Part(call.id, turn.cause, ending.bridge_of(call)))
    turn.do(commands.StartMusic(call.id, turn.cause, MUSIC))


def _complete(turn: Turn, call: Call, _event: ConsultAsked) -> Answer:
    if not call.consult:
        return Answer("conflict", say("nobody_consulted"))
    hand_over(turn, call)
    return OK


def _cancel(turn: Turn, call: Call, _event: ConsultAsked) -> Answer:
    if not call.consult:
        return Answer("conflict", say("nobody_consulted"))
    back(turn, call, "cancelled")
    return OK


_ACTIONS: dict[str, Callable[[Turn, Call, ConsultAsked], Answer]] = {
    "begin": _begin,
    "complete": _complete,
    "cancel": _cancel,
}


# -- how it ends -----------------------------------------------------------------------------------------------------


def hand_over(turn: Turn, call: Call) -> None:
    """The caller gets the phone, the agent is let go: they talk at once, or when it is picked up."""
    leg, answered, until_ms = call.consult, call.consulted_at_ms is not None, call.key_until_ms
    turn.say(facts.ConsultEnded(call.id, call.agent, call.callee, "completed"))
    turn.say(facts.CallTransferred(call.id, call.agent, call.callee))
    call = turn.change_call(call.id, consult="", consulted_at_ms=None, parties_at_ms=turn.now_ms)
    call = transferring.leave_agent(turn, call)
    if answered:
        queueing.talk(turn, call, leg)
    else:
        turn.change_call(call.id, phase=Phase.FORWARDING, leg=leg, key_until_ms=until_ms)


def back(turn: Turn, call: Call, outcome: str) -> None:
    """The phone is let go, agent and caller talk again."""
    if call.consulted_at_ms is None:
        turn.do(commands.StopRinging(call.id, turn.cause, call.leg))
    ending.end_consult(turn, call.id, outcome)
    turn.change_call(call.id, parties_at_ms=turn.now_ms)
    turn.do(commands.Join(call.id, turn.cause, call.leg, ending.bridge_of(call)))


# -- what happens meanwhile ------------------------------------------------------------------------------------------


def answered(turn: Turn, call: Call) -> None:
    """The phone was picked up: agent and phone talk. Told again, it is nothing new."""
    if call.consulted_at_ms is not None:
        return
    outbound.carried(turn, call)
    call = turn.change_call(call.id, consulted_at_ms=turn.now_ms, parties_at_ms=turn.now_ms, key_until_ms=None)
    turn.do(commands.StopRinging(call.id, turn.cause, call.leg))
    _meet(turn, call)
    turn.say(facts.ConsultAnswered(call.id, call.agent, call.callee))


def _meet(turn: Turn, call: Call) -> None:
    turn.do(commands.Consult(call.id, turn.cause, call.consult, call.leg, ending.bridge_of(call)))


def phone_gone(turn: Turn, call: Call, event: LegGone) -> None:
    """The phone hung up, refused or cannot be reached; another trunk is tried when it was the trunk's fault."""
    if call.consulted_at_ms is not None:
        back(turn, call, "callee")
    elif outbound.trunk_failed(event):
        leaving.failed(turn, call, "CONGESTION", event.cause, event.tech_cause or 0)
        if not _ring(turn, turn.change_call(call.id, key_until_ms=None)):
            back(turn, turn.world.calls[call.id], NO_TRUNK)
    else:
        leaving.tried(turn, call, outbound.unanswered(event), event.cause, event.tech_cause or 0)
        back(turn, turn.world.calls[call.id], queueing.outcome_of(event.cause, event.tech_cause))


def not_answered(turn: Turn, call: Call) -> None:
    """The phone has rung long enough."""
    if call.consult:
        leaving.tried(turn, call, "NOANSWER")
        back(turn, turn.world.calls[call.id], "no_answer")


def mend(turn: Turn, call: Call, state: str | None, inside: Collection[str], *, resync: bool) -> None:
    """Bring a consultation and what Asterisk has together. `state` is the phone's channel, None when it is gone."""
    if state is None:
        back(turn, call, "lost")
        return
    if state == "up":
        answered(turn, call)
    call = turn.world.calls[call.id]
    if call.id in inside:
        _set_aside(turn, call)
    elif resync:
        turn.do(commands.StartMusic(call.id, turn.cause, MUSIC))
    if call.consulted_at_ms is not None and not {call.leg, call.consult} <= set(inside):
        _meet(turn, call)
