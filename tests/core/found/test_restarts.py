"""Found: a new process did not know what the old one had finished."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import HangUp
from controller.core.events import DialplanCalled
from controller.core.facts import CallAnswered, CallEnded, CallQueued, CallRouted, CallStarted
from controller.core.model import Phase
from controller.core.setup import Setup
from tests.core.setups import SALES, small
from tests.core.words import arrives, caller_seen, leaves, leg_seen, snapshot
from tests.playbook import a, given, never

pytestmark = pytest.mark.pure

SERVED = DialplanCalled("1.5", "fallback", SALES, "0967000001", SALES, "", "", 1_000, 4_000)


def test_a_call_the_dialplan_served_was_told_again_after_a_restart() -> None:
    """Asterisk tells it until it hears that we have it; the answer was lost with the process, the record was not."""
    book = given(small("an")).when(SERVED).then(a(CallStarted), a(CallEnded))
    book.restarted().when(SERVED).then(never(CallStarted), never(CallEnded))


def test_an_arrival_told_late_began_a_call_that_had_ended_before_the_restart() -> None:
    book = given(small("an")).available("an").when(arrives()).when(leaves())
    book.restarted().when(arrives()).then(never(CallStarted))
    assert not book.world.calls


def _renamed(setup: Setup) -> Setup:
    """The queue `sales` goes, `support` comes in its place, and the hotline leads there."""
    hotline, queue = replace(setup.hotlines[0], queue="support"), replace(setup.queues[0], name="support")
    return replace(setup, hotlines=(hotline,), queues=(queue,))


def test_a_caller_waited_on_in_a_queue_that_was_removed_while_nobody_led() -> None:
    """The new process began with the new setup, so to it nothing had been removed; nobody was ever offered the call."""
    setup = small("an")
    book = given(setup, reachable=False).available("an").when(arrives())
    waits_since_ms = book.call("1.1").queued_at_ms
    book.restarted(_renamed(setup))
    book.when(snapshot(caller_seen(), phones=("an",)))
    book.then(a(CallRouted, call="1.1", way="queue support", why="queue_removed"), a(CallQueued, queue="support"))
    assert (book.call("1.1").queue, book.call("1.1").queued_at_ms) == ("support", waits_since_ms)
    assert book.offered() == ["an"]


def test_a_caller_of_a_removed_queue_whom_an_agent_has_answered_meanwhile_talks_on() -> None:
    """The rows say that the caller waits; what Asterisk has is looked at first."""
    setup = small("an")
    book = given(setup).available("an").when(arrives())
    book.restarted(_renamed(setup)).then(never(HangUp))
    book.when(snapshot(caller_seen(), leg_seen("1.1.a1", "an"), phones=("an",)))
    book.then(a(CallAnswered, agent="an"), never(HangUp))
    assert book.call("1.1").phase is Phase.TALKING


def test_a_caller_whose_queue_and_hotline_went_while_nobody_led_is_let_go() -> None:
    setup = small("an")
    book = given(setup, reachable=False).available("an").when(arrives())
    book.restarted(replace(_renamed(setup), hotlines=()))
    book.when(snapshot(caller_seen(), phones=("an",))).then(a(HangUp, channel="1.1"))
    book.when(leaves()).then(a(CallEnded, result="missed", reason="queue_removed"))
