"""A caller at the door: once, and to the place the hotline says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import Answer, HangUp, Play, RingAgent
from controller.core.events import CallArrived, CallGone
from controller.core.facts import CallEnded, CallStarted, MenuEntered
from controller.core.model import Phase
from controller.core.setup import Blocked, Hotline, Way
from tests.core.setups import BANNED, SALES, menu_of, small
from tests.core.words import arrives, leaves, ringing
from tests.playbook import a, given, never

pytestmark = pytest.mark.pure


def test_a_call_that_is_over_does_not_begin_again() -> None:
    book = ringing("an").when(leaves()).when(arrives()).only(a(HangUp, channel="1.1")).then(never(CallStarted))
    assert not book.world.calls


def test_an_end_that_overtook_the_beginning_is_believed() -> None:
    book = given(small("an")).available("an").when(CallGone("1.1")).when(arrives()).then(never(CallStarted))
    book.when(arrives(2)).then(a(CallStarted))


def test_a_hotline_is_known_by_its_number_alone() -> None:
    book = given(small("an")).available("an").when(CallArrived("1.1", SALES.removeprefix("+"), "0967")).only(a(HangUp))
    book.when(leaves()).then(a(CallEnded, reason="no_such_hotline"))


def test_a_blocked_caller_does_not_come_in() -> None:
    setup = replace(small("an"), blocked=(Blocked("+84900000001", ("ivr",)),))
    book = given(setup).when(arrives(caller=BANNED)).only(a(HangUp, channel="1.1", q850=21))
    book.when(leaves()).then(a(CallEnded, result="blocked"))


def test_closed_doors_are_closed() -> None:
    given(menu_of(hours="never", closed=Way(play="closed"))).when(arrives()).then(a(Play, media=("closed",)))


def test_a_hotline_leads_to_its_queue_or_its_menu() -> None:
    given(small("an")).available("an").when(arrives()).then(a(Answer), a(RingAgent))
    given(menu_of()).when(arrives()).then(a(MenuEntered, menu="main"), a(Play))


def test_the_call_begins_with_the_limits_of_its_hotline() -> None:
    hotline = Hotline(SALES, menu="main", wrap_up=7, notify_answer_time=8, notify_talk_time=9)
    book = given(replace(menu_of(), hotlines=(hotline,))).when(arrives(name="Tâm"))
    call = book.call("1.1")
    assert (call.phase, call.wrap_up_s, call.answer_limit_s, call.talk_limit_s) == (Phase.MENU, 7, 8, 9)
    assert (call.caller, call.caller_name, call.callee) == ("0967000001", "Tâm", SALES)


def test_arriving_again_while_still_here_changes_nothing() -> None:
    book = given(menu_of()).when(arrives()).when(arrives()).only()
    assert book.facts == []
