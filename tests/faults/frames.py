"""Websocket frames (RFC 6455) as the rude proxy sees them, and what it does to the events inside."""

from __future__ import annotations

import asyncio
import random
import re
import struct
from dataclasses import dataclass
from typing import Final

TEXT: Final = 0x81
CLOSE: Final = 0x88
_LENGTH_16, _LENGTH_64 = 126, 127
_MASKED: Final = 0x80


@dataclass(frozen=True)
class Frame:
    """One frame of a server, unmasked: its first byte and its payload."""

    head: int
    payload: bytes

    @property
    def is_event(self) -> bool:
        """Whether this is a whole message of text."""
        return self.head == TEXT

    def encode(self) -> bytes:
        """The frame as a server sends it."""
        size = len(self.payload)
        if size < _LENGTH_16:
            return bytes((self.head, size)) + self.payload
        if size < 1 << 16:
            return struct.pack("!BBH", self.head, _LENGTH_16, size) + self.payload
        return struct.pack("!BBQ", self.head, _LENGTH_64, size) + self.payload


def text(message: str) -> Frame:
    """One message of text."""
    return Frame(TEXT, message.encode())


def close(code: int = 1001, why: str = "going away") -> Frame:
    """A clean end (RFC 6455, 5.5.1)."""
    return Frame(CLOSE, struct.pack("!H", code) + why.encode())


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """The next frame of a server; IncompleteReadError at the end."""
    head, size = await reader.readexactly(2)
    if size & _MASKED:
        raise ValueError("a server does not mask")
    if size == _LENGTH_16:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    elif size == _LENGTH_64:
        (size,) = struct.unpack("!Q", await reader.readexactly(8))
    return Frame(head, await reader.readexactly(size))


@dataclass(frozen=True)
class Rudeness:
    """What happens to events: chances of 0 to 1, `swap` frames that may change places, seconds of delay.

    `only` is a pattern an event must contain to be touched (`"type": "PlaybackFinished"`); empty: every event.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    swap: int = 0
    delay_s: float = 0.0
    only: str = ""
    seed: int = 1


class Mangler:
    """Applies a rudeness to a stream of frames; what is held back to be swapped comes out with `flush`."""

    def __init__(self, rudeness: Rudeness) -> None:
        self.rudeness = rudeness
        self.dropped = self.duplicated = 0
        self._chance = random.Random(rudeness.seed)
        self._only = re.compile(rudeness.only.encode())
        self._held: list[Frame] = []

    def take(self, frame: Frame) -> list[Frame]:
        """One frame in, those that go out now."""
        rude = self.rudeness
        if not frame.is_event:
            return [*self.flush(), frame]
        if not self._only.search(frame.payload):
            return [frame]
        if self._chance.random() < rude.drop:
            self.dropped += 1
            return []
        out = [frame]
        if self._chance.random() < rude.duplicate:
            self.duplicated += 1
            out.append(frame)
        if rude.swap < 2:
            return out
        self._held += out
        return self.flush() if len(self._held) >= rude.swap else []

    def flush(self) -> list[Frame]:
        """What was held back, in another order."""
        held, self._held = self._held, []
        self._chance.shuffle(held)
        return held
