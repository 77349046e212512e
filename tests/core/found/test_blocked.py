"""Found: a number that was blocked while it was being called was called again by the next trunk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import HangUp, Join, ReplyTrunks, RingPhone
from controller.core.events import (
    ConsultAsked,
    LinkLost,
    OutboundAsked,
    OutboundNextAsked,
    PhoneChannel,
    SetupChanged,
    TransferAsked,
)
from controller.core.setup import Blocked
from tests.core.test_outbound import trunks
from tests.core.words import answers, arrives, caller_seen, leg_gone, snapshot
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

PHONE = "0967123456"
TRUNK_FAILED = {"cause": 34, "tech": 503, "kind": "p"}
BLOCKED = SetupChanged(replace(trunks(), blocked=(Blocked("+84967123456", ("outbound",)),)))
ELSEWHERE = SetupChanged(replace(trunks(), blocked=(Blocked("+84967123456", ("ivr", "queue")),)))


def talking() -> Playbook:
    return given(trunks()).available("an").when(arrives()).when(answers()).passes(5)


def dialling() -> Playbook:
    return given(trunks()).when(PhoneChannel("an", "7.1", "ring")).when(OutboundAsked("7.1", "an", PHONE))


def test_the_next_trunk_of_a_dialled_call() -> None:
    failed = OutboundNextAsked("7.1", "CONGESTION", 34)
    assert dialling().when(ELSEWHERE).when(failed).one(ReplyTrunks).attempt is not None
    assert dialling().when(BLOCKED).when(failed).one(ReplyTrunks).attempt is None


def test_the_next_trunk_for_a_caller_who_was_sent_on() -> None:
    sent = TransferAsked("1.1", PHONE, by="an")
    talking().when(sent).when(ELSEWHERE).when(leg_gone(leg=2, **TRUNK_FAILED)).then(a(RingPhone))
    book = talking().when(sent).when(BLOCKED).when(leg_gone(leg=2, **TRUNK_FAILED))
    book.then(a(HangUp, channel="1.1"), never(RingPhone))


def test_the_next_trunk_for_an_agent_who_asks_first() -> None:
    book = talking().when(ConsultAsked("1.1", "begin", PHONE, by="an")).when(BLOCKED)
    book.when(leg_gone(leg=2, **TRUNK_FAILED)).then(a(Join, leg="1.1.a1"), never(RingPhone))


def test_a_phone_that_was_lost_in_a_cut() -> None:
    for setup, rings in ((ELSEWHERE, True), (BLOCKED, False)):
        book = talking().when(TransferAsked("1.1", PHONE, by="an")).when(leg_gone()).when(LinkLost()).when(setup)
        book.when(snapshot(caller_seen(), phones=("an",)))
        book.then(a(RingPhone) if rings else never(RingPhone))
