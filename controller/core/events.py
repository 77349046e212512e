"""What happened outside, in the past tense. The only things that may change the world.

Strings in events come from outside and are already cut to a safe alphabet and length by the door that made them
(`ari.wire`, `agi.scripts`, `web`): numbers are `[0-9+*#]{0,32}`, names at most 64 printable characters.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.core.setup import Setup


@dataclass(frozen=True, slots=True)
class CallArrived:
    """A caller entered our Stasis application. `dialled` is the hotline as the dialplan names it (E.164)."""

    call: str
    dialled: str
    caller: str
    caller_name: str = ""


@dataclass(frozen=True, slots=True)
class CallGone:
    """The caller's channel left us. Causes are Q.850 and SIP; 0 and None when Asterisk does not tell."""

    call: str
    cause: int = 0
    tech_cause: int | None = None


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """One DTMF key (`0-9*#A-D`), told at key-up."""

    call: str
    digit: str


@dataclass(frozen=True, slots=True)
class PlaybackEnded:
    """A prompt came to its end, was stopped, or failed (`ok` false)."""

    call: str
    playback: str
    ok: bool = True


@dataclass(frozen=True, slots=True)
class MessageRecorded:
    """A voicemail recording ended by itself (key, silence, longest time) or failed."""

    call: str
    name: str
    duration_s: int = 0
    ok: bool = True


@dataclass(frozen=True, slots=True)
class LegRinging:
    """A leg of ours rings at the phone."""

    call: str
    leg: str


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """A leg of ours was answered."""

    call: str
    leg: str


@dataclass(frozen=True, slots=True)
class LegGone:
    """A leg of ours is gone: refused, unreachable, cancelled or hung up; the causes tell."""

    call: str
    leg: str
    cause: int = 0
    tech_cause: int | None = None


@dataclass(frozen=True, slots=True)
class HoldChanged:
    """The phone on `channel` (the caller's or a leg of ours) put the other side on hold, or took it back."""

    call: str
    channel: str
    held: bool


@dataclass(frozen=True, slots=True)
class PhoneChanged:
    """An agent's phone became reachable or not (registration, qualify, contact). `endpoint` is a PJSIP endpoint."""

    endpoint: str
    reachable: bool


@dataclass(frozen=True, slots=True)
class PhoneChannel:
    """A channel we did not create lives on an agent's phone: `down`, `ring`, `up` or `gone`."""

    endpoint: str
    channel: str
    state: str
    cause: int = 0
    tech_cause: int | None = None


@dataclass(frozen=True, slots=True)
class AgentStatusAsked:
    """Somebody (`by`) asks for an agent's status: `available`, `not_ready` (with a reason) or `offline`."""

    agent: str
    status: str
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class WrapUpEndAsked:
    """Somebody asks to end an agent's wrap-up now."""

    agent: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class WrapUpExtendAsked:
    """Somebody asks to extend an agent's wrap-up."""

    agent: str
    seconds: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class HangupAsked:
    """Somebody asks to end a call."""

    call: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class TransferAsked:
    """Somebody (`by`) asks that a caller who talks be sent on to an outside phone (blind transfer).

    `via`, `ported` and `ported_source` as in `OutboundAsked`; an empty `via` is the hotline the caller dialled.
    """

    call: str
    dialled: str
    via: str = ""
    ported: str = ""
    ported_source: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class ConsultAsked:
    """Somebody (`by`) asks that an agent who talks consult an outside phone while the caller hears music (`action`
    `begin`), that the caller get that phone (`complete`), or that agent and caller talk again (`cancel`).

    The rest as in `TransferAsked`, for `begin` alone.
    """

    call: str
    action: str
    dialled: str = ""
    via: str = ""
    ported: str = ""
    ported_source: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class ClickToCallAsked:
    """Somebody (`by`) asks that an agent's phone be rung, by a channel named `call`, and then connected with a number.

    `via`, `ported` and `ported_source` as in `OutboundAsked`.
    """

    call: str
    agent: str
    dialled: str
    via: str = ""
    ported: str = ""
    ported_source: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class CalleeAnswered:
    """The number that an agent's channel dials was answered."""

    call: str


