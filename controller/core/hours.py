"""Opening hours and local days. The time is told; the rules of time zones come from the tz database.

A frame belongs to the day it begins on, also when it runs past midnight: Friday 22:00-06:00 is open on Saturday at 3
whether or not Saturday is a holiday, and a holiday closes only the frames that begin on it. Frames are wall-clock
times, so on the night of a change to summer time a frame is an hour shorter, as it is for the people who work it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from controller.core.setup import Schedule

_MINUTES_A_DAY = 1440
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_open(schedule: Schedule, now_ms: int) -> bool:
    """Whether the schedule is open at this instant; a frame includes its first minute and not its last."""
    now = _local(now_ms, schedule.timezone)
    minute = now.hour * 60 + now.minute
    today, yesterday = now.date(), now.date() - timedelta(days=1)
    return _covers(schedule, today, minute) or _covers(schedule, yesterday, minute + _MINUTES_A_DAY)


def _covers(schedule: Schedule, day: date, minute: int) -> bool:
    """Whether a frame that begins on `day` covers `minute`, counted from that day's midnight and past the next."""
    if day.isoformat() in schedule.holidays:
        return False
    for begin, end in schedule.frames[day.weekday()]:
        if begin <= minute < (end if end > begin else end + _MINUTES_A_DAY):
            return True
    return False


def local_day(now_ms: int, timezone: str) -> str:
    """The local date as ISO writes it: `2026-11-22`."""
    return _local(now_ms, timezone).date().isoformat()


def minute_of_day(now_ms: int, timezone: str) -> int:
    """Minutes since local midnight by the wall clock."""
    now = _local(now_ms, timezone)
    return now.hour * 60 + now.minute


def day_bounds_ms(now_ms: int, timezone: str) -> tuple[int, int]:
    """First instant of the local day and of the next one; a day is 23 to 25 hours long where clocks change."""
    today = _local(now_ms, timezone).date()
    return _midnight_ms(today, timezone), _midnight_ms(today + timedelta(days=1), timezone)


def _midnight_ms(day: date, timezone: str) -> int:
    # Where a change of clocks skips midnight itself, fold=0 makes this the first instant after the gap.
    since = datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC) - _EPOCH
    return since // timedelta(milliseconds=1)


def _local(now_ms: int, timezone: str) -> datetime:
    return (_EPOCH + timedelta(milliseconds=now_ms)).astimezone(ZoneInfo(timezone))
