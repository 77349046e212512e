"""S14: the same events at the same times give the same bytes, under any hash seed and in any process."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from controller.core.setup import Strategy
from tests.core import setups
from tests.core.floor import RUDE, Floor
from tests.hash_seeds import told_under_three

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[2]
STEPS = 400


def day() -> str:
    """A long bad day by a rule everybody can follow; the hash of all that was told, asked and stored."""
    names = [name for name, weight in RUDE.items() for _ in range(weight)]
    floor = Floor(setups.whole(Strategy.RANDOM, Strategy.RING_ALL, Strategy.FEWEST_CALLS), polite=False)
    dice = 20_251_113
    for _ in range(STEPS):
        dice = dice * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407 & 2**64 - 1
        floor.do(names[(dice >> 33) % len(names)], dice >> 40 & 63, dice >> 48 & 63)
    floor.heal()
    return hashlib.sha256("\n".join(floor.dumps).encode()).hexdigest()


def test_the_same_day_gives_the_same_bytes_under_three_hash_seeds() -> None:
    assert told_under_three("tests.core.test_same_bytes", "day()") == {day()}


def test_another_day_gives_other_bytes() -> None:
    floor = Floor(setups.whole())
    before = len(floor.dumps)
    floor.do("caller_arrives", 0, 0)
    assert len(floor.dumps) > before
