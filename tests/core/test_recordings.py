"""What a real Asterisk told, replayed: from every place on, with repetitions, out of order, under three hash seeds.

The recordings stand in tests/recordings, one a module of tests/live; `python -m tests.recordings.renew` makes them.
Cuts, restarts of either side and changes of the setup are in them, and what the daemon said of each call: decided anew
it is the same. A suffix begins in the middle: nobody knows the calls its first messages are about, which is what a
controller sees that has just been started. After each step the invariants hold; after an empty snapshot nothing is
left (F26).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import get_args

import pytest

from controller import setup_file
from controller.cli_replay import Heard, heard, live
from controller.core import codec, events, facts, invariants
from controller.core.events import EndpointSeen, Event, SnapshotTaken
from controller.core.model import AgentPhase
from controller.core.setup import Setup
from controller.core.step import Step
from controller.core.world import World
from controller.ports import Line
from tests.faults.figures import FAULTS_N
from tests.hash_seeds import told_under_three

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.name for path in (ROOT / "tests/recordings").glob("*.jsonl.gz"))
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep" or bool(FAULTS_N)
SUFFIX_MAX = 10_000 if DEEP else 12
"""How far each suffix is followed: to its end in `make faults`; else so far that all of it is seen from each distance
up to this."""
STRIDE = 1 if DEEP or os.environ.get("HYPOTHESIS_PROFILE") != "quick" else 16
SWAP_WITHIN, REPEAT_MAX = 16, 5
ECHOED = frozenset({
    "CallArrived", "CallGone", "LegRinging", "LegAnswered", "LegGone", "PhoneChanged", "PhoneChannel", "PlaybackEnded",
    "CommandFailed", "MessageRecorded", "CalleeAnswered", "OutboundEnded", "HoldChanged",
})  # fmt: skip
"""What Asterisk tells; the rest is what people ask, what we look at ourselves, and time."""


@dataclass(frozen=True)
class Recording:
    """What the daemon was told, the setup in force at each of these, and the facts it said of each call."""

    rows: list[Heard]
    setups: list[Setup]
    said: dict[str, list[list[str]]]

    def part(self, first: int, count: int) -> Replay:
        return hear_all(self.setups[first], self.rows[first : first + count])

    def told(self, rows: list[Heard]) -> Replay:
        return hear_all(self.setups[0], rows)


@cache
def read(name: str) -> Recording:
    with gzip.open(ROOT / "tests/recordings" / name, "rt", encoding="utf-8") as file:
        head, *rows = [json.loads(line) for line in file]
    given = [setup_file.parse(text) for text in head["setups"]]
    told = heard([Line(at_ms, call, "event", kind, "", body) for at_ms, kind, call, body in rows], given)
    assert len(told) == len(rows), "an event that is not read any more"
    setups, setup = [], given[0]
    for item in told:
        setup = item.event.setup if isinstance(item.event, events.SetupChanged) else setup
        setups.append(setup)
    return Recording(told, setups, head["said"])


class Replay:
    """A world that hears a recording and is looked at after every step."""

    def __init__(self, setup: Setup, now_ms: int) -> None:
        self.world = World(setup)
        self.now_ms = now_ms
        self.told = hashlib.sha256()
        self.facts: list[facts.Fact] = []
        self.snapshot()
        self.hear([Heard(now_ms, events.SetupChanged(setup))])
        self.snapshot()

    def snapshot(self) -> None:
        """Nothing is there but the phones, in the life of Asterisk that is known."""
        boot = "".join(row.boot for row in self.world.pbx.values())
        phones = tuple(EndpointSeen(row.endpoint, reachable=True) for row in self.world.setup.agents)
        self.hear([Heard(max(self.now_ms, self.world.now_ms), SnapshotTaken(boot, endpoints=phones))])

    def hear(self, rows: list[Heard]) -> None:
        for world, event, done in live(self.world, rows):
            self.world = world
            self._look(event, done)

    def _look(self, event: Event, done: Step) -> None:
        wrong = invariants.check(self.world, self.world.now_ms, done)
        assert not done.broken, f"after {event}: {done.broken}"
        assert not wrong, "\n".join([f"after {event}", *wrong])
        self.facts += [fact for fact in done.facts if not isinstance(fact, facts.OddEvent)]
        for value in (*done.commands, *done.facts):
            self.told.update(codec.dumps(value).encode())

    def ends(self) -> None:
        """All channels are gone: so are the calls, and nobody is in a call."""
        self.snapshot()
        assert not self.world.calls
        assert not [a.name for a in self.world.agents.values() if a.phase is not AgentPhase.IDLE]


def hear_all(setup: Setup, rows: list[Heard]) -> Replay:
    replay = Replay(setup, rows[0].at_ms)
    replay.hear(rows)
    return replay


def said(found: list[facts.Fact]) -> dict[str, list[list[str]]]:
    """The facts of each call, those of its end with how it ended: as `tests.recordings.renew` keeps them."""
    told: dict[str, list[list[str]]] = {}
    for fact in found:
        how = [fact.result, fact.end_cause] if isinstance(fact, facts.CallEnded) else []
        if call := getattr(fact, "call", ""):
            told.setdefault(call, []).append([type(fact).__name__, *how])
    return told


@pytest.mark.parametrize("name", NAMES)
def test_what_a_daemon_said_of_every_call_is_decided_again(name):
    recording = read(name)
    assert recording.rows[0].begins
    found = []
    for _, _, done in live(World(recording.setups[0]), recording.rows):
        found += done.facts
    assert said(found) == recording.said


def test_the_recordings_hold_cuts_restarts_and_changes_of_the_setup():
    """Each with calls alive: who is lost, who talks on, who is picked up again."""
    rows = {name: read(name).rows for name in NAMES}
    boots = {
        name: {row.event.boot for row in told if isinstance(row.event, SnapshotTaken)} for name, told in rows.items()
    }
    lives = {name: sum(row.begins for row in told) for name, told in rows.items()}
    versions = {name: len({setup.version for setup in read(name).setups}) for name in NAMES}
    cuts = {name: sum(isinstance(row.event, events.LinkLost) for row in told) for name, told in rows.items()}
    ends = {end[2] for name in NAMES for told in read(name).said.values() for end in told if end[0] == "CallEnded"}
    assert cuts["cut.jsonl.gz"] >= 8
    assert len(boots["asterisk.jsonl.gz"]) >= 2
    assert lives["recovery.jsonl.gz"] >= 6
    assert versions["setups.jsonl.gz"] >= 6
    assert "pbx_lost" in ends


def test_there_are_recordings_of_everything_that_is_told_and_asked():
    kinds = {type(row.event) for name in NAMES for row in read(name).rows}
    assert set(get_args(Event)) == kinds


def test_the_recordings_are_lived_through_and_not_only_heard():
    """Whoever replays them sees what the live tests saw: talks, holds, consultations, rests, calls out."""
    told = {type(fact).__name__ for name in NAMES for fact in read(name).told(read(name).rows).facts}
    assert told >= {
        "CallQueued", "CallAnswered", "OfferEnded", "CallEnded", "MenuChosen", "CallRouted", "CallHeld", "CallResumed",
        "ConsultStarted", "ConsultAnswered", "ConsultEnded", "AgentChanged", "OutboundPicked", "OutboundBlocked",
        "CallTransferred", "TransferAnswered", "AttemptEnded", "TrunkChanged",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_replayed_from_its_beginning(name):
    recording = read(name)
    recording.told(recording.rows).ends()


@pytest.mark.shows(
    "F26", "recordings of a real Asterisk, from every place on", "0 exceptions, S holds, L after a snapshot"
)
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("name", NAMES)
def test_f26_from_every_place_on_nothing_breaks_and_nothing_is_left(name, part):
    recording = read(name)
    for first in range(part * STRIDE, len(recording.rows), 4 * STRIDE):
        recording.part(first, SUFFIX_MAX).ends()


def repeated(rows: list[Heard], seed: int = 1) -> list[Heard]:
    """Everything Asterisk told, one to five times; what somebody asked for is asked for once."""
    dice = Random(seed)
    return [
        row for row in rows for _ in range(dice.randint(1, REPEAT_MAX) if type(row.event).__name__ in ECHOED else 1)
    ]


@pytest.mark.shows("F23", "recordings told one to five times", "facts of the clean run, S holds")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_f23_told_one_to_five_times_the_facts_are_those_of_the_clean_run(name, seed):
    recording = read(name)
    clean, echoed = recording.told(recording.rows), recording.told(repeated(recording.rows, seed))
    assert echoed.facts == clean.facts
    assert len(clean.facts) > len(recording.rows) / 10
    echoed.ends()


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_told_one_to_five_times_breaks_nothing_either(name):
    """Wishes, snapshots and changes of the setup, too."""
    recording = read(name)
    dice = Random(1)
    recording.told([row for row in recording.rows for _ in range(dice.randint(1, REPEAT_MAX))]).ends()


@pytest.mark.shows("F24", "recordings swapped within 16", "0 exceptions, S holds")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_f24_out_of_order_within_sixteen_nothing_breaks(name, seed):
    recording = read(name)
    recording.told(swapped(recording.rows, seed)).ends()


def swapped(rows: list[Heard], seed: int) -> list[Heard]:
    """Each at most sixteen places from its own, never across a step of the clock; time goes on as it did."""
    dice = Random(seed)
    jumps = [isinstance(row.event, events.ClockMoved) for row in rows]
    clocks = list(accumulate(jumps))
    order = sorted(range(len(rows)), key=lambda n: (clocks[n], not jumps[n], n + dice.random() * SWAP_WITHIN))
    return [replace(rows[n], at_ms=row.at_ms) for n, row in zip(order, rows, strict=True)]


def digest() -> str:
    """Everything that was asked and said in all recordings, as they are, repeated and out of order."""
    told = hashlib.sha256()
    for name in NAMES:
        recording = read(name)
        for way in (recording.rows, repeated(recording.rows), swapped(recording.rows, 1)):
            told.update(recording.told(way).told.digest())
    return told.hexdigest()


def test_s14_the_same_recordings_give_the_same_bytes_under_three_hash_seeds():
    assert told_under_three("tests.core.test_recordings", "digest()") == {digest()}
