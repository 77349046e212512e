"""A daemon that stands still says nothing to its keeper, which is how systemd knows (`WatchdogSec=`)."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.faults.figures import record
from tests.faults.own_daemon import another_daemon
from tests.faults.ward import Ward

LIMIT_S = 2.0


def _words(keeper: socket.socket) -> list[str]:
    words = []
    while True:
        try:
            words.append(keeper.recv(100).decode())
        except BlockingIOError:
            return words


@pytest.mark.faults
async def test_the_keeper_hears_that_it_is_ready_and_alive_and_then_nothing(floor: Ward, tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as keeper:
        keeper.bind(str(address))
        keeper.setblocking(False)
        told = {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": str(int(LIMIT_S * 1e6))}
        async with another_daemon(floor, floor.lab.directory / "daemon.log", **told) as own:
            await asyncio.sleep(LIMIT_S)
            words = _words(keeper)
            assert words.count("READY=1") == 1
            assert words.count("WATCHDOG=1") >= 2
            os.kill(own.pid, signal.SIGSTOP)
            began = time.monotonic()
            _words(keeper)
            await asyncio.sleep(LIMIT_S)
            assert _words(keeper) == [], "a keeper would kill it now and start another"
            os.kill(own.pid, signal.SIGCONT)
            record("W3", "frozen daemon silent to its keeper for", "2 s", [time.monotonic() - began], limit=LIMIT_S + 1)
            await floor.resynced()
        assert "STOPPING=1" in _words(keeper)
