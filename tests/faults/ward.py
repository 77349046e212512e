"""The floor of the live tests, with a rude proxy, more people, and what is asked about a daemon in trouble."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from controller.lab.sipcall import Rule, SipCall
from controller.lab.softphone import Softphone
from tests.faults import processes
from tests.faults.rude_proxy import RudeProxy
from tests.live.floor import CUSTOMER_HZ, PASSWORD, SPEECH, Floor
from tests.live.harness import Json, soon, until
from tests.live.patience import READY_S
from tests.live.setups import HOTLINE, table, trunks

READY_LIMIT_S = 60.0
ASK_S = 0.005


def crowd_setup(names: Sequence[str], *parts: str, with_hotline: str = "") -> str:
    """A setup with these agents in one team, who may dial out by `with_hotline`."""
    rows = [table("group", {"name": "team"})]
    for n, name in enumerate(names):
        phone = {"user": name, "password": PASSWORD}
        agent = {"name": name, "groups": ["team"], "extension": str(1001 + n), "phone": phone}
        rows.append(table("agent", agent | ({"outbound_with": with_hotline} if with_hotline else {})))
    return trunks() + "".join(rows) + "".join(parts)


@dataclass
class Ward(Floor):
    """A floor whose daemon is ill-treated. `names` are the agents of the module when they are not the usual six."""

    proxy: RudeProxy | None = None
    names: tuple[str, ...] = ()

    @property
    def rude(self) -> RudeProxy:
        assert self.proxy is not None
        return self.proxy

    async def close(self) -> None:
        for name in self.names:
            await self.lab.ready(self.api)
            await self.api.status(name, "offline")
        await super().close()

    async def seat(self, *names: str, rule: Rule | None = None, status: str = "available", state: str = "") -> None:
        """Seat many agents at once, each with a voice between 700 and 1,700 Hz."""
        fresh = [name for name in names if name not in self.phones]
        self.names = (*self.names, *fresh)
        for n, name in enumerate(fresh):
            hz = 700 + (n * 75) % 1000
            self.phones[name] = Softphone(self.lab.sip, name, password=PASSWORD, hz=hz)
        await asyncio.gather(*(self.phones[name].register() for name in fresh))
        for name in names:
            self.phones[name].rule = rule or Rule()
            said = await self.api.status(name, status)
            assert said.is_success, said.text
        for name in names:
            await self.state(name, state or {"available": "ready"}.get(status, status), READY_S)

    # -- the daemon ----------------------------------------------------------------------------------------------------

    @property
    def daemon(self) -> int:
        """The pid of the daemon, 0 while there is none."""
        return self.lab.pid("daemon")

    async def killed(self, seconds: float = READY_LIMIT_S) -> tuple[float, float]:
        """`kill -9` and wait for the next to serve: the whole gap, and how much of it the new process took itself."""
        died = self.lab.kill("daemon")
        began = time.monotonic()
        started = await self.reborn(died, seconds)
        return time.monotonic() - began, started

    async def reborn(self, died: int, seconds: float = READY_LIMIT_S) -> float:
        """Wait until another daemon than `died` is ready; how old its process was then."""

        async def ask() -> float:
            if self.daemon in (0, died) or await self.parts() is None:
                return 0.0
            return processes.age_s(self.daemon)

        return await until(ask, "another daemon is ready", seconds)

    async def parts(self) -> Json | None:
        """`/readyz`: what it says when ready, None when not."""
        try:
            found = await self.api.http.get("/readyz")
        except httpx.TransportError:
            return None
        return found.json() if found.status_code == 200 else None

    async def link(self) -> str:
        """What readiness says of Asterisk now."""
        return str((await self.api.http.get("/readyz")).json()["asterisk"])

    async def noticed(self, seconds: float = READY_S) -> float:
        """Wait until the daemon says that its link is not live, asking every 5 ms; the moment.

        A link that is mended at once may be live again before we ask: that it asked for another stream tells as much.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if await self.link() != "live":
                return time.monotonic()
            if again := [at_s for at_s in self.rude.streams if at_s > self.rude.rude_at_s > 0.0]:
                return again[0]
            await asyncio.sleep(ASK_S)
        raise AssertionError(f"not noticed within {seconds} s")

    async def resynced(self, seconds: float = READY_S) -> float:
        """Wait until its link is live; the moment."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if await self.link() == "live":
                return time.monotonic()
            await asyncio.sleep(ASK_S)
        raise AssertionError(f"not in step again within {seconds} s: {await self.link()}")

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        text = (await self.api.http.get("/metrics")).text
        rows = [line.rpartition(" ") for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] == name]
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(float(value) for head, _, value in rows if all(want in head for want in wanted))

    def log(self, since: int = 0) -> str:
        """What the daemon has logged after this many bytes."""
        return (self.lab.directory / "daemon.log").read_bytes()[since:].decode(errors="replace")

    def complaints(self, since: int) -> list[str]:
        """Errors in the daemon's log."""
        return [line for line in self.log(since).splitlines() if " error " in line or "Traceback" in line]

    @property
    def logged(self) -> int:
        """How long the daemon's log is."""
        return (self.lab.directory / "daemon.log").stat().st_size

    def pause_supervisor(self) -> None:
        """Nobody starts the daemon again until `resume_supervisor`."""
        assert self.lab.process is not None
        os.kill(self.lab.process.pid, signal.SIGSTOP)

    def resume_supervisor(self) -> None:
        """Let the lab keep its children alive again."""
        assert self.lab.process is not None
        os.kill(self.lab.process.pid, signal.SIGCONT)

    # -- calls ---------------------------------------------------------------------------------------------------------

    def mute_callers(self, hotline: str, count: int, prefix: str = "0284") -> dict[str, SipCall]:
        """Many callers from one switch who say nothing: channels without the work of their sound."""
        switch, calls = self.customer(), {}
        for n in range(count):
            number = f"{prefix}{n:06d}"
            calls[number] = switch.dial(hotline, shown=number)
            calls[number].media.start = _say_nothing  # type: ignore[method-assign]  # a phone with its microphone off
        return calls

    async def talks(self, calls: dict[str, SipCall]) -> None:
        """Wait until each of these calls hears somebody."""
        for number, call in calls.items():
            await self.live(number, state="talking", seconds=READY_S)
            await soon(call.up, f"{number} is answered")

    async def hears(self, call: SipCall, hz: int, what: str) -> None:
        """Wait until this tone is heard in the call."""

        async def ask() -> bool:
            return call.media.level(hz, 0.3) > SPEECH

        await until(ask, what)

    async def talk_both_ways(self, name: str, call: SipCall) -> None:
        """Agent and customer hear each other."""
        leg = self.phones[name].live()[0]
        await self.hears(call, self.phones[name].hz, "the customer hears the agent")
        await self.hears(leg, CUSTOMER_HZ, "the agent hears the customer")

    async def serve_one(self, hotline: str = HOTLINE, shown: str = "0281999999") -> Any:
        """A new call is answered by somebody and ends well: the exchange works."""
        call = self.dial(hotline, shown)
        row = await self.live(shown, state="talking", seconds=READY_S)
        await call.hangup()
        assert (await self.ended(shown))["result"] == "answered"
        return row


def _say_nothing(_peer: tuple[str, int], _event_payload: int) -> None:
    """Send no sound."""
