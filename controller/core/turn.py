"""One turn of the core: the changes, commands and facts that follow from one event.

A turn writes into the world as it goes, so that later parts of the same step see what earlier ones did, and keeps
what was there before: if the step breaks, `undo` puts the world back as it was, and if one part of it breaks,
`attempt` takes back that part alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.core.commands import Command
from controller.core.evolve import evolve
from controller.core.facts import AgentChanged, CallEnded, Fact
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
        self._log: list[tuple[str, str, Entity | None]] = []
        self._world_before = (world.setup, world.resuming, world.linked, world.figures_day)

    @property
    def setup(self) -> Setup:
        """The setup in force."""
        return self.world.setup

    def put(self, entity: Entity) -> None:
        """Replace a live row."""
        if isinstance(entity, Agent):
            entity = evolve(entity, state=state_of(entity))
        before = self.world.put(entity)
        self._log.append((*key_of(entity), before))
        if isinstance(entity, Agent) and is_free(entity) and not (isinstance(before, Agent) and is_free(before)):
            for queue, _ in self.setup.tiers_of_agent.get(entity.name, ()):
                self.touch(queue)

    def remove(self, kind: str, name: str) -> None:
        """Take a live row out."""
        self._log.append((kind, name, self.world.remove(kind, name)))

    def change_call(self, call: str, **fields: Any) -> Call:
        """Replace fields of a live call and return it as it is now."""
        after = evolve(self.world.calls[call], **fields)
        self.put(after)
        return after

    def change_agent(self, agent: str, **fields: Any) -> Agent:
        """Replace fields of an agent and return them as they are now."""
        self.put(evolve(self.world.agents[agent], **fields))
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
        if isinstance(fact, CallEnded):
            self.world.note_over(fact.call)

    def changed_agents(self) -> list[str]:
        """Names of the agents this turn has touched so far."""
        return [name for kind, name in self._first() if kind == "agent"]

    def attempt(self, work: Callable[[], None]) -> str:
        """Do one part of the step; if it breaks, all it did is taken back and the reason returned (empty: done)."""
        mark, commands, facts = len(self._log), len(self.commands), len(self.facts)
        try:
            work()
        except Exception as exc:  # noqa: BLE001  # one call's trouble must not take the others with it
            self._take_back(mark)
            del self.commands[commands:], self.facts[facts:]
            return f"{type(exc).__name__}: {exc}"[:200]
        return ""

    def finish(self) -> tuple[Change, ...]:
        """Stamp and announce the agents whose visible state changed; return every row that was replaced."""
        first = self._first()
        for (kind, name), before in first.items():
            agent = self.world.agents.get(name) if kind == "agent" else None
            if agent is not None:
                self._announce(before if isinstance(before, Agent) else None, agent)
        return tuple(
            Change(kind, name, after)
            for (kind, name), before in first.items()
            if (after := self.world.get(kind, name)) != before
        )

    def undo(self) -> None:
        """Put the world back as it was before this turn."""
        setup, self.world.resuming, self.world.linked, self.world.figures_day = self._world_before
        if setup is not self.world.setup:
            self.world.install(setup)
        self._take_back(0)

    def _first(self) -> dict[tuple[str, str], Entity | None]:
        """What stood in the place of every row this turn has touched."""
        first: dict[tuple[str, str], Entity | None] = {}
        for kind, name, before in self._log:
            first.setdefault((kind, name), before)
        return first

    def _take_back(self, mark: int) -> None:
        for kind, name, before in reversed(self._log[mark:]):
            if before is None:
                self.world.remove(kind, name)
            else:
                self.world.put(before)
        del self._log[mark:]

    def _announce(self, before: Agent | None, after: Agent) -> None:
        if before is not None and _visible(before) == _visible(after):
            return
        if before is None or before.state != after.state:
            after = evolve(after, since_ms=self.now_ms)
            self.world.put(after)
            self._log.append(("agent", after.name, before))
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
    AgentPhase.CONNECTED: "talking",
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
