"""Found: an audit that ran beside the calls undid what happened while it was under way."""

from __future__ import annotations

import pytest

from controller.core.commands import HangUp
from controller.core.events import LinkLost, OutboundAsked, OutboundEnded, PhoneChannel
from controller.core.model import AgentPhase, Phase
from tests.core.setups import small
from tests.core.words import answers, arrives, caller_seen, leaves, own_seen, rings, snapshot, status
from tests.playbook import Playbook, given, never

pytestmark = pytest.mark.pure


def audit_of(book: Playbook, *channels: object, phones: tuple[str, ...] = ("an",)) -> object:
    return snapshot(*channels, phones=phones, asked_at_ms=book.now_ms)  # type: ignore[arg-type]


def test_a_talk_that_began_after_the_audit_was_asked_for_went_on() -> None:
    """The leg was not in the picture, so the fresh talk was taken for one whose agent had hung up."""
    book = given(small("an")).when(status("an", "not_ready")).when(arrives())
    seen = audit_of(book, caller_seen())
    book.when(status("an", "available")).when(answers()).when(seen).then(never(HangUp))
    assert book.call("1.1").phase is Phase.TALKING


def test_an_agent_let_go_after_the_audit_was_asked_for_stayed_in_hand() -> None:
    """The leg was not in the picture, so the agent was free while the phone still rang."""
    book = given(small("an", "binh")).when(status("an", "not_ready")).when(arrives())
    seen = audit_of(book, caller_seen())
    book.when(status("an", "available")).when(rings()).when(leaves()).when(seen)
    assert book.agent("an").phase is AgentPhase.RELEASING


def test_a_channel_that_went_after_the_audit_was_asked_for_stayed_gone() -> None:
    """It was put back, and the agent was busy until the next audit."""
    book = given(small("an")).available("an").when(PhoneChannel("an", "9.9", "up"))
    seen = audit_of(book, own_seen("9.9", "an"))
    book.when(PhoneChannel("an", "9.9", "gone")).when(seen)
    assert book.states() == {"an": "ready"}


def test_a_dialled_call_that_ended_after_the_audit_was_asked_for_left_no_channel_behind() -> None:
    book = given(small("an")).available("an").when(OutboundAsked("1.9", "an", "0967123456"))
    seen = audit_of(book, own_seen("1.9", "an"))
    book.when(OutboundEnded("1.9", "BUSY")).when(PhoneChannel("an", "1.9", "gone")).when(seen)
    assert book.states() == {"an": "ready"}


def test_an_audit_that_comes_after_a_cut_did_not_restore_the_hearing() -> None:
    """Agents were rung although nobody could have heard them answer."""
    book = given(small("an")).available("an")
    seen = audit_of(book)
    book.when(LinkLost("cut")).when(seen)
    assert not book.world.linked


def test_an_audit_older_than_a_resync_did_not_undo_what_the_resync_saw() -> None:
    """A phone in use was rung."""
    book = given(small("an")).available("an")
    seen = audit_of(book)
    book.when(snapshot(own_seen("9.9", "an"), phones=("an",))).when(seen)
    assert book.states() == {"an": "busy"}


def test_a_caller_whose_arrival_was_lost_was_not_left_in_silence() -> None:
    """Audits passed over callers they did not know, for ever."""
    book = given(small("an")).available("an")
    book.when(audit_of(book, caller_seen()))
    assert book.call("1.1").offers
