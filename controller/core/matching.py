"""Callers meet agents: once, at the end of a step, when the dust has settled.

Only queues touched by the step are looked at, the one whose head has waited longest first, so that an agent who
serves several queues goes to the caller who has waited longest of all. Within a queue callers leave in order; a
caller who has been refused by every free agent lets the next one pass to those agents and begins a new round after a
short pause. No more than `PASSED_MAX` callers of a queue are passed over in one step.
"""

from __future__ import annotations

from functools import partial
from zlib import crc32

from controller.core import ids, mishap, queueing
from controller.core.model import Call
from controller.core.setup import Queue, Strategy
from controller.core.turn import Turn
from controller.core.world import Place

PASSED_MAX = 64
TIERS = (0, 1)


def match(turn: Turn) -> None:
    """Offer waiting callers to free agents until nothing more fits; not while Asterisk cannot be heard."""
    if not turn.world.linked:
        return
    passed = dict.fromkeys((name for name in turn.touched if name in turn.setup.queue), 0)
    while heads := [(place, name) for name, at in passed.items() if (place := _head(turn, name, at)) is not None]:
        (_, call_id), name = min(heads)
        call = turn.world.calls[call_id]
        mishap.contained(turn, call, partial(_serve, turn, call, turn.setup.queue[name]))
        now = turn.world.calls.get(call_id)
        if now is not None and not now.offers:
            passed[name] += 1


def _head(turn: Turn, queue: str, passed: int) -> Place | None:
    """The next caller of a queue who might be served: somebody waits, and somebody is free."""
    hungry = turn.world.hungry(queue)
    if passed >= min(len(hungry), PASSED_MAX) or not any(turn.world.free(queue, tier) for tier in TIERS):
        return None
    return hungry[passed]


def _serve(turn: Turn, call: Call, queue: Queue) -> None:
    chosen = choose(turn, call, queue)
    if not chosen and call.retry_at_ms is None:
        turn.change_call(call.id, retry_at_ms=turn.now_ms + queueing.RETRY_PAUSE_MS)
    for agent, why in chosen:
        call = turn.world.calls[call.id]
        queueing.offer(turn, call, queue, agent, ids.agent_leg(call.id, call.legs + 1), why)


def choose(turn: Turn, call: Call, queue: Queue) -> list[tuple[str, str]]:
    """The agents to ring for a caller, each with the reason: one, or with ring-all every free one of a tier."""
    for tier in TIERS:
        ranks = turn.world.free(queue.name, tier)
        if not ranks:
            continue
        why = f"{queue.strategy}, {'primary' if tier == 0 else 'secondary'} group"
        if queue.strategy is Strategy.RING_ALL:
            fresh = [(name, why) for _, _, name in ranks if name not in call.tried]
            if fresh:
                return fresh
            continue
        start = crc32(f"{call.id}/{call.offer_count}".encode()) % len(ranks) if _is_random(queue) else 0
        for n in range(len(ranks)):
            name = ranks[(start + n) % len(ranks)][2]
            if name not in call.tried:
                return [(name, why)]
    return []


def _is_random(queue: Queue) -> bool:
    return queue.strategy is Strategy.RANDOM
