"""`tongdai replay JOURNAL`: look back at what was recorded, and ask today's program whether it would do the same.

Without a setup the lines are told in order, as stories. With one, every recorded event is given to a fresh world at
its recorded time, deadlines between them included, and the facts it leads to are compared with those of the journal,
call by call. A journal that begins in the middle of things lacks what came before: its first calls may differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from controller import journal, setup_file
from controller.cli_options import complain, say
from controller.cli_story import lines, plain
from controller.cli_words import words
from controller.core import codec, events
from controller.core.model import Agent
from controller.core.setup import Setup
from controller.core.step import Step, step
from controller.core.world import World
from controller.errors import TongdaiError
from controller.ports import Line

TICKS_MAX = 100_000
"""Deadlines followed between two recorded events."""


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


def replay(path: Path, setup: Path | None, call: str) -> int:
    """Tell what a journal recorded, or with a setup what is decided otherwise today; returns the exit code.

    `call` is the only call asked for, empty for all.
    """
    recorded = list(_read(path))
    if setup is None:
        tell([line for line in recorded if call in {"", line.call}])
        return 0
    outcome = again(recorded, setup_file.parse(setup_file.read(setup), str(setup)))
    differing = [name for name in outcome.differing() if call in {"", name}]
    for name in differing:
        before, after = outcome.recorded.get(name, []), outcome.decided.get(name, [])
        say(f"{plain(name)}: {' '.join(before) or '-'}  ->  {' '.join(after) or '-'}")
    if differing:
        complain(words("replay_differs", outcome.events, len(differing)))
        return 1
    say(words("replay_same", outcome.events))
    return 0


def tell(recorded: Sequence[Line]) -> None:
    """Print lines of a journal, call beside call, each with its time since the first."""
    if not recorded:
        say(words("none"))
        return
    first_ms = recorded[0].at_ms
    items = [_item(line, first_ms) for line in recorded]
    for line, text in zip(recorded, lines(items), strict=True):
        say(f"{plain(line.call):<20} {text}" if line.call else f"{'':<20} {text}")
    say(words("replayed", len(recorded), len({line.call for line in recorded if line.call})))


def again(recorded: Sequence[Line], setup: Setup) -> Outcome:
    """Give the recorded events to a fresh world whose agents are those of the setup, offline and unreachable."""
    outcome = Outcome()
    world = World(setup, [Agent(row.name) for row in setup.agents])
    # Snapshots are not in the journal: the link to Asterisk counts as up from the first line to the last.
    step(world, events.SnapshotTaken("replay"), recorded[0].at_ms if recorded else 0)
    for line in recorded:
        if line.kind == "fact":
            outcome.recorded.setdefault(line.call, []).append(line.name)
        elif line.kind == "event":
            event = _event(line)
            if event is None or isinstance(event, events.LinkLost):
                continue
            outcome.events += 1
            _pass_time(world, line.at_ms, outcome)
            _note(step(world, event, line.at_ms), outcome)
    return outcome


def _pass_time(world: World, until_ms: int, outcome: Outcome) -> None:
    """Let the deadlines come that lie before the next event."""
    for _ in range(TICKS_MAX):
        due_ms = world.next_due_ms()
        if due_ms is None or due_ms >= until_ms:
            return
        _note(step(world, events.Ticked(), due_ms), outcome)


def _note(done: Step, outcome: Outcome) -> None:
    for fact in done.facts:
        outcome.decided.setdefault(getattr(fact, "call", ""), []).append(type(fact).__name__)


def _event(line: Line) -> events.Event | None:
    """Build the event of a recorded line; None for one this program does not know."""
    found = getattr(events, line.name, None)
    if not isinstance(found, type):
        return None
    names = {item.name for item in fields(found)}
    call = {"call": line.call} if "call" in names else {}
    try:
        return codec.decode({"type": line.name, **call, **line.body})  # type: ignore[no-any-return]  # it is an Event
    except ValueError:
        return None


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
