"""Looks at everything a simulated controller does: invariants after every step, stories, books against the feed.

A breach is a sentence that begins with the number of what it breaks (docs/invariants.md); the first one ends a run.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence

from controller.core import codec, events, facts, ids, invariants
from controller.core.model import AgentPhase, Phase
from controller.core.step import Step
from controller.core.world import World
from controller.engine import Engine
from controller.ports import Said, Turn
from tests.core.floor import together
from tests.core.stories import Stories
from tests.fakes.ledger import Books
from tests.sim.switch import Switch

TRACE_MAX = 400
BREACHES_MAX = 8


class BreachError(AssertionError):
    """Something that may not be."""


class Watch:
    """`round_trip`: S15 as well, which costs as much as the step itself. `lines` gets every line as it is written."""

    def __init__(self, books: Books, now_s: Callable[[], float], round_trip: bool = False) -> None:
        self.books = books
        self.breaches: list[str] = []
        self.trace: deque[str] = deque(maxlen=TRACE_MAX)
        self.steps = 0
        self.odd: Counter[str] = Counter()
        self.facts: Counter[str] = Counter()
        self.on_line: Callable[[str], None] = lambda _line: None
        self.on_fact: Callable[[facts.Fact], None] = lambda _fact: None
        self._stories: dict[object, Stories] = {}
        self._now_s = now_s
        self._round_trip = round_trip
        self._said: dict[int, Said] = {}
        self._saying: dict[object, dict[int, Said]] = {}
        self._unsaid: dict[int, None] = {}
        self._owing: dict[object, dict[int, Said]] = {}
        self._ended: dict[str, None] = {}
        self.settlements: Counter[bool] = Counter()

    def breach(self, *sentences: str) -> None:
        for sentence in sentences[:BREACHES_MAX]:
            self.note(f"BREACH {sentence}")
            self.breaches.append(f"{self._now_s():.3f} s: {sentence}")

    def note(self, line: str) -> None:
        text = f"{self._now_s():10.3f}  {line}"
        self.trace.append(text)
        self.on_line(text)

    # -- every step --------------------------------------------------------------------------------------------------

    def begins(self, life: object) -> None:
        """A process has read the books: what stands there is how far the stories have come."""
        self._stories[life] = self._written_stories()

    def _written_stories(self) -> Stories:
        stories = Stories()
        stories.read(tuple(self.books.facts[seq].fact for seq in sorted(self.books.facts)))
        if stories.breaches:
            self.breach(*[f"S10 on the books: {sentence}" for sentence in stories.breaches])
            stories.breaches.clear()
        return stories

    def look(self, life: object, engine: Engine, event: events.Event, done: Step) -> None:
        self.steps += 1
        stories = self._stories[life]
        world = engine.world
        if not isinstance(event, events.Ticked) or done.changes:
            self.note(f"{_short(event)}")
        for command in done.commands:
            self.note(f"    > {command}")
        for fact in done.facts:
            self.note(f"    = {fact}")
            self.facts[type(fact).__name__] += 1
            self.on_fact(fact)
            if isinstance(fact, facts.OddEvent):
                self.odd[f"{fact.event} {fact.why}"[:60]] += 1
                if "given up" in fact.why:
                    self.breach(f"S10 {fact.why}")
        stories.read(done.facts)
        wrong = invariants.check(world, world.now_ms, done) + stories.breaches
        if done.broken:
            wrong.append(f"S0 broken: {done.broken}")
        if self._round_trip:
            wrong += self._written(event, done)
        if wrong:
            self.breach(*[f"after {_short(event)}: {sentence}" for sentence in wrong])
            stories.breaches.clear()

    def _written(self, event: events.Event, done: Step) -> list[str]:
        rows = [change.after for change in done.changes if change.after is not None]
        values = (event, *done.commands, *done.facts, *rows)
        return [f"S15 {value} is not read back" for value in values if codec.loads(codec.dumps(value)) != value]

    # -- the books ---------------------------------------------------------------------------------------------------

    def said(self, life: object, said: Said) -> None:
        """A fact was published by one process."""
        mine = self._saying.setdefault(life, {})
        if said.seq in mine:
            self.breach(f"L5 fact {said.seq} was said twice: {said.fact}")
        mine[said.seq] = said
        if isinstance(said.fact, facts.CallEnded):
            self._ended[said.fact.call] = None

    def died(self, life: object, engine: Engine | None) -> None:
        """A process is gone: what it owed is not written yet, what it wrote last perhaps never said."""
        owed = {said.seq: None for turn in engine._books._turns for said in turn.facts} if engine is not None else {}
        written = self.books.facts
        for seq, said in self._saying.pop(life, {}).items():
            if seq not in owed or written.get(seq) is said:
                self._take(said)
            else:
                self._owing.setdefault(life, {})[seq] = said
        self._unsaid |= {seq: None for seq in written if seq not in self._said}
        self._stories.pop(life, None)

    def settled(self, life: object, turns: Sequence[Turn], whole: bool) -> None:
        """What a process owed was handed in: all of it, or only calls nobody else knew."""
        self.settlements[whole] += 1
        owing = self._owing.pop(life, {})
        if whole:
            for said in (said for turn in turns for said in turn.facts):
                if said.seq in owing:
                    self._take(owing.pop(said.seq))
                elif said.seq not in self._said:
                    self._unsaid[said.seq] = None
            if owing:
                self.breach(f"L5 said and not kept for the books: {list(owing.values())[:3]}")

    def _take(self, said: Said) -> None:
        if said.seq in self._said:
            self.breach(f"L5 fact {said.seq} was said by two controllers: {said} and {self._said[said.seq]}")
        self._said[said.seq] = said

    def compare_books(self) -> None:
        """L5: what was said is what is written, in one unbroken order, and every call began and ended once."""
        written = self.books.facts
        for saying in self._saying.values():
            for said in saying.values():
                self._take(said)
        self._saying.clear()
        missing = [seq for seq in self._said if seq not in written]
        other = [seq for seq in written if self._said.get(seq, written[seq]) is not written[seq]]
        unsaid = [seq for seq in written if seq not in self._said and seq not in self._unsaid]
        if missing or other or unsaid:
            self.breach(f"L5 facts: not written {missing[:5]}, written otherwise {other[:5]}, never said {unsaid[:5]}")
        if written and sorted(written) != list(range(1, len(written) + 1)):
            self.breach("L5 the numbers of the facts have gaps")
        if owing := [said for row in self._owing.values() for said in row.values()]:
            self.breach(f"L5 said and never handed in: {owing[:3]}")
        if unrecorded := [call for call in self._ended if call not in self.books.calls]:
            self.breach(f"L5 ended without a record: {unrecorded[:5]}")
        self._written_stories()


# -- when all faults are over ----------------------------------------------------------------------------------------


def lost(world: World, switch: Switch, app: str = "tongdai") -> list[str]:
    """L1, L2, L4 and S3 against what the switch really has."""
    channels = switch.channels
    wrong = [f"L1 call {call} has no channel" for call in world.calls if call not in channels]
    wrong += [
        f"L1 caller {channel.id} is unknown"
        for channel in channels.values()
        if channel.app == app and channel.app_data and channel.id not in world.calls
    ]
    for call in world.calls.values():
        inside = set(switch.bridges.get(ids.bridge(call.id), ()))
        if call.phase is Phase.TALKING and inside not in together(call):
            wrong.append(f"S3 call {call.id} talks with {sorted(inside)}")
    wrong += _agents(world, switch)
    for name in (*channels, *switch.bridges):
        found = ids.parse(name)
        if found is not None and found.call not in world.calls:
            wrong.append(f"L4 {name} belongs to no call")
    return wrong


def _agents(world: World, switch: Switch) -> list[str]:
    wrong = []
    for agent in world.agents.values():
        far = agent.call if agent.phase is AgentPhase.DIALING else agent.leg
        if agent.phase is not AgentPhase.IDLE and far not in switch.channels:
            wrong.append(f"L2 agent {agent.name} is {agent.phase} without a channel")
        row = world.setup.agent.get(agent.name)
        if row is None or agent.phase is AgentPhase.DIALING:
            continue
        alive = any(not ids.parse(channel.id) for channel in switch.on_phone(row.endpoint))
        if bool(agent.foreign) != alive:
            wrong.append(f"L2 agent {agent.name} has {agent.foreign} on the phone")
        if agent.reachable != switch.phones.get(row.endpoint, False):
            wrong.append(f"L2 agent {agent.name}: reachable is {agent.reachable}")
    return wrong


def _short(event: events.Event) -> str:
    if isinstance(event, events.SetupChanged):
        return f"SetupChanged(version {event.setup.version})"
    if isinstance(event, events.SnapshotTaken):
        return (
            f"SnapshotTaken({event.boot}, {len(event.channels)} channels, {len(event.bridges)} bridges,"
            f" asked at {event.asked_at_ms})"
        )
    return str(event)
