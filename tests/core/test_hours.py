"""Opening hours minute by minute, over midnight, on holidays and where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.hours import day_bounds_ms, is_open, local_day
from controller.core.setup import Schedule

pytestmark = pytest.mark.pure

SAIGON = "Asia/Ho_Chi_Minh"
OFFICE = ((480, 720), (810, 1050))
NONE: tuple[tuple[int, int], ...] = ()


def week(*days: tuple[tuple[int, int], ...]) -> tuple[tuple[tuple[int, int], ...], ...]:
    return (*days, *(NONE,) * (7 - len(days)))


def at(text: str, timezone: str = SAIGON, fold: int = 0) -> int:
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone), fold=fold)
    return int(local.timestamp() * 1000)


@pytest.mark.parametrize(
    ("when", "open_"),
    [
        ("2026-11-23 07:59:59.999", False),
        ("2026-11-23 08:00", True),
        ("2026-11-23 11:59:59.999", True),
        ("2026-11-23 12:00", False),
        ("2026-11-23 13:30", True),
        ("2026-11-23 17:30", False),
        ("2026-11-24 09:00", False),
    ],
)
def test_several_frames_a_day(when: str, open_: bool) -> None:
    assert is_open(Schedule("office", SAIGON, week(OFFICE)), at(when)) is open_


@pytest.mark.parametrize(
    ("when", "open_"),
    [
        ("2026-11-27 21:59", False),
        ("2026-11-27 22:00", True),
        ("2026-11-28 00:00", True),
        ("2026-11-28 05:59", True),
        ("2026-11-28 06:00", False),
        ("2026-11-28 22:30", False),
    ],
)
def test_a_frame_over_midnight_belongs_to_the_day_it_begins_on(when: str, open_: bool) -> None:
    friday = week(NONE, NONE, NONE, NONE, ((1320, 360),))
    assert is_open(Schedule("night", SAIGON, friday), at(when)) is open_


def test_a_holiday_closes_what_begins_on_it_and_not_the_night_before() -> None:
    nights = Schedule("night", SAIGON, (((1320, 360),),) * 7, ("2026-11-28",))
    assert is_open(nights, at("2026-11-28 03:00")), "the night of the 27th goes on"
    assert not is_open(nights, at("2026-11-28 23:00"))
    assert not is_open(nights, at("2026-11-29 03:00"))
    assert is_open(nights, at("2026-11-29 23:00"))


def test_the_whole_day() -> None:
    always = Schedule("always", SAIGON, (((0, 1440),),) * 7)
    assert all(is_open(always, at("2026-11-23 00:00") + hours * 3_600_000) for hours in range(24 * 8))


def test_summer_time_in_berlin() -> None:
    night = Schedule("night", "Europe/Berlin", (((120, 240),),) * 7)
    assert not is_open(night, at("2026-03-29 01:59:59", "Europe/Berlin"))
    assert is_open(night, at("2026-03-29 03:00", "Europe/Berlin")), "2 o'clock does not exist; 3 o'clock is inside"
    assert is_open(night, at("2026-10-25 02:30", "Europe/Berlin"))
    assert is_open(night, at("2026-10-25 02:30", "Europe/Berlin", fold=1)), "the second half past two is one as well"


FRAMES = st.lists(
    st.tuples(st.integers(0, 1439), st.integers(0, 1440)).filter(lambda frame: frame[0] != frame[1]), max_size=3
)
ZONES = st.sampled_from([SAIGON, "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC"])


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAMES, min_size=7, max_size=7), ZONES, st.integers(0, 4_102_444_800_000), st.booleans())
def test_it_agrees_with_walking_every_frame(
    days: list[list[tuple[int, int]]], zone: str, now_ms: int, holiday: bool
) -> None:
    now = datetime.fromtimestamp(now_ms // 1000, ZoneInfo(zone)).replace(tzinfo=None, microsecond=0)
    holidays = (now.date().isoformat(),) if holiday else ()
    expected = False
    for back in (0, 1):
        midnight = datetime.combine(now.date(), time()) - timedelta(days=back)
        for begin, end in days[midnight.weekday()]:
            length = end - begin if end > begin else end - begin + 1440
            since = now - (midnight + timedelta(minutes=begin))
            inside = timedelta(0) <= since < timedelta(minutes=length)
            expected |= inside and midnight.date().isoformat() not in holidays
    assert is_open(Schedule("any", zone, tuple(map(tuple, days)), holidays), now_ms) is expected


@settings(max_examples=100, deadline=None)
@given(ZONES, st.integers(0, 4_102_444_800_000))
def test_days_begin_and_end_where_their_name_changes(zone: str, now_ms: int) -> None:
    begin, end = day_bounds_ms(now_ms, zone)
    assert begin <= now_ms < end
    assert local_day(begin, zone) == local_day(now_ms, zone) == local_day(end - 1, zone)
    assert local_day(begin - 1, zone) != local_day(now_ms, zone) != local_day(end, zone)


def test_days_of_23_and_25_hours() -> None:
    hour_ms = 3_600_000
    begin, end = day_bounds_ms(at("2026-03-29 12:00", "Europe/Berlin"), "Europe/Berlin")
    assert end - begin == 23 * hour_ms
    begin, end = day_bounds_ms(at("2026-10-25 12:00", "Europe/Berlin"), "Europe/Berlin")
    assert end - begin == 25 * hour_ms


def test_a_midnight_that_does_not_exist() -> None:
    noon_ms = int(datetime(2018, 11, 4, 15, tzinfo=UTC).timestamp() * 1000)
    begin, _ = day_bounds_ms(noon_ms, "America/Sao_Paulo")
    assert local_day(begin, "America/Sao_Paulo") == "2018-11-04"
    assert local_day(begin - 1, "America/Sao_Paulo") == "2018-11-03"


def test_the_day_is_the_local_one() -> None:
    late_ms = int(datetime(2026, 11, 22, 17, 30, tzinfo=UTC).timestamp() * 1000)
    assert local_day(late_ms, SAIGON) == "2026-11-23"
    assert local_day(late_ms, "UTC") == "2026-11-22"
