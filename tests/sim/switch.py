"""A model of Asterisk: channels, bridges, playbacks, recordings, phones and applications (docs/asterisk-facts.md).

It is spoken to as Asterisk is, by operations of ARI's description (`request`), and tells what happens as Asterisk does,
by JSON on the event stream of an application (`Stream`). It knows nothing of the controller. What it does not know it
refuses loudly: `UnknownToModelError`, and a line in `complaints`.

It obeys the same test file as the real one: tests/live/test_asterisk_facts.py runs against both.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

STATES = ("Down", "Ring", "Ringing", "Up")
REPLY_S = 0.002
ENTER_S = 0.0005
LOCAL, PJSIP = "Local", "PJSIP"
ENTITY = "00:00:00:00:00:01"
Json = dict[str, Any]
Reply = tuple[int, Any]


class UnknownToModelError(AssertionError):
    """The controller asked for something the model has not learned: teach it, and add a fact that holds for both."""


class RefusedError(Exception):
    """A reply that is no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(eq=False)
class Channel:
    """One leg of a call. `app` is the application that has it now; `maker` the one that made it and hears its end."""

    id: str
    name: str
    state: str = "Down"
    app: str = ""
    maker: str = ""
    app_data: str = ""
    caller: str = ""
    caller_name: str = ""
    dialled: bool = False
    music: str = ""
    bridge: str = ""
    playing: list[str] = field(default_factory=list)
    recording: str = ""
    quiet: asyncio.Event = field(default_factory=asyncio.Event)
    timer: asyncio.TimerHandle | None = None
    limit: asyncio.TimerHandle | None = None
    variables: dict[str, str] = field(default_factory=dict)
    on_gone: list[Callable[[Channel, int, int | None], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.quiet.set()

    @property
    def endpoint(self) -> str:
        """The PJSIP endpoint it lives on."""
        return self.name[6:].rpartition("-")[0] if self.name.startswith("PJSIP/") else ""

    def told(self) -> Json:
        """As Asterisk describes it."""
        plan = {"app_name": "Stasis", "app_data": self.app_data} if self.app_data else {"app_name": "", "app_data": ""}
        caller = {"number": self.caller, "name": self.caller_name}
        return {"id": self.id, "name": self.name, "state": self.state, "caller": caller, "dialplan": plan}


@dataclass(eq=False)
class App:
    """One Stasis application. It outlives its stream while it holds channels."""

    name: str
    stream: Stream | None = None
    sources: dict[str, None] = field(default_factory=dict)
    allowed: frozenset[str] | None = None
    told: int = 0
    copies: int = 1

    def tell(self, message: Json, times: int = 1) -> None:
        """Copies are byte for byte the same; two messages never are, because of their time."""
        if self.stream is None or (self.allowed is not None and message["type"] not in self.allowed):
            return
        self.told += 1
        raw = json.dumps({**message, "application": self.name, "timestamp": f"2026-11-22T00:00:00.{self.told:09}"})
        for _ in range(times * self.copies):
            self.stream.push(raw)


class Stream:
    """The event stream as its reader sees it: frames in order, None for a pong, and an end.

    A `frozen` one carries nothing any more, neither pongs nor events: its other end is gone without a word.
    """

    def __init__(self) -> None:
        self.frames_waiting: list[str | None] = []
        self.ended = ""
        self.frozen = False
        self.reading = True
        self._wake = asyncio.Event()

    def push(self, frame: str | None) -> None:
        if not self.ended and not self.frozen:
            self.frames_waiting.append(frame)
            self._wake.set()

    def end(self, why: str) -> None:
        self.ended = self.ended or why
        self._wake.set()

    async def next(self) -> list[str | None]:
        """What has come since; nothing more after the end."""
        while not self.frames_waiting and not self.ended:
            self._wake.clear()
            await self._wake.wait()
        found, self.frames_waiting = self.frames_waiting, []
        return found

    async def ping(self) -> None:
        asyncio.get_running_loop().call_later(REPLY_S / 4, self.push, None)


@dataclass
class Switch:
    """`dice` decides lengths and latencies. `phones` are endpoints with the state of their contact, `trunks` endpoints
    that are always there. `far` is asked when a channel of ours is dialled: whoever lives at the other end.
    """

    dice: Random
    phones: dict[str, bool] = field(default_factory=dict)
    trunks: dict[str, None] = field(default_factory=dict)
    far: Callable[[Channel, str], None] = lambda _channel, _endpoint: None
    prompt_s: Callable[[str], float] = lambda _media: 3.0
    on_kept_asked: Callable[[], None] = lambda: None
    on_picked_up: Callable[[Channel], None] = lambda _channel: None
    on_limit: Callable[[Channel], None] = lambda _channel: None
    boot: int = 1
    alive: bool = True

    def __post_init__(self) -> None:
        self.complaints: list[str] = []
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, dict[str, None]] = {}
        self.playbacks: dict[str, str] = {}
        self.recordings: dict[str, None] = {}
        self.bridge_recordings: dict[str, str] = {}
        self.apps: dict[str, App] = {}
        self.variables: dict[str, str] = {}
        self.used_bridges: dict[str, int] = {}
        self.born = count(1)
        self.names = count(1)

    # -- life and death ----------------------------------------------------------------------------------------------

    def die(self) -> None:
        """Killed: nothing is left and nothing is told, the sockets end."""
        self.alive = False
        channels, self.channels = list(self.channels.values()), {}
        for channel in channels:
            self._stop_timer(channel)
            channel.quiet.set()
            for gone in channel.on_gone:
                gone(channel, 0, None)
        self.bridges.clear()
        self.playbacks.clear()
        self.recordings.clear()
        self.bridge_recordings.clear()
        apps, self.apps = list(self.apps.values()), {}
        for app in apps:
            if app.stream is not None:
                app.stream.end("the connection was cut")

    def start(self) -> None:
        """Come back, empty."""
        self.boot += 1
        self.alive = True

    # -- applications and their streams ------------------------------------------------------------------------------

    def listen(self, name: str) -> Stream:
        """Open the event stream of an application; whoever had it before is told, and not cut off."""
        app = self.apps.setdefault(name, App(name))
        if app.stream is not None and not app.stream.ended:
            app.tell({"type": "ApplicationReplaced"})
        elif not self._holds_something(name):
            app.sources.clear()
            app.allowed = None
        app.stream = Stream()
        return app.stream

    def closed(self, name: str, stream: Stream, why: str = "the connection was cut") -> None:
        """A stream ended, whoever ended it; its application goes too unless it holds something."""
        stream.end(why)
        app = self.apps.get(name)
        if app is not None and app.stream is stream:
            app.stream = None
            if not self._holds_something(name):
                del self.apps[name]

    def _holds_something(self, name: str) -> bool:
        return any(channel.app == name for channel in self.channels.values())

    def listens(self, name: str) -> bool:
        app = self.apps.get(name)
        return app is not None and app.stream is not None

    def tell(self, channel: Channel, message: Json) -> None:
        """To everybody who is to hear of this channel; twice to who has two reasons (facts, part 2)."""
        source, phone = f"channel:{channel.id}", f"endpoint:PJSIP/{channel.endpoint}"
        for name, app in self.apps.items():
            mine = name in (channel.app, channel.maker) or source in app.sources
            times = mine + (bool(channel.endpoint) and phone in app.sources)
            if times:
                app.tell(message, times)

    def _about(self, channel: Channel, kind: str, **more: object) -> None:
        self.tell(channel, {"type": kind, "channel": channel.told(), **more})

    # -- channels ----------------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        return f"{1_763_000_000 + self.boot}.{next(self.born)}"

    def make(self, name: str, endpoint: str, **fields: Any) -> Channel:
        """A channel comes into being; a phone in use is told about with its endpoint."""
        channel = Channel(
            name, f"{PJSIP}/{endpoint}-{next(self.names):08x}" if endpoint else f"Local/x-{next(self.names)};1"
        )
        for key, value in fields.items():
            setattr(channel, key, value)
        self.channels[channel.id] = channel
        self._about(channel, "ChannelCreated")
        self._endpoint_told(endpoint)
        return channel

    def enter(self, channel: Channel, app: str, args: list[str]) -> bool:
        """`Stasis()`: False when nobody listens (A2)."""
        if not self.listens(app):
            return False
        channel.app = app
        if args[:1] == ["inbound"]:
            channel.app_data = ",".join([app, *args])
        self.apps[app].tell({"type": "StasisStart", "args": args, "channel": channel.told()})
        return True

    def change(self, channel: Channel, state: str) -> None:
        """Ringing, Up; told to whoever follows it."""
        if self.channels.get(channel.id) is channel and channel.state != state:
            channel.state = state
            if state == "Up" and channel.timer is not None:
                channel.timer.cancel()
                channel.timer = None
            self._about(channel, "ChannelStateChange")
            if state == "Up" and "TD_DIALLED" in channel.variables:
                self.on_picked_up(channel)

    def press(self, channel: Channel, digit: str) -> None:
        if self.channels.get(channel.id) is channel:
            self._about(channel, "ChannelDtmfReceived", digit=digit)
            if digit == "#" and channel.recording:
                self._recorded(channel, "RecordingFinished")

    def hang_up(self, channel: Channel, cause: int = 16, tech: int | None = None, asked: Json | None = None) -> None:
        """A channel goes. `asked` is what the request for it said."""
        if self.channels.get(channel.id) is not channel:
            return
        if asked is not None:
            self._about(channel, "ChannelHangupRequest", **asked)
        self._stop_timer(channel)
        self._leave_bridge(channel)
        for playback in list(channel.playing):
            self._played(channel, playback, "failed")
        if channel.recording:
            self._recorded(channel, "RecordingFinished")
        del self.channels[channel.id]
        channel.quiet.set()
        if channel.app:
            app = self.apps[channel.app]
            app.tell({"type": "StasisEnd", "channel": channel.told()})
            channel.app = ""
        message = {"type": "ChannelDestroyed", "cause": cause, "channel": channel.told()}
        self.tell(channel, message if tech is None else {**message, "tech_cause": tech})
        self._endpoint_told(channel.endpoint)
        for app in self.apps.values():
            app.sources.pop(f"channel:{channel.id}", None)
        for app in [app for app in self.apps.values() if app.stream is None and not self._holds_something(app.name)]:
            del self.apps[app.name]
        for gone in channel.on_gone:
            gone(channel, cause, tech)

    def gives_up(self, channel: Channel) -> None:
        """The far side of a caller hangs up: BYE says nothing, CANCEL says why and early."""
        if channel.state == "Up":
            self.hang_up(channel, 0, None, {})
        else:
            self.hang_up(channel, 127, 487, {"cause": 127, "tech_cause": 487})

    def absolute(self, channel: Channel, seconds: float) -> None:
        """`TIMEOUT(absolute)`: in so many seconds the dialplan gets the channel back at `T`; 0 lifts it."""
        if channel.limit is not None:
            channel.limit.cancel()
        channel.limit = None
        if seconds:
            channel.limit = asyncio.get_running_loop().call_later(seconds, self._limit_over, channel)

    def _limit_over(self, channel: Channel) -> None:
        channel.limit = None
        if self.channels.get(channel.id) is channel:
            self.on_limit(channel)

    def leave(self, channel: Channel) -> None:
        """Out of `Stasis()`, back into the dialplan."""
        if channel.app:
            app, channel.app = self.apps[channel.app], ""
            app.tell({"type": "StasisEnd", "channel": channel.told()})
            channel.app_data = ""

    def dial_answered(self, channel: Channel) -> None:
        """What a channel dials by the dialplan was answered."""
        if self.channels.get(channel.id) is channel:
            peer = {"id": f"{channel.id}-far", "name": "PJSIP/far-00000000", "state": "Up"}
            self.tell(channel, {"type": "Dial", "dialstatus": "ANSWER", "caller": channel.told(), "peer": peer})

    def _stop_timer(self, channel: Channel) -> None:
        for timer in (channel.timer, channel.limit):
            if timer is not None:
                timer.cancel()
        channel.timer = channel.limit = None

    def _leave_bridge(self, channel: Channel) -> None:
        members = self.bridges.get(channel.bridge)
        if members is not None:
            members.pop(channel.id, None)
            self._about(channel, "ChannelLeftBridge", bridge={"id": channel.bridge})
        channel.bridge = ""

    # -- phones ------------------------------------------------------------------------------------------------------

    def phone(self, endpoint: str, reachable: bool) -> None:
        """A phone registers or vanishes."""
        if self.phones.get(endpoint) is reachable:
            return
        self.phones[endpoint] = reachable
        self._endpoint_told(endpoint)
        status = "NonQualified" if reachable else "Removed"
        told = {"technology": PJSIP, "resource": endpoint, "state": "online" if reachable else "offline"}
        for app in self.apps.values():
            if f"endpoint:PJSIP/{endpoint}" in app.sources:
                app.tell({"type": "ContactStatusChange", "endpoint": told, "contact_info": {"contact_status": status}})

    def on_phone(self, endpoint: str) -> list[Channel]:
        return [channel for channel in self.channels.values() if channel.endpoint == endpoint]

    def _endpoint_told(self, endpoint: str) -> None:
        if endpoint not in self.phones:
            return
        watchers = [app for app in self.apps.values() if f"endpoint:PJSIP/{endpoint}" in app.sources]
        if watchers:
            told = {"type": "EndpointStateChange", "endpoint": self._endpoint(endpoint)}
            for app in watchers:
                app.tell(told)

    def _endpoint(self, name: str) -> Json:
        state = "online" if self.phones.get(name, True) else "offline"
        members = [channel.id for channel in self.on_phone(name)]
        return {"technology": PJSIP, "resource": name, "state": state, "channel_ids": members}

    # -- what is asked -----------------------------------------------------------------------------------------------

    async def request(self, operation: str, given: Json) -> Reply:
        """Carry out one operation; status and body."""
        work = _OPERATIONS.get(operation)
        if work is None:
            self.complaints.append(f"the model does not know {operation}")
            raise UnknownToModelError(self.complaints[-1])
        try:
            found = work(self, given)
            return (await found) if asyncio.iscoroutine(found) else found  # type: ignore[return-value]
        except RefusedError as no:
            return no.status, {"message": str(no)}

    def _channel(self, name: object, status: int = 404) -> Channel:
        channel = self.channels.get(str(name))
        if channel is None:
            raise RefusedError(status, "Channel not found")
        return channel

    def _in_app(self, name: object) -> Channel:
        channel = self._channel(name)
        if not channel.app:
            raise RefusedError(409, "Channel not in Stasis application")
        return channel

    async def _answer(self, given: Json) -> Reply:
        channel = self._in_app(given["channelId"])
        await channel.quiet.wait()
        if self.channels.get(channel.id) is not channel:
            raise RefusedError(404, "Channel not found")
        self.change(channel, "Up")
        return 204, ""

    def _create(self, given: Json) -> Reply:
        if given.get("channelId") in self.channels:
            raise RefusedError(409, "Channel with given unique ID already exists")
        tech, _, target = str(given["endpoint"]).partition("/")
        endpoint = target.rpartition("@")[2] if tech == PJSIP else ""
        if tech == PJSIP and not (self.phones.get(endpoint, False) or endpoint in self.trunks):
            raise RefusedError(500, "Allocation failed")
        app = str(given["app"])
        name = str(given.get("channelId") or self.new_id())
        channel = self.make(name, endpoint, app=app, maker=app, variables={"target": target})
        self.apps.setdefault(app, App(app))
        args = [str(given.get("appArgs", ""))]
        asyncio.get_running_loop().call_later(ENTER_S, self._entered, channel, app, args)
        return 200, channel.told()

    def _entered(self, channel: Channel, app: str, args: list[str]) -> None:
        if self.channels.get(channel.id) is channel and app in self.apps:
            self.apps[app].tell({"type": "StasisStart", "args": args, "channel": channel.told()})

    def _dial(self, given: Json) -> Reply:
        channel = self._channel(given["channelId"])
        if channel.dialled or channel.state != "Down":
            raise RefusedError(409, "Channel is already dialled")
        channel.dialled = True
        timeout_s = float(given.get("timeout", 0) or 0)
        loop = asyncio.get_running_loop()
        if timeout_s:
            channel.timer = loop.call_later(timeout_s, self._not_answered, channel)
        self.far(channel, channel.endpoint)
        return 204, ""

    def _not_answered(self, channel: Channel) -> None:
        channel.timer = None
        self.hang_up(channel, 19, 480)

    def _hangup(self, given: Json) -> Reply:
        channel = self._channel(given["channelId"])
        cause = int(given.get("reason_code", 16))
        self.hang_up(channel, cause, None, {"cause": 32, "soft": True})
        return 204, ""

    def _play(self, given: Json) -> Reply:
        channel = self._in_app(given["channelId"])
        playback = str(given["playbackId"])
        media = given["media"]
        self.playbacks[playback] = channel.id
        channel.playing.append(playback)
        channel.quiet.clear()
        if len(channel.playing) == 1:
            self._begin(channel, playback, media)
        else:
            asyncio.get_running_loop().call_later(self.prompt_s(str(media)), self._played, channel, playback, "done")
        return 201, {"id": playback}

    def _begin(self, channel: Channel, playback: str, media: object) -> None:
        self._about_playback(channel, playback, "PlaybackStarted", "playing")
        long_s = self.prompt_s(str(media))
        state = "done" if long_s > 0 else "failed"
        asyncio.get_running_loop().call_later(max(long_s, 0.001), self._played, channel, playback, state)

    def _played(self, channel: Channel, playback: str, state: str) -> None:
        if playback not in channel.playing or self.channels.get(channel.id) is not channel:
            return
        channel.playing.remove(playback)
        self.playbacks.pop(playback, None)
        if not channel.playing:
            channel.quiet.set()
        self._about_playback(channel, playback, "PlaybackFinished", state)

    def _about_playback(self, channel: Channel, playback: str, kind: str, state: str) -> None:
        told = {"id": playback, "state": state, "target_uri": f"channel:{channel.id}"}
        self.tell(channel, {"type": kind, "playback": told})

    def _stop(self, given: Json) -> Reply:
        playback = str(given["playbackId"])
        if playback not in self.playbacks:
            raise RefusedError(404, "Playback not found")
        self._played(self.channels[self.playbacks[playback]], playback, "done")
        return 204, ""

    def _music(self, given: Json) -> Reply:
        channel = self._in_app(given["channelId"])
        channel.music = str(given["mohClass"])
        return 204, ""

    def _no_music(self, given: Json) -> Reply:
        self._in_app(given["channelId"]).music = ""
        return 204, ""

    def _indicated(self, given: Json) -> Reply:
        self._in_app(given["channelId"])
        return 204, ""

    # -- bridges and recordings --------------------------------------------------------------------------------------

    def _bridge(self, given: Json) -> Reply:
        name = str(given["bridgeId"])
        if name in self.bridges:
            raise RefusedError(409, "Bridge with given ID already exists")
        self.used_bridges[name] = self.used_bridges.get(name, 0) + 1
        self.bridges[name] = {}
        return 200, {"id": name}

    async def _add(self, given: Json) -> Reply:
        name = str(given["bridgeId"])
        if name not in self.bridges:
            raise RefusedError(404, "Bridge not found")
        wanted = given["channel"]
        members = [self._channel(one, 400) for one in (wanted if isinstance(wanted, list) else str(wanted).split(","))]
        for channel in members:
            if not channel.app:
                raise RefusedError(422, "Channel not in Stasis application")
        for channel in members:
            await channel.quiet.wait()
        for channel in members:
            if self.channels.get(channel.id) is not channel or name not in self.bridges:
                raise RefusedError(404, "Channel not found")
            if channel.bridge != name:
                self._leave_bridge(channel)
                channel.bridge = name
                self.bridges[name][channel.id] = None
                self._about(channel, "ChannelEnteredBridge", bridge={"id": name})
        return 204, ""

    def _remove(self, given: Json) -> Reply:
        name = str(given["bridgeId"])
        if name not in self.bridges:
            raise RefusedError(404, "Bridge not found")
        wanted = given["channel"]
        for one in wanted if isinstance(wanted, list) else [wanted]:
            channel = self._channel(one, 400)
            if channel.bridge != name:
                raise RefusedError(422, "Channel not in this bridge")
            self._leave_bridge(channel)
        return 204, ""

    def _unbridge(self, given: Json) -> Reply:
        name = str(given["bridgeId"])
        if name not in self.bridges:
            raise RefusedError(404, "Bridge not found")
        for member in list(self.bridges[name]):
            self._leave_bridge(self.channels[member])
        del self.bridges[name]
        self.bridge_recordings.pop(name, None)
        return 204, ""

    def _new_recording(self, given: Json) -> str:
        name = str(given["name"])
        if name in self.recordings:
            raise RefusedError(409, "Recording already exists")
        self.recordings[name] = None
        return name

    def _record_bridge(self, given: Json) -> Reply:
        bridge = str(given["bridgeId"])
        if bridge not in self.bridges:
            raise RefusedError(404, "Bridge not found")
        self.bridge_recordings[bridge] = self._new_recording(given)
        return 201, {}

    def _record_channel(self, given: Json) -> Reply:
        channel = self._in_app(given["channelId"])
        channel.recording = self._new_recording(given)
        most_s = float(given.get("maxDurationSeconds") or 0)
        if most_s:
            said_s = min(most_s, 1 + 20 * self.dice.random())
            asyncio.get_running_loop().call_later(said_s, self._silent, channel, channel.recording)
        return 201, {}

    def _silent(self, channel: Channel, name: str) -> None:
        if channel.recording == name and self.channels.get(channel.id) is channel:
            self._recorded(channel, "RecordingFinished")

    def _recorded(self, channel: Channel, kind: str) -> None:
        told = {"name": channel.recording, "target_uri": f"channel:{channel.id}", "duration": 3}
        channel.recording = ""
        self.tell(channel, {"type": kind, "recording": told})

    def _snoop(self, given: Json) -> Reply:
        self._channel(given["channelId"])
        name = str(given["snoopId"])
        if name in self.channels:
            raise RefusedError(500, "Snoop channel could not be created")
        app = str(given["app"])
        snoop = self.make(name, "", app=app, maker=app, state="Up")
        self.channels[str(given["channelId"])].on_gone.append(lambda *_: self.hang_up(snoop))
        self.apps.setdefault(app, App(app))
        asyncio.get_running_loop().call_later(ENTER_S, self._entered, snoop, app, [str(given.get("appArgs", ""))])
        return 200, {}

    # -- reading and the rest ----------------------------------------------------------------------------------------

    def _list_channels(self, _given: Json) -> Reply:
        return 200, [channel.told() for channel in self.channels.values()]

    def _list_bridges(self, _given: Json) -> Reply:
        return 200, [{"id": name, "channels": list(members)} for name, members in self.bridges.items()]

    def _get_app(self, given: Json) -> Reply:
        name = str(given["applicationName"])
        app = self.apps.get(name)
        if app is None:
            raise RefusedError(404, "Application not found")
        held = [channel.id for channel in self.channels.values() if channel.app == name]
        inside = {channel.bridge: None for channel in self.channels.values() if channel.app == name and channel.bridge}
        allowed = [{"type": kind} for kind in sorted(app.allowed or ())]
        return 200, {"name": name, "channel_ids": held, "bridge_ids": list(inside), "events_allowed": allowed}

    def _list_endpoints(self, _given: Json) -> Reply:
        if not self.phones and not self.trunks:
            raise RefusedError(404, "No endpoints")
        return 200, [self._endpoint(name) for name in (*self.phones, *self.trunks)]

    def _info(self, _given: Json) -> Reply:
        return 200, {"system": {"entity_id": ENTITY}, "status": {"startup_time": f"boot {self.boot}"}}

    def _subscribe(self, given: Json) -> Reply:
        app = self.apps.get(str(given["applicationName"]))
        if app is None:
            raise RefusedError(404, "Application not found")
        wanted = given["eventSource"]
        sources = list(wanted) if isinstance(wanted, list) else str(wanted).split(",")
        for source in sources:
            kind, _, name = source.partition(":")
            known = (
                name in self.channels
                if kind == "channel"
                else name.removeprefix("PJSIP/") in (self.phones | self.trunks)
            )
            if not known:
                raise RefusedError(422, "Event source does not exist")
        app.sources |= dict.fromkeys(sources)
        return 200, {}

    def _unsubscribe(self, given: Json) -> Reply:
        app = self.apps.get(str(given["applicationName"]))
        if app is None:
            raise RefusedError(404, "Application not found")
        for source in given["eventSource"]:
            app.sources.pop(source, None)
        return 200, {}

    def _filter(self, given: Json) -> Reply:
        app = self.apps.get(str(given["applicationName"]))
        if app is None:
            raise RefusedError(404, "Application not found")
        app.allowed = frozenset(kind["type"] for kind in given["filter"]["allowed"])
        return 200, {}

    def _variable(self, given: Json) -> Reply:
        name = str(given["variable"])
        if re.match(r"(SHELL|DB|FILE)\(", name):
            raise RefusedError(500, "Unable to read provided function")
        return 200, {"value": self.variables.get(name, "")}

    def _originate(self, given: Json) -> Reply:
        if not str(given["endpoint"]).startswith("Local/s@tongdai-report"):
            self.complaints.append(f"the model does not know how to originate {given['endpoint']}")
            raise UnknownToModelError(self.complaints[-1])
        self.on_kept_asked()
        return 200, {}

    def _click(self, given: Json) -> Reply:
        """`originateWithId` into the dialplan: the phone rings, and goes there when it is picked up."""
        name, (tech, _, endpoint) = str(given["channelId"]), str(given["endpoint"]).partition("/")
        if name in self.channels:
            raise RefusedError(409, "Channel with given unique ID already exists")
        if tech != PJSIP or not self.phones.get(endpoint, False):
            raise RefusedError(500, "Allocation failed")
        channel = self.make(name, endpoint, dialled=True, variables=dict(given["variables"]))
        timeout_s = float(given["timeout"])
        channel.timer = asyncio.get_running_loop().call_later(timeout_s, self._not_answered, channel)
        self.far(channel, endpoint)
        return 200, channel.told()

    async def _set_variable(self, given: Json) -> Reply:
        channel = self._in_app(given["channelId"])
        await channel.quiet.wait()
        if self.channels.get(channel.id) is not channel:
            raise RefusedError(404, "Channel not found")
        if given["variable"] == "TIMEOUT(absolute)":
            self.absolute(channel, float(given["value"]))
        channel.variables[str(given["variable"])] = str(given["value"])
        return 204, ""

    def _reload(self, _given: Json) -> Reply:
        return 204, ""


_OPERATIONS: dict[str, Callable[[Switch, Json], Any]] = {
    "applications.filter": Switch._filter,
    "applications.get": Switch._get_app,
    "applications.subscribe": Switch._subscribe,
    "applications.unsubscribe": Switch._unsubscribe,
    "asterisk.getGlobalVar": Switch._variable,
    "asterisk.getInfo": Switch._info,
    "asterisk.reloadModule": Switch._reload,
    "bridges.addChannel": Switch._add,
    "bridges.createWithId": Switch._bridge,
    "bridges.destroy": Switch._unbridge,
    "bridges.list": Switch._list_bridges,
    "bridges.record": Switch._record_bridge,
    "bridges.removeChannel": Switch._remove,
    "channels.answer": Switch._answer,
    "channels.create": Switch._create,
    "channels.dial": Switch._dial,
    "channels.hangup": Switch._hangup,
    "channels.list": Switch._list_channels,
    "channels.originate": Switch._originate,
    "channels.originateWithId": Switch._click,
    "channels.playWithId": Switch._play,
    "channels.record": Switch._record_channel,
    "channels.ring": Switch._indicated,
    "channels.ringStop": Switch._indicated,
    "channels.setChannelVar": Switch._set_variable,
    "channels.snoopChannelWithId": Switch._snoop,
    "channels.startMoh": Switch._music,
    "channels.stopMoh": Switch._no_music,
    "endpoints.listByTech": Switch._list_endpoints,
    "playbacks.stop": Switch._stop,
}
"""Operations of ARI by the name `controller.ari.requests` knows them by."""
