"""The listening side of the API: uvicorn with our limits, started and stopped by the hall and by nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from controller.core.saying import say
from controller.errors import SettingsError
from controller.settings import Bind
from controller.web.front import Front

BACKLOG: Final = 256
CONNECTIONS_MAX: Final = 1_024
KEEP_ALIVE_S: Final = 30
DRAIN_S: Final = 3
UNREAD_LIMIT_MS: Final = 15_000
"""How long the kernel keeps bytes for a peer that takes none before it gives the connection up."""
HEADER_BYTES_MAX: Final = 16 << 10
HEAD_LIMIT_S: Final = 10.0
"""How long the head of a request may take; uvicorn itself waits for ever, and a place is one of `CONNECTIONS_MAX`."""


def listen(bind: Bind) -> socket.socket:
    """Take the port; SettingsError (one line) when somebody else has it."""
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # asyncio sets this only on sockets made with an explicit protocol; without it every answer waits 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(AttributeError, OSError):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_LIMIT_MS)
    try:
        listener.bind((bind.host, bind.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(say("at", where=f"[http] bind = {bind}", what=error.strerror or error)) from None
    listener.setblocking(False)
    return listener


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals belong to the hall."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Connection(H11Protocol):
    """uvicorn's connection with an end to waiting: whoever trickles a head, or sends nothing, is shown the door."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._begin()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._end()
        elif self._head is None:
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def _begin(self) -> None:
        self._head = self.loop.call_later(HEAD_LIMIT_S, self.transport.abort)

    def _end(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


async def serve(app: FastAPI | Front, listener: socket.socket) -> None:
    """Answer requests until cancelled; then let those under way end, at most `DRAIN_S`."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        http=_Connection,
        ws="none",
        backlog=BACKLOG,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
        h11_max_incomplete_event_size=HEADER_BYTES_MAX,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await asyncio.shield(serving)
    finally:
        app.state.viewers.close()
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        listener.close()
