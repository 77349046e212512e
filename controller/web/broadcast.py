"""One reader of the feed for all viewers: each fact is written out once, and handed on a few times a second at most.

With two hundred wallboards open a fact would otherwise be encoded two hundred times and wake two hundred tasks on its
own. A fact in a quiet moment goes out at once; in a busy one it waits for its neighbours, `GATHER_S` at the longest.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Final

from controller.core.saying import say
from controller.ports import Said
from controller.web.auth import Principal, Role
from controller.web.deps import Feed, Subscription
from controller.web.problems import Problem
from controller.web.views import fact_out

GATHER_S: Final = 0.05
FRAMES_MAX: Final = 2_000
"""Facts a viewer may be behind."""


class Frame:
    """One fact as the stream sends it, written out when the first viewer wants it, for each way of showing it."""

    def __init__(self, said: Said) -> None:
        self.seq = said.seq
        self.agent = str(getattr(said.fact, "agent", ""))
        self._said = said
        self._written: dict[bool, bytes] = {}

    def shown_to(self, who: Principal) -> bytes:
        """The bytes for this viewer; none when the fact is not its business."""
        if who.role is Role.AGENT and self.agent != who.agent:
            return b""
        if who.masked not in self._written:
            self._written[who.masked] = self._write(masked=who.masked)
        return self._written[who.masked]

    def _write(self, *, masked: bool) -> bytes:
        # Escaped to ASCII: whatever a caller is called, it stays inside its own line.
        data = json.dumps(fact_out(self._said, masked=masked), separators=(",", ":"))
        return f"id: {self.seq}\nevent: {type(self._said.fact).__name__}\ndata: {data}\n\n".encode()


class Viewer:
    """What waits for one viewer. `lost`: it fell behind and must come back for the rest."""

    def __init__(self) -> None:
        self.frames: deque[Frame] = deque()
        self.awake = asyncio.Event()
        self.lost = False

    def offer(self, frames: list[Frame]) -> None:
        """Put frames before the viewer without waiting for it."""
        if len(self.frames) + len(frames) > FRAMES_MAX:
            self.lost = True
        # Once something was left out nothing more is taken: what follows would hide the gap.
        if not self.lost:
            self.frames.extend(frames)
        self.awake.set()

    def take(self) -> list[Frame]:
        """Take all that waits."""
        taken = list(self.frames)
        self.frames.clear()
        self.awake.clear()
        return taken


class Broadcast:
    """The viewers of one application: `most` at once. The feed is read while there is one."""

    def __init__(self, feed: Feed, most: int) -> None:
        self.most = most
        self.closed = False
        self._feed = feed
        self._viewers: dict[Viewer, None] = {}
        self._fresh: list[Frame] = []
        self._reading: asyncio.Task[None] | None = None
        self._flushing: asyncio.TimerHandle | None = None
        self._flushed_at_s = 0.0

    @property
    def now(self) -> int:
        """How many watch."""
        return len(self._viewers)

    def must_have_room(self) -> None:
        """Problem 503 when nobody else may watch."""
        if self.closed or len(self._viewers) >= self.most:
            raise Problem(503, say("no_more_viewers"))

    def join(self) -> Viewer:
        """Begin to watch: facts said from now on are put before the viewer."""
        if self._reading is None:
            # Subscribed here and not in the task, which begins later: what is said in between would be missed.
            self._reading = asyncio.create_task(self._read(self._feed.subscribe()))
        viewer = Viewer()
        self._viewers[viewer] = None
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Watch no more."""
        self._viewers.pop(viewer, None)
        if not self._viewers and self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def close(self) -> None:
        """End every stream; whoever comes later is sent away."""
        self.closed = True
        for viewer in self._viewers:
            viewer.awake.set()

    async def _read(self, subscription: Subscription) -> None:
        """Read the feed; when it has lost us, every viewer has lost something."""
        try:
            async for said in subscription:
                if subscription.lost:
                    break
                self._fresh.append(Frame(said))
                self._flush_soon()
        finally:
            subscription.close()
            self._flush()
        self._reading = None
        for viewer in self._viewers:
            viewer.lost = True
            viewer.awake.set()

    def _flush_soon(self) -> None:
        if self._flushing is None:
            loop = asyncio.get_running_loop()
            at_s = max(loop.time(), self._flushed_at_s + GATHER_S)
            self._flushing = loop.call_at(at_s, self._flush)

    def _flush(self) -> None:
        """Hand on what was gathered."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        self._flushed_at_s = asyncio.get_running_loop().time()
        fresh, self._fresh = self._fresh, []
        for viewer in self._viewers:
            viewer.offer(fresh)
