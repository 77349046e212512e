"""The model of Asterisk behind the raw client of the facts: the same questions as to the real one, one file."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

from tests.live.patience import PATIENCE_S
from tests.live.raw_ari import RawAri, clear
from tests.sim.switch import REPLY_S, Channel, Stream, Switch

ROUTES: tuple[tuple[str, str, str], ...] = (
    ("GET", r"channels", "channels.list"),
    ("POST", r"channels/create", "channels.create"),
    ("POST", r"channels/(?P<channelId>[^/]+)/dial", "channels.dial"),
    ("POST", r"channels/(?P<channelId>[^/]+)/answer", "channels.answer"),
    ("DELETE", r"channels/(?P<channelId>[^/]+)", "channels.hangup"),
    ("POST", r"channels/(?P<channelId>[^/]+)/play/(?P<playbackId>[^/]+)", "channels.playWithId"),
    ("POST", r"channels/(?P<channelId>[^/]+)/variable", "channels.setChannelVar"),
    ("GET", r"bridges", "bridges.list"),
    ("POST", r"bridges/(?P<bridgeId>[^/]+)/addChannel", "bridges.addChannel"),
    ("POST", r"bridges/(?P<bridgeId>[^/]+)/record", "bridges.record"),
    ("POST", r"bridges/(?P<bridgeId>[^/]+)", "bridges.createWithId"),
    ("DELETE", r"bridges/(?P<bridgeId>[^/]+)", "bridges.destroy"),
    ("DELETE", r"playbacks/(?P<playbackId>[^/]+)", "playbacks.stop"),
    ("GET", r"applications/(?P<applicationName>[^/]+)", "applications.get"),
    ("POST", r"applications/(?P<applicationName>[^/]+)/subscription", "applications.subscribe"),
    ("GET", r"asterisk/variable", "asterisk.getGlobalVar"),
)


class RawModel(RawAri):
    """`RawAri` whose Asterisk is the model, on the loop of the test."""

    def __init__(self, switch: Switch) -> None:
        nothing: Any = SimpleNamespace()
        super().__init__(nothing, nothing)
        self.switch = switch
        self._stream: Stream | None = None

    async def ask(self, method: str, path: str, body: object = None, **query: object) -> tuple[int, Any]:
        await asyncio.sleep(REPLY_S / 4)
        found = await self._asked(method, path, dict(query))
        await asyncio.sleep(REPLY_S)
        return found

    async def _asked(self, method: str, path: str, given: dict[str, Any]) -> tuple[int, Any]:
        path, _, words = path.partition("?")
        given |= dict(pair.split("=", 1) for pair in words.split("&") if pair)
        if (method, path) == ("POST", "channels"):
            return await self._originate(given)
        single = re.fullmatch(r"(channels|bridges)/([^/]+)", path) if method == "GET" else None
        if single is not None:
            _, rows = await self.switch.request(f"{single[1]}.list", {})
            row = next((row for row in rows if row["id"] == single[2]), None)
            return (404, {"message": "not found"}) if row is None else (200, row)
        for verb, pattern, operation in ROUTES:
            match = re.fullmatch(pattern, path)
            if verb == method and match is not None:
                return await self.switch.request(operation, given | match.groupdict())
        raise AssertionError(f"the model is not asked for {method} {path} here")

    async def _originate(self, given: dict[str, Any]) -> tuple[int, Any]:
        """`create` and `dial` in one."""
        status, made = await self.switch.request("channels.create", given)
        if status == 200:
            await self.switch.request("channels.dial", {"channelId": made["id"], "timeout": given.get("timeout", 0)})
        return status, made

    async def open(self, subscribe_all: bool = False) -> RawAri:
        self._stream = self.switch.listen(self.app)
        self._reader = asyncio.create_task(self._hear(self._stream))
        return self

    async def _hear(self, stream: Stream) -> None:
        while not stream.ended:
            for raw in await stream.next():
                if raw is not None:
                    self.raws.append(raw)
                    self.events.append(json.loads(raw) | {"at_s": time.monotonic()})

    async def cut(self) -> None:
        assert self._stream is not None
        self.switch.closed(self.app, self._stream)
        await self.closed()

    async def closed(self) -> None:
        assert self._reader is not None
        await asyncio.wait_for(self._reader, PATIENCE_S)

    async def dial(self, extension: str) -> str:
        """What the dialplan of the facts does with `app…`; every other extension holds the call."""
        channel = self.switch.make(self.switch.new_id(), "", state="Up")
        app = extension.removeprefix("app")
        if app != extension and not self.switch.enter(channel, app, ["inbound", "+842473001001"]):
            self.switch.variables[f"AFTER_{app}"] = "FAILED"
            self.switch.hang_up(channel)
        return channel.id

    async def close(self) -> None:
        if self._stream is not None:
            self.switch.closed(self.app, self._stream)


@asynccontextmanager
async def raw_model() -> AsyncIterator[RawModel]:
    """A model of its own; afterwards nothing of the test may be left in it."""
    switch = Switch(Random(1), phones={"nowhere": True})

    def far(channel: Channel, _endpoint: str) -> None:
        """Extension `hold` answers, what is not there ends at once, nobody lives at `nowhere`."""
        loop = asyncio.get_running_loop()
        if channel.variables.get("target", "").startswith("hold"):
            loop.call_later(0.001, switch.change, channel, "Up")
        elif not channel.endpoint:
            loop.call_later(0.001, switch.hang_up, channel, 0)

    switch.far = far
    ari = RawModel(switch)
    try:
        yield ari
    finally:
        await clear(ari)
        await ari.close()
