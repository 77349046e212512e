"""What we want done outside, in the imperative. Each names the call it serves and the event that caused it.

Every command is safe to repeat: what it creates has a name we chose, and what it ends may be gone already. Its
outcome comes back as a telephone event or as `CommandFailed`; a success reply alone changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.core.model import Alert, Attempt


@dataclass(frozen=True, slots=True)
class Answer:
    """Pick up the caller's channel."""

    call: str
    cause: str


@dataclass(frozen=True, slots=True)
class Play:
    """Play sound files to the caller, one after another, under one playback id. `language` is `vi` or `en`."""

    call: str
    cause: str
    playback: str
    media: tuple[str, ...]
    language: str


@dataclass(frozen=True, slots=True)
class StopPlay:
    """Stop a playback and wait until Asterisk says it has ended: commands that follow would wait behind it."""

    call: str
    cause: str
    playback: str


@dataclass(frozen=True, slots=True)
class StartMusic:
    """Music on hold for the caller."""

    call: str
    cause: str
    music: str


@dataclass(frozen=True, slots=True)
class StopMusic:
    """End the music on hold."""

    call: str
    cause: str


@dataclass(frozen=True, slots=True)
class StartRinging:
    """Let the person on `channel`, who talks to nobody now, hear that a phone rings."""

    call: str
    cause: str
    channel: str


@dataclass(frozen=True, slots=True)
class StopRinging:
    """End that tone; harmless where there is none."""

    call: str
    cause: str
    channel: str


@dataclass(frozen=True, slots=True)
class RingAgent:
    """Create leg `leg` to a PJSIP endpoint and dial it. `timeout_s` is the net under our own ring time."""

    call: str
    cause: str
    leg: str
    endpoint: str
    caller: str
    caller_name: str
    timeout_s: int


@dataclass(frozen=True, slots=True)
class RingDialler:
    """Ring an agent's phone with a channel named `call` that dials `dialled` when it is picked up (click to call).

    `via` is the hotline or adaptive number asked for, empty for the agent's own; the phone shows `dialled`.
    """

    call: str
    cause: str
    endpoint: str
    dialled: str
    via: str
    timeout_s: int


@dataclass(frozen=True, slots=True)
class RingPhone:
    """Create leg `leg` to a phone number by a trunk's endpoint, showing `caller_id`, and dial it.

    With `privacy` the carrier is told the caller id and asked to keep it from the callee.
    """

    call: str
    cause: str
    leg: str
    endpoint: str
    number: str
    caller_id: str
    timeout_s: int
    privacy: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """Create the call's bridge if need be and put caller and leg into it."""

    call: str
    cause: str
    leg: str
    bridge: str


@dataclass(frozen=True, slots=True)
class Consult:
    """Put the agent's leg and the leg of a consulted phone into the call's bridge, which is made if need be; the caller
    stays outside.
    """

    call: str
    cause: str
    leg: str
    agent_leg: str
    bridge: str


@dataclass(frozen=True, slots=True)
class Part:
    """Take the caller out of the call's bridge; the bridge stays."""

    call: str
    cause: str
    bridge: str


@dataclass(frozen=True, slots=True)
class Record:
    """Record the bridge of a call under `name` (relative, without suffix)."""

    call: str
    cause: str
    bridge: str
    name: str


@dataclass(frozen=True, slots=True)
class RecordOutbound:
    """Record both directions of an outbound call through a listening channel `snoop`."""

    call: str
    cause: str
    snoop: str
    name: str


@dataclass(frozen=True, slots=True)
class RecordMessage:
    """Record the caller (voicemail) for at most `max_s`; `#` ends it."""

    call: str
    cause: str
    name: str
    max_s: int


@dataclass(frozen=True, slots=True)
class HangUp:
    """Hang up a channel (the caller's own or a leg) with a Q.850 cause."""

    call: str
    cause: str
    channel: str
    q850: int = 16


@dataclass(frozen=True, slots=True)
class CloseBridge:
    """Delete a bridge of ours; always after the hang-ups, or their cause is overwritten (asterisk issue 1124)."""

    call: str
    cause: str
    bridge: str


@dataclass(frozen=True, slots=True)
class ReplyTrunks:
    """Answer the dial path: the one attempt to make now, or None and the `refusal` to announce.

    `refusal` is a word: not_permitted, blocked, virtual, no_trunk, no_hotline, not_understood, not_agent, in_call,
    number_kind, country, outside_hours, over_limit. `talk_max_s` is the longest the talk may last, 0 for ever;
    `talk_warning_s` before its end the agent hears a tone, 0: none.
    """

    call: str
    cause: str
    attempt: Attempt | None
    refusal: str
    dial_timeout_s: int
    talk_max_s: int = 0
    talk_warning_s: int = 0


@dataclass(frozen=True, slots=True)
class RingBell:
    """Tell the webhooks about an alert raised or cleared. `change` is `raised` or `cleared`."""

    call: str
    cause: str
    alert: Alert
    change: str


Command = (
    Answer
    | Play
    | StopPlay
    | StartMusic
    | StopMusic
    | StartRinging
    | StopRinging
    | RingAgent
    | RingDialler
    | RingPhone
    | Join
    | Consult
    | Part
    | Record
    | RecordOutbound
    | RecordMessage
    | HangUp
    | CloseBridge
    | ReplyTrunks
    | RingBell
)
"""Everything we can ask of the outside."""
