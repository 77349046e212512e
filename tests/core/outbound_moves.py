"""What may happen in a history of calling out, and how often: each move is two bytes, what it is and to whom."""

from __future__ import annotations

from controller.core.events import TrunkSeen
from tests.core.outbound_away import Away
from tests.core.outbound_books import CALLEES, FAILURES_MAX, TRUNK_FAILED
from tests.core.outbound_day import MOMENT_MS
from tests.core.outbound_setups import AGENTS, LINES, WAYS

SAME_AGAIN = 192
ANYBODY = 7
WAITS_MS = (300, 700, 961, 20_000, 59_000, 61_000, 40_000_000)
ENDS = ("BUSY", "NOANSWER", *TRUNK_FAILED)
FAILS = (*TRUNK_FAILED, *TRUNK_FAILED, "BUSY", "NOANSWER")
VIAS = ("", "", "", *LINES, "auto")


class History(Away):
    """A day whose moves are bytes. `how` are the bits of the first byte that say which way, `n` is the second byte."""

    def do(self, what: int, n: int) -> None:
        """One thing happens, then what follows from it, and all of it is judged."""
        self.passes(MOMENT_MS)
        MOVES[what % len(MOVES)](self, what // len(MOVES), n)
        self.settle()
        self.judge()

    # -- calls ---------------------------------------------------------------------------------------------------------

    def somebody_dials(self, how: int, n: int) -> None:
        """Anybody calls anybody, or somebody who is free whoever was called last: calls meet on one number."""
        if n < SAME_AGAIN:
            self.dial(AGENTS[n % len(AGENTS)], (n >> 2) % len(CALLEES), VIAS[how])
        else:
            self.again(self.last, n, VIAS[how])

    def again(self, callee: int, n: int, via: str) -> None:
        free = self.free()
        if free:
            self.dial(free[n % len(free)], callee, via)

    def somebody_clicks(self, how: int, n: int) -> None:
        """Somebody who is free is rung to call a number; others may be quicker."""
        free = self.free()
        if free:
            self.click(free[n % len(free)], self._whereto(n)[0], VIAS[how], n >> 4)

    def fails(self, how: int, n: int) -> None:
        """A trunk fails, or the callee does not want to talk; a phone of a caller may not even ring."""
        call = (self._overtaken(n) if how & 1 else "") or self.one_up(n)
        if call in self.callers and how & 6 == 2 and self.oracle.up[call].up_ms is None:
            self.not_made(call)
        elif call:
            self.next(call, FAILS[(n >> 2) % len(FAILS)])

    def _overtaken(self, n: int) -> str:
        """Somebody else gets through to whom a call rings, by the hotline it would try next; which call it is."""
        call = next((name for name, row in self.oracle.up.items() if row.up_ms is None), "")
        known = self.world.calls.get(call)
        for row in known.attempts[known.attempt :][:1] if known else ():
            self.again(CALLEES.index(self.wishes[call].callee), n, row.hotline)
        return call

    def answers(self, how: int, n: int) -> None:
        call = self.one_up(n)
        if call:
            self.picked_up(call)
            self.passes(WAITS_MS[(n >> 2) % (len(WAITS_MS) - 1)] if how & 1 else 0)

    def ends(self, how: int, n: int) -> None:
        """The agent or the caller hangs up, the callee does, or somebody ends it from outside."""
        call = self.one_up(n)
        if call in self.callers and how & 3 == 1:
            self.next(call, "NOANSWER")
        elif call in self.callers and how & 3 == 2:
            self.thrown_out(call)
        elif call:
            self.end(call, ENDS[(n >> 2) % len(ENDS)])

    def waits(self, _how: int, n: int) -> None:
        self.passes(WAITS_MS[n % len(WAITS_MS)])

    # -- callers -------------------------------------------------------------------------------------------------------

    def _talk(self, how: int, n: int) -> str:
        """A caller who talks to an agent: one who does already, or a new one; now and then one who does not."""
        talks = [name for name, row in self.callers.items() if row.agent or how == ANYBODY]
        if talks and how & 1:
            return talks[n % len(talks)]
        return self.talks(n, LINES[how >> 1]) or (talks[n % len(talks)] if talks else "")

    def led_on(self, _how: int, n: int) -> None:
        self.arrive(LINES[n % len(LINES)])

    def somebody_sends_on(self, how: int, n: int) -> None:
        call = self._talk(how, n)
        if call:
            self.sends_on(call, *self._whereto(n))

    def somebody_asks(self, how: int, n: int) -> None:
        call = self._talk(how, n)
        if call:
            self.asks(call, *self._whereto(n))
            if self.callers[call].asks and n & 64:
                self.picked_up(call)

    def _whereto(self, n: int) -> tuple[int, str]:
        """A callee, sometimes the last one again, and by what they are called."""
        callee = self.last if n >= SAME_AGAIN else (n >> 2) % len(CALLEES)
        return callee, VIAS[n % len(VIAS)]

    def decides(self, how: int, n: int) -> None:
        """An agent who asks a phone decides; one who only talks to a caller ends it."""
        asking = [name for name, row in self.callers.items() if row.asks]
        talks = asking or [name for name, row in self.callers.items() if row.agent]
        if not talks:
            return
        call = talks[n % len(talks)]
        match how:
            case 0 | 1:
                self.completes(call)
            case 2 | 3:
                self.cancels(call)
            case 4 | 5:
                self.agent_gone(call)
            case 6 if self.callers[call].asks:
                self.not_joined(call)
            case _:
                self.gone(call)
        self.passes(WAITS_MS[(n >> 2) % (len(WAITS_MS) - 1)] if how & 1 else 0)

    # -- the rest ------------------------------------------------------------------------------------------------------

    def carrier_fails(self, how: int, n: int) -> None:
        """A carrier fails every call for a while, or answers OPTIONS or does not."""
        if how & 1:
            self._breaks(LINES[n % len(LINES)], n)
            return
        name = WAYS[(n >> 2) % len(WAYS)]
        self.oracle.seen(name, bool(n & 64))
        self.tell(TrunkSeen(name, bool(n & 64)))

    def _breaks(self, via: str, n: int) -> None:
        """Three calls by one hotline fail; it may be some time until the next."""
        for agent in self.free()[:1] * FAILURES_MAX:
            self.dial(agent, self.last, via)
            call = f"1.{self.calls}"
            if call in self.oracle.up:
                self.next(call, "CONGESTION")
                self.end(call, "CONGESTION")
        self.passes(WAITS_MS[(n >> 2) % (len(WAITS_MS) - 1)])

    def nobody_hears(self, how: int, n: int) -> None:
        if how & 1:
            self.audited()
        else:
            self.away(how >> 1, n)

    def setup_changes(self, how: int, n: int) -> None:
        if not how & 1:
            self.changes(n)


MOVES = (
    *(History.somebody_dials,) * 6,
    History.somebody_clicks,
    *(History.fails,) * 4,
    *(History.answers,) * 4,
    *(History.ends,) * 3,
    *(History.waits,) * 2,
    *(History.somebody_sends_on,) * 2,
    *(History.somebody_asks,) * 3,
    *(History.decides,) * 3,
    History.led_on,
    History.carrier_fails,
    History.nobody_hears,
    History.setup_changes,
)
