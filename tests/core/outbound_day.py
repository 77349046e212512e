"""A day of calling out: a world and the oracle beside it. Events are told to the world, what it does to the oracle.

Here is what agents do at their own phones; `outbound_callers` has the callers whom agents send on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.core import asking, figures, trunks
from controller.core.commands import HangUp, ReplyTrunks, RingAgent, RingPhone
from controller.core.events import (
    EndpointSeen,
    Event,
    OutboundAsked,
    OutboundEnded,
    OutboundNextAsked,
    PhoneChannel,
    SetupChanged,
    SnapshotTaken,
    Ticked,
)
from controller.core.facts import OutboundPicked, TrunkFailed
from controller.core.model import Attempt, TrunkState
from controller.core.setup import Setup
from controller.core.step import Step, step
from controller.core.world import World
from tests.core.outbound_books import CALLEES, TRUNK_FAILED, day
from tests.core.outbound_oracle import Oracle, Wish
from tests.core.outbound_setups import AGENTS, NOON_MS, keys_of

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
        if call in self.oracle.up:
            self.end(call, "CANCEL")

    def judge(self) -> None:
        """What goes on may, and the books of the product say what ours say."""
        self.oracle.goes_on(self.now_ms)
        world, today = self.world, day(self.now_ms).isoformat()

        def written(owner: str) -> tuple[tuple[str, ...], int]:
            row = world.agent_uses.get(owner) or world.hotlines.get(owner) or world.trunks.get(owner)
            if row is None:
                return (), 0
            use = row.use
            talked_ms = (use.talked_ms if use.day == today else 0) + sum(self.now_ms - at_ms for _, at_ms in use.talks)
            return (row.live if isinstance(row, TrunkState) else use.live), talked_ms

        self.oracle.same_books(written, self.now_ms)

    # -- an agent's own phone ------------------------------------------------------------------------------------------

    def own(self) -> dict[str, str]:
        """The calls agents dialled that are up, and whose they are."""
        return {name: row.agent for name, row in self.oracle.up.items() if name not in self.callers}

    def busy(self) -> list[str]:
        """Agents who dial, talk to whom they dialled, or talk to a caller."""
        return [*self.own().values(), *(row.agent for row in self.callers.values())]

    def new_call(self) -> str:
        self.calls += 1
        return f"1.{self.calls}"

    def dial(self, agent: str, callee: int, via: str) -> None:
        """Ask beforehand, then dial: the same answer, and asking changes nothing."""
        call, number = self.new_call(), keys_of(CALLEES[callee])
        event = OutboundAsked(call, agent, number, via)
        self.wishes[call], self.last = Wish(agent, CALLEES[callee], via), callee
        self.tell(PhoneChannel(agent, call, "ring"))
        foreseen, busy = self._explained(event, agent), agent in self.busy()
        done = self.tell(event)
        [reply] = [row for row in done.commands if isinstance(row, ReplyTrunks)]
        if busy:
            assert (reply.attempt, reply.refusal) == (None, "in_call")
        elif foreseen.allowed:
            picked = next(row for row in done.facts if isinstance(row, OutboundPicked))
            assert reply.attempt == foreseen.attempts[0]
            assert (picked.attempts, picked.carrier) == (foreseen.attempts, foreseen.carrier)
        else:
            assert (reply.attempt, reply.refusal) == (None, foreseen.reason)
        if CALLEES[callee].kind == "emergency" and not busy:
            self.passes_everything(reply.attempt is not None)
        if reply.attempt is None:
            self.tell(PhoneChannel(agent, call, "gone"))

    def _explained(self, event: OutboundAsked, agent: str) -> trunks.Decision:
        """What is said beforehand: the question has a name of its own and was put a moment before it is answered."""
        today = figures.today(self.world, self.now_ms)
        before = list(self.world.entities())
        asked = replace(event, call=f"explain/{event.dialled}", endpoint="")
        question = asking.question(self.world, self.now_ms - MOMENT_MS, today, asked, agent)
        foreseen = trunks.decide(replace(question, now_ms=self.now_ms))
        assert list(self.world.entities()) == before, "asking changes nothing"
        return foreseen

    def passes_everything(self, left: bool) -> None:
        """An emergency call: forbidden or full, it leaves where a trunk is on with a number of ours."""
        setup = self.world.setup
        able = any(setup.trunk[row.trunk].enabled for row in setup.hotlines if row.kind == "carrier")
        assert left == able, "an emergency number passes everything"

    def next(self, call: str, status: str) -> None:
        """The dialplan asks for another trunk, which it may only get when the last one failed for its own reasons."""
        if self.oracle.up[call].up_ms is not None:
            return
        if status in TRUNK_FAILED:
            self.oracle.let_go(call)
        done = self.tell(OutboundNextAsked(call, status, 34))
        left = any(isinstance(row, ReplyTrunks) and row.attempt is not None for row in done.commands)
        assert status in TRUNK_FAILED or not left, "the callee was reached: no reason to try another trunk"

    def picked_up(self, call: str) -> None:
        """The callee answers: the agent's channel is up."""
        self.tell(PhoneChannel(self.wishes[call].agent, call, "up"))
        self.oracle.answered(call, self.now_ms)

    def end(self, call: str, status: str) -> None:
        """The dialplan reports the end, and the phone is free."""
        if self.oracle.up[call].up_ms is not None:
            status = "ANSWER"
        if status == "BUSY":
            self.oracle.reached(call)
        self.tell(OutboundEnded(call, status, 16, 0))
        self.oracle.over(call, self.now_ms)
        self.tell(PhoneChannel(self.wishes[call].agent, call, "gone"))
