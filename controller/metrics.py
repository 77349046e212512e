"""Every metric there is, by name. Nothing in here knows a caller.

What happens is counted when it happens; what *is* (calls, callers waiting, agents, trunks) is read from the world when
somebody collects, so that a step pays nothing for it. Facts are counted by following the feed as any viewer does.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter as Tally
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller import __version__, log
from controller.clock import SystemClock
from controller.core import quality
from controller.core.facts import (
    AlertRaised,
    AttemptEnded,
    CallAnswered,
    CallEnded,
    CallQueued,
    Fact,
    OddEvent,
    OfferEnded,
    OutboundBlocked,
    OutboundPicked,
    Reconciled,
    TrunkFailed,
)
from controller.core.model import Agent, Alert, Call, Phase, TrunkState, TrunkWindow
from controller.core.setup import Setup
from controller.ports import Clock, Said

SECONDS_FAST: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)
SECONDS_SLOW: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
SECONDS_WAIT: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
SCRIPTS: Final = frozenset({"outbound", "next", "ended", "feature", "kept"})
"""Paths of FastAGI that become a label; any other is a stranger's and becomes `other`."""
CALL_STATES: Final = ("menu", "waiting", "ringing", "talking", "ending")
AGENT_STATES: Final = ("ready", "offered", "talking", "busy", "wrap_up", "unreachable", "not_ready", "offline")
_STATES: Final[Mapping[Phase, str]] = {
    Phase.MENU: "menu",
    Phase.ANNOUNCING: "menu",
    Phase.VOICEMAIL: "menu",
    Phase.WAITING: "waiting",
    Phase.FORWARDING: "ringing",
    Phase.CALLING: "ringing",
    Phase.DIALING: "ringing",
    Phase.TALKING: "talking",
    Phase.CONNECTED: "talking",
    Phase.ENDING: "ending",
}


class WorldView(Protocol):
    """What is read of the world."""

    setup: Setup
    calls: dict[str, Call]
    agents: dict[str, Agent]
    trunks: dict[str, TrunkState]
    trunk_windows: dict[str, TrunkWindow]
    alerts: dict[str, Alert]

    def waiting(self, queue: str) -> list[Call]: ...


class Reader(Protocol):
    """One reader of the feed."""

    lost: bool

    def __aiter__(self) -> AsyncIterator[Said]: ...


class FeedView(Protocol):
    """What is read of the feed."""

    last_seq: int

    def since(self, seq: int) -> list[Said]: ...
    def subscribe(self) -> Reader: ...


class EngineView(Protocol):
    """What is read of the engine."""

    @property
    def world(self) -> WorldView: ...
    @property
    def feed(self) -> FeedView: ...
    @property
    def degraded(self) -> bool: ...
    @property
    def owed(self) -> int: ...
    @property
    def behind(self) -> int: ...
    @property
    def journal_failures(self) -> int: ...
    @property
    def ready_parts(self) -> dict[str, str]: ...


