"""A new setup comes into force under running calls: nobody who talks or waits pays for it."""

from __future__ import annotations

from controller.core import queueing
from controller.core.events import SetupChanged
from controller.core.facts import SetupApplied
from controller.core.model import Agent, AgentPhase
from controller.core.setup import Queue
from controller.core.turn import Turn


def changed(turn: Turn, event: SetupChanged) -> None:
    """Put a setup in force: agents come and go, callers of a removed queue go its way out, matching runs anew."""
    before, setup = turn.setup, event.setup
    turn.world.install(setup)
    for row in setup.agents:
        if row.name not in turn.world.agents:
            turn.put(Agent(row.name, since_ms=turn.now_ms, idle_since_ms=turn.now_ms))
        elif row.name in before.agent and before.agent[row.name].endpoint != row.endpoint:
            turn.change_agent(row.name, reachable=False, unreachable_until_ms=None, foreign=(), phone_at_ms=0)
    for name in list(turn.world.agents):
        if name not in setup.agent:
            _dismiss(turn, name)
    for queue in before.queues:
        if queue.name not in setup.queue:
            _empty(turn, queue)
    for queue in setup.queues:
        if turn.world.queue_size(queue.name):
            queueing.nobody_left(turn, queue)
            turn.touch(queue.name)
    turn.say(SetupApplied(setup.version))


def _dismiss(turn: Turn, name: str) -> None:
    """An agent who is gone from the setup finishes the call, then goes."""
    agent = turn.world.agents[name]
    if agent.phase is AgentPhase.OFFERED:
        queueing.withdraw(turn, name, "cancelled")
    if turn.world.agents[name].phase is AgentPhase.IDLE:
        turn.remove("agent", name)


def _empty(turn: Turn, queue: Queue) -> None:
    for call in turn.world.waiting(queue.name):
        queueing.leave(turn, call, queue.on_max_wait, "queue_removed")


def sweep(turn: Turn) -> None:
    """Forget agents who are no longer in the setup and have nothing left to do."""
    for name in turn.changed_agents():
        agent = turn.world.agents.get(name)
        if agent is not None and name not in turn.setup.agent and agent.phase is AgentPhase.IDLE:
            turn.remove("agent", name)
