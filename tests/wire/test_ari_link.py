"""The state of the link: every cell of the table, and how long it waits."""

from __future__ import annotations

import itertools

import pytest

from controller.ari.link import MOVES, NOT_LISTENING_MAX_S, Link, LinkState, Turn

pytestmark = pytest.mark.pure


def after(*turns: Turn) -> Link:
    link = Link()
    for turn in turns:
        link = link.after(turn)
    return link


def test_every_cell_is_named():
    assert set(MOVES) == set(itertools.product(LinkState, Turn))


def test_a_life():
    assert after(Turn.OPENED).state is LinkState.SYNCING
    assert after(Turn.OPENED, Turn.SYNCED).state is LinkState.LIVE
    assert after(Turn.OPENED, Turn.SYNCED, Turn.CUT).state is LinkState.LOST
    assert after(Turn.OPENED, Turn.SYNCED, Turn.CUT, Turn.RETRIED).state is LinkState.CONNECTING


def test_nobody_is_live_without_a_snapshot():
    assert after(Turn.SYNCED).state is LinkState.CONNECTING
    late = after(Turn.OPENED, Turn.CUT, Turn.SYNCED)  # the snapshot of a life that is over
    assert late.state is LinkState.LOST


@pytest.mark.parametrize("turn", Turn)
def test_who_was_replaced_stays_replaced(turn):
    assert after(Turn.OPENED, Turn.SYNCED, Turn.REPLACED, turn).state is LinkState.REPLACED


def test_only_an_open_link_hears():
    assert [state for state in LinkState if Link(state).is_open] == [LinkState.SYNCING, LinkState.LIVE]


def test_the_pause_doubles_up_to_five_seconds():
    link, pauses = Link(), []
    for _ in range(8):
        link = link.after(Turn.CUT)
        pauses.append(link.pause_s(0.0))
        link = link.after(Turn.RETRIED)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert link.pause_s(1.0) == 2.5  # the jitter takes at most half
    assert link.pause_s(0.0, NOT_LISTENING_MAX_S) == 0.25


def test_a_link_that_opens_and_dies_does_not_retry_in_a_rush():
    flapping = after(*[Turn.OPENED, Turn.CUT, Turn.RETRIED] * 6, Turn.CUT)
    assert flapping.pause_s(0.0) == 5.0


def test_an_asterisk_that_has_just_come_up_is_asked_again_at_once():
    """It was refused for a minute; now its HTTP answers, and ARI is there a moment later."""
    link = Link()
    for _ in range(100):
        link = link.after(Turn.CUT).after(Turn.RETRIED)
    link = link.after(Turn.CUT).come_up()
    assert link.state is LinkState.LOST
    assert link.pause_s(0.0) == 0.1
    assert link.after(Turn.RETRIED).after(Turn.CUT).pause_s(0.0) == 0.2


def test_a_link_that_lived_begins_anew():
    lived = after(*[Turn.CUT, Turn.RETRIED] * 9, Turn.OPENED, Turn.SYNCED, Turn.CUT)
    assert lived.pause_s(0.0) == 0.1
