"""A day of calling out: a world and the oracle beside it. Events are told to the world, what it does to the oracle.

What can happen in it stands in `outbound_phones` (agents who dial), `outbound_callers` (callers who are sent on) and
`outbound_away` (what nobody hears).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.core.commands import HangUp, ReplyTrunks, RingAgent, RingPhone
from controller.core.events import EndpointSeen, Event, SetupChanged, SnapshotTaken, Ticked
from controller.core.facts import TrunkFailed
from controller.core.model import Attempt, TrunkState
from controller.core.setup import Blocked, Setup
from controller.core.step import Step, step
from controller.core.world import World
from tests.core.outbound_books import CALLEES, day
from tests.core.outbound_oracle import Oracle, Wish, Written
from tests.core.outbound_setups import AGENTS, LINES, NOON_MS

MOMENT_MS = 40
BOOT = "boot 1"


@dataclass
class Caller:
    """Somebody who called us: the number dialled, the agent who talks to them, the phone that rings or talks for them.

    `asks`: the phone is the agent's, who asks it while the caller hears music. `thrown_out`: somebody ended the call.
    """

    dialled: str
    agent: str = ""
    leg: str = ""
    phone: str = ""
    asks: bool = False
    thrown_out: bool = False


class Day:
    """One history. `wishes` are what each call out was asked for, `dying` what is being hung up."""

    def __init__(self, setup: Setup) -> None:
        self.world = World()
        self.now_ms = NOON_MS
        self.oracle = Oracle(setup)
        self.edges = self.oracle.edges
        self.wishes: dict[str, Wish] = {}
        self.callers: dict[str, Caller] = {}
        self.dying: list[tuple[str, str]] = []
        self.calls = self.last = 0
        self.tell(SetupChanged(setup))
        self.tell(SnapshotTaken(BOOT, endpoints=tuple(EndpointSeen(name, True) for name in AGENTS)))

    # -- one step ------------------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> Step:
        """One step, and what it led to told to the oracle."""
        done = step(self.world, event, self.now_ms)
        assert not done.broken, done.broken
        for fact in done.facts:
            if isinstance(fact, TrunkFailed):
                self.oracle.failed(fact.trunk, self.now_ms, fact.cooling_until_ms)
        for command in done.commands:
            match command:
                case ReplyTrunks(call=call, attempt=Attempt() as attempt):
                    self.oracle.let_out(call, self.wishes[call], attempt, self.now_ms)
                case RingPhone(call=call, leg=leg):
                    self.callers[call].phone = leg
                    shown = Attempt(
                        command.endpoint, command.endpoint, command.number, command.caller_id, command.caller_id, ""
                    )
                    self.oracle.let_out(call, self.wishes[call], shown, self.now_ms)
                case RingAgent(call=call, leg=leg):
                    self.callers[call].leg = leg
                case HangUp(call=call, channel=channel):
                    self._hung_up(call, channel)
        return done

    def _hung_up(self, call: str, channel: str) -> None:
        """We hang up: a phone that rings or talks for a caller is out no longer from here on."""
        caller = self.callers.get(call)
        if caller is not None and channel == call:
            assert caller.thrown_out or not (caller.agent and caller.leg), "a caller who talks to an agent is hung up"
        if caller is not None and channel == caller.phone:
            self.oracle.over(call, self.now_ms)
            caller.phone, caller.asks = "", False
        self.dying.append((call, channel))

    def passes(self, ms: int) -> None:
        """What was hung up goes, then time goes on; the engine wakes at every deadline."""
        self.settle()
        end_ms = self.now_ms + ms
        while (due_ms := self.world.next_due_ms()) is not None and due_ms <= end_ms:
            self.now_ms = max(self.now_ms, due_ms)
            self.tell(Ticked())
            self.settle()
        self.now_ms = end_ms

    def settle(self) -> None:
        """What was hung up is gone now."""
        while self.dying:
            self._dies(*self.dying.pop(0))

    def _dies(self, call: str, channel: str) -> None:
        """A channel that was hung up is gone: that of a call, or a leg of it."""
        raise NotImplementedError

    def judge(self) -> None:
        """What goes on may, and the books of the product say what ours say."""
        self.oracle.goes_on(self.now_ms)
        world, today = self.world, day(self.now_ms).isoformat()

        def written(owner: str) -> Written:
            row = world.agent_uses.get(owner) or world.hotlines.get(owner) or world.trunks.get(owner)
            if row is None:
                return Written()
            use, talking_ms = row.use, sum(self.now_ms - at_ms for _, at_ms in row.use.talks)
            calls, talked_ms = (use.calls, use.talked_ms) if use.day == today else (0, 0)
            return Written(row.live if isinstance(row, TrunkState) else use.live, calls, talked_ms + talking_ms)

        self.oracle.same_books(written, self.now_ms)

    def one_up(self, n: int) -> str:
        """One of the calls that are out; empty when there is none."""
        up = list(self.oracle.up)
        return up[n % len(up)] if up else ""

    def changes(self, n: int) -> None:
        """Somebody changes the setup while calls are out; what narrows it holds for their further trunks."""
        setup, at = self.world.setup, (n >> 3) % len(LINES)
        line, way, person, blocked = setup.hotlines[at], setup.trunks[at], setup.agents[at], setup.blocked
        match n % 8:
            case 0:
                line = replace(line, outbound=not line.outbound)
            case 1:
                line = replace(line, kind={"carrier": "virtual", "virtual": "carrier"}[line.kind])
            case 2:
                way = replace(way, enabled=not way.enabled)
            case 3:
                way = replace(way, max_channels=1)
            case 4:
                line = replace(line, outbound_groups=None if line.outbound_groups else ("night",))
            case 5:
                person = replace(person, groups=("sales",) if "night" in person.groups else ("night",))
            case 6:
                line = replace(line, limits=replace(line.limits, calls_at_once=1))
            case _:
                blocked = self.blocks(self.one_up(n >> 3))
        lines = (*setup.hotlines[:at], line, *setup.hotlines[at + 1 :])
        ways = (*setup.trunks[:at], way, *setup.trunks[at + 1 :])
        people = (*setup.agents[:at], person, *setup.agents[at + 1 :])
        self.put_in_force(replace(setup, hotlines=lines, trunks=ways, agents=people, blocked=blocked))

    def put_in_force(self, setup: Setup) -> None:
        self.oracle.setup = setup
        self.tell(SetupChanged(setup))

    def blocks(self, call: str) -> tuple[Blocked, ...]:
        """Whoever is called by this call, or was last, is blocked; and those who were are blocked no more."""
        callee = self.wishes[call].callee if call else CALLEES[self.last]
        return (Blocked(callee.number, ("outbound",)),)

    def passes_everything(self, left: bool) -> None:
        """An emergency call: forbidden or full, it leaves where a trunk is on with a number of ours."""
        setup = self.world.setup
        able = any(setup.trunk[row.trunk].enabled for row in setup.hotlines if row.kind == "carrier")
        assert left == able, "an emergency number passes everything"
