"""A command in, the requests that carry it out. Pure: what is sent and what its replies mean, but no sending.

Three rules of Asterisk's shape every plan (docs/asterisk-facts.md): ids are chosen by us, so 409 on create and 404 on
delete mean that the work is already done; events overtake replies, so what must be waited for is named *before* the
request goes out; a 2xx says only that the request was understood.

Everything that becomes part of a dial string, a path or a file name is held against an allow-list here, at the last
door, whatever was checked before: a name with a comma, an ampersand or a line break in it is a ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from controller.core import commands as do
from controller.core.text import NUMBER, clean_name, clean_number

APP_ARGS: Final = "leg"
"""How our own channels introduce themselves in `StasisStart`; callers say `inbound`."""

CALL_LIMIT_S: Final = 14_400
"""How long a caller's channel lives at most once we have taken it: the net under a controller that hangs."""

ENTER_LIMIT_S: Final = 1.0
FINISH_LIMIT_S: Final = 1.0
SILENCE_ENDS_S: Final = 10
FORMAT: Final = "wav"
DIAL_TIMEOUT_MAX_S: Final = 600
RECORD_MAX_S: Final = 3600

_GONE: Final = frozenset({404})
_THERE: Final = frozenset({409})
_LEFT: Final = frozenset({400, 404, 422})
"""A channel that is not there, or is on its way out of the application."""

_NO_MATTER: Final = frozenset({404, 409, 412})
"""A tone for a channel that is gone or is no longer ours: nobody is left to miss it."""

_NONE: Final[frozenset[int]] = frozenset()

_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_ENDPOINT: Final = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_NAME: Final = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*(?:/[A-Za-z0-9_+-][A-Za-z0-9_.+-]*)*")
_MEDIA: Final = re.compile(r"(?!.*(?:\.\.|//))[\w/][\w ./+@-]*")
_MUSIC: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_VIA: Final = re.compile(r"[A-Za-z0-9_.+-]{0,64}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(?:_[A-Z]{2})?")
_NAME_CHARS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Wait:
    """What must be heard before the next request makes sense: a channel has `entered`, or a prompt is `finished`."""

    what: str
    name: str
    limit_s: float


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: an operation of Asterisk's API description by name, and its parameters.

    `done` are the refusals that mean the work is done already; then there is nothing to wait for either. `on` says that
    the next request may go out with this one: it does no harm when this one is refused.
    """

    operation: str
    parameters: dict[str, object]
    done: frozenset[int] = _NONE
    wait: Wait | None = None
    on: bool = False


Plan = tuple[Ask, ...]


def plan(command: do.Command, app: str) -> Plan:
    """The requests that carry out `command`, in order; ValueError when it holds what may never be sent."""
    planner = _PLANNERS.get(type(command))
    if planner is None:
        raise ValueError(f"{type(command).__name__} is not for the telephone")
    return planner(command, app)


def undo(command: do.Command) -> Plan:
    """What takes back a command that failed half-way: a leg that was made and never dialled would stay for ever."""
    if isinstance(command, do.RingAgent | do.RingPhone):
        return (Ask("channels.hangup", {"channelId": an_id(command.leg)}, _GONE),)
    return ()


def _answer(c: do.Answer, _app: str) -> Plan:
    """Take the call over first: until then the dialplan lets it wait for us some seconds only (docs/dialplan.md)."""
    taken: dict[str, object] = {"channelId": an_id(c.call), "variable": "TIMEOUT(absolute)", "value": str(CALL_LIMIT_S)}
    return (Ask("channels.setChannelVar", taken, on=True), Ask("channels.answer", {"channelId": c.call}))


def _play(c: do.Play, _app: str) -> Plan:
    media = [f"sound:{a_match(_MEDIA, name, 'sound', _NAME_CHARS_MAX)}" for name in c.media]
    if not media:
        raise ValueError("nothing to play")
    parameters: dict[str, object] = {"channelId": an_id(c.call), "playbackId": an_id(c.playback), "media": media}
    parameters["lang"] = a_match(_LANGUAGE, c.language, "language")
    return (Ask("channels.playWithId", parameters),)


def _stop_play(c: do.StopPlay, _app: str) -> Plan:
    wait = Wait("finished", an_id(c.playback), FINISH_LIMIT_S)
    return (Ask("playbacks.stop", {"playbackId": c.playback}, _GONE, wait),)


def _start_music(c: do.StartMusic, _app: str) -> Plan:
    return (
        Ask("channels.startMoh", {"channelId": an_id(c.call), "mohClass": a_match(_MUSIC, c.music, "music class")}),
    )


def _stop_music(c: do.StopMusic, _app: str) -> Plan:
    return (Ask("channels.stopMoh", {"channelId": an_id(c.call)}, _GONE),)


def _start_ringing(c: do.StartRinging, _app: str) -> Plan:
    return (Ask("channels.ring", {"channelId": an_id(c.channel)}, _NO_MATTER),)


def _stop_ringing(c: do.StopRinging, _app: str) -> Plan:
    return (Ask("channels.ringStop", {"channelId": an_id(c.channel)}, _NO_MATTER),)


def _ring_agent(c: do.RingAgent, app: str) -> Plan:
    shown = connected_line(clean_number(c.caller), clean_name(c.caller_name))
    return _ring(c.call, c.leg, f"PJSIP/{an_endpoint(c.endpoint)}", shown, c.timeout_s, app)


def _ring_dialler(c: do.RingDialler, _app: str) -> Plan:
    """A channel on the agent's phone that enters the dial path when it is picked up; the phone shows the number.

    The dialplan filters both variables again before it uses them.
    """
    dialled = a_match(NUMBER, c.dialled, "phone number")
    variables = {"TD_DIALLED": dialled, "TD_VIA": a_match(_VIA, c.via, "hotline")}
    where = {"context": "tongdai-clicked", "extension": "s", "priority": 1}
    parameters = {"endpoint": f"PJSIP/{an_endpoint(c.endpoint)}", "channelId": an_id(c.call), **where}
    parameters |= {"callerId": f"<{dialled}>", "timeout": bounded(c.timeout_s, DIAL_TIMEOUT_MAX_S)}
    return (Ask("channels.originateWithId", {**parameters, "variables": variables}, _THERE),)


def _ring_phone(c: do.RingPhone, app: str) -> Plan:
    number = a_match(NUMBER, c.number, "phone number")
    shown = connected_line(clean_number(c.caller_id), "")
    if c.privacy:
        shown["CONNECTEDLINE(pres,i)"] = "prohib"
    return _ring(c.call, c.leg, f"PJSIP/{number}@{an_endpoint(c.endpoint)}", shown, c.timeout_s, app)


def _ring(call: str, leg: str, endpoint: str, shown: dict[str, str], timeout_s: int, app: str) -> Plan:
    """Create first, dial second: only a channel that is already in our application can be cancelled and bridged."""
    create: dict[str, object] = {"endpoint": endpoint, "app": app, "appArgs": APP_ARGS, "channelId": an_id(leg)}
    create |= {"originator": an_id(call), "variables": shown}
    dial = {"channelId": leg, "timeout": bounded(timeout_s, DIAL_TIMEOUT_MAX_S)}
    return (
        Ask("channels.create", create, _THERE, Wait("entered", leg, ENTER_LIMIT_S)),
        Ask("channels.dial", dial, _THERE),
    )


def connected_line(number: str, name: str) -> dict[str, str]:
    """The variables that make a phone show who calls: the far side of the leg, set before it is dialled.

    `CALLERID(num)` would name the leg itself, and the phone would show nobody. Values are stored as they are: Asterisk
    evaluates nothing in them. Without a number the phone shows an anonymous caller.
    """
    parts = {"num": number, "name": name if number else ""}
    return {f"CONNECTEDLINE({part},i)": value for part, value in parts.items() if value}


def _join(c: do.Join, _app: str) -> Plan:
    """Silence the music first: it would play on inside the bridge, in place of the other side's voice."""
    silence = Ask("channels.stopMoh", {"channelId": an_id(c.call)}, _GONE, on=True)
    return (silence, *_bring_together(c.bridge, c.call, c.leg))


