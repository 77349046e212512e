"""The state of the link to Asterisk, decided apart from the socket so that every turn of it can be tested.

        +-----------> CONNECTING --opened--> SYNCING --synced--> LIVE
        |                 |                     |                 |
     retried             cut                   cut               cut            from anywhere: replaced --> REPLACED
        |                 v                     |                 |
        +--------------- LOST <-----------------+-----------------+

*Syncing* means that events flow but what happened before was not heard: a snapshot must be taken before anything is
believed. *Replaced* is the end: Asterisk gives our events to another controller, and does not even close our socket,
so that only we can keep ourselves from commanding on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MAX_S: Final = 5.0
NOT_LISTENING_MAX_S: Final = 0.25
"""Asking a port nobody listens on costs nothing, and calls wait for the moment somebody does."""


class LinkState(StrEnum):
    """Where the link stands."""

    CONNECTING = "connecting"
    SYNCING = "syncing"
    LIVE = "live"
    LOST = "lost"
    REPLACED = "replaced"


class Turn(StrEnum):
    """What can happen to the link."""

    OPENED = "opened"
    SYNCED = "synced"
    CUT = "cut"
    RETRIED = "retried"
    REPLACED = "replaced"


_C, _S, _L, _X, _R = LinkState
MOVES: Final = {
    (_C, Turn.OPENED): _S,
    (_C, Turn.SYNCED): _C,
    (_C, Turn.CUT): _X,
    (_C, Turn.RETRIED): _C,
    (_C, Turn.REPLACED): _R,
    (_S, Turn.OPENED): _S,
    (_S, Turn.SYNCED): _L,
    (_S, Turn.CUT): _X,
    (_S, Turn.RETRIED): _S,
    (_S, Turn.REPLACED): _R,
    (_L, Turn.OPENED): _L,
    (_L, Turn.SYNCED): _L,
    (_L, Turn.CUT): _X,
    (_L, Turn.RETRIED): _L,
    (_L, Turn.REPLACED): _R,
    (_X, Turn.OPENED): _X,
    (_X, Turn.SYNCED): _X,
    (_X, Turn.CUT): _X,
    (_X, Turn.RETRIED): _C,
    (_X, Turn.REPLACED): _R,
    (_R, Turn.OPENED): _R,
    (_R, Turn.SYNCED): _R,
    (_R, Turn.CUT): _R,
    (_R, Turn.RETRIED): _R,
    (_R, Turn.REPLACED): _R,
}
"""Every cell, so that none is left to chance."""


@dataclass(frozen=True, slots=True)
class Link:
    """The state, and how many attempts in a row did not come to life."""

    state: LinkState = LinkState.CONNECTING
    failures: int = 0

    def after(self, turn: Turn) -> Link:
        """The link after `turn`. Only a link that came to life makes the next attempts quick again."""
        state = MOVES[self.state, turn]
        if state is LinkState.LIVE:
            return Link(state)
        return Link(state, self.failures + (state is LinkState.LOST and self.state is not LinkState.LOST))

    def come_up(self) -> Link:
        """The link when somebody listens again: what failed before that says nothing about what fails now."""
        return Link(self.state, min(self.failures, 1))

    @property
    def is_open(self) -> bool:
        """Whether events are flowing."""
        return self.state in {LinkState.SYNCING, LinkState.LIVE}

    def pause_s(self, chance: float, max_s: float = BACKOFF_MAX_S) -> float:
        """How long to wait before the next attempt: 0.1 s doubled up to `max_s`, of which `chance` (0 to 1) takes half.

        The jitter keeps several controllers from knocking in step on an Asterisk that is just coming up.
        """
        doubled = BACKOFF_FIRST_S * 2.0 ** min(max(self.failures - 1, 0), 16)
        return min(doubled, max_s) * (1 - chance / 2)
