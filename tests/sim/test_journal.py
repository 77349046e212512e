"""A journal is lived through again as it was: cuts, restarts of either side, stepped clocks, setups that change.

What a simulated day wrote down goes through a file and is decided anew by `controller.cli_replay`; every fact of every
call must be the one that was told, in the order it was told.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from controller import journal
from controller.cli_replay import again
from controller.core.events import SetupChanged
from controller.core.setup import Setup
from controller.journal import Journal
from controller.ports import Line
from tests.sim.run import play
from tests.sim.town import Shape, Town

pytestmark = pytest.mark.sim

DAYS = {
    "calm": (),
    "cut": ("socket_cut",),
    "restarted": ("asterisk_restarted", "socket_cut"),
    "deaf": ("http_fails", "socket_cut"),
    "stepped": ("clock_step",),
    "killed": ("controller_killed", "socket_cut", "asterisk_restarted"),
}
SECONDS, SEEDS = 60.0, 2


def lived(seed: int, faults: tuple[str, ...], folder: Path) -> tuple[list[Line], list[Setup]]:
    """The journal of one day, as it is read from its file, and every setup of it in order."""
    only = (*((name, 2.0) for name in faults), ("setup_changes", 1.0))
    found: list[Town] = []
    setups: dict[int, Setup] = {}

    def make() -> Town:
        town = Town(seed, Shape(8, 0.4, SECONDS, rude=seed % 2 == 1, faults=False, only=only))
        look = town.watch.look

        def see(life, engine, event, done):
            if isinstance(event, SetupChanged):
                setups.setdefault(event.setup.version, event.setup)
            look(life, engine, event, done)

        town.watch.look = see
        found.append(town)
        return town

    play(make, lambda town: town.live(SECONDS))
    book = Journal(folder)
    book.write(found[0].journal)
    book.close()
    return list(journal.read(next(folder.glob("*.jsonl")))), list(setups.values())


@pytest.mark.parametrize("day", DAYS)
def test_a_journal_tells_all_that_was_decided_by(day, tmp_path):
    kinds = set()
    for seed in range(SEEDS):
        lines, setups = lived(seed, DAYS[day], tmp_path / str(seed))
        outcome = again(lines, setups)
        assert not outcome.differing(), f"seed {seed}: {outcome.differing()}"
        assert sum(map(len, outcome.recorded.values())) > 50
        kinds |= {line.name for line in lines if line.kind == "event"}
    assert kinds >= {"SetupChanged", "SnapshotTaken", "Ticked", "CallArrived"}
    assert ("LinkLost" in kinds) == bool({"socket_cut", "asterisk_restarted"} & set(DAYS[day]))
    assert ("ClockMoved" in kinds) == ("clock_step" in DAYS[day])


def test_without_what_the_journal_tells_of_the_link_the_day_is_another(tmp_path):
    """The comparison is no decoration: leave the snapshots out and calls go other ways."""
    lines, setups = lived(1, DAYS["restarted"], tmp_path)
    deaf = [line for line in lines if line.name not in {"SnapshotTaken", "LinkLost"}]
    assert again(deaf, setups).differing()
