"""The candidates one by one: who is forbidden, who waits, who is drawn, and what is written down about it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from controller.core import candidates
from controller.core.candidates import Notes, Question
from controller.core.model import HotlineState, TrunkState
from controller.core.setup import Adaptive, AgentSetup, Hotline, Setup, Trunk

pytestmark = pytest.mark.pure

NOW_MS = 1_800_000_000_000
DOWN = TrunkState("", failures=3, cooling_until_ms=NOW_MS + 5000)
SETUP = Setup(
    trunks=(Trunk("a-1", "a"), Trunk("a-2", "a"), Trunk("b-1", "b"), Trunk("none")),
    hotlines=(
        Hotline("+841", trunk="a-1", carrier="a", outbound=True),
        Hotline("+842", trunk="a-2", carrier="a", outbound=True, outbound_groups=("g",)),
        Hotline("+843", trunk="b-1", carrier="b", outbound=True),
        Hotline("1900", trunk="b-1", carrier="b", outbound=True),
        Hotline("+845", kind="virtual"),
        Hotline("+846", trunk="a-1", carrier="a"),
        Hotline("+847", trunk="none", outbound=True),
        Hotline("+848", trunk="gone", outbound=True),
    ),
    adaptives=(Adaptive("auto", "1900"),),
    agents=(AgentSetup("an", ("h",)), AgentSetup("binh", ("g", "h"))),
)


def question(agent: str = "an", salt: str = "", setup: Setup = SETUP, **states: Any) -> Question:
    trunks = states.get("trunks", {})
    return Question(setup, agent, "", "", "", "", trunks, states.get("hotlines", {}), NOW_MS, salt)


def names(found: Any) -> list[tuple[str, str]]:
    return [(row.hotline.number, row.trunk.name) for row in found]


@pytest.mark.parametrize(
    ("agent", "number", "reason"),
    [
        ("an", "+841", ""),
        ("an", "+842", "not_permitted"),
        ("binh", "+842", ""),
        ("", "+842", ""),
        ("binh", "+845", "virtual"),
        ("", "+846", "not_permitted"),
    ],
)
def test_who_may_use_a_hotline(agent: str, number: str, reason: str) -> None:
    found, words = candidates.forbidden(question(agent), SETUP.hotline[number])
    assert found == reason
    assert bool(words) == bool(reason)


def test_the_groups_that_may_are_named() -> None:
    _, words = candidates.forbidden(question(), SETUP.hotline["+842"])
    assert words == "an is in none of its outbound groups (g)"
    nobody = Hotline("+849", trunk="a-1", outbound=True, outbound_groups=())
    assert candidates.forbidden(question(), nobody)[1] == "an is in none of its outbound groups (none)"


def test_a_trunk_is_looked_at_once() -> None:
    notes = Notes()
    asked = question(trunks={"a-1": DOWN})
    assert (
        candidates.trunk_trouble(asked, "a-1", notes) == "trunk a-1 failed 3 times in a row, is left out for 5 s more"
    )
    assert candidates.trunk_trouble(question(), "a-1", notes) != "", "remembered"
    assert candidates.trunk_trouble(question(), "gone", notes) == "trunk gone does not exist"
    assert candidates.trunk_trouble(question(), "b-1", notes) == ""


def test_a_hotline_and_its_carriers_other_trunks() -> None:
    hotline = SETUP.hotline["+841"]
    assert names(candidates.by_hotline(question(), hotline, "", Notes())) == [("+841", "a-1"), ("+841", "a-2")]
    notes = Notes()
    assert names(candidates.by_hotline(question(trunks={"a-1": DOWN}), hotline, "", notes)) == [("+841", "a-2")]
    assert notes.reasons == ["no_trunk"]
    notes = Notes()
    assert names(candidates.by_hotline(question(trunks={"a-2": DOWN}), hotline, "", notes)) == [("+841", "a-1")]
    assert any("so it is no spare for hotline +841" in step for step in notes.steps)


def test_a_trunk_without_a_carrier_has_no_spares() -> None:
    assert names(candidates.by_hotline(question(), SETUP.hotline["+847"], "", Notes())) == [("+847", "none")]
    assert names(candidates.spares(question(), SETUP.hotline["+848"], Notes())) == []


def test_the_order_of_an_adaptive_number() -> None:
    auto = SETUP.adaptive["auto"]
    used = {"+841": HotlineState("+841", NOW_MS - 1)}
    found = names(candidates.by_adaptive(question("binh", hotlines=used), auto, "a", Notes()))
    assert found[:3] == [("+842", "a-2"), ("+841", "a-1"), ("+842", "a-1")]
    assert found[3] == ("1900", "b-1"), "the fallback, although it is a service number"
    assert found[4:] == [("+847", "none")], "one for each trunk nobody has thought of yet"


def test_without_an_operator_there_is_no_network_to_match() -> None:
    notes = Notes()
    found = names(candidates.by_adaptive(question(), Adaptive("x"), "", notes))
    assert notes.steps[0] == "no network to match"
    assert {number for number, _ in found} <= {"+841", "+843", "+847"}
    notes = Notes()
    list(candidates.by_adaptive(question(), Adaptive("x"), "nobody", notes))
    assert notes.steps[0] == "no hotline is on the network of nobody"


def test_a_draw_is_even_and_the_same_for_the_same_call() -> None:
    drawn = Counter(next(candidates._shuffled(SETUP.hotlines, f"c{n}")).number for n in range(8000))
    assert set(drawn) == set(SETUP.hotline)
    assert all(850 < count < 1150 for count in drawn.values())
    assert list(candidates._shuffled(SETUP.hotlines, "\ud800")) == list(candidates._shuffled(SETUP.hotlines, "\ud800"))
    assert {row.number for row in candidates._shuffled(SETUP.hotlines, "")} == set(SETUP.hotline)
    assert list(candidates._shuffled((), "x")) == []


def test_emergency_calls_take_any_trunk_with_a_number_of_its_own() -> None:
    down = {row.name: DOWN for row in SETUP.trunks}
    found = names(candidates.for_emergency(question("an", trunks=down), Notes()))
    assert found == [("+841", "a-1"), ("+842", "a-2"), ("+843", "b-1"), ("+847", "none")]
    off = Setup(trunks=(Trunk("a-1", enabled=False),), hotlines=SETUP.hotlines)
    assert names(candidates.for_emergency(question(setup=off), Notes())) == []


def test_notes_stay_readable() -> None:
    notes = Notes()
    for _ in range(candidates.LOOKED_AT_MAX + 5):
        notes.look("one of many")
    notes.say("the end")
    assert len(notes.steps) == candidates.LOOKED_AT_MAX + 2
    assert notes.steps[-2:] == ["more were looked at than are written here", "the end"]
