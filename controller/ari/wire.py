"""One message of Asterisk's event stream in, what it means to us out. Total: no input whatever makes it raise.

The stream is not a clean story. A channel that is in our application *and* on a watched phone is told about twice,
byte for byte the same; order between kinds of events is not guaranteed; the end of a call is told by `StasisEnd`, by
`ChannelDestroyed` or by both, and its cause sometimes only by a hang-up request before (docs/asterisk-facts.md, A10).
So one small memory is kept, `Ears`: which channels are callers, which phones are watched, and what was just heard.
It decides nothing; what a call or an agent becomes by an event is the core's business.

Names and numbers are cut to their alphabet here (controller.core.text), ids that could not be ours or Asterisk's are
not passed on, and whatever is not understood becomes `Odd`, to be counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from controller.ari.notices import Entered, Finished, Left, Notice, Odd, Replaced
from controller.ari.shape import (
    TECHNOLOGY,
    Object,
    a_list,
    a_text,
    an_id,
    an_int,
    an_object,
    endpoint_of,
    parse,
    state_of,
)
from controller.core import ids
from controller.core.events import (
    CallArrived,
    CalleeAnswered,
    CallGone,
    DigitPressed,
    Event,
    HoldChanged,
    LegAnswered,
    LegGone,
    LegRinging,
    MessageRecorded,
    PhoneChanged,
    PhoneChannel,
    PlaybackEnded,
)
from controller.core.text import clean_name, clean_number

Heard = tuple[Event | Notice, ...]

NOTHING: Final[Heard] = ()
INBOUND: Final = "inbound"
VOICEMAIL: Final = "voicemail/"
CALLERS_MAX: Final = 50_000
ECHOES_MAX: Final = 64
ECHO_CHARS_MAX: Final = 16_384
DAY_S: Final = 86_400
Q850_MAX: Final = 127
SOFT_HANGUP: Final = 32
"""`cause` of a hang-up request that we made ourselves: a flag of Asterisk's, not a Q.850 cause."""

_DIGITS: Final = frozenset("0123456789*#ABCD")
_RECORDING: Final = re.compile(r"[A-Za-z0-9_./+-]{1,200}")
_SIGNS_OF_LIFE: Final = frozenset({"Reachable", "NonQualified", "Unqualified", "Created", "Updated"})


@dataclass(slots=True)
class Caller:
    """A caller's channel: the cause a hang-up request gave, and whether its end was already told."""

    cause: int = 0
    tech_cause: int | None = None
    gone: bool = False


@dataclass(slots=True)
class Ears:
    """What must be remembered between two messages, bounded in every part. `phones` are the watched endpoints."""

    app: str
    phones: frozenset[str] = frozenset()
    callers: dict[str, Caller] = field(default_factory=dict)
    reachable: dict[str, bool] = field(default_factory=dict)
    _echoes: dict[str | bytes, None] = field(default_factory=dict)

    def hear(self, raw: str | bytes) -> Heard:
        """Say what one message means; nothing when it is of no concern to us."""
        if self._is_echo(raw):
            return NOTHING
        message = parse(raw)
        if not isinstance(message, dict):
            return (Odd("not_an_object"),)
        reader = READERS.get(a_text(message.get("type")))
        return (Odd("unknown_type"),) if reader is None else reader(self, message)

    def adopt(self, seen: Collection[str], known_before: Collection[str]) -> None:
        """After a snapshot: forget callers it did not show, unless they came after it was asked for; learn the rest."""
        for channel in known_before:
            if channel not in seen:
                self.callers.pop(channel, None)
        for channel in seen:
            if channel not in self.callers:
                self.note_caller(channel)

    def agree(self, endpoint: str, reachable: bool) -> None:
        """After a snapshot: where it contradicts the last event, the next one is passed on in any case."""
        if self.reachable.setdefault(endpoint, reachable) != reachable:
            del self.reachable[endpoint]

    def forget(self) -> None:
        """After a cut: what phones did meanwhile was not heard."""
        self.reachable.clear()
        self._echoes.clear()

    def note_caller(self, channel: str) -> None:
        """Remember a caller; the oldest is forgotten beyond a number no exchange reaches."""
        self.callers[channel] = Caller()
        if len(self.callers) > CALLERS_MAX:
            del self.callers[next(iter(self.callers))]

    def _is_echo(self, raw: str | bytes) -> bool:
        if len(raw) > ECHO_CHARS_MAX:
            return False
        if raw in self._echoes:
            return True
        self._echoes[raw] = None
        if len(self._echoes) > ECHOES_MAX:
            del self._echoes[next(iter(self._echoes))]
        return False


