"""One turn of the core: the changes, commands and facts that follow from one event.

A turn writes into the world as it goes, so that later parts of the same step see what earlier ones did, and keeps
what was there before: if the step breaks, `undo` puts the world back as it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controller.core.commands import Command
from controller.core.facts import AgentChanged, Fact
from controller.core.model import Agent, AgentPhase, Call, Change, Entity, key_of
from controller.core.setup import Setup
from controller.core.world import World, is_free


class Turn:
    """The workbench of one step. `cause` names the event: every command carries it."""

    def __init__(self, world: World, now_ms: int, cause: str) -> None:
        self.world = world
        self.now_ms = now_ms
        self.cause = cause
        self.commands: list[Command] = []
        self.facts: list[Fact] = []
        self.touched: dict[str, None] = {}
        self.by = ""
        self._before: dict[tuple[str, str], Entity | None] = {}
        self._undo_world = (world.setup, world.resuming, world.linked)

    @property
    def setup(self) -> Setup:
        """The setup in force."""
        return self.world.setup

    def put(self, entity: Entity) -> None:
        """Replace a live row."""
        if isinstance(entity, Agent):
            entity = replace(entity, state=state_of(entity))
        before = self.world.put(entity)
        self._before.setdefault(key_of(entity), before)
        if isinstance(entity, Agent) and is_free(entity) and not (isinstance(before, Agent) and is_free(before)):
            for queue, _ in self.setup.tiers_of_agent.get(entity.name, ()):
                self.touch(queue)

    def remove(self, kind: str, name: str) -> None:
        """Take a live row out."""
        self._before.setdefault((kind, name), self.world.remove(kind, name))

    def change_call(self, call: str, **fields: Any) -> Call:
        """Replace fields of a live call and return it as it is now."""
        after = replace(self.world.calls[call], **fields)
        self.put(after)
        return after

    def change_agent(self, agent: str, **fields: Any) -> Agent:
        """Replace fields of an agent and return them as they are now."""
        self.put(replace(self.world.agents[agent], **fields))
        return self.world.agents[agent]

    def touch(self, queue: str) -> None:
        """Have this queue looked at by `matching` at the end of the step."""
        self.touched[queue] = None

    def do(self, command: Command) -> None:
        """Ask for something outside; it is released after the commit."""
        self.commands.append(command)

    def say(self, fact: Fact) -> None:
        """State that something happened."""
        self.facts.append(fact)

    def changed_agents(self) -> list[str]:
        """Names of the agents this turn has touched so far."""
        return [name for kind, name in self._before if kind == "agent"]

    def finish(self) -> tuple[Change, ...]:
        """Stamp and announce the agents whose visible state changed; return every row that was replaced."""
        for (kind, name), before in list(self._before.items()):
            agent = self.world.agents.get(name) if kind == "agent" else None
            if agent is not None:
                self._announce(before if isinstance(before, Agent) else None, agent)
        return tuple(
            Change(kind, name, after)
            for (kind, name), before in self._before.items()
            if (after := self.world.get(kind, name)) != before
        )

    def undo(self) -> None:
        """Put the world back as it was before this turn."""
        setup, self.world.resuming, self.world.linked = self._undo_world
        if setup is not self.world.setup:
            self.world.install(setup)
        for (kind, name), before in self._before.items():
            if before is None:
                self.world.remove(kind, name)
            else:
                self.world.put(before)

    def _announce(self, before: Agent | None, after: Agent) -> None:
        if before is not None and _visible(before) == _visible(after):
            return
        if before is None or before.state != after.state:
            after = replace(after, since_ms=self.now_ms)
            self.world.put(after)
        self.say(
            AgentChanged(
                after.name, after.status, after.reason, after.state, after.call, after.wrap_up_until_ms, self.by
            )
        )


def _visible(agent: Agent) -> tuple[object, ...]:
    return agent.status, agent.reason, agent.state, agent.call, agent.wrap_up_until_ms


_STATE_OF_PHASE = {
    AgentPhase.TALKING: "talking",
    AgentPhase.OFFERED: "offered",
    AgentPhase.DIALING: "busy",
}


def state_of(agent: Agent) -> str:
    """The one word a supervisor sees for an agent; the first that holds wins."""
    if agent.phase in _STATE_OF_PHASE:
        return _STATE_OF_PHASE[agent.phase]
    if agent.foreign:
        return "busy"
    if agent.status == "offline":
        return "offline"
    if agent.wrap_up_until_ms is not None:
        return "wrap_up"
    if agent.phase is AgentPhase.RELEASING:
        return "busy"
    if agent.status == "not_ready":
        return "not_ready"
    return "ready" if agent.reachable and agent.unreachable_until_ms is None else "unreachable"
