"""What is (calls, callers waiting, agents, trunks), read from the world when somebody collects: a step pays nothing."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller import __version__, log
from controller.core import quality
from controller.core.model import Agent, Alert, Call, Phase, TrunkState, TrunkWindow
from controller.core.setup import Setup
from controller.metrics_counted import FeedView
from controller.ports import Clock

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
    def owed_lost(self) -> int: ...
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


class Present(Collector):
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
        lost = CounterMetricFamily(
            "tongdai_ledger_lost_turns", "Turns that found no room in memory and none on disk: history is missing."
        )
        lost.add_metric([], self._engine.owed_lost)
        yield lost


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
