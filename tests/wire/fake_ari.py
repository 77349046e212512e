"""An ARI server of a few lines: it describes itself, answers as it is told, and says on the stream what it is given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from controller.ari.requests import OPERATIONS
from controller.settings import Ari

PASSWORD = "p@ss:w/rd?&#%1"
PATHS = {
    "applications.filter": "PUT /applications/{applicationName}/eventFilter",
    "applications.get": "GET /applications/{applicationName}",
    "applications.subscribe": "POST /applications/{applicationName}/subscription",
    "applications.unsubscribe": "DELETE /applications/{applicationName}/subscription",
    "asterisk.getGlobalVar": "GET /asterisk/variable",
    "asterisk.getInfo": "GET /asterisk/info",
    "asterisk.setGlobalVar": "POST /asterisk/variable",
    "asterisk.reloadModule": "PUT /asterisk/modules/{moduleName}",
    "bridges.addChannel": "POST /bridges/{bridgeId}/addChannel",
    "bridges.createWithId": "POST /bridges/{bridgeId}",
    "bridges.destroy": "DELETE /bridges/{bridgeId}",
    "bridges.list": "GET /bridges",
    "bridges.record": "POST /bridges/{bridgeId}/record",
    "bridges.removeChannel": "POST /bridges/{bridgeId}/removeChannel",
    "channels.answer": "POST /channels/{channelId}/answer",
    "channels.create": "POST /channels/create",
    "channels.dial": "POST /channels/{channelId}/dial",
    "channels.hangup": "DELETE /channels/{channelId}",
    "channels.list": "GET /channels",
    "channels.originate": "POST /channels",
    "channels.originateWithId": "POST /channels/{channelId}",
    "channels.playWithId": "POST /channels/{channelId}/play/{playbackId}",
    "channels.record": "POST /channels/{channelId}/record",
    "channels.snoopChannelWithId": "POST /channels/{channelId}/snoop/{snoopId}",
    "channels.ring": "POST /channels/{channelId}/ring",
    "channels.ringStop": "DELETE /channels/{channelId}/ring",
    "channels.setChannelVar": "POST /channels/{channelId}/variable",
    "channels.startMoh": "POST /channels/{channelId}/moh",
    "channels.stopMoh": "DELETE /channels/{channelId}/moh",
    "endpoints.get": "GET /endpoints/{tech}/{resource}",
    "endpoints.listByTech": "GET /endpoints/{tech}",
    "playbacks.stop": "DELETE /playbacks/{playbackId}",
}
BODIES = {"filter": "object", "variables": "containers"}


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    body: object
    headers: dict[str, str]
    url: str

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class FakeAri:
    """`answer(asked)` may return a status, or (status, JSON), or None for 204; it may be a coroutine."""

    operations: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(OPERATIONS))
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], object] = lambda asked: None
    mute: bool = False
    connects: int = 0
    refuse: int = 0  # status with which the event stream is refused
    port: int = 0
    _sockets: list[web.WebSocketResponse] = field(default_factory=list)

    @property
    def settings(self) -> Ari:
        return Ari(url=f"http://127.0.0.1:{self.port}", user="tongdai", password=PASSWORD, app="tongdai")

    @property
    def lines(self) -> list[str]:
        """Method and path of everything asked for but the API description."""
        return [asked.line for asked in self.asked if "api-docs" not in asked.path]

    async def say(self, kind: str, **body: object) -> None:
        """Say something on the newest event stream."""
        await self.say_raw(json.dumps({"type": kind, "application": "tongdai", "timestamp": str(id(body)), **body}))

    async def say_raw(self, text: str, on: int = -1) -> None:
        await self._sockets[on].send_str(text)

    def cut(self) -> None:
        """Drop the newest event stream without a word."""
        request = self._sockets[-1]._req
        assert request is not None
        assert request.transport is not None
        request.transport.abort()

    async def hang_up(self) -> None:
        """Close the newest event stream politely."""
        await self._sockets[-1].close()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/ari/events":
            return await self._stream(request)
        text = await request.text()
        body = json.loads(text) if text else None
        asked = Asked(
            *(request.method, request.path, dict(request.query), body, dict(request.headers)), str(request.url)
        )
        self.asked.append(asked)
        if "api-docs" in request.path:
            return web.json_response(self._describe(request))
        said = self.answer(asked)
        if asyncio.iscoroutine(said):
            said = await said
        status, reply = said if isinstance(said, tuple) else (said or 204, None)
        return web.Response(status=204) if status == 204 else web.json_response(reply, status=status)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(Asked("WS", request.path, dict(request.query), None, dict(request.headers), str(request.url)))
        if self.refuse:
            return web.json_response({"message": "Authentication required"}, status=self.refuse)
        socket = web.WebSocketResponse(autoping=not self.mute)
        await socket.prepare(request)
        self._sockets.append(socket)
        self.connects += 1
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
        return socket

    def _describe(self, request: web.Request) -> dict[str, object]:
        base = f"http://{request.host}/ari"
        rooms = sorted({name.split(".")[0] for name in self.operations})
        if request.path.endswith("resources.json"):
            apis = [{"path": f"/api-docs/{room}.{{format}}", "description": room} for room in rooms]
            return {"swaggerVersion": "1.1", "basePath": base, "apis": apis}
        room = request.path.rsplit("/", 1)[1].removesuffix(".json")
        return {"basePath": base, "resourcePath": "x", "models": {}, "apis": list(self._apis(room))}

    def _apis(self, room: str) -> list[dict[str, object]]:
        found = []
        for name, parameters in self.operations.items():
            if name.split(".")[0] != room:
                continue
            method, path = PATHS[name].split(" ")
            rows = [
                {
                    "name": one,
                    "paramType": "path" if f"{{{one}}}" in path else "body" if one in BODIES else "query",
                    "dataType": BODIES.get(one, "string"),
                    "required": f"{{{one}}}" in path,
                }
                for one in parameters
            ]
            operation = {
                "httpMethod": method,
                "nickname": name.split(".")[1],
                "parameters": rows,
                "responseClass": "void",
            }
            found.append({"path": path, "description": "x", "operations": [operation]})
        return found


@asynccontextmanager
async def fake_ari(**how: object) -> AsyncIterator[FakeAri]:
    """A running fake."""
    fake = FakeAri(**how)  # type: ignore[arg-type]
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", fake.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.port = runner.addresses[0][1]
    try:
        yield fake
    finally:
        await runner.cleanup()
