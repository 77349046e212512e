"""Ways onward and out: where a call goes when a menu, a schedule or a queue's rule sends it somewhere.

One function takes a call there; every rule that routes goes through it, so that announcements, guards against
endless loops and the words in the history are the same everywhere.
"""

from __future__ import annotations

from dataclasses import replace

from controller.core import asking, commands, ending, facts, figures, ids, leaving, menu, queueing, trunks
from controller.core.events import OutboundAsked
from controller.core.model import Attempt, Call, Phase
from controller.core.setup import Way, WayKind
from controller.core.turn import Turn

PROMPT_MAX_MS = 120_000
MESSAGE_MAX_S = 120
PHONE_RING_S = 45
VOICEMAIL_PROMPT = "tongdai-voicemail-prompt"
OVERFLOW = ("full", "max_wait", "no_agent", "queue_removed")


def describe(way: Way) -> str:
    """A way as people write it: `queue sales`, `hangup`."""
    return f"{way.kind} {way.target}".strip()


def take(turn: Turn, call_id: str, way: Way, why: str) -> None:
    """Send a call along a way; `why` names the rule that did (closed, full, max_wait, no_agent, menu, blocked…)."""
    call = turn.change_call(call_id, **ending.CALM, reason=why)
    turn.say(facts.CallRouted(call.id, describe(way), why))
    if why == "closed":
        call = turn.change_call(call.id, result="closed")
    if way.play:
        announce(turn, call, (way.play,), replace(way, play=""))
    else:
        go(turn, call, way)


def go(turn: Turn, call: Call, way: Way) -> None:
    """Do what a way says, its announcement being over."""
    match way.kind:
        case WayKind.QUEUE:
            queueing.enter(turn, call, way.target)
        case WayKind.MENU:
            menu.enter(turn, call, way.target)
        case WayKind.PHONE:
            forward(turn, call, way)
        case WayKind.VOICEMAIL:
            voicemail(turn, call)
        case WayKind.HANGUP | WayKind.REPEAT:
            cause = "overflow" if call.reason in OVERFLOW else call.reason or "menu"
            ending.hang_up(turn, call, cause)


def pick_up(turn: Turn, call: Call) -> Call:
    """Answer the caller's channel, once."""
    if call.channel_up:
        return call
    turn.do(commands.Answer(call.id, turn.cause))
    return turn.change_call(call.id, channel_up=True)


def play(turn: Turn, call: Call, media: tuple[str, ...]) -> Call:
    """Play sound files; the deadline stands because some failures never report an end."""
    call = pick_up(turn, call)
    name = ids.playback(call.id, call.plays + 1)
    call = turn.change_call(
        call.id, plays=call.plays + 1, prompt=name, prompt_until_ms=turn.now_ms + PROMPT_MAX_MS, key_until_ms=None
    )
    turn.do(commands.Play(call.id, turn.cause, name, media, turn.setup.defaults.language))
    return call


def stop_prompt(turn: Turn, call: Call) -> Call:
    """Silence a running prompt before anything else happens to the caller's channel."""
    if not call.prompt:
        return call
    turn.do(commands.StopPlay(call.id, turn.cause, call.prompt))
    return turn.change_call(call.id, prompt="", prompt_until_ms=None)


def stop_music(turn: Turn, call: Call) -> None:
    """End the music of the queue the caller leaves: it would play on beneath what is heard next."""
    if call.phase is Phase.WAITING:
        turn.do(commands.StopMusic(call.id, turn.cause))


def announce(turn: Turn, call: Call, media: tuple[str, ...], then: Way) -> None:
    """Tell the caller something, then go on along `then`."""
    stop_music(turn, call)
    call = turn.change_call(call.id, phase=Phase.ANNOUNCING, then=then, answer_alert_at_ms=None)
    play(turn, call, media)