@dataclass(frozen=True, slots=True)
class OutboundAsked:
    """The dial path asks where an agent's call may leave. `call` is the agent's own channel.

    `via` is a hotline number or adaptive name, empty for the agent's default. `ported` is the operator the look-ups
    outside the core found for this number and `ported_source` which one (`override`, `ported`, `lookup`), both empty
    when none did. `odd`: characters that are in no phone number were dialled too, and `dialled` is what is left.
    """

    call: str
    endpoint: str
    dialled: str
    via: str = ""
    ported: str = ""
    ported_source: str = ""
    odd: bool = False


@dataclass(frozen=True, slots=True)
class OutboundNextAsked:
    """The trunk of the present attempt failed for its own reasons (`status` of Dial, Q.850 `cause`): the next one.

    `sip` is the carrier's final answer, `delay_ms` the time to the first sign of the far phone; 0 when not known.
    """

    call: str
    status: str
    cause: int = 0
    sip: int = 0
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class OutboundEnded:
    """The dial path reports the outcome. `answered_s` is the talk in whole seconds, `by_callee` whether the callee
    ended it: then the agent's channel still lives. `sip` and `delay_ms` as in `OutboundNextAsked`.
    """

    call: str
    status: str
    cause: int = 0
    answered_s: int = 0
    by_callee: bool = False
    sip: int = 0
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class DialplanCalled:
    """The dialplan served a call by itself and it is over: the `fallback` of a hotline, or an `emergency` call; or it
    `refused` an agent's call because nobody could be asked.

    `endpoint` is the phone that answered a fallback or made the call, `trunk` the endpoint of the trunk that
    was dialled, `status` how the last Dial ended (empty: nobody was dialled), `talked_s` how long they talked.
    """

    call: str
    kind: str
    hotline: str
    caller: str
    callee: str
    trunk: str
    endpoint: str
    began_at_ms: int
    ended_at_ms: int
    status: str = ""
    talked_s: int = 0


@dataclass(frozen=True, slots=True)
class TrunkSeen:
    """Asterisk says whether a trunk's endpoint answers its OPTIONS. `endpoint` is a PJSIP endpoint."""

    endpoint: str
    reachable: bool


@dataclass(frozen=True, slots=True)
class SetupChanged:
    """A new setup is in force."""

    setup: Setup


@dataclass(frozen=True, slots=True)
class CommandFailed:
    """A command did not do its work. `command` is its class name, `about` the id of the leg, playback or bridge."""

    call: str
    command: str
    about: str
    reason: str


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The event stream is cut: what happens now is not told to us."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class ChannelSeen:
    """One channel as Asterisk lists it. `ours`: it is in our Stasis application. `dialled` as in `CallArrived`."""

    id: str
    endpoint: str
    state: str
    ours: bool
    dialled: str = ""
    caller: str = ""
    caller_name: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class BridgeSeen:
    """One bridge and the channels in it."""

    id: str
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EndpointSeen:
    """One agent endpoint: reachable or not, and the channels on it."""

    endpoint: str
    reachable: bool
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """What Asterisk has now. `boot` names this life of Asterisk: another value means it was restarted.

    What is missing is only believed to be gone when we made it before `asked_at_ms` (None: whenever we made it): an
    audit runs beside the calls, and what was made while it was under way is not in it. `trunks` are the endpoints of
    trunks.
    """

    boot: str
    channels: tuple[ChannelSeen, ...] = ()
    bridges: tuple[BridgeSeen, ...] = ()
    endpoints: tuple[EndpointSeen, ...] = ()
    asked_at_ms: int | None = None
    trunks: tuple[EndpointSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class ClockMoved:
    """The wall clock was stepped by so many milliseconds against the monotonic one."""

    delta_ms: int


@dataclass(frozen=True, slots=True)
class Ticked:
    """A deadline has come."""


Event = (
    CallArrived
    | CallGone
    | DigitPressed
    | PlaybackEnded
    | MessageRecorded
    | LegRinging
    | LegAnswered
    | LegGone
    | HoldChanged
    | PhoneChanged
    | PhoneChannel
    | AgentStatusAsked
    | WrapUpEndAsked
    | WrapUpExtendAsked
    | HangupAsked
    | TransferAsked
    | ConsultAsked
    | ClickToCallAsked
    | CalleeAnswered
    | OutboundAsked
    | OutboundNextAsked
    | OutboundEnded
    | DialplanCalled
    | TrunkSeen
    | SetupChanged
    | CommandFailed
    | LinkLost
    | SnapshotTaken
    | ClockMoved
    | Ticked
)
"""Everything that may come through the one door."""
