"""ARI without any of our own code: what the facts about Asterisk are measured with."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp

from tests.live.asterisk import PASSWORD, USER, PrivateAsterisk
from tests.live.patience import PATIENCE_S

HEADERS = {"Authorization": "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
APPS = (f"fact{n}" for n in itertools.count(1))


class RawAri:
    """Requests and, after `open`, the events of one application in the order they came."""

    def __init__(self, asterisk: PrivateAsterisk, session: aiohttp.ClientSession) -> None:
        self.asterisk = asterisk
        self.app = next(APPS)
        self.events: list[dict[str, Any]] = []
        self.raws: list[str] = []
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self._session = session
        self._reader: asyncio.Task[None] | None = None

    async def ask(self, method: str, path: str, body: object = None, **query: object) -> tuple[int, Any]:
        """One request: status and parsed body."""
        parameters = {name: str(value) for name, value in query.items()}
        url = f"{self.asterisk.url}ari/{path}"
        async with self._session.request(method, url, params=parameters, json=body) as reply:
            text = await reply.text()
            return reply.status, json.loads(text) if text[:1] in {"{", "["} else text

    async def get(self, path: str) -> Any:
        return (await self.ask("GET", path))[1]

    async def open(self, subscribe_all: bool = False) -> RawAri:
        """Open (again) the event stream."""
        url = f"{self.asterisk.url}ari/events?app={self.app}" + ("&subscribeAll=true" if subscribe_all else "")
        self.socket = await self._session.ws_connect(url, max_msg_size=0)
        self._reader = asyncio.create_task(self._read(self.socket))
        return self

    async def cut(self) -> None:
        """Drop the stream as a crash does: without a word."""
        assert self.socket is not None
        assert self.socket._response.connection is not None
        transport = self.socket._response.connection.transport
        assert transport is not None
        transport.abort()
        await self.closed()

    async def closed(self) -> None:
        """Wait until the stream has ended."""
        assert self._reader is not None
        await asyncio.wait_for(self._reader, PATIENCE_S)
        await self.until(lambda: self.socket is not None and self.socket.closed)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self.raws.append(message.data)
                self.events.append(json.loads(message.data) | {"at_s": time.monotonic()})

    async def event(self, kind: str, within_s: float = PATIENCE_S, **like: object) -> dict[str, Any]:
        """The first event of this kind (with `channel=id` or a plain field like that), past or to come."""
        found: list[dict[str, Any]] = []

        def seen() -> bool:
            found[:] = self.of(kind, **like)
            return bool(found)

        await self.until(seen, within_s, f"{kind} {like}; came: {[e['type'] for e in self.events]}")
        return found[0]

    def of(self, kind: str, **like: object) -> list[dict[str, Any]]:
        """Events of a kind that came so far."""
        return [event for event in self.events if event["type"] == kind and fits(event, like)]

    async def until(self, true: Callable[[], bool], within_s: float = PATIENCE_S, what: str = "it") -> float:
        """Wait until something is so; returns how long that took, in seconds."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < within_s, f"never happened: {what}"
            await asyncio.sleep(0.002)
        return time.monotonic() - began

    async def gone(self, channel: str, within_s: float = PATIENCE_S) -> None:
        """Wait until Asterisk has no such channel any more, without listening to events."""
        began = time.monotonic()
        while (await self.ask("GET", f"channels/{channel}"))[0] != HTTPStatus.NOT_FOUND:
            assert time.monotonic() - began < within_s, f"{channel} never went"
            await asyncio.sleep(0.01)

    async def caller(self, extension: str = "", app: str = "") -> str:
        """A caller that the dialplan sends into our application; returns the id of its channel there."""
        before = len(self.events)
        await self.dial(extension or f"app{app or self.app}")
        await self.until(lambda: any(e["type"] == "StasisStart" for e in self.events[before:]), what="a caller")
        return str(next(e for e in self.events[before:] if e["type"] == "StasisStart")["channel"]["id"])

    async def dial(self, extension: str) -> str:
        """Let a Local channel run through the dialplan; returns the id of its near half."""
        query = {"endpoint": f"Local/{extension}@facts", "extension": "hold", "context": "facts", "priority": 1}
        status, made = await self.ask("POST", "channels", **query)
        assert status == 200, made
        return str(made["id"])

    async def leg(self, name: str, endpoint: str = "Local/hold@facts") -> str:
        """A channel of our own, in the application and not dialled."""
        query = {"endpoint": endpoint, "app": self.app, "appArgs": "leg", "channelId": name}
        status, made = await self.ask("POST", "channels/create", **query)
        assert status == 200, made
        await self.event("StasisStart", channel=name)
        return name

    async def seen(self, name: str, within_s: float = PATIENCE_S) -> str:
        """A global variable the dialplan sets, as soon as it is set."""
        began = time.monotonic()
        while time.monotonic() - began < within_s:
            value = (await self.get(f"asterisk/variable?variable={name}"))["value"]
            if value:
                return str(value)
            await asyncio.sleep(0.005)
        raise AssertionError(f"the dialplan never set {name}")

    async def close(self) -> None:
        if self.socket is not None:
            await self.socket.close()
        if self._reader is not None:
            await asyncio.wait({self._reader}, timeout=PATIENCE_S)


def fits(event: dict[str, Any], like: dict[str, object]) -> bool:
    """Whether an event is about these objects."""
    return all(
        (event.get(k).get("id") if isinstance(event.get(k), dict) else event.get(k)) == v for k, v in like.items()
    )


@asynccontextmanager
async def raw_ari(asterisk: PrivateAsterisk) -> AsyncIterator[RawAri]:
    """A raw client; afterwards nothing of the test may be left in Asterisk."""
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        ari = RawAri(asterisk, session)
        try:
            yield ari
        finally:
            await clear(ari)
            await ari.close()


async def clear(ari: RawAri) -> None:
    """Hang up everything and wait until it is gone."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        channels = await ari.get("channels")
        for channel in channels:
            await ari.ask("DELETE", f"channels/{channel['id']}")
        for bridge in await ari.get("bridges"):
            await ari.ask("DELETE", f"bridges/{bridge['id']}")
        if not channels and not await ari.get("bridges"):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"left behind in Asterisk: {[c['name'] for c in await ari.get('channels')]}")
