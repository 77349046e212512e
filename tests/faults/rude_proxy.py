"""A rude proxy between the daemon and Asterisk's HTTP server: what networks and servers do on their bad days.

It stands on loopback in a thread of its own, so that a test may be busy while it answers. Everything a test says to it
(`cut`, `freeze`, `rules`, `events`) takes effect at once for what is already connected, too. It understands just
enough of HTTP/1.1 and of websockets to be rude about single requests and single events.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from tests.faults.frames import Frame, Mangler, Rudeness, close, read_frame, text

HOST = "127.0.0.1"
FLUSH_S = 0.05
FOLLOW_S = 0.01
THREAD_S = 60.0
_NO_LINGER = struct.pack("ii", 1, 0)
T = TypeVar("T")


@dataclass(frozen=True)
class Rude:
    """What happens to a request whose `METHOD /path?query` contains the pattern `route`. The first that fits counts.

    `status` is answered in Asterisk's place (0: Asterisk answers), after `wait_s`; `never`: nobody answers. `carried`:
    Asterisk does get the request, and only its answer is lost. `edit` changes the body of Asterisk's answer.
    """

    route: str
    status: int = 0
    wait_s: float = 0.0
    never: bool = False
    carried: bool = False
    edit: Callable[[bytes], bytes] | None = None

    def fits(self, line: str) -> bool:
        """Whether this is about the request."""
        return re.search(self.route, line) is not None


@dataclass(frozen=True)
class Asked:
    """A request that came through: when (monotonic seconds), what, and what was done to it."""

    at_s: float
    line: str
    rude: Rude | None


@dataclass(eq=False)
class Pair:
    """Two connections joined: the daemon's and the one to Asterisk. `stream`: this one carries the event stream."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    up_reader: asyncio.StreamReader
    up_writer: asyncio.StreamWriter
    stream: bool = False
    flowing: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        """Close both sides."""
        for writer in (self.writer, self.up_writer):
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()


