"""Two hundred people watch, twenty of them never read (F31)."""

from __future__ import annotations

import asyncio
import socket
import statistics
import time

import pytest

from tests.faults import processes
from tests.faults.figures import p99, record, runs
from tests.faults.ward import Ward
from tests.live.harness import until

VIEWERS, DEAF = 200, 20
KIB_MAX = 256.0


class Viewers:
    """Open event streams; the deaf ones never read what comes."""

    def __init__(self, floor: Ward) -> None:
        info = floor.lab.info
        self._port = int(info["http"].rpartition(":")[2])
        self._head = (
            f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"Authorization: Bearer {info['admin_token']}\r\nAccept: text/event-stream\r\n\r\n"
        ).encode()
        self.deaf: list[socket.socket] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.heard = 0

    async def open(self, reading: int, deaf: int) -> None:
        """Open so many streams."""
        for _ in range(deaf):
            ear = socket.socket()
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            ear.connect(("127.0.0.1", self._port))
            ear.sendall(self._head)
            self.deaf.append(ear)
        for _ in range(reading):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(self._head)
            assert b"200" in await reader.readline()
            self.tasks.append(asyncio.create_task(self._read(reader, writer)))

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                self.heard += data.count(b"\nevent:") + data.startswith(b"event:")
        finally:
            writer.close()

    async def close(self) -> None:
        """Everybody leaves."""
        for ear in self.deaf:
            ear.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def _turns(floor: Ward, count: int) -> tuple[list[float], float]:
    """Change a status so many times: how long each took for whoever asked, and the mean time of a step."""
    names = ("tongdai_step_seconds_sum", "tongdai_step_seconds_count")
    before = [await floor.metric(name) for name in names]
    took = []
    for n in range(count):
        began = time.monotonic()
        said = await floor.api.status("a1", ("not_ready", "available")[n % 2])
        took.append(time.monotonic() - began)
        assert said.is_success
    after = [await floor.metric(name) for name in names]
    return took, (after[0] - before[0]) / max(1.0, after[1] - before[1])


@pytest.mark.live
async def test_viewers_cost_the_calls_nothing(floor: Ward) -> None:
    await floor.desk("a1", "a2")
    count = runs(60, 600)
    await _turns(floor, 20)
    alone, step_alone = await _turns(floor, count)
    before = processes.memory_mb(floor.daemon)
    watching = Viewers(floor)
    await watching.open(VIEWERS - DEAF, DEAF)
    try:
        beside, step_beside = await _turns(floor, count)
        await floor.serve_one()

        async def told() -> bool:
            return watching.heard >= count * (VIEWERS - DEAF)

        await until(told, "every viewer who reads is told everything", 120.0)
        grown = (processes.memory_mb(floor.daemon) - before) * 1000 / VIEWERS
    finally:
        await watching.close()
    ratio = step_beside / step_alone
    record("F31", "a step beside 200 viewers, compared with none", "± 10 %", [ratio], unit="×", limit=1.1)
    record("F31", "a status change, nobody watching", "", alone)
    record("F31", "a status change, 200 watching", "", beside)
    record("F31", "memory a viewer", "≤ 256 KiB", [grown], unit="KiB", limit=KIB_MAX, times=VIEWERS)
    assert grown <= KIB_MAX * 2
    assert statistics.median(beside) <= statistics.median(alone) * 20 + 0.5
    assert p99(beside) <= 30.0
