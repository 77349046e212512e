"""Every fact as it is said: server-sent events, resumable.

`id:` is the number of the fact, `event:` its type, `data:` one JSON object. A viewer that comes back with
`Last-Event-ID` gets what it missed, from memory or from the books; when that is no longer kept it gets one `reset`
event instead, which says where to read the present state. A viewer that does not read is cut off and may come back:
the engine never waits for anybody here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response
from starlette.types import Receive, Scope, Send

from controller.errors import LedgerError
from controller.ports import Said
from controller.web.asked import Known, Who
from controller.web.auth import Principal, Role
from controller.web.deps import Deps, Subscription
from controller.web.problems import Problem
from controller.web.views import fact_out

HEARTBEAT_S: Final = 15.0
SEND_LIMIT_S: Final = 5.0
RETRY_MS: Final = 1_000
CATCH_UP_ROWS: Final = 500
SNAPSHOT: Final = ("/api/v1/calls?state=live", "/api/v1/agents", "/api/v1/queues", "/api/v1/alerts")
"""Where a viewer reads the present state after a `reset`."""

router = APIRouter(prefix="/api/v1/events", tags=["events"])

LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", pattern=r"^[0-9]{1,18}$", description="number of the last fact seen"),
]


class Viewers:
    """The open streams: no more than `most` at once, and all of them ended when the house closes."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.now = 0
        self.closing = asyncio.Event()

    def close(self) -> None:
        """End every stream; whoever comes later is sent away."""
        self.closing.set()


@router.get("", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
async def events(request: Request, deps: Known, who: Who, last_event_id: LastEventId = None) -> Response:
    """Follow every fact. An agent's token is told what concerns that agent; a read token sees numbers masked."""
    viewers: Viewers = request.app.state.viewers
    if viewers.now >= viewers.most or viewers.closing.is_set():
        raise Problem(503, "no more viewers are taken now")
    stream = _Stream(deps, who, viewers.closing, request.scope["state"]["recheck"])
    return EventStream(viewers, stream.frames(None if last_event_id is None else int(last_event_id)))


class EventStream(Response):
    """An answer without an end. It stops when the viewer leaves, does not read, or `frames` runs dry."""

    media_type = "text/event-stream"

    def __init__(self, viewers: Viewers, frames: AsyncIterator[bytes]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._viewers = viewers
        self._frames = frames

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        self._viewers.now += 1
        tasks = [asyncio.create_task(self._pump(send)), asyncio.create_task(_left(receive))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._viewers.now -= 1
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
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
        self, deps: Deps, who: Principal, closing: asyncio.Event, recheck: Callable[[], Awaitable[Principal]]
    ) -> None:
        self._deps = deps
        self._who = who
        self._closing = closing
        self._recheck = recheck
        self._sent = 0

    async def frames(self, last: int | None) -> AsyncIterator[bytes]:
        """Yield the bytes of the stream, beginning after fact number `last` (None: now)."""
        feed = self._deps.engine.feed
        # Subscribed before anything missed is read, so that nothing falls between the two.
        subscription = feed.subscribe()
        try:
            self._sent = feed.last_seq if last is None else last
            known = f"id: {self._sent}\n" if last is None else ""
            yield f": hello\nretry: {RETRY_MS}\n{known}\n".encode()
            async for frame in self._missed():
                yield frame
            async for frame in self._live(subscription):
                yield frame
        finally:
            subscription.close()

    async def _missed(self) -> AsyncIterator[bytes]:
        feed = self._deps.engine.feed
        if self._sent > feed.last_seq:
            yield self._reset("the number is from another life of these books")
            return
        while self._sent + 1 < feed.first_seq:
            rows = await self._deps.history.facts(self._sent, CATCH_UP_ROWS)
            if not rows or rows[0].seq > self._sent + 1:
                yield self._reset("what followed is no longer kept")
                return
            yield b"".join(self._frame(said) for said in rows)
        yield b"".join(self._frame(said) for said in feed.since(self._sent))

    async def _live(self, subscription: Subscription) -> AsyncIterator[bytes]:
        facts = aiter(subscription)
        closing = asyncio.create_task(self._closing.wait())
        coming = asyncio.ensure_future(anext(facts, None))
        try:
            while True:
                done, _ = await asyncio.wait(
                    {coming, closing}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED
                )
                if closing in done:
                    return
                if not done:
                    if not await self._still_welcome():
                        return
                    yield b": still here\n\n"
                    continue
                said = coming.result()
                # A viewer that was lost has lost the oldest fact it had not read: what follows would hide the gap.
                if said is None or subscription.lost:
                    yield b": too slow, come back with Last-Event-ID\n\n"
                    return
                coming = asyncio.ensure_future(anext(facts, None))
                if frame := self._frame(said):
                    yield frame
        finally:
            for task in (coming, closing):
                task.cancel()
            await asyncio.gather(coming, closing, return_exceptions=True)

    async def _still_welcome(self) -> bool:
        """Whether the token still holds; books that do not answer now are no reason to send anybody away."""
        try:
            return await self._recheck() == self._who
        except Problem:
            return False
        except LedgerError:
            return True

    def _frame(self, said: Said) -> bytes:
        """Write one fact; nothing when it was sent already or is none of this viewer's business."""
        if said.seq <= self._sent:
            return b""
        self._sent = said.seq
        if self._who.role is Role.AGENT and getattr(said.fact, "agent", "") != self._who.agent:
            return b""
        data = json.dumps(fact_out(said, masked=self._who.masked), separators=(",", ":"))
        return f"id: {said.seq}\nevent: {type(said.fact).__name__}\ndata: {data}\n\n".encode()

    def _reset(self, reason: str) -> bytes:
        self._sent = self._deps.engine.feed.last_seq
        data = json.dumps({"reason": reason, "seq": self._sent, "snapshot": SNAPSHOT}, separators=(",", ":"))
        return f"id: {self._sent}\nevent: reset\ndata: {data}\n\n".encode()
