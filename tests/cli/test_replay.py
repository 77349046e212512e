"""Looking back at a journal, and asking today's program whether it would do the same."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from controller.clock import SystemClock
from controller.core.events import (
    AgentStatusAsked,
    CallArrived,
    CallGone,
    ChannelSeen,
    PhoneChanged,
    SetupChanged,
    SnapshotTaken,
)
from controller.core.world import World
from controller.engine import Engine
from controller.journal import Journal
from controller.setup_file import parse
from tests.fakes.ledger import FakeLedger
from tests.web.house import HOTLINE, SETUP

pytestmark = pytest.mark.web


@pytest.fixture
def journal(tmp_path):
    """What an engine wrote down about one call that nobody answered."""
    folder = tmp_path / "journal"

    async def live():
        setup = parse(SETUP)
        engine = Engine(World(setup), FakeLedger(), SystemClock(), lambda _: None, Journal(folder))
        running = asyncio.create_task(engine.run())
        for event in (
            SetupChanged(setup), SnapshotTaken("life"), PhoneChanged("an", reachable=True),
            AgentStatusAsked("an", "available"), CallArrived("1700000000.1", HOTLINE, "0912345678", "An"),
            CallGone("1700000000.1", 16),
        ):  # fmt: skip
            await engine.ask(event)
        running.cancel()
        await engine.close(1)

    asyncio.run(live())
    return folder


@pytest.fixture
def setup_file(tmp_path):
    path = tmp_path / "setup.toml"
    path.write_text(SETUP, encoding="utf-8")
    return path


def test_a_journal_is_told_line_by_line(run, journal):
    told = run("replay", journal)
    assert told.code == 0
    assert f"0912345678 called {HOTLINE}" in told.out
    assert told.out.splitlines()[-1].endswith("1 calls")
    one = run("replay", next(journal.glob("*.jsonl")), "--call", "1700000000.1").out.splitlines()
    assert len(one) > 3
    assert all(line.startswith("1700000000.1 ") for line in one[:-1])


def test_an_empty_directory_is_one_line(run, tmp_path):
    told = run("replay", tmp_path)
    assert (told.code, told.err.count("\n")) == (2, 1)
    gone = run("replay", tmp_path / "gone.jsonl")
    assert (gone.code, gone.err.count("\n")) == (2, 1)


def test_todays_program_does_the_same(run, journal, setup_file):
    told = run("replay", journal, "--setup", setup_file)
    assert (told.code, told.err) == (0, "")
    assert "every fact as before" in told.out


def test_a_call_that_would_go_another_way_is_named(run, journal, setup_file):
    path = next(journal.glob("*.jsonl"))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    kept = [row for row in rows if row[3] != "CallQueued"]
    assert len(kept) < len(rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in kept))
    told = run("replay", path, "--setup", setup_file)
    assert told.code == 1
    assert told.out.startswith("1700000000.1: ")
    assert "1 calls went another way" in told.err


def test_an_event_of_another_program_is_passed_over(run, journal, setup_file):
    path = next(journal.glob("*.jsonl"))
    with path.open("a") as file:
        file.write(json.dumps([1, "", "event", "FutureEvent", "", {}]) + "\n")
        file.write(json.dumps([1, "", "event", "CallArrived", "", {"colour": "red"}]) + "\n")
        file.write("torn")
    assert run("replay", path, "--setup", setup_file).code == 0


def test_a_change_of_the_setup_and_a_restart_are_lived_through_as_they_were(run, tmp_path):
    """The number is moved with a call in progress, the daemon starts again, and the next caller is a stranger to it."""
    folder, moved = tmp_path / "journal", SETUP.replace(HOTLINE, "+842473009999")
    ledger = FakeLedger()

    async def live(*told):
        loaded = await ledger.load()
        world = World(loaded.setup, loaded.entities, loaded.over)
        engine = Engine(world, ledger, SystemClock(), lambda _: None, Journal(folder))
        running = asyncio.create_task(engine.run())
        for event in told:
            await engine.ask(event)
        running.cancel()
        await engine.close(1)

    first, second = replace(parse(SETUP), version=1), replace(parse(moved), version=2)
    waiting = CallArrived("1700000000.1", HOTLINE, "0912345678", "An")
    seen = ChannelSeen("1700000000.1", "viettel", "up", True, HOTLINE, "0912345678", "An", "inbound")
    begins = (SetupChanged(first), SnapshotTaken("life"), PhoneChanged("an", reachable=True))
    asyncio.run(live(*begins, AgentStatusAsked("an", "not_ready"), waiting, SetupChanged(second)))
    asyncio.run(
        live(
            SetupChanged(second), SnapshotTaken("life", (seen,)),
            CallArrived("1700000000.2", HOTLINE, "0912345679"), CallGone("1700000000.2"), CallGone("1700000000.1"),
        )
    )  # fmt: skip
    for name, text in (("one.toml", SETUP), ("two.toml", moved)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    both = ("--setup", tmp_path / "one.toml", "--setup", tmp_path / "two.toml")
    told = run("replay", folder, *both)
    assert (told.code, told.err) == (0, "")
    assert "every fact as before" in told.out
    assert run("replay", folder, *both[:2]).code == 1, "under the first setup the number is still ours"
    assert "setup 2 is in force" in run("replay", folder).out