class RudeProxy:
    """Listens on `port` and talks to Asterisk on `target`; polite until told otherwise."""

    def __init__(self, port: int, target: int) -> None:
        self.port, self.target = port, target
        self.rules: tuple[Rude, ...] = ()
        self.asked: list[Asked] = []
        self.streams: list[float] = []
        """When the daemon asked for the event stream, monotonic seconds."""
        self.rude_at_s = 0.0
        """When the way was last cut, frozen or closed, monotonic seconds."""
        self.events_passed = 0
        self.replaced_at_s = 0.0
        self._mangler = Mangler(Rudeness())
        self._frozen = self._refusing = False
        self._latency_s = 0.0
        self._pairs: list[Pair] = []
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rude proxy", daemon=True)

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        self.listen()
        return self

    def stop(self) -> None:
        """End everything."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(THREAD_S)
        self._loop.close()

    @property
    def url(self) -> str:
        """Where the daemon finds Asterisk through us."""
        return f"http://{HOST}:{self.port}"

    # -- rudeness ------------------------------------------------------------------------------------------------------

    def polite(self) -> None:
        """Be no longer rude; what was frozen flows again."""
        self.rules = ()
        self.events()
        self.latency(0.0)
        self.thaw()
        if self._listener is None:
            self.listen()

    def cut(self, how: str = "rst", *, everything: bool = False) -> float:
        """Cut the event stream (`everything`: the other connections, too): `rst`, `fin`, or `close`; when it was."""
        return self._do(self._cut(how, everything))

    def freeze(self) -> None:
        """Say nothing and hear nothing, and close nothing: a half-open connection, or a peer that stands still."""
        self.rude_at_s = time.monotonic()
        self._do(self._flow(False))

    def thaw(self) -> None:
        """Go on after `freeze`; what waited in between is passed on."""
        self._do(self._flow(True))

    def refuse(self) -> None:
        """Stop listening: who connects is refused."""
        self._refusing = True
        self.rude_at_s = time.monotonic()
        self._do(self._deaf())

    def listen(self) -> None:
        """Listen (again)."""
        self._refusing = False
        if self._listener is None:
            self._do(self._listen())

    def latency(self, seconds: float) -> None:
        """Hold everything from Asterisk back so long, in order."""
        self._latency_s = seconds

    def events(self, rudeness: Rudeness = Rudeness()) -> Mangler:  # noqa: B008 - a frozen value
        """Be rude to events from now on; the result counts what was done."""
        self._mangler = Mangler(rudeness)
        return self._mangler

    def say(self, message: str, times: int = 1) -> None:
        """Put a message on the event stream as if Asterisk had said it."""
        self._do(self._say(message, times))

    async def flood(self, make: Callable[[int], str], per_s: int, seconds: float) -> int:
        """Say `make(n)` so many times a second; how many were said."""
        began, said, most = time.monotonic(), 0, int(seconds * per_s)
        while said < most:
            due = min(most, int((time.monotonic() - began) * per_s))
            for n in range(said, due):
                self._loop.call_soon_threadsafe(self._write_to_streams, text(make(n)))
            said = max(said, due)
            await asyncio.sleep(0.01)
        return said

    def of(self, route: str, since_s: float = 0.0) -> list[Asked]:
        """The requests that fit."""
        return [row for row in self.asked if row.at_s >= since_s and re.search(route, row.line)]

    # -- in the thread -------------------------------------------------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(THREAD_S)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, HOST, self.port, limit=1 << 26)

    async def _follow(self) -> None:
        """Asterisk is down: nobody listens here either, until it is up."""
        if self._listener is None:
            return
        await self._deaf()
        while True:
            await asyncio.sleep(FOLLOW_S)
            if self._refusing:
                return
            with contextlib.suppress(OSError):
                _, probe = await asyncio.open_connection(HOST, self.target)
                probe.close()
                break
        if self._listener is None:
            await self._listen()

    async def _deaf(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _end(self) -> None:
        await self._deaf()
        await self._cut("fin", everything=True)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _flow(self, on: bool) -> None:
        self._frozen = not on
        for pair in self._pairs:
            pair.flowing.set() if on else pair.flowing.clear()

    async def _cut(self, how: str, everything: bool) -> float:
        self.rude_at_s = at_s = time.monotonic()
        for pair in list(self._pairs):
            if not (pair.stream or everything):
                continue
            if how == "close":
                pair.writer.write(close().encode())
            if how == "rst":
                sock = pair.writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                pair.writer.transport.abort()
            pair.end()
        return at_s

    async def _say(self, message: str, times: int) -> None:
        for _ in range(times):
            self._write_to_streams(text(message))

    def _write_to_streams(self, frame: Frame) -> None:
        for pair in self._pairs:
            if pair.stream and not pair.writer.is_closing():
                pair.writer.write(frame.encode())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up = await asyncio.open_connection(HOST, self.target, limit=1 << 26)
        except OSError:
            writer.transport.abort()
            await self._follow()
            return
        pair = Pair(reader, writer, *up)
        if not self._frozen:
            pair.flowing.set()
        self._pairs.append(pair)
        try:
            await self._requests(pair)
        except (OSError, EOFError, ValueError):
            pass
        finally:
            self._pairs.remove(pair)
            pair.end()

    async def _requests(self, pair: Pair) -> None:
        while True:
            head = await pair.reader.readuntil(b"\r\n\r\n")
            await pair.flowing.wait()
            body = await pair.reader.readexactly(_length(head))
            line = head.partition(b" HTTP/")[0].decode("ascii", "replace")
            rude = next((rule for rule in self.rules if rule.fits(line)), None)
            is_stream = b"upgrade: websocket" in head.lower()
            if is_stream:
                self.streams.append(time.monotonic())
            self.asked.append(Asked(time.monotonic(), line, rude))
            if rude is not None and not await self._rudely(pair, rude, head + body):
                continue
            pair.up_writer.write(head + body)
            if is_stream:
                await self._stream(pair)
                return
            await self._answer(pair, rude)

    async def _rudely(self, pair: Pair, rude: Rude, request: bytes) -> bool:
        """Do what the rule says; True when the request shall go its way after all."""
        await asyncio.sleep(rude.wait_s)
        if rude.carried:
            pair.up_writer.write(request)
            await _reply(pair.up_reader)
        if rude.never:
            await pair.reader.read()
            raise EOFError
        if rude.status:
            said = b'{"message":"a rude proxy"}'
            head = (
                f"HTTP/1.1 {rude.status} Rude\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
            )
            pair.writer.write(head.encode() + said)
        return not rude.status

    async def _answer(self, pair: Pair, rude: Rude | None) -> None:
        head, body = await _reply(pair.up_reader)
        if rude is not None and rude.edit is not None:
            body = rude.edit(body)
            head = re.sub(rb"(?i)content-length: \d+", b"Content-Length: %d" % len(body), head)
        await self._held_back(pair)
        pair.writer.write(head + body)
        await pair.writer.drain()

    async def _held_back(self, pair: Pair) -> None:
        if self._latency_s:
            await asyncio.sleep(self._latency_s)
        await pair.flowing.wait()

    async def _stream(self, pair: Pair) -> None:
        head = await pair.up_reader.readuntil(b"\r\n\r\n")
        pair.writer.write(head + (await pair.up_reader.readexactly(_length(head)) if b" 101 " not in head else b""))
        if b" 101 " not in head:
            raise EOFError
        pair.stream = True
        works = [asyncio.create_task(work) for work in (self._down(pair), self._up(pair))]
        try:
            await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)

    async def _up(self, pair: Pair) -> None:
        while data := await pair.reader.read(1 << 16):
            await pair.flowing.wait()
            pair.up_writer.write(data)

    async def _down(self, pair: Pair) -> None:
        held = asyncio.get_running_loop()
        while True:
            frame = await read_frame(pair.up_reader)
            wait_s = self._mangler.rudeness.delay_s + self._latency_s
            if wait_s and frame.is_event:
                held.call_later(wait_s, self._pass_on, pair, frame)
                continue
            await pair.flowing.wait()
            self._pass_on(pair, frame)
            await pair.writer.drain()

    def _pass_on(self, pair: Pair, frame: Frame) -> None:
        if pair.writer.is_closing():
            return
        if frame.is_event and b'"ApplicationReplaced"' in frame.payload:
            self.replaced_at_s = time.monotonic()
        self.events_passed += frame.is_event
        for out in self._mangler.take(frame):
            pair.writer.write(out.encode())
        if self._mangler.rudeness.swap:
            self._loop.call_later(FLUSH_S, self._flush, pair, self._mangler)

    def _flush(self, pair: Pair, mangler: Mangler) -> None:
        for frame in mangler.flush():
            if not pair.writer.is_closing():
                pair.writer.write(frame.encode())


def _length(head: bytes) -> int:
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return int(found[1]) if found else 0


async def _reply(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    return head, await reader.readexactly(_length(head))
