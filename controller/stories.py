"""The story of every live call: each event, fact and command of it in order, kept until its end is written."""

from __future__ import annotations

from typing import Final

from controller import recorded
from controller.core import codec
from controller.core.events import Event, SetupChanged
from controller.core.facts import CallEnded
from controller.core.step import Step
from controller.core.world import World
from controller.journal import Journal
from controller.ports import Line

STORY_MAX: Final = 2_000
"""Lines kept of one call; the journal has them all."""


class Stories:
    """Stories of the calls in a world; those that were alive before a restart begin with what the journal has."""

    def __init__(self, world: World, journal: Journal) -> None:
        self._world = world
        self._lines = {call: list(lines) for call, lines in journal.stories(world.calls).items()}
        self._began = False

    def of(self, call: str) -> tuple[Line, ...]:
        """What has happened to a live call so far."""
        return tuple(self._lines.get(call, ()))

    def told(self, event: Event, done: Step, now_ms: int) -> list[Line]:
        """Put one step into words, each also into the story of its call; the words."""
        lines = self._happened(event, done, now_ms)
        lines.extend(_line(now_ms, "fact", fact, done.cause) for fact in done.facts)
        lines.extend(_line(now_ms, "command", command, done.cause) for command in done.commands)
        for line in lines:
            if line.call and (line.call in self._world.calls or line.call in self._lines or _ends(done, line.call)):
                story = self._lines.setdefault(line.call, [])
                if len(story) < STORY_MAX:
                    story.append(line)
        return lines

    def _happened(self, event: Event, done: Step, now_ms: int) -> list[Line]:
        """The event itself, unless the journal does not keep it."""
        in_effect = bool(done.changes or done.facts or done.commands)
        kept = recorded.written(event, self._world, in_effect=in_effect, began=not self._began)
        self._began = self._began or isinstance(event, SetupChanged)
        if kept is None:
            return []
        name, body = kept
        return [Line(now_ms, str(body.pop("call", "") or ""), "event", name, done.cause, body)]

    def closed(self, done: Step) -> tuple[tuple[str, tuple[Line, ...]], ...]:
        """Give away the stories of the calls that ended with this step."""
        ended = [fact.call for fact in done.facts if isinstance(fact, CallEnded)]
        return tuple((call, tuple(self._lines.pop(call, ()))) for call in ended)


def _line(now_ms: int, kind: str, value: object, cause: str) -> Line:
    body = codec.encode(value)
    name = str(body.pop("type"))
    call = str(body.pop("call", "") or "")
    if kind == "command":
        body.pop("cause")
    return Line(now_ms, call, kind, name, cause, body)


def _ends(done: Step, call: str) -> bool:
    return any(isinstance(fact, CallEnded) and fact.call == call for fact in done.facts)
