"""Every metric there is, by name. Nothing in here knows a caller.

What happens is counted when it happens (`metrics_counted`); what *is* is read from the world when somebody collects
(`metrics_present`). Facts are counted by following the feed as any viewer does.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from controller.clock import SystemClock
from controller.metrics_counted import SECONDS_SLOW, EngineMeter, FactMeter
from controller.metrics_present import BellView, EngineView, Present
from controller.ports import Clock

SCRIPTS: Final = frozenset({"outbound", "next", "ended", "feature", "kept"})
"""Paths of FastAGI that become a label; any other is a stranger's and becomes `other`."""


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.registry = CollectorRegistry()
        self.meter = EngineMeter(self.registry)
        self._facts = FactMeter(self.registry)
        self._clock = clock or SystemClock()
        self._commands = Counter(
            "tongdai_commands", "Commands by their outcome.", ["command", "outcome"], registry=self.registry
        )
        self._sessions = Counter(
            "tongdai_agi_sessions", "FastAGI sessions.", ["script", "outcome"], registry=self.registry
        )
        self._decisions = Histogram(
            "tongdai_agi_session_seconds",
            "Time of one FastAGI session.",
            ["script"],
            buckets=SECONDS_SLOW,
            registry=self.registry,
        )
        self._leader = Gauge(
            "tongdai_leader", "Whether this controller leads (1) or stands by (0).", registry=self.registry
        )
        self._ping = Gauge(
            "tongdai_ari_ping_seconds", "Round trip of the last ping to Asterisk.", registry=self.registry
        )
        self._ping.set(math.nan)
        self._lookups = Counter(
            "tongdai_lookups", "Questions to the look-up service by their outcome.", ["outcome"], registry=self.registry
        )
        self._of_command: dict[tuple[str, str], Counter] = {}
        self._following: asyncio.Task[None] | None = None
        ProcessCollector(namespace="tongdai", registry=self.registry)

    def lead(self, on: bool) -> None:
        """This controller leads from now on, or does so no longer."""
        self._leader.set(on)

    def command(self, name: str, outcome: str) -> None:
        """A command ended: done, failed or fenced."""
        counted = self._of_command.get((name, outcome))
        if counted is None:
            counted = self._of_command[name, outcome] = self._commands.labels(name, outcome)
        counted.inc()

    def lookup(self, outcome: str) -> None:
        """The look-up service was to be asked: remembered, found, unknown, failed, busy or open."""
        self._lookups.labels(outcome).inc()

    def ping(self, seconds: float) -> None:
        """Asterisk answered a ping of the event stream after so long; not a number until it did."""
        self._ping.set(seconds)

    def agi(self, script: str, outcome: str, seconds: float) -> None:
        """A FastAGI session ended."""
        path = script.strip("/")
        label = path if path in SCRIPTS else "other"
        self._sessions.labels(label, outcome).inc()
        if outcome != "refused":
            self._decisions.labels(label).observe(seconds)

    def watch(self, engine: EngineView, bell: BellView | None = None, odd: Mapping[str, int] | None = None) -> None:
        """Show this engine's world from now on and count its facts. Wants a running event loop.

        `odd` counts messages of Asterisk that were not understood, by reason; it is read anew each time.
        """
        self.registry.register(Present(engine, bell, self._clock, odd if odd is not None else {}))
        self._following = asyncio.get_running_loop().create_task(self._facts.follow(engine.feed))

    async def close(self) -> None:
        """Stop counting."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
