"""The stream of facts: order, memory, and readers who are too slow."""

from __future__ import annotations

import asyncio

import pytest

from controller.core.facts import SetupApplied
from controller.feed import KEPT_MAX, READER_MAX, Feed
from controller.ports import Said

pytestmark = pytest.mark.pure


def said(seq: int) -> Said:
    return Said(seq, seq, SetupApplied(seq))


async def test_a_reader_gets_what_comes_in_order() -> None:
    feed = Feed()
    reader = feed.subscribe()
    for seq in (1, 2, 3):
        feed.publish(said(seq))
    reader.close()
    assert [row.seq async for row in reader] == [1, 2, 3]
    assert feed.readers == 0


async def test_a_slow_reader_is_cut_and_told() -> None:
    feed = Feed()
    slow, quick = feed.subscribe(), feed.subscribe()
    for seq in range(1, READER_MAX + 2):
        feed.publish(said(seq))
        if seq == 1:
            assert (await anext(aiter(quick))).seq == 1
    assert slow.lost
    assert not quick.lost
    async with asyncio.timeout(20):
        assert len([row async for row in slow]) <= READER_MAX


def test_what_is_no_longer_kept_can_be_told() -> None:
    feed = Feed(last_seq=10)
    assert feed.first_seq == 11
    for seq in range(11, 11 + KEPT_MAX + 5):
        feed.publish(said(seq))
    assert feed.first_seq == 16
    assert len(feed.since(11 + KEPT_MAX)) == 4
