"""What a fuzz program is: batches of inputs made from a number, figures at the end, an AssertionError for a breach.

The same id, seed and batch always make the same inputs, so that one line repeats what broke:
`make fuzz ONLY=Z1 SEED=7 BATCH=412`. The short form of each program is a test in the lane it belongs to.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

SAMPLES_MAX = 20_000


class Program(Protocol):
    """One row of the fuzz table of docs/security.md."""

    ID: str
    ASKED: str

    def batch(self, dice: random.Random) -> int:
        """Make and judge some inputs; how many there were. AssertionError: a breach."""
        ...

    def seen(self) -> dict[str, object]:
        """What was measured so far."""
        ...

    def close(self) -> None: ...


def dice_for(program: str, seed: int, batch: int) -> random.Random:
    """The dice of one batch: nothing else decides what it does."""
    return random.Random(f"{program}/{seed}/{batch}")


def play(program: Program, batches: Iterable[int], seed: int = 0) -> int:
    """Run these batches; how many inputs that were. The first breach names the line that repeats it."""
    inputs = 0
    for n in batches:
        try:
            inputs += program.batch(dice_for(program.ID, seed, n))
        except BaseException as error:
            error.add_note(f"make fuzz ONLY={program.ID} SEED={seed} BATCH={n}")
            raise
    return inputs


@dataclass
class Times:
    """Times of single inputs, a sample of bounded size: every n-th once there are too many."""

    every: int = 1
    count: int = 0
    kept: array[float] = field(default_factory=lambda: array("d"))

    def add(self, seconds: float) -> None:
        self.count += 1
        if self.count % self.every == 0:
            self.kept.append(seconds)
        if len(self.kept) > SAMPLES_MAX:
            self.kept, self.every = self.kept[::2], self.every * 2

    def ms(self, percent: float) -> float:
        """A percentile in milliseconds; 0 without any."""
        if not self.kept:
            return 0.0
        ordered = sorted(self.kept)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000, 4)
