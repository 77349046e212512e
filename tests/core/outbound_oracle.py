"""What may be let out, judged from outside by the rules of docs/decisions.md alone (1 to 4, 16, 17, 19, 23 to 26, 29).

The oracle knows the setup, what was reported (`outbound_books`), and what the dial path was told or which phone was
rung. Calls an agent dials, callers an agent sends on or asks a phone for, and callers a queue leads to a phone are
judged by the same rules; only whose call it is differs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from controller.core.model import Attempt
from controller.core.setup import Hotline, Limits, Reach, Trunk
from tests.core.outbound_books import (
    DAY_MS,
    HANOI_MS,
    MINUTE_MS,
    OPEN_KINDS,
    SECOND_MS,
    Books,
    Callee,
    Out,
    day,
)

ATTEMPTS_MAX = 3


@dataclass(frozen=True)
class Wish:
    """Whose call it is (empty: nobody's), to whom, and by which hotline or adaptive number (empty: the agent's)."""

    agent: str
    callee: Callee
    via: str


class Written(NamedTuple):
    """What the product has written down of an agent, a hotline or a trunk: calls up, and calls and talk of today."""

    live: tuple[str, ...] = ()
    calls: int = 0
    talked_ms: int = 0


class Oracle(Books):
    """Judges every attempt that is made, and talks that go on."""

    def let_out(self, call: str, wish: Wish, attempt: Attempt, now_ms: int) -> None:
        """This attempt is made: every rule is looked at, then it is written down."""
        out = self.up.get(call) or Out(wish.agent, wish.callee, began_ms=now_ms)
        line, trunk = self.setup.hotline[attempt.hotline], self.setup.trunk[attempt.trunk]
        assert attempt.caller_id == line.number, "the caller id is the number of the hotline that carries the call"
        assert attempt.number == wish.callee.sent, "another number than the one that was asked for"
        assert trunk.name not in out.trunks, "a trunk that failed is asked again for the same call"
        assert len(out.trunks) < ATTEMPTS_MAX
        emergency = wish.callee.kind == "emergency"
        if not emergency or call not in self.up:
            # Further trunks of an emergency call were chosen when it began, whatever the setup has become since.
            assert line.kind == "carrier", "a virtual number never calls out"
            assert trunk.enabled
        if not emergency:
            self._permitted(line, trunk, wish, out, now_ms)
            self._trunk_free(trunk, wish.callee, call, now_ms)
            self._within(line, call, out, now_ms)
        self._write_down(call, out, line.number, trunk.name, now_ms)

    def _write_down(self, call: str, out: Out, line: str, trunk: str, now_ms: int) -> None:
        if call not in self.up:
            self.all.append(out)
        self.up[call] = out
        out.trunk, out.line = trunk, line
        out.tried_ms = now_ms
        out.trunks.append(trunk)
        out.lines.setdefault(line, now_ms)
        self.starts.append((now_ms, trunk))
        if out.callee.kind != "emergency" and trunk in self.trial:
            self.trial[trunk] = call

    # -- by whom and to whom -------------------------------------------------------------------------------------------

    def _permitted(self, line: Hotline, trunk: Trunk, wish: Wish, out: Out, now_ms: int) -> None:
        person = self.setup.agent.get(wish.agent)
        assert line.outbound, "this hotline may not call out"
        groups = line.outbound_groups
        assert person is None or groups is None or set(person.groups) & set(groups), "a forbidden group"
        own = self.setup.trunk[line.trunk]
        assert trunk.carrier == own.carrier, "another carrier would have to forge the number"
        asked = wish.via or (person.outbound_with if person else "")
        adaptive = self.setup.adaptive.get(asked)
        if adaptive is None:
            assert line.number == asked, "another hotline than the one asked for"
        else:
            assert adaptive.outbound
            assert line.number.startswith("+") or line.number == adaptive.fallback, "a service number chosen by itself"
        self._not_blocked(wish.callee, now_ms)
        self._reached(wish, out.began_ms)

    def _not_blocked(self, callee: Callee, now_ms: int) -> None:
        for row in self.setup.blocked:
            hit = callee.number.startswith(row.number) if row.prefix else callee.number == row.number
            over = row.until_ms is not None and row.until_ms <= now_ms
            if hit:
                self.edges["blocked elsewhere or before"] += 1
            assert not hit or over or "outbound" not in row.scopes, "a blocked callee"

    def _reached(self, wish: Wish, began_ms: int) -> None:
        """An agent's hours are those in which a call begins; its further trunks may come after them."""
        callee, reach = wish.callee, self.reach_of(wish.agent)
        kinds = OPEN_KINDS if reach.kinds == Reach().kinds else reach.kinds
        assert callee.kind in kinds, f"{callee.kind} numbers are not open"
        abroad = callee.country != "VN" and callee.kind != "satellite"
        assert not abroad or reach.countries is None or callee.country in reach.countries, "abroad is not open"
        if reach.hours and wish.agent:
            frames = self.setup.schedule[reach.hours].frames
            local = began_ms + HANOI_MS
            minute, weekday = local // MINUTE_MS % 1440, (local // DAY_MS + 3) % 7
            assert any(begin <= minute < end for begin, end in frames[weekday]), "outside the hours"

    # -- by how much ---------------------------------------------------------------------------------------------------

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

    def _within(self, line: Hotline, call: str, out: Out, now_ms: int) -> None:
        if call not in self.up and out.agent:
            limits = self.setup.agent[out.agent].limits
            self._used("agent", [row.began_ms for row in self.all if row.agent == out.agent], limits, now_ms)
            self._minutes("agent minutes", out.agent, limits.minutes_per_day, now_ms)
            self._at_most("agent at once", len(self.held(out.agent)) + 1, limits.calls_at_once)
        if out.line == line.number:
            return
        held = sum(row.line == line.number for name, row in self.up.items() if name != call)
        self._at_most("at once", held + 1, line.limits.calls_at_once)
        self._minutes("hotline minutes", line.number, line.limits.minutes_per_day, now_ms)
        if line.number in out.lines:
            # It counted when it left by this hotline before it tried another.
            self.edges["came back"] += 1
            return
        by_line = [row for row in self.all if line.number in row.lines]
        self._used("hotline", [row.lines[line.number] for row in by_line], line.limits, now_ms)
        same = [row for row in by_line if row.callee.number == out.callee.number]
        today = sum(day(row.lines[line.number]) == day(now_ms) for row in same)
        self._at_most("per callee", today + 1, line.limits.calls_per_callee)

    def _used(self, whose: str, starts_ms: list[int], limits: Limits, now_ms: int) -> None:
        recent = sum(now_ms - at_ms < MINUTE_MS for at_ms in starts_ms)
        self._at_most(f"{whose} per minute", recent + 1, limits.calls_per_minute)
        today = sum(day(at_ms) == day(now_ms) for at_ms in starts_ms)
        self._at_most(f"{whose} per day", today + 1, limits.calls_per_day)

    def _minutes(self, what: str, owner: str, minutes: int, now_ms: int) -> None:
        if minutes:
            talked_ms = self.talked_ms(owner, now_ms)
            assert talked_ms < minutes * MINUTE_MS, f"{what}: {owner} has talked {talked_ms} ms"
            self.edges[what] += talked_ms > 0

    def _at_most(self, what: str, count: int, most: int) -> None:
        assert not most or count <= most, f"{what}: {count}, and {most} are allowed"
        self.edges[what] += count == most

    # -- what goes on --------------------------------------------------------------------------------------------------

    def goes_on(self, now_ms: int) -> None:
        """Every talk that goes on may: neither the longest call nor anybody's minutes are used up."""
        for name, out in self.up.items():
            if not out.costs or out.up_ms is None:
                continue
            longest_ms = self.reach_of(out.agent).longest_call * SECOND_MS if out.agent else 0
            assert not longest_ms or now_ms - out.up_ms <= longest_ms, f"{name} talks longer than the longest call"
            for owner, minutes in self._capped(out):
                # What is left is shared by those who talk, to the millisecond each.
                most_ms = minutes * MINUTE_MS + len(self.up)
                assert self.talked_ms(owner, now_ms) <= most_ms, f"{name} talks on although {owner} has no minutes"

    def _capped(self, out: Out) -> list[tuple[str, int]]:
        """Whose minutes a talk uses up, of those who have a cap."""
        person, trunk = self.setup.agent.get(out.agent), self.setup.trunk.get(out.trunk)
        rows = (
            (out.agent, person.limits.minutes_per_day if person else 0),
            (out.line, self.setup.hotline[out.line].limits.minutes_per_day),
            (out.trunk, trunk.minutes_per_day if trunk else 0),
        )
        return [row for row in rows if row[1]]

    # -- what the product has written down -----------------------------------------------------------------------------

    def same_books(self, written: Callable[[str], Written], now_ms: int) -> None:
        """What the product has written down of an agent, a hotline or a trunk is what is true of them."""
        for trunk in self.setup.trunks:
            self._same(trunk.name, written(trunk.name), now_ms, None, capped=bool(trunk.minutes_per_day))
        for line in self.setup.hotlines:
            starts_ms = [row.lines[line.number] for row in self.all if line.number in row.lines]
            self._same(line.number, written(line.number), now_ms, starts_ms, capped=bool(line.limits.minutes_per_day))
        for agent in self.setup.agent:
            starts_ms = [row.began_ms for row in self.all if row.agent == agent]
            self._same(agent, written(agent), now_ms, starts_ms, capped=True)

    def _same(self, owner: str, said: Written, now_ms: int, starts_ms: list[int] | None, *, capped: bool) -> None:
        """Calls up are told of everybody, calls of today of all but trunks, talk where there are minutes to count."""
        held = self.held(owner)
        assert sorted(said.live) == sorted(held), f"{owner} is said to have {said.live} up and has {held}"
        if starts_ms is not None and (starts_ms or said.calls):
            calls = sum(day(at_ms) == day(now_ms) for at_ms in starts_ms)
            assert said.calls == calls, f"{owner} is said to have made {said.calls} calls and has made {calls}"
        if capped and (self.talks or held):
            true_ms = self.talked_ms(owner, now_ms)
            assert said.talked_ms == true_ms, f"{owner} is said to have talked {said.talked_ms} ms and has {true_ms}"
