"""Callers meet agents: once, at the end of a step, when the dust has settled.

Only queues touched by the step are looked at, the one whose head has waited longest first, so that an agent who
serves several queues goes to the caller who has waited longest of all. Within a queue callers leave in order; a
caller who has been refused by every free agent lets the next one pass to those agents and begins a new round after a
short pause.
"""

from __future__ import annotations

from zlib import crc32

from controller.core import ids, queueing
from controller.core.model import Call
from controller.core.setup import Queue, Strategy
from controller.core.turn import Turn
from controller.core.world import Place

LOOK_AHEAD_MAX = 64
TIERS = (0, 1)


def match(turn: Turn) -> None:
    """Offer waiting callers to free agents until nothing more fits; not while Asterisk cannot be heard."""
    if not turn.world.linked:
        return
    cursors: dict[str, list[Place]] = {
        name: list(reversed(turn.world.hungry(name)[:LOOK_AHEAD_MAX]))
        for name in turn.touched
        if name in turn.setup.queue and any(turn.world.free(name, tier) for tier in TIERS)
    }
    turn.touched.clear()
    while True:
        heads = [(places[-1], name) for name, places in cursors.items() if places]
        if not heads:
            break
        (_, call_id), name = min(heads)
        cursors[name].pop()
        queue = turn.setup.queue[name]
        if not any(turn.world.free(name, tier) for tier in TIERS):
            del cursors[name]
            continue
        _serve(turn, turn.world.calls[call_id], queue)


def _serve(turn: Turn, call: Call, queue: Queue) -> None:
    chosen = choose(turn, call, queue)
    if not chosen:
        if call.retry_at_ms is None:
            turn.change_call(call.id, retry_at_ms=turn.now_ms + queueing.RETRY_PAUSE_MS)
        return
    for agent, why in chosen:
        call = turn.world.calls[call.id]
        queueing.offer(turn, call, queue, agent, ids.agent_leg(call.id, call.legs + 1), why)


def choose(turn: Turn, call: Call, queue: Queue) -> list[tuple[str, str]]:
    """The agents to ring for a caller, each with the reason: one, or with ring-all every free one of a tier."""
    for tier in TIERS:
        ranks = turn.world.free(queue.name, tier)
        if not ranks:
            continue
        names = [rank[2] for rank in ranks] if queue.strategy is Strategy.RING_ALL else None
        why = f"{queue.strategy}, {'primary' if tier == 0 else 'secondary'} group"
        if names is not None:
            fresh = [name for name in names if name not in call.tried]
            if fresh:
                return [(name, why) for name in fresh]
            continue
        start = crc32(f"{call.id}/{call.offer_count}".encode()) % len(ranks) if _is_random(queue) else 0
        for n in range(len(ranks)):
            name = ranks[(start + n) % len(ranks)][2]
            if name not in call.tried:
                return [(name, why)]
    return []


def _is_random(queue: Queue) -> bool:
    return queue.strategy is Strategy.RANDOM
