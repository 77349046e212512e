r"""The call machine: what each event means in each phase of a call.

An inbound call is answered, may hear a menu or an announcement, waits in a queue, talks, and ends:

    (arrives) -> MENU -> WAITING -> TALKING -> ENDING -> (gone)
                   \-> ANNOUNCING, FORWARDING (to a phone number), VOICEMAIL -/

An outbound call lives in the dialplan; we may ring the agent's phone first (CALLING), pick its trunk (DIALING), see it
answered (CONNECTED) and see it end.
WAITING with offers out is what people call ringing. ENDING means: we asked for the hang-up, the channel is not yet
gone. The caller's channel going away ends a call from any phase at once.

MOVES names every cell. Three cells have names of their own: `stale` (a message that lost a race: expected, nothing
to do), `stray` (a leg nobody wants any more answered: hang it up) and `odd` (nobody can explain it: told, and the
world stays as it is). Nothing a telephone network can send reaches beyond this table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from controller.core import agent as agents
from controller.core import clicking, commands, consulting, ending, facts, menu, mishap, outbound, queueing, ways
from controller.core.events import (
    CalleeAnswered,
    CallGone,
    CommandFailed,
    DigitPressed,
    HangupAsked,
    HoldChanged,
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


# -- the cells ---------------------------------------------------------------------------------------------------


def stale(turn: Turn, call: Call, event: Any) -> None:
    """A message that lost a race; expected, nothing to do."""


def odd(turn: Turn, call: Call, event: Any) -> None:
    """Nobody can explain this here; it is told and changes nothing."""
    turn.say(facts.OddEvent(call.id, type(event).__name__, f"while {call.phase}"))


def stray(turn: Turn, call: Call, event: LegAnswered) -> None:
    """A leg was answered that nobody waits for any more."""
    turn.do(commands.HangUp(call.id, turn.cause, event.leg))


def gone(turn: Turn, call: Call, _event: CallGone) -> None:
    """The caller hung up, or the channel was lost."""
    ending.gone(turn, call, "caller")


def ending_gone(turn: Turn, call: Call, event: CallGone) -> None:
    """The channel we wanted gone is gone."""
    if call.direction == "outbound":
        outbound_gone(turn, call, event)
    else:
        gone(turn, call, event)


def outbound_gone(turn: Turn, call: Call, _event: CallGone) -> None:
    """The agent who dialled is gone."""
    outbound.gone(turn, call)


def digit(turn: Turn, call: Call, event: DigitPressed) -> None:
    """A key for the menu."""
    menu.key(turn, call, event)


def prompt_ended(turn: Turn, call: Call, event: PlaybackEnded) -> None:
    """A prompt came to its end; only the one that is running counts."""
    if call.prompt and event.playback == call.prompt:
        ways.prompt_over(turn, call)


def message_recorded(turn: Turn, call: Call, event: MessageRecorded) -> None:
    """The caller has left a message; a recording that failed holds none."""
    if call.recording and event.name == call.recording:
        call = call if event.ok else turn.change_call(call.id, recording="")
        ending.hang_up(turn, call, "voicemail")


def offer_rings(turn: Turn, call: Call, event: LegRinging) -> None:
    """An agent's phone rings: it can be reached."""
    offers = tuple(replace(offer, ringing=True) if offer.leg == event.leg else offer for offer in call.offers)
    turn.change_call(call.id, offers=offers)


def offer_answered(turn: Turn, call: Call, event: LegAnswered) -> None:
    """An agent picked up."""
    if any(offer.leg == event.leg for offer in call.offers):
        queueing.answered(turn, call, event.leg)
    else:
        stray(turn, call, event)


def talk_answered(turn: Turn, call: Call, event: LegAnswered) -> None:
    """The phone the agent consults was picked up; or told again about the leg that talks, or about one that lost."""
    if event.leg == call.consult:
        consulting.answered(turn, call)
    elif event.leg != call.leg:
        stray(turn, call, event)


def hold(turn: Turn, call: Call, event: HoldChanged) -> None:
    """One side's phone holds the talk, or takes it up again. Asterisk plays the music; we only tell."""
    side = _side(call, event.channel)
    if not side or (side in call.held_by) == event.held:
        return
    others = tuple(name for name in call.held_by if name != side)
    turn.change_call(call.id, held_by=(*others, side) if event.held else others)
    turn.say(facts.CallHeld(call.id, side) if event.held else facts.CallResumed(call.id, side))


def _side(call: Call, channel: str) -> str:
    """Who talks on this channel; empty when it is none of the two."""
    far = "agent" if call.agent else "callee"
    if call.direction == "outbound":
        return far if channel == call.id else ""
    return {call.id: "caller", call.leg: far}.get(channel, "")


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
    """The agent (or the outside phone) hung up. An agent who consults a phone leaves the caller to it."""
    if event.leg != call.leg:
        consulted_gone(turn, call, event)
        return
    held = agents.holds(turn, call.agent, call.leg)
    turn.change_call(call.id, leg="", talk_ended_at_ms=turn.now_ms)
    if held:
        agents.free(turn, call.agent)
        agents.rest(turn, call.agent, call.wrap_up_s)
    call = turn.world.calls[call.id]
    if call.consult:
        consulting.hand_over(turn, call)
    else:
        ending.hang_up(turn, call, "agent" if call.agent else "callee")


def consulted_gone(turn: Turn, call: Call, event: LegGone) -> None:
    """The phone the agent consults is gone, or a leg that was given up earlier."""
    if event.leg == call.consult:
        consulting.phone_gone(turn, call, event)
    else:
        leg_gone(turn, call, event)


