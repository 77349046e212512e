"""What time does to a call, and what it does not while nobody listens."""

from __future__ import annotations

import pytest

from controller.core.commands import HangUp, RecordMessage, RingAgent, RingBell, RingPhone, StopPlay
from controller.core.events import DigitPressed, HangupAsked, LinkLost, OutboundAsked
from controller.core.facts import CallEnded, OfferEnded
from controller.core.setup import Hotline
from tests.core.setups import SALES, menu_of, small
from tests.core.words import answers, arrives, leg_gone, played, ringing, status
from tests.playbook import a, given, never

pytestmark = pytest.mark.pure


def test_a_channel_that_never_goes_is_let_go_all_the_same() -> None:
    book = ringing("an").when(HangupAsked("1.1", "boss")).passes(9.9).then(never(CallEnded))
    book.passes(0.1).then(a(HangUp, channel="1.1"), a(CallEnded, end_cause="supervisor"))


def test_a_prompt_that_never_ends_a_key_that_never_comes() -> None:
    given(menu_of()).when(arrives()).passes(120).only(a(StopPlay)).passes(5).only(a(HangUp))


def test_while_nobody_listens_everything_about_calls_is_put_off() -> None:
    book = ringing("an").when(LinkLost("cut")).passes(60).only()
    assert book.call("1.1").offers[0].until_ms > book.now_ms
    given(menu_of()).when(arrives()).when(LinkLost("cut")).passes(300).only()


def test_the_longest_wait_the_pause_and_the_answer_of_a_stranger() -> None:
    book = given(small("an", max_wait=20)).available("an").when(arrives()).when(leg_gone(1, 1, 17, 486))
    book.passes(2).then(a(RingAgent, leg="1.1.a2")).when(answers(1, 9)).only(a(HangUp, channel="1.1.a9"))
    book.passes(18).then(a(HangUp, channel="1.1"))


def test_a_message_has_a_longest_time() -> None:
    book = given(menu_of()).when(arrives()).when(DigitPressed("1.1", "4")).when(played(1, 2)).then(a(RecordMessage))
    book.passes(129).then(never(HangUp)).passes(1).only(a(HangUp))


def test_a_phone_outside_has_a_longest_ring() -> None:
    book = given(menu_of()).when(arrives()).when(DigitPressed("1.1", "3")).then(a(RingPhone))
    book.passes(44).then(never(HangUp)).passes(1).only(a(HangUp, channel="1.1.p1"), a(HangUp, channel="1.1"))


def test_a_dialled_call_that_will_not_go_is_over() -> None:
    book = given(small("an")).when(OutboundAsked("1.1", "an", "0967123456")).when(HangupAsked("1.1", "boss"))
    book.passes(10).only(a(HangUp, channel="1.1")).then(a(CallEnded, end_cause="supervisor"))


def test_several_deadlines_of_a_call_that_came_together_are_all_handled() -> None:
    setup = small("an", ring_time=5, max_wait=5, hotline=Hotline(SALES, queue="sales", notify_answer_time=5))
    book = given(setup).available("an").when(arrives()).passes(5)
    book.then(a(RingBell), a(HangUp, channel="1.1.a1"), a(HangUp, channel="1.1"), a(OfferEnded, outcome="cancelled"))


def test_alerts_are_raised_also_while_nobody_listens() -> None:
    setup = small("an", hotline=Hotline(SALES, queue="sales", notify_answer_time=5))
    book = given(setup).when(status("an", "not_ready")).when(arrives()).when(LinkLost("cut")).passes(90)
    book.only(a(RingBell, change="raised"))