def stasis_start(ears: Ears, message: Object) -> Heard:
    """A caller arrived, or a channel of ours is ready."""
    channel = an_object(message.get("channel"))
    name = an_id(channel.get("id"))
    if ids.parse(name) is not None:
        return (Entered(name),)
    match a_list(message.get("args")):
        case [way, dialled, *_] if way == INBOUND:
            return _arrived(ears, name, dialled, an_object(channel.get("caller")))
    return (Odd("stasis_args"),)


def _arrived(ears: Ears, name: str, dialled: object, caller: Object) -> Heard:
    if ids.parse(ids.bridge(name)) is None:  # what we make for it could not be told from a stranger's
        return (Odd("channel_id"),)
    ears.note_caller(name)
    number, shown = clean_number(caller.get("number")), clean_name(caller.get("name"))
    return (CallArrived(call=name, dialled=clean_number(dialled), caller=number, caller_name=shown),)


def stasis_end(ears: Ears, message: Object) -> Heard:
    """A caller left us; a leg's end is told by `ChannelDestroyed`, with its cause."""
    name = an_id(an_object(message.get("channel")).get("id"))
    if not name:
        return (Odd("channel_id"),)
    if ids.parse(name) is not None:
        return NOTHING
    if name not in ears.callers:
        ears.note_caller(name)
    caller = ears.callers[name]
    if caller.gone:
        return NOTHING
    caller.gone = True
    return (CallGone(name, caller.cause, caller.tech_cause),)


def hangup_request(ears: Ears, message: Object) -> Heard:
    """Nothing has ended yet, but this may be the only message that says why it will."""
    caller = ears.callers.get(an_id(an_object(message.get("channel")).get("id")))
    cause, tech_cause = causes(message)
    if caller is not None and cause not in {0, SOFT_HANGUP} and not caller.cause:
        caller.cause, caller.tech_cause = cause, tech_cause
    return NOTHING


def destroyed(ears: Ears, message: Object) -> Heard:
    """A channel is gone for good: a leg, a caller, or somebody else's on a watched phone."""
    channel = an_object(message.get("channel"))
    name = an_id(channel.get("id"))
    if not name:
        return (Odd("channel_id"),)
    ours = ids.parse(name)
    if ours is None:
        return _foreign_gone(ears, name, endpoint_of(channel), causes(message))
    if ours.kind not in "ap":
        return (Left(name),)
    return (Left(name), LegGone(ours.call, name, *causes(message)))


def _foreign_gone(ears: Ears, name: str, endpoint: str, why: tuple[int, int | None]) -> Heard:
    caller = ears.callers.pop(name, None)
    watched = endpoint in ears.phones
    heard: Heard = (PhoneChannel(endpoint, name, "gone", *why),) if watched else NOTHING
    if caller is None:
        return heard or (CallGone(name, *why),)
    if caller.gone:
        return heard
    return (CallGone(name, why[0] or caller.cause, why[1] or caller.tech_cause), *heard)


def channel_state(ears: Ears, message: Object) -> Heard:
    """A leg rings or was answered, or somebody else's channel moves on a watched phone."""
    channel = an_object(message.get("channel"))
    name, state = an_id(channel.get("id")), state_of(channel)
    ours = ids.parse(name)
    if ours is not None:
        return _leg_state(ours, name, state)
    endpoint = endpoint_of(channel)
    if not name or endpoint not in ears.phones or name in ears.callers:
        return NOTHING
    return (PhoneChannel(endpoint, name, state),)


def dial(ears: Ears, message: Object) -> Heard:
    """Who an agent's channel dials has answered. About our own legs other messages say the same, and say it better."""
    caller = an_object(message.get("caller"))
    name = an_id(caller.get("id"))
    if message.get("dialstatus") != "ANSWER" or endpoint_of(caller) not in ears.phones or ids.parse(name) is not None:
        return NOTHING
    return (CalleeAnswered(name),) if ids.parse(ids.bridge(name)) is not None else (Odd("channel_id"),)


def _leg_state(ours: ids.Name, name: str, state: str) -> Heard:
    if ours.kind not in "ap" or state not in {"ring", "up"}:
        return NOTHING
    return (LegRinging(ours.call, name),) if state == "ring" else (LegAnswered(ours.call, name),)


