"""Everything at once: a call centre driven by chance, all that must hold checked after every step.

A failure shrinks to a short list of `happens(action, n, m)` lines; `Floor.do` replays it. HYPOTHESIS_PROFILE=deep
looks longer (nightly).
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from controller.core.setup import Strategy
from tests.core import setups
from tests.core.floor import CALM, RUDE, Floor

pytestmark = pytest.mark.pure

QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck)}
PROFILES = {
    "fixed": settings(max_examples=250, stateful_step_count=60, **QUIET),
    "quick": settings(max_examples=15, stateful_step_count=40, **QUIET),
    "search": settings(max_examples=1_000, stateful_step_count=100, **QUIET),
    "deep": settings(max_examples=10_000, stateful_step_count=200, **QUIET),
}
PROFILE = PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "fixed")]
STRATEGIES = st.sampled_from(list(Strategy))
NUMBERS = st.integers(0, 63)


def weighted(actions: dict[str, int]) -> st.SearchStrategy[str]:
    return st.sampled_from([name for name, weight in actions.items() for _ in range(weight)])


class PoliteDay(RuleBasedStateMachine):
    """What Asterisk tells arrives at once, in order and once; it is cut, restarted and audited all the same."""

    polite = True

    @initialize(one=STRATEGIES, two=STRATEGIES, three=STRATEGIES)
    def opens(self, one: Strategy, two: Strategy, three: Strategy) -> None:
        self.floor = Floor(setups.whole(one, two, three), self.polite)

    @rule(action=weighted(CALM), n=NUMBERS, m=NUMBERS)
    def happens(self, action: str, n: int, m: int) -> None:
        self.floor.do(action, n, m)

    def teardown(self) -> None:
        if hasattr(self, "floor"):
            self.floor.heal()


class RudeDay(RuleBasedStateMachine):
    """Messages are late, lost, repeated and swapped, commands fail, the clock steps."""

    @initialize(one=STRATEGIES, two=STRATEGIES, three=STRATEGIES)
    def opens(self, one: Strategy, two: Strategy, three: Strategy) -> None:
        self.floor = Floor(setups.whole(one, two, three), polite=False)

    @rule(action=weighted(RUDE), n=NUMBERS, m=NUMBERS)
    def happens(self, action: str, n: int, m: int) -> None:
        self.floor.do(action, n, m)

    def teardown(self) -> None:
        if hasattr(self, "floor"):
            self.floor.heal()


TestPoliteDay = PoliteDay.TestCase
TestPoliteDay.settings = PROFILE
TestRudeDay = RudeDay.TestCase
TestRudeDay.settings = PROFILE
