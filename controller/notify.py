"""Alerts to webhooks: one POST a notice, tried again while the receiver is away, bounded, never waited for.

Every webhook has a lane of its own, in order: `raised` arrives before `cleared`, and a receiver that is down delays
nobody else. All lanes together hold `QUEUE_MAX` notices; then the oldest one goes and is counted. The same notice may
arrive twice (an answer of the receiver got lost): `X-Tongdai-Delivery` is the same both times.

A name is resolved for each connection, and what `core.addresses` keeps out is left out of the answer: a name may lead
elsewhere today than when the setup was checked.

With a secret, `X-Tongdai-Signature` is `sha256=` and the hexadecimal HMAC-SHA256 (RFC 2104) of the body.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import aiohttp
import structlog
from aiohttp.abc import ResolveResult

from controller.core.addresses import may_be_posted_to
from controller.core.model import Alert
from controller.core.setup import Setup, Webhook

QUEUE_MAX: Final = 1_000
TRIES_MAX: Final = 10
BACKOFF_FIRST_S: Final = 0.5
BACKOFF_MAX_S: Final = 60.0
POST_LIMIT_S: Final = 5.0
DRAIN_S: Final = 0.5
"""How long the end of the process waits for notices under way."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell one webhook. `place` is its age among all notices."""

    place: int
    webhook: Webhook
    delivery: str
    body: bytes

    def headers(self) -> dict[str, str]:
        """What goes with the body."""
        found = {"Content-Type": "application/json", "X-Tongdai-Delivery": self.delivery}
        if self.webhook.secret:
            digest = hmac.new(self.webhook.secret.encode(), self.body, hashlib.sha256).hexdigest()
            found["X-Tongdai-Signature"] = f"sha256={digest}"
        return found


class Resolver(aiohttp.ThreadedResolver):
    """The system's resolver without addresses that no receiver of alerts can have."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Every address that may be posted to; OSError when there is none."""
        found = [row for row in await super().resolve(host, port, family) if may_be_posted_to(row["host"])]
        if not found:
            raise OSError(f"{host} leads to no address of a receiver")
        return found


class WebhookBell:
    """`ports.Bell` over HTTP. `delivered`, `failed` and `dropped` count notices since the start."""

    def __init__(self) -> None:
        self.delivered = 0
        self.failed = 0
        self.dropped = 0
        self._log = structlog.get_logger("notify")
        self._queues: dict[str, deque[Notice]] = {}
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._count = 0

    @property
    def queued(self) -> int:
        """Notices not yet delivered or given up."""
        return sum(map(len, self._queues.values()))

    def ring(self, alert: Alert, change: str, setup: Setup) -> None:
        """Queue a notice for every webhook that wants alerts of this kind."""
        for webhook in setup.webhooks:
            if webhook.kinds and alert.kind not in webhook.kinds:
                continue
            if not webhook.url.startswith(("http://", "https://")):
                self._give_up(webhook.name, "wants http or https")
                continue
            self._make_room()
            self._count += 1
            notice = Notice(self._count, webhook, f"{alert.id}.{change}", _body(alert, change))
            self._queues.setdefault(webhook.name, deque()).append(notice)
        self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for name in [name for name, queue in self._queues.items() if queue and name not in self._lanes]:
                self._lanes[name] = asyncio.create_task(self._work(name))

    async def close(self) -> None:
        """Finish what is being sent, try what is left once, all of it shortly; the rest is lost with the process."""
        self._closing.set()
        if self._lanes:
            await asyncio.wait(list(self._lanes.values()), timeout=DRAIN_S)
        for lane in list(self._lanes.values()):
            lane.cancel()
        if self._session is not None:
            await self._session.close()

    def _make_room(self) -> None:
        """Drop the oldest notice of all when there is no room for another."""
        if self.queued < QUEUE_MAX:
            return
        oldest = min((queue for queue in self._queues.values() if queue), key=lambda queue: queue[0].place)
        oldest.popleft()
        self.dropped += 1

    async def _work(self, name: str) -> None:
        """Deliver one webhook's notices in order, then end."""
        queue = self._queues[name]
        try:
            while queue:
                notice = queue[0]
                await self._deliver(notice)
                if queue and queue[0] is notice:
                    queue.popleft()
        finally:
            del self._lanes[name]
            if not queue:
                self._queues.pop(name, None)

    async def _deliver(self, notice: Notice) -> None:
        """Try until the receiver took it, we gave up, or the notice was dropped to make room."""
        queue = self._queues[notice.webhook.name]
        wait_s, why = BACKOFF_FIRST_S, ""
        for tried in range(TRIES_MAX):
            if tried and await self._closed_within(wait_s):
                break
            if not queue or queue[0] is not notice:
                return
            wait_s = min(wait_s * 2, BACKOFF_MAX_S) if tried else wait_s
            why = await self._post(notice)
            if not why:
                self.delivered += 1
                return
        self._give_up(notice.webhook.name, why)

    async def _closed_within(self, seconds: float) -> bool:
        """Wait before the next try; true when there will be none because we close."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return False
        return True

    async def _post(self, notice: Notice) -> str:
        """Send once; returns what went wrong, empty when the receiver said 2xx. A redirect is not followed."""
        if self._session is None:
            limit = aiohttp.ClientTimeout(total=POST_LIMIT_S)
            connector = aiohttp.TCPConnector(resolver=Resolver(), use_dns_cache=False)
            self._session = aiohttp.ClientSession(
                timeout=limit, cookie_jar=aiohttp.DummyCookieJar(), connector=connector
            )
        try:
            async with self._session.post(
                notice.webhook.url, data=notice.body, headers=notice.headers(), allow_redirects=False
            ) as answer:
                return "" if answer.ok and answer.status < 300 else f"status {answer.status}"  # noqa: PLR2004 - 2xx
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return type(error).__name__

    def _give_up(self, name: str, why: str) -> None:
        self.failed += 1
        self._log.warning("notice_lost", webhook=name, why=why)


def _body(alert: Alert, change: str) -> bytes:
    told = {
        "change": change,
        "id": alert.id,
        "kind": alert.kind,
        "call": alert.call,
        "hotline": alert.hotline or None,
        "queue": alert.queue or None,
        "agent": alert.agent or None,
        "limit_s": alert.limit_s,
        "raised_at": _iso(alert.raised_at_ms),
        "cleared_at": _iso(alert.cleared_at_ms),
    }
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def _iso(at_ms: int | None) -> str | None:
    """Write an instant as the API does: ISO 8601 in UTC with milliseconds."""
    if at_ms is None:
        return None
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"
