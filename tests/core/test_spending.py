"""Limits on calling out, kept by the step that lets a call out: to the call, to the second, and across a restart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.core import outbound
from controller.core.commands import HangUp, ReplyTrunks, RingPhone
from controller.core.events import (
    CallGone,
    OutboundAsked,
    OutboundEnded,
    OutboundNextAsked,
    PhoneChannel,
    SetupChanged,
    TrunkSeen,
)
from controller.core.facts import AttemptEnded, CallEnded, OutboundBlocked, TrunkChanged, TrunkFailed
from controller.core.setup import Defaults, Hotline, Limits, Reach, Schedule, Setup, Trunk, Way, WayKind
from tests.core.setups import SALES, small
from tests.core.words import answers, arrives, own_seen, snapshot
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

CALLEE = "0967123456"
SECOND = "+842473001002"


def house(
    *, reach: Reach | None = None, line: Limits | None = None, trunk: dict[str, Any] | None = None, **agent: int
) -> Setup:
    """One hotline, one trunk, three agents with these limits."""
    setup = small(
        "an",
        "binh",
        "chi",
        hotline=Hotline(SALES, queue="sales", trunk="v1", carrier="viettel", outbound=True, limits=line or Limits()),
    )
    people = tuple(replace(row, limits=Limits(**agent), reach=reach) for row in setup.agents)
    return replace(setup, agents=people, trunks=(Trunk("v1", "viettel", endpoint="v1", **(trunk or {})),))


def dial(book: Playbook, call: str, agent: str = "an", number: str = CALLEE) -> str:
    """Dial; the refusal, or empty."""
    book.when(PhoneChannel(agent, call, "ring")).when(OutboundAsked(call, agent, number))
    return str(book.one(ReplyTrunks).refusal)


def busy(book: Playbook, call: str, agent: str = "an") -> None:
    """The callee is busy, the phone is put down."""
    book.when(OutboundEnded(call, "BUSY", 17)).when(PhoneChannel(agent, call, "gone"))


def calls(book: Playbook, count: int, agent: str = "an", first: int = 1) -> list[str]:
    """So many calls one after the other; what each was answered."""
    said = []
    for n in range(first, first + count):
        said.append(dial(book, f"1.{n}", agent))
        busy(book, f"1.{n}", agent)
    return said


def test_calls_a_minute_hold_across_a_restart_and_come_back() -> None:
    book = given(house(calls_per_minute=3))
    assert calls(book, 5) == ["", "", "", "over_limit", "over_limit"]
    book.restarted().when(snapshot(phones=("an", "binh", "chi")))
    assert dial(book, "1.9") == "over_limit"
    book.then(a(OutboundBlocked, reason="over_limit"), a(CallEnded, result="refused", reason="over_limit"))
    assert calls(book, 1, "binh", 20) == [""], "others are not meant"
    book.passes(61)
    assert calls(book, 1, first=30) == [""]


def test_calls_a_day_end_with_the_local_day() -> None:
    book = given(house(calls_per_day=2))
    assert calls(book, 3) == ["", "", "over_limit"]
    book.passes(86_400)
    assert calls(book, 3, first=10) == ["", "", "over_limit"]


def test_a_talk_ends_with_the_minutes_of_the_day() -> None:
    book = given(house(minutes_per_day=2))
    assert dial(book, "1.1") == ""
    assert (book.one(ReplyTrunks).talk_max_s, book.one(ReplyTrunks).talk_warning_s) == (120, 60)
    book.when(PhoneChannel("an", "1.1", "up")).passes(90)
    book.when(OutboundEnded("1.1", "ANSWER", 16, 90)).when(PhoneChannel("an", "1.1", "gone"))
    assert dial(book, "1.2") == ""
    assert book.one(ReplyTrunks).talk_max_s in {30, 31}
    book.when(PhoneChannel("an", "1.2", "up")).restarted().when(
        snapshot(own_seen("1.2", "an"), phones=("an", "binh", "chi"))
    )
    book.passes(31).then(a(HangUp, channel="1.2"))
    book.when(PhoneChannel("an", "1.2", "gone")).then(a(CallEnded, end_cause="limit", result="answered"))
    assert dial(book, "1.3") == "over_limit"


def test_the_longest_call() -> None:
    book = given(house(reach=Reach(longest_call=60)))
    assert dial(book, "1.1") == ""
    assert (book.one(ReplyTrunks).talk_max_s, book.one(ReplyTrunks).talk_warning_s) == (60, 30)
    book.when(PhoneChannel("an", "1.1", "up")).passes(59).then(never(HangUp))
    book.passes(2).then(a(HangUp, channel="1.1"))


def test_a_minute_of_warning_half_of_a_short_talk_and_none_of_a_very_short_one() -> None:
    warned = {talk_max_s: outbound.warning_s(talk_max_s) for talk_max_s in (0, 1, 3, 4, 90, 120, 3600)}
    assert warned == {0: 0, 1: 0, 3: 0, 4: 2, 90: 45, 120: 60, 3600: 60}


def test_a_talk_that_the_dialplan_ended_first_ended_by_its_limit_too() -> None:
    for left_ms, cause in ((900, "limit"), (5_000, "agent")):
        book = given(house(reach=Reach(longest_call=60)))
        dial(book, "1.1")
        book.when(PhoneChannel("an", "1.1", "up")).passes(60 - left_ms / 1000)
        book.when(OutboundEnded("1.1", "ANSWER", 16, 59)).then(a(CallEnded, end_cause=cause))


def test_a_hotline_s_limits_hold_for_all_its_agents_together() -> None:
    book = given(house(line=Limits(calls_at_once=2)))
    assert [dial(book, f"1.{n}", who) for n, who in enumerate(("an", "binh", "chi"))] == ["", "", "over_limit"]
    busy(book, "1.0")
    assert dial(book, "1.5") == ""
    book = given(house(line=Limits(calls_per_callee=1)))
    assert calls(book, 1) == [""]
    assert dial(book, "1.7", "binh") == "over_limit"
    assert dial(book, "1.8", "chi", "0967123457") == "", "another callee"
    assert list(book.world.callee_days) == [f"{SALES}>+84967123456", f"{SALES}>+84967123457"]
    book.passes(90_000)
    assert not book.world.callee_days, "yesterday's counts are forgotten"


def test_talks_that_use_up_a_hotline_s_minutes_end_together() -> None:
    book = given(house(line=Limits(minutes_per_day=2)))
    for n, who in ((1, "an"), (2, "binh")):
        assert dial(book, f"1.{n}", who) == ""
        book.when(PhoneChannel(who, f"1.{n}", "up"))
    book.passes(58).then(never(HangUp)).passes(4).then(a(HangUp, channel="1.1"), a(HangUp, channel="1.2"))
    assert dial(book, "1.9", "chi") == "over_limit"


def test_a_trunk_s_minutes() -> None:
    book = given(house(trunk={"minutes_per_day": 1}))
    assert dial(book, "1.1") == ""
    book.when(PhoneChannel("an", "1.1", "up")).passes(61).then(a(HangUp, channel="1.1"))
    book.when(PhoneChannel("an", "1.1", "gone"))
    assert dial(book, "1.2") == "no_trunk"
    assert "has carried its 1 minutes of" in " ".join(book.one(OutboundBlocked).steps)


def test_the_hours_in_which_an_agent_may_call() -> None:
    shut = Schedule("shut", "Asia/Ho_Chi_Minh", ((),) * 7)
    setup = replace(house(reach=Reach(hours="shut")), schedules=(shut,))
    assert dial(given(setup), "1.1") == "outside_hours"
    always = replace(shut, frames=(((0, 1440),),) * 7)
    assert dial(given(replace(setup, schedules=(always,))), "1.1") == ""


@pytest.mark.parametrize(
    ("number", "word"), [("+14155552671", "country"), ("19001234", "number_kind"), ("0088216123456", "number_kind")]
)
def test_what_is_closed_by_default(number: str, word: str) -> None:
    book = given(house())
    assert dial(book, "1.1", number=number) == word
    book.then(a(CallEnded, result="refused", reason=word))


def test_emergency_numbers_pass_every_limit() -> None:
    trunk = {"max_channels": 1, "max_cps": 1, "minutes_per_day": 1, "privacy": True}
    book = given(house(calls_per_minute=1, calls_per_day=1, trunk=trunk))
    assert dial(book, "1.1", "binh") == ""
    book.when(TrunkSeen("v1", False))
    assert calls(book, 1, "chi", 5) == ["no_trunk"]
    for n, who in enumerate(("an", "chi")):
        assert dial(book, f"2.{n}", who, "113") == ""
        assert book.one(ReplyTrunks).attempt.privacy is False


def test_a_forward_counts_for_its_hotline_and_has_the_reach_of_the_defaults() -> None:
    setup = house(line=Limits(calls_per_day=1))
    queue = replace(setup.queues[0], on_no_agent=Way(WayKind.PHONE, CALLEE))
    setup = replace(setup, queues=(queue,))
    book = given(setup).when(arrives(1)).then(a(RingPhone, number=CALLEE))
    book.when(answers(kind="p")).when(CallGone("1.1"))
    assert book.world.hotlines[SALES].use.calls == 1
    assert book.world.hotlines[SALES].use.live == ()
    book.when(arrives(2)).then(never(RingPhone), a(OutboundBlocked, reason="over_limit"))
    abroad = replace(setup, queues=(replace(queue, on_no_agent=Way(WayKind.PHONE, "+14155552671")),))
    given(abroad).when(arrives(1)).then(never(RingPhone), a(OutboundBlocked, reason="country"))
    opened = replace(abroad, defaults=Defaults(reach=Reach(countries=("US",))))
    given(opened).when(arrives(1)).then(a(RingPhone))


def test_the_story_says_what_each_attempt_returned() -> None:
    setup = house()
    setup = replace(setup, trunks=(*setup.trunks, Trunk("v2", "viettel", endpoint="v2")))
    book = given(setup)
    assert dial(book, "1.1") == ""
    book.passes(2).when(OutboundNextAsked("1.1", "CONGESTION", 34, 503, 120))
    told = book.one(AttemptEnded)
    assert (told.trunk, told.status, told.sip, told.delay_ms, told.hotline) == ("v1", "CONGESTION", 503, 120, SALES)
    assert told.took_ms >= 2000
    book.when(PhoneChannel("an", "1.1", "up")).then(never(AttemptEnded))
    book.when(OutboundEnded("1.1", "ANSWER", 16, 3, False, 200, 900)).then(a(AttemptEnded, trunk="v2", status="ANSWER"))
    assert book.world.trunk_windows["v1"].slots[0].failed == 1
    assert book.world.trunk_windows["v2"].slots[0].answered == 1
    assert book.world.hotlines[SALES].use.calls == 1, "one call, however many trunks it took"


def test_a_trunk_that_does_not_answer_options_is_left_out_until_it_does() -> None:
    book = given(house())
    book.when(TrunkSeen("v1", False)).then(a(TrunkChanged, trunk="v1", state="unreachable"))
    book.when(TrunkSeen("v1", False)).then(never(TrunkChanged))
    assert dial(book, "1.1") == "no_trunk"
    book.when(TrunkSeen("v1", True)).then(a(TrunkChanged, trunk="v1", state="up"))
    assert calls(book, 1, first=2) == [""]
    book.when(TrunkSeen("stranger", False)).then(never(TrunkChanged))


def test_a_trunk_that_comes_back_to_options_is_forgiven() -> None:
    book = given(house())
    for n in range(3):
        assert dial(book, f"1.{n}") == ""
        book.when(OutboundEnded(f"1.{n}", "CONGESTION", 34)).when(PhoneChannel("an", f"1.{n}", "gone"))
    assert book.world.trunks["v1"].cooling_until_ms is not None
    book.when(TrunkSeen("v1", False)).when(TrunkSeen("v1", True))
    assert book.world.trunks["v1"].cooling_until_ms is None
    assert dial(book, "1.9") == ""


def test_a_cool_down_that_ends_while_the_carrier_is_silent_does_not_bring_the_trunk_back() -> None:
    book = given(house())
    for n in range(3):
        assert dial(book, f"1.{n}") == ""
        book.when(OutboundEnded(f"1.{n}", "CONGESTION", 34)).when(PhoneChannel("an", f"1.{n}", "gone"))
    book.when(TrunkSeen("v1", False)).passes(40).then(a(TrunkChanged, trunk="v1", state="unreachable"))
    assert book.world.trunks["v1"].cooling_until_ms is None
    assert dial(book, "1.9") == "no_trunk"


def test_a_trunk_that_fails_every_second_call_is_left_out_too() -> None:
    book = given(house())
    for n in range(10):
        assert dial(book, f"1.{n}") == ""
        if n % 2:
            book.when(OutboundEnded(f"1.{n}", "CONGESTION", 34, 0, False, 503))
        else:
            book.when(PhoneChannel("an", f"1.{n}", "up")).when(OutboundEnded(f"1.{n}", "ANSWER", 16, 1))
        cooling = book.world.trunks["v1"].cooling_until_ms
        book.when(PhoneChannel("an", f"1.{n}", "gone"))
    assert cooling is not None
    book.passes(31)
    assert book.world.trunks["v1"].cooling_until_ms is None
    assert dial(book, "2.1") == ""
    book.when(OutboundEnded("2.1", "CONGESTION", 34)).then(a(TrunkFailed), a(TrunkChanged, state="cooling"))


def test_a_hotline_that_was_closed_meanwhile_takes_no_further_attempt() -> None:
    setup = house()
    other = Hotline(SECOND, queue="sales", trunk="v2", carrier="viettel", outbound=True)
    setup = replace(
        setup, trunks=(*setup.trunks, Trunk("v2", "viettel", endpoint="v2")), hotlines=(*setup.hotlines, other)
    )
    book = given(setup)
    assert dial(book, "1.1") == ""
    closed = tuple(replace(row, outbound=row.number != SECOND) for row in setup.hotlines)
    book.when(SetupChanged(replace(setup, hotlines=closed)))
    book.when(OutboundNextAsked("1.1", "CONGESTION", 34))
    assert book.one(ReplyTrunks).attempt is None
