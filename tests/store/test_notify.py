"""Alerts on their way to webhooks: signed, in order, tried again, bounded, and nobody ever waits for them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest
import pytest_asyncio
from aiohttp import web

from controller import notify
from controller.core.model import Alert
from controller.core.setup import Setup, Webhook
from controller.notify import WebhookBell

pytestmark = pytest.mark.wire

ALERT = Alert("1.1.answer_time", "answer_time", "1.1", "+842473001001", "sales", "", 20, 1_700_000_000_123)


@dataclass
class Receiver:
    """A webhook's far end: keeps what it was sent and answers with the next of `says` (200 when they are used up)."""

    url: str = ""
    says: list[int] = field(default_factory=list)
    silent_s: float = 0.0
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        self.paths.append(request.path)
        await asyncio.sleep(self.silent_s)
        status = self.says.pop(0) if self.says else 200
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status in {301, 302, 307} else {})

    @property
    def deliveries(self) -> list[str]:
        return [headers["X-Tongdai-Delivery"] for headers in self.headers]


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    found.url = f"http://127.0.0.1:{port}/hook"
    yield found
    await runner.cleanup()


@pytest_asyncio.fixture
async def bell(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebhookBell]:
    monkeypatch.setattr(notify, "BACKOFF_FIRST_S", 0.01)
    monkeypatch.setattr(notify, "BACKOFF_MAX_S", 0.04)
    found = WebhookBell()
    running = asyncio.create_task(found.run())
    yield found
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await found.close()


def _setup(*webhooks: Webhook) -> Setup:
    return Setup(webhooks=webhooks)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for is counted, not signalled
            await asyncio.sleep(0.005)


async def test_a_notice_tells_the_alert_and_is_signed(bell: WebhookBell, receiver: Receiver) -> None:
    bell.ring(ALERT, "raised", _setup(Webhook("ops", receiver.url, secret="hunter2")))
    bell.ring(replace(ALERT, cleared_at_ms=1_700_000_009_000), "cleared", _setup(Webhook("ops", receiver.url)))
    await _until(lambda: bell.delivered == 2)
    assert json.loads(receiver.bodies[0]) == {
        "change": "raised",
        "id": "1.1.answer_time",
        "kind": "answer_time",
        "call": "1.1",
        "hotline": "+842473001001",
        "queue": "sales",
        "agent": None,
        "limit_s": 20,
        "raised_at": "2023-11-14T22:13:20.123Z",
        "cleared_at": None,
    }
    assert json.loads(receiver.bodies[1])["cleared_at"] == "2023-11-14T22:13:29.000Z"
    expected = hmac.new(b"hunter2", receiver.bodies[0], hashlib.sha256).hexdigest()
    assert receiver.headers[0]["X-Tongdai-Signature"] == f"sha256={expected}"
    assert receiver.headers[0]["Content-Type"] == "application/json"
    assert "X-Tongdai-Signature" not in receiver.headers[1]
    assert receiver.deliveries == ["1.1.answer_time.raised", "1.1.answer_time.cleared"]
    assert (bell.queued, bell.failed, bell.dropped) == (0, 0, 0)


async def test_only_the_kinds_a_webhook_wants(bell: WebhookBell, receiver: Receiver) -> None:
    webhooks = (Webhook("all", receiver.url + "/all"), Webhook("talk", receiver.url + "/talk", kinds=("talk_time",)))
    bell.ring(ALERT, "raised", _setup(*webhooks))
    bell.ring(replace(ALERT, kind="talk_time"), "raised", _setup(*webhooks))
    await _until(lambda: bell.delivered == 3)
    assert sorted(receiver.paths) == ["/hook/all", "/hook/all", "/hook/talk"]


async def test_a_receiver_that_fails_is_asked_again_and_order_is_kept(bell: WebhookBell, receiver: Receiver) -> None:
    receiver.says = [500, 503, 404]
    for n in range(3):
        bell.ring(replace(ALERT, id=f"1.{n}"), "raised", _setup(Webhook("ops", receiver.url)))
    await _until(lambda: bell.delivered == 3)
    assert receiver.deliveries == ["1.0.raised"] * 4 + ["1.1.raised", "1.2.raised"]
    assert bell.failed == 0


