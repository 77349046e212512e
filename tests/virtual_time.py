"""An event loop on virtual time: nobody sleeps, the clock jumps to the next timer. Same inputs, same order.

There are no sockets and no threads on it. When nothing is ready and no timer is set, the program would wait for ever:
that is a mistake of the test, and `StuckError` says so.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class StuckError(RuntimeError):
    """Everybody waits and no timer will ever wake anybody."""


class _Jump(selectors.SelectSelector):
    """Instead of waiting for a socket, let the time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError("nothing is ready and no timer is set")
        if timeout > 0:
            self.passed_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time starts at 0 and passes only while everybody waits."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._jump.passed_s


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
