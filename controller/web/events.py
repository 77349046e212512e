"""Every fact as it is said: server-sent events, resumable.

`id:` is the number of the fact, `event:` its type, `data:` one JSON object. A viewer that comes back with
`Last-Event-ID` gets what it missed, from memory or from the books; when that is no longer kept it gets one `reset`
event instead, which says where to read the present state. A viewer that does not read is cut off and may come back:
the engine never waits for anybody here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response
from starlette.types import Receive, Scope, Send

from controller.errors import LedgerError
from controller.web.asked import Known, Who
from controller.web.auth import Principal
from controller.web.broadcast import Broadcast, Frame, Viewer
from controller.web.deps import Deps
from controller.web.problems import Problem

HEARTBEAT_S: Final = 15.0
SEND_LIMIT_S: Final = 5.0
RETRY_MS: Final = 1_000
CATCH_UP_ROWS: Final = 500
SNAPSHOT: Final = ("/api/v1/calls?state=live", "/api/v1/agents", "/api/v1/queues", "/api/v1/alerts")
"""Where a viewer reads the present state after a `reset`."""

router = APIRouter(prefix="/api/v1/events", tags=["events"])

LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", pattern=r"^[0-9]{0,18}$", description="number of the last fact seen; empty: none"),
]


@router.get("", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
async def events(request: Request, deps: Known, who: Who, last_event_id: LastEventId = None) -> Response:
    """Follow every fact. An agent's token is told what concerns that agent; a read token sees numbers masked."""
    viewers: Broadcast = request.app.state.viewers
    viewers.must_have_room()
    stream = _Stream(deps, who, viewers, request.scope["state"]["recheck"])
    return EventStream(stream.frames(int(last_event_id) if last_event_id else None))


class EventStream(Response):
    """An answer without an end. It stops when the viewer leaves, does not read, or `frames` runs dry."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._frames = frames

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        tasks = [asyncio.create_task(self._pump(send)), asyncio.create_task(_left(receive))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._frames.aclose()
        if tasks[0].done() and not tasks[0].cancelled():
            tasks[0].result()

    async def _pump(self, send: Send) -> None:
        """Send frame by frame; a viewer that takes none for a while is given up without a word."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SEND_LIMIT_S):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for frame in self._frames:
                async with asyncio.timeout(SEND_LIMIT_S):
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
            async with asyncio.timeout(SEND_LIMIT_S):
                await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    """Return when the viewer has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _Stream:
    """What one viewer is told, in order and without a gap: missed facts, then live ones, with heartbeats between."""

    def __init__(
        self, deps: Deps, who: Principal, viewers: Broadcast, recheck: Callable[[], Awaitable[Principal]]
    ) -> None:
        self._deps = deps
        self._who = who
        self._viewers = viewers
        self._recheck = recheck
        self._sent = 0

    async def frames(self, last: int | None) -> AsyncGenerator[bytes]:
        """Yield the bytes of the stream, beginning after fact number `last` (None: now)."""
        # Joined before anything missed is read, so that nothing falls between the two.
        viewer = self._viewers.join()
        try:
            self._sent = self._deps.engine.feed.last_seq if last is None else last
            known = f"id: {self._sent}\n" if last is None else ""
            yield f": hello\nretry: {RETRY_MS}\n{known}\n".encode()
            async for chunk in self._missed():
                yield chunk
            async for chunk in self._live(viewer):
                yield chunk
        finally:
            self._viewers.leave(viewer)

    async def _missed(self) -> AsyncIterator[bytes]:
        """Yield what was said before: from the books as far as memory no longer has it, then from memory."""
        feed = self._deps.engine.feed
        if self._sent > feed.last_seq:
            yield self._reset("the number is from another life of these books")
            return
        while self._sent + 1 < feed.first_seq:
            rows = await self._deps.history.facts(self._sent, CATCH_UP_ROWS)
            if not rows or rows[0].seq > self._sent + 1:
                yield self._reset("what followed is no longer kept")
                return
            yield self._chunk([Frame(said) for said in rows])
        if chunk := self._chunk([Frame(said) for said in feed.since(self._sent)]):
            yield chunk

    async def _live(self, viewer: Viewer) -> AsyncIterator[bytes]:
        """Yield what is said from now on, until the viewer is lost, unwelcome, or the house closes."""
        heard_at_s = asyncio.get_running_loop().time()
        while not self._viewers.closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await viewer.awake.wait()
            chunk = self._chunk(viewer.take())
            if viewer.lost:
                yield chunk + b": too slow, come back with Last-Event-ID\n\n"
                return
            now_s = asyncio.get_running_loop().time()
            if now_s - heard_at_s >= HEARTBEAT_S:
                heard_at_s = now_s
                if not await self._still_welcome():
                    return
                chunk = chunk or b": still here\n\n"
            if chunk:
                yield chunk

    async def _still_welcome(self) -> bool:
        """Whether the token still holds; books that do not answer now are no reason to send anybody away."""
        try:
            return await self._recheck() == self._who
        except Problem:
            return False
        except (LedgerError, TimeoutError):
            return True

    def _chunk(self, frames: Sequence[Frame]) -> bytes:
        """Write facts that were not sent yet, as far as they are this viewer's business."""
        fresh = [frame for frame in frames if frame.seq > self._sent]
        if fresh:
            self._sent = fresh[-1].seq
        return b"".join(frame.shown_to(self._who) for frame in fresh)

    def _reset(self, reason: str) -> bytes:
        self._sent = self._deps.engine.feed.last_seq
        data = json.dumps({"reason": reason, "seq": self._sent, "snapshot": SNAPSHOT}, separators=(",", ":"))
        return f"id: {self._sent}\nevent: reset\ndata: {data}\n\n".encode()
