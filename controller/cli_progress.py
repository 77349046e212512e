"""How far something long is, on standard error: one line that is written over on a terminal, some lines in a log.

What is over soon says nothing. Where nobody watches, as under systemd, a line follows ten percent and some seconds
after the one before, so that a log of the longest import has ten of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import typer

from controller.cli_words import words

ALL: Final = 100
WATCHED_QUIET_S: Final = 0.5
"""What takes no longer is not worth a line that somebody would see for a moment."""
LINE_EVERY_S: Final = 3.0
LINE_EVERY: Final = 10
"""Percent between two lines of a log."""


class Shown:
    """Shows how far something is whenever it is called with how much is done, and of how much."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._watched = sys.stderr.isatty()
        self._now_s = now_s
        self._said_s = now_s()
        self._said = 0
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is said next, an error it may be, begins on a line of its own.
        if self._watched and self._begun:
            typer.echo(err=True)

    def __call__(self, done: int, whole: int) -> None:
        """So much is done."""
        percent, now_s = ALL * done // whole, self._now_s()
        if not self._is_worth_saying(percent, now_s - self._said_s):
            return
        self._begun, self._said, self._said_s = True, percent, now_s
        told = words("importing", percent)
        typer.echo(f"\r{told}" if self._watched else told, err=True, nl=not self._watched)

    def _is_worth_saying(self, percent: int, quiet_s: float) -> bool:
        if self._begun and (self._watched or percent == ALL):
            return percent != self._said
        if self._watched:
            return quiet_s >= WATCHED_QUIET_S
        return quiet_s >= LINE_EVERY_S and percent >= self._said + LINE_EVERY
