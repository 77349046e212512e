"""The voice of a softphone: sends a tone every 20 ms, hears what comes, presses keys as RFC 4733 events."""

from __future__ import annotations

import asyncio
import random
import struct
from collections import deque

from controller.lab import tone
from controller.lab.udp import Port

HEARD_FRAMES_MAX = 150  # 3 s: enough to tell who is talking now
KEY_MS = 100
_KEYS = "0123456789*#ABCD"
_PT_PCMU = 0
_HEADER = struct.Struct("!BBHII")


class Media:
    """One RTP stream in each direction, G.711 µ-law, on a port of the operating system's choice on `host`.

    `hz` is the tone spoken; 0 speaks never, not a single packet. `sent` and `received` count packets.
    """

    def __init__(self, host: str, hz: int) -> None:
        self.hz = hz
        self.received = self.sent = 0
        self.heard: deque[bytes] = deque(maxlen=HEARD_FRAMES_MAX)
        self.event_payload = 101
        self._peer: tuple[str, int] | None = None
        self._sequence = random.randrange(1 << 15)  # noqa: S311 - RFC 3550 asks for a random start, not for a secret
        self._stamp = 0
        self._source = random.randrange(1 << 32)  # noqa: S311 - the same
        self._keys: deque[str] = deque()
        self._task: asyncio.Task[None] | None = None
        self._udp = Port(host, 0, self._hear)
        self.port = self._udp.at[1]

    def start(self, peer: tuple[str, int], event_payload: int) -> None:
        """Send to `peer` from now on; told again (re-INVITE), send to the new one."""
        self._peer = peer
        self.event_payload = event_payload
        if self._task is None and self.hz:
            self._task = asyncio.create_task(self._send())

    def press(self, keys: str) -> None:
        """Send these keys as RFC 4733 events, one after another, 100 ms each."""
        self._keys.extend(key for key in keys if key in _KEYS)

    def level(self, hz: int, seconds: float = 0.5) -> float:
        """Return how loud a frequency was within the last `seconds` heard (0 to 32,767)."""
        frames = list(self.heard)[-max(1, int(seconds / tone.FRAME_S)) :]
        return tone.power_at(tone.decode(b"".join(frames)), hz)

    def close(self) -> None:
        """Stop sending and give the port back."""
        if self._task is not None:
            self._task.cancel()
        self._udp.drain()
        self._udp.close()

    def _hear(self, data: bytes) -> None:
        if len(data) > _HEADER.size and data[1] & 0x7F == _PT_PCMU:
            self.received += 1
            self.heard.append(data[_HEADER.size :])

    async def _send(self) -> None:
        frames = tone.tone_frames(self.hz)
        loop = asyncio.get_running_loop()
        due = loop.time()
        n = 0
        while True:
            if self._keys:
                await self._send_key(self._keys.popleft())
                due = loop.time()
            self._packet(_PT_PCMU, frames[n % len(frames)], marker=n == 0)
            self._stamp += tone.FRAME_SAMPLES
            n += 1
            due += tone.FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _send_key(self, key: str) -> None:
        code = _KEYS.index(key)
        steps = KEY_MS // 20
        for n in range(1, steps + 1):
            self._event(code, n, end=False, marker=n == 1)
            await asyncio.sleep(tone.FRAME_S)
        for _ in range(3):  # the end is sent three times, because nothing repeats it (RFC 4733, 2.5.1.4)
            self._event(code, steps, end=True, marker=False)
        self._stamp += (steps + 3) * tone.FRAME_SAMPLES
        await asyncio.sleep(3 * tone.FRAME_S)

    def _event(self, code: int, frames: int, *, end: bool, marker: bool) -> None:
        body = struct.pack("!BBH", code, (0x80 if end else 0) | 10, frames * tone.FRAME_SAMPLES)
        self._packet(self.event_payload, body, marker=marker)

    def _packet(self, payload: int, body: bytes, *, marker: bool) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        kind = payload | (0x80 if marker else 0)
        header = _HEADER.pack(0x80, kind, self._sequence, self._stamp & 0xFFFFFFFF, self._source)
        if self._peer is not None:
            self._udp.send(header + body, self._peer)
            self.sent += 1
