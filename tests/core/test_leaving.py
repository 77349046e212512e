"""Trunk meters: taken with the attempt, given back with the end, never past the caps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core import leaving
from controller.core.commands import ReplyTrunks
from controller.core.events import OutboundAsked, OutboundEnded, OutboundNextAsked, PhoneChannel, SetupChanged
from controller.core.facts import AttemptEnded, OutboundBlocked, TrunkFailed
from controller.core.model import Attempt, Call, Phase, TrunkState
from controller.core.setup import Hotline, Setup, Trunk
from controller.core.turn import Turn
from tests.core.setups import SALES, agents, small
from tests.playbook import Playbook, a, given

pytestmark = pytest.mark.pure


def capped(channels: int = 0, cps: int = 0, people: str = "abcd") -> Setup:
    setup = small(*people, hotline=Hotline(SALES, queue="sales", trunk="v1", carrier="viettel", outbound=True))
    return replace(setup, trunks=(Trunk("v1", "viettel", endpoint="v1", max_channels=channels, max_cps=cps),))


def dial(book: Playbook, who: str, number: str = "0967123456", at: float | None = None) -> str:
    book.when(OutboundAsked(f"1.{who}".replace(who, str(ord(who))), who, number), at=at)
    return str(book.one(ReplyTrunks).refusal)


def test_the_cap_of_channels_holds_and_a_channel_given_back_is_used_again() -> None:
    book = given(capped(channels=2))
    assert [dial(book, who) for who in "abc"] == ["", "", "no_trunk"]
    book.when(OutboundEnded("1.97", "BUSY"))
    assert dial(book, "d") == ""
    assert book.world.trunks["v1"].live == ("1.98", "1.100")


def test_the_cap_of_starts_holds_for_a_second() -> None:
    book = given(capped(cps=2))
    assert [dial(book, who, at=1) for who in "abc"] == ["", "", "no_trunk"]
    assert dial(book, "d", at=2) == ""


def test_a_cap_lowered_below_the_use_lets_talkers_talk() -> None:
    book = given(capped(channels=3))
    assert [dial(book, who) for who in "ab"] == ["", ""]
    book.when(PhoneChannel("a", "1.97", "up")).when(SetupChanged(capped(channels=1)))
    assert book.call("1.97").phase is Phase.CONNECTED
    assert dial(book, "c") == "no_trunk"
    book.when(OutboundEnded("1.97", "ANSWER")).when(OutboundEnded("1.98", "BUSY"))
    assert dial(book, "d") == ""


def test_an_emergency_call_takes_a_trunk_whatever_its_meter_says() -> None:
    book = given(capped(channels=1, cps=1))
    assert dial(book, "a", at=1) == ""
    assert [dial(book, who, "113", at=1) for who in "bc"] == ["", ""]
    assert len(book.world.trunks["v1"].live) == 3
    book.when(OutboundEnded("1.98", "ANSWER")).when(OutboundEnded("1.99", "BUSY"))
    assert book.world.trunks["v1"].live == ("1.97",)


def test_an_emergency_call_is_one_of_the_calls_of_its_second() -> None:
    book = given(capped(cps=2))
    assert [dial(book, who, "113", at=1) for who in "ab"] == ["", ""]
    assert dial(book, "c", at=1.2) == "no_trunk", "two have left within this second"
    assert dial(book, "d", "113", at=1.3) == "", "and a third that may"
    assert len(book.world.trunks["v1"].starts_ms) == 3


def test_the_calls_of_this_second_are_known_after_a_restart_within_it() -> None:
    book = given(capped(cps=2))
    assert [dial(book, who, at=1) for who in "ab"] == ["", ""]
    book.restarted()
    assert len(book.world.trunks["v1"].starts_ms) == 2
    assert book.now_ms - max(book.world.trunks["v1"].starts_ms) < 1_000
    assert dial(book, "c", at=1.5) == "no_trunk"
    assert dial(book, "d", at=2) == ""


def on_trial(trunks: int = 1) -> Playbook:
    """A trunk whose first cool-down has just ended, and perhaps a second one of the carrier."""
    setup = capped()
    spare = tuple(Trunk(f"v{n}", "viettel", endpoint=f"v{n}") for n in range(2, trunks + 1))
    book = given(replace(setup, trunks=(*setup.trunks, *spare)))
    for n in range(3):
        fail(book.when(OutboundAsked(f"2.{n}", "a", "0967123456")), f"2.{n}")
    assert book.world.trunks["v1"].cooling_until_ms is not None
    return book.passes(31)


def fail(book: Playbook, name: str) -> None:
    """The trunk cannot carry the call."""
    book.when(OutboundEnded(name, "CONGESTION", 34)).when(PhoneChannel("a", name, "gone"))


def test_after_a_cool_down_one_call_at_a_time_is_the_probe() -> None:
    book = on_trial()
    assert [dial(book, who) for who in "abc"] == ["", "no_trunk", "no_trunk"]
    assert "on trial" in " ".join(book.one(OutboundBlocked).steps)
    book.restarted()
    assert book.world.trunks["v1"].probe == "1.97"
    assert dial(book, "d") == "no_trunk", "a restart forgets nothing"
    book.when(PhoneChannel("a", "1.97", "up"))
    for n, who in enumerate("bcd"):
        book.when(OutboundAsked(f"4.{n}", who, "0967123456")).then(a(ReplyTrunks, refusal=""))
    assert (book.world.trunks["v1"].pauses, book.world.trunks["v1"].probe) == (0, "")


def test_those_who_are_not_the_probe_take_the_next_trunk() -> None:
    book = on_trial(trunks=2)
    book.when(OutboundAsked("3.1", "a", "0967123456"))
    assert book.one(ReplyTrunks).attempt.trunk == "v1"
    for n, who in enumerate("bcd", start=2):
        book.when(OutboundAsked(f"3.{n}", who, "0967123456"))
        assert book.one(ReplyTrunks).attempt.trunk == "v2"


@pytest.mark.parametrize(
    ("ends", "answers"),
    [
        (OutboundEnded("1.97", "BUSY", 17), ["", ""]),
        (OutboundEnded("1.97", "DECLINED", 21, 0, False, 603), ["", ""]),
        (OutboundEnded("1.97", "NOANSWER", 19, 0, False, 0, 1_500), ["", ""]),
        (OutboundEnded("1.97", "NOANSWER", 19), ["", "no_trunk"]),
        (OutboundEnded("1.97", "CANCEL", 16), ["", "no_trunk"]),
        (OutboundEnded("1.97", "CONGESTION", 34, 0, False, 503, 1_500), ["no_trunk", "no_trunk"]),
    ],
)
def test_what_a_probe_shows(ends: OutboundEnded, answers: list[str]) -> None:
    book = on_trial()
    assert dial(book, "a") == ""
    book.when(ends)
    assert [dial(book, who) for who in "bc"] == answers


def test_a_probe_that_fails_makes_the_next_pause_twice_as_long() -> None:
    book, pauses = on_trial(), []
    for n in range(5):
        assert book.world.trunks["v1"].cooling_until_ms is None
        book.when(OutboundAsked(f"3.{n}", "a", "0967123456"))
        fail(book, f"3.{n}")
        pauses.append(((book.world.trunks["v1"].cooling_until_ms or 0) - book.now_ms) // 1000)
        book.passes(pauses[-1] + 1)
    assert pauses == [59, 119, 239, 299, 299], "and a moment has passed"


def test_a_call_from_before_the_cool_down_shows_nothing() -> None:
    book = given(capped())
    assert dial(book, "d") == ""
    for n in range(3):
        fail(book.when(OutboundAsked(f"2.{n}", "a", "0967123456")), f"2.{n}")
    book.when(OutboundEnded("1.100", "BUSY", 17)).passes(31)
    assert [dial(book, who) for who in "ab"] == ["", "no_trunk"]


def test_an_emergency_call_is_neither_held_back_nor_a_probe() -> None:
    book = on_trial()
    assert [dial(book, "a"), dial(book, "b", "113"), dial(book, "c")] == ["", "", "no_trunk"]
    book.when(OutboundEnded("1.97", "CANCEL", 16))
    assert dial(book, "d") == ""


def test_the_least_recently_used_is_remembered() -> None:
    book = given(capped())
    dial(book, "a")
    assert book.world.hotlines[SALES].used_at_ms == book.now_ms


def call(*trunks: str) -> Call:
    attempts = tuple(Attempt(name, name, "0967123456", SALES, SALES, "why") for name in trunks)
    return Call("1.9", "outbound", Phase.DIALING, SALES, "", "", "", 1, attempts=attempts)


def test_a_trunk_that_was_removed_meanwhile_is_passed_over() -> None:
    book = given(capped())
    row = call("gone", "v1")
    turn = Turn(book.world, book.now_ms, "test#1")
    turn.put(row)
    attempt = leaving.admit_next(turn, row)
    assert attempt is not None
    assert (attempt.trunk, book.call("1.9").attempt) == ("v1", 2)
    assert leaving.admit_next(turn, book.call("1.9")) is None


def test_giving_back_what_is_not_held_changes_nothing() -> None:
    book = given(capped())
    turn = Turn(book.world, book.now_ms, "test#1")
    leaving.release(turn, replace(call("v1"), trunk="v1"))
    leaving.failed(turn, replace(call("v1"), trunk="v1"), "CONGESTION", 34)
    leaving.succeeded(turn, replace(call("v1"), trunk="v1"))
    assert (turn.facts, book.world.trunks) == ([], {})
    turn.put(TrunkState("v1", failures=2))
    leaving.succeeded(turn, replace(call("v1"), trunk="v1"))
    assert book.world.trunks["v1"].failures == 0


def test_an_agent_s_own_wrap_up_wins_over_the_hotline_that_carries_the_call() -> None:
    setup = replace(capped(), agents=agents("a", wrap_up=4))
    hotlines = (replace(setup.hotlines[0], wrap_up=30, notify_talk_time=9),)
    book = given(replace(setup, hotlines=hotlines)).when(OutboundAsked("1.9", "a", "0967123456"))
    book.then(a(ReplyTrunks, refusal=""))
    assert (book.call("1.9").wrap_up_s, book.call("1.9").talk_limit_s) == (4, 9)
    book.when(OutboundNextAsked("1.9", "BUSY"))


def test_a_trunk_that_failed_is_given_back_and_counted() -> None:
    book = given(capped()).when(OutboundAsked("1.9", "a", "0967123456"))
    turn = Turn(book.world, book.now_ms, "test#1")
    leaving.failed(turn, book.call("1.9"), "CONGESTION", 34)
    assert (book.world.trunks["v1"].live, book.world.trunks["v1"].failures) == ((), 1)
    tried = AttemptEnded("1.9", "v1", book.call("1.9").hotline, "CONGESTION", 34, 0, 0, 0)
    assert turn.facts == [tried, TrunkFailed("1.9", "v1", "CONGESTION", 34, None)]


def test_a_forward_keeps_the_hotline_the_caller_dialled() -> None:
    book = given(capped())
    row = replace(call("v1"), direction="inbound", hotline="+84111")
    turn = Turn(book.world, book.now_ms, "test#1")
    turn.put(row)
    assert leaving.admit_next(turn, row) is not None
    assert book.call("1.9").hotline == "+84111"