def prompt_over(turn: Turn, call: Call) -> None:
    """A prompt has ended (or never would): the menu waits for a key, the announcement goes on, the message begins."""
    if call.phase is Phase.MENU:
        menu.prompt_over(turn, call)
        return
    call = turn.change_call(call.id, prompt="", prompt_until_ms=None)
    if call.phase is Phase.ANNOUNCING:
        way = call.then or Way()
        go(turn, turn.change_call(call.id, then=None), way)
    elif call.phase is Phase.VOICEMAIL:
        record_message(turn, call)


def voicemail(turn: Turn, call: Call) -> None:
    """Ask the caller to leave a message."""
    stop_music(turn, call)
    call = turn.change_call(call.id, phase=Phase.VOICEMAIL, result="voicemail", answer_alert_at_ms=None)
    play(turn, call, (VOICEMAIL_PROMPT,))


def record_message(turn: Turn, call: Call) -> None:
    """Record what the caller says after the prompt."""
    name = f"voicemail/{call.id}"
    until_ms = turn.now_ms + 1000 * MESSAGE_MAX_S + ending.ENDING_LIMIT_MS
    turn.change_call(call.id, recording=name, key_until_ms=until_ms)
    turn.do(commands.RecordMessage(call.id, turn.cause, name, MESSAGE_MAX_S))


# -- on to a phone number ------------------------------------------------------------------------------------------


def forward(turn: Turn, call: Call, way: Way) -> None:
    """Ring an outside phone by a hotline of ours, under the rules every outbound call obeys."""
    decision = trunks.decide(question(turn, call, way.target, way.hotline or call.hotline))
    if not decision.allowed:
        turn.say(facts.OutboundBlocked(call.id, "", decision.to or way.target, decision.reason, decision.steps))
        ending.hang_up(turn, call, decision.reason)
        return
    forward_along(turn, call, decision)


def question(turn: Turn, call: Call, dialled: str, via: str) -> trunks.Question:
    """What is asked before a caller is sent on to an outside phone."""
    day = figures.today(turn.world, turn.now_ms)
    return asking.question(turn.world, turn.now_ms, day, OutboundAsked(call.id, "", dialled, via))


def say_picked(turn: Turn, call: Call, decision: trunks.Decision) -> None:
    """Tell what was decided about a call out, and why."""
    turn.say(
        facts.OutboundPicked(
            call.id,
            call.agent,
            decision.to,
            decision.carrier,
            decision.carrier_source,
            decision.attempts,
            decision.steps,
        )
    )


def forward_along(turn: Turn, call: Call, decision: trunks.Decision) -> None:
    """Ring the outside phone by the trunks that were chosen; the caller hears music meanwhile."""
    say_picked(turn, call, decision)
    call = pick_up(turn, call)
    if call.phase is not Phase.WAITING:
        turn.do(commands.StartMusic(call.id, turn.cause, "default"))
    call = turn.change_call(
        call.id,
        phase=Phase.FORWARDING,
        callee=decision.to,
        carrier=decision.carrier,
        attempts=decision.attempts,
        attempt=0,
    )
    forward_next(turn, call)


def forward_next(turn: Turn, call: Call) -> None:
    """Try the next trunk towards the phone, or give up."""
    attempt = leaving.admit_next(turn, call)
    call = turn.world.calls[call.id]
    if attempt is None:
        ending.hang_up(turn, turn.change_call(call.id, leg=""), "no_trunk", q850=34)
        return
    turn.change_call(call.id, leg=ring_phone(turn, call, attempt))


def ring_phone(turn: Turn, call: Call, attempt: Attempt) -> str:
    """Ring an outside phone for a call by a trunk that was admitted; the name of its leg."""
    leg = ids.phone_leg(call.id, call.legs + 1)
    turn.change_call(call.id, legs=call.legs + 1, key_until_ms=turn.now_ms + 1000 * PHONE_RING_S)
    turn.do(
        commands.RingPhone(
            call.id,
            turn.cause,
            leg,
            attempt.endpoint,
            attempt.number,
            attempt.caller_id,
            PHONE_RING_S + 5,
            attempt.privacy,
        )
    )
    return leg
