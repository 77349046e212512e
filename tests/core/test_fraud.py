"""A stolen phone: 500 destinations of every sort, fast, at night, and slowly over three days (a simulated clock)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.core import fraud, hours
from controller.core.commands import ReplyTrunks, RingBell
from controller.core.events import OutboundAsked, OutboundEnded, PhoneChannel
from controller.core.facts import AlertCleared, AlertRaised, FraudSuspected, OutboundBlocked
from controller.core.numbers import Kind, normalise
from controller.core.setup import AGENT_LIMITS, Hotline, Limits, Setup, Trunk
from tests.core.setups import SALES, small
from tests.core.words import snapshot, status
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

SORTS = (
    *("0967{:06d}", "0901{:06d}", "02439{:06d}", "1900{:04d}", "+1415555{:04d}", "0088216{:06d}", "+87077{:07d}"),
    *("+44701{:07d}", "1130{:06d}", "113{:011d}", "00999{:06d}", "1710044207{:07d}", "+882{:09d}", "0912{:06d}"),
)
"""National, premium, abroad, satellite, premium abroad, and what looks like an emergency number or a carrier code."""
OPEN = {Kind.MOBILE, Kind.LANDLINE, Kind.UNKNOWN}


def target(n: int) -> str:
    return SORTS[n % len(SORTS)].format(n)


def house() -> Setup:
    line = Hotline(SALES, queue="sales", trunk="v1", carrier="viettel", outbound=True)
    setup = small("an", "binh", hotline=line)
    people = tuple(replace(row, limits=AGENT_LIMITS) for row in setup.agents)
    return replace(setup, agents=people, trunks=(Trunk("v1", "viettel", endpoint="v1", max_channels=5),))


class Thief:
    """Somebody who has an agent's password and a list."""

    def __init__(self, book: Playbook) -> None:
        self.book = book
        self.let_out: list[tuple[int, str]] = []
        self.alerts: list[tuple[int, Any]] = []
        self.bells = 0
        self.tried = 0
        self.began_ms = book.now_ms

    def dial(self, number: str, talk_s: int = 0) -> str:
        self.tried += 1
        call = f"9.{self.tried}"
        self.book.when(PhoneChannel("an", call, "ring")).when(OutboundAsked(call, "an", number))
        self.alerts += [(self.book.now_ms, fact) for fact in self.book.facts if isinstance(fact, AlertRaised)]
        self.bells += sum(isinstance(command, RingBell) for command in self.book.commands)
        reply = self.book.one(ReplyTrunks)
        if reply.attempt is not None:
            self.let_out.append((self.book.now_ms, number))
            assert reply.attempt.caller_id == SALES, "always a number of ours"
        if talk_s:
            self.book.when(PhoneChannel("an", call, "up")).passes(talk_s)
        self.book.when(OutboundEnded(call, "BUSY", 17)).when(PhoneChannel("an", call, "gone"))
        return str(reply.refusal)

    def attack(self, count: int, every_s: float) -> None:
        for n in range(count):
            began_ms = self.book.now_ms
            self.dial(target(n))
            self.book.passes(max(0.0, every_s - (self.book.now_ms - began_ms) / 1000))

    def kept_the_caps(self) -> None:
        times = [at_ms for at_ms, _ in self.let_out]
        for at_ms in times:
            assert sum(1 for other in times if at_ms <= other < at_ms + 60_000) <= AGENT_LIMITS.calls_per_minute
        days = [hours.local_day(at_ms, "Asia/Ho_Chi_Minh") for at_ms in times]
        assert all(days.count(day) <= AGENT_LIMITS.calls_per_day for day in dict.fromkeys(days))
        for _, number in self.let_out:
            found = normalise(number)
            assert found.kind in OPEN, number
            assert not number.startswith(("+", "00", "17", "19", "11300000")), number


def test_five_hundred_destinations_in_ten_minutes() -> None:
    thief = Thief(given(house()))
    thief.attack(500, 1.2)
    thief.kept_the_caps()
    assert thief.tried == 500
    assert 0 < len(thief.let_out) <= 110
    assert thief.alerts[0][0] - thief.began_ms <= 60_000
    assert thief.alerts[0][1].kind == "fraud"
    assert (len(thief.alerts), thief.bells) == (1, 1), "told once, not five hundred times"


