"""`tongdai apply --ported`, standing still at a point of the import where a test kills it.

`python -m tests.faults.importing POINT FILE` says `here` at half of a part (`read`, `write`, `clear`), or in the last
transaction before it is committed (`commit`), and then does nothing more until its standard input ends.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from controller.cli import app
from controller.store import ported_books, ported_import
from controller.store.ported_course import Course, Part

BLOCKS = 2
"""Of a transaction, so that a list that is read in no time has some of them."""

_plainly = Course.at
_into_force = ported_books.come_into_force


def _stand_still() -> None:
    print("here", flush=True)
    sys.stdin.read()
    os._exit(3)


def _at(point: str) -> None:
    def at(course: Course, part: Part, done: int, whole: int) -> None:
        _plainly(course, part, done, whole)
        if part.name.lower() == point and whole and 2 * done >= whole:
            _stand_still()

    async def come_into_force(*args: Any) -> bool:
        done = await _into_force(*args)
        if point == "commit":
            _stand_still()
        return done

    Course.at = at  # type: ignore[method-assign]  # the point is the fault
    ported_books.come_into_force = come_into_force
    ported_import.WRITTEN_BLOCKS = BLOCKS  # type: ignore[misc]
    ported_books.DROPPED_BLOCKS = BLOCKS  # type: ignore[misc]


if __name__ == "__main__":
    _at(sys.argv[1])
    sys.argv[:] = ["tongdai", "apply", "--ported", sys.argv[2]]
    app()
