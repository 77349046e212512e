"""What a real Asterisk told, replayed: from every place on, with repetitions, out of order, under three hash seeds.

The recordings stand in tests/recordings, one a module of tests/live; `python -m tests.recordings.renew` makes them.
A suffix begins in the middle: nobody knows the calls its first messages are about, which is what a controller sees
that has just been started. After each step the invariants hold; after an empty snapshot nothing is left (F26).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from functools import cache
from pathlib import Path
from random import Random
from typing import get_args

import pytest

from controller import setup_file
from controller.core import codec, events, facts, invariants
from controller.core.events import EndpointSeen, Event, SnapshotTaken
from controller.core.model import AgentPhase
from controller.core.setup import Setup
from controller.core.step import Step, step
from controller.core.world import World
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
OF_THE_HOUSE = {"SnapshotTaken", "SetupChanged", "Ticked", "ClockMoved", "LinkLost"}
"""What is in no journal, or comes of no telephone."""
ECHOED = frozenset({
    "CallArrived", "CallGone", "LegRinging", "LegAnswered", "LegGone", "PhoneChanged", "PhoneChannel", "PlaybackEnded",
    "CommandFailed", "MessageRecorded", "CalleeAnswered", "OutboundEnded", "HoldChanged",
})  # fmt: skip
Recording = tuple[Setup, list[tuple[int, Event]]]


@cache
def read(name: str) -> Recording:
    with gzip.open(ROOT / "tests/recordings" / name, "rt", encoding="utf-8") as file:
        head, *rows = [json.loads(line) for line in file]
    setup = setup_file.parse(head["setup"])
    return setup, [(at_ms, _event(kind, call, body)) for at_ms, kind, call, body in rows]


def _event(kind: str, call: str, body: dict[str, object]) -> Event:
    named = {"call": call} if "call" in getattr(events, kind).__dataclass_fields__ else {}
    event: Event = codec.decode({"type": kind, **named, **body})
    return event


class Replay:
    """A world that hears a recording and is looked at after every step."""

    def __init__(self, setup: Setup, now_ms: int) -> None:
        self.world = World(setup)
        self.now_ms = now_ms
        self.told = hashlib.sha256()
        self.facts: list[facts.Fact] = []
        self.snapshot()
        self.hear(events.SetupChanged(setup))
        self.snapshot()

    def snapshot(self) -> None:
        """Nothing is there but the phones."""
        phones = tuple(EndpointSeen(row.endpoint, reachable=True) for row in self.world.setup.agents)
        self.hear(SnapshotTaken("boot", endpoints=phones))

    def hear(self, event: Event, at_ms: int | None = None) -> None:
        self.now_ms = max(self.now_ms, at_ms or 0)
        while (due_ms := self.world.next_due_ms()) is not None and due_ms < self.now_ms:
            self._look(events.Ticked(), step(self.world, events.Ticked(), due_ms))
        self._look(event, step(self.world, event, self.now_ms))

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


def hear_all(setup: Setup, rows: list[tuple[int, Event]]) -> Replay:
    replay = Replay(setup, rows[0][0])
    for at_ms, event in rows:
        replay.hear(event, at_ms)
    return replay


def test_there_are_recordings_of_everything_that_is_told_and_asked():
    kinds = {type(event) for name in NAMES for _, event in read(name)[1]}
    assert {kind.__name__ for kind in get_args(Event)} - {kind.__name__ for kind in kinds} == OF_THE_HOUSE


def test_the_recordings_are_lived_through_and_not_only_heard():
    """Whoever replays them sees what the live tests saw: talks, holds, consultations, rests, calls out."""
    told = {type(fact).__name__ for name in NAMES for fact in hear_all(*read(name)).facts}
    assert told >= {
        "CallQueued", "CallAnswered", "OfferEnded", "CallEnded", "MenuChosen", "CallRouted", "CallHeld", "CallResumed",
        "ConsultStarted", "ConsultAnswered", "ConsultEnded", "AgentChanged", "OutboundPicked", "OutboundBlocked",
        "CallTransferred", "TransferAnswered", "AttemptEnded", "TrunkChanged",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_replayed_from_its_beginning(name):
    setup, rows = read(name)
    hear_all(setup, rows).ends()


@pytest.mark.shows(
    "F26", "recordings of a real Asterisk, from every place on", "0 exceptions, S holds, L after a snapshot"
)
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("name", NAMES)
def test_f26_from_every_place_on_nothing_breaks_and_nothing_is_left(name, part):
    setup, rows = read(name)
    for first in range(part * STRIDE, len(rows), 4 * STRIDE):
        hear_all(setup, rows[first : first + SUFFIX_MAX]).ends()


def repeated(rows: list[tuple[int, Event]], seed: int = 1) -> list[tuple[int, Event]]:
    """Everything Asterisk told, one to five times; what somebody asked for is asked for once."""
    dice = Random(seed)
    return [row for row in rows for _ in range(dice.randint(1, REPEAT_MAX) if type(row[1]).__name__ in ECHOED else 1)]


@pytest.mark.shows("F23", "recordings told one to five times", "facts of the clean run, S holds")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_f23_told_one_to_five_times_the_facts_are_those_of_the_clean_run(name, seed):
    setup, rows = read(name)
    clean, echoed = hear_all(setup, rows), hear_all(setup, repeated(rows, seed))
    assert echoed.facts == clean.facts
    assert len(clean.facts) > len(rows) / 10
    echoed.ends()


@pytest.mark.parametrize("name", NAMES)
def test_wishes_told_one_to_five_times_break_nothing_either(name):
    setup, rows = read(name)
    dice = Random(1)
    hear_all(setup, [row for row in rows for _ in range(dice.randint(1, REPEAT_MAX))]).ends()


@pytest.mark.shows("F24", "recordings swapped within 16", "0 exceptions, S holds")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_f24_out_of_order_within_sixteen_nothing_breaks(name, seed):
    setup, rows = read(name)
    hear_all(setup, swapped(rows, seed)).ends()


def swapped(rows: list[tuple[int, Event]], seed: int) -> list[tuple[int, Event]]:
    """Each at most sixteen places from its own."""
    dice = Random(seed)
    order = sorted(range(len(rows)), key=lambda n: n + dice.random() * SWAP_WITHIN)
    return [rows[n] for n in order]


def digest() -> str:
    """Everything that was asked and said in all recordings, as they are, repeated and out of order."""
    told = hashlib.sha256()
    for name in NAMES:
        setup, rows = read(name)
        for way in (rows, repeated(rows), swapped(rows, 1)):
            told.update(hear_all(setup, way).told.digest())
    return told.hexdigest()


def test_s14_the_same_recordings_give_the_same_bytes_under_three_hash_seeds():
    assert told_under_three("tests.core.test_recordings", "digest()") == {digest()}
