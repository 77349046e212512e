"""Queues as a wallboard shows them: who is there now, who waits, and the figures since local midnight."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter

from controller.core import hours
from controller.core.model import Phase, QueueDay
from controller.core.setup import Queue
from controller.core.world import World
from controller.web.asked import PAGE_DEFAULT, Cursor, Known, Limit, Who, after_name, page_mark
from controller.web.auth import Role
from controller.web.schemas import QueueOut, QueuePage
from controller.web.views import page_names

router = APIRouter(prefix="/api/v1/queues", tags=["queues"])


@router.get("")
async def queues(deps: Known, who: Who, limit: Limit = PAGE_DEFAULT, cursor: Cursor = None) -> QueuePage:
    """List queues in the order of the setup; an agent's token sees the queues it serves."""
    await deps.engine.written()
    world, now_ms = deps.engine.world, deps.clock.now_ms()
    names = [row.name for row in world.setup.queues]
    if who.role is Role.AGENT:
        served = dict(world.setup.tiers_of_agent.get(who.agent, ()))
        names = [name for name in names if name in served]
    shown, more = page_names(names, after_name(cursor), limit)
    talking = Counter(call.queue for call in world.calls.values() if call.phase is Phase.TALKING)
    day = hours.local_day(now_ms, world.setup.defaults.timezone)
    items = [queue_out(world, world.setup.queue[name], talking[name], day, now_ms) for name in shown]
    return QueuePage(items=items, next=page_mark(shown[-1]) if more else None)


def queue_out(world: World, queue: Queue, talking: int, day: str, now_ms: int) -> QueueOut:
    """Show one queue. Figures of another day than today count as none."""
    in_queue = world.waiting(queue.name)
    ringing = sum(1 for call in in_queue if call.offers)
    members = [world.agents[name] for name in world.setup.agents_of_queue[queue.name] if name in world.agents]
    figures = world.queue_days.get(queue.name)
    if figures is None or figures.day != day:
        figures = QueueDay(queue.name, day)
    since_ms = min((call.queued_at_ms for call in in_queue if call.queued_at_ms is not None), default=now_ms)
    return QueueOut(
        name=queue.name,
        online=sum(1 for agent in members if agent.status != "offline"),
        free=sum(1 for agent in members if agent.state == "ready"),
        ringing=ringing,
        talking=talking,
        waiting=len(in_queue) - ringing,
        longest_wait_s=max(0, now_ms - since_ms) // 1000,
        queued=figures.queued,
        offered=figures.offered,
        answered=figures.answered,
        missed=figures.missed,
        sla_percent=_share(figures.answered_in_sla, figures.queued) if queue.sla else None,
        sla_target_percent=queue.sla.percent if queue.sla else None,
        average_speed_of_answer_s=_mean_s(figures.wait_sum_ms, figures.answered),
    )


def _share(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def _mean_s(total_ms: int, count: int) -> float | None:
    return round(total_ms / count / 1000, 1) if count else None
