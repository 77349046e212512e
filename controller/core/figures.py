"""The day's figures of each queue and agent; both begin anew at local midnight of the setup's time zone."""

from __future__ import annotations

from controller.core import hours
from controller.core.evolve import evolve
from controller.core.model import QueueDay
from controller.core.turn import Turn
from controller.core.world import World


def today(world: World, now_ms: int) -> str:
    """The local date, looked up once a day."""
    timezone = world.setup.defaults.timezone
    if not world.day_from_ms <= now_ms < world.day_ends_ms or world.day_zone != timezone:
        world.day = hours.local_day(now_ms, timezone)
        world.day_from_ms, world.day_ends_ms = hours.day_bounds_ms(now_ms, timezone)
        world.day_zone = timezone
    return world.day


def roll(turn: Turn) -> None:
    """On the first step of a new day, yesterday's counts of the agents are put back to none."""
    day = today(turn.world, turn.now_ms)
    if turn.world.figures_day == day:
        return
    turn.world.figures_day = day
    for agent in list(turn.world.agents.values()):
        if agent.day != day and agent.answered_today:
            turn.change_agent(agent.name, answered_today=0, day=day)


def count(turn: Turn, queue: str, **more: int) -> None:
    """Add to the figures of a queue for today."""
    day = today(turn.world, turn.now_ms)
    row = turn.world.queue_days.get(queue)
    if row is None or row.day != day:
        row = QueueDay(queue, day)
    turn.put(evolve(row, **{name: getattr(row, name) + plus for name, plus in more.items()}))