async def test_waits_grow_and_there_is_a_last_try(
    bell: WebhookBell, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    original: Callable[[float], Awaitable[bool]] = bell._closed_within

    async def noted(seconds: float) -> bool:
        waits.append(seconds)
        return await original(seconds)

    monkeypatch.setattr(bell, "_closed_within", noted)
    receiver.says = [500] * notify.TRIES_MAX
    bell.ring(ALERT, "raised", _setup(Webhook("ops", receiver.url)))
    bell.ring(ALERT, "cleared", _setup(Webhook("ops", receiver.url)))
    await _until(lambda: bell.delivered == 1)
    assert bell.failed == 1
    assert receiver.deliveries == ["1.1.answer_time.raised"] * 10 + ["1.1.answer_time.cleared"]
    assert waits == [0.01, 0.02, *[0.04] * 7]


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_redirect_is_not_followed(bell: WebhookBell, receiver: Receiver, status: int) -> None:
    receiver.says = [status]
    bell.ring(ALERT, "raised", _setup(Webhook("ops", receiver.url)))
    await _until(lambda: bell.delivered == 1)
    assert receiver.paths == ["/hook", "/hook"]


async def test_a_silent_receiver_costs_its_limit_and_nobody_else(
    bell: WebhookBell, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "POST_LIMIT_S", 5.0)
    monkeypatch.setattr(notify, "TRIES_MAX", 1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        webhooks = (Webhook("mute", f"http://127.0.0.1:{port}/"), Webhook("ops", receiver.url))
        began = time.monotonic()
        bell.ring(ALERT, "raised", _setup(*webhooks))
        await _until(lambda: bell.delivered == 1)
        assert (bell.queued, bell.failed) == (1, 0), "the other one did not wait"
        await _until(lambda: bell.failed == 1)
        assert time.monotonic() - began > 4.9


async def test_what_has_no_room_drops_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "QUEUE_MAX", 10)
    bell = WebhookBell()
    webhooks = (Webhook("a", "http://127.0.0.1:1/"), Webhook("b", "http://127.0.0.1:1/"))
    for n in range(100):
        bell.ring(replace(ALERT, id=f"1.{n}"), "raised", _setup(*webhooks))
    assert (bell.queued, bell.dropped) == (10, 190)
    kept = [notice.delivery for queue in bell._queues.values() for notice in queue]
    assert sorted(kept) == sorted([f"1.{n}.raised" for n in range(95, 100)] * 2)
    await bell.close()


async def test_a_receiver_down_for_long_leaves_the_newest(bell: WebhookBell, receiver: Receiver) -> None:
    receiver.says = [503] * 3
    setup = _setup(Webhook("ops", receiver.url))
    for n in range(notify.QUEUE_MAX + 5):
        bell.ring(replace(ALERT, id=f"1.{n}"), "raised", setup)
    assert (bell.queued, bell.dropped) == (notify.QUEUE_MAX, 5)
    await _until(lambda: bell.delivered == notify.QUEUE_MAX)
    assert receiver.deliveries[-1] == f"1.{notify.QUEUE_MAX + 4}.raised"
    assert "1.4.raised" not in receiver.deliveries
    assert bell.queued == 0


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://x", "", "127.0.0.1:80"])
async def test_only_http_is_spoken(bell: WebhookBell, url: str) -> None:
    bell.ring(ALERT, "raised", _setup(Webhook("ops", url)))
    assert (bell.queued, bell.failed) == (0, 1)


@pytest.mark.parametrize("url", ["http://", "http://[::1", "http://127.0.0.1:99999/", "http://nobody.invalid/"])
async def test_a_url_that_leads_nowhere_is_given_up(
    bell: WebhookBell, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(*_asked: object, **_how: object) -> list[dict[str, object]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", unknown)  # whatever the machine's own says of any name
    monkeypatch.setattr(notify, "TRIES_MAX", 2)
    bell.ring(ALERT, "raised", _setup(Webhook("ops", url)))
    await _until(lambda: bell.failed == 1)
    assert bell.queued == 0


async def test_closing_tries_what_is_left_once_and_shortly(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "BACKOFF_FIRST_S", 60.0)
    monkeypatch.setattr(notify, "DRAIN_S", 30.0)
    bell = WebhookBell()
    running = asyncio.create_task(bell.run())
    receiver.says = [500]
    for n in range(3):
        bell.ring(replace(ALERT, id=f"1.{n}"), "raised", _setup(Webhook("ops", receiver.url)))
    await _until(lambda: len(receiver.bodies) == 1)
    running.cancel()
    began = time.monotonic()
    await bell.close()
    assert time.monotonic() - began < notify.DRAIN_S
    assert receiver.deliveries == ["1.0.raised", "1.1.raised", "1.2.raised"]
    assert (bell.delivered, bell.failed) == (2, 1)


async def test_closing_waits_for_no_silent_receiver(receiver: Receiver) -> None:
    bell = WebhookBell()
    running = asyncio.create_task(bell.run())
    receiver.silent_s = 40
    bell.ring(ALERT, "raised", _setup(Webhook("ops", receiver.url)))
    await _until(lambda: len(receiver.bodies) == 1)
    running.cancel()
    began = time.monotonic()
    await bell.close()
    assert time.monotonic() - began < receiver.silent_s


async def test_a_name_that_leads_to_no_receiver_is_not_followed(
    bell: WebhookBell, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name may be pointed elsewhere after the setup was checked; the good ones of its addresses still serve."""
    port = int(receiver.url.rpartition(":")[2].partition("/")[0])
    leads_to: dict[str, list[str]] = {"evil.example": ["169.254.169.254"], "both.example": ["169.254.1.1", "127.0.0.1"]}

    async def resolved(_self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        return [
            {"hostname": host, "host": one, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
            for one in leads_to[host]
        ]

    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", resolved)
    monkeypatch.setattr(notify, "TRIES_MAX", 1)
    hooks = tuple(Webhook(name, f"http://{name}:{port}/hook") for name in leads_to)
    bell.ring(ALERT, "raised", Setup(webhooks=hooks))
    await _until(lambda: bell.delivered + bell.failed == 2)
    assert (bell.delivered, bell.failed) == (1, 1)
    assert [headers["Host"] for headers in receiver.headers] == [f"both.example:{port}"]
