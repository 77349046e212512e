"""A call that has ended is found at every moment: before, while and after the books are written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.facts import CallEnded
from controller.ports import Line
from controller.web.deps import CallsWanted
from controller.web.latest import Latest

pytestmark = pytest.mark.web

ENDED = CallEnded(
    call="1.1",
    direction="inbound",
    hotline="+842473001001",
    caller="0281234567",
    callee="",
    queue="sales",
    agent="an",
    arrived_at_ms=1_000,
    queued_at_ms=1_000,
    answered_at_ms=2_000,
    ended_at_ms=3_000,
    result="answered",
    end_cause="caller",
    reason="",
    via="",
    trunk="",
    carrier="",
    caller_id="",
    recording="",
    offers=1,
)
LINE = Line(1_000, "1.1", "event", "CallArrived", "", {})


class Books:
    """A history of these calls; while it is read, `meanwhile` happens."""

    def __init__(self, *written: CallEnded, meanwhile=lambda: None) -> None:
        self.written = written
        self.meanwhile = meanwhile

    async def calls(self, wanted, *, before, limit):
        found = sorted(self.written, key=lambda row: row.arrived_at_ms, reverse=True)[:limit]
        self.meanwhile()
        return found

    async def call(self, call):
        return next((row for row in self.written if row.call == call), None)

    async def story(self, call):
        return ()


class Owing:
    """An engine that owes these calls."""

    def __init__(self, *owed: CallEnded) -> None:
        self.owed = {row.call: (row, (LINE,)) for row in owed}

    def owed_ends(self):
        return dict(self.owed)


EVERY = CallsWanted()


async def _ids(latest: Latest, wanted: CallsWanted = EVERY, before=None, limit: int = 50) -> list[str]:
    return [row.call for row in await latest.calls(wanted, before=before, limit=limit)]


async def test_a_call_that_is_owed_is_found_with_its_story():
    latest = Latest(Books(), Owing(ENDED))
    assert await latest.call("1.1") == ENDED
    assert await latest.story("1.1") == (LINE,)
    assert await _ids(latest) == ["1.1"]
    assert await latest.call("1.2") is None


async def test_a_call_written_while_the_books_are_read_is_found_once():
    owing = Owing(ENDED)
    assert await _ids(Latest(Books(ENDED, meanwhile=owing.owed.clear), owing)) == ["1.1"]
    owing = Owing(ENDED)
    assert await _ids(Latest(Books(meanwhile=owing.owed.clear), owing)) == ["1.1"]


async def test_owed_and_written_calls_are_one_list_newest_first():
    rows = [replace(ENDED, call=f"1.{n}", arrived_at_ms=n) for n in range(1, 7)]
    latest = Latest(Books(*rows[:3], rows[5]), Owing(*rows[3:5]))
    assert await _ids(latest) == ["1.6", "1.5", "1.4", "1.3", "1.2", "1.1"]
    assert await _ids(latest, limit=2) == ["1.6", "1.5"]
    assert await _ids(Latest(Books(), Owing(*rows)), before=(3, "1.3")) == ["1.2", "1.1"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (CallsWanted(), True),
        (CallsWanted(hotline="+842473001001", queue="sales", agent="an", result="answered", direction="inbound"), True),
        (CallsWanted(hotline="+842473001002"), False),
        (CallsWanted(queue="support"), False),
        (CallsWanted(agent="binh"), False),
        (CallsWanted(result="missed"), False),
        (CallsWanted(direction="outbound"), False),
        (CallsWanted(callers=("+84281234567", "0281234567")), True),
        (CallsWanted(callers=("0281234568",)), False),
        (CallsWanted(since_ms=1_000, until_ms=1_001), True),
        (CallsWanted(since_ms=1_001), False),
        (CallsWanted(until_ms=1_000), False),
    ],
)
async def test_filters_hold_for_what_is_owed(wanted: CallsWanted, found: bool):
    assert await _ids(Latest(Books(), Owing(ENDED)), wanted) == (["1.1"] if found else [])
