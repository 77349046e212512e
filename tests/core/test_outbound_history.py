"""No setup and no history of calls lets through what may not pass, and what is asked beforehand is what is done.

A random setup, a random day of agents who dial, callees who answer or do not, trunks that fail, a daemon that is killed
and a clock that goes on. What was let out is counted here a second time, in the plainest way.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core import figures, hours, outbound, reach, trunks
from controller.core.commands import ReplyTrunks
from controller.core.events import (
    OutboundAsked,
    OutboundEnded,
    OutboundNextAsked,
    PhoneChannel,
    SetupChanged,
    TrunkSeen,
)
from controller.core.facts import OutboundPicked
from controller.core.model import Phase
from controller.core.numbers import is_blocked, normalise
from controller.core.setup import Adaptive, Blocked, Hotline, Limits, Reach, Setup, Trunk
from controller.core.turn import Turn
from tests.core.setups import small
from tests.core.words import snapshot
from tests.playbook import Playbook
from tests.playbook import given as begun

pytestmark = pytest.mark.pure

EXAMPLES = 10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 25
AGENTS = ("an", "binh")
LINES = ("+842473001001", "+842473001002", "19001001")
BANNED = "0967000999"
NUMBERS = ("0967123456", "0912345678", "0967123456", "02812345678", BANNED, "19001234", "+14155552671", "0088216123456")
ENDS = ("BUSY", "NOANSWER", "CONGESTION", "CHANUNAVAIL", "ANSWER")
CAPS = st.builds(
    Limits,
    calls_at_once=st.sampled_from([0, 0, 1]),
    calls_per_minute=st.sampled_from([0, 0, 2]),
    calls_per_day=st.sampled_from([0, 0, 3]),
    calls_per_callee=st.sampled_from([0, 0, 1]),
)


@st.composite
def setups(draw: st.DrawFn) -> Setup:
    base = small(*AGENTS)
    lines = tuple(
        Hotline(
            number,
            queue="sales",
            kind=draw(st.sampled_from(["carrier", "carrier", "carrier", "virtual"])),
            trunk=draw(st.sampled_from(["v1", "m1"])),
            carrier=draw(st.sampled_from(["viettel", "vinaphone"])),
            outbound=draw(st.sampled_from([True, True, True, False])),
            outbound_groups=draw(st.sampled_from([None, None, None, ("other",)])),
            limits=draw(CAPS),
        )
        for number in LINES
    )
    ways = tuple(
        Trunk(
            name,
            carrier,
            endpoint=name,
            max_channels=draw(st.sampled_from([0, 1])),
            max_cps=draw(st.sampled_from([0, 0, 1])),
        )
        for name, carrier in (("v1", "viettel"), ("v2", "viettel"), ("m1", "vinaphone"))
    )
    people = tuple(
        replace(
            row,
            limits=replace(draw(CAPS), calls_at_once=0, calls_per_callee=0),
            reach=draw(st.sampled_from([None, Reach(countries=("US",))])),
            outbound_with=draw(st.sampled_from(["auto", *LINES])),
        )
        for row in base.agents
    )
    return replace(
        base,
        hotlines=lines,
        trunks=ways,
        agents=people,
        adaptives=(Adaptive("auto", draw(st.sampled_from(["", *LINES]))),),
        blocked=(Blocked("+84967000999", ("outbound",)),),
    )


class Books:
    """What was let out, counted in the plainest way."""

    def __init__(self, setup: Setup) -> None:
        self.book: Playbook = begun(setup)
        self.begun: list[tuple[int, str, str, str, str]] = []
        self.calls = 0

    @property
    def setup(self) -> Setup:
        return self.book.world.setup

    def dial(self, agent: str, number: str) -> None:
        book = self.book
        self.calls += 1
        event = OutboundAsked(f"1.{self.calls}", agent, number)
        book.when(PhoneChannel(agent, event.call, "ring"))
        before = list(book.world.entities())
        figures.today(book.world, book.now_ms + 1)
        foreseen = trunks.decide(outbound.question(Turn(book.world, book.now_ms + 1, "asked#1"), event, agent))
        assert list(book.world.entities()) == before, "asking changes nothing"
        book.when(event, at=None)
        picked = [fact for fact in book.facts if isinstance(fact, OutboundPicked)]
        if picked:
            assert (picked[0].attempts, picked[0].carrier) == (foreseen.attempts, foreseen.carrier)
        self.let_out()

    def let_out(self) -> None:
        for command in self.book.commands:
            if isinstance(command, ReplyTrunks) and command.attempt is not None:
                self._look(command)

    def _look(self, command: ReplyTrunks) -> None:
        attempt, call, now_ms = command.attempt, self.book.call(command.call), self.book.now_ms
        assert attempt is not None
        line, agent = self.setup.hotline[attempt.hotline], self.setup.agent[call.agent]
        assert line.kind == "carrier"
        assert line.outbound
        assert line.outbound_groups is None
        assert attempt.caller_id == line.number
        assert not is_blocked(self.setup, call.callee, "outbound", now_ms)
        assert reach.refusal(agent.reach or Reach(), normalise(call.callee), "VN") == ("", "")
        trunk = self.setup.trunk[attempt.trunk]
        up = [
            row for row in self.book.world.calls.values() if row.trunk == trunk.name and row.phase is not Phase.ENDING
        ]
        assert not trunk.max_channels or len(up) <= trunk.max_channels
        entry = (now_ms, call.id, agent.name, line.number, call.callee)
        first = (call.id, line.number) not in {(row[1], row[3]) for row in self.begun}
        self.begun.append(entry)
        self._capped(agent.limits, [row for row in self._once(1) if row[2] == agent.name])
        if first:
            mine = [row for row in self._once(3) if row[3] == line.number]
            self._capped(line.limits, mine)
            same = [row for row in mine if row[4] == call.callee and self._day(row) == self._day(entry)]
            assert not line.limits.calls_per_callee or len(same) <= line.limits.calls_per_callee

    def _once(self, field: int) -> list[tuple[int, str, str, str, str]]:
        """One entry a call (1), or one a call and hotline (3)."""
        found: dict[Any, tuple[int, str, str, str, str]] = {}
        for row in self.begun:
            found.setdefault((row[1], row[field]), row)
        return list(found.values())

    def _day(self, row: tuple[int, str, str, str, str]) -> str:
        return hours.local_day(row[0], self.setup.defaults.timezone)

    def _capped(self, limits: Limits, rows: list[tuple[int, str, str, str, str]]) -> None:
        now_ms = self.book.now_ms
        recent = [row for row in rows if now_ms - row[0] < 60_000]
        today = [row for row in rows if self._day(row) == hours.local_day(now_ms, self.setup.defaults.timezone)]
        assert not limits.calls_per_minute or len(recent) <= limits.calls_per_minute
        assert not limits.calls_per_day or len(today) <= limits.calls_per_day

    def do(self, what: int, n: int, m: int) -> None:
        book = self.book
        live = [row for row in book.world.calls.values() if row.direction == "outbound"]
        call = live[n % len(live)] if live else None
        match what:
            case 0 | 1:
                self.dial(AGENTS[n % 2], NUMBERS[m % len(NUMBERS)])
            case 2 | 11:
                self.dial(AGENTS[n % 2], NUMBERS[m % len(NUMBERS)])
                book.when(OutboundEnded(f"1.{self.calls}", ENDS[m % 2], 17))
                book.when(PhoneChannel(AGENTS[n % 2], f"1.{self.calls}", "gone"))
            case 3 if call is not None:
                book.when(OutboundNextAsked(call.id, "CONGESTION", 34))
                self.let_out()
            case 4 if call is not None:
                book.when(PhoneChannel(call.agent, call.id, "up"))
            case 5 | 6 if call is not None:
                book.when(OutboundEnded(call.id, ENDS[m % len(ENDS)], 17, m))
                book.when(PhoneChannel(call.agent, call.id, "gone"))
            case 7:
                book.passes((1, 20, 61, 4_000, 90_000)[m % 5])
            case 8:
                book.when(TrunkSeen(("v1", "v2", "m1")[n % 3], m % 2 == 0))
            case 9 if not live:
                book.restarted().when(snapshot(phones=AGENTS))
            case 10:
                lines = tuple(replace(row, outbound=(n + k) % 3 > 0) for k, row in enumerate(self.setup.hotlines))
                book.when(SetupChanged(replace(self.setup, hotlines=lines)))
            case _:
                book.passes(1)


STEPS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 5), st.integers(0, 20)), min_size=20, max_size=50)


@settings(max_examples=EXAMPLES, deadline=None)
@given(setups(), STEPS)
def test_no_history_lets_through_what_may_not_pass(setup: Setup, steps: list[tuple[int, int, int]]) -> None:
    books = Books(setup)
    for what, n, m in steps:
        books.do(what, n, m)
