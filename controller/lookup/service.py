"""The look-up service as the dial path sees it: an answer within the deadline, or none. It never raises.

What was answered is remembered for a while, in bounded memory; so is that a number is not known. Who fails again and
again is left alone for a pause (`lookup.breaker`). A call never waits longer than `Limits.timeout_ms`, which the
settings keep below what the dial path grants all look-ups together.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from controller.core.text import clean_name
from controller.lookup.breaker import Breaker, State

ASKING_MAX: Final = 64
"""Questions under way at a time; more than that is a service that is drowning already."""
UNKNOWN_S: Final = 600.0
"""How long a number the service did not know is not asked for again, at most."""

_log = structlog.get_logger("lookup")


class LookupFailedError(Exception):
    """The service did not answer, or said nothing that can be understood; the message is for the log."""


class Source(Protocol):
    """Somebody who knows carriers: a client of one kind of service."""

    async def ask(self, number: str) -> str:
        """The carrier of a number in E.164, empty when the service knows none; LookupFailedError."""
        ...

    async def close(self) -> None:
        """Let every connection go."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how often a service is asked, and how much is remembered."""

    timeout_ms: int = 120
    cache_s: float = 86_400
    cache_max: int = 100_000
    failures: int = 5
    pause_s: float = 30


@dataclass(frozen=True, slots=True)
class Health:
    """How the service does: the breaker's state, what is remembered, and why it failed last."""

    state: State
    cached: int
    asking: int
    trouble: str


class LookupService:
    """One service behind a deadline, a memory and a breaker. `count` is told a word for every question."""

    def __init__(
        self,
        source: Source,
        limits: Limits,
        count: Callable[[str], None] = lambda _outcome: None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._limits = limits
        self._count = count
        self._now_s = now_s
        self._breaker = Breaker(limits.failures, limits.pause_s)
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._asking = 0
        self._trouble = ""

    async def carrier(self, number: str) -> str:
        """Whose subscriber a number in E.164 is, empty when nobody says so in time."""
        known = self._known.get(number)
        if known is not None and self._now_s() < known[1]:
            self._count("remembered")
            return known[0]
        if self._asking >= ASKING_MAX:
            self._count("busy")
            return ""
        if not self._breaker.may_ask(self._now_s()):
            self._count("open")
            return ""
        return await self._ask(number)

    async def _ask(self, number: str) -> str:
        carrier, trouble = "", "the call did not wait for the answer"
        self._asking += 1
        try:
            async with asyncio.timeout(self._limits.timeout_ms / 1000):
                carrier = clean_name(await self._source.ask(number))
            trouble = ""
        except TimeoutError:
            trouble = f"no answer within {self._limits.timeout_ms} ms"
        except LookupFailedError as error:
            trouble = str(error)
        finally:
            self._asking -= 1
            self._settle(trouble)
        if trouble:
            self._count("failed")
            return ""
        self._remember(number, carrier)
        self._count("found" if carrier else "unknown")
        return carrier

    def _settle(self, trouble: str) -> None:
        before = self._breaker.state(self._now_s())
        if trouble:
            self._breaker.failed(self._now_s())
            self._trouble = trouble
        else:
            self._breaker.succeeded()
        after = self._breaker.state(self._now_s())
        if after is State.OPEN and before is not State.OPEN:
            _log.warning("the look-up service is left alone for a while", why=trouble, pause_s=self._limits.pause_s)
        elif after is State.CLOSED and before is not State.CLOSED:
            _log.info("the look-up service answers again")

    def _remember(self, number: str, carrier: str) -> None:
        kept_s = self._limits.cache_s if carrier else min(self._limits.cache_s, UNKNOWN_S)
        self._known.pop(number, None)
        self._known[number] = (carrier, self._now_s() + kept_s)
        if len(self._known) > self._limits.cache_max:
            self._known.popitem(last=False)

    @property
    def health(self) -> Health:
        """How the service does now."""
        return Health(self._breaker.state(self._now_s()), len(self._known), self._asking, self._trouble)

    async def close(self) -> None:
        """Let every connection go."""
        await self._source.close()
