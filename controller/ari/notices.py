"""What the event stream tells the telephone itself, and not the core: who may go on, who must stop waiting."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entered:
    """A channel we made is in our application: from now on it takes commands."""

    channel: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A playback of ours has ended."""

    playback: str


@dataclass(frozen=True, slots=True)
class Left:
    """A channel we made is gone: nobody need wait for it any longer."""

    channel: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """Another controller connected as our application: this one must be silent from now on."""


@dataclass(frozen=True, slots=True)
class Odd:
    """A message that was not understood; `why` is one of a few words, fit to be a metric's label."""

    why: str


Notice = Entered | Finished | Left | Replaced | Odd
