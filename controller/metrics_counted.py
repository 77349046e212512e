"""What happens, counted when it happens: steps and commits by the engine, the rest by following the feed of facts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram

from controller.core.facts import (
    AlertRaised,
    AttemptEnded,
    CallAnswered,
    CallEnded,
    CallQueued,
    ConsultEnded,
    Fact,
    OddEvent,
    OfferEnded,
    OutboundBlocked,
    OutboundPicked,
    Reconciled,
    TrunkFailed,
)
from controller.ports import Said

SECONDS_FAST: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)
SECONDS_SLOW: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
SECONDS_WAIT: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Reader(Protocol):
    """One reader of the feed."""

    lost: bool

    def __aiter__(self) -> AsyncIterator[Said]: ...


class FeedView(Protocol):
    """What is read of the feed."""

    last_seq: int

    def since(self, seq: int) -> list[Said]: ...
    def subscribe(self) -> Reader: ...


class EngineMeter:
    """What the engine tells as it goes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter("tongdai_events", "Events taken by the core.", ["type"], registry=registry)
        self._steps = Histogram(
            "tongdai_step_seconds", "Time the core took for one event.", buckets=SECONDS_FAST, registry=registry
        )
        self._broken = Counter("tongdai_broken_steps", "Steps that broke and changed nothing.", registry=registry)
        self._breaches = Counter(
            "tongdai_invariant_breaches", "Invariants found not to hold.", ["invariant"], registry=registry
        )
        self._commits = Histogram(
            "tongdai_ledger_commit_seconds",
            "Time of one commit, retries not included.",
            buckets=SECONDS_SLOW,
            registry=registry,
        )
        self._turns = Counter("tongdai_ledger_turns", "Turns written to the ledger.", registry=registry)
        self._of_event: dict[str, Counter] = {}

    def step(self, event: str, seconds: float) -> None:
        """One step took so long."""
        counted = self._of_event.get(event)
        if counted is None:
            counted = self._of_event[event] = self._events.labels(event)
        counted.inc()
        self._steps.observe(seconds)

    def commit(self, seconds: float, turns: int) -> None:
        """One commit of so many turns took so long."""
        self._commits.observe(seconds)
        self._turns.inc(turns)

    def degraded(self, on: bool, owed: int) -> None:
        """The engine is, or is no longer, routing without its books; both are read when collected."""

    def odd(self, why: str) -> None:  # noqa: ARG002 - the reason is for the log, not for a label
        """A step broke."""
        self._broken.inc()

    def breach(self, number: str) -> None:
        """Something that must hold does not; `number` is that of docs/invariants.md."""
        self._breaches.labels(number).inc()


class FactMeter:
    """What facts add up to."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"tongdai_{name}", what, labels, registry=registry)

        self._ended = counter("calls_ended", "Calls that ended.", "direction", "result")
        self._queued = counter("queue_queued", "Callers who entered a queue.", "queue")
        self._answered = counter("queue_answered", "Queued callers who met an agent.", "queue")
        self._missed = counter("queue_missed", "Queued callers who never met an agent.", "queue")
        self._offers = counter("offers_ended", "Offers that came to nothing.", "queue", "outcome")
        self._alerts = counter("alerts_raised", "Alerts raised.", "kind")
        self._picks = counter("outbound_decisions", "Decisions in the dial path.", "outcome")
        self._trunks = counter("trunk_failures", "Attempts that failed for the trunk's own reasons.", "trunk")
        self._attempts = counter("trunk_attempts", "Attempts by how Dial said they ended.", "trunk", "status")
        self._consults = counter("consultations", "Phones asked before a transfer, by how it ended.", "outcome")
        self._odd = counter("odd_events", "Events nobody foresaw.", "type")
        self._mended = counter("reconcile", "What snapshots of Asterisk made us mend.", "what")
        self._waits = Histogram(
            "tongdai_queue_wait_seconds",
            "Wait of answered callers.",
            ["queue"],
            buckets=SECONDS_WAIT,
            registry=registry,
        )

    def count(self, fact: Fact) -> None:
        """Count one fact."""
        match fact:
            case CallEnded():
                self._call_ended(fact)
            case CallQueued():
                self._queued.labels(fact.queue).inc()
            case CallAnswered() if fact.queue:
                self._answered.labels(fact.queue).inc()
                self._waits.labels(fact.queue).observe(fact.waited_ms / 1000)
            case OfferEnded():
                self._offers.labels(fact.queue, fact.outcome).inc()
            case AlertRaised():
                self._alerts.labels(fact.kind).inc()
            case _:
                self._count_rarer(fact)

    def _count_rarer(self, fact: Fact) -> None:
        match fact:
            case OutboundPicked():
                self._picks.labels("allowed").inc()
            case OutboundBlocked():
                self._picks.labels(fact.reason).inc()
            case TrunkFailed():
                self._trunks.labels(fact.trunk).inc()
            case AttemptEnded():
                self._attempts.labels(fact.trunk, fact.status.lower() or "none").inc()
            case ConsultEnded():
                self._consults.labels(fact.outcome).inc()
            case OddEvent():
                self._odd.labels(fact.event).inc()
            case Reconciled():
                for what in ("calls_ended", "calls_adopted", "orphans"):
                    self._mended.labels(what).inc(getattr(fact, what))
            case _:
                return

    def _call_ended(self, fact: CallEnded) -> None:
        self._ended.labels(fact.direction, fact.result).inc()
        if fact.queue and fact.result == "missed":
            self._missed.labels(fact.queue).inc()

    async def follow(self, feed: FeedView) -> None:
        """Count every fact from now on. A reader that fell behind goes on where it was, as far as the feed keeps."""
        seen = feed.last_seq
        while True:
            reader = feed.subscribe()
            seen = self._catch_up(feed, seen)
            async for said in reader:
                if said.seq == seen + 1:
                    self.count(said.fact)
                    seen = said.seq
                elif said.seq > seen:
                    seen = self._catch_up(feed, seen)

    def _catch_up(self, feed: FeedView, seen: int) -> int:
        """Count what the feed still has after `seen`; returns the number of the last."""
        for said in feed.since(seen):
            self.count(said.fact)
            seen = said.seq
        return seen
