"""Commands become deeds: in order per call and per leg, with a time limit, and what fails comes back as an event.

Every call has a lane. Commands about one leg (ring it, hang it up) run beside those about another, so that twenty
phones ring together; commands about the caller or the bridge run in the order they were given. A bridge is recorded
only after the join that makes it, and closed only after every hang-up of its call was asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from controller.core.commands import (
    CloseBridge,
    Command,
    Consult,
    HangUp,
    Join,
    ReplyTrunks,
    RingAgent,
    RingBell,
    RingPhone,
)
from controller.core.events import CommandFailed, Event
from controller.errors import LeadLostError, TelephoneError
from controller.ports import DialPath, Telephone

COMMAND_LIMIT_S = 6.0
Lane = tuple[str, str]


def lane_of(command: Command) -> Lane:
    """The lane of a command: its call, and the leg if it is about one."""
    match command:
        case RingAgent() | RingPhone():
            return command.call, command.leg
        case HangUp() if command.channel != command.call:
            return command.call, command.channel
        case _:
            return command.call, ""


def about(command: Command) -> str:
    """The id a failed command was about, as `CommandFailed` tells it."""
    for name in ("leg", "playback", "name", "channel", "bridge"):
        found = getattr(command, name, None)
        if found is not None:
            return str(found)
    return command.call


def _waits_for(command: Command, lanes: dict[Lane, None]) -> list[Lane]:
    """The lanes that must be through before a command begins; a slow phone that lost holds up no talk."""
    match command:
        case CloseBridge():
            return list(lanes)
        case Join() | Consult():
            return [(command.call, ""), (command.call, command.leg)]
        case _:
            return [lane_of(command)]


class Effects:
    """Runs what the core asks for. `tell` takes the outcome events, `ring` hands an alert to the bell."""

    def __init__(
        self,
        telephone: Telephone,
        tell: Callable[[Event], None],
        ring: Callable[[RingBell], None],
        count: Callable[[str, str], None],
    ) -> None:
        self._telephone = telephone
        self._tell = tell
        self._ring = ring
        self._count = count
        self._last: dict[Lane, asyncio.Task[None]] = {}
        self._of_call: dict[str, dict[Lane, None]] = {}
        self._fenced = False
        self.dial_path: DialPath | None = None

    def release(self, commands: Sequence[Command]) -> None:
        """Let commands go, in this order per lane. A fenced instance commands nothing any more."""
        if self._fenced:
            return
        for command in commands:
            if isinstance(command, ReplyTrunks):
                if self.dial_path is not None:
                    self.dial_path.reply(command)
            elif isinstance(command, RingBell):
                self._ring(command)
            else:
                self._start(command)

    def fence(self) -> None:
        """Stop commanding at once and for ever: somebody else leads."""
        self._fenced = True
        for task in list(self._last.values()):
            task.cancel()

    @property
    def under_way(self) -> int:
        """How many lanes are busy."""
        return len(self._last)

    async def drain(self, limit_s: float) -> None:
        """Wait until what was released is done, at most so long."""
        if self._last:
            await asyncio.wait(list(self._last.values()), timeout=limit_s)

    def _start(self, command: Command) -> None:
        lane = lane_of(command)
        lanes = self._of_call.setdefault(command.call, {})
        before = [self._last[other] for other in _waits_for(command, lanes) if other in self._last]
        task = asyncio.create_task(self._run(command, before))
        self._last[lane] = task
        lanes[lane] = None
        task.add_done_callback(lambda done: self._done(command.call, lane, done))

    def _done(self, call: str, lane: Lane, task: asyncio.Task[None]) -> None:
        if self._last.get(lane) is not task:
            return
        del self._last[lane]
        lanes = self._of_call.get(call, {})
        lanes.pop(lane, None)
        if not lanes:
            self._of_call.pop(call, None)

    async def _run(self, command: Command, before: list[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)
        name = type(command).__name__
        try:
            async with asyncio.timeout(COMMAND_LIMIT_S):
                await self._telephone.run(command)
        except (TelephoneError, TimeoutError, ValueError) as exc:
            self._count(name, "failed")
            self._tell(CommandFailed(command.call, name, about(command), str(exc)[:200] or type(exc).__name__))
        except LeadLostError:
            self._count(name, "fenced")
        else:
            self._count(name, "done")
