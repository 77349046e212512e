"""What the dialplan does by itself: callers into the application or the fallback, agents' calls out, emergency calls.

The side door is asked as `dialplan/outbound.conf` does: fail closed when it is silent, the next trunk when one failed
for its own reasons, the outcome told once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from controller.agi.protocol import Header
from tests.sim.switch import Channel, Switch

APP = "tongdai"
TRUNK_STATUS = ("CHANUNAVAIL", "CONGESTION")
TRIES_MAX = 7
FALLBACK_S = 4.0
REFUSED_S = 2.0
UNTAKEN_S = 10.0
"""How long a caller waits in the application for a controller that never takes the call."""


@dataclass
class Talk:
    """One FastAGI session as the scripts see it."""

    header: Header
    hungup: bool = False
    variables: dict[str, str] = field(default_factory=dict)

    async def set(self, name: str, value: str) -> None:
        await asyncio.sleep(0.0002)
        self.variables[name] = value

    async def set_all(self, values: Mapping[str, str]) -> None:
        await asyncio.sleep(0.0002)
        self.variables |= values


class SideDoor(Protocol):
    """Whoever answers FastAGI now."""

    async def session(self, path: str, talk: Talk) -> bool:
        """Hold one session; False when nobody listens on the port."""
        ...


@dataclass(frozen=True)
class Carried:
    """What a carrier does with one call: the status of Dial, when, and how long they talk."""

    status: str
    after_s: float
    talk_s: float = 0.0
    cause: int = 16


@dataclass
class Dialplan:
    """`carrier` says what becomes of a call on a trunk; `now_s` is Asterisk's clock in whole seconds."""

    switch: Switch
    dice: Random
    door: SideDoor
    carrier: Callable[[str, str], Carried]
    now_s: Callable[[], int]
    kept: dict[str, str] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    to_fallback: int = 0
    out_of_calls: int = 0
    unanswered: int = 0
    asked_s: list[float] = field(default_factory=list)

    def spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)  # type: ignore[arg-type]  # a task, as what is given is a coroutine
        task.add_done_callback(self.tasks.discard)

    # -- callers -----------------------------------------------------------------------------------------------------

    def call_in(self, trunk: str, hotline: str, caller: str, name: str = "") -> Channel:
        """`tongdai-inbound`: into the application, or the fallback when nobody listens (A2)."""
        channel = self.switch.make(self.switch.new_id(), trunk, state="Ring", caller=caller, caller_name=name)
        channel.variables["TD_HOTLINE"] = hotline
        self.switch.absolute(channel, UNTAKEN_S)
        if not self.switch.enter(channel, APP, ["inbound", hotline]):
            self.to_fallback += 1
            self.spawn(self._fallback(channel, hotline))
        return channel

    def time_over(self, channel: Channel) -> None:
        """Extension `T`: nobody took the call, or it has lasted too long."""
        if channel.state == "Up" or "TD_HOTLINE" not in channel.variables:
            self.switch.hang_up(channel)
            return
        self.switch.leave(channel)
        self.to_fallback += 1
        self.spawn(self._fallback(channel, channel.variables["TD_HOTLINE"]))

    def picked_up(self, channel: Channel) -> None:
        """`tongdai-clicked`: from here on as if the phone had dialled."""
        self.spawn(self._out(channel, channel.variables["TD_DIALLED"], channel.variables.get("TD_VIA", "")))

    async def _fallback(self, channel: Channel, hotline: str) -> None:
        began_s = self.now_s()
        self.switch.absolute(channel, 0)
        self.switch.change(channel, "Up")
        await asyncio.sleep(FALLBACK_S)
        self.switch.hang_up(channel)
        self._keep(channel.id, "fallback", hotline, channel.caller, hotline, "", "", began_s, "", 0)

    def _keep(self, call: str, *row: object) -> None:
        *head, began_s, status, talked_s = row
        self.kept[call] = "|".join(str(part) for part in (*head, began_s, self.now_s(), status, talked_s))
        self.switch.variables["TD_KEPT"] = "1"

    def tell_kept(self) -> None:
        """`tongdai-report`: every row is told until it is acknowledged."""
        self.spawn(self._tell_kept())

    async def _tell_kept(self) -> None:
        for call, row in list(self.kept.items()):
            talk = await self._ask("kept", "", f"Local/report-{call}", (call, row))
            if talk.variables.get("TD_OK") != "1":
                return
            self.kept.pop(call, None)
        if not self.kept:
            self.switch.variables["TD_KEPT"] = ""

    # -- agents ------------------------------------------------------------------------------------------------------

    def dial(self, endpoint: str, number: str, via: str = "", emergency: bool = False) -> Channel:
        """`tongdai-outbound`: the agent's channel, and what the dialplan does with it."""
        channel = self.switch.make(self.switch.new_id(), endpoint, state="Ring")
        self.spawn(self._urgent(channel, number) if emergency else self._out(channel, number, via))
        return channel

    async def _urgent(self, channel: Channel, number: str) -> None:
        began_s = self.now_s()
        trunk = next(iter(self.switch.trunks))
        done = Carried("ANSWER", 0.5, 2.0)
        await asyncio.sleep(done.after_s)
        self.switch.change(channel, "Up")
        await asyncio.sleep(done.talk_s)
        self.switch.hang_up(channel)
        self._keep(channel.id, "emergency", "+842473001001", "", number, trunk, channel.name, began_s, "ANSWER", 2)

    async def _out(self, channel: Channel, number: str, via: str) -> None:
        status, cause, answered_s, told = "", 16, 0, False
        talk = await self._ask("outbound", channel.id, channel.name, (number, via))
        for _ in range(TRIES_MAX):
            if self._gone(channel) or talk.variables.get("TD_OK") != "1":
                break
            status, cause, answered_s, by_callee = await self._dialled(channel, talk)
            if self._gone(channel):
                break
            if status not in TRUNK_STATUS:
                end = (status, str(cause), str(answered_s), "callee" if by_callee else "")
                await self._ask("ended", channel.id, channel.name, end)
                told = True
                self.switch.hang_up(channel, cause)
                return
            talk = await self._ask("next", channel.id, channel.name, (status, str(cause)))
        if self._gone(channel):
            if talk.variables.get("TD_OK") == "1" or status:
                end = (status or "CANCEL", str(cause), str(answered_s), "")
                await self._ask("ended", channel.id, channel.name, end)
            return
        if status and not told:
            await self._ask("ended", channel.id, channel.name, (status, str(cause), "0", ""))
        await asyncio.sleep(REFUSED_S)
        self.switch.hang_up(channel, 21)

    async def _dialled(self, channel: Channel, talk: Talk) -> tuple[str, int, int, bool]:
        """`Dial`: status, cause, seconds talked, and whether the callee ended it."""
        plan = self.carrier(talk.variables.get("TD_TRUNK", ""), talk.variables.get("TD_NUMBER", ""))
        if await self._hung_up_within(channel, plan.after_s):
            return "CANCEL", 16, 0, False
        if plan.status != "ANSWER":
            return plan.status, plan.cause, 0, False
        self.out_of_calls += 1
        self.switch.dial_answered(channel)
        self.switch.change(channel, "Up")
        gone = await self._hung_up_within(channel, plan.talk_s)
        return "ANSWER", 16, int(plan.talk_s), not gone

    async def _hung_up_within(self, channel: Channel, seconds: float) -> bool:
        if self._gone(channel):
            return True
        gone = asyncio.get_running_loop().create_future()
        channel.on_gone.append(lambda *_: gone.done() or gone.set_result(None))
        done, _ = await asyncio.wait({gone}, timeout=seconds)
        return bool(done)

    def _gone(self, channel: Channel) -> bool:
        return self.switch.channels.get(channel.id) is not channel

    async def _ask(self, path: str, call: str, channel: str, arguments: tuple[str, ...]) -> Talk:
        values = {"agi_network_script": path, "agi_uniqueid": call, "agi_channel": channel}
        values |= {f"agi_arg_{n}": text for n, text in enumerate(arguments, 1)}
        talk = Talk(Header(values))
        began_s = asyncio.get_running_loop().time()
        await asyncio.sleep(0.001)
        if not self.switch.alive:
            return talk
        if not await self.door.session(path, talk):
            self.unanswered += 1
        elif path in {"outbound", "next"}:
            self.asked_s.append(asyncio.get_running_loop().time() - began_s)
        return talk
