"""How far an import is: reading, sorting, writing and clearing up as one figure that never goes back.

Each part weighs what it costs, roughly, measured in bytes read of the file: a plain line of some twenty bytes is read
in 1.3 microseconds, its row is merged and written in a fifth to a third of that, and rows that are only copied or
dropped cost next to nothing. What a part turns out to hold does not change its weight, so the figure moves on only.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Final

LINE_BYTES: Final = 20
"""Of a plain line: a number as dialled at home, a comma, a carrier."""
WRITTEN_WEIGHT: Final = 5
"""Of a row that is merged and written."""

Progress = Callable[[int, int], None]
"""Told every so often while a list is imported: how much is done, and of how much in all, in units of its own."""


class Part(IntEnum):
    """The parts of an import, in their order."""

    READ = 0
    COPY = 1
    WRITE = 2
    CLEAR = 3


class StoppedError(Exception):
    """Nobody waits for this import any more."""


class Course:
    """One import from nothing to all, however often it begins anew because another one came in between."""

    def __init__(self, tell: Progress | None, file_bytes: int, rows_in_force: int) -> None:
        """Weigh the parts; a file whose size nobody knows is 0 bytes long."""
        rows = file_bytes // LINE_BYTES + rows_in_force
        self._tell = tell
        self._weights = tuple(
            max(1, weight) for weight in (file_bytes, rows_in_force, WRITTEN_WEIGHT * rows, rows_in_force)
        )
        self._before = tuple(sum(self._weights[:part]) for part in Part)
        self._whole = sum(self._weights)
        self._done = -1
        self._stopped = False

    def stop(self) -> None:
        """End what still goes on in another thread, at its next step."""
        self._stopped = True

    def at(self, part: Part, done: int, whole: int) -> None:
        """Of a part so much is done; nothing is told when that is no step forward. StoppedError when nobody waits."""
        if self._stopped:
            raise StoppedError
        share = self._weights[part] * min(done, whole) // whole if whole else self._weights[part]
        if self._tell is not None and self._before[part] + share > self._done:
            self._done = self._before[part] + share
            self._tell(self._done, self._whole)
