"""Z7: setup documents. None makes the check raise; one that is accepted reads back the same, and holds for 200 calls.

The calls are those of the call centre of tests/core/floor.py: people, phones and Asterisk behave as they do there, and
every invariant of docs/invariants.md is looked at after every step.
"""

from __future__ import annotations

import random
import tomllib

from controller import setup_file
from controller.core.setup import Setup
from controller.setup_file import check_document
from tests.core.floor import CALM, Floor
from tests.fuzz.documents import document, spoilt

CALLS = 200
CHECKED = 40
"""Documents that are only read, for each that is lived with."""
ACTIONS_MAX = 4_000
CALLERS = ("0967000001", "", "0967000011", "+84967000021", "0912345678")
NUMBERS = ("0967123456", "0912345678", "113", "", "02812345678", "0967000001", "+14155552671", "*40")
DAY = [name for name, weight in CALM.items() if name != "setup_changes" for _ in range(weight)]


class Z7:
    ID = "Z7"
    ASKED = "0 exceptions; an accepted setup reads back the same and breaks no invariant in 200 calls"

    def __init__(self, calls: int = CALLS) -> None:
        self.calls = calls
        self.accepted = self.refused = self.lived = self.simulated = self.steps = 0

    def batch(self, dice: random.Random) -> int:
        for _ in range(CHECKED):
            self._read(spoilt(document(dice), dice))
        setup = None
        while setup is None:
            setup = self._read(document(dice))
        self._live(setup, dice)
        return CHECKED + 1

    def _read(self, made: dict[str, object]) -> Setup | None:
        checked = check_document(made)
        assert (checked.setup is None) == bool(checked.problems), made
        if checked.setup is None:
            assert all(str(problem).isprintable() for problem in checked.problems), checked.problems
            self.refused += 1
            return None
        text = setup_file.to_toml(made)
        assert setup_file.parse(text) == checked.setup, text
        assert check_document(tomllib.loads(text)).setup == checked.setup, text
        self.accepted += 1
        return checked.setup

    def _live(self, setup: Setup, dice: random.Random) -> None:
        floor = House(setup)
        for _ in range(ACTIONS_MAX):
            if floor.came >= self.calls:
                break
            floor.do(dice.choice(DAY), dice.randint(0, 63), dice.randint(0, 63))
            self.steps += 1
        floor.heal()
        self.lived += 1
        self.simulated += floor.came

    def seen(self) -> dict[str, object]:
        read = {"exceptions": 0, "accepted": self.accepted, "refused": self.refused}
        return {
            **read,
            "lived_with": self.lived,
            "calls": self.simulated,
            "steps": self.steps,
            "breaches": 0,
            "pass": True,
        }

    def close(self) -> None:
        pass


class House(Floor):
    """The floor with the numbers of its own setup, and one that nobody has."""

    def __init__(self, setup: Setup) -> None:
        self.came = 0
        super().__init__(setup)

    def caller_arrives(self, n: int, m: int) -> None:
        hotlines = [row.number for row in self.setup.hotlines] * 3 + ["+840000"]
        if len(self.exchange.channels) < 40:
            self.came += 1
            self.exchange.call_in(hotlines[n % len(hotlines)], CALLERS[m % len(CALLERS)])

    def dials(self, n: int, m: int) -> None:
        super().dials(n, m)
        self.came += 1