def _consult(c: do.Consult, _app: str) -> Plan:
    """Once more take the caller out, who may not hear it: the first time may have been refused."""
    return (_taken_out(c.bridge, c.call), *_bring_together(c.bridge, c.agent_leg, c.leg))


def _bring_together(bridge: str, *channels: str) -> Plan:
    """Somebody has answered and hears nothing yet, so bridge and channels go at once."""
    parameters = {"bridgeId": an_id(bridge)}
    return (
        Ask("bridges.createWithId", {**parameters, "type": "mixing"}, _THERE, on=True),
        Ask("bridges.addChannel", {**parameters, "channel": [an_id(name) for name in channels]}, _LEFT),
    )


def _part(c: do.Part, _app: str) -> Plan:
    return (_taken_out(c.bridge, c.call),)


def _taken_out(bridge: str, channel: str) -> Ask:
    """422 when the channel is in no bridge."""
    parameters: dict[str, object] = {"bridgeId": an_id(bridge), "channel": [an_id(channel)]}
    return Ask("bridges.removeChannel", parameters, _GONE | _THERE | frozenset({422}))


def _record(c: do.Record, _app: str) -> Plan:
    return (Ask("bridges.record", {"bridgeId": an_id(c.bridge), **recording(c.name)}, _THERE),)


def _record_outbound(c: do.RecordOutbound, app: str) -> Plan:
    snoop = {"channelId": an_id(c.call), "snoopId": an_id(c.snoop), "spy": "both", "app": app, "appArgs": APP_ARGS}
    return (
        Ask("channels.snoopChannelWithId", dict(snoop), _NONE, Wait("entered", c.snoop, ENTER_LIMIT_S)),
        Ask("channels.record", {"channelId": c.snoop, **recording(c.name)}, _THERE),
    )


