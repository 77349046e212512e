"""The demonstration of a lab: two calls by phones that are real SIP endpoints, and their stories.

Operators answer at the addresses of the setup's trunks, agents register with their own passwords; a customer dials a
hotline and an agent dials out through an adaptive number. What is shown afterwards is what the interface tells
anybody: nothing here looks inside the daemon.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller import cli_story
from controller.cli_client import Client, path_of
from controller.core.setup import AgentSetup, Hotline, Setup
from controller.errors import TongdaiError
from controller.lab import visitor
from controller.lab.sipcall import Rule, SipCall
from controller.lab.softphone import Softphone
from controller.lab.words import words

CUSTOMER = "0281234567"
TALK_S = 2.5
RING_S = 0.8
STEP_S = 30.0
POLL_S = 0.05
PHONES_MAX = 20
HOTLINES_SHOWN = 4
Say = Callable[[str], None]


class DemoError(TongdaiError):
    """A demonstration call did not go as it should; the lab itself goes on."""


@dataclass
class Demo:
    """The people of the demonstration. `server` is Asterisk's SIP address, `client` asks the daemon."""

    setup: Setup
    server: tuple[str, int]
    client: Client
    say: Say
    carriers: dict[str, Softphone] = field(default_factory=dict)
    phones: dict[str, Softphone] = field(default_factory=dict)

    async def run(self) -> None:
        """Seat everybody, make both calls and show their stories; what cannot be shown is said and left out."""
        await self.seat()
        for title, call in (("inbound", self.inbound), ("outbound", self.outbound)):
            try:
                name = await call()
            except (DemoError, TongdaiError) as error:
                self.say(words("left_out", words(title), error))
            else:
                await self._show(title, name)

    async def seat(self) -> None:
        """Carriers at their trunks' addresses, agents at their phones, everybody available."""
        for trunk in self.setup.trunks:
            at = loopback(trunk.host)
            if at is not None and at not in [phone.at for phone in self.carriers.values()]:
                self._seat_carrier(trunk.name, at)
        for n, agent in enumerate(self.seated()):
            rule = Rule(ring_s=RING_S)
            phone = Softphone(self.server, agent.phone.user, password=agent.phone.password, hz=600 + 50 * n, rule=rule)
            self.phones[agent.name] = phone
            await phone.stay_registered()
            await self._put(agent.name, "available")

    def _seat_carrier(self, name: str, at: tuple[str, int]) -> None:
        try:
            carrier = Softphone(self.server, name, bind=at, hz=1900, rule=Rule(ring_s=RING_S))
        except OSError:
            self.say(words("no_operator", name, *at))
        else:
            self.carriers[name] = carrier

    def seated(self) -> list[AgentSetup]:
        """The agents whose phones the demonstration plays: all that register but the last, which is left for you."""
        registering = [agent for agent in self.setup.agents if agent.phone.user][:PHONES_MAX]
        return registering[:-1] if len(registering) > 1 else registering

    def yours(self) -> AgentSetup | None:
        """The agent nobody plays: a person may register as this one."""
        played = [agent.name for agent in self.seated()] if self.phones else []
        return next((agent for agent in self.setup.agents if agent.phone.user and agent.name not in played), None)

    async def inbound(self) -> str:
        """A customer dials a hotline, talks with an agent and hangs up; the agent rests. The call's id."""
        hotline = self._demo_hotline()
        customer = Softphone(self.server, "customer", bind=(self._trunk_address(hotline), 0), hz=440)
        async with customer:
            call = customer.dial(hotline.number, shown=CUSTOMER)
            self.say(words("customer_dials", hotline.number, hotline.name))
            talking = await self._live("inbound", "talking", call)
            self.say(words("agent_answers", talking["agent"], TALK_S))
            await asyncio.sleep(TALK_S)
            await call.hangup()
            await self._ended(talking["id"])
            await self._tell_rest(talking["agent"])
        return str(talking["id"])

    async def outbound(self) -> str:
        """An agent dials a customer through an adaptive number. The call's id."""
        agent = self._demo_caller()
        number = self._demo_number()
        call = self.phones[agent.name].dial(number)
        self.say(words("agent_dials", agent.name, number, agent.outbound_with))
        talking = await self._live("outbound", "talking", call)
        self.say(words("trunk_answers", talking["trunk"], talking["caller_id"] or talking["hotline"]))
        await asyncio.sleep(TALK_S)
        await call.hangup()
        await self._ended(talking["id"])
        return str(talking["id"])

    async def close(self) -> None:
        """Everybody hangs up and unregisters."""
        people = [*self.phones.values(), *self.carriers.values()]
        await asyncio.gather(*(phone.close() for phone in people), return_exceptions=True)

    # choices

    def _demo_hotline(self) -> Hotline:
        served = [queue for queue, names in self.setup.agents_of_queue.items() if any(n in self.phones for n in names)]
        for hotline in self.setup.hotlines:
            if hotline.queue in served and self._trunk_address(hotline) and not hotline.hours:
                return hotline
        raise DemoError(words("no_demo_hotline"))

    def _demo_caller(self) -> AgentSetup:
        wanted = [self.setup.agent[name] for name in self.phones if self.setup.agent[name].outbound_with]
        wanted.sort(key=lambda agent: agent.outbound_with not in self.setup.adaptive)
        if not wanted:
            raise DemoError(words("no_demo_caller"))
        return wanted[0]

    def _demo_number(self) -> str:
        for name in self.carriers:
            carrier = self.setup.carrier.get(self.setup.trunk[name].carrier)
            if carrier is not None and carrier.prefixes:
                return f"{carrier.prefixes[0]}1234567890"[:10]
        raise DemoError(words("no_demo_number"))

    def _trunk_address(self, hotline: Hotline) -> str:
        trunk = self.setup.trunk.get(hotline.trunk)
        at = loopback(trunk.host) if trunk is not None else None
        return at[0] if at is not None else ""

    # what the interface tells

    async def _live(self, direction: str, state: str, call: SipCall) -> dict[str, Any]:
        async for _ in _until(STEP_S):
            found = await self._get("calls", state="live", direction=direction)
            talking = [row for row in found["items"] if row["state"] == state]
            if talking:
                return dict(talking[0])
            if call.ended.is_set():
                break
        raise DemoError(words("not_answered", call.status or "-"))

    async def _ended(self, call: str) -> None:
        async for _ in _until(STEP_S):
            if (await self._get("calls", call))["state"] == "ended":
                return
        raise DemoError(words("does_not_end", call))

    async def _tell_rest(self, agent: str) -> None:
        now = await self._get("agents", agent)
        if now["wrap_up_until"]:
            self.say(words("agent_rests", agent, now["wrap_up_until"], now["state"]))

    async def _show(self, title: str, call: str) -> None:
        self.say(words("story", words(title), call))
        for line in cli_story.lines((await self._get("calls", call, "story"))["items"]):
            self.say(f"  {line}")

    async def _put(self, agent: str, status: str) -> None:
        body = f'{{"status": "{status}"}}'.encode()
        head = {"Content-Type": "application/json"}
        await asyncio.to_thread(self.client.send, "PUT", path_of("agents", agent, "status"), body, head)

    async def _get(self, *parts: str, **query: str) -> Any:
        return await asyncio.to_thread(self.client.get, path_of(*parts), **query)


def loopback(host: str) -> tuple[str, int] | None:
    """The address of a trunk that may be played in a lab; None for everything beyond this machine."""
    name, _, port = host.partition(":")
    return (name, int(port or 5060)) if name.startswith("127.") else None


async def _until(seconds: float) -> AsyncIterator[None]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        await asyncio.sleep(POLL_S)


def guide(demo: Demo, guest: str, url: str, directory: Path, logs: tuple[Path, Path]) -> Iterator[str]:
    """Where to look, and how to dial in: as a customer (`guest` is the password) and as an agent."""
    yield words("interface", url, directory)
    yield words("token", directory)
    yield words("metrics", url)
    yield words("logs", *logs)
    yield words("softphone", *demo.server)
    if guest:
        hotlines = ", ".join(hotline.number for hotline in demo.setup.hotlines[:HOTLINES_SHOWN])
        yield words("as_customer", visitor.USER, guest, hotlines)
    yours = demo.yours()
    if yours is not None:
        yield words("as_agent", yours.phone.user, yours.phone.password)
