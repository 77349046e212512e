"""How calls end: one hang-up, one record.

A call that must end is ENDING until Asterisk says its channel is gone; only then it is finished, which writes its
one record, clears its alerts and frees what it held. Asking twice does no harm, and a channel that never goes is
finished after a while all the same: the audit hangs it up again if it is still there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controller.core import agent as agents
from controller.core import alerts, commands, facts, figures, leaving
from controller.core.model import Call, Offer, Phase
from controller.core.turn import Turn

ENDING_LIMIT_MS = 10_000

CALM: dict[str, Any] = {
    "prompt": "",
    "prompt_until_ms": None,
    "key_until_ms": None,
    "max_wait_at_ms": None,
    "retry_at_ms": None,
    "talk_alert_at_ms": None,
    "held_by": (),
    "talk_ends_at_ms": None,
    "then": None,
}
"""Fields of a call that belong to the phase it leaves."""


def hang_up(turn: Turn, call: Call, end_cause: str, q850: int = 16, **fields: Any) -> None:
    """End a call for our reasons; whoever was rung or talking for it is let go."""
    if call.phase is Phase.ENDING:
        return
    withdraw_all(turn, call.id)
    end_talk(turn, call.id)
    turn.change_call(
        call.id,
        **CALM,
        phase=Phase.ENDING,
        answer_alert_at_ms=None,
        ending_until_ms=turn.now_ms + ENDING_LIMIT_MS,
        end_cause=call.end_cause or end_cause,
        **fields,
    )
    turn.do(commands.HangUp(call.id, turn.cause, call.id, q850))
    _close_bridge(turn, call)


def gone(turn: Turn, call: Call, end_cause: str) -> None:
    """The caller's channel is gone: let go of everybody at once and write the record."""
    withdraw_all(turn, call.id)
    end_talk(turn, call.id)
    if call.phase is not Phase.ENDING:
        _close_bridge(turn, call)
    # Commands fail some milliseconds before a dying Asterisk is seen to be dead: what they ended was lost with it.
    known = "" if (call.end_cause, end_cause) == ("failed", "pbx_lost") else call.end_cause
    finish(turn, turn.change_call(call.id, end_cause=known or end_cause))


def withdraw_all(turn: Turn, call: str, but: str = "", outcome: str = "cancelled") -> None:
    """Take back every offer of a call, except the leg `but`."""
    for offer in turn.world.calls[call].offers:
        if offer.leg != but:
            withdraw(turn, call, offer, outcome)


def withdraw(turn: Turn, call: str, offer: Offer, outcome: str) -> None:
    """Take back one offer: hang up its leg and let the agent go when it is gone."""
    drop_offer(turn, call, offer, outcome)
    if agents.holds(turn, offer.agent, offer.leg):
        agents.release(turn, offer.agent)
    else:
        turn.do(commands.HangUp(call, turn.cause, offer.leg))


def drop_offer(turn: Turn, call: str, offer: Offer, outcome: str) -> None:
    """Strike an offer from its call and say what came of it."""
    now = turn.world.calls[call]
    turn.change_call(call, offers=tuple(other for other in now.offers if other.leg != offer.leg))
    rang_ms = max(0, turn.now_ms - offer.offered_at_ms)
    turn.say(facts.OfferEnded(call, now.queue, offer.agent, offer.leg, outcome, rang_ms))


def end_consult(turn: Turn, call_id: str, outcome: str) -> None:
    """If a phone is consulted, it is let go, and the call gives back the trunk and whatever else it held for it."""
    call = turn.world.calls[call_id]
    if call.consult:
        turn.do(commands.HangUp(call.id, turn.cause, call.consult))
        turn.say(facts.ConsultEnded(call.id, call.agent, call.callee, outcome))
        turn.change_call(call.id, consult="", consulted_at_ms=None, key_until_ms=None)
        leaving.give_up(turn, turn.world.calls[call.id], "CANCEL")


def end_talk(turn: Turn, call_id: str) -> None:
    """If the call talks, the talk is over now: the far leg is hung up and the agent's rest begins."""
    end_consult(turn, call_id, "gone")
    call = turn.world.calls[call_id]
    if call.leg and call.phase in (Phase.TALKING, Phase.FORWARDING):
        if call.agent and agents.holds(turn, call.agent, call.leg):
            agents.release(turn, call.agent)
            agents.rest(turn, call.agent, call.wrap_up_s)
        else:
            turn.do(commands.HangUp(call.id, turn.cause, call.leg))
        ended_ms = turn.now_ms if call.phase is Phase.TALKING else None
        turn.change_call(call_id, leg="", talk_ended_at_ms=ended_ms)


def _close_bridge(turn: Turn, call: Call) -> None:
    if call.answered_at_ms is not None and call.direction == "inbound":
        turn.do(commands.CloseBridge(call.id, turn.cause, bridge_of(call)))


def bridge_of(call: Call) -> str:
    """The one bridge of a call."""
    return f"{call.id}.br"


def result_of(call: Call) -> str:
    """The history's word for how a call went (docs/decisions.md: history words)."""
    if call.answered_at_ms is not None:
        return "answered"
    if call.result:
        return call.result
    if call.direction == "outbound" or call.queued_at_ms is not None or call.attempts:
        return "missed"
    return "stopped_at_menu"


def finish(turn: Turn, call: Call) -> None:
    """Write the record of a call and forget it."""
    alerts.clear_all(turn, call.id)
    leaving.over(turn, call)
    result = result_of(call)
    if result == "missed" and call.queue:
        figures.count(turn, call.queue, missed=1)
    turn.remove("call", call.id)
    turn.say(record_of(replace(call, result=result), turn.now_ms))


def record_of(call: Call, now_ms: int) -> facts.CallEnded:
    """The history record of a call that ends now."""
    return facts.CallEnded(
        call=call.id,
        direction=call.direction,
        hotline=call.hotline,
        caller=call.caller,
        callee=call.callee,
        queue=call.queue,
        agent=call.agent or call.served_by,
        arrived_at_ms=call.arrived_at_ms,
        queued_at_ms=call.queued_at_ms,
        answered_at_ms=call.answered_at_ms,
        ended_at_ms=max(now_ms, call.answered_at_ms or 0, call.queued_at_ms or 0, call.arrived_at_ms),
        result=call.result,
        end_cause=call.end_cause,
        reason=call.reason,
        via=call.via,
        trunk=call.trunk,
        carrier=call.carrier,
        caller_id=call.caller_id,
        recording=call.recording,
        offers=call.offer_count,
    )
