"""The call machine: what each event means in each phase of a call.

An inbound call is answered, may hear a menu or an announcement, waits in a queue, talks, and ends:

    (arrives) -> MENU -> WAITING -> TALKING -> ENDING -> (gone)
                   \\-> ANNOUNCING, FORWARDING (to a phone number), VOICEMAIL -/

An outbound call lives in the dialplan; we pick its trunk (DIALING), see it answered (CONNECTED) and see it end.
WAITING with offers out is what people call ringing. ENDING means: we asked for the hang-up, the channel is not yet
gone. The caller's channel going away ends a call from any phase at once.

MOVES names every cell. Three cells have names of their own: `stale` (a message that lost a race: expected, nothing
to do), `stray` (a leg nobody wants any more answered: hang it up) and `odd` (nobody can explain it: told, and the
world stays as it is). Nothing a telephone network can send reaches beyond this table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.core import agent as agents
from controller.core import alerts, commands, ending, facts, hours, menu, numbers, outbound, queueing, ways
from controller.core.events import (
    CallArrived,
    CallGone,
    CommandFailed,
    DigitPressed,
    HangupAsked,
    LegAnswered,
    LegGone,
    LegRinging,
    MessageRecorded,
    OutboundEnded,
    OutboundNextAsked,
    PlaybackEnded,
)
from controller.core.model import Call, Phase
from controller.core.turn import Turn

Handler = Callable[[Turn, Call, Any], None]


def arrive(turn: Turn, event: CallArrived) -> None:
    """A caller is at the door: blocked, closed, menu or queue."""
    if event.call in turn.world.calls:
        return
    hotline = turn.setup.hotline.get(event.dialled)
    call = Call(
        id=event.call,
        direction="inbound",
        phase=Phase.MENU,
        hotline=event.dialled,
        caller=event.caller,
        caller_name=event.caller_name,
        callee=event.dialled,
        arrived_at_ms=turn.now_ms,
        answer_limit_s=hotline.notify_answer_time if hotline else None,
        talk_limit_s=hotline.notify_talk_time if hotline else None,
        wrap_up_s=hotline.wrap_up if hotline else 0,
    )
    turn.put(call)
    turn.say(facts.CallStarted(call.id, "inbound", call.hotline, call.caller, call.callee, ""))
    if hotline is None:
        ending.hang_up(turn, call, "no_such_hotline", q850=1, result="failed", reason="no_such_hotline")
        return
    if numbers.is_blocked(turn.setup, call.caller, "ivr", turn.now_ms):
        ending.hang_up(turn, call, "blocked", q850=21, result="blocked", reason="blocked")
        return
    schedule = turn.setup.schedule.get(hotline.hours)
    if schedule is not None and not hours.is_open(schedule, turn.now_ms):
        ways.take(turn, call.id, hotline.closed, "closed")
    elif hotline.menu:
        menu.enter(turn, call, hotline.menu)
    else:
        queueing.enter(turn, call, hotline.queue)


def due(turn: Turn, call: Call) -> None:
    """Some deadlines of a call have come: each is handled in the phase it finds the call in."""
    call = alerts.due(turn, call)
    for field, handler in _DEADLINES:
        now = turn.world.calls.get(call.id)
        at_ms = getattr(now, field, None)
        if now is not None and at_ms is not None and at_ms <= turn.now_ms:
            turn.change_call(now.id, **{field: None})
            handler(turn, turn.world.calls[now.id])
    rest = turn.world.calls.get(call.id)
    if rest is not None:
        queueing.ring_time_over(turn, rest)


def _prompt_never_ended(turn: Turn, call: Call) -> None:
    ways.stop_prompt(turn, call)
    prompt_over(turn, turn.world.calls[call.id])


def prompt_over(turn: Turn, call: Call) -> None:
    """A prompt is over, by its end or by its deadline."""
    if call.phase is Phase.MENU:
        menu.prompt_over(turn, call)
    else:
        ways.prompt_over(turn, call)


def _key_time_over(turn: Turn, call: Call) -> None:
    if call.phase is Phase.MENU:
        menu.time_over(turn, call)
    elif call.phase is Phase.FORWARDING:
        ending.hang_up(turn, call, "no_answer")
    elif call.phase is Phase.VOICEMAIL:
        ending.hang_up(turn, call, "voicemail")


def _never_gone(turn: Turn, call: Call) -> None:
    turn.do(commands.HangUp(call.id, turn.cause, call.id))
    if call.direction == "outbound":
        outbound.lost(turn, call)
    else:
        ending.gone(turn, call, "lost")


_DEADLINES: tuple[tuple[str, Callable[[Turn, Call], None]], ...] = (
    ("prompt_until_ms", _prompt_never_ended),
    ("key_until_ms", _key_time_over),
    ("retry_at_ms", queueing.retry),
    ("max_wait_at_ms", queueing.max_wait_over),
    ("ending_until_ms", _never_gone),
)


# -- the cells ---------------------------------------------------------------------------------------------------


def stale(turn: Turn, call: Call, event: Any) -> None:
    """A message that lost a race; expected, nothing to do."""


def odd(turn: Turn, call: Call, event: Any) -> None:
    """Nobody can explain this here; it is told and changes nothing."""
    turn.say(facts.OddEvent(call.id, type(event).__name__, f"while {call.phase}"))


def stray(turn: Turn, call: Call, event: LegAnswered) -> None:
    """A leg was answered that nobody waits for any more."""
    turn.do(commands.HangUp(call.id, turn.cause, event.leg))


def gone(turn: Turn, call: Call, event: CallGone) -> None:
    """The caller hung up, or the channel was lost."""
    ending.gone(turn, call, "caller")


def ending_gone(turn: Turn, call: Call, event: CallGone) -> None:
    """The channel we wanted gone is gone."""
    if call.direction == "outbound":
        outbound.gone(turn, call, event)
    else:
        ending.gone(turn, call, "caller")


def digit(turn: Turn, call: Call, event: DigitPressed) -> None:
    """A key for the menu."""
    menu.key(turn, call, event)


def prompt_ended(turn: Turn, call: Call, event: PlaybackEnded) -> None:
    """A prompt came to its end; only the one that is running counts."""
    if event.playback == call.prompt:
        prompt_over(turn, call)


def message_recorded(turn: Turn, call: Call, event: MessageRecorded) -> None:
    """The caller has left a message."""
    ending.hang_up(turn, call, "voicemail")


def offer_ringing(turn: Turn, call: Call, event: LegRinging) -> None:
    """A phone rings: should its ring time pass, it was not answered, and not out of reach."""
    queueing.offer_ringing(turn, call, event.leg)


def offer_answered(turn: Turn, call: Call, event: LegAnswered) -> None:
    """An agent picked up."""
    if any(offer.leg == event.leg for offer in call.offers):
        queueing.answered(turn, call, event.leg)
    else:
        stray(turn, call, event)


def talk_answered(turn: Turn, call: Call, event: LegAnswered) -> None:
    """Told again about the leg that talks, or about one that lost."""
    if event.leg != call.leg:
        stray(turn, call, event)


def phone_answered(turn: Turn, call: Call, event: LegAnswered) -> None:
    """The outside phone picked up."""
    if event.leg != call.leg:
        stray(turn, call, event)
        return
    outbound.carried(turn, call)
    queueing.talk(turn, turn.world.calls[call.id], event.leg)


def offer_gone(turn: Turn, call: Call, event: LegGone) -> None:
    """A leg is gone while the caller waits."""
    outcome = queueing.outcome_of(event.cause, event.tech_cause)
    if not queueing.offer_gone(turn, call, event.leg, outcome):
        leg_gone(turn, call, event)


def far_gone(turn: Turn, call: Call, event: LegGone) -> None:
    """The agent (or the outside phone) hung up."""
    if event.leg != call.leg:
        leg_gone(turn, call, event)
        return
    turn.change_call(call.id, leg="", talk_ended_at_ms=turn.now_ms)
    if call.agent:
        agents.free(turn, call.agent)
        agents.rest(turn, call.agent, call.wrap_up_s)
    ending.hang_up(turn, turn.world.calls[call.id], "agent" if call.agent else "callee")


def phone_gone(turn: Turn, call: Call, event: LegGone) -> None:
    """The outside phone could not be reached, refused, or did not answer."""
    if event.leg == call.leg:
        outbound.forward_failed(turn, call, event)
    else:
        leg_gone(turn, call, event)


def leg_gone(turn: Turn, call: Call, event: LegGone) -> None:
    """A leg given up earlier is gone: its agent is free."""
    agents.leg_gone(turn, event.leg)


def end_asked(turn: Turn, call: Call, event: HangupAsked) -> None:
    """Somebody ends the call from outside."""
    turn.by = event.by
    ending.hang_up(turn, call, "supervisor")


def command_failed(turn: Turn, call: Call, event: CommandFailed) -> None:
    """A command came to nothing; what it was for decides what follows."""
    match event.command:
        case "RingAgent":
            queueing.offer_gone(turn, call, event.about, "unreachable")
        case "RingPhone" if event.about == call.leg:
            outbound.forward_failed(turn, call, LegGone(call.id, event.about, 34, 503))
        case "Play" if event.about == call.prompt:
            prompt_over(turn, call)
        case "Record" | "RecordOutbound" if event.about == call.recording:
            turn.change_call(call.id, recording="")
        case "Answer" | "Join" | "RecordMessage":
            ending.hang_up(turn, call, "failed", q850=38)
        case _:
            odd(turn, call, event)


def failed_late(turn: Turn, call: Call, event: CommandFailed) -> None:
    """A command failed for a call that is ending anyway; a leg that was never made is gone."""
    agents.leg_gone(turn, event.about)


def _row(default: Handler, **cells: Handler) -> dict[Phase, Handler]:
    return {phase: cells.get(phase.value, default) for phase in Phase}


MOVES: dict[type, dict[Phase, Handler]] = {
    CallGone: _row(gone, dialing=outbound.gone, connected=outbound.gone, ending=ending_gone),
    DigitPressed: _row(stale, menu=digit),
    PlaybackEnded: _row(stale, menu=prompt_ended, announcing=prompt_ended, voicemail=prompt_ended),
    MessageRecorded: _row(stale, voicemail=message_recorded),
    LegRinging: _row(stale, waiting=offer_ringing),
    LegAnswered: _row(
        stray, waiting=offer_answered, talking=talk_answered, forwarding=phone_answered, dialing=odd, connected=odd
    ),
    LegGone: _row(leg_gone, waiting=offer_gone, talking=far_gone, forwarding=phone_gone, dialing=odd, connected=odd),
    HangupAsked: _row(end_asked, ending=stale),
    CommandFailed: _row(command_failed, ending=failed_late),
    OutboundNextAsked: _row(odd, dialing=outbound.next_asked, ending=outbound.next_refused),
    OutboundEnded: _row(odd, dialing=outbound.ended, connected=outbound.ended, ending=outbound.ended),
}
"""(event, phase) -> what is done. Every cell is named; `tests/core/test_matrix.py` visits them all."""


def handle(turn: Turn, event: Any) -> None:
    """Look up the cell for an event about a call; a call we do not know is told, unless only a leg of it is left."""
    call = turn.world.calls.get(event.call)
    if call is not None:
        MOVES[type(event)][call.phase](turn, call, event)
    elif isinstance(event, LegGone):
        agents.leg_gone(turn, event.leg)
    elif isinstance(event, CommandFailed):
        agents.leg_gone(turn, event.about)
    elif isinstance(event, LegAnswered):
        turn.do(commands.HangUp(event.call, turn.cause, event.leg))
    elif isinstance(event, OutboundNextAsked):
        turn.do(commands.ReplyTrunks(event.call, turn.cause, None, "no_trunk", 0))
    elif not isinstance(event, (CallGone, PlaybackEnded, MessageRecorded, LegRinging, DigitPressed, OutboundEnded)):
        turn.say(facts.OddEvent(event.call, type(event).__name__, "no such call"))
