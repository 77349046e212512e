"""What may be let out, judged from outside by the rules of docs/decisions.md alone (1 to 4, 16, 17, 19, 23 to 25).

The oracle knows the setup, what phones and dialplan reported, and what the dial path was told. It keeps books of
its own in the plainest way and reads nothing of the world; who is called is taken from a table written by hand.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from controller.core.model import Attempt
from controller.core.setup import Hotline, Limits, Reach, Setup, Trunk

DAY_MS, MINUTE_MS, SECOND_MS = 86_400_000, 60_000, 1_000
HANOI_MS = 7 * 3_600_000
PAUSE_MS = 30_000
FAILURES_MAX, ATTEMPTS_MAX = 3, 3
TRUNK_FAILED = ("CONGESTION", "CHANUNAVAIL")


class Callee(NamedTuple):
    """A number as it is dialled, as the rules see it, and the operator its prefix belongs to."""

    dialled: str
    number: str
    kind: str
    country: str
    carrier: str = ""


CALLEES = (
    Callee("0967 123 456", "+84967123456", "mobile", "VN", "viettel"),
    Callee("84967123456", "+84967123456", "mobile", "VN", "viettel"),
    Callee("0967555000", "+84967555000", "mobile", "VN", "viettel"),
    Callee("0912.345.678", "+84912345678", "mobile", "VN", "vinaphone"),
    Callee("02439361234", "+842439361234", "landline", "VN"),
    Callee("18001234", "18001234", "toll_free", "VN"),
    Callee("19001234", "19001234", "premium", "VN"),
    Callee("+14155552671", "+14155552671", "landline", "US"),
    Callee("0088216123456", "+88216123456", "satellite", ""),
    Callee("113", "113", "emergency", "VN"),
)
OPEN_KINDS = ("mobile", "landline", "toll_free", "service", "voip", "short", "unknown")
"""What is open where the setup says nothing: no premium numbers and no satellites."""


@dataclass
class Out:
    """A call that was let out: by whom to whom, what carries it now, and since when they talk."""

    agent: str
    callee: Callee
    trunk: str = ""
    line: str = ""
    lines: dict[str, int] = field(default_factory=dict)
    trunks: list[str] = field(default_factory=list)
    began_ms: int = 0
    up_ms: int | None = None


@dataclass
class Talk:
    """A talk that is over, and on whose minutes it went."""

    ended_ms: int
    took_ms: int
    owners: tuple[str, ...]


def day(now_ms: int) -> int:
    """The local day; the setups of these tests are in Vietnam, which has no summer time."""
    return (now_ms + HANOI_MS) // DAY_MS


class Oracle:
    """The books of one history. `edges` counts, rule by rule, how often something stood at the very limit of it."""

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

    # -- what is reported --------------------------------------------------------------------------------------------

    def answered(self, call: str, now_ms: int) -> None:
        """The phone's channel is up: they talk, unless no trunk is left and the agent hears why."""
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
        out = self.up.pop(call, None)
        if out is not None and out.up_ms is not None and out.callee.kind != "emergency":
            self.talks.append(Talk(now_ms, now_ms - out.up_ms, (out.agent, out.line, out.trunk)))

    def let_go(self, call: str) -> None:
        """The dialplan asks for another trunk: the one that failed carries the call no longer."""
        self.up[call].trunk = ""

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
        if reachable and trunk in self.silent:
            self.failures[trunk] = 0
            self.left_out_until_ms.pop(trunk, None)
            self.trial.pop(trunk, None)
        (self.silent.discard if reachable else self.silent.add)(trunk)

    # -- what is let out ---------------------------------------------------------------------------------------------

    def let_out(self, call: str, agent: str, callee: Callee, via: str, attempt: Attempt, now_ms: int) -> None:
        """The dial path was told to make this attempt: every rule is looked at."""
        out = self.up.get(call)
        if out is None:
            busy = {row.agent for row in self.up.values()} - {""}
            assert agent not in busy, "an agent has one call at a time"
            out = Out(agent, callee, began_ms=now_ms)
        line, trunk = self.setup.hotline[attempt.hotline], self.setup.trunk[attempt.trunk]
        assert trunk.name not in out.trunks, "a trunk that failed is asked again for the same call"
        assert len(out.trunks) < ATTEMPTS_MAX
        if callee.kind != "emergency" or call not in self.up:
            # Further trunks of an emergency call were chosen when it began, whatever the setup has become since.
            assert line.kind == "carrier", "a virtual number never calls out"
            assert trunk.enabled
        if callee.kind != "emergency":
            self._permitted(line, trunk, agent, callee, via, now_ms)
            self._trunk_free(trunk, callee, call, now_ms)
            self._within(agent, line, call, callee, out, now_ms)
        if call not in self.up:
            self.all.append(out)
        self.up[call] = out
        out.trunk, out.line = trunk.name, line.number
        out.trunks.append(trunk.name)
        out.lines.setdefault(line.number, now_ms)
        self.starts.append((now_ms, trunk.name))
        if callee.kind != "emergency" and trunk.name in self.trial:
            self.trial[trunk.name] = call

    def _permitted(self, line: Hotline, trunk: Trunk, agent: str, callee: Callee, via: str, now_ms: int) -> None:
        person = self.setup.agent.get(agent)
        assert line.outbound, "this hotline may not call out"
        groups = line.outbound_groups
        assert person is None or groups is None or set(person.groups) & set(groups), "a forbidden group"
        own = self.setup.trunk[line.trunk]
        assert trunk.carrier == own.carrier, "another carrier would have to forge the number"
        asked = via or (person.outbound_with if person else "")
        adaptive = self.setup.adaptive.get(asked)
        if adaptive is None:
            assert line.number == asked, "another hotline than the one asked for"
        else:
            assert adaptive.outbound
            assert line.number.startswith("+") or line.number == adaptive.fallback, "a service number chosen by itself"
        for row in self.setup.blocked:
            hit = callee.number.startswith(row.number) if row.prefix else callee.number == row.number
            over = row.until_ms is not None and row.until_ms <= now_ms
            if hit:
                self.edges["blocked elsewhere or before"] += 1
            assert not hit or over or "outbound" not in row.scopes, "a blocked callee"
        if person is None:
            self._reached(replace(self.setup.defaults.reach, hours=""), callee, now_ms)
            return
        # An agent's hours are those in which a call begins; its further trunks may come after them.
        began_ms = next((row.began_ms for row in self.up.values() if row.agent == agent), now_ms)
        self._reached(person.reach or self.setup.defaults.reach, callee, began_ms)

    def _reached(self, reach: Reach, callee: Callee, now_ms: int) -> None:
        kinds = OPEN_KINDS if reach == Reach() else reach.kinds
        assert callee.kind in kinds, f"{callee.kind} numbers are not open"
        abroad = callee.country != "VN" and callee.kind != "satellite"
        assert not abroad or reach.countries is None or callee.country in reach.countries, "abroad is not open"
        if reach.hours:
            frames = self.setup.schedule[reach.hours].frames
            local = now_ms + HANOI_MS
            minute, weekday = local // MINUTE_MS % 1440, (local // DAY_MS + 3) % 7
            assert any(begin <= minute < end for begin, end in frames[weekday]), "outside the hours"

    def _trunk_free(self, trunk: Trunk, callee: Callee, call: str, now_ms: int) -> None:
        assert trunk.name not in self.silent, "a trunk that does not answer"
        assert self.left_out_until_ms.get(trunk.name, 0) <= now_ms, "a trunk that is left out"
        probe = self.up.get(self.trial.get(trunk.name, ""))
        assert probe is None or probe.trunk != trunk.name, "a second call on a trunk that is on trial"
        self.edges["on trial"] += trunk.name in self.trial
        assert callee.kind not in trunk.excluded_kinds
        assert not callee.number.startswith(tuple(trunk.excluded_prefixes) or ("none",))
        up = sum(row.trunk == trunk.name for name, row in self.up.items() if name != call)
        self._at_most("channels", up + 1, trunk.max_channels)
        recent = sum(name == trunk.name and now_ms - at_ms < SECOND_MS for at_ms, name in self.starts)
        self._at_most("cps", recent + 1, trunk.max_cps)
        self._minutes("trunk minutes", trunk.name, trunk.minutes_per_day, now_ms)

    def _within(self, agent: str, line: Hotline, call: str, callee: Callee, out: Out, now_ms: int) -> None:
        if call not in self.up and agent:
            mine = [row.began_ms for row in self.all if row.agent == agent]
            self._used("agent", mine, self.setup.agent[agent].limits, now_ms)
            self._minutes("agent minutes", agent, self.setup.agent[agent].limits.minutes_per_day, now_ms)
        if line.number in out.lines:
            return
        held = sum(row.line == line.number for name, row in self.up.items() if name != call)
        self._at_most("at once", held + 1, line.limits.calls_at_once)
        by_line = [row for row in self.all if line.number in row.lines]
        self._used("hotline", [row.lines[line.number] for row in by_line], line.limits, now_ms)
        self._minutes("hotline minutes", line.number, line.limits.minutes_per_day, now_ms)
        same = [row for row in by_line if row.callee.number == callee.number]
        today = sum(day(row.lines[line.number]) == day(now_ms) for row in same)
        self._at_most("per callee", today + 1, line.limits.calls_per_callee)

    def _used(self, whose: str, starts_ms: list[int], limits: Limits, now_ms: int) -> None:
        recent = sum(now_ms - at_ms < MINUTE_MS for at_ms in starts_ms)
        self._at_most(f"{whose} per minute", recent + 1, limits.calls_per_minute)
        today = sum(day(at_ms) == day(now_ms) for at_ms in starts_ms)
        self._at_most(f"{whose} per day", today + 1, limits.calls_per_day)

    def _minutes(self, what: str, owner: str, minutes: int, now_ms: int) -> None:
        if not minutes:
            return
        talked = sum(row.took_ms for row in self.talks if owner in row.owners and day(row.ended_ms) == day(now_ms))
        for row in self.up.values():
            if row.up_ms is not None and row.callee.kind != "emergency" and owner in {row.agent, row.line, row.trunk}:
                talked += now_ms - row.up_ms
        assert talked < minutes * MINUTE_MS, f"{what}: {owner} has talked {talked} ms"
        self.edges[what] += talked > 0

    def _at_most(self, what: str, count: int, most: int) -> None:
        assert not most or count <= most, f"{what}: {count}, and {most} are allowed"
        self.edges[what] += count == most
