"""HTTP/1.1 to Asterisk over a few kept-alive connections: the least that is right, because every call pays for it.

A general HTTP client costs two to three times the processor time of this one per request (0.13 to 0.21 ms against 0.04
to 0.09 ms), and a call makes about ten. What is left out is what Asterisk's server never does: redirects, cookies,
chunks, compression, HTTP/2. Every exchange has a time limit, and a connection whose reply did not come is
never used again. Requests that belong together may go in one piece (Asterisk's server reads them one after another,
and answers in that order).

Figures behind the constants (docs/asterisk-facts.md): Asterisk closes an idle connection after 15 s, its listen
backlog is 10, and `addChannel` behind a playback blocks its connection, so one connection is never enough.
"""

from __future__ import annotations

import asyncio
import functools
import os
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from controller.errors import TelephoneError

CONNECTIONS_MAX: Final = 12
WARM: Final = 4
KEEP_ALIVE_S: Final = 10.0
REPLY_BYTES_MAX: Final = 32 * 1024 * 1024
HEAD_BYTES_MAX: Final = 64 * 1024
_HEAD_END: Final = b"\r\n\r\n"
_BODILESS: Final = frozenset({204, 304})


class NoReplyError(TelephoneError):
    """Asterisk could not be reached, hung up in the middle, or did not answer within the limit."""


class NotListeningError(NoReplyError):
    """Nobody listens there: Asterisk is down, or its HTTP server is elsewhere."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered: the status and the body as it came."""

    status: int
    body: bytes


