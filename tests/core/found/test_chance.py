"""Found: a random hotline was mostly the same one, and a question asked beforehand drew another than the call."""

from __future__ import annotations

from collections import Counter

import pytest

from controller.core import asking, trunks
from controller.core.events import OutboundAsked
from controller.core.setup import Adaptive, AgentSetup, Hotline, Setup, Trunk
from controller.core.world import World

pytestmark = pytest.mark.pure

OURS = tuple(f"+8424730{n:05}" for n in range(1000, 1010))
SETUP = Setup(
    trunks=(Trunk("t"),),
    hotlines=tuple(
        Hotline(number, trunk="t", outbound=True, outbound_groups=("ours" if number in OURS else "theirs",))
        for number in (f"+8424730{n:05}" for n in range(2000))
    ),
    adaptives=(Adaptive("auto"), Adaptive("other")),
    agents=(AgentSetup("an", ("ours",), outbound_with="auto"),),
)


def choice(dialled: str, via: str = "") -> str:
    """The hotline a call of `an` would show."""
    question = asking.question(World(setup=SETUP), 1, "2026-11-23", OutboundAsked("c", "", dialled, via), "an")
    return trunks.decide(question).hotline


def test_few_usable_hotlines_among_thousands_share_the_calls_evenly() -> None:
    """Sixteen draws missed the ten of two thousand, and nine calls in ten went to the first of them in the setup."""
    chosen = Counter(choice(f"09671{n:05}") for n in range(500))
    assert set(chosen) == set(OURS)
    assert all(25 <= count <= 80 for count in chosen.values())


@pytest.mark.parametrize("dialled", ["0967123456", "+84967123456", "0084 967 123 456", "84967123456"])
def test_the_same_question_draws_the_same_hotline_however_it_is_written(dialled: str) -> None:
    """Asked with the agent's adaptive number by its name, or with the number in full, chance drew anew."""
    assert choice(dialled) == choice(dialled, "auto") == choice("0967123456")


def test_another_number_and_another_adaptive_number_draw_for_themselves() -> None:
    assert len({choice(f"096712345{n}") for n in range(10)}) > 1
    assert any(choice(f"096712345{n}", "other") != choice(f"096712345{n}") for n in range(10))
