"""Found: what was asked for in the instant of a cut failed, and the call was ended for it."""

from __future__ import annotations

import pytest

from controller.core.commands import Answer, Consult, HangUp, Join
from controller.core.events import CommandFailed, LinkLost
from controller.core.facts import ConsultEnded
from controller.core.model import Phase
from tests.core.setups import small
from tests.core.test_consulting import BRIDGE, consulting
from tests.core.words import answers, arrives, caller_seen, leg_seen, ringing, snapshot
from tests.playbook import a, given, never

pytestmark = pytest.mark.pure

CUT = LinkLost("cut")
CALLER, AGENT, PHONE = caller_seen(), leg_seen("1.1.a1", "an"), leg_seen("1.1.p2", "v1")


def test_a_talk_that_could_not_be_joined_because_of_the_cut_was_hung_up() -> None:
    book = ringing("an").when(answers()).then(a(Join)).when(CUT)
    book.when(CommandFailed("1.1", "Join", "1.1.a1", "Connection refused")).then(never(HangUp))
    book.when(snapshot(CALLER, AGENT, bridges={BRIDGE: ()}, phones=("an",))).then(a(Join, leg="1.1.a1"), never(HangUp))
    assert book.call("1.1").phase is Phase.TALKING


def test_a_caller_whom_the_cut_kept_from_being_answered_was_hung_up() -> None:
    book = given(small("an")).available("an").when(arrives()).then(a(Answer)).when(CUT)
    book.when(CommandFailed("1.1", "Answer", "1.1", "Connection refused")).then(never(HangUp))
    book.when(snapshot(caller_seen(state="ring"), phones=("an",))).then(a(Answer), never(HangUp))
    assert book.call("1.1").phase is Phase.WAITING


def test_a_consultation_was_called_off_because_of_the_cut() -> None:
    """Which then hung the caller up as well: going back to the agent failed, too."""
    book = consulting().when(CUT)
    failed = CommandFailed("1.1", "Consult", "1.1.p2", "Connection refused")
    book.when(failed).then(never(HangUp), never(ConsultEnded))
    seen = snapshot(CALLER, AGENT, PHONE, bridges={BRIDGE: ("1.1.a1",)}, phones=("an",))
    book.when(seen).then(a(Consult, leg="1.1.p2"), never(HangUp))


def test_what_fails_while_we_are_heard_still_ends_the_call() -> None:
    """Nothing would ever try it again."""
    book = ringing("an").when(answers())
    book.when(CommandFailed("1.1", "Join", "1.1.a1", "500")).then(a(HangUp, channel="1.1"))
