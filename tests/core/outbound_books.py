"""Books of calling out, kept in the plainest way by what phones, carriers and the dialplan report.

They know the setup, who was let out, since when they talk and what is over; nothing here is read from the world. Who is
called is taken from a table written by hand. `outbound_oracle` judges by these books.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from controller.core.setup import Reach, Setup

DAY_MS, MINUTE_MS, SECOND_MS = 86_400_000, 60_000, 1_000
HANOI_MS = 7 * 3_600_000
EPOCH = date(1970, 1, 1)
PAUSE_MS = 30_000
FAILURES_MAX = 3
TRUNK_FAILED = ("CONGESTION", "CHANUNAVAIL")


class Callee(NamedTuple):
    """A number as it is dialled, as the rules see it, as a carrier gets it, and whose network its prefix belongs to."""

    dialled: str
    number: str
    sent: str
    kind: str
    country: str
    carrier: str = ""


CALLEES = (
    Callee("0967 123 456", "+84967123456", "0967123456", "mobile", "VN", "viettel"),
    Callee("84967123456", "+84967123456", "0967123456", "mobile", "VN", "viettel"),
    Callee("0967555000", "+84967555000", "0967555000", "mobile", "VN", "viettel"),
    Callee("0912.345.678", "+84912345678", "0912345678", "mobile", "VN", "vinaphone"),
    Callee("02439361234", "+842439361234", "02439361234", "landline", "VN"),
    Callee("18001234", "18001234", "18001234", "toll_free", "VN"),
    Callee("19001234", "19001234", "19001234", "premium", "VN"),
    Callee("+14155552671", "+14155552671", "0014155552671", "landline", "US"),
    Callee("0088216123456", "+88216123456", "0088216123456", "satellite", ""),
    Callee("113", "113", "113", "emergency", "VN"),
)
OPEN_KINDS = ("mobile", "landline", "toll_free", "service", "voip", "short", "unknown")
"""What is open where the setup says nothing: no premium numbers and no satellites."""


@dataclass
class Out:
    """A call that was let out: whose it is, to whom, what carries it now, and since when they talk."""

    agent: str
    callee: Callee
    trunk: str = ""
    line: str = ""
    lines: dict[str, int] = field(default_factory=dict)
    trunks: list[str] = field(default_factory=list)
    began_ms: int = 0
    tried_ms: int = 0
    up_ms: int | None = None

    @property
    def costs(self) -> bool:
        """Whether its talk, if it talks, counts anywhere."""
        return self.up_ms is not None and self.callee.kind != "emergency"


@dataclass
class Talk:
    """A talk that is over, and on whose minutes it went."""

    ended_ms: int
    took_ms: int
    owners: tuple[str, ...]


def day(now_ms: int) -> date:
    """The local day; the setups of these tests are in Vietnam, which has no summer time."""
    return EPOCH + timedelta(days=(now_ms + HANOI_MS) // DAY_MS)


class Books:
    """The books of one history. `edges` counts, way by way and rule by rule, how often something was met."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.up: dict[str, Out] = {}
        self.all: list[Out] = []
        self.starts: list[tuple[int, str]] = []
        self.talks: list[Talk] = []
        self.failures: Counter[str] = Counter()
        self.left_out_until_ms: dict[str, int] = {}
        self.trial: dict[str, str] = {}
        self.silent: set[str] = set()
        self.edges: Counter[str] = Counter()

    # -- what becomes of a call ----------------------------------------------------------------------------------------

    def answered(self, call: str, now_ms: int) -> None:
        """The phone was picked up: they talk, unless no trunk is left and the agent hears why."""
        out = self.up.get(call)
        if out is not None and out.trunk and out.up_ms is None:
            out.up_ms = now_ms
            self.failures[out.trunk] = 0
            self.left_out_until_ms.pop(out.trunk, None)
            self.trial.pop(out.trunk, None)

    def reached(self, call: str) -> None:
        """The callee was busy: if this was the probe of a trunk, the trunk works."""
        trunk = self.up[call].trunk
        if trunk and self.trial.get(trunk) == call:
            del self.trial[trunk]

    def over(self, call: str, now_ms: int) -> None:
        """Nothing of the call is out any more; of an inbound one the caller may still be with us."""
        out = self.up.pop(call, None)
        if out is not None and out.up_ms is not None and out.costs:
            self.talks.append(Talk(now_ms, now_ms - out.up_ms, (out.agent, out.line, out.trunk)))

    def let_go(self, call: str) -> None:
        """The trunk that failed carries the call no longer; another may."""
        self.up[call].trunk = ""

    def lost(self, call: str) -> None:
        """What rang was gone after a time nobody could hear in: that is no fault of the trunk, it may ring again."""
        self.up[call].trunks.pop()
        self.let_go(call)

    # -- what becomes of a trunk ---------------------------------------------------------------------------------------

    def failed(self, trunk: str, now_ms: int, told_until_ms: int | None) -> None:
        """A trunk failed for its own reasons; after three in a row it is left out, as long as we are told or longer."""
        if self.left_out_until_ms.get(trunk, 0) > now_ms:
            return
        self.failures[trunk] += 1
        if self.failures[trunk] >= FAILURES_MAX:
            assert told_until_ms is not None, f"{trunk} failed three times in a row and is not left out"
            assert told_until_ms >= now_ms + PAUSE_MS
        assert told_until_ms is not None or trunk not in self.trial, "a probe failed and the trunk is not left out"
        if told_until_ms is not None:
            self.left_out_until_ms[trunk] = told_until_ms
            self.trial.setdefault(trunk, "")

    def seen(self, trunk: str, reachable: bool) -> None:
        """The carrier was asked whether it is there."""
        if reachable and trunk in self.silent:
            self.failures[trunk] = 0
            self.left_out_until_ms.pop(trunk, None)
            self.trial.pop(trunk, None)
        (self.silent.discard if reachable else self.silent.add)(trunk)

    # -- what was used -------------------------------------------------------------------------------------------------

    def held(self, owner: str) -> list[str]:
        """The calls an agent, a hotline or a trunk has up."""
        return [name for name, row in self.up.items() if owner in {row.agent, row.line, row.trunk}]

    def talked_ms(self, owner: str, now_ms: int) -> int:
        """How long was talked today on somebody's minutes, talks that go on included."""
        over_ms = sum(row.took_ms for row in self.talks if owner in row.owners and day(row.ended_ms) == day(now_ms))
        return over_ms + sum(
            now_ms - (self.up[name].up_ms or now_ms) for name in self.held(owner) if self.up[name].costs
        )

    def reach_of(self, agent: str) -> Reach:
        """Whom an agent may call and for how long; nobody's calls have what the defaults open, at any hour."""
        person = self.setup.agent.get(agent)
        return (person.reach if person else None) or self.setup.defaults.reach
