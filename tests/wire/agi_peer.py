"""Asterisk's side of FastAGI, as little of it as the tests need, and a door that stands for the engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.core.answer import OK, Answer
from controller.core.events import Event

CHANNEL = "PJSIP/an-0000000a"
CALL = "1795368447.134"


def header(script: str = "outbound", *arguments: str, channel: str = CHANNEL, call: str = CALL, **more: str) -> bytes:
    """A header as Asterisk 22 writes it; `more` overrides or adds lines (`callerid='…'`)."""
    lines = {
        "network": "yes",
        "network_script": script,
        "request": f"agi://127.0.0.1:4573/{script}",
        "channel": channel,
        "language": "vi",
        "type": "PJSIP",
        "uniqueid": call,
        "version": "22.10.1",
        "callerid": "101",
        "calleridname": "unknown",
        "callingpres": "0",
        "callingani2": "0",
        "callington": "0",
        "callingtns": "0",
        "dnid": "unknown",
        "rdnis": "unknown",
        "context": "tongdai-outbound-call",
        "extension": "s",
        "priority": "10",
        "enhanced": "0.0",
        "accountcode": "",
        "threadid": "139873429231296",
    }
    lines |= {f"arg_{n}": value for n, value in enumerate(arguments, 1)}
    lines |= more
    return "".join(f"agi_{key}: {value}\n" for key, value in lines.items()).encode("utf-8", "surrogateescape") + b"\n"


@dataclass
class Door:
    """The engine, for a dialogue: remembers what it was told and answers as it was taught."""

    told: list[Event] = field(default_factory=list)
    on_tell: Callable[[Event], None] = lambda _event: None
    answer: Answer = OK
    slow_s: float = 0.0

    def tell(self, event: Event) -> None:
        self.told.append(event)
        self.on_tell(event)

    async def ask(self, event: Event) -> Answer:
        self.told.append(event)
        await asyncio.sleep(self.slow_s)
        return self.answer


@dataclass
class Asterisk:
    """One AGI session from Asterisk's end: answers every command with success and keeps what was set."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    commands: list[str] = field(default_factory=list)

    @classmethod
    async def connect(cls, port: int) -> Asterisk:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @property
    def variables(self) -> dict[str, str]:
        """What was set, in order, by name."""
        rows = [line.split(" ", 3) for line in self.commands if line.startswith("SET VARIABLE ")]
        found: dict[str, str] = {}
        for _, _, name, value in rows:
            names = name.strip('"').removeprefix("ARRAY(").removesuffix(")").split(",")
            found.update(zip(names, value.strip('"').split(","), strict=True))
        return found

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def serve(self, replies: dict[str, bytes] | None = None, seconds: float = 60.0) -> dict[str, str]:
        """Answer until the server closes; `replies` by the beginning of a command, `200 result=1` for all others."""
        async with asyncio.timeout(seconds):
            with contextlib.suppress(ConnectionError):
                while line := await self.reader.readline():
                    text = line.decode().rstrip("\n")
                    self.commands.append(text)
                    taught = [data for begin, data in (replies or {}).items() if text.startswith(begin)]
                    self.send(taught[0] if taught else b"200 result=1\n")
        return self.variables

    async def closed(self, seconds: float = 60.0) -> float:
        """Wait until the server closes without reading anything more from it; the seconds that took."""
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(seconds):
            with contextlib.suppress(ConnectionError):
                while await self.reader.read(65536):
                    pass
        await self.close()
        return asyncio.get_running_loop().time() - began

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()
