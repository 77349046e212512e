"""A private Asterisk with our rendered configuration and nothing of ours running: what the dialplan does by itself."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp

from controller.agi.scripts import Dialogues
from controller.agi.server import Limits, Server
from controller.core.commands import ReplyTrunks
from controller.core.events import Event, OutboundAsked, OutboundEnded, OutboundNextAsked
from controller.core.model import Attempt
from controller.core.setup import AgentSetup, Fallback, Group, Hotline, Phone, Queue, QueueGroup, Setup, Trunk
from controller.lab.get_asterisk import find_asterisk
from controller.lab.render import LabPlaces, write_lab_config
from controller.lab.sipcall import Rule, SipCall
from controller.lab.softphone import Softphone
from tests.live.asterisk import free_port
from tests.live.patience import PATIENCE_S
from tests.live.places import place

READY_S = 60.0
CONSOLE_S = 30
NET = f"127.{80 + place() % 100}.0"
"""Carriers and phones of this run live on addresses of their own: other runs on the machine have others."""

TRUNK_PORT, PHONE_PORT = 5070, 5071
PATIENT = Limits(header_s=PATIENCE_S, dialogue_s=2.5)
"""What a busy machine may need; the dialplan itself waits three seconds."""
FIRST, SECOND, THIRD, CONTACT = f"{NET}.11", f"{NET}.12", f"{NET}.14", f"{NET}.22"
PASSWORD = "Live-Ph0ne.22"
ANNOUNCED, RUNG, PHONED, SHORT = "+842473001001", "+842473001002", "+842473001003", "19001234"
OUTSIDE = "0912345678"
QUIET = (
    "ari/ari_websockets.c: ",  # says that nobody listens, which is what these tests are about
    "app_stasis.c: ",
    "stasis/app.c: Not creating context",  # the same application came back before its context was gone
    "res_agi.c: Conn",
    "res_agi.c: Couldn't connect",
    "rejected because extension not found",
    "No matching endpoint found",
    "could not be told",
    "Exceptionally long",  # what a machine says that stood still for a while
    "task processor queue",
)


@dataclass(frozen=True)
class Ports:
    """Free ports for one Asterisk."""

    sip: int = field(default_factory=free_port)
    ari: int = field(default_factory=free_port)
    agi: int = field(default_factory=free_port)
    rtp_first: int = 17000
    rtp_last: int = 17999


def setup(*more: Hotline, trunks: tuple[Trunk, ...] = (), agents: tuple[AgentSetup, ...] = ()) -> Setup:
    """Two carriers, a hotline for every kind of fallback, a phone that registers and one that does not; and `more`."""
    phones = (
        AgentSetup("an", ("sales",), "101", phone=Phone(user="an", password=PASSWORD), endpoint="an"),
        AgentSetup("binh", ("sales",), "102", phone=Phone(contact=f"sip:binh@{CONTACT}:{PHONE_PORT}"), endpoint="binh"),
        AgentSetup("chi", ("backup",), "103", phone=Phone(user="chi", password=PASSWORD), endpoint="chi"),
    )
    return Setup(
        trunks=(
            Trunk("first", "viettel", f"{FIRST}:{TRUNK_PORT}", "first"),
            Trunk("off", "viettel", f"{NET}.13:{TRUNK_PORT}", "off", enabled=False),
            Trunk("second", "mobifone", f"{SECOND}:{TRUNK_PORT}", "second"),
            *trunks,
        ),
        hotlines=(
            Hotline(ANNOUNCED, country="VN", trunk="first", queue="sales"),
            Hotline(RUNG, country="VN", trunk="second", queue="sales", fallback=Fallback("ring")),
            Hotline(PHONED, country="VN", trunk="first", queue="sales", fallback=Fallback("phone", OUTSIDE)),
            Hotline(SHORT, country="VN", trunk="first", queue="sales"),
            *more,
        ),
        queues=(Queue("sales", (QueueGroup("sales"), QueueGroup("backup", primary=False))),),
        groups=(Group("sales"), Group("backup")),
        agents=(*phones, *agents),
    )


@dataclass
class Pbx:
    """One running Asterisk."""

    places: LabPlaces
    ports: Ports
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, directory: Path) -> Pbx:
        ports = Ports()
        places = write_lab_config(directory, find_asterisk(), setup(), ports)
        with (directory / "console").open("wb") as console:
            process = subprocess.Popen(places.argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        pbx = cls(places, ports, process)
        until = time.monotonic() + READY_S
        while "booted" not in pbx.cli("core waitfullybooted"):
            assert process.poll() is None, (directory / "console").read_text(errors="replace")
            assert time.monotonic() < until, "Asterisk does not come up"
            time.sleep(0.05)
        return pbx

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def cli(self, command: str) -> str:
        """What the console says to one command."""
        argv = [word for word in self.places.argv if word not in {"-f", "-n"}]
        return subprocess.run(
            [*argv, "-rx", command], capture_output=True, text=True, timeout=CONSOLE_S, check=False
        ).stdout

    def complaints(self) -> list[str]:
        """What Asterisk logged and is not expected of an exchange without its controller."""
        lines = self.places.messages.read_text(errors="replace").splitlines()
        loud = [line for line in lines if "WARNING" in line or "ERROR" in line]
        return [line for line in loud if not any(word in line for word in QUIET)]

    @property
    def credentials(self) -> dict[str, str]:
        token = b64encode(f"{self.places.ari_user}:{self.places.ari_password}".encode()).decode()
        return {"Authorization": f"Basic {token}"}

    def ari(self, method: str, path: str) -> int:
        """One ARI request; its HTTP status."""
        asked = urllib.request.Request(f"{self.places.ari_url}/ari/{path}", method=method, headers=self.credentials)
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    async def sees(self, user: str, state: str = "NOT_INUSE") -> None:
        """Wait until the dialplan sees this of a phone: Asterisk passes on what it knows a moment after its reply."""
        until, seen = time.monotonic() + PATIENCE_S, ""
        while seen != state:
            assert time.monotonic() < until, f"{user} is {seen}, and not {state}"
            await asyncio.sleep(0.02)
            seen = await asyncio.to_thread(self._device_state, user)

    def _device_state(self, user: str) -> str:
        where = f"{self.places.ari_url}/ari/deviceStates/PJSIP%2F{user}"
        with urllib.request.urlopen(
            urllib.request.Request(where, headers=self.credentials), timeout=PATIENCE_S
        ) as answer:
            return str(json.load(answer)["state"])

    def channels(self) -> int:
        return sum("!" in line for line in self.cli("core show channels concise").splitlines())

    # people

    @property
    def sip(self) -> tuple[str, int]:
        return ("127.0.0.1", self.ports.sip)

    def carrier(self, host: str = FIRST, rule: Rule | None = None) -> Softphone:
        """A carrier's switch: calls come in from it, and leave to it."""
        return Softphone(self.sip, "carrier", bind=(host, TRUNK_PORT), rule=rule)

    async def agent(self, user: str = "an", rule: Rule | None = None) -> Softphone:
        """A phone that has registered."""
        phone = Softphone(self.sip, user, password=PASSWORD, rule=rule)
        await phone.register()
        await self.sees(user)
        return phone

    def fixed(self, rule: Rule | None = None) -> Softphone:
        """The phone that does not register."""
        return Softphone(self.sip, "binh", bind=(CONTACT, PHONE_PORT), rule=rule)


