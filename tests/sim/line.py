"""The real ARI room on a line to the model: only what opens sockets is replaced.

`Weather` is what the network and Asterisk's HTTP server do to requests; the event stream is cut by ending it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from controller.ari.client import RefusedError, StreamEndedError
from controller.ari.pool import NoReplyError, NotListeningError, Reply
from controller.ari.telephone import AriTelephone
from controller.settings import Ari
from tests.sim.switch import REPLY_S, Stream, Switch

COMMAND_LIMIT_S = 2.0
BAD_STATUSES = (500, 503)


@dataclass
class Weather:
    """How Asterisk's HTTP server is: `fine`, `refuses`, `slow`, `mute` (never answers, nothing done) or `lossy` (done,
    and the answer lost); a share `p` of the requests meets it.
    """

    kind: str = "fine"
    p: float = 1.0
    slow_s: float = 5.0


@dataclass
class Wire:
    """One process's way to the model. `dead`: the process is gone, and with it everything it would still do."""

    switch: Switch
    dice: Random
    weather: Weather
    dead: bool = False
    replaced: bool = False
    asked_after_replaced: list[str] = field(default_factory=list)


class ModelClient:
    """What `AriTelephone` needs of `AriClient`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.http = self
        self.pool = self

    async def warm(self) -> None:
        """There are no connections to warm."""

    def close(self) -> _Nothing:  # the pool's is called, the client's awaited
        return _Nothing()

    async def ask(self, operation: str, parameters: Mapping[str, object], limit_s: float = COMMAND_LIMIT_S) -> Reply:
        status, body = await self._sent(operation, dict(parameters), limit_s)
        return Reply(status, json.dumps(body).encode() if body != "" else b"")

    async def ask_together(self, asks: Iterable[tuple[str, Mapping[str, object]]]) -> list[Reply]:
        """One after another on one connection: each begins when the one before it is done, and all go out at once."""
        return [await self.ask(operation, parameters) for operation, parameters in asks]

    async def get(self, operation: str, parameters: Mapping[str, object], none: int = 0) -> object:
        status, body = await self._sent(operation, dict(parameters), COMMAND_LIMIT_S)
        if status == none:
            return None
        if status not in range(200, 300):
            raise RefusedError(operation, status, str(body))
        return body

    async def _sent(self, operation: str, parameters: dict[str, Any], limit_s: float) -> tuple[int, Any]:
        wire, loop = self._wire, asyncio.get_running_loop()
        if wire.replaced:
            wire.asked_after_replaced.append(operation)
        until_s = loop.time() + limit_s
        await self._travel()
        weather = wire.weather
        hit = weather.kind != "fine" and wire.dice.random() < weather.p
        if hit and weather.kind == "refuses":
            return wire.dice.choice(BAD_STATUSES), {"message": "Internal Server Error"}
        if hit and weather.kind == "mute":
            await asyncio.sleep(max(0.0, until_s - loop.time()))
            raise NoReplyError("no answer in time")
        if hit and weather.kind == "slow":
            await asyncio.sleep(wire.dice.random() * weather.slow_s)
        if not wire.switch.alive:
            raise NotListeningError("nobody listens")
        try:
            async with asyncio.timeout_at(None if hit and weather.kind == "slow" else until_s):
                found = await wire.switch.request(operation, parameters)
        except TimeoutError:
            raise NoReplyError("no answer in time") from None
        await self._travel()
        if loop.time() > until_s or (hit and weather.kind == "lossy"):
            raise NoReplyError("no answer in time")
        if not wire.switch.alive:
            raise NoReplyError("the connection was cut")
        return found

    async def _travel(self) -> None:
        await asyncio.sleep(REPLY_S * (0.25 + self._wire.dice.random()))
        if self._wire.dead:
            await asyncio.Event().wait()
        if not self._wire.switch.alive:
            raise NotListeningError("nobody listens")

    async def listen(self, app: str) -> Heard:
        await self._travel()
        return Heard(self._wire, app, self._wire.switch.listen(app))


class _Nothing:
    """Done already; may be awaited or not."""

    def __await__(self) -> Any:
        return iter(())


class Heard:
    """What `AriTelephone` needs of `Stream`."""

    def __init__(self, wire: Wire, app: str, stream: Stream) -> None:
        self.stream = stream
        self._wire = wire
        self._app = app

    async def frames(self) -> AsyncIterator[str | bytes | None]:
        while True:
            for frame in await self.stream.next():
                self._wire.replaced |= _is_replaced(frame)
                yield frame
            if self.stream.ended and not self.stream.frames_waiting:
                raise StreamEndedError(self.stream.ended)

    async def ping(self) -> None:
        if self.stream.ended:
            raise StreamEndedError(self.stream.ended)
        await self.stream.ping()

    async def close(self) -> None:
        self._wire.switch.closed(self._app, self.stream)


def _is_replaced(frame: str | None) -> bool:
    return frame is not None and '"ApplicationReplaced"' in frame


class ModelTelephone(AriTelephone):
    """`AriTelephone` with the model at the other end; every request after `ApplicationReplaced` is noted."""

    def __init__(self, wire: Wire, app: str = "tongdai") -> None:
        super().__init__(Ari(app=app))
        self.wire = wire

    async def _open(self) -> Any:
        if self._client is None:
            self._client = ModelClient(self.wire)  # type: ignore[assignment]  # the part of it that is used
        return await self._client.listen(self._app)  # type: ignore[union-attr]  # set above
