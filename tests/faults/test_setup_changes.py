"""The setup changes while a caller waits, one talks and a trunk is full (F27): overflow at once, talkers untouched."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.faults.figures import record, runs
from tests.faults.ward import Ward
from tests.live.conftest import put_setup
from tests.live.harness import soon
from tests.live.setups import HOTLINE, hotline, people, queue, trunks

pytestmark = pytest.mark.faults

OTHER = "+842473001091"
TALKER, WAITER, LATER = "0281000011", "0281000012", "0281000013"
QUEUES = queue("sales", "team", max_wait=120), queue("second", "second", max_wait=120)
TEAM = {"team": ("a1",), "second": ("a2",)}
WHOLE = trunks() + people(TEAM) + "".join((hotline(queue="sales"), hotline(OTHER, queue="second"), *QUEUES))
SETUP = WHOLE
GONE = (
    trunks(viettel={"max_channels": 1})
    + people({"team": (), "second": ("a2",)})
    + "".join((hotline(queue="second"), hotline(OTHER, queue="second"), QUEUES[1]))
)
"""The queue is gone with its callers, its agent has no group while talking, the number leads elsewhere, and the trunk
may hold fewer calls than it does."""
OUTER_S = 60.0


async def _put(floor: Ward, text: str) -> float:
    """Put a setup in force; how long the interface took to name its version."""
    began = time.monotonic()
    said = await asyncio.to_thread(put_setup, floor.lab, floor.lab.filled(text))
    took = time.monotonic() - began
    assert (await floor.api.get("/api/v1/setup"))["version"] == said["version"]
    return took


async def test_a_setup_changes_under_calls(floor: Ward) -> None:
    answered, moved = [], []
    for _ in range(runs(3, 20)):
        await floor.desk("a1", "a2")
        talk, row = await floor.talk(HOTLINE, TALKER)
        waits = floor.dial(HOTLINE, WAITER)
        await floor.live(WAITER, state="waiting")
        began = time.monotonic()
        answered.append(await _put(floor, GONE))
        await soon(waits.ended, "the way out of the queue that is gone is to hang up")
        moved.append(time.monotonic() - began)
        assert (await floor.ended(WAITER))["result"] == "missed"
        assert (await floor.live(TALKER))["id"] == row["id"]
        await floor.talk_both_ways("a1", talk)
        later, other = await floor.talk(HOTLINE, LATER)
        assert (other["queue"], other["agent"]) == ("second", "a2")
        for call, number in ((later, LATER), (talk, TALKER)):
            await call.hangup()
            assert (await floor.ended(number))["result"] == "answered"
        await _put(floor, WHOLE)
    record("F27", "queue, number, cap changed under calls: the API names the version", "≤ 500 ms", answered, limit=0.5)
    record("F27", "callers of a deleted queue are on their way out", "in the same step", moved, limit=0.5)
    assert max(*answered, *moved) <= OUTER_S
