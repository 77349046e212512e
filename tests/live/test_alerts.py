"""Warnings: raised once, cleared once, in the interface, in the event stream and at a webhook that fails at first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.live.conftest import put_setup
from tests.live.floor import Floor
from tests.live.harness import Json, Lab, until
from tests.live.setups import HOTLINE, hotline, queue, table, whole

pytestmark = pytest.mark.live

PATIENT = "+842473001002"
"""A hotline whose limits no machine misses by standing still."""


@dataclass
class Receiver:
    """A webhook receiver. The first `refuse` posts are answered with 503."""

    refuse: int = 0
    posts: list[Json] = field(default_factory=list)
    refused: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.lower().splitlines() if line.startswith("content-length")
        )
        body = json.loads(await reader.readexactly(length))
        if self.refused < self.refuse:
            self.refused += 1
            status = "503 Not Now"
        else:
            self.posts.append(body)
            status = "204 No Content"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@pytest.fixture
async def receiver(lab: Lab) -> AsyncIterator[Receiver]:
    """A receiver the setup in force posts to."""
    receiving = Receiver(refuse=1)
    server = await asyncio.start_server(receiving.serve, "127.0.0.1", 0)
    receiving.port = server.sockets[0].getsockname()[1]
    text = whole(
        hotline(queue="sales", notify_answer_time=1, notify_talk_time=1),
        hotline(PATIENT, queue="sales", notify_answer_time=30, notify_talk_time=30),
        queue("sales", "team"),
        table("webhook", {"name": "board", "url": f"http://127.0.0.1:{receiving.port}/alerts"}),
        groups={"team": ("a1",)},
    )
    await asyncio.to_thread(put_setup, lab, lab.filled(text))
    yield receiving
    server.close()
    await server.wait_closed()


async def _open(floor: Floor, kind: str) -> Json:
    async def ask() -> Any:
        return next((row for row in await floor.api.alerts() if row["kind"] == kind), None)

    return await until(ask, f"an open {kind} alert")


async def _cleared(floor: Floor, alert: str) -> Json:
    async def ask() -> Any:
        return next((row for row in await floor.api.alerts("all") if row["id"] == alert and row["cleared_at"]), None)

    return await until(ask, "the alert is cleared")


async def test_a_wait_too_long_is_told_once_and_cleared_by_the_answer(floor: Floor, receiver: Receiver) -> None:
    await floor.desk("a1", status="not_ready")
    call = floor.dial(HOTLINE)
    row = await floor.live(state="waiting")
    alert = await _open(floor, "answer_time")
    assert (alert["call"], alert["limit_s"], alert["hotline"]) == (row["id"], 1, HOTLINE)
    await floor.desk("a1", state="talking")
    assert not call.ended.is_set(), "a warning never cuts a call"
    await _cleared(floor, alert["id"])
    talk = await _open(floor, "talk_time")
    await call.hangup()
    await _cleared(floor, talk["id"])
    names = [line["name"] for line in await floor.api.story(row["id"])]
    assert (names.count("AlertRaised"), names.count("AlertCleared")) == (2, 2)

    async def all_posted() -> bool:
        return len(receiver.posts) == 4

    await until(all_posted, "raised and cleared, twice, at the webhook")
    assert receiver.refused == 1, "the refused post was tried again"


async def test_a_wait_that_ends_in_time_is_no_alert(floor: Floor, receiver: Receiver) -> None:
    await floor.desk("a1")
    call, row = await floor.talk(PATIENT)
    await call.hangup()
    await floor.ended()
    assert not [alert for alert in await floor.api.alerts("all") if alert["call"] == row["id"]]
    assert not receiver.posts


async def test_a_caller_who_leaves_clears_the_alert(floor: Floor, receiver: Receiver) -> None:
    await floor.desk("a1", status="not_ready")
    call = floor.dial(HOTLINE)
    await floor.live(state="waiting")
    alert = await _open(floor, "answer_time")
    await call.hangup()
    await _cleared(floor, alert["id"])
    assert not [row for row in await floor.api.alerts() if row["call"] == alert["call"]]