def test_at_night_by_somebody_who_is_not_signed_in() -> None:
    book = given(house())
    minute = hours.minute_of_day(book.now_ms, "Asia/Ho_Chi_Minh")
    book.passes((24 * 60 + 60 - minute) % (24 * 60) * 60)
    thief = Thief(book)
    for n in range(60):
        thief.dial(f"0967{n:06d}")
        book.passes(1)
    thief.kept_the_caps()
    assert len(thief.let_out) <= 20
    assert thief.alerts[0][0] - thief.began_ms <= 60_000


def test_an_agent_who_is_signed_in_at_night_and_calls_ordinary_numbers_is_no_thief() -> None:
    book = given(house()).when(status("an", "available"))
    minute = hours.minute_of_day(book.now_ms, "Asia/Ho_Chi_Minh")
    book.passes((24 * 60 + 60 - minute) % (24 * 60) * 60)
    thief = Thief(book)
    for n in range(30):
        thief.dial(f"0967{n:06d}")
        book.passes(10)
    assert not thief.alerts


def test_slowly_over_three_days_with_the_daemon_killed_every_day() -> None:
    book = given(house())
    thief = Thief(book)
    for day in range(3):
        for n in range(day * 167, day * 167 + 167):
            thief.dial(target(n))
            book.passes(516)
        book.restarted().when(snapshot(phones=("an", "binh")))
    thief.kept_the_caps()
    assert thief.tried == 501
    odd_at_ms = next(at_ms for at_ms, _ in thief.alerts)
    assert odd_at_ms - thief.began_ms <= 516_000 * 6, "the first satellite number gave it away"
    closed = [n for n in range(501) if target(n).startswith(("+", "00", "17", "19"))]
    assert len(thief.let_out) <= 501 - len(closed)


def test_slowly_and_only_abroad() -> None:
    book = given(house())
    thief = Thief(book)
    for n in range(20):
        assert thief.dial(f"+1415555{2600 + n}") == "country"
        book.passes(1_800)
    assert not thief.let_out
    assert len(thief.alerts) == 1


def test_whoever_uses_up_a_day_is_told_of_at_the_next_call() -> None:
    setup = house()
    people = tuple(replace(row, limits=Limits(calls_per_day=2)) for row in setup.agents)
    thief = Thief(given(replace(setup, agents=people)))
    assert [thief.dial("0967000001") for _ in range(3)] == ["", "", "over_limit"]
    assert len(thief.alerts) == 1


def test_one_slip_is_forgiven_and_five_are_not() -> None:
    thief = Thief(given(house()))
    for _ in range(4):
        thief.dial("19001234")
    assert not thief.alerts
    thief.dial("19001234")
    assert len(thief.alerts) == 1
    thief.book.passes(61)
    assert fraud.KIND in {alert.kind for alert in thief.book.world.alerts.values()}


def test_a_warning_is_taken_back_after_a_calm_hour() -> None:
    thief = Thief(given(house()))
    assert thief.dial("0088216123456") == "number_kind"
    assert len(thief.alerts) == 1
    thief.book.restarted().when(snapshot(phones=("an", "binh")))
    thief.book.passes(3_000)
    thief.dial("0088216123457")
    assert len(thief.alerts) == 1, "still the same"
    thief.book.passes(3_500).then(never(AlertCleared))
    thief.book.passes(200).then(a(RingBell, change="cleared"), a(AlertCleared, kind="fraud"))
    assert not thief.book.world.alerts
    thief.dial("0088216123456")
    assert len(thief.alerts) == 2


def test_a_refusal_is_in_the_history_with_its_number() -> None:
    thief = Thief(given(house()))
    book = thief.book
    book.when(PhoneChannel("an", "8.1", "ring")).when(OutboundAsked("8.1", "an", "0088216123456"))
    assert book.one(OutboundBlocked).reason == "number_kind"
    assert "satellite number of no country" in book.one(FraudSuspected).why
