"""How much of calling out somebody has used: calls up, starts of the last minute, calls and talk of the local day.

The same arithmetic serves agents, hotlines and trunks. Each function takes what was used and gives what will be; who
calls out has asked `room` in the same step, so caps hold exactly, and what is stored holds them across a restart.
"""

from __future__ import annotations

from controller.core.evolve import evolve
from controller.core.model import Use
from controller.core.setup import Limits

MINUTE_MS = 60_000


def room(use: Use, limits: Limits, now_ms: int, day: str, call: str = "", *, counted: bool = False) -> str:
    """Why no further call may begin, in words; empty when one may. A call that is up already has its place.

    One that is `counted` was up before and comes back: it is no further call of the minute or the day.
    """
    if call and call in use.live:
        return ""
    if limits.calls_at_once and len(use.live) >= limits.calls_at_once:
        return f"has its {limits.calls_at_once} calls up at once"
    if limits.minutes_per_day and talked_ms(use, now_ms, day) >= limits.minutes_per_day * MINUTE_MS:
        return f"has talked its {limits.minutes_per_day} minutes of {day}"
    if counted:
        return ""
    if limits.calls_per_minute and len(_recent(use, now_ms)) >= limits.calls_per_minute:
        return f"has made its {limits.calls_per_minute} calls of this minute"
    if limits.calls_per_day and use.day == day and use.calls >= limits.calls_per_day:
        return f"has made its {limits.calls_per_day} calls of {day}"
    return ""


def begin(use: Use, limits: Limits, call: str, now_ms: int, day: str, *, counted: bool = False) -> Use:
    """A call begins; one that is up already, or is `counted` and comes back, counts once."""
    if call in use.live:
        return use
    if counted:
        return evolve(use, live=(*use.live, call))
    starts_ms = (*_recent(use, now_ms), now_ms)[-limits.calls_per_minute :] if limits.calls_per_minute else ()
    today = _today(use, day)
    return evolve(today, live=(*use.live, call), starts_ms=starts_ms, calls=today.calls + 1)


def answered(use: Use, call: str, now_ms: int) -> Use:
    """The talk of a call begins."""
    if call not in use.live or any(name == call for name, _ in use.talks):
        return use
    return evolve(use, talks=(*use.talks, (call, now_ms)))


def end(use: Use, call: str, now_ms: int, day: str, since_ms: int | None = None) -> Use:
    """A call is over: its talk since `since_ms` (None: there was none) is added to the day it ended on."""
    if call not in use.live:
        return use
    began_ms = dict(use.talks).get(call, since_ms)
    talked = 0 if began_ms is None else max(0, now_ms - began_ms)
    today = _today(use, day) if talked else use
    live = tuple(name for name in use.live if name != call)
    talks = tuple(row for row in use.talks if row[0] != call)
    return evolve(today, live=live, talks=talks, talked_ms=today.talked_ms + talked)


def talked_ms(use: Use, now_ms: int, day: str) -> int:
    """How long was talked today, talks that go on included."""
    before = use.talked_ms if use.day == day else 0
    return before + sum(max(0, now_ms - at_ms) for _, at_ms in use.talks)


def left_ms(use: Use, minutes: int, now_ms: int, day: str) -> int | None:
    """How long may still be talked today; None without a cap."""
    return max(0, minutes * MINUTE_MS - talked_ms(use, now_ms, day)) if minutes else None


def runs_out_ms(use: Use, minutes: int, now_ms: int, day: str) -> int | None:
    """When the talks that go on will have used up the day's minutes; None when they never will."""
    left = left_ms(use, minutes, now_ms, day)
    return None if left is None or not use.talks else now_ms + max(1, left // len(use.talks))


def _today(use: Use, day: str) -> Use:
    return use if use.day == day else evolve(use, day=day, calls=0, talked_ms=0)


def _recent(use: Use, now_ms: int) -> tuple[int, ...]:
    """Starts of the last minute; one that lies ahead dates from before the clock was set back."""
    return tuple(start_ms for start_ms in use.starts_ms if abs(now_ms - start_ms) < MINUTE_MS)
