"""Playbooks: a test of the core reads as what happens and what follows from it.

    book = given(small("an", "binh")).available("an")
    book.when(CallArrived("1.1", SALES, "0967000001")).then(a(RingAgent, endpoint="an"), a(CallOffered, agent="an"))
    book.passes(15).then(a(OfferEnded, outcome="no_answer"), never(CallEnded))

`when` tells one event, `passes` lets time pass as the engine would, waking at every deadline. `then` wants each
pattern to be met, in this order among the commands and in this order among the facts; other commands and facts may
stand between. `only` wants the commands to be these and no others. After every step the invariants are checked, the
facts must make sense as stories, and everything must survive being written down.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

from controller.core import codec, invariants
from controller.core.answer import Answer
from controller.core.commands import Command
from controller.core.events import (
    AgentStatusAsked,
    EndpointSeen,
    Event,
    PhoneChanged,
    SetupChanged,
    SnapshotTaken,
    Ticked,
)
from controller.core.facts import OddEvent
from controller.core.model import Agent, Call
from controller.core.setup import Setup
from controller.core.step import Step, step
from controller.core.world import World
from tests.core.stories import Stories

START_MS = 1_763_000_000_000
"""13 November 2025, 09:13:20 in Hanoi: a Thursday."""
ZERO_MS = START_MS + 1_000
"""What `at` counts from: the controller has started and people have signed in."""
MOMENT_MS = 10
_COMMANDS = get_args(Command)


class Pattern:
    """A command or fact of a class, with some of its fields; `wanted` False: none may be there."""

    def __init__(self, cls: type, wanted: bool, **known: Any) -> None:
        unknown = known.keys() - {field.name for field in fields(cls)}
        assert not unknown, f"{cls.__name__} has no {', '.join(unknown)}"
        self.cls, self.wanted, self.known = cls, wanted, known

    def fits(self, item: object) -> bool:
        return isinstance(item, self.cls) and all(getattr(item, key) == value for key, value in self.known.items())

    def __str__(self) -> str:
        known = ", ".join(f"{key}={value!r}" for key, value in self.known.items())
        return f"{'' if self.wanted else 'no '}{self.cls.__name__}({known})"


def a(cls: type, **known: Any) -> Pattern:
    """Such a command or fact."""
    return Pattern(cls, True, **known)


def never(cls: type, **known: Any) -> Pattern:
    """No such command or fact."""
    return Pattern(cls, False, **known)


def given(setup: Setup, reachable: bool = True) -> Playbook:
    """A controller that has just started with this setup, Asterisk empty, every phone registered (or none)."""
    book = Playbook(World())
    book.when(SetupChanged(setup))
    phones = tuple(EndpointSeen(row.endpoint, reachable) for row in setup.agents)
    return book.when(SnapshotTaken("boot 1", endpoints=phones))


class Playbook:
    """A world, its time, and what the last `when` or `passes` led to."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now_ms = START_MS
        self.commands: list[Command] = []
        self.facts: list[Any] = []
        self.answer = Answer()
        self.stories = Stories()

    # -- what happens ------------------------------------------------------------------------------------------------

    def when(self, event: Event, at: float | None = None) -> Playbook:
        """Tell an event, a moment later or `at` so many seconds."""
        self.commands, self.facts = [], []
        then_ms = self.now_ms + MOMENT_MS if at is None else ZERO_MS + round(1000 * at)
        assert then_ms >= self.now_ms, "time does not go back"
        self.now_ms = then_ms
        self._tell(event)
        return self

    def passes(self, seconds: float) -> Playbook:
        """Let time pass; the engine wakes at every deadline."""
        self.commands, self.facts = [], []
        end_ms = self.now_ms + round(1000 * seconds)
        while (due_ms := self.world.next_due_ms()) is not None and due_ms <= end_ms:
            self.now_ms = max(self.now_ms, due_ms)
            self._tell(Ticked())
        self.now_ms = end_ms
        return self

    def available(self, *names: str) -> Playbook:
        """These agents sign in, one after the other."""
        for name in names:
            self.when(AgentStatusAsked(name, "available"))
        return self

    def unreachable(self, *names: str) -> Playbook:
        """The phones of these agents vanish."""
        for name in names:
            self.when(PhoneChanged(self.world.setup.agent[name].endpoint, False))
        return self

    def restarted(self, setup: Setup | None = None) -> Playbook:
        """The process dies; another begins with the rows of this one, and the setup that is on the books by then."""
        rows = [codec.loads(codec.dumps(row)) for row in self.world.entities()]
        self.world = World(setup or self.world.setup, rows, list(self.world._over))
        return self.when(SetupChanged(self.world.setup))

    def _tell(self, event: Event) -> Step:
        done = step(self.world, event, self.now_ms)
        self.commands += done.commands
        self.facts += done.facts
        self.answer = done.answer
        self.stories.read(done.facts)
        wrong = invariants.check(self.world, self.world.now_ms, done) + self.stories.breaches
        given_up = [fact.why for fact in done.facts if isinstance(fact, OddEvent) and "given up" in fact.why]
        assert not done.broken, f"{event} broke the step: {done.broken}"
        assert not given_up, f"{event} could not be handled: {given_up}"
        assert not wrong, "\n".join([f"after {event}:", *wrong])
        for value in (event, *done.commands, *done.facts, *(change.after for change in done.changes if change.after)):
            assert codec.loads(codec.dumps(value)) == value
        return done

    # -- what follows ------------------------------------------------------------------------------------------------

    def then(self, *patterns: Pattern) -> Playbook:
        """Each pattern is met, in order among the commands and in order among the facts."""
        for items, mine in ((self.commands, True), (self.facts, False)):
            self._in_order([p for p in patterns if (p.cls in _COMMANDS) is mine], items)
        return self

    def only(self, *patterns: Pattern) -> Playbook:
        """The commands are these, in this order, and no others."""
        assert len(patterns) == len(self.commands), self._diff(patterns)
        assert all(p.fits(c) for p, c in zip(patterns, self.commands, strict=True)), self._diff(patterns)
        return self

    def _in_order(self, patterns: list[Pattern], items: list[Any]) -> None:
        at = 0
        for pattern in patterns:
            if not pattern.wanted:
                assert not any(pattern.fits(item) for item in items), self._diff(patterns, pattern)
                continue
            found = next((n for n in range(at, len(items)) if pattern.fits(items[n])), None)
            assert found is not None, self._diff(patterns, pattern)
            at = found + 1

    def _diff(self, patterns: Any, missed: Pattern | None = None) -> str:
        wanted = [f"  {'>>' if pattern is missed else '  '} {pattern}" for pattern in patterns]
        return "\n".join(
            [
                "wanted:",
                *wanted,
                "commands:",
                *(f"     {command}" for command in self.commands),
                "facts:",
                *(f"     {fact}" for fact in self.facts),
            ]
        )

    # -- what is -----------------------------------------------------------------------------------------------------

    def call(self, name: str) -> Call:
        return self.world.calls[name]

    def agent(self, name: str) -> Agent:
        return self.world.agents[name]

    def states(self) -> dict[str, str]:
        """Every agent's state, as a supervisor sees it."""
        return {agent.name: agent.state for agent in self.world.agents.values()}

    def offered(self) -> list[str]:
        """The agents who were rung by the last step, in order."""
        return [
            self.world.setup.agent_of_endpoint[c.endpoint] for c in self.commands if type(c).__name__ == "RingAgent"
        ]

    def one(self, cls: type) -> Any:
        """The only command or fact of a class in the last step."""
        found = [item for item in (*self.commands, *self.facts) if isinstance(item, cls)]
        assert len(found) == 1, f"{len(found)} of {cls.__name__}\n{self._diff(())}"
        return found[0]
