"""Whether the event stream lives, and is still ours: pings and pongs, in the order in which they were asked."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp

from controller.ari.client import Stream, StreamEndedError, reason_for
from controller.errors import TelephoneError

PING_EVERY_S: Final = 2.0
"""How often Asterisk is asked for a pong, and how long it may take: a frozen peer is noticed within twice that."""
GRACE_S: Final = 0.1
QUIET_MAX_S: Final = 1.5
"""Silence after which a guarded telephone asks for a pong before it commands: half of what another controller waits
before it takes our place (docs/standby.md)."""


class Pulse:
    """The pings of one stream after another. `latency_s` is how long Asterisk took to answer the last one."""

    def __init__(self) -> None:
        self.latency_s = 0.0
        self._stream: Stream | None = None
        self._heard_at_s = 0.0
        self._pinged_at_s = 0.0
        self._pinged = 0
        self._ponged = 0
        self._pongs: dict[int, asyncio.Future[None]] = {}

    def begin(self, stream: Stream) -> None:
        """A new stream is open."""
        self._stream, self._pinged, self._ponged = stream, 0, 0

    def end(self) -> None:
        """It was cut: who waits for a pong is told."""
        self._stream = None
        for pong in self._pongs.values():
            if not pong.done():
                pong.set_exception(StreamEndedError("the event stream ended"))

    def heard(self, *, pong: bool) -> None:
        """Asterisk said something."""
        self._heard_at_s = asyncio.get_running_loop().time()
        if pong:
            self.latency_s = self._heard_at_s - self._pinged_at_s
            self._ponged += 1
            waiting = self._pongs.pop(self._ponged, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(None)

    async def keep(self, stream: Stream) -> None:
        """Ask for pongs; after a freeze of our own process the pong may wait unread, so look twice."""
        now_s = asyncio.get_running_loop().time
        while True:
            self._pinged_at_s = asked_at_s = now_s()
            await self._ping(stream)
            await asyncio.sleep(PING_EVERY_S)
            if self._heard_at_s < asked_at_s:
                await asyncio.sleep(GRACE_S)
            if self._heard_at_s < asked_at_s:
                raise StreamEndedError(f"Asterisk has been silent for {PING_EVERY_S:g} s")

    async def beats(self) -> None:
        """Returns when the stream was heard of lately, or answers a ping; TelephoneError when it does not.

        StreamEndedError when it ended meanwhile: whoever took our place had Asterisk say so before that pong. A process
        that was frozen wakes with its commands ready and the word that it was replaced still unread.
        """
        if asyncio.get_running_loop().time() - self._heard_at_s < QUIET_MAX_S:
            return
        if self._stream is None:
            raise TelephoneError("there is no event stream from Asterisk, and another controller may lead by now")
        number = await self._ping(self._stream)
        heard = self._pongs[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(PING_EVERY_S):
                await heard
        except TimeoutError:
            raise TelephoneError("Asterisk is silent, and another controller may lead by now") from None
        finally:
            self._pongs.pop(number, None)

    async def _ping(self, stream: Stream) -> int:
        """Ask for a pong; returns its number. Asterisk answers in the order it is asked."""
        self._pinged += 1
        number = self._pinged
        try:
            await stream.ping()
        except (aiohttp.ClientError, OSError) as wrong:
            raise StreamEndedError(reason_for(wrong)) from None
        return number
