"""Found: a talk with an agent was counted as minutes of a trunk that never carried it, and so was an emergency call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import ReplyTrunks
from controller.core.events import CallGone, OutboundAsked, OutboundEnded, PhoneChannel, TransferAsked
from controller.core.setup import Limits
from tests.core.setups import SALES
from tests.core.test_outbound import trunks
from tests.core.words import answers, arrives, leg_gone
from tests.playbook import given

pytestmark = pytest.mark.pure


def test_a_transfer_nobody_answered_costs_no_minutes_however_long_the_agent_talked() -> None:
    setup = trunks()
    counted = replace(
        setup,
        hotlines=tuple(replace(row, limits=Limits(minutes_per_day=60)) for row in setup.hotlines),
        trunks=tuple(replace(row, minutes_per_day=60) for row in setup.trunks),
    )
    book = given(counted).available("an").when(arrives()).when(answers()).passes(600)
    book.when(TransferAsked("1.1", "0967123456")).when(leg_gone(leg=2, cause=17, tech=486, kind="p"))
    book.when(CallGone("1.1", 16))
    assert (book.world.hotlines[SALES].use.talked_ms, book.world.trunks["v1"].use.talked_ms) == (0, 0)


def test_an_emergency_call_uses_up_nobody_s_minutes() -> None:
    setup = trunks()
    counted = replace(
        setup,
        hotlines=tuple(replace(row, limits=Limits(minutes_per_day=1)) for row in setup.hotlines),
        agents=tuple(replace(row, limits=Limits(minutes_per_day=1)) for row in setup.agents),
    )
    book = given(counted).when(PhoneChannel("an", "7.1", "ring")).when(OutboundAsked("7.1", "an", "113"))
    book.when(PhoneChannel("an", "7.1", "up")).passes(600).when(OutboundEnded("7.1", "ANSWER", 16, 600))
    book.when(PhoneChannel("an", "7.1", "gone"))
    assert [row.use.talked_ms for row in (*book.world.agent_uses.values(), *book.world.hotlines.values())] == [0, 0]
    book.when(PhoneChannel("an", "7.2", "ring")).when(OutboundAsked("7.2", "an", "0967123456"))
    assert book.one(ReplyTrunks).refusal == ""
