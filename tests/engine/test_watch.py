"""The running daemon looks whether what must hold does hold, tells once, and goes on whatever it finds."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog

from controller import log, watch
from controller.core import invariants
from controller.core.events import AgentStatusAsked, PhoneChanged, SetupChanged, SnapshotTaken
from controller.core.step import Step, step
from controller.core.world import World
from controller.watch import Watch
from tests.core import setups

pytestmark = pytest.mark.pure


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out = io.StringIO()
    log.configure("info", "console", out)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    log._lines.stream = None


@pytest.fixture
def world() -> World:
    found = World()
    for event in (SetupChanged(setups.small("an")), SnapshotTaken("boot"), PhoneChanged("an", True)):
        step(found, event, 1_000)
    return found


def taken(world: World, at_ms: int = 2_000) -> Step:
    return step(world, AgentStatusAsked("an", "not_ready"), at_ms)


def broken(world: World) -> None:
    """An agent that has a call in hand which nobody knows: S1 and L2."""
    agent = world.agents["an"]
    world.put(replace(agent, call="1.1"))


def test_all_is_well(world: World, lines: io.StringIO) -> None:
    counted: list[str] = []
    Watch(counted.append, always=True).after(world, taken(world))
    assert counted == []
    assert lines.getvalue() == ""


def test_a_breach_is_counted_each_time_and_told_once_until_it_is_gone(world: World, lines: io.StringIO) -> None:
    counted: list[str] = []
    found = Watch(counted.append, always=True)
    done, well = taken(world), world.agents["an"]
    broken(world)
    for _ in range(3):
        found.after(world, done)
    assert counted == ["S1"] * 3
    assert lines.getvalue().count("an invariant does not hold") == 1
    assert "S1 agent an" in lines.getvalue()
    world.put(well)
    found.after(world, done)
    broken(world)
    found.after(world, done)
    assert lines.getvalue().count("an invariant does not hold") == 2


def test_without_check_it_looks_now_and_then(world: World, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, looked = 100.0, 0
    real = invariants.check

    def counting(*args: object) -> list[str]:
        nonlocal looked, now_s
        looked += 1
        now_s += took_s
        return real(*args)

    took_s = 0.001
    monkeypatch.setattr(watch.time, "monotonic", lambda: now_s)
    monkeypatch.setattr(invariants, "check", counting)
    found, done = Watch(), taken(world)
    for _ in range(5):
        found.after(world, done)
    assert looked == 1
    now_s += watch.EVERY_S
    took_s = 0.1
    found.after(world, done)
    assert looked == 2
    now_s += watch.EVERY_S
    found.after(world, done)
    assert looked == 2, "a look that takes long is taken more seldom"
    now_s += 0.1 * watch.SHARE
    found.after(world, done)
    assert looked == 3


def test_a_look_that_breaks_is_told_and_stops_nobody(
    world: World, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> list[str]:
        raise KeyError("an")

    counted: list[str] = []
    monkeypatch.setattr(invariants, "check", breaks)
    Watch(counted.append, always=True).after(world, taken(world))
    assert counted == ["check"]
    assert "KeyError" in lines.getvalue()
