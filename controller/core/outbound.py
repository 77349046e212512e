"""Outbound calls: the decision inside the dial path, the next trunk, and how it ended.

The call itself lives in the dialplan, on the agent's own channel. We are asked which trunk and caller id it may use
(`asked`), asked again when that trunk fails for its own reasons (`next_asked`), see the agent's channel go up when the
callee answers (`channel_up`) and are told the outcome by the `h` extension (`ended`). Whichever of report and vanished
channel comes first ends the call; the other is stale.
"""

from __future__ import annotations

from controller.core import agent as agents
from controller.core import (
    asking,
    commands,
    ending,
    facts,
    figures,
    fraud,
    ids,
    leaving,
    queueing,
    spending,
    trunks,
    ways,
)
from controller.core.events import LegGone, OutboundAsked, OutboundEnded, OutboundNextAsked, PhoneChannel
from controller.core.model import AgentPhase, Attempt, Call, Phase
from controller.core.turn import Turn

DIAL_S = 60
OUT = (AgentPhase.DIALING, AgentPhase.CONNECTED)
"""What an agent does whose own call is out."""

DIALPLAN_ENDS_MAX_MS = 14_400_000
TALK_WARNING_S, TALK_WARNING_MIN_S = 60, 2
LIMIT_WITHIN_MS = 1_000
"""The dialplan counts the same limit for itself, from an instant of its own: so near to the end it may be first."""
BLOCKED_WORDS = ("blocked",)
_ODD = ("dialled with characters that are in no phone number; this is what is left without them",)
Q850_BUSY = 17
_SIP_FAILURES = range(400, 700)
_DECLINED_TECH = (603,)
_NO_SUCH_NUMBER_TECH = (404, 410, 484, 604)
_CALLEE_TECH = (480, 486, 487, 600, *_DECLINED_TECH, *_NO_SUCH_NUMBER_TECH)
"""What a SIP answer says about the callee; every other failure is the trunk's own, as in the dial path
(`tongdai-outcome` in `dialplan/outbound.conf`, and the table in docs/dialplan.md).
"""
_TRUNK_CAUSES = (34, 38, 41, 42, 27)
_OUTCOME = {
    "ANSWER": ("answered", "agent"),
    "BUSY": ("missed", "busy"),
    "DECLINED": ("missed", "declined"),
    "NOANSWER": ("missed", "no_answer"),
    "CANCEL": ("missed", "agent"),
    "INVALID": ("failed", "number"),
    "CHANUNAVAIL": ("failed", "trunk"),
    "CONGESTION": ("failed", "trunk"),
}


def question(turn: Turn, event: OutboundAsked, agent: str) -> trunks.Question:
    """Everything the decision may look at."""
    return asking.question(turn.world, turn.now_ms, figures.today(turn.world, turn.now_ms), event, agent)


def asked(turn: Turn, event: OutboundAsked) -> None:
    """An agent dials: decide, reserve, answer."""
    if event.call in turn.world.calls or turn.world.is_over(event.call):
        refuse(turn, event.call, "not_permitted")
        return
    name = turn.setup.agent_of_endpoint.get(event.endpoint, "")
    agent = turn.world.agents.get(name)
    if agent is None:
        record_refusal(turn, event, "", trunks.Decision(False, "not_agent", to=event.dialled))
        refuse(turn, event.call, "not_agent")
        return
    if event.odd:
        record_refusal(turn, event, name, trunks.Decision(False, "not_understood", to=event.dialled, steps=_ODD))
        refuse(turn, event.call, "not_understood")
        return
    if agent.phase is AgentPhase.TALKING or agent.phase in OUT:
        record_refusal(turn, event, name, trunks.Decision(False, "in_call", to=event.dialled))
        refuse(turn, event.call, "in_call")
        return
    decision = trunks.decide(question(turn, event, name))
    fraud.watch(turn, name, event.call, event.dialled, decision.reason)
    if decision.allowed:
        _begin(turn, event, name, decision)
    else:
        record_refusal(turn, event, name, decision)
        refuse(turn, event.call, decision.reason)


def _begin(turn: Turn, event: OutboundAsked, name: str, decision: trunks.Decision) -> None:
    call = call_of(turn, event, name, decision)
    turn.put(call)
    turn.say(facts.CallStarted(call.id, "outbound", call.hotline, call.caller, call.callee, name))
    ways.say_picked(turn, call, decision)
    attempt = leaving.admit_next(turn, call)
    if attempt is None:
        refuse(turn, event.call, "no_trunk")
        ending.finish(turn, turn.change_call(call.id, result="refused", reason="no_trunk", end_cause="refused"))
        return
    if turn.world.agents[name].phase is AgentPhase.OFFERED:
        queueing.withdraw(turn, name, "declined")
    others = tuple(channel for channel in turn.world.agents[name].foreign if channel != call.id)
    agents.move(turn, name, "dialed", call=call.id, leg="", foreign=others, unreachable_until_ms=None)
    go(turn, call.id, attempt)