class Stasis:
    """The controller's place in Asterisk: an application that takes calls, so that they may stay, and does no more."""

    def __init__(self, pbx: Pbx) -> None:
        self._pbx = pbx
        self.starts: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(headers=self._pbx.credentials)
        self._socket = await self._http.ws_connect(f"{self._pbx.places.ari_url}/ari/events?app=tongdai")
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reader.cancel()
        await self._socket.close()
        await self._http.close()

    async def _read(self) -> None:
        async for message in self._socket:
            event = message.json()
            if event["type"] == "StasisStart":
                taken = {"variable": "TIMEOUT(absolute)", "value": "14400"}
                url = f"{self._pbx.places.ari_url}/ari/channels/{event['channel']['id']}/variable"
                async with self._http.post(url, params=taken):
                    self.starts.put_nowait(event)

    async def start(self) -> dict[str, Any]:
        """The next call that enters."""
        return await asyncio.wait_for(self.starts.get(), PATIENCE_S)

    async def let_go(self, start: dict[str, Any], call: SipCall) -> None:
        """Hang a caller up, and see it gone at the phone."""
        assert self._pbx.ari("DELETE", f"channels/{start['channel']['id']}") == 204
        await asyncio.wait_for(call.ended.wait(), PATIENCE_S)


@dataclass
class Brain:
    """What the engine is to the dial path: grants these attempts in turn, then refuses with this word."""

    attempts: list[Attempt]
    refusal: str = "no_trunk"
    told: list[Event] = field(default_factory=list)
    reply: Callable[[ReplyTrunks], None] = lambda _command: None
    granted: int = 0
    dial_s: int = 20

    def tell(self, event: Event) -> None:
        self.told.append(event)
        if isinstance(event, OutboundAsked | OutboundNextAsked):
            attempt = self.attempts[self.granted] if self.granted < len(self.attempts) else None
            self.granted += 1
            self.reply(ReplyTrunks(event.call, "e1", attempt, "" if attempt else self.refusal, self.dial_s))

    async def ask(self, event: Event) -> Any:
        self.told.append(event)
        return self.answer

    answer: Any = None

    @property
    def ended(self) -> list[OutboundEnded]:
        return [event for event in self.told if isinstance(event, OutboundEnded)]

    @property
    def nexts(self) -> list[OutboundNextAsked]:
        return [event for event in self.told if isinstance(event, OutboundNextAsked)]


class SideDoor:
    """Our FastAGI server on the port the dialplan asks (or another), with a brain behind it."""

    def __init__(self, pbx: Pbx, brain: Brain, port: int = 0) -> None:
        self._port = port or pbx.ports.agi
        dialogues = Dialogues(brain, setup)
        brain.reply = dialogues.reply
        self.outcomes: list[tuple[str, str]] = []
        self._server = Server(
            dialogues.scripts, limits=PATIENT, meter=lambda path, end, _s: self.outcomes.append((path, end))
        )

    async def __aenter__(self) -> Self:
        await self._server.start("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()


def attempt(trunk: str = "first", number: str = OUTSIDE, caller_id: str = ANNOUNCED) -> Attempt:
    """One trunk an outbound call may leave by."""
    return Attempt(trunk, trunk, number, caller_id, caller_id, "test")
