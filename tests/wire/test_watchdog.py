"""Word to the keeper of the process: ready once, alive while the engine decides, and nothing without a keeper."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.watchdog import Watchdog
from tests import virtual_time

pytestmark = pytest.mark.wire


class Keeper:
    """The socket a keeper listens on."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(20)
        self.ready, self.stuck_s = False, 0.0

    def watchdog(self, limit: str = "1000000") -> Watchdog:
        environ = {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": limit}
        return Watchdog(lambda: self.ready, lambda: self.stuck_s, environ)

    def heard(self) -> list[str]:
        self.socket.setblocking(False)
        words = []
        while True:
            try:
                words.append(self.socket.recv(100).decode())
            except BlockingIOError:
                return words


@pytest.fixture(params=["file", "abstract"])
def keeper(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Keeper]:
    listening = Keeper(str(tmp_path / "s") if request.param == "file" else f"@tongdai-test-{id(request)}")
    yield listening
    listening.socket.close()


def test_ready_is_said_once_and_alive_again_and_again(keeper: Keeper) -> None:
    dog = keeper.watchdog()
    dog.beat()
    assert keeper.heard() == ["WATCHDOG=1"]
    keeper.ready = True
    dog.beat()
    dog.beat()
    assert keeper.heard() == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
    dog.stopping()
    assert keeper.heard() == ["STOPPING=1"]


async def test_a_start_that_takes_long_asks_for_time_before_it_is_up(keeper: Keeper) -> None:
    """systemd ends a start that takes longer than `TimeoutStartSec=`, and would end the next one as well."""
    asking = asyncio.create_task(keeper.watchdog().more_time())
    await asyncio.sleep(0)
    assert keeper.heard() == ["EXTEND_TIMEOUT_USEC=30000000"]
    asking.cancel()


def test_an_engine_that_decides_nothing_is_not_alive(keeper: Keeper) -> None:
    dog = keeper.watchdog()
    keeper.stuck_s = 0.9
    dog.beat()
    assert keeper.heard() == ["WATCHDOG=1"]
    keeper.stuck_s = 1.1
    dog.beat()
    assert keeper.heard() == []


def test_word_comes_several_times_within_the_limit(keeper: Keeper) -> None:
    async def for_as_long_as_the_limit() -> None:
        running = asyncio.create_task(keeper.watchdog("200000").run())
        await asyncio.sleep(0.2)
        running.cancel()

    virtual_time.run(for_as_long_as_the_limit())
    assert len(keeper.heard()) >= 3


@pytest.mark.parametrize("limit", ["", "x", "-1", "1e3"])
def test_a_keeper_without_a_limit_hears_only_that_we_are_ready(keeper: Keeper, limit: str) -> None:
    keeper.ready = True
    keeper.watchdog(limit).beat()
    assert keeper.heard() == ["READY=1"]


def test_without_a_keeper_nothing_happens(tmp_path: Path) -> None:
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1"}):
        dog = Watchdog(lambda: True, lambda: 0.0, environ)
        dog.beat()
        dog.stopping()