def _record_message(c: do.RecordMessage, _app: str) -> Plan:
    limits = {"maxDurationSeconds": bounded(c.max_s, RECORD_MAX_S), "maxSilenceSeconds": SILENCE_ENDS_S}
    parameters = {"channelId": an_id(c.call), **recording(c.name), **limits, "beep": True, "terminateOn": "#"}
    return (Ask("channels.record", parameters, _THERE),)


def recording(name: str) -> dict[str, object]:
    """What every recording is: a file that never replaces another."""
    return {"name": a_match(_NAME, name, "recording name", _NAME_CHARS_MAX), "format": FORMAT, "ifExists": "fail"}


def _hang_up(c: do.HangUp, _app: str) -> Plan:
    return (Ask("channels.hangup", {"channelId": an_id(c.channel), "reason_code": bounded(c.q850, 127)}, _GONE),)


def _close_bridge(c: do.CloseBridge, _app: str) -> Plan:
    """409 while a first deletion is still under way."""
    return (Ask("bridges.destroy", {"bridgeId": an_id(c.bridge)}, _GONE | _THERE),)


_PLANNERS: Final[dict[type, Callable[..., Plan]]] = {
    do.Answer: _answer,
    do.Play: _play,
    do.StopPlay: _stop_play,
    do.StartMusic: _start_music,
    do.StopMusic: _stop_music,
    do.StartRinging: _start_ringing,
    do.StopRinging: _stop_ringing,
    do.RingAgent: _ring_agent,
    do.RingDialler: _ring_dialler,
    do.RingPhone: _ring_phone,
    do.Join: _join,
    do.Consult: _consult,
    do.Part: _part,
    do.Record: _record,
    do.RecordOutbound: _record_outbound,
    do.RecordMessage: _record_message,
    do.HangUp: _hang_up,
    do.CloseBridge: _close_bridge,
}

OPERATIONS: Final = {
    "applications.filter": ("applicationName", "filter"),
    "applications.get": ("applicationName",),
    "applications.subscribe": ("applicationName", "eventSource"),
    "applications.unsubscribe": ("applicationName", "eventSource"),
    "asterisk.getGlobalVar": ("variable",),
    "asterisk.getInfo": ("only",),
    "asterisk.reloadModule": ("moduleName",),
    "asterisk.setGlobalVar": ("variable", "value"),
    "bridges.addChannel": ("bridgeId", "channel"),
    "bridges.createWithId": ("bridgeId", "type"),
    "bridges.destroy": ("bridgeId",),
    "bridges.list": (),
    "bridges.record": ("bridgeId", "name", "format", "ifExists"),
    "bridges.removeChannel": ("bridgeId", "channel"),
    "channels.answer": ("channelId",),
    "channels.create": ("endpoint", "app", "appArgs", "channelId", "originator", "variables"),
    "channels.dial": ("channelId", "timeout"),
    "channels.hangup": ("channelId", "reason_code"),
    "channels.list": (),
    "channels.originate": ("endpoint", "context", "extension", "priority", "timeout"),
    "channels.originateWithId": (
        *("channelId", "endpoint", "context", "extension", "priority"),
        *("callerId", "timeout", "variables"),
    ),
    "channels.playWithId": ("channelId", "playbackId", "media", "lang"),
    "channels.record": (
        *("channelId", "name", "format", "ifExists"),
        *("maxDurationSeconds", "maxSilenceSeconds", "beep", "terminateOn"),
    ),
    "channels.snoopChannelWithId": ("channelId", "snoopId", "spy", "app", "appArgs"),
    "channels.ring": ("channelId",),
    "channels.ringStop": ("channelId",),
    "channels.setChannelVar": ("channelId", "variable", "value"),
    "channels.startMoh": ("channelId", "mohClass"),
    "channels.stopMoh": ("channelId",),
    "endpoints.get": ("tech", "resource"),
    "endpoints.listByTech": ("tech",),
    "playbacks.stop": ("playbackId",),
}
"""Every operation we use, with the parameters we give it: an Asterisk that lacks one is refused at start."""


def a_match(pattern: re.Pattern[str], value: object, what: str, chars_max: int = 128) -> str:
    """The value, if it is a text of this shape; the error never repeats it, for it may be a caller's number."""
    if not isinstance(value, str) or len(value) > chars_max or not pattern.fullmatch(value):
        raise ValueError(f"this {what} has characters that may not be sent to Asterisk")
    return value


def an_id(value: str) -> str:
    """A channel, bridge or playback id."""
    return a_match(_ID, value, "id")


def an_endpoint(value: str) -> str:
    """The name of a PJSIP endpoint."""
    return a_match(_ENDPOINT, value, "endpoint name")


def bounded(value: int, top: int) -> int:
    """A whole number from 0 to `top`."""
    if type(value) is not int or not 0 <= value <= top:
        raise ValueError(f"a number from 0 to {top} was expected")
    return value
