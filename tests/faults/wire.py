"""The line between a daemon and PostgreSQL, in our hands: a Unix socket of its own that leads to the server's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

SOCKET = ".s.PGSQL.5432"


class Wire:
    """Passes on until told otherwise.

    `freeze` says nothing and closes nothing, `cut` closes and lets nobody in, `slow` makes every commit take long.
    """

    def __init__(self, folder: Path, server: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.folder = folder
        self._server = server / SOCKET
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._flows = asyncio.Event()
        self._open = True
        self._commit_s = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> Wire:
        self._thread.start()
        self._do(self._listen())
        return self

    def stop(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60.0)
        self._loop.close()

    def freeze(self) -> None:
        """From now on nothing comes through, either way."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def cut(self) -> None:
        """Every connection ends, and none is made."""
        self._do(self._drop())

    def slow(self, seconds: float) -> None:
        """From now on each commit reaches the server so much later."""
        self._commit_s = seconds

    def polite(self) -> None:
        """As if nothing had been; what was written meanwhile comes through now."""
        self._open, self._commit_s = True, 0.0
        self._loop.call_soon_threadsafe(self._flows.set)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60.0)

    async def _listen(self) -> None:
        self._flows.set()
        self._listener = await asyncio.start_unix_server(self._serve, str(self.folder / SOCKET))

    async def _drop(self) -> None:
        self._open = False
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _end(self) -> None:
        self._listener.close()
        await self._drop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_unix_connection(str(self._server))
        self._writers |= {writer, far_writer}
        for source, target in ((reader, far_writer), (far_reader, writer)):
            task = self._loop.create_task(self._pass(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                await self._flows.wait()
                if self._commit_s and b"COMMIT" in data:
                    await asyncio.sleep(self._commit_s)
                target.write(data)
                await target.drain()
            await self._flows.wait()
        self._writers.discard(target)
        target.transport.abort()
