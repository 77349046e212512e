"""A circuit breaker: who has not answered for a while is not asked for a while. Pure; the time is told.

Closed: everybody may ask. After so many failures in a row it opens, and nobody asks until the pause is over. Then it
is half open: one question goes out as a probe, and how that ends decides whether it closes or opens again.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Whether questions go out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """One breaker. `failures` in a row open it, for `pause_s`."""

    __slots__ = ("_failed", "_failures", "_open_until_s", "_pause_s", "_probing")

    def __init__(self, failures: int, pause_s: float) -> None:
        self._failures = failures
        self._pause_s = pause_s
        self._failed = 0
        self._open_until_s: float | None = None
        self._probing = False

    def state(self, now_s: float) -> State:
        """What it is now."""
        if self._open_until_s is None:
            return State.CLOSED
        return State.OPEN if now_s < self._open_until_s else State.HALF_OPEN

    def may_ask(self, now_s: float) -> bool:
        """Whether a question may go out; half open, the first one that asks is the probe."""
        found = self.state(now_s)
        if found is State.HALF_OPEN and not self._probing:
            self._probing = True
            return True
        return found is State.CLOSED

    def succeeded(self) -> None:
        """A question was answered, whatever the answer."""
        self._failed, self._open_until_s, self._probing = 0, None, False

    def failed(self, now_s: float) -> None:
        """A question was not answered. One that began before it opened does not open it for longer."""
        self._failed += 1
        if self._probing or (self._open_until_s is None and self._failed >= self._failures):
            self._open_until_s, self._probing = now_s + self._pause_s, False
