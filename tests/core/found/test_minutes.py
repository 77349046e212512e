"""Found: a talk with an agent was counted as minutes of a trunk that never carried it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.events import CallGone, TransferAsked
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
