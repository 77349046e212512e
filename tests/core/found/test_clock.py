"""Found: a stepped clock moved every instant of a row but those the caps look at: they were too wide or too narrow."""

from __future__ import annotations

import pytest

from controller.core.commands import HangUp
from controller.core.events import ClockMoved, OutboundEnded, OutboundNextAsked, PhoneChannel
from controller.core.setup import Limits, Reach
from tests.core.test_spending import calls, dial, house
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

STEPS = [120_000, -120_000, 3_600_000, -3_600_000]


def moved(book: Playbook, delta_ms: int) -> Playbook:
    book.now_ms += delta_ms
    return book.when(ClockMoved(delta_ms))


@pytest.mark.parametrize("delta_ms", STEPS)
def test_a_minute_of_calls_is_a_minute(delta_ms: int) -> None:
    book = given(house(calls_per_minute=3))
    assert calls(book, 3) == ["", "", ""]
    assert calls(moved(book, delta_ms), 1, first=10) == ["over_limit"]
    book.passes(61)
    assert calls(book, 1, first=20) == [""]


@pytest.mark.parametrize("delta_ms", STEPS)
def test_a_second_of_a_trunk_is_a_second(delta_ms: int) -> None:
    book = given(house(trunk={"max_cps": 1}))
    assert dial(book, "1.1") == ""
    assert dial(moved(book, delta_ms), "1.2", "binh") == "no_trunk"
    assert dial(book.passes(1.1), "1.3", "chi") == ""


@pytest.mark.parametrize("delta_ms", STEPS)
@pytest.mark.parametrize("whose", [{"minutes_per_day": 10}, {"line": Limits(minutes_per_day=10)}, {"trunk": True}])
def test_ten_minutes_of_talk_are_ten_minutes(whose: dict[str, object], delta_ms: int) -> None:
    minutes = {"trunk": {"minutes_per_day": 10}} if "trunk" in whose else whose
    book = given(house(**minutes))  # type: ignore[arg-type]
    assert dial(book, "1.1") == ""
    book.when(PhoneChannel("an", "1.1", "up")).passes(60)
    moved(book, delta_ms).passes(530).then(never(HangUp)).passes(15).then(a(HangUp, channel="1.1"))


@pytest.mark.parametrize("delta_ms", STEPS)
def test_a_talk_costs_as_long_as_it_lasted(delta_ms: int) -> None:
    book = given(house(minutes_per_day=100))
    assert dial(book, "1.1") == ""
    moved(book.when(PhoneChannel("an", "1.1", "up")).passes(60), delta_ms)
    book.when(OutboundEnded("1.1", "ANSWER", 16, 60)).when(PhoneChannel("an", "1.1", "gone"))
    assert 60_000 <= book.world.agent_uses["an"].use.talked_ms < 61_000


@pytest.mark.parametrize("delta_ms", STEPS)
def test_odd_wishes_and_failures_stay_as_long_ago_as_they_were(delta_ms: int) -> None:
    book = given(house(reach=Reach()))
    assert [dial(book, f"1.{n}", number="0019005551234") for n in range(4)] == ["number_kind"] * 4
    dial(book, "1.8")
    book.when(OutboundNextAsked("1.8", "CONGESTION", 34))
    before_ms = ages_ms(book)
    moved(book, delta_ms)
    assert len(before_ms) == 5
    assert [after - before for before, after in zip(before_ms, ages_ms(book), strict=True)] == [10] * 5


def ages_ms(book: Playbook) -> list[int]:
    """How long ago each odd wish was, and each slot of the trunk's figures began."""
    odd_ms = book.world.agent_uses["an"].odd_ms
    slots = book.world.trunk_windows["v1"].slots
    return [book.now_ms - at_ms for at_ms in (*odd_ms, *(slot.began_ms for slot in slots))]