def call_of(turn: Turn, event: OutboundAsked, name: str, decision: trunks.Decision) -> Call:
    """The call a decision is about, as it begins."""
    return Call(
        id=event.call,
        direction="outbound",
        phase=Phase.DIALING,
        hotline=decision.hotline,
        caller=turn.setup.agent[name].extension or name,
        caller_name=name,
        callee=decision.to,
        arrived_at_ms=turn.now_ms,
        agent=name,
        via=decision.via,
        carrier=decision.carrier,
        attempts=decision.attempts,
        record_wanted=decision.record,
    )


def go(turn: Turn, call: str, attempt: Attempt) -> None:
    """Hand the dial path the one attempt it may make now."""
    longest_ms = spending.talk_max_ms(turn, turn.world.calls[call])
    # We end a talk that lasts too long; the dialplan does it when we are away, and costs more: short ends only.
    talk_max_s = 0 if longest_ms is None or longest_ms > DIALPLAN_ENDS_MAX_MS else -(-longest_ms // 1000)
    turn.do(commands.ReplyTrunks(call, turn.cause, attempt, "", DIAL_S, talk_max_s, warning_s(talk_max_s)))


def warning_s(talk_max_s: int) -> int:
    """How long before its end a limited talk is warned of it: a minute, half of a short one, a very short one never."""
    half_s = talk_max_s // 2
    return min(TALK_WARNING_S, half_s) if half_s >= TALK_WARNING_MIN_S else 0


def refuse(turn: Turn, call: str, word: str) -> None:
    """Tell the dial path that this call may not be made, and why."""
    turn.do(commands.ReplyTrunks(call, turn.cause, None, word, 0))


def record_refusal(turn: Turn, event: OutboundAsked, name: str, decision: trunks.Decision) -> None:
    """A refused call has a record too; it never becomes a live call."""
    agent = turn.setup.agent.get(name)
    refused = Call(
        id=event.call,
        direction="outbound",
        phase=Phase.ENDING,
        hotline=decision.hotline or event.via,
        caller=agent.extension or name if agent else "",
        caller_name=name,
        callee=decision.to or event.dialled,
        arrived_at_ms=turn.now_ms,
        agent=name,
        via=decision.via or event.via,
        carrier=decision.carrier,
        result="blocked" if decision.reason in BLOCKED_WORDS else "refused",
        end_cause="refused",
        reason=decision.reason,
    )
    turn.say(facts.CallStarted(event.call, "outbound", refused.hotline, refused.caller, refused.callee, name))
    turn.say(facts.OutboundBlocked(event.call, name, refused.callee, decision.reason, decision.steps))
    turn.say(ending.record_of(refused, turn.now_ms))


def next_asked(turn: Turn, call: Call, event: OutboundNextAsked) -> None:
    """The present trunk failed: on to the next, if the failure was the trunk's own."""
    if event.status not in leaving.TRUNK_STATUS:
        turn.do(commands.ReplyTrunks(call.id, turn.cause, None, "no_trunk", 0))
        return
    leaving.failed(turn, call, event.status, event.cause, event.sip, event.delay_ms)
    attempt = leaving.admit_next(turn, turn.world.calls[call.id])
    if attempt is None:
        turn.change_call(call.id, reason="no_trunk")
        turn.do(commands.ReplyTrunks(call.id, turn.cause, None, "no_trunk", 0))
    else:
        go(turn, call.id, attempt)


def next_refused(turn: Turn, call: Call, _event: OutboundNextAsked) -> None:
    """The call is being ended: no further trunk."""
    turn.do(commands.ReplyTrunks(call.id, turn.cause, None, "not_permitted", 0))


def channel_up(turn: Turn, call: Call) -> None:
    """The agent's channel went up, which Dial does when the callee answers; without a trunk nobody can answer."""
    if not call.channel_up:
        connected(turn, call)


def connected(turn: Turn, call: Call) -> None:
    """The callee picked up."""
    if call.phase is not Phase.DIALING or call.reason:
        return
    carried(turn, call)
    talks(turn, call)
    limit_s = call.talk_limit_s
    call = turn.change_call(
        call.id,
        phase=Phase.CONNECTED,
        answered_at_ms=turn.now_ms,
        talk_alert_at_ms=None if limit_s is None else turn.now_ms + 1000 * limit_s,
    )
    waited_ms = max(0, turn.now_ms - call.arrived_at_ms)
    turn.say(facts.CallAnswered(call.id, call.hotline, "", call.agent, waited_ms))
    if call.record_wanted:
        name = f"calls/{call.id}"
        turn.change_call(call.id, recording=name)
        turn.do(commands.RecordOutbound(call.id, turn.cause, ids.snoop(call.id), name))


def talks(turn: Turn, call: Call) -> None:
    """The agent no longer dials, they talk."""
    agent = turn.world.agents.get(call.agent)
    if agent is not None and agent.phase is AgentPhase.DIALING and agent.call == call.id:
        agents.move(turn, agent.name, "connected")


def carried(turn: Turn, call: Call) -> None:
    """The trunk did its work."""
    leaving.succeeded(turn, call)


def ended(turn: Turn, call: Call, event: OutboundEnded) -> None:
    """The dial path reports how it ended."""
    result, cause = _OUTCOME.get(event.status, ("failed", "failed"))
    if event.status == "ANSWER" and event.by_callee:
        cause = "callee"
    if call.talk_ends_at_ms is not None and turn.now_ms >= call.talk_ends_at_ms - LIMIT_WITHIN_MS:
        cause = "limit"
    if event.status == "ANSWER" and call.answered_at_ms is None:
        answered_at_ms = max(call.arrived_at_ms, turn.now_ms - 1000 * max(0, event.answered_s))
        call = turn.change_call(call.id, answered_at_ms=answered_at_ms)
    if event.status in leaving.TRUNK_STATUS and call.answered_at_ms is None and call.reason != "no_trunk":
        leaving.failed(turn, call, event.status, event.cause, event.sip, event.delay_ms)
    else:
        leaving.tried(turn, call, event.status, event.cause, event.sip, event.delay_ms)
    call = turn.world.calls[call.id]
    over(turn, turn.change_call(call.id, result=result), cause, still_there=True)


def gone(turn: Turn, call: Call) -> None:
    """The agent's channel is gone and no report came."""
    over(turn, call, "agent")


def lost(turn: Turn, call: Call) -> None:
    """Asterisk no longer has the agent's channel."""
    over(turn, turn.change_call(call.id, result="failed"), "pbx_lost")


def over(turn: Turn, call: Call, cause: str, *, still_there: bool = False) -> None:
    """End it. The report may come while the phone still hears an announcement: it stays in use until it is gone."""
    agent = turn.world.agents.get(call.agent)
    if agent is not None and agent.phase in OUT and agent.call == call.id:
        foreign = (*agent.foreign, call.id) if still_there else agent.foreign
        agents.free(turn, agent.name, foreign=foreign[-agents.FOREIGN_MAX :], phone_at_ms=turn.now_ms)
        if call.answered_at_ms is not None:
            agents.rest(turn, agent.name, call.wrap_up_s)
    ending.finish(turn, turn.change_call(call.id, end_cause=call.end_cause or cause))


def phone_channel(turn: Turn, event: PhoneChannel) -> bool:
    """A message about a channel on a phone; whether it is an outbound call of ours."""
    call = turn.world.calls.get(event.channel)
    if call is None or call.direction != "outbound":
        return False
    if event.state == "up":
        channel_up(turn, call)
    elif event.state == "gone":
        gone(turn, call)
    return True


# -- an inbound call sent on to a phone number -----------------------------------------------------------------------


def trunk_failed(event: LegGone) -> bool:
    """Whether a leg to an outside phone ended by the trunk's own fault."""
    if event.tech_cause is None:
        return event.cause in _TRUNK_CAUSES
    return event.tech_cause in _SIP_FAILURES and event.tech_cause not in _CALLEE_TECH


def unanswered(event: LegGone) -> str:
    """How Dial would have called the end of a leg that nobody picked up."""
    if event.tech_cause in _DECLINED_TECH:
        return "DECLINED"
    if event.tech_cause in _NO_SUCH_NUMBER_TECH:
        return "INVALID"
    return "BUSY" if event.cause == Q850_BUSY else "NOANSWER"


def forward_failed(turn: Turn, call: Call, event: LegGone) -> None:
    """The leg to the outside phone is gone before it was answered."""
    call = turn.change_call(call.id, leg="", key_until_ms=None)
    if trunk_failed(event):
        leaving.failed(turn, call, "CONGESTION", event.cause, event.tech_cause or 0)
        ways.forward_next(turn, turn.world.calls[call.id])
    else:
        leaving.tried(turn, call, unanswered(event), event.cause, event.tech_cause or 0)
        ending.hang_up(turn, turn.world.calls[call.id], "callee")


def forward_lost(turn: Turn, call: Call) -> None:
    """The leg vanished while nobody listened, which is no fault of the trunk: ring the phone again."""
    leaving.release(turn, call)
    call = turn.change_call(call.id, leg="", key_until_ms=None, attempt=max(0, call.attempt - 1))
    ways.forward_next(turn, call)
