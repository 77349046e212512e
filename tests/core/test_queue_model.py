"""Z9: any sequence of events, decided by the core and by a small model of one queue that knows nothing of it.

The model is what a person would write on a sheet of paper: who waits, who is rung, who talks, who rests, and what time
does to them. After every event both say the same.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from controller.core import events, ids, invariants
from controller.core.commands import HangUp, RingAgent
from controller.core.events import EndpointSeen, Event, SnapshotTaken
from controller.core.facts import CallEnded
from controller.core.model import AgentPhase, Phase
from controller.core.setup import Strategy
from controller.core.step import step
from controller.core.world import World
from tests.core import setups
from tests.faults.figures import runs

pytestmark = pytest.mark.pure

AGENTS = ("an", "binh", "chi")
RING_S, WAIT_S, REST_S, PAUSE_S = 5, 40, 7, 2
START_MS = 1_763_000_000_000


@dataclass
class Sheet:
    """One queue on paper: seconds, callers in order, agents in order."""

    now: int = 0
    waiting: list[str] = field(default_factory=list)
    leaves_at: dict[str, int] = field(default_factory=dict)
    rung: dict[str, tuple[str, int]] = field(default_factory=dict)
    tried: dict[str, list[str]] = field(default_factory=dict)
    again_at: dict[str, int] = field(default_factory=dict)
    talks: dict[str, str] = field(default_factory=dict)
    rests: dict[str, int] = field(default_factory=dict)
    ready: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(AGENTS, True))
    ended: dict[str, str] = field(default_factory=dict)
    letting_go: list[str] = field(default_factory=list)

    def is_free(self, agent: str) -> bool:
        busy = (*[who for who, _ in self.rung.values()], *self.talks.values(), *self.letting_go, *self.rests)
        return self.ready[agent] and agent not in busy

    def serve(self) -> None:
        """In order: each caller gets the first free agent not tried; who had them all begins anew after a pause."""
        for call in self.waiting:
            free = [agent for agent in AGENTS if self.is_free(agent)]
            if call in self.rung or not free:
                continue
            fresh = [agent for agent in free if agent not in self.tried[call]]
            if fresh:
                self.rung[call] = (fresh[0], self.now + RING_S)
                self.again_at.pop(call, None)
            else:
                self.again_at.setdefault(call, self.now + PAUSE_S)

    def settle(self) -> None:
        """Decide; then the phones that were given up are silent one by one, and each time somebody may be free."""
        self.serve()
        while self.letting_go:
            self.letting_go.pop(0)
            self.serve()

    def arrives(self, call: str) -> None:
        self.waiting.append(call)
        self.tried[call] = []
        self.leaves_at[call] = self.now + WAIT_S
        self.settle()

    def give_up(self, call: str) -> None:
        """The phone that rings for this caller is let go."""
        self.letting_go.append(self.rung.pop(call)[0])

    def goes(self, call: str) -> None:
        """A caller hangs up."""
        if call in self.talks:
            agent = self.talks.pop(call)
            self.letting_go.append(agent)
            self.rests[agent] = self.now + REST_S
            self.ended[call] = "answered"
        else:
            self.leaves(call)
        self.settle()

    def leaves(self, call: str) -> None:
        if call in self.rung:
            self.give_up(call)
        self.waiting.remove(call)
        self.again_at.pop(call, None)
        self.leaves_at.pop(call)
        self.ended[call] = "missed"

    def answers(self, call: str) -> None:
        self.talks[call] = self.rung.pop(call)[0]
        self.waiting.remove(call)
        self.leaves_at.pop(call)
        self.settle()

    def declines(self, call: str) -> None:
        self.tried[call].append(self.rung.pop(call)[0])
        self.settle()

    def agent_hangs_up(self, call: str) -> None:
        self.rests[self.talks.pop(call)] = self.now + REST_S
        self.ended[call] = "answered"
        self.settle()

    def pauses(self, agent: str) -> None:
        self.ready[agent] = False
        for call in [call for call, (who, _) in self.rung.items() if who == agent]:
            self.tried[call].append(agent)
            self.give_up(call)
        self.settle()

    def comes(self, agent: str) -> None:
        self.ready[agent] = True
        self.settle()

    def next_at(self) -> int | None:
        found = [*self.leaves_at.values(), *self.again_at.values(), *self.rests.values()]
        return min([*found, *(until for _, until in self.rung.values())], default=None)

    def time_for(self, call: str) -> None:
        """What this instant means to one caller."""
        if self.again_at.get(call, self.now + 1) <= self.now:
            del self.again_at[call]
            self.tried[call] = []
        if self.leaves_at[call] <= self.now:
            self.leaves(call)
        elif call in self.rung and self.rung[call][1] <= self.now:
            self.tried[call].append(self.rung[call][0])
            self.give_up(call)

    def passes(self, until: int) -> None:
        """Whatever is due at the same instant is due together."""
        while (at := self.next_at()) is not None and at <= until:
            self.now = at
            self.rests = {agent: end for agent, end in self.rests.items() if end > at}
            for call in sorted(self.waiting):
                self.time_for(call)
            self.settle()
        self.now = until


class Queue(RuleBasedStateMachine):
    """The core beside the sheet. Phones ring at once, and are silent at once when they are given up."""

    @initialize()
    def opens(self) -> None:
        self.sheet = Sheet()
        self.born = 0
        setup = setups.small(
            *AGENTS, strategy=Strategy.LINEAR, ring_time=RING_S, max_wait=WAIT_S, wrap_up=REST_S, max_size=99
        )
        self.world = World(setup)
        self.ended: dict[str, str] = {}
        phones = tuple(EndpointSeen(agent, reachable=True) for agent in AGENTS)
        for event in (events.SetupChanged(setup), SnapshotTaken("boot", endpoints=phones)):
            self.tell(event)
        for agent in AGENTS:
            self.tell(events.AgentStatusAsked(agent, "available"))

    def tell(self, event: Event) -> None:
        """One event, and what Asterisk says to what was asked."""
        heard = [event]
        while heard:
            done = step(self.world, heard.pop(0), START_MS + 1000 * self.sheet_now)
            assert not done.broken
            wrong = invariants.check(self.world, self.world.now_ms, done)
            assert not wrong, wrong
            self.ended |= {fact.call: fact.result for fact in done.facts if isinstance(fact, CallEnded)}
            for command in done.commands:
                if isinstance(command, RingAgent):
                    heard.append(events.LegRinging(command.call, command.leg))
                elif isinstance(command, HangUp) and ids.parse(command.channel):
                    heard.append(events.LegGone(command.call, command.channel, 16))
                elif isinstance(command, HangUp):
                    heard.append(events.CallGone(command.channel))

    @property
    def sheet_now(self) -> int:
        return getattr(self, "_now", 0)

    def leg(self, call: str) -> str:
        row = self.world.calls[call]
        return row.leg or row.offers[0].leg

    def compare(self) -> None:
        calls = self.world.calls.values()
        assert [call.id for call in self.world.waiting("sales")] == self.sheet.waiting
        rung = {call.id: call.offers[0].agent for call in calls if call.offers}
        assert rung == {call: agent for call, (agent, _) in self.sheet.rung.items()}
        assert {c.id: c.agent for c in calls if c.phase is Phase.TALKING} == self.sheet.talks
        resting = {a.name: a.wrap_up_until_ms for a in self.world.agents.values() if a.wrap_up_until_ms is not None}
        assert resting == {agent: START_MS + 1000 * end for agent, end in self.sheet.rests.items()}
        assert not [a.name for a in self.world.agents.values() if a.phase is AgentPhase.RELEASING]
        assert self.ended == self.sheet.ended

    @rule()
    def arrives(self) -> None:
        self.born += 1
        # Two who arrive in the same second keep their order by name.
        call = f"1.{1000 + self.born}"
        self.sheet.arrives(call)
        self.tell(events.CallArrived(call, setups.SALES, setups.STRANGER))
        self.compare()

    @rule(n=st.integers(0, 20))
    def goes(self, n: int) -> None:
        here = [*self.sheet.waiting, *self.sheet.talks]
        if here:
            call = here[n % len(here)]
            self.sheet.goes(call)
            self.tell(events.CallGone(call))
            self.compare()

    @rule(n=st.integers(0, 20), what=st.sampled_from(["answers", "answers", "declines"]))
    def phone(self, n: int, what: str) -> None:
        if self.sheet.rung:
            call = list(self.sheet.rung)[n % len(self.sheet.rung)]
            leg = self.leg(call)
            getattr(self.sheet, what)(call)
            answered = what == "answers"
            self.tell(events.LegAnswered(call, leg) if answered else events.LegGone(call, leg, 21, 603))
            self.compare()

    @rule(n=st.integers(0, 20))
    def agent_hangs_up(self, n: int) -> None:
        if self.sheet.talks:
            call = list(self.sheet.talks)[n % len(self.sheet.talks)]
            leg = self.leg(call)
            self.sheet.agent_hangs_up(call)
            self.tell(events.LegGone(call, leg, 16))
            self.compare()

    @rule(agent=st.sampled_from(AGENTS), comes=st.booleans())
    def status(self, agent: str, comes: bool) -> None:
        if comes:
            self.sheet.comes(agent)
        else:
            self.sheet.pauses(agent)
        self.tell(events.AgentStatusAsked(agent, "available" if comes else "not_ready"))
        self.compare()

    @rule(seconds=st.integers(1, 12))
    def passes(self, seconds: int) -> None:
        until = self.sheet.now + seconds
        self.sheet.passes(until)
        while (due_ms := self.world.next_due_ms()) is not None and due_ms <= START_MS + 1000 * until:
            self._now = (due_ms - START_MS) // 1000
            self.tell(events.Ticked())
        self._now = until
        self.tell(events.Ticked())
        self.compare()


ASKED, LONG = 500, 20_000
EXAMPLES = {"deep": LONG, "quick": 30}.get(os.environ.get("HYPOTHESIS_PROFILE", ""), max(ASKED, runs(ASKED, LONG)))
TestQueue = Queue.TestCase
TestQueue.pytestmark = [
    pytest.mark.shows("Z9", f"queue on paper: the same wait, ring, talk and rest in {EXAMPLES:,} sequences", "equal")
]
TestQueue.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
