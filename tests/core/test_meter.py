"""The meter of a trunk: caps kept exactly, cool-down that ends by itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.meter import (
    COOL_DOWN_MAX_MS,
    COOL_DOWN_MIN_MS,
    CPS_WINDOW_MS,
    admit,
    failed,
    release,
    succeeded,
    unusable,
)
from controller.core.model import TrunkState
from controller.core.setup import Trunk

pytestmark = pytest.mark.pure

FREE = TrunkState("t")
NOW_MS = 1_800_000_000_000


def failed_times(count: int, now_ms: int = NOW_MS) -> TrunkState:
    state = FREE
    for _ in range(count):
        state = failed(state, now_ms)
        now_ms = state.cooling_until_ms or now_ms
    return state


ACTS = st.lists(
    st.tuples(st.sampled_from(["admit", "release", "failed", "succeeded"]), st.integers(0, 9), st.integers(0, 700)),
    max_size=80,
)


@settings(max_examples=500, deadline=None)
@given(ACTS, st.integers(0, 4), st.integers(0, 4))
def test_no_history_of_calls_passes_a_cap(acts: list[tuple[str, int, int]], channels: int, cps: int) -> None:
    trunk, state, now_ms = Trunk("t", max_channels=channels, max_cps=cps), FREE, NOW_MS
    up: dict[str, None] = {}
    starts: list[int] = []
    for act, call, later_ms in acts:
        now_ms += later_ms
        name = f"c{call}"
        if act == "admit":
            room = not channels or len(up.keys() - {name}) < channels
            slow = not cps or sum(now_ms - start < CPS_WINDOW_MS for start in starts) < cps
            cooling = state.cooling_until_ms is not None and now_ms < state.cooling_until_ms
            after = admit(state, trunk, name, now_ms)
            assert (after is not None) == (room and slow and not cooling)
            if after:
                state, up[name] = after, None
                starts.append(now_ms)
        elif act == "release":
            state = release(state, name)
            up.pop(name, None)
        else:
            state = failed(state, now_ms) if act == "failed" else succeeded(state)
        assert sorted(state.live) == sorted(up)
        assert not channels or len(state.live) <= channels


def test_calls_a_second_are_counted_over_a_sliding_second() -> None:
    trunk = Trunk("t", max_cps=2)
    first = admit(FREE, trunk, "a", NOW_MS)
    assert first
    second = admit(first, trunk, "b", NOW_MS + 900)
    assert second
    assert admit(second, trunk, "c", NOW_MS + 999) is None
    third = admit(second, trunk, "c", NOW_MS + 1000)
    assert third
    assert admit(third, trunk, "d", NOW_MS + 1899) is None
    assert admit(third, trunk, "d", NOW_MS + 1900)


def test_a_released_channel_is_free_and_its_start_still_counts() -> None:
    trunk = Trunk("t", max_channels=1, max_cps=1)
    state = admit(FREE, trunk, "a", NOW_MS)
    assert state
    assert "1 channels" in unusable(state, trunk, NOW_MS)
    assert "1 calls of this second" in unusable(release(state, "a"), trunk, NOW_MS)
    assert unusable(release(state, "a"), trunk, NOW_MS + 1000) == ""


def test_two_failures_are_no_reason_and_the_third_is() -> None:
    trunk = Trunk("t")
    assert unusable(failed_times(2), trunk, NOW_MS) == ""
    cooling = failed_times(3)
    assert cooling.cooling_until_ms == NOW_MS + COOL_DOWN_MIN_MS
    assert (
        unusable(cooling, trunk, NOW_MS + COOL_DOWN_MIN_MS - 1) == "failed 3 times in a row, is left out for 1 s more"
    )
    assert unusable(cooling, trunk, NOW_MS + COOL_DOWN_MIN_MS) == ""
    assert admit(cooling, trunk, "a", NOW_MS) is None


def test_the_pause_doubles_to_five_minutes() -> None:
    pauses = []
    state, now_ms = failed_times(2), NOW_MS
    for _ in range(8):
        state = failed(state, now_ms)
        pauses.append((state.cooling_until_ms or 0) - now_ms)
        now_ms = state.cooling_until_ms or 0
    assert pauses == [30_000, 60_000, 120_000, 240_000, *[COOL_DOWN_MAX_MS] * 4]


def test_a_burst_that_fails_together_is_one_reason() -> None:
    state = failed_times(3)
    for _ in range(10):
        state = failed(state, NOW_MS + 1)
    assert state == failed_times(3)


def test_one_success_forgets_the_failures() -> None:
    assert succeeded(failed_times(5)) == FREE
    assert failed(succeeded(failed_times(5)), NOW_MS).cooling_until_ms is None


def test_a_clock_set_back_does_not_close_a_trunk_for_hours() -> None:
    trunk, hour_ms = Trunk("t", max_cps=1), 3_600_000
    state = admit(FREE, trunk, "a", NOW_MS)
    assert state
    assert admit(state, trunk, "b", NOW_MS - hour_ms)
    assert unusable(failed_times(3), trunk, NOW_MS - hour_ms) == ""


def test_a_trunk_switched_off() -> None:
    assert unusable(FREE, Trunk("t", enabled=False), NOW_MS) == "is switched off"
    assert admit(FREE, Trunk("t", enabled=False), "a", NOW_MS) is None
