"""Found: a new process did not know what the old one had finished."""

from __future__ import annotations

import pytest

from controller.core.events import DialplanCalled
from controller.core.facts import CallEnded, CallStarted
from tests.core.setups import SALES, small
from tests.core.words import arrives, leaves
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
