"""A small Asterisk for tests of the core: it obeys commands, keeps channels and bridges, and tells what happens.

What it tells waits on `wire` until the test hands it over, so that a test may swap, repeat or lose it. It knows no
time; phones ring and answer when the test says so. `rung_in_use` collects phones that were rung while in use.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.core import commands as do
from controller.core import ids
from controller.core.commands import Command
from controller.core.events import (
    BridgeSeen,
    CallArrived,
    CallGone,
    ChannelSeen,
    CommandFailed,
    EndpointSeen,
    Event,
    LegAnswered,
    LegGone,
    LegRinging,
    MessageRecorded,
    OutboundEnded,
    PhoneChannel,
    PlaybackEnded,
    SnapshotTaken,
)


@dataclass
class Channel:
    id: str
    endpoint: str = ""
    state: str = "ring"
    role: str = "other"
    dialled: str = ""
    caller: str = ""
    dialling: bool = False

    @property
    def ours(self) -> bool:
        return self.role in {"inbound", "leg"}


@dataclass
class Exchange:
    phones: dict[str, bool]
    boot: int = 1
    born: int = 0
    channels: dict[str, Channel] = field(default_factory=dict)
    bridges: dict[str, list[str]] = field(default_factory=dict)
    playbacks: dict[str, str] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    wire: list[Event] = field(default_factory=list)
    rung_in_use: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    named_twice: list[str] = field(default_factory=list)
    failing: bool = False

    # -- what people do ------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        self.born += 1
        return f"{1_763_000_000 + self.boot}.{self.born}"

    def call_in(self, dialled: str, caller: str) -> str:
        channel = Channel(self.new_id(), role="inbound", dialled=dialled, caller=caller)
        self.channels[channel.id] = channel
        self.wire.append(CallArrived(channel.id, dialled, caller))
        return channel.id

    def pick_up_phone(self, endpoint: str) -> str:
        """An agent begins to dial, or somebody else rings the phone: a channel that is not ours."""
        channel = Channel(self.new_id(), endpoint)
        self.channels[channel.id] = channel
        self.wire.append(PhoneChannel(endpoint, channel.id, "ring"))
        return channel.id

    def ring(self, leg: str) -> None:
        self.channels[leg].state = "ring"
        self.wire.append(LegRinging(_call(leg), leg))

    def answer(self, name: str) -> None:
        channel = self.channels[name]
        channel.state = "up"
        if ids.parse(name):
            self.wire.append(LegAnswered(_call(name), name))
        elif channel.endpoint:
            self.wire.append(PhoneChannel(channel.endpoint, name, "up"))

    def hang_up(self, name: str, cause: int = 16, tech: int | None = None, status: str = "") -> None:
        """A channel goes, whoever wanted it; what hung on it goes with it."""
        channel = self.channels.pop(name, None)
        if channel is None:
            return
        for members in self.bridges.values():
            if name in members:
                members.remove(name)
        for playback in [pb for pb, call in self.playbacks.items() if call == name]:
            del self.playbacks[playback]
            self.wire.append(PlaybackEnded(name, playback, False))
        if ids.parse(name):
            self.wire.append(LegGone(_call(name), name, cause, tech))
        elif channel.role == "inbound":
            self.wire.append(CallGone(name, cause, tech))
        else:
            if channel.dialling:
                answered = channel.state == "up"
                self.wire.append(OutboundEnded(name, status or ("ANSWER" if answered else "CANCEL"), cause, 0))
            self.wire.append(PhoneChannel(channel.endpoint, name, "gone", cause, tech))

    def prompt_ends(self, playback: str) -> None:
        call = self.playbacks.pop(playback)
        self.wire.append(PlaybackEnded(call, playback))

    def message_ends(self, name: str, ok: bool) -> None:
        self.wire.append(MessageRecorded(self.messages.pop(name), name, 3, ok))

    def die(self) -> None:
        """Asterisk is killed and starts again: nothing is left and nothing is told."""
        self.boot += 1
        self.channels.clear()
        self.bridges.clear()
        self.playbacks.clear()
        self.messages.clear()
        self.wire.clear()

    # -- what we ask -----------------------------------------------------------------------------------------------

    def obey(self, command: Command) -> None:
        if self.failing and not isinstance(command, (do.ReplyTrunks, do.RingBell)):
            self._fail(command)
            return
        handler = getattr(self, f"_{type(command).__name__}", None)
        if handler is not None:
            handler(command)

    def _Answer(self, command: do.Answer) -> None:  # noqa: N802 - named after the command
        self._with(command, command.call)

    def _Play(self, command: do.Play) -> None:  # noqa: N802 - the same
        if self._with(command, command.call, command.playback):
            self._name(command.playback)
            self.playbacks[command.playback] = command.call

    def _StopPlay(self, command: do.StopPlay) -> None:  # noqa: N802 - the same
        if command.playback in self.playbacks:
            self.prompt_ends(command.playback)

    def _RingAgent(self, command: do.RingAgent) -> None:  # noqa: N802 - the same
        self._name(command.leg)
        if any(other.endpoint == command.endpoint for other in self.channels.values()):
            self.rung_in_use.append(command.leg)
        if self.phones.get(command.endpoint, False):
            self.channels[command.leg] = Channel(command.leg, command.endpoint, "down", "leg")
        else:
            self.wire.append(LegGone(command.call, command.leg, 20, None))

    def _RingPhone(self, command: do.RingPhone) -> None:  # noqa: N802 - the same
        self._name(command.leg)
        self.channels[command.leg] = Channel(command.leg, "", "down", "leg")

    def _Join(self, command: do.Join) -> None:  # noqa: N802 - the same
        if self._with(command, command.leg, command.leg) and command.call in self.channels:
            self.bridges[command.bridge] = [command.call, command.leg]

    def _Consult(self, command: do.Consult) -> None:  # noqa: N802 - the same
        if self._with(command, command.leg, command.leg) and command.agent_leg in self.channels:
            self.bridges[command.bridge] = [command.agent_leg, command.leg]

    def _Part(self, command: do.Part) -> None:  # noqa: N802 - the same
        members = self.bridges.get(command.bridge, [])
        if command.call in members:
            members.remove(command.call)

    def _RecordMessage(self, command: do.RecordMessage) -> None:  # noqa: N802 - the same
        if command.call in self.channels:
            self.messages[command.name] = command.call

    def _HangUp(self, command: do.HangUp) -> None:  # noqa: N802 - the same
        self.hang_up(command.channel, command.q850)

    def _CloseBridge(self, command: do.CloseBridge) -> None:  # noqa: N802 - the same
        self.bridges.pop(command.bridge, None)

    def _ReplyTrunks(self, command: do.ReplyTrunks) -> None:  # noqa: N802 - the same
        if command.call in self.channels:
            self.channels[command.call].dialling = command.attempt is not None

    def _name(self, name: str) -> None:
        if name in self.used:
            self.named_twice.append(name)
        self.used.add(name)

    def _with(self, command: Command, channel: str, about: str = "") -> bool:
        if channel in self.channels:
            self.channels[channel].state = "up"
            return True
        self._fail(command, about or channel)
        return False

    def _fail(self, command: Command, about: str = "") -> None:
        for name in ("leg", "playback", "name", "channel", "bridge"):
            about = about or getattr(command, name, "")
        self.wire.append(CommandFailed(command.call, type(command).__name__, about or command.call, "no"))

    # -- what there is -----------------------------------------------------------------------------------------------

    def snapshot(self, asked_at_ms: int | None = None) -> SnapshotTaken:
        seen = tuple(
            ChannelSeen(c.id, c.endpoint, c.state, c.ours, c.dialled, c.caller, "", c.role)
            for c in self.channels.values()
        )
        bridges = tuple(BridgeSeen(name, tuple(members)) for name, members in self.bridges.items())
        endpoints = tuple(
            EndpointSeen(phone, up, tuple(c.id for c in self.channels.values() if c.endpoint == phone))
            for phone, up in self.phones.items()
        )
        return SnapshotTaken(f"boot {self.boot}", seen, bridges, endpoints, asked_at_ms)


def _call(leg: str) -> str:
    name = ids.parse(leg)
    assert name is not None
    return name.call
