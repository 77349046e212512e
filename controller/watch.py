"""Looks whether what must hold does hold, in the running daemon: after every step with CHECK=1, else now and then.

A breach is a line in the log and a count, and nothing more: the call it was found in is better served by going on than
by an end of everything. The same breach is told once until it is gone. A look costs time with the size of the world
(docs/benchmarks.md), so the pause before the next is at least `SHARE` times as long as the last look took.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

from controller.core import invariants
from controller.core.step import Step
from controller.core.world import World

EVERY_S: Final = 30.0
SHARE: Final = 1_000
"""Of the time at most a thousandth goes into looking."""
TOLD_MAX: Final = 200

Count = Callable[[str], None]
"""Counts one breach by its number (`S1`, `L3`, …; `check` when the look itself broke)."""


class Watch:
    """`always`: after every step, as tests do."""

    def __init__(self, count: Count | None = None, *, always: bool = False) -> None:
        self._always = always
        self._count: Count = count or (lambda _number: None)
        self._log = structlog.get_logger("watch")
        self._next_s = 0.0
        self._told: dict[str, None] = {}

    def after(self, world: World, done: Step) -> None:
        """A step was taken; look if it is time. Never raises."""
        began_s = time.monotonic()
        if not self._always and began_s < self._next_s:
            return
        try:
            breaches = invariants.check(world, world.now_ms, done)
        except Exception as error:  # noqa: BLE001 - whoever looks may not break what is looked at
            self._count("check")
            self._log.error("the check of invariants broke", exc_info=error)
            breaches = []
        self._tell(breaches, done)
        took_s = time.monotonic() - began_s
        self._next_s = began_s + max(EVERY_S, took_s * SHARE)

    def _tell(self, breaches: list[str], done: Step) -> None:
        # What stands in front of the colon is which one and of whom; behind it may be the time of day.
        known, self._told = self._told, {}
        for breach in breaches[:TOLD_MAX]:
            self._count(breach.partition(" ")[0])
            self._told[about := breach.partition(":")[0]] = None
            if about not in known:
                self._log.error("an invariant does not hold", breach=breach, after=done.cause)
