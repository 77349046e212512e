"""No setup and no history of calls lets through what may not pass, and what is asked beforehand is what is done.

Small dense setups, each with a few rules drawn tight and the rest loose, so that calls do leave and every rule is met
again and again; days of agents who dial, of callers a queue without agents leads to a phone, callees who answer or do
not, trunks that fail, setups that change between the attempts of a call, a daemon that is killed. What is let out is
judged by `outbound_oracle`, which reads nothing of the world.
`HYPOTHESIS_PROFILE=deep` tries 10,000 of them; `python -m tests.core.outbound_mutants` breaks each rule in turn
and wants it found.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import event as noted
from hypothesis import strategies as st

from controller.core import asking, codec, figures, trunks
from controller.core.commands import HangUp, ReplyTrunks, RingPhone
from controller.core.events import (
    CallArrived,
    CallGone,
    EndpointSeen,
    Event,
    LegAnswered,
    LegGone,
    OutboundAsked,
    OutboundEnded,
    OutboundNextAsked,
    PhoneChannel,
    SetupChanged,
    SnapshotTaken,
    Ticked,
    TrunkSeen,
)
from controller.core.facts import CallEnded, OutboundPicked, TrunkFailed
from controller.core.model import Attempt
from controller.core.setup import (
    Adaptive,
    AgentSetup,
    Blocked,
    Carrier,
    Defaults,
    Group,
    Hotline,
    Limits,
    Queue,
    QueueGroup,
    Reach,
    Schedule,
    Setup,
    Trunk,
    Way,
    WayKind,
)
from controller.core.step import step
from controller.core.world import World
from tests.core.outbound_oracle import CALLEES, OPEN_KINDS, TRUNK_FAILED, Callee, Oracle

pytestmark = pytest.mark.pure

EXAMPLES = int(os.environ.get("HISTORIES", "0")) or (10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 200)
AGENTS = ("an", "binh", "chi", "dung")
WAYS = ("v1", "v2", "v3", "m1")
GROUPS_OF = {"an": ("sales",), "binh": ("sales",), "chi": ("sales",), "dung": ("night",)}
LINES = ("+842473001001", "+842473001002", "+842473001003", "19001001")
TRUNK_OF = dict(zip(LINES, ("v1", "v2", "m1", "v1"), strict=True))
NOON_MS = 1_795_582_800_000
"""2026-11-25 12:00 in Hanoi."""
MOMENT_MS = 40
SAME_AGAIN = 192
WAITS_MS = (300, 700, 961, 20_000, 59_000, 61_000, 40_000_000)
MORNING = Schedule("morning", "Asia/Ho_Chi_Minh", (((480, 725),),) * 7)
ENDS = ("BUSY", "NOANSWER", *TRUNK_FAILED)

Draw = Callable[[st.SearchStrategy[Any]], Any]
Rows = dict[str, dict[str, Any]]


def one_of(draw: Draw, *values: Any) -> Any:
    return draw(st.sampled_from(values))


def _line(draw: Draw, lines: Rows, **change: Any) -> None:
    lines[one_of(draw, *LINES)].update(change)


def _caps(draw: Draw, rows: Rows, names: tuple[str, ...], key: str, *values: int) -> None:
    """A cap on one row, or the same on all of them."""
    value, name = one_of(draw, *values), one_of(draw, "", one_of(draw, *names))
    for each in (name,) if name else names:
        rows[each]["limits"] = replace(rows[each].get("limits", Limits()), **{key: value})


def _ways(draw: Draw, ways: Rows, **change: Any) -> None:
    name = one_of(draw, "", *WAYS)
    for each in (name,) if name else WAYS:
        ways[each].update(change)


TIGHT: dict[str, Callable[[Draw, Rows, Rows, Rows, dict[str, Any]], None]] = {
    "virtual": lambda d, li, w, p, s: _line(d, li, kind="virtual"),
    "no outbound": lambda d, li, w, p, s: _line(d, li, outbound=False),
    "groups": lambda d, li, w, p, s: _line(d, li, outbound_groups=one_of(d, ("night",), ("sales", "night"), ())),
    "adaptive": lambda d, li, w, p, s: s.update(adaptives=(Adaptive("auto", outbound=False),)),
    "blocked": lambda d, li, w, p, s: s.update(blocked=one_of(d, *BLOCKS)),
    "reach": lambda d, li, w, p, s: p[one_of(d, *AGENTS)].update(reach=one_of(d, *REACHES)),
    "open": lambda d, li, w, p, s: s.update(
        defaults=Defaults(reach=Reach(countries=None, kinds=("premium", "satellite", *OPEN_KINDS)))
    ),
    "off": lambda d, li, w, p, s: _ways(d, w, enabled=False),
    "prefix": lambda d, li, w, p, s: _ways(d, w, excluded_prefixes=("+8496",)),
    "kind": lambda d, li, w, p, s: _ways(d, w, excluded_kinds=("landline", "toll_free")),
    "channels": lambda d, li, w, p, s: _ways(d, w, max_channels=one_of(d, 1, 2)),
    "cps": lambda d, li, w, p, s: _ways(d, w, max_cps=one_of(d, 1, 2)),
    "trunk minutes": lambda d, li, w, p, s: _ways(d, w, minutes_per_day=1),
    "at once": lambda d, li, w, p, s: _caps(d, li, LINES, "calls_at_once", 1, 2),
    "per minute": lambda d, li, w, p, s: _caps(d, li, LINES, "calls_per_minute", 1, 2),
    "per day": lambda d, li, w, p, s: _caps(d, li, LINES, "calls_per_day", 1, 2, 3),
    "minutes": lambda d, li, w, p, s: _caps(d, li, LINES, "minutes_per_day", 1),
    "per callee": lambda d, li, w, p, s: _caps(d, li, LINES, "calls_per_callee", 1, 2),
    "agent per minute": lambda d, li, w, p, s: _caps(d, p, AGENTS, "calls_per_minute", 1, 2),
    "agent per day": lambda d, li, w, p, s: _caps(d, p, AGENTS, "calls_per_day", 1, 2, 3),
    "agent minutes": lambda d, li, w, p, s: _caps(d, p, AGENTS, "minutes_per_day", 1),
    "one network": lambda d, li, w, p, s: li[LINES[2]].update(carrier="viettel"),
    "by name": lambda d, li, w, p, s: [row.update(outbound_with=one_of(d, *LINES)) for row in p.values()] and None,
}
RULES = (*sorted(TIGHT), *("per callee",) * 4)
"""The cap on calls to one number needs two calls that meet, so it is drawn more often than others."""
BLOCKS = (
    (Blocked("+84967123456", ("outbound",)),),
    (Blocked("+8496", ("outbound",), prefix=True),),
    (Blocked("+84912345678", ("ivr", "queue")), Blocked("+84967555000", ("outbound",), until_ms=NOON_MS + 30_000)),
)
REACHES = (
    Reach(countries=("US",)),
    Reach(countries=None, kinds=("premium", *OPEN_KINDS)),
    Reach(kinds=("mobile", "satellite")),
    Reach(hours="morning"),
)


@st.composite
def overflows(draw: st.DrawFn) -> Way:
    """Where callers go, as nobody is signed in: to a phone, by the hotline they dialled or another."""
    return Way(WayKind.PHONE, keys_of(one_of(draw, *CALLEES)), one_of(draw, "", "auto", *LINES))


def keys_of(callee: Callee) -> str:
    return callee.dialled.replace(" ", "").replace(".", "")


@st.composite
def setups(draw: st.DrawFn) -> Setup:
    """Everything open but for one to four rules."""
    lines: Rows = {number: {} for number in LINES}
    ways: Rows = {name: {} for name in WAYS}
    people: Rows = {name: {} for name in AGENTS}
    rest: dict[str, Any] = {"adaptives": (Adaptive("auto", one_of(draw, "", *LINES)),)}
    for rule in draw(st.lists(st.sampled_from(RULES), min_size=1, max_size=4, unique=True)):
        TIGHT[rule](draw, lines, ways, people, rest)
        noted(rule)
    return Setup(
        **rest,
        carriers=(Carrier("viettel", prefixes=("096",)), Carrier("vinaphone", prefixes=("091",))),
        trunks=tuple(
            Trunk(name, "viettel" if name[0] == "v" else "vinaphone", endpoint=name, **ways[name]) for name in WAYS
        ),
        hotlines=tuple(_hotline(number, lines[number]) for number in LINES),
        queues=(Queue("sales", (QueueGroup("sales"),), wrap_up=0, on_no_agent=draw(overflows())),),
        groups=(Group("sales"), Group("night")),
        agents=tuple(
            AgentSetup(name, GROUPS_OF[name], endpoint=name, **{"outbound_with": "auto"} | own)
            for name, own in people.items()
        ),
        schedules=(MORNING,),
    )


def _hotline(number: str, own: dict[str, Any]) -> Hotline:
    plain = {"trunk": TRUNK_OF[number], "carrier": "vinaphone" if TRUNK_OF[number] == "m1" else "viettel"}
    return Hotline(number, queue="sales", **{"outbound": True} | plain | own)


class Day:
    """A world and the oracle beside it; every event is told to both."""

    def __init__(self, setup: Setup) -> None:
        self.world = World()
        self.now_ms = NOON_MS
        self.oracle = Oracle(setup)
        self.called: dict[str, tuple[str, int, str]] = {}
        self.legs: dict[str, str] = {}
        self.calls = self.last = 0
        self.replies: list[ReplyTrunks] = []
        self.picked: list[OutboundPicked] = []
        self.tell(SetupChanged(setup))
        self.tell(SnapshotTaken("boot 1", endpoints=tuple(EndpointSeen(name, True) for name in AGENTS)))

    def tell(self, event: Event) -> None:
        """One step, and what it led to told to the oracle."""
        done = step(self.world, event, self.now_ms)
        assert not done.broken, done.broken
        self.replies = [row for row in done.commands if isinstance(row, ReplyTrunks)]
        self.picked = [row for row in done.facts if isinstance(row, OutboundPicked)]
        for fact in done.facts:
            if isinstance(fact, TrunkFailed):
                self.oracle.failed(fact.trunk, self.now_ms, fact.cooling_until_ms)
            elif isinstance(fact, CallEnded):
                self.oracle.over(fact.call, self.now_ms)
        for reply in self.replies:
            if reply.attempt is not None:
                self._let_out(reply.call, reply.attempt)
        for row in done.commands:
            if isinstance(row, RingPhone):
                self.legs[row.call] = row.leg
                self._let_out(
                    row.call, Attempt(row.endpoint, row.endpoint, row.number, row.caller_id, row.caller_id, "")
                )
            elif isinstance(row, HangUp) and row.channel in self.legs:
                self.gone(row.channel)

    def _let_out(self, call: str, attempt: Attempt) -> None:
        agent, callee, via = self.called[call]
        self.oracle.let_out(call, agent, CALLEES[callee], via, attempt, self.now_ms)

    def passes(self, ms: int) -> None:
        """Time goes on; the engine wakes at every deadline."""
        end_ms = self.now_ms + ms
        while (due_ms := self.world.next_due_ms()) is not None and due_ms <= end_ms:
            self.now_ms = max(self.now_ms, due_ms)
            self.tell(Ticked())
        self.now_ms = end_ms

    def dial(self, agent: str, callee: int, via: str) -> None:
        """Ask beforehand, then dial: the same answer, and asking changes nothing."""
        self.calls += 1
        call, number = f"1.{self.calls}", keys_of(CALLEES[callee])
        event = OutboundAsked(call, agent, number, via)
        self.called[call], self.last = (agent, callee, via), callee
        self.tell(PhoneChannel(agent, call, "ring"))
        foreseen = self.explained(event, agent)
        busy = agent in {row.agent for row in self.oracle.up.values()}
        self.tell(event)
        [reply] = self.replies
        if busy:
            assert (reply.attempt, reply.refusal) == (None, "in_call")
        elif foreseen.allowed:
            assert reply.attempt == foreseen.attempts[0]
            assert (self.picked[0].attempts, self.picked[0].carrier) == (foreseen.attempts, foreseen.carrier)
        else:
            assert (reply.attempt, reply.refusal) == (None, foreseen.reason)
        if CALLEES[callee].kind == "emergency" and not busy:
            self._emergency(reply)

    def explained(self, event: OutboundAsked, agent: str) -> trunks.Decision:
        """What is said beforehand: the question has a name of its own and was put a moment before it is answered."""
        day = figures.today(self.world, self.now_ms)
        before = list(self.world.entities())
        asked = replace(event, call=f"explain/{event.dialled}", endpoint="")
        question = asking.question(self.world, self.now_ms - MOMENT_MS, day, asked, agent)
        foreseen = trunks.decide(replace(question, now_ms=self.now_ms))
        assert list(self.world.entities()) == before, "asking changes nothing"
        return foreseen

    def _emergency(self, reply: ReplyTrunks) -> None:
        """Whatever else is forbidden or full: it leaves where a trunk is on that has a number of ours."""
        setup = self.world.setup
        able = any(setup.trunk[row.trunk].enabled for row in setup.hotlines if row.kind == "carrier")
        assert (reply.attempt is not None) == able

    def somebody_dials(self, what: int, n: int) -> None:
        """Anybody calls anybody, or somebody who is free whoever was called last: calls meet on one number."""
        via = ("", "", "", *LINES, "auto")[what % 8]
        if n < SAME_AGAIN:
            self.dial(AGENTS[n % len(AGENTS)], (n >> 2) % len(CALLEES), via)
        else:
            self.again(self.last, n, via)

    def again(self, callee: int, n: int, via: str) -> None:
        busy = {row.agent for row in self.oracle.up.values()}
        free = [name for name in AGENTS if name not in busy]
        if free:
            self.dial(free[n % len(free)], callee, via)

    def overtake(self, n: int) -> str:
        """Somebody else gets through to whom a call rings, by the hotline it would try next; which call it is."""
        call = next((name for name, row in self.oracle.up.items() if row.up_ms is None), "")
        known = self.world.calls.get(call)
        for row in known.attempts[known.attempt :][:1] if known else ():
            self.again(self.called[call][1], n, row.hotline)
        return call

    def arrive(self, dialled: str) -> None:
        """A caller nobody is there for is led on to a phone."""
        self.calls += 1
        call, [queue] = f"1.{self.calls}", self.world.setup.queues
        callee = next(n for n, row in enumerate(CALLEES) if keys_of(row) == queue.on_no_agent.target)
        self.called[call] = ("", callee, queue.on_no_agent.hotline or dialled)
        self.legs[call] = ""
        self.oracle.edges["led on"] += 1
        self.tell(CallArrived(call, dialled, "+842812345678"))

    def gone(self, call: str) -> None:
        """The caller is gone, and so is the phone they were led to."""
        leg = self.legs.pop(call)
        self.tell(CallGone(call))
        self.oracle.over(call, self.now_ms)
        if leg:
            self.tell(LegGone(call, leg, 16))

    def phone_gone(self, call: str, status: str) -> None:
        """The phone a caller is led to cannot be reached, or does not want to talk."""
        ringing = self.oracle.up[call].up_ms is None
        if status == "BUSY":
            self.oracle.reached(call)
        elif ringing:
            self.oracle.let_go(call)
        self.tell(LegGone(call, self.legs[call], *((17, 486) if status == "BUSY" else (34, 503))))

    def next(self, call: str, status: str) -> None:
        """The dialplan asks for another trunk, which it may only get when the last one failed for its own reasons."""
        if status in TRUNK_FAILED:
            self.oracle.let_go(call)
        self.tell(OutboundNextAsked(call, status, 34))
        assert status in TRUNK_FAILED or all(reply.attempt is None for reply in self.replies)

    def end(self, call: str, status: str) -> None:
        """The dialplan reports the end, and the phone is free; a caller we hold just goes."""
        if call in self.legs:
            self.gone(call)
            return
        if self.oracle.up[call].up_ms is not None:
            status = "ANSWER"
        agent = self.called[call][0]
        if status == "BUSY":
            self.oracle.reached(call)
        self.tell(OutboundEnded(call, status, 16, 0))
        self.oracle.over(call, self.now_ms)
        self.tell(PhoneChannel(agent, call, "gone"))

    def restart(self) -> None:
        """The daemon dies; another begins with the rows of this one. Asterisk still has every call that is up."""
        rows = [codec.loads(codec.dumps(row)) for row in self.world.entities()]
        self.world = World(self.world.setup, rows, list(self.world._over))
        self.tell(SetupChanged(self.world.setup))
        self.oracle.edges["restart"] += 1

    def change(self, n: int) -> None:
        """Somebody changes the setup while calls are out: hotlines and trunks are opened and closed, calls blocked."""
        setup = self.world.setup
        lines, ways, blocked = setup.hotlines, setup.trunks, setup.blocked
        at = n % len(LINES)
        match n % 5:
            case 0:
                lines = tuple(replace(row, outbound=row.outbound != (k == at)) for k, row in enumerate(lines))
            case 1:
                kind = {"carrier": "virtual", "virtual": "carrier"}
                lines = tuple(replace(row, kind=kind[row.kind] if k == at else row.kind) for k, row in enumerate(lines))
            case 2:
                ways = tuple(replace(row, enabled=row.enabled != (k == at)) for k, row in enumerate(ways))
            case 3:
                ways = tuple(
                    replace(row, max_channels=1 if k == at else row.max_channels) for k, row in enumerate(ways)
                )
            case _:
                groups = ("night",) if n % 2 else None
                lines = tuple(
                    replace(row, outbound_groups=groups if k == at else row.outbound_groups)
                    for k, row in enumerate(lines)
                )
        changed = replace(setup, hotlines=lines, trunks=ways, blocked=blocked)
        self.oracle.setup = changed
        self.tell(SetupChanged(changed))

    def do(self, what: int, n: int) -> None:
        """One thing happens: what it is and to whom is in two bytes."""
        self.passes(MOMENT_MS)
        up = list(self.oracle.up)
        call = up[n % len(up)] if up else ""
        match what % 16:
            case 0 | 1 | 2 | 3 | 4 | 5:
                self.somebody_dials(what >> 4, n)
            case 6 | 7 if call:
                call = self.overtake(n) or call if what & 16 else call
                failed = self.phone_gone if call in self.legs else self.next
                failed(call, (*TRUNK_FAILED, *TRUNK_FAILED, "BUSY")[(n >> 2) % 5])
            case 8 | 9 if call:
                up_is = PhoneChannel(self.called[call][0], call, "up")
                self.tell(LegAnswered(call, self.legs[call]) if call in self.legs else up_is)
                self.oracle.answered(call, self.now_ms)
                self.passes(WAITS_MS[(n >> 2) % 6] if what & 16 else 0)
            case 10 | 11 if call:
                self.end(call, ENDS[(n >> 2) % len(ENDS)])
            case 12:
                self.passes(WAITS_MS[n % len(WAITS_MS)])
            case 13 if n % 4 == 0:
                name = WAYS[(n >> 2) % len(WAYS)]
                self.oracle.seen(name, bool(n & 64))
                self.tell(TrunkSeen(name, bool(n & 64)))
            case 13 if n % 4 == 1:
                self.arrive(LINES[(n >> 2) % len(LINES)])
            case 14 if n % 8 == 0:
                self.restart()
            case 15 if n % 4 == 0:
                self.change(n >> 2)


EDGES: Counter[str] = Counter()
PHASES = (
    (Phase.explicit, Phase.generate) if os.environ.get("MUTANT") else (Phase.explicit, Phase.generate, Phase.shrink)
)


@pytest.mark.timeout(3_600)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=PHASES,
    report_multiple_bugs=False,
    derandomize=not os.environ.get("HISTORIES"),
)
@given(setups(), st.binary(min_size=40, max_size=120))
def test_no_history_lets_through_what_may_not_pass(setup: Setup, happens: bytes) -> None:
    day = Day(setup)
    for what, n in zip(happens[::2], happens[1::2], strict=False):
        day.do(what, n)
    EDGES.update(day.oracle.edges)