class _Connection(asyncio.Protocol):
    """One connection; at most one exchange is under way on it at a time."""

    def __init__(self, on_lost: Callable[[_Connection], None]) -> None:
        self.transport: asyncio.Transport | None = None
        self._on_lost = on_lost
        self.idle_since_s = 0.0
        self.used = False
        self.closed = False
        self.late = False
        self._buffer = bytearray()
        self._replies: list[Reply] = []
        self._wanted = 0
        self._waiting: asyncio.Future[list[Reply]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream connection gives a Transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while (reply := take_reply(self._buffer)) is not None:
                self._replies.append(reply)
        except ValueError as wrong:
            self._fail(NoReplyError(f"Asterisk's HTTP server sent what is not HTTP: {wrong}"))
            return
        if not self._replies:
            return
        if self._waiting is None or self._waiting.done() or len(self._replies) > self._wanted:
            self._fail(NoReplyError("Asterisk answered what was not asked"))
        elif len(self._replies) == self._wanted:
            if self._buffer:
                self._fail(NoReplyError("Asterisk answered what was not asked"))
            else:
                self._waiting.set_result(self._replies)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(NoReplyError(f"Asterisk closed the connection ({exc or 'no reason given'})"))
        self._on_lost(self)

    async def exchange(self, request: bytes, limit_s: float, count: int = 1) -> list[Reply]:
        """Send `count` requests in one piece and wait for their replies; NoReplyError when they do not come in time."""
        if self.transport is None or self.closed:
            raise NoReplyError("Asterisk closed the connection")
        loop = asyncio.get_running_loop()
        self._waiting, self._replies, self._wanted = loop.create_future(), [], count
        end = loop.call_later(limit_s, self._end, limit_s)
        self.transport.write(request)
        try:
            replies = await self._waiting
        except asyncio.CancelledError:
            self.close()  # its reply may still come: nobody else may read it
            raise
        finally:
            end.cancel()
            self._waiting, self._replies = None, []
        self.used = True
        return replies

    def _end(self, limit_s: float) -> None:
        self.late = True
        self._fail(no_answer(limit_s))

    def close(self) -> None:
        """Close at once; a request that is out fails."""
        self.closed = True
        if self.transport is not None:
            self.transport.abort()

    def _fail(self, error: NoReplyError) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
        self.close()


class Pool:
    """At most `CONNECTIONS_MAX` connections to one server; the one used last is used next, so that the rest may age."""

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None = None, size: int = CONNECTIONS_MAX) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._size = size
        self._open = 0
        self._closed = False
        self._idle: list[_Connection] = []
        self._queue: deque[asyncio.Future[None]] = deque()

    async def request(self, request: bytes, limit_s: float) -> Reply:
        """One request, one reply, within `limit_s`; NoReplyError otherwise."""
        return (await self.requests(request, limit_s, 1))[0]

    async def requests(self, request: bytes, limit_s: float, count: int) -> list[Reply]:
        """So many requests in one piece, their replies within `limit_s`; NoReplyError otherwise.

        Asterisk may close an idle connection just as we write: then the request was not read, and it is sent once
        more on a fresh one. Every command of ours is safe to repeat.
        """
        connection = self._fresh() or await self._take_within(limit_s)
        try:
            return await connection.exchange(request, limit_s, count)
        except NoReplyError:
            if not connection.used or connection.late:
                raise
        finally:
            self._give_back(connection)
        self._drop_idle()
        connection = await self._take_within(limit_s)
        try:
            return await connection.exchange(request, limit_s, count)
        finally:
            self._give_back(connection)

    async def warm(self, count: int = WARM) -> None:
        """Open `count` connections one after another: a burst on a cold pool overflows the listen backlog."""
        opened: list[_Connection] = []
        try:
            while len(opened) < count - len(self._idle):
                self._open += 1
                opened.append(await self._connect())
        finally:
            for connection in opened:
                self._give_back(connection)

    def close(self) -> None:
        """Close what is idle and begin nothing new; what is out closes when its reply has come or its limit is over."""
        self._closed = True
        self._drop_idle()
        while self._queue:
            self._wake_next()

    def _fresh(self) -> _Connection | None:
        """An idle connection that Asterisk has not closed yet."""
        fresh_after = time.monotonic() - KEEP_ALIVE_S
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since_s > fresh_after:
                return connection
            self._open -= 1
            connection.close()
        return None

    async def _take_within(self, limit_s: float) -> _Connection:
        try:
            async with asyncio.timeout(limit_s):
                return await self._take()
        except TimeoutError:
            raise no_answer(limit_s) from None

    async def _take(self) -> _Connection:
        while True:
            connection = self._fresh()
            if connection is not None:
                return connection
            if self._closed:
                raise NoReplyError("the connections to Asterisk were closed")
            if self._open < self._size:
                self._open += 1
                return await self._connect()
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._queue.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake_next()
                raise

    async def _connect(self) -> _Connection:
        try:
            loop = asyncio.get_running_loop()
            make = functools.partial(_Connection, self._lost)
            _, connection = await loop.create_connection(make, self._host, self._port, ssl=self._tls)
        except OSError as wrong:
            self._left()
            where = f"{self._host}:{self._port}"
            kind = NotListeningError if isinstance(wrong, ConnectionRefusedError) else NoReplyError
            raise kind(f"Asterisk's HTTP server at {where} does not answer: {reason(wrong)}") from None
        except BaseException:
            self._left()
            raise
        connection.idle_since_s = time.monotonic()
        return connection

    def _give_back(self, connection: _Connection) -> None:
        if connection.closed or self._closed:
            connection.close()
            self._left()
            return
        connection.idle_since_s = time.monotonic()
        self._idle.append(connection)
        self._wake_next()

    def _left(self) -> None:
        self._open -= 1
        self._wake_next()

    def _wake_next(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _lost(self, connection: _Connection) -> None:
        """The server closed a connection: one that was out is dropped when its request comes back."""
        if connection in self._idle:
            self._idle.remove(connection)
            self._left()

    def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        self._open -= len(idle)
        for connection in idle:
            connection.close()


def no_answer(limit_s: float) -> NoReplyError:
    """The error of a request whose time is over."""
    return NoReplyError(f"Asterisk did not answer within {limit_s:g} s")


def reason(error: OSError) -> str:
    """The system's word for an error, without the address that asyncio puts into it."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)


def take_reply(buffer: bytearray) -> Reply | None:
    """Cut one whole reply off the front of `buffer`; None while there is none yet, ValueError when it is no HTTP."""
    end = buffer.find(_HEAD_END)
    if end < 0:
        if len(buffer) > HEAD_BYTES_MAX:
            raise ValueError("a head without an end")
        return None
    head = bytes(buffer[:end]).lower()
    if not head.startswith(b"http/1."):
        raise ValueError("no status line")
    status = int(head[9:12])
    length = 0 if status in _BODILESS else content_length(head)
    start = end + len(_HEAD_END)
    if len(buffer) < start + length:
        return None
    body = bytes(buffer[start : start + length])
    del buffer[: start + length]
    return Reply(status, body)


def content_length(head: bytes) -> int:
    """The length a head (in lower case) promises; ValueError without one, for then the end of the body is unknown."""
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        raise ValueError("no Content-Length")
    stop = head.find(b"\r\n", at + 2)
    value = head[at + 17 : stop if stop > 0 else len(head)].strip()
    if not value.isdigit() or len(value) > len(str(REPLY_BYTES_MAX)) or int(value) > REPLY_BYTES_MAX:
        raise ValueError("an impossible Content-Length")
    return int(value)