class BellView(Protocol):
    """What is read of the webhooks."""

    @property
    def queued(self) -> int: ...
    @property
    def delivered(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def dropped(self) -> int: ...


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
        ProcessCollector(registry=self.registry)

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
        self.registry.register(_Present(engine, bell, self._clock, odd if odd is not None else {}))
        self._following = asyncio.get_running_loop().create_task(self._facts.follow(engine.feed))

    async def close(self) -> None:
        """Stop counting."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])


class _Present(Collector):
    """What is, at the moment of asking."""

    def __init__(self, engine: EngineView, bell: BellView | None, clock: Clock, odd: Mapping[str, int]) -> None:
        self._odd = odd
        self._engine = engine
        self._bell = bell
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """Promise nothing beforehand: the registry would otherwise collect once to find out."""
        return ()

    def collect(self) -> Iterable[Metric]:
        world = self._engine.world
        yield _gauge("tongdai_info", "The program.", {(__version__,): 1}, "version")
        yield _gauge("tongdai_setup_version", "Version of the setup in force.", {(): world.setup.version})
        yield _gauge("tongdai_calls", "Calls that are up.", _calls(world), "direction", "state")
        yield from self._queues(world)
        states = Tally({(state,): 0 for state in AGENT_STATES})
        states.update((agent.state,) for agent in world.agents.values())
        yield _gauge("tongdai_agents", "Agents by state.", states, "state")
        yield from _trunks(world, self._clock.now_ms())
        kinds = Tally((alert.kind,) for alert in world.alerts.values())
        yield _gauge("tongdai_alerts_open", "Alerts not cleared yet.", kinds, "kind")
        yield from self._parts()
        if self._bell is not None:
            yield from _bell(self._bell)
        odd = CounterMetricFamily("tongdai_ari_odd_messages", "Messages not understood.", labels=["reason"])
        for reason, count in dict(self._odd).items():
            odd.add_metric([reason], count)
        yield odd
        lost = CounterMetricFamily("tongdai_log_lines_lost", "Log lines that could not be written.")
        lost.add_metric([], log.lost_lines())
        yield lost
        unkept = CounterMetricFamily("tongdai_journal_failures", "Times the journal could not be written.")
        unkept.add_metric([], self._engine.journal_failures)
        yield unkept
        yield _gauge("tongdai_events_behind", "Events waiting to be decided on.", {(): self._engine.behind})

    def _queues(self, world: WorldView) -> Iterable[Metric]:
        now_ms = self._clock.now_ms()
        waiting: dict[tuple[str], float] = {}
        longest: dict[tuple[str], float] = {}
        for queue in world.setup.queues:
            calls = world.waiting(queue.name)
            since_ms = (calls[0].queued_at_ms or now_ms) if calls else now_ms
            waiting[queue.name,] = len(calls)
            longest[queue.name,] = max(0, now_ms - since_ms) / 1000
        yield _gauge("tongdai_queue_waiting", "Callers waiting, being rung for included.", waiting, "queue")
        yield _gauge("tongdai_queue_longest_wait_seconds", "Wait of the one at the head.", longest, "queue")

    def _parts(self) -> Iterable[Metric]:
        parts = {(part,): float(state in {"ok", "live"}) for part, state in self._engine.ready_parts.items()}
        yield _gauge("tongdai_part_ready", "Whether a part of the house is in order.", parts, "part")
        degraded = float(self._engine.degraded)
        yield _gauge("tongdai_ledger_degraded", "Whether calls are routed without the books.", {(): degraded})
        yield _gauge("tongdai_ledger_owed_turns", "Turns not on the books yet.", {(): self._engine.owed})


def _calls(world: WorldView) -> Tally[tuple[str, str]]:
    found = Tally({(direction, state): 0 for direction in ("inbound", "outbound") for state in CALL_STATES})
    for call in world.calls.values():
        state = "ringing" if call.phase is Phase.WAITING and call.offers else _STATES[call.phase]
        found[call.direction, state] += 1
    return found


def _trunks(world: WorldView, now_ms: int) -> Iterable[Metric]:
    live: dict[tuple[str], float] = {}
    cooling: dict[tuple[str], float] = {}
    for trunk in world.setup.trunks:
        state = world.trunks.get(trunk.name) or TrunkState(trunk.name)
        live[trunk.name,] = len(state.live)
        cooling[trunk.name,] = float(state.cooling_until_ms is not None and state.cooling_until_ms > now_ms)
    yield _gauge("tongdai_trunk_calls", "Calls up on a trunk.", live, "trunk")
    yield _gauge("tongdai_trunk_cooling", "Whether a trunk is left out after failures.", cooling, "trunk")
    yield from _trunk_quality(world, now_ms)


def _trunk_quality(world: WorldView, now_ms: int) -> Iterable[Metric]:
    """The last hour of each trunk that was used in it."""
    reachable: dict[tuple[str], float] = {}
    asr: dict[tuple[str], float] = {}
    delay: dict[tuple[str], float] = {}
    for trunk in world.setup.trunks:
        state, window = world.trunks.get(trunk.name), world.trunk_windows.get(trunk.name)
        reachable[trunk.name,] = float(state is None or state.reachable)
        found = quality.figures((window,) if window else (), now_ms)
        if found.answer_percent is not None:
            asr[trunk.name,] = found.answer_percent / 100
        if found.delay_ms is not None:
            delay[trunk.name,] = found.delay_ms / 1000
    yield _gauge("tongdai_trunk_reachable", "Whether a trunk answers SIP OPTIONS.", reachable, "trunk")
    yield _gauge("tongdai_trunk_answer_seizure_ratio", "Answered attempts over all, last hour.", asr, "trunk")
    yield _gauge("tongdai_trunk_post_dial_delay_seconds", "Mean time to a far sign, last hour.", delay, "trunk")


def _bell(bell: BellView) -> Iterable[Metric]:
    yield _gauge("tongdai_webhook_queue", "Notices not delivered yet.", {(): bell.queued})
    notices = CounterMetricFamily("tongdai_webhook_notices", "Notices by outcome.", labels=["outcome"])
    for outcome, count in (("delivered", bell.delivered), ("failed", bell.failed), ("dropped", bell.dropped)):
        notices.add_metric([outcome], count)
    yield notices


def _gauge(name: str, what: str, values: Mapping[Any, float], *labels: str) -> GaugeMetricFamily:
    """Build a gauge of values by their labels (a tuple, empty where there are none)."""
    family = GaugeMetricFamily(name, what, labels=labels)
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family
