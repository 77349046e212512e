"""`tongdai replay JOURNAL`: look back at what was recorded, and ask today's program whether it would do the same.

Without a setup the lines are told in order, as stories. With one, every recorded event is given to a fresh world at
its recorded time, deadlines between them included, and the facts it leads to are compared with those of the journal,
call by call. A cut link, a restart of either side and a change of the setup are lived through as they were. A journal
that begins in the middle of things lacks what came before: its first calls may differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from controller import journal, recorded, setup_file
from controller.cli_options import complain, say
from controller.cli_story import lines, plain
from controller.cli_words import words
from controller.core import events
from controller.core.model import Agent
from controller.core.setup import Setup
from controller.core.step import Step, step
from controller.core.world import World
from controller.errors import TongdaiError
from controller.ports import Line

TICKS_MAX = 100_000
"""Deadlines followed between two recorded events."""
OVERDUE_MS = 1_000
"""A deadline is met when the journal says so; one that it does not know of by then has come from another decision."""


@dataclass(slots=True)
class Outcome:
    """What a replay found: facts by call, as recorded and as decided anew."""

    events: int = 0
    recorded: dict[str, list[str]] = field(default_factory=dict)
    decided: dict[str, list[str]] = field(default_factory=dict)

    def differing(self) -> list[str]:
        """The calls whose facts are not the same, in the order they were met."""
        calls = dict.fromkeys([*self.recorded, *self.decided])
        return [call for call in calls if call and self.recorded.get(call) != self.decided.get(call)]


@dataclass(frozen=True, slots=True)
class Heard:
    """A recorded event, ready to be heard again. `begins`: another process begins with it."""

    at_ms: int
    event: events.Event
    begins: bool = False


def replay(path: Path, setups: Sequence[Path], call: str) -> int:
    """Tell what a journal recorded, or with setups what is decided otherwise today; returns the exit code.

    The first setup is that of the beginning, each further one that of the next version met. `call` is the only call
    asked for, empty for all.
    """
    told = list(_read(path))
    if not setups:
        tell([line for line in told if call in {"", line.call}])
        return 0
    outcome = again(told, [setup_file.parse(setup_file.read(one), str(one)) for one in setups])
    differing = [name for name in outcome.differing() if call in {"", name}]
    for name in differing:
        before, after = outcome.recorded.get(name, []), outcome.decided.get(name, [])
        say(f"{plain(name)}: {' '.join(before) or '-'}  ->  {' '.join(after) or '-'}")
    if differing:
        complain(words("replay_differs", outcome.events, len(differing)))
        return 1
    say(words("replay_same", outcome.events))
    return 0


def tell(told: Sequence[Line]) -> None:
    """Print lines of a journal, call beside call, each with its time since the first."""
    if not told:
        say(words("none"))
        return
    first_ms = told[0].at_ms
    items = [_item(line, first_ms) for line in told]
    for line, text in zip(told, lines(items), strict=True):
        say(f"{plain(line.call):<20} {text}" if line.call else f"{'':<20} {text}")
    say(words("replayed", len(told), len({line.call for line in told if line.call})))


def again(told: Sequence[Line], setups: Sequence[Setup]) -> Outcome:
    """Give the recorded events to a fresh world whose agents are those of the setup, offline and unreachable."""
    outcome = Outcome()
    for line in told:
        if line.kind == "fact":
            outcome.recorded.setdefault(line.call, []).append(line.name)
    events_told = heard(told, setups)
    outcome.events = len(events_told)
    for _, _, done in live(_at_first(setups[0], events_told), events_told):
        _note(done, outcome)
    return outcome


def heard(told: Iterable[Line], setups: Sequence[Setup]) -> list[Heard]:
    """The events of a journal in order, each change of the setup with the next of `setups` (the last one stays)."""
    found: list[Heard] = []
    later, setup, known = iter(setups[1:]), setups[0], dict[int, Setup]()
    for line in told:
        version = recorded.version_of(line)
        if version is not None:
            setup = known.get(version) or (next(later, setup) if found else setup)
            known[version] = setup = replace(setup, version=version)
        event = recorded.read(line, setup)
        if event is not None:
            found.append(Heard(line.at_ms, event, recorded.begins(line)))
    return _mended(found)


def live(world: World, told: Iterable[Heard]) -> Iterator[tuple[World, events.Event, Step]]:
    """Live through what was heard, deadlines included: each event, what followed from it, and the world after it."""
    patience_ms = 0  # journals in which no process says that it begins know of no deadlines
    for item in told:
        if item.begins:
            world = World(world.setup, world.entities(), world.ended())
            patience_ms = OVERDUE_MS
        else:
            stepped_ms = item.event.delta_ms if isinstance(item.event, events.ClockMoved) else 0
            yield from _pass_time(world, item.at_ms - stepped_ms - patience_ms)
        yield world, item.event, step(world, item.event, item.at_ms)


def _mended(told: list[Heard]) -> list[Heard]:
    """Leave cuts out where nothing tells when they were mended, as in journals that hold no snapshots."""
    first = next((n for n, item in enumerate(told) if item.begins), len(told))
    if any(isinstance(item.event, events.SnapshotTaken) for item in told[:first]):
        return told
    return [item for item in told[:first] if not isinstance(item.event, events.LinkLost)] + told[first:]


def _at_first(setup: Setup, told: Sequence[Heard]) -> World:
    """A world before the first event; in the middle of things the link to Asterisk counts as up."""
    if told and told[0].begins:
        return World(setup)
    world = World(setup, [Agent(row.name) for row in setup.agents])
    if told:
        step(world, events.SnapshotTaken(""), told[0].at_ms)
    return world


def _pass_time(world: World, until_ms: int) -> Iterator[tuple[World, events.Event, Step]]:
    """Let the deadlines come that lie before the next event."""
    for _ in range(TICKS_MAX):
        due_ms = world.next_due_ms()
        if due_ms is None or due_ms >= until_ms:
            return
        yield world, events.Ticked(), step(world, events.Ticked(), due_ms)


def _note(done: Step, outcome: Outcome) -> None:
    for fact in done.facts:
        outcome.decided.setdefault(getattr(fact, "call", ""), []).append(type(fact).__name__)


def _item(line: Line, first_ms: int) -> Mapping[str, Any]:
    """Shape a line as the API shows lines of a story."""
    return {
        "offset_ms": line.at_ms - first_ms,
        "kind": line.kind,
        "name": line.name,
        "cause": line.cause,
        "body": line.body,
    }


def _read(path: Path) -> Iterator[Line]:
    """Read one file, or every file of a directory in order."""
    found = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not found:
        raise TongdaiError(words("no_file", path, "*.jsonl"))
    for one in found:
        try:
            yield from journal.read(one)
        except (OSError, UnicodeDecodeError) as error:
            raise TongdaiError(words("no_file", one, getattr(error, "strerror", None) or "UTF-8")) from None
