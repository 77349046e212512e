"""The cost of a step does not grow with the number of calls and agents: counted in calls of functions, not in time."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from benchmarks.step_cost import SCENES, Scene, crowd
from controller.core.events import Event
from controller.core.step import step
from controller.core.world import World

pytestmark = pytest.mark.pure

FEW, MANY = 10, 10_000
GROWTH_MAX = 1.5


@contextmanager
def counting() -> Iterator[Callable[[], int]]:
    """Count the calls of functions, Python's and C's, until the end of the block; the collector's are nobody's."""
    count = 0

    def called(_frame: object, what: str, _arg: object) -> None:
        nonlocal count
        count += what in {"call", "c_call"}

    gc.disable()
    sys.setprofile(called)
    try:
        yield lambda: count
    finally:
        sys.setprofile(None)
        gc.enable()


def work(world: World, events: list[Event], now_ms: int) -> int:
    """The most that one of these steps calls."""
    most = 0
    for event in events:
        with counting() as count:
            done = step(world, event, now_ms)
        assert not done.broken, done.broken
        most = max(most, count())
    return most


@pytest.fixture(scope="module")
def crowds() -> dict[int, tuple[World, int]]:
    return {size: crowd(size) for size in (FEW, MANY)}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_step_among_many_does_no_more_work_than_among_few(scene: Scene, crowds: dict[int, tuple[World, int]]) -> None:
    did = {}
    for size, (world, now_ms) in crowds.items():
        work(world, scene.events(world, size, 0), now_ms)
        did[size] = work(world, scene.events(world, size, 1), now_ms)
    assert did[FEW] > 20, "the scene does something"
    assert did[MANY] <= GROWTH_MAX * did[FEW], did
