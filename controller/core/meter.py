"""The meter of one trunk: calls up on it, starts within the last second, failures in a row, and whether it is on trial.

Each function takes the state as it was and gives the state as it will be; None means there is no room. Whoever dials
asks `admit` in the same step that dials, so the caps hold exactly, and a state that is stored holds them across a
restart.
"""

from __future__ import annotations

from controller.core import quota
from controller.core.evolve import evolve
from controller.core.model import TrunkState
from controller.core.setup import Trunk

CPS_WINDOW_MS = 1_000
FAILURES_MAX = 3
"""Failures in a row after which a trunk is set aside."""
COOL_DOWN_MIN_MS = 30_000
COOL_DOWN_MAX_MS = 300_000
PAUSES_MAX = 10
"""Cool-downs that are counted: long before, the pause is the longest."""


def unusable(state: TrunkState, trunk: Trunk, now_ms: int, day: str = "") -> str:
    """Why no call may start on the trunk now, in words for a person; empty when one may. `day` is the local date."""
    if not trunk.enabled:
        return "is switched off"
    if not state.reachable:
        return "does not answer when Asterisk asks whether it is there (SIP OPTIONS)"
    left_ms = _cooling_left_ms(state, now_ms)
    if left_ms:
        how = f"{state.failures} times in a row" if state.failures >= FAILURES_MAX else "too often"
        return f"failed {how}, is left out for {-(-left_ms // 1000)} s more"
    if state.probe and state.probe in state.live:
        return "is on trial after its failures, and one call tries it already"
    if trunk.max_channels and len(state.live) >= trunk.max_channels:
        return f"has all its {trunk.max_channels} channels in use"
    if trunk.max_cps and len(_recent(state, now_ms)) >= trunk.max_cps:
        return f"has started its {trunk.max_cps} calls of this second"
    minutes = trunk.minutes_per_day
    if minutes and quota.talked_ms(state.use, now_ms, day) >= minutes * quota.MINUTE_MS:
        return f"has carried its {minutes} minutes of {day}"
    return ""


def admit(state: TrunkState, trunk: Trunk, call: str, now_ms: int, day: str = "") -> TrunkState | None:
    """Start a call on the trunk; None when it may not. A call already on it keeps its channel and counts one start."""
    others = tuple(name for name in state.live if name != call)
    state = evolve(state, live=others)
    if unusable(state, trunk, now_ms, day):
        return None
    probe = call if state.pauses else ""
    return evolve(state, live=(*others, call), starts_ms=(*_recent(state, now_ms), now_ms), probe=probe)


def admit_urgent(state: TrunkState, call: str, now_ms: int) -> TrunkState:
    """Start an emergency call, whatever the meter says; it counts like any other, but for being a probe."""
    rest = release(state, call)
    return evolve(rest, live=(*rest.live, call), starts_ms=(*_recent(state, now_ms), now_ms))


def release(state: TrunkState, call: str) -> TrunkState:
    """The call is no longer on the trunk; if it was the probe, another may be."""
    probe = "" if state.probe == call else state.probe
    return evolve(state, live=tuple(name for name in state.live if name != call), probe=probe)


def failed(state: TrunkState, now_ms: int, *, often: bool = False) -> TrunkState:
    """The trunk failed for its own reasons: from the third time in a row it is left out, each time twice as long.

    One that fails `often` is left out too, although calls in between went through, and so is one on trial.
    """
    if _cooling_left_ms(state, now_ms):
        # Calls that were under way when it was set aside say nothing new; else a burst would cost five minutes.
        return state
    failures = state.failures + 1
    if failures < FAILURES_MAX and not often and not state.pauses:
        return evolve(state, failures=failures, cooling_until_ms=None)
    pause_ms = min(COOL_DOWN_MIN_MS << min(state.pauses, PAUSES_MAX), COOL_DOWN_MAX_MS)
    return evolve(
        state,
        failures=failures,
        cooling_until_ms=now_ms + pause_ms,
        pauses=min(state.pauses + 1, PAUSES_MAX),
    )


def succeeded(state: TrunkState) -> TrunkState:
    """The trunk carried a call: its failures are forgotten."""
    return evolve(state, failures=0, cooling_until_ms=None, pauses=0, probe="")


def reached(state: TrunkState) -> TrunkState:
    """A call got as far as its callee, who did not take it: the trunk works, and its trial is over."""
    return evolve(state, pauses=0, probe="")


def seen(state: TrunkState, *, reachable: bool) -> TrunkState:
    """Asterisk has asked the carrier: one that answers again is used again at once, whatever it did before."""
    if reachable and not state.reachable:
        return evolve(state, reachable=True, failures=0, cooling_until_ms=None, pauses=0, probe="")
    return evolve(state, reachable=reachable)


def _recent(state: TrunkState, now_ms: int) -> tuple[int, ...]:
    """Starts of the last second; one that lies far ahead dates from before the clock was set back."""
    return tuple(start_ms for start_ms in state.starts_ms if abs(now_ms - start_ms) < CPS_WINDOW_MS)


def _cooling_left_ms(state: TrunkState, now_ms: int) -> int:
    """How long the trunk is still left out; more than the longest pause dates from before the clock was set back."""
    left_ms = (state.cooling_until_ms or now_ms) - now_ms
    return left_ms if 0 < left_ms <= COOL_DOWN_MAX_MS else 0
