"""The simulator's daily portion: a fixed set of seeds, every seed that ever broke something, and the same bytes twice.

A failure names the line that shows it again: `make sim SEED=8412771 TO=1834.2`. docs/simulation.md says what is in it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from controller.core import events
from controller.core.step import Step
from tests.hash_seeds import told_under_three
from tests.sim.run import play, simulate
from tests.sim.switch import Switch, UnknownToModelError
from tests.sim.town import FAULTS, PEOPLE, RUDENESS, Shape, Town, sized

pytestmark = pytest.mark.sim

ROOT = Path(__file__).parents[2]
SEEDS, CHUNK, SECONDS = 150, 5, 100.0
FAILED = [
    int(line.split()[0])
    for line in Path(__file__).with_name("failed_seeds.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def all_well(seed: int, seconds: float) -> None:
    result = simulate(seed, seconds)
    assert not result.breaches, "\n".join([result.line, *result.breaches, *result.trace[-40:]])


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_a_day_with_every_fault_breaks_nothing(first):
    for seed in range(first, first + CHUNK):
        all_well(seed, SECONDS)


@pytest.mark.parametrize("seed", FAILED)
def test_what_broke_once_does_not_break_again(seed):
    all_well(seed, 240.0)


def digest(seed: int) -> str:
    """Everything a day said, asked and wrote."""
    told = hashlib.sha256()
    result = simulate(seed, 60.0, on_line=lambda line: told.update(line.encode()))
    assert result.steps > 50
    return told.hexdigest()


def test_a_day_gives_the_same_bytes_under_three_hash_seeds():
    found = told_under_three("tests.sim.test_seeds", "digest(7)")
    assert found == {digest(7)}
    assert digest(8) not in found


def test_a_day_is_worth_the_name():
    """Calls are answered, missed, blocked, recorded and dialled out, and the controller dies on the way."""
    shape, facts, starts = Shape(12, 0.5, 300.0), {}, 0
    for seed in (1, 2, 3):
        result = play(lambda seed=seed: Town(seed, shape), lambda town: town.live(300.0))
        assert not result.breaches, result.line
        starts += result.starts
        for name, count in result.facts.items():
            facts[name] = facts.get(name, 0) + count
    wanted = ("CallAnswered", "CallQueued", "OfferEnded", "AlertRaised", "OutboundPicked", "TrunkFailed", "Reconciled")
    assert starts > 3
    assert all(facts.get(name, 0) >= 5 for name in wanted), facts


def test_the_weights_are_those_of_the_programme():
    assert PEOPLE["leg"] / PEOPLE["caller_arrives"] == 1.2
    assert set(RUDENESS.values()) == {3.0}
    assert FAULTS["socket_cut"] / FAULTS["second_controller"] == 10
    assert {sized(seed, 60.0).agents for seed in range(SEEDS)} >= {2, 12, 60}


def test_a_breach_ends_the_run_and_names_its_line():
    """The watch is no decoration: a core that offers to somebody in wrap-up would be seen in the same step."""

    async def work(town: Town) -> None:
        town.watch.breach("S4 made up")
        await town.live(60)

    result = play(lambda: Town(5, Shape(2)), work)
    assert result.breaches == [f"{float(result.breaches[0].split()[0]):.3f} s: S4 made up"]
    assert result.line.startswith("make sim SEED=5 TO=0.")


def test_a_step_that_breaks_an_invariant_is_seen():
    async def work(town: Town) -> None:
        engine = town.life.engine
        broken = Step("X#1", (), (), (), broken="LookupError: made up")
        town.watch.look(town.life, engine, events.Ticked(), broken)

    assert "S0 broken" in play(lambda: Town(5, Shape(2)), work).breaches[0]


async def test_what_the_model_does_not_know_it_says_loudly():
    town = Town(1, Shape(2))
    assert isinstance(town.switch, Switch)
    with pytest.raises(UnknownToModelError, match=r"does not know channels\.redirect"):
        await town.switch.request("channels.redirect", {})
    assert town.switch.complaints == ["the model does not know channels.redirect"]
