"""The stream of facts inside the process: the last ones kept, any number of readers, none of whom can hold it up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from controller.ports import Said

KEPT_MAX = 10_000
READER_MAX = 2_000


class Subscription:
    """One reader. A reader that falls `READER_MAX` facts behind is `lost`: its iteration ends, it must look anew."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._queue: asyncio.Queue[Said | None] = asyncio.Queue(READER_MAX)
        self.lost = False

    def offer(self, said: Said) -> None:
        """Hand over one fact without waiting."""
        try:
            self._queue.put_nowait(said)
        except asyncio.QueueFull:
            self.lost = True
            self._feed.drop(self)
            self._queue.get_nowait()
            self._queue.put_nowait(None)

    def close(self) -> None:
        """Stop reading."""
        self._feed.drop(self)
        if not self._queue.full():
            self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[Said]:
        while (said := await self._queue.get()) is not None:
            yield said


class Feed:
    """Facts in their one order. `last_seq` is the newest number given out, `first_seq` the oldest still kept."""

    def __init__(self, last_seq: int = 0) -> None:
        self.last_seq = last_seq
        self._kept: deque[Said] = deque(maxlen=KEPT_MAX)
        self._readers: dict[Subscription, None] = {}

    @property
    def first_seq(self) -> int:
        """Number of the oldest fact kept; one past the newest when none is."""
        return self._kept[0].seq if self._kept else self.last_seq + 1

    def publish(self, said: Said) -> None:
        """Tell every reader."""
        self.last_seq = said.seq
        self._kept.append(said)
        for reader in list(self._readers):
            reader.offer(said)

    def since(self, seq: int) -> list[Said]:
        """Facts newer than `seq` that are still kept."""
        return [said for said in self._kept if said.seq > seq]

    def subscribe(self) -> Subscription:
        """Begin to read what comes from now on."""
        reader = Subscription(self)
        self._readers[reader] = None
        return reader

    def drop(self, reader: Subscription) -> None:
        """Forget a reader."""
        self._readers.pop(reader, None)

    @property
    def readers(self) -> int:
        """How many read now."""
        return len(self._readers)
