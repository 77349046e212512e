"""The day's figures begin anew at local midnight, and no sooner."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core import figures
from controller.core.events import SetupChanged, Ticked
from controller.core.step import step
from controller.core.turn import Turn
from tests.core.setups import small
from tests.core.words import answers, arrives, leaves, leg_gone
from tests.playbook import Playbook, given

pytestmark = pytest.mark.pure

TO_MIDNIGHT_S = 14 * 3600 + 46 * 60 + 40
"""Playbooks begin at 09:13:20 in Hanoi."""


def served(setup: object = None) -> Playbook:
    return given(small("an")).available("an").when(arrives()).when(answers()).when(leg_gone()).when(leaves())


def test_the_day_is_the_local_one_and_looked_up_once() -> None:
    book = given(small("an"))
    assert figures.today(book.world, book.now_ms) == "2025-11-13"
    assert figures.today(book.world, book.now_ms + 1000 * (TO_MIDNIGHT_S - 1)) == "2025-11-13"
    assert figures.today(book.world, book.now_ms + 1000 * TO_MIDNIGHT_S) == "2025-11-14"
    assert figures.today(book.world, book.now_ms) == "2025-11-13", "also when time goes back"


def test_another_time_zone_has_another_day() -> None:
    book = given(small("an"))
    evening_ms = book.now_ms + 1000 * (TO_MIDNIGHT_S + 3600)
    assert figures.today(book.world, evening_ms) == "2025-11-14"
    setup = book.world.setup
    book.world.install(replace(setup, defaults=replace(setup.defaults, timezone="Europe/Paris")))
    assert figures.today(book.world, evening_ms) == "2025-11-13"


def test_agents_begin_the_day_with_nothing() -> None:
    book = served()
    assert book.agent("an").answered_today == 1
    book.passes(TO_MIDNIGHT_S - 5).when(Ticked())
    assert book.agent("an").answered_today == 1
    book.passes(5).when(Ticked())
    assert (book.agent("an").answered_today, book.agent("an").day) == (0, "2025-11-14")


def test_queues_begin_the_day_with_nothing() -> None:
    book = served()
    assert book.world.queue_days["sales"].answered == 1
    book.passes(TO_MIDNIGHT_S).when(arrives(2))
    day = book.world.queue_days["sales"]
    assert (day.day, day.queued, day.answered) == ("2025-11-14", 1, 0)


def test_a_restart_the_next_day_begins_anew_too() -> None:
    book = served().passes(TO_MIDNIGHT_S).restarted()
    assert book.agent("an").answered_today == 0


def test_a_step_that_breaks_does_not_use_up_the_new_day(monkeypatch: pytest.MonkeyPatch) -> None:
    book = served().passes(TO_MIDNIGHT_S)
    with monkeypatch.context() as patch:
        patch.setattr(Turn, "finish", lambda _: 1 / 0)
        assert step(book.world, Ticked(), book.now_ms).broken
    assert book.agent("an").answered_today == 1
    book.when(SetupChanged(book.world.setup))
    assert book.agent("an").answered_today == 0


def test_who_served_nobody_yesterday_needs_no_new_row() -> None:
    book = given(small("an")).available("an")
    before = book.agent("an")
    book.passes(TO_MIDNIGHT_S).when(Ticked())
    assert book.agent("an") is before
