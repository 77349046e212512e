"""A FastAGI server that does exactly what a test tells it, good or bad."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.live.patience import PATIENCE_S


class Session:
    """One session: its header lines as they came, and a way to speak."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.header: list[bytes] = []

    async def read_header(self) -> list[bytes]:
        """The lines up to the empty one."""
        while line := (await self.reader.readline()).rstrip(b"\n"):
            self.header.append(line)
        return self.header

    def send(self, command: bytes) -> None:
        """One command, whatever is in it."""
        self.writer.write(command + b"\n")

    async def line(self, within_s: float = PATIENCE_S) -> bytes:
        """The next line, without its end; empty when Asterisk has closed."""
        return (await asyncio.wait_for(self.reader.readline(), within_s)).rstrip(b"\n")

    async def ask(self, command: bytes) -> bytes:
        """A command and the line that answers it."""
        self.send(command)
        return await self.line()

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def agi_peer(port: int) -> AsyncIterator[Callable[[], Awaitable[Session]]]:
    """Listen; the value waits for the next session."""
    sessions: asyncio.Queue[Session] = asyncio.Queue()
    open_ones: list[Session] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(reader, writer)
        open_ones.append(session)
        sessions.put_nowait(session)

    async def next_session() -> Session:
        return await asyncio.wait_for(sessions.get(), PATIENCE_S)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield next_session
    finally:
        for session in open_ones:
            session.close()
        server.close()
