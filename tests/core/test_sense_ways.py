"""Where callers are sent: nowhere, round in circles, or to places nobody reaches."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.documents import DROP, changed, problems, right, warnings

pytestmark = pytest.mark.pure

ROUND = "callers would go round for ever:"
VIRTUAL = "hotline 19001001 is virtual and never calls out"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            [("queue.1.overflow", {"queue": "sale"})],
            ["queue[1].overflow.queue: no queue is named 'sale' (did you mean 'sales'?)"],
        ),
        ([("menu.0.keys.2", {"menu": "mor"})], ["menu[0].keys.2.menu: no menu is named 'mor' (did you mean 'more'?)"]),
        (
            [("hotline.0.closed", {"play": "closed", "then": {"queue": "night"}})],
            ["hotline[0].closed.then.queue: no queue is named 'night'"],
        ),
        (
            [("menu.0.keys.2", {"phone": "0912345678", "hotline": "02473001009"})],
            ["menu[0].keys.2.hotline: no hotline is named '+842473001009' (did you mean '+842473001001'?)"],
        ),
        ([("menu.0.keys.2", {"phone": "0912345678", "hotline": "19001001"})], [f"menu[0].keys.2.phone: {VIRTUAL}"]),
        ([("hotline.2.closed", {"phone": "0912345678"})], [f"hotline[2].closed.phone: {VIRTUAL}"]),
        ([("queue.0.overflow", {"queue": "sales"})], [f"queue[0].overflow: {ROUND} queue sales → queue sales"]),
        (
            [("queue.0.on_full", {"queue": "support"})],
            [f"queue[1].overflow: {ROUND} queue sales → queue support → queue sales"],
        ),
        (
            [("queue.0.hours", "office"), ("queue.0.closed", {"play": "x", "then": {"queue": "support"}})],
            [f"queue[1].overflow: {ROUND} queue sales → queue support → queue sales"],
        ),
        (
            [("menu.0.on_timeout", {"menu": "more"}), ("menu.1.on_invalid", {"menu": "main"})],
            [f"menu[1].on_invalid: {ROUND} menu main → menu more → menu main"],
        ),
        (
            [("queue.0.overflow", {"menu": "main"})],
            [f"queue[1].overflow: {ROUND} queue sales → menu main → queue support → queue sales"],
        ),
    ],
)
def test_ways_that_make_no_sense(changes: list[tuple[str, Any]], expected: list[str]) -> None:
    found = problems(changed(*changes))
    assert len(found) == len(expected)
    for line, wanted in zip(found, expected, strict=True):
        where, _, circle = line.partition(f" {ROUND} ")
        if not circle:
            assert line == wanted
            continue
        wanted_circle = wanted.partition(f" {ROUND} ")[2].split(" → ")
        assert sorted(circle.split(" → ")[:-1]) == sorted(wanted_circle[:-1])
        assert circle.split(" → ")[0] == circle.split(" → ")[-1]
        assert where.endswith(":")


@pytest.mark.parametrize(
    "changes",
    [
        [("menu.1.keys.2", {"menu": "more"})],
        [("menu.0.on_timeout", {"queue": "support"}), ("queue.0.overflow", "hangup")],
        [("menu.0.on_timeout", "repeat"), ("menu.0.on_invalid", "repeat")],
        [("hotline.0.closed", {"queue": "sales"})],
    ],
)
def test_circles_a_caller_must_press_keys_for_are_fine(changes: list[tuple[str, Any]]) -> None:
    assert problems(changed(*changes)) == []


def test_an_overflow_that_serves_nothing_closes_no_circle() -> None:
    row = {"name": "sales", "groups": [{"name": "sales"}], "overflow": {"queue": "support"}}
    out = {"on_full": "hangup", "on_max_wait": "hangup", "on_no_agent": "hangup"}
    assert problems(changed(("queue.0", row | out))) == []
    assert len(problems(changed(("queue.0", row)))) == 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from(["on_full", "on_max_wait"])), max_size=12)
)
def test_a_setup_has_circles_or_every_caller_gets_out(edges: list[tuple[int, int, str]]) -> None:
    rows = [{"name": f"q{n}", "groups": [{"name": "g"}], "overflow": "hangup"} for n in range(6)]
    for source, target, key in edges:
        rows[source][key] = {"queue": f"q{target}"}
    found = problems({"group": [{"name": "g"}], "queue": rows})
    targets = {row["name"]: [row[key]["queue"] for key in ("on_full", "on_max_wait") if key in row] for row in rows}
    alive = dict.fromkeys(targets)
    while leaving := [name for name in alive if not any(target in alive for target in targets[name])]:
        for name in leaving:
            del alive[name]
    assert bool(found) == bool(alive)
    assert all(ROUND in line for line in found)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([("menu.0.keys.2", DROP)], ["menu[1]: no hotline leads to menu more"]),
        ([("hotline.2.queue", "sales"), ("menu.0.on_timeout", DROP)], ["queue[1]: no hotline leads to queue support"]),
        (
            [("hotline.1.outbound", False), ("menu.1.keys.9", {"phone": "0912345678"})],
            ["hotline[1]: menu more may send its callers to a phone number, and this hotline may not call out"],
        ),
        (
            [("queue.0.overflow", {"phone": "0912345678"})],
            ["hotline[2]: queue sales may send its callers to a phone number, and this hotline may not call out"],
        ),
        (
            [("hotline.1.outbound", False), ("hotline.1.closed", {"phone": "0912345678"})],
            ["hotline[1].closed.phone: hotline +84901001001 has outbound = false, so this call cannot leave"],
        ),
        ([("queue.0.overflow", {"phone": "0912345678", "hotline": "0901001001"})], []),
        ([("hotline.1.closed", {"menu": "more"}), ("menu.0.keys.2", DROP)], []),
    ],
)
def test_what_is_allowed_and_hardly_meant(changes: list[tuple[str, Any]], expected: list[str]) -> None:
    assert warnings(changed(*changes)) == expected


def test_announcements_may_come_first() -> None:
    setup = right(changed(("queue.0.overflow", {"play": "sorry", "then": {"voicemail": True}}))).setup
    assert setup
    assert setup.queues[0].on_full.play == "sorry"
