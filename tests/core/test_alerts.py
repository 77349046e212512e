"""Alerts: raised once when a limit is passed, cleared once when its cause ends, and never touching the call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import HangUp, RingBell
from controller.core.events import DigitPressed, OutboundAsked, OutboundEnded, PhoneChannel, SetupChanged
from controller.core.facts import AlertCleared, AlertRaised, CallQueued
from controller.core.setup import Hotline, Menu, Queue, QueueGroup, Setup, Way, WayKind
from tests.core.setups import SALES, small
from tests.core.words import answers, arrives, caller_seen, declines, leaves, played, rings, snapshot, status
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure


def watched(answer: int | None = 20, talk: int | None = 30, **queue: object) -> Setup:
    hotline = Hotline(
        SALES,
        queue="sales",
        trunk="v1",
        carrier="viettel",
        outbound=True,
        notify_answer_time=answer,
        notify_talk_time=talk,
    )
    return small("an", hotline=hotline, max_wait=120, **queue)


def waiting(setup: Setup | None = None) -> Playbook:
    return given(setup or watched()).when(status("an", "not_ready")).when(arrives(), at=0)


def test_a_call_that_waits_too_long_is_told_once() -> None:
    book = waiting().passes(19.9).then(never(AlertRaised))
    book.passes(0.1).then(
        a(RingBell, change="raised"),
        a(AlertRaised, alert="1.1.answer_time", kind="answer_time", hotline=SALES, queue="sales", limit_s=20),
        never(HangUp),
    )
    book.passes(60).then(never(AlertRaised))
    assert book.world.alerts["1.1.answer_time"].raised_at_ms == book.call("1.1").arrived_at_ms + 20_000


def test_the_alert_is_cleared_by_the_answer() -> None:
    book = waiting().passes(25).when(status("an", "available")).when(answers())
    book.then(a(AlertCleared, alert="1.1.answer_time", kind="answer_time"), a(RingBell, change="cleared"))
    assert book.one(RingBell).alert.cleared_at_ms == book.now_ms
    assert not book.world.alerts


def test_the_alert_is_cleared_when_the_caller_gives_up() -> None:
    waiting().passes(25).when(leaves()).then(a(AlertCleared), a(RingBell, change="cleared"))


def test_the_alert_of_a_call_that_is_let_go_is_cleared_when_its_channel_is_gone() -> None:
    book = waiting(replace(watched(), queues=(Queue("sales", (QueueGroup("sales"),), max_wait=30),))).passes(30)
    book.then(a(AlertRaised), a(HangUp)).when(leaves()).then(a(AlertCleared))


def test_ringing_is_waiting() -> None:
    book = given(watched(answer=10, ring_time=30)).available("an").when(arrives(), at=0).when(rings(), at=1)
    book.passes(9).then(a(AlertRaised, kind="answer_time"))


def test_an_answer_in_time_leaves_nothing_to_raise() -> None:
    book = given(watched(talk=None)).available("an").when(arrives(), at=0).when(answers(), at=19)
    book.passes(600).then(never(AlertRaised))


def test_the_time_in_the_menu_does_not_count() -> None:
    setup = watched()
    hotline = replace(setup.hotlines[0], queue="", menu="main")
    menu = Menu("main", "welcome", keys=(("1", Way(WayKind.QUEUE, "sales")),))
    book = given(replace(setup, hotlines=(hotline,), menus=(menu,))).when(status("an", "not_ready"))
    book.when(arrives(), at=0).passes(60).then(never(AlertRaised))
    book.when(played()).when(DigitPressed("1.1", "1"), at=62).passes(19.9).then(never(AlertRaised))
    book.passes(0.1).then(a(AlertRaised))


def test_the_next_queue_goes_on_counting_and_does_not_tell_again() -> None:
    setup = watched(answer=10)
    way = Way(WayKind.QUEUE, "second")
    queues = (
        Queue("sales", (QueueGroup("sales"),), max_wait=6, on_max_wait=way),
        Queue("second", (QueueGroup("sales"),)),
    )
    book = waiting(replace(setup, queues=queues)).passes(6).then(a(CallQueued, queue="second"))
    book.passes(4).then(a(AlertRaised, queue="second"))
    book = waiting(replace(setup, queues=(replace(queues[0], max_wait=15), queues[1]))).passes(15)
    book.then(a(AlertRaised, queue="sales"), a(CallQueued, queue="second"))
    book.passes(30).then(never(AlertRaised))


def test_a_limit_passed_during_an_announcement_is_told_in_the_next_queue() -> None:
    setup = watched(answer=10)
    way = Way(WayKind.QUEUE, "second", play="sorry")
    queues = (
        Queue("sales", (QueueGroup("sales"),), max_wait=6, on_max_wait=way),
        Queue("second", (QueueGroup("sales"),)),
    )
    book = waiting(replace(setup, queues=queues)).passes(16).then(never(AlertRaised))
    book.when(played()).passes(0.01).then(a(AlertRaised, queue="second"))


def test_a_talk_that_lasts_too_long_is_told_once_and_goes_on() -> None:
    book = given(watched()).available("an").when(arrives(), at=0).when(answers(), at=5)
    book.passes(29.9).then(never(AlertRaised))
    book.passes(0.1).then(a(AlertRaised, kind="talk_time", agent="an", limit_s=30), never(HangUp))
    book.passes(300).then(never(AlertRaised))
    book.when(leaves()).then(a(AlertCleared, alert="1.1.talk_time"))


def test_outbound_talks_are_watched_too() -> None:
    book = given(watched()).when(OutboundAsked("1.9", "an", "0967123456")).passes(60).then(never(AlertRaised))
    book.when(PhoneChannel("an", "1.9", "up")).passes(30).then(a(AlertRaised, alert="1.9.talk_time", agent="an"))
    book.when(OutboundEnded("1.9", "ANSWER", 16, 30)).then(a(AlertCleared))


def test_off_is_off() -> None:
    book = given(watched(answer=None, talk=None)).available("an").when(arrives()).when(declines()).passes(100)
    book.then(never(AlertRaised))


def test_a_call_keeps_the_limits_it_began_with() -> None:
    book = waiting().when(SetupChanged(watched(answer=1, talk=1))).passes(10).then(never(AlertRaised))
    book.when(SetupChanged(watched(answer=None, talk=None))).passes(10).then(a(AlertRaised, limit_s=20))


def test_an_alert_outlives_a_restart_and_is_not_raised_again() -> None:
    book = waiting().passes(25).restarted()
    book.when(snapshot(caller_seen(), phones=("an",))).then(never(AlertRaised)).passes(30).then(never(AlertRaised))
    assert list(book.world.alerts) == ["1.1.answer_time"]
    book.when(leaves()).then(a(AlertCleared))


def test_an_alert_that_is_open_is_not_raised_again() -> None:
    book = waiting().passes(25)
    book.world.put(replace(book.call("1.1"), answer_alert_at_ms=book.now_ms + 5))
    book.passes(1).then(never(AlertRaised))
