"""How well a trunk works: ratios over a window that slides, and endings told apart within bounds."""

from __future__ import annotations

import pytest

from controller.core import quality
from controller.core.model import TrunkWindow
from controller.core.quality import CODES_MAX, SLOT_MS, SLOTS, figures, is_failing, note

pytestmark = pytest.mark.pure

NOW_MS = 1_800_000_000_000 - 1_800_000_000_000 % SLOT_MS


def tried(window: TrunkWindow, at_ms: int, *outcomes: str) -> TrunkWindow:
    for word in outcomes:
        ok, bad = word == "answer", word == "congestion"
        window = note(window, at_ms, word, answered=ok, failed=bad, delay_ms=200 if ok else 0)
    return window


def test_the_last_hour_and_no_more() -> None:
    window = tried(TrunkWindow("v1"), NOW_MS, "answer", "busy", "congestion", "answer")
    found = figures((window,), NOW_MS)
    assert (found.tries, found.answered, found.failed, found.answer_percent, found.delay_ms) == (4, 2, 1, 50.0, 200)
    assert found.codes == (("answer", 2), ("busy", 1), ("congestion", 1))
    window = tried(window, NOW_MS + SLOTS * SLOT_MS, "busy")
    assert figures((window,), NOW_MS + SLOTS * SLOT_MS).codes == (("busy", 1),)
    assert figures((window,), NOW_MS + 2 * SLOTS * SLOT_MS) == quality.Figures()


def test_the_window_is_bounded_whatever_comes() -> None:
    window = TrunkWindow("v1")
    for n in range(500):
        window = note(window, NOW_MS + n * 60_000, f"sip {n}", answered=False, failed=False, delay_ms=0)
        window = note(window, NOW_MS, f"late {n}", answered=False, failed=False, delay_ms=0)
    assert len(window.slots) <= SLOTS
    busy = TrunkWindow("v2")
    for n in range(500):
        busy = note(busy, NOW_MS, f"sip {n}", answered=False, failed=False, delay_ms=0)
    assert len(busy.slots[0].codes) == CODES_MAX + 1
    assert dict(busy.slots[0].codes)["other"] == 500 - CODES_MAX


def test_two_trunks_together() -> None:
    one = tried(TrunkWindow("v1"), NOW_MS, "answer")
    other = tried(TrunkWindow("v2"), NOW_MS, "busy", "busy", "busy")
    assert figures((one, other), NOW_MS).answer_percent == 25.0


def test_a_trunk_that_fails_half_the_time_is_failing() -> None:
    window = tried(TrunkWindow("v1"), NOW_MS, *["answer", "congestion"] * 4)
    assert not is_failing(window, NOW_MS)
    window = tried(window, NOW_MS, "congestion")
    assert is_failing(window, NOW_MS)
    assert not is_failing(window, NOW_MS + 2 * SLOT_MS), "that was a while ago"
    assert not is_failing(tried(window, NOW_MS, "answer", "answer"), NOW_MS)