def digit_received(ears: Ears, message: Object) -> Heard:
    """A caller pressed a key; what agents press, and who merely uses a watched phone, is not ours to hear."""
    channel = an_object(message.get("channel"))
    name, digit = an_id(channel.get("id")), a_text(message.get("digit"))
    if not name or digit not in _DIGITS:
        return (Odd("digit"),)
    if ids.parse(name) is not None or (name not in ears.callers and endpoint_of(channel) in ears.phones):
        return NOTHING
    return (DigitPressed(name, digit),)


def hold_changed(_ears: Ears, message: Object) -> Heard:
    """A phone put the other side on hold, or took it back."""
    name = an_id(an_object(message.get("channel")).get("id"))
    if not name:
        return (Odd("channel_id"),)
    ours = ids.parse(name)
    if ours is not None and ours.kind not in "ap":
        return NOTHING
    return (HoldChanged(ours.call if ours else name, name, message.get("type") == "ChannelHold"),)


def playback_finished(_ears: Ears, message: Object) -> Heard:
    """A prompt of ours ended."""
    playback = an_object(message.get("playback"))
    name = an_id(playback.get("id"))
    ours = ids.parse(name)
    if ours is None:
        return NOTHING
    return (Finished(name), PlaybackEnded(ours.call, name, ok=playback.get("state") == "done"))


def recording_ended(_ears: Ears, message: Object) -> Heard:
    """A voicemail ended; recordings of talks end with the talk and need no event."""
    recording = an_object(message.get("recording"))
    name, target = a_text(recording.get("name")), a_text(recording.get("target_uri"))
    if not _RECORDING.fullmatch(name):
        return (Odd("recording"),)
    call = an_id(target.removeprefix("channel:")) if target.startswith("channel:") else ""
    if not call or not name.startswith(VOICEMAIL):
        return NOTHING
    ok = message.get("type") == "RecordingFinished"
    return (MessageRecorded(call, name, an_int(recording.get("duration"), 0, DAY_S) or 0, ok),)


def endpoint_changed(ears: Ears, message: Object) -> Heard:
    """A watched phone can or cannot be reached.

    Asterisk repeats an endpoint's state whenever a channel on it comes or goes, so only changes are passed on; but a
    contact that appears or answers again is a sign of life even where the endpoint's state stays the same.
    """
    endpoint = an_object(message.get("endpoint"))
    name = a_text(endpoint.get("resource"))
    if name not in ears.phones or endpoint.get("technology") != TECHNOLOGY:
        return NOTHING
    reachable = endpoint.get("state") != "offline"
    alive = a_text(an_object(message.get("contact_info")).get("contact_status")) in _SIGNS_OF_LIFE
    if ears.reachable.get(name) == reachable and not (alive and reachable):
        return NOTHING
    ears.reachable[name] = reachable
    return (PhoneChanged(name, reachable),)


def replaced(ears: Ears, message: Object) -> Heard:
    """Somebody else is the controller now."""
    return (Replaced(),) if message.get("application") == ears.app else NOTHING


def causes(message: Object) -> tuple[int, int | None]:
    """The Q.850 cause (0 without one) and the SIP status a message carries."""
    return an_int(message.get("cause"), 0, Q850_MAX) or 0, an_int(message.get("tech_cause"), 100, 699)


READERS: Final[dict[str, Callable[[Ears, Object], Heard]]] = {
    "ApplicationReplaced": replaced,
    "ChannelCreated": channel_state,
    "ChannelDestroyed": destroyed,
    "ChannelDtmfReceived": digit_received,
    "ChannelHangupRequest": hangup_request,
    "ChannelHold": hold_changed,
    "ChannelStateChange": channel_state,
    "ChannelUnhold": hold_changed,
    "ContactStatusChange": endpoint_changed,
    "Dial": dial,
    "EndpointStateChange": endpoint_changed,
    "PeerStatusChange": endpoint_changed,
    "PlaybackFinished": playback_finished,
    "RecordingFailed": recording_ended,
    "RecordingFinished": recording_ended,
    "StasisEnd": stasis_end,
    "StasisStart": stasis_start,
}
"""Every kind of message that means something to us."""

WANTED: Final = tuple(kind for kind in READERS if kind != "PeerStatusChange")
"""What the event filter lets through: what that one says is said by a state change as well."""
