"""What one step of the core costs among 10 to 10,000 agents and as many waiting callers.

    python -m benchmarks.step_cost

Prints the median time of a step in microseconds for each scene and size, and how much it grew. Half of the agents
serve a queue where callers wait and are not ready; the other half are free in a queue where nobody waits.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from controller.core.events import (
    AgentStatusAsked,
    CallArrived,
    CallGone,
    EndpointSeen,
    Event,
    LegAnswered,
    LegGone,
    LegRinging,
    OutboundAsked,
    OutboundEnded,
    PhoneChannel,
    SetupChanged,
    SnapshotTaken,
    Ticked,
    WrapUpEndAsked,
)
from controller.core.setup import AgentSetup, Carrier, Group, Hotline, Queue, QueueGroup, Setup, Trunk
from controller.core.step import step
from controller.core.world import World

START_MS = 1_763_000_000_000
LONG_S = 100_000
CROWDED, QUIET = "+842473001001", "+842473001002"
SIZES = (10, 100, 1_000, 10_000)
ROUNDS = 200


def setup(size: int) -> Setup:
    """`size` agents, half of them in each of two groups and queues."""
    queues = tuple(
        Queue(name, (QueueGroup(name),), ring_time=LONG_S, max_wait=LONG_S, max_size=10 * size + 1000, wrap_up=30)
        for name in ("crowded", "quiet")
    )
    return Setup(
        trunks=(Trunk("v1", "viettel", endpoint="v1"),),
        carriers=(Carrier("viettel", prefixes=("096",)),),
        hotlines=(
            Hotline(CROWDED, queue="crowded", notify_answer_time=LONG_S),
            Hotline(QUIET, queue="quiet", trunk="v1", carrier="viettel", outbound=True, notify_talk_time=LONG_S),
        ),
        queues=queues,
        groups=(Group("crowded"), Group("quiet")),
        agents=tuple(
            AgentSetup(f"a{n}", ("quiet" if n % 2 else "crowded",), f"{n}", QUIET, endpoint=f"a{n}")
            for n in range(size)
        ),
    )


def crowd(size: int) -> tuple[World, int]:
    """A world with so many agents and so many waiting callers, and its time."""
    world, rows = World(), setup(size)
    events: list[Event] = [
        SetupChanged(rows),
        SnapshotTaken("boot 1", endpoints=tuple(EndpointSeen(row.endpoint, True) for row in rows.agents)),
    ]
    events += [AgentStatusAsked(row.name, "available" if n % 2 else "not_ready") for n, row in enumerate(rows.agents)]
    events += [CallArrived(f"1.{n}", CROWDED, "0967000001") for n in range(size)]
    for event in events:
        broken = step(world, event, START_MS).broken
        if broken:
            raise RuntimeError(broken)
    return world, START_MS


@dataclass(frozen=True, slots=True)
class Scene:
    """One thing that happens: `events(world, size, round)` are its messages, the world as it was before and after."""

    name: str
    events: Callable[[World, int, int], list[Event]]


def _inbound(world: World, _size: int, n: int) -> list[Event]:
    """A call comes to the quiet queue, is rung, answered and ended; the rest is ended early."""
    call = f"2.{world.steps}{n}"
    leg = f"{call}.a1"
    agent = world.free("quiet", 0)[0][2]
    return [
        CallArrived(call, QUIET, "0967000001"),
        LegRinging(call, leg),
        LegAnswered(call, leg),
        LegGone(call, leg, 16),
        CallGone(call),
        WrapUpEndAsked(agent),
    ]


def _waits(world: World, _size: int, n: int) -> list[Event]:
    """One more caller joins the crowd and gives up."""
    call = f"3.{world.steps}{n}"
    return [CallArrived(call, CROWDED, "0967000001"), CallGone(call)]


def _serves(world: World, _size: int, n: int) -> list[Event]:
    """An agent of the crowd comes, takes the longest waiter, and goes; a new caller takes the place."""
    call = world.waiting("crowded")[0].id
    leg, new = f"{call}.a{world.calls[call].legs + 1}", f"4.{world.steps}{n}"
    return [
        AgentStatusAsked("a0", "available"),
        LegAnswered(call, leg),
        AgentStatusAsked("a0", "not_ready"),
        LegGone(call, leg, 16),
        CallGone(call),
        WrapUpEndAsked("a0"),
        CallArrived(new, CROWDED, "0967000001"),
    ]


def _declines(world: World, _size: int, n: int) -> list[Event]:
    """The phone of a free agent is busy: the next one rings; the caller gives up."""
    call = f"5.{world.steps}{n}"
    return [
        CallArrived(call, QUIET, "0967000001"),
        LegGone(call, f"{call}.a1", 17, 486),
        CallGone(call),
        LegGone(call, f"{call}.a2", 16),
    ]


def _dials(world: World, _size: int, n: int) -> list[Event]:
    """An agent dials out and the callee is busy."""
    call = f"6.{world.steps}{n}"
    return [
        PhoneChannel("a1", call, "ring"),
        OutboundAsked(call, "a1", "0967123456"),
        OutboundEnded(call, "BUSY", 17),
        PhoneChannel("a1", call, "gone"),
    ]


def _ticks(_world: World, _size: int, _n: int) -> list[Event]:
    return [AgentStatusAsked("a0", "not_ready", "x"), Ticked()]


SCENES = (
    Scene("inbound call from ring to rest", _inbound),
    Scene("caller joins and leaves the crowd", _waits),
    Scene("agent takes the longest waiter", _serves),
    Scene("busy phone, next agent", _declines),
    Scene("outbound call", _dials),
    Scene("nothing is due", _ticks),
)


def time_us(world: World, scene: Scene, size: int, now_ms: int, rounds: int) -> float:
    """The median over rounds of the mean time of a step."""
    took = []
    for n in range(rounds):
        events = scene.events(world, size, n)
        began = time.perf_counter()
        for event in events:
            step(world, event, now_ms)
        took.append((time.perf_counter() - began) / len(events) * 1e6)
    return median(took)


def main(argv: list[str] | None = None, show: Callable[[str], None] = print) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args(argv).rounds
    worlds = {size: crowd(size) for size in SIZES}
    show(f"{'agents and waiting callers':36}" + "".join(f"{size:>10,}" for size in SIZES) + f"{'growth':>10}")
    for scene in SCENES:
        us = [time_us(world, scene, size, now_ms, rounds) for size, (world, now_ms) in worlds.items()]
        show(f"{scene.name:36}" + "".join(f"{one:7.1f} µs" for one in us) + f"{us[-1] / us[0]:10.2f}")
    show("median of the mean time of a step\n")


if __name__ == "__main__":
    main()
