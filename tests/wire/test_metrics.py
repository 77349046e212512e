"""Metrics: what happened is counted once, what is is read when asked, and no caller ever becomes a label."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from controller import __version__, log
from controller.core.facts import (
    AlertRaised,
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
from controller.core.model import Agent, Alert, Call, Offer, Phase, TrunkState
from controller.core.setup import Queue, Setup, Trunk
from controller.core.world import World
from controller.feed import READER_MAX, Feed
from controller.metrics import Metrics
from controller.ports import Said

pytestmark = pytest.mark.pure

T0 = 1_700_000_000_000
SETUP = Setup(
    queues=(Queue("sales"), Queue("support")),
    trunks=(Trunk("viettel-1"), Trunk("vina-1")),
    version=7,
)


class Clock:
    def now_ms(self) -> int:
        return T0


@dataclass
class Engine:
    world: World = field(default_factory=lambda: World(SETUP))
    feed: Feed = field(default_factory=Feed)
    degraded: bool = False
    owed: int = 0
    owed_lost: int = 0
    behind: int = 0
    journal_failures: int = 0
    ready_parts: dict[str, str] = field(
        default_factory=lambda: {"asterisk": "connecting", "database": "ok", "agi": "ok"}
    )


@dataclass
class Bell:
    queued: int = 3
    delivered: int = 5
    failed: int = 2
    dropped: int = 1


def shown(metrics: Metrics) -> dict[str, float]:
    """Every sample by its name and labels, as a collector reads it."""
    found = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def a_call(name: str, phase: Phase, **fields: object) -> Call:
    caller = "+84912345678"
    return Call(name, "inbound", phase, "+842473001001", caller, "An", "", T0 - 60_000, **fields)  # type: ignore[arg-type]


async def test_what_is_is_read_from_the_world() -> None:
    engine, metrics = Engine(), Metrics(Clock())
    metrics.watch(engine, Bell())
    offer = Offer("an", "1.2.a1", T0, T0 + 15_000)
    for entity in (
        a_call("1.1", Phase.WAITING, queue="sales", queued_at_ms=T0 - 30_000),
        a_call("1.2", Phase.WAITING, queue="sales", queued_at_ms=T0 - 42_500, offers=(offer,)),
        a_call("1.3", Phase.MENU),
        a_call("1.4", Phase.TALKING),
        a_call("1.5", Phase.ENDING),
        Agent("an", state="offered"),
        Agent("binh", state="ready"),
        Agent("chi"),
        TrunkState("viettel-1", live=("1.8", "1.9"), cooling_until_ms=T0 + 1),
        Alert("1.1.answer_time", "answer_time", "1.1", "", "sales", "", 20, T0),
    ):
        engine.world.put(entity)
    engine.degraded, engine.owed, engine.owed_lost = True, 12, 4
    found = shown(metrics)
    expected = {
        f"tongdai_info{{version={__version__}}}": 1,
        "tongdai_setup_version": 7,
        "tongdai_calls{direction=inbound,state=waiting}": 1,
        "tongdai_calls{direction=inbound,state=ringing}": 1,
        "tongdai_calls{direction=inbound,state=menu}": 1,
        "tongdai_calls{direction=inbound,state=talking}": 1,
        "tongdai_calls{direction=inbound,state=ending}": 1,
        "tongdai_calls{direction=outbound,state=talking}": 0,
        "tongdai_queue_waiting{queue=sales}": 2,
        "tongdai_queue_waiting{queue=support}": 0,
        "tongdai_queue_longest_wait_seconds{queue=sales}": 42.5,
        "tongdai_queue_longest_wait_seconds{queue=support}": 0,
        "tongdai_agents{state=offered}": 1,
        "tongdai_agents{state=ready}": 1,
        "tongdai_agents{state=offline}": 1,
        "tongdai_agents{state=wrap_up}": 0,
        "tongdai_trunk_calls{trunk=viettel-1}": 2,
        "tongdai_trunk_cooling{trunk=viettel-1}": 1,
        "tongdai_trunk_calls{trunk=vina-1}": 0,
        "tongdai_trunk_cooling{trunk=vina-1}": 0,
        "tongdai_alerts_open{kind=answer_time}": 1,
        "tongdai_part_ready{part=asterisk}": 0,
        "tongdai_part_ready{part=database}": 1,
        "tongdai_ledger_degraded": 1,
        "tongdai_ledger_owed_turns": 12,
        "tongdai_ledger_lost_turns_total": 4,
        "tongdai_webhook_queue": 3,
        "tongdai_webhook_notices_total{outcome=delivered}": 5,
        "tongdai_webhook_notices_total{outcome=dropped}": 1,
        "tongdai_log_lines_lost_total": log.lost_lines(),
    }
    assert {name: found.get(name) for name in expected} == expected
    await metrics.close()


def ended(result: str = "answered", queue: str = "sales") -> CallEnded:
    words = ("1.1", "inbound", "+842473001001", "+84912345678", "", queue, "an")
    return CallEnded(*words, T0, T0, T0, T0, result, "caller", "", "", "", "", "", "", 1)


FACTS: list[tuple[Fact, dict[str, float]]] = [
    (ended(), {"tongdai_calls_ended_total{direction=inbound,result=answered}": 1}),
    (ended("missed"), {"tongdai_queue_missed_total{queue=sales}": 1}),
    (CallQueued("1.1", "sales", 1), {"tongdai_queue_queued_total{queue=sales}": 1}),
    (
        CallAnswered("1.1", "+842473001001", "sales", "an", 7_000),
        {
            "tongdai_queue_answered_total{queue=sales}": 1,
            "tongdai_queue_wait_seconds_bucket{le=5.0,queue=sales}": 0,
            "tongdai_queue_wait_seconds_bucket{le=10.0,queue=sales}": 1,
            "tongdai_queue_wait_seconds_sum{queue=sales}": 7,
        },
    ),
    (
        OfferEnded("1.1", "sales", "an", "1.1.a1", "no_answer", 15_000),
        {"tongdai_offers_ended_total{outcome=no_answer,queue=sales}": 1},
    ),
    (AlertRaised("a", "talk_time", "1.1", "", "", "", 5), {"tongdai_alerts_raised_total{kind=talk_time}": 1}),
    (
        OutboundPicked("1.1", "an", "+84912345678", "viettel", "prefix", (), ()),
        {"tongdai_outbound_decisions_total{outcome=allowed}": 1},
    ),
    (
        OutboundBlocked("1.1", "an", "+84912345678", "blocked", ()),
        {"tongdai_outbound_decisions_total{outcome=blocked}": 1},
    ),
    (
        ConsultEnded("1.1", "an", "+84912345678", "completed"),
        {"tongdai_consultations_total{outcome=completed}": 1},
    ),
    (TrunkFailed("1.1", "vina-1", "CONGESTION", 34, None), {"tongdai_trunk_failures_total{trunk=vina-1}": 1}),
    (OddEvent("1.1", "LegGone", "why +84912345678"), {"tongdai_odd_events_total{type=LegGone}": 1}),
    (
        Reconciled(2, 3, 4, pbx_restarted=True),
        {"tongdai_reconcile_total{what=calls_ended}": 2, "tongdai_reconcile_total{what=orphans}": 4},
    ),
]


@pytest.mark.parametrize(("fact", "expected"), FACTS, ids=lambda value: type(value).__name__)
async def test_facts_are_counted(fact: Fact, expected: dict[str, float]) -> None:
    engine, metrics = Engine(), Metrics(Clock())
    metrics.watch(engine)
    await asyncio.sleep(0)
    engine.feed.publish(Said(1, T0, fact))
    await asyncio.sleep(0)
    found = shown(metrics)
    assert {name: found.get(name) for name in expected} == expected
    assert not [name for name in found if "8491234" in name]
    await metrics.close()


async def test_a_burst_no_reader_can_follow_is_counted_all_the_same() -> None:
    engine, metrics = Engine(), Metrics(Clock())
    engine.feed.publish(Said(1, T0, CallQueued("1.1", "sales", 1)))
    metrics.watch(engine)
    await asyncio.sleep(0)
    count = READER_MAX * 2 + 10
    for seq in range(2, count + 2):
        engine.feed.publish(Said(seq, T0, CallQueued("1.1", "sales", 1)))
    for _ in range(5):
        await asyncio.sleep(0)
    engine.feed.publish(Said(count + 2, T0, CallQueued("1.1", "sales", 1)))
    for _ in range(5):
        await asyncio.sleep(0)
    assert shown(metrics)["tongdai_queue_queued_total{queue=sales}"] == count + 1
    await metrics.close()


def test_what_the_engine_tells() -> None:
    metrics = Metrics(Clock())
    for seconds in (0.00003, 0.0004, 0.3):
        metrics.meter.step("CallArrived", seconds)
    metrics.meter.step("Ticked", 0.0)
    metrics.meter.commit(0.002, 3)
    metrics.meter.odd("a step broke for +84912345678")
    found = shown(metrics)
    assert found["tongdai_events_total{type=CallArrived}"] == 3
    assert found["tongdai_step_seconds_count"] == 4
    assert found["tongdai_step_seconds_bucket{le=5e-05}"] == 2
    assert found["tongdai_ledger_commit_seconds_count"] == 1
    assert found["tongdai_ledger_turns_total"] == 3
    assert found["tongdai_broken_steps_total"] == 1


def test_a_ping_is_no_number_before_the_first_answer() -> None:
    metrics = Metrics(Clock())
    assert math.isnan(shown(metrics)["tongdai_ari_ping_seconds"])
    metrics.ping(0.0004)
    assert shown(metrics)["tongdai_ari_ping_seconds"] == 0.0004


def test_commands_and_sessions() -> None:
    metrics = Metrics(Clock())
    metrics.command("RingAgent", "done")
    metrics.command("RingAgent", "failed")
    metrics.agi("outbound", "done", 0.004)
    metrics.agi("/outbound", "late", 2.0)
    metrics.agi("", "refused", 0.0)
    for n in range(100):
        metrics.agi(f"../../{n}", "garbage", 0.1)
    found = shown(metrics)
    assert found["tongdai_commands_total{command=RingAgent,outcome=done}"] == 1
    assert found["tongdai_commands_total{command=RingAgent,outcome=failed}"] == 1
    assert found["tongdai_agi_sessions_total{outcome=done,script=outbound}"] == 1
    assert found["tongdai_agi_sessions_total{outcome=late,script=outbound}"] == 1
    assert found["tongdai_agi_session_seconds_count{script=outbound}"] == 2
    assert found["tongdai_agi_sessions_total{outcome=garbage,script=other}"] == 100
    assert found["tongdai_agi_session_seconds_count{script=other}"] == 100
    assert found["tongdai_agi_sessions_total{outcome=refused,script=other}"] == 1


async def test_every_name_is_ours() -> None:
    metrics = Metrics(Clock())
    metrics.watch(Engine(), Bell())
    names = {name.split("{")[0] for name in shown(metrics)}
    assert {name for name in names if not name.startswith("tongdai_")} == set()
    await metrics.close()
    await Metrics().close()


async def test_messages_of_asterisk_that_were_not_understood_are_counted_by_reason() -> None:
    odd: dict[str, int] = {}
    metrics = Metrics(Clock())
    metrics.watch(Engine(), Bell(), odd)
    assert not [name for name in shown(metrics) if name.startswith("tongdai_ari_odd_messages")]
    odd.update(unknown_type=2, channel_id=1)
    found = shown(metrics)
    assert found["tongdai_ari_odd_messages_total{reason=unknown_type}"] == 2
    assert found["tongdai_ari_odd_messages_total{reason=channel_id}"] == 1
    await metrics.close()