def phone_gone(turn: Turn, call: Call, event: LegGone) -> None:
    """The outside phone could not be reached, refused, or did not answer."""
    if event.leg == call.leg:
        outbound.forward_failed(turn, call, event)
    else:
        leg_gone(turn, call, event)


def leg_gone(turn: Turn, _call: Call, event: LegGone) -> None:
    """A leg given up earlier is gone: its agent is free."""
    agents.leg_gone(turn, event.leg)


def end_asked(turn: Turn, call: Call, event: HangupAsked) -> None:
    """Somebody ends the call from outside."""
    turn.by = event.by
    ending.hang_up(turn, call, "supervisor")


def command_failed(turn: Turn, call: Call, event: CommandFailed) -> None:
    """A command came to nothing; what it was for decides what follows.

    While we are cut off it may fail for no other reason: the snapshot that ends the cut shows what was left undone.
    """
    match event.command:
        case "RingAgent" | "RingPhone":
            ring_failed(turn, call, event)
        case "Answer" | "Consult" | "Join" if not turn.world.linked:
            return
        case "Play" if call.prompt and event.about == call.prompt:
            ways.prompt_over(turn, call)
        case "Record" | "RecordOutbound" if event.about == call.recording:
            turn.change_call(call.id, recording="")
        case "RingDialler" if call.phase is Phase.CALLING:
            clicking.not_rung(turn, call, event)
        case "Answer" | "RecordMessage":
            ending.hang_up(turn, call, "failed", q850=mishap.FAILED_Q850)
        case "Consult" if event.about == call.consult:
            consulting.back(turn, call, "lost")
        case "Join" if event.about == call.leg:
            ending.hang_up(turn, call, "failed", q850=mishap.FAILED_Q850)
        case _:
            odd(turn, call, event)


def ring_failed(turn: Turn, call: Call, event: CommandFailed) -> None:
    """A phone could not be rung. The command may have been slow and not lost: what it made is hung up."""
    turn.do(commands.HangUp(call.id, turn.cause, event.about))
    if call.phase is Phase.FORWARDING and event.about == call.leg:
        outbound.forward_failed(turn, call, LegGone(call.id, event.about, 34, 503))
    elif call.consult and event.about == call.consult:
        consulting.phone_gone(turn, call, LegGone(call.id, event.about, 34, 503))
    elif not queueing.offer_gone(turn, call, event.about, "unreachable"):
        agents.leg_gone(turn, event.about)


def failed_late(turn: Turn, _call: Call, event: CommandFailed) -> None:
    """A command failed for a call that is ending anyway; a leg that was never made is gone."""
    if event.command == "RingAgent":
        agents.leg_gone(turn, event.about)


def _row(default: Handler, **cells: Handler) -> dict[Phase, Handler]:
    return {phase: cells.get(phase.value, default) for phase in Phase}


MOVES: dict[type, dict[Phase, Handler]] = {
    CallGone: _row(gone, calling=outbound_gone, dialing=outbound_gone, connected=outbound_gone, ending=ending_gone),
    DigitPressed: _row(stale, menu=digit),
    PlaybackEnded: _row(stale, menu=prompt_ended, announcing=prompt_ended, voicemail=prompt_ended),
    MessageRecorded: _row(stale, voicemail=message_recorded),
    LegRinging: _row(stale, waiting=offer_rings),
    LegAnswered: _row(
        stray,
        waiting=offer_answered,
        talking=talk_answered,
        forwarding=phone_answered,
        calling=odd,
        dialing=odd,
        connected=odd,
    ),
    LegGone: _row(
        leg_gone, waiting=offer_gone, talking=far_gone, forwarding=phone_gone, calling=odd, dialing=odd, connected=odd
    ),
    HoldChanged: _row(stale, talking=hold, connected=hold),
    CalleeAnswered: _row(stale, dialing=clicking.callee_answered),
    HangupAsked: _row(end_asked, ending=stale),
    CommandFailed: _row(command_failed, ending=failed_late),
    OutboundNextAsked: _row(odd, dialing=outbound.next_asked, ending=outbound.next_refused),
    OutboundEnded: _row(
        odd, calling=outbound.ended, dialing=outbound.ended, connected=outbound.ended, ending=outbound.ended
    ),
}
"""(event, phase) -> what is done. Every cell is named; `tests/core/test_matrix.py` visits them all."""


_HARMLESS = (PlaybackEnded, MessageRecorded, LegRinging, DigitPressed, HoldChanged, OutboundEnded, CalleeAnswered)
"""What may come late about a call that is over."""


def handle(turn: Turn, event: Any) -> None:
    """Look up the cell for an event about a call; a call we do not know is told, unless only a leg of it is left."""
    call = turn.world.calls.get(event.call)
    if call is not None:
        MOVES[type(event)][call.phase](turn, call, event)
    elif isinstance(event, LegGone):
        agents.leg_gone(turn, event.leg)
    elif isinstance(event, CommandFailed):
        if event.command == "RingAgent":
            agents.leg_gone(turn, event.about)
    elif isinstance(event, CallGone):
        turn.world.note_over(event.call)
    elif isinstance(event, LegAnswered):
        turn.do(commands.HangUp(event.call, turn.cause, event.leg))
    elif isinstance(event, OutboundNextAsked):
        turn.do(commands.ReplyTrunks(event.call, turn.cause, None, "no_trunk", 0))
    elif not isinstance(event, _HARMLESS):
        turn.say(facts.OddEvent(event.call, type(event).__name__, "no such call"))
