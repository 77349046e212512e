"""What was used of calling out: caps hold to the call and to the second, on the day they are meant for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core import quota
from controller.core.model import Use
from controller.core.setup import Limits

pytestmark = pytest.mark.pure

NOW_MS = 1_800_000_000_000
DAY, NEXT = "2027-01-15", "2027-01-16"


def used(limits: Limits, *at_ms: int) -> Use:
    use = Use()
    for n, ms in enumerate(at_ms):
        use = quota.begin(use, limits, f"c{n}", ms, DAY)
    return use


def test_a_minute_is_any_sixty_seconds() -> None:
    limits = Limits(calls_per_minute=2)
    use = used(limits, NOW_MS, NOW_MS + 30_000)
    assert quota.room(use, limits, NOW_MS + 59_999, DAY) == "has made its 2 calls of this minute"
    assert quota.room(use, limits, NOW_MS + 60_000, DAY) == ""
    assert quota.room(use, limits, NOW_MS - 3_600_000, DAY) == "", "the clock was set back"


def test_a_day_begins_anew() -> None:
    limits = Limits(calls_per_day=1, minutes_per_day=1)
    use = used(limits, NOW_MS)
    assert quota.room(use, limits, NOW_MS, DAY) == "has made its 1 calls of 2027-01-15"
    assert quota.room(use, limits, NOW_MS, NEXT) == ""
    use = quota.end(quota.answered(use, "c0", NOW_MS), "c0", NOW_MS + 60_000, NEXT, NOW_MS)
    assert (use.day, use.talked_ms, use.calls) == (NEXT, 60_000, 0)
    assert quota.room(use, limits, NOW_MS + 60_000, NEXT) == "has talked its 1 minutes of 2027-01-16"


def test_calls_at_once() -> None:
    limits = Limits(calls_at_once=1)
    use = used(limits, NOW_MS)
    assert quota.room(use, limits, NOW_MS, DAY) == "has its 1 calls up at once"
    assert quota.room(use, limits, NOW_MS, DAY, "c0") == "", "it is counted already"
    assert quota.begin(use, limits, "c0", NOW_MS, DAY) == use
    assert quota.room(quota.end(use, "c0", NOW_MS, DAY), limits, NOW_MS, DAY) == ""
    assert quota.end(use, "stranger", NOW_MS, DAY, 0) == use


def test_talks_that_share_minutes_end_together() -> None:
    limits = Limits(minutes_per_day=2)
    use = used(limits, NOW_MS, NOW_MS)
    assert quota.runs_out_ms(use, 2, NOW_MS, DAY) is None
    use = quota.answered(quota.answered(use, "c0", NOW_MS), "c1", NOW_MS)
    assert quota.answered(use, "c1", NOW_MS + 5) == use
    assert quota.answered(use, "c9", NOW_MS) == use
    at_ms = quota.runs_out_ms(use, 2, NOW_MS, DAY)
    assert at_ms == NOW_MS + 60_000
    assert quota.left_ms(use, 2, at_ms, DAY) == 0
    assert quota.left_ms(use, 0, at_ms, DAY) is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40_000), st.booleans()), max_size=60), st.integers(1, 5), st.integers(1, 12))
def test_no_order_of_calls_passes_a_cap(steps: list[tuple[int, bool]], minute: int, day: int) -> None:
    limits, use, now_ms, begun = Limits(calls_at_once=3, calls_per_minute=minute, calls_per_day=day), Use(), NOW_MS, []
    for n, (wait_ms, ends) in enumerate(steps):
        now_ms += wait_ms
        if ends and use.live:
            use = quota.end(use, use.live[0], now_ms, DAY)
        elif not quota.room(use, limits, now_ms, DAY):
            use = quota.begin(use, limits, f"c{n}", now_ms, DAY)
            begun.append(now_ms)
        assert len(use.live) <= 3
        assert sum(1 for at_ms in begun if now_ms - at_ms < quota.MINUTE_MS) <= minute
        assert len(begun) == use.calls <= day
