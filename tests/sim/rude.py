"""Bad manners of the event stream: messages lost, repeated, late and out of order, at rates one seed keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from controller.core.events import Event
from tests.sim.life import Ears

DROP_MAX, REPEAT_MAX, LATE_MAX_S, SWAP_WITHIN = 0.3, 0.5, 5.0, 16
BURST_MAX_S = 20.0
HELD_MAX_S = 0.5


@dataclass(frozen=True)
class Manners:
    """Rates while a burst lasts; `late_s` is the longest delay."""

    drop: float = 0.0
    repeat: float = 0.0
    late_s: float = 0.0

    @classmethod
    def of(cls, dice: Random) -> Manners:
        return cls(dice.random() * DROP_MAX, dice.random() * REPEAT_MAX, dice.random() * LATE_MAX_S)


class RudeEars(Ears):
    """Faithful until a burst begins; each kind has bursts of its own."""

    def __init__(self, dice: Random, manners: Manners) -> None:
        self._dice = dice
        self.manners = manners
        self._until_s: dict[str, float] = {}
        self._held: list[tuple[Event, Callable[[Event], None]]] = []
        self.harm = 0

    def burst(self, kind: str, seconds: float | None = None) -> None:
        """`drop`, `repeat` (and late) or `swap`, for a while."""
        long_s = self._dice.random() * BURST_MAX_S if seconds is None else seconds
        self._until_s[kind] = asyncio.get_running_loop().time() + long_s

    def calm(self) -> None:
        self._until_s.clear()
        self._let_go()

    def hear(self, event: Event, on: Callable[[Event], None]) -> None:
        if not self._until_s:
            on(event)
            return
        if self._on("drop") and self._dice.random() < self.manners.drop:
            self.harm += 1
            return
        self._pass(event, on)
        if self._on("repeat") and self._dice.random() < self.manners.repeat:
            for _ in range(self._dice.randint(1, 4)):
                self.harm += 1
                asyncio.get_running_loop().call_later(self._dice.random() * self.manners.late_s, on, event)

    def _on(self, kind: str) -> bool:
        return asyncio.get_running_loop().time() < self._until_s.get(kind, 0.0)

    def _pass(self, event: Event, on: Callable[[Event], None]) -> None:
        """In order, or held back and let go with its neighbours in any order, or late by seconds."""
        if not self._on("swap"):
            on(event)
            return
        self.harm += 1
        if self._dice.random() < 0.2:
            asyncio.get_running_loop().call_later(self._dice.random() * self.manners.late_s, on, event)
            return
        if not self._held:
            asyncio.get_running_loop().call_later(self._dice.random() * HELD_MAX_S, self._let_go)
        self._held.append((event, on))
        if len(self._held) >= SWAP_WITHIN:
            self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, []
        self._dice.shuffle(held)
        for event, on in held:
            on(event)
