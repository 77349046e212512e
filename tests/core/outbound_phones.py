"""Agents who call out in a day of calling out: by dialling, or by a click that rings their own phone first."""

from __future__ import annotations

from dataclasses import replace

from controller.core import asking, figures, trunks
from controller.core.commands import ReplyTrunks, RingDialler
from controller.core.events import (
    CalleeAnswered,
    ClickToCallAsked,
    OutboundAsked,
    OutboundEnded,
    OutboundNextAsked,
    PhoneChannel,
)
from controller.core.facts import OutboundPicked
from controller.core.setup import Setup
from controller.core.step import Step
from tests.core.outbound_books import CALLEES, TRUNK_FAILED
from tests.core.outbound_day import MOMENT_MS, Day
from tests.core.outbound_oracle import Wish
from tests.core.outbound_setups import AGENTS, keys_of


class Phones(Day):
    """A day with agents at their phones. `clicked`: calls whose agent was rung first, `clicking`: who is just rung."""

    def __init__(self, setup: Setup) -> None:
        self.clicked: set[str] = set()
        self.clicking = ""
        super().__init__(setup)

    def own(self) -> dict[str, str]:
        """The calls of agents themselves that are up, and whose they are."""
        return {name: row.agent for name, row in self.oracle.up.items() if name not in self.callers}

    def free(self) -> list[str]:
        """Agents who neither call out nor talk to a caller."""
        busy = {self.clicking, *self.own().values(), *(row.agent for row in self.callers.values())}
        return [name for name in AGENTS if name not in busy]

    def new_call(self) -> str:
        self.calls += 1
        return f"1.{self.calls}"

    def wants(self, agent: str, callee: int, via: str) -> OutboundAsked:
        """A call out by an agent's own phone, as the dial path will ask for it."""
        call = self.new_call()
        self.wishes[call], self.last = Wish(agent, CALLEES[callee], via), callee
        return OutboundAsked(call, agent, keys_of(CALLEES[callee]), via)

    def dial(self, agent: str, callee: int, via: str) -> None:
        """The agent dials; one who calls out or talks already is refused."""
        event = self.wants(agent, callee, via)
        self.tell(PhoneChannel(agent, event.call, "ring"))
        if agent in self.free():
            self._asked(event)
            return
        [reply] = _replies(self.tell(event))
        assert (reply.attempt, reply.refusal) == (None, "in_call")
        self.tell(PhoneChannel(agent, event.call, "gone"))

    def click(self, agent: str, callee: int, via: str, meanwhile: int) -> None:
        """The agent's phone is rung and dials when it is picked up; what was free at the click may be taken by then."""
        event = self.wants(agent, callee, via)
        foreseen = self._explained(event)
        done = self.tell(ClickToCallAsked(event.call, agent, event.dialled, via))
        rings = any(isinstance(row, RingDialler) for row in done.commands)
        assert done.answer.ok == rings == foreseen.allowed, f"{done.answer}: {foreseen.reason}"
        if not rings:
            return
        self.clicked.add(event.call)
        self.edges["clicked"] += 1
        self.clicking = agent
        for name in self.free()[: meanwhile % 3]:
            self.dial(name, callee, via)
        self.tell(PhoneChannel(agent, event.call, "up"))
        self._asked(event)
        self.clicking = ""

    def _asked(self, event: OutboundAsked) -> None:
        """Ask beforehand, then let the dial path ask: the same answer, and asking changes nothing."""
        foreseen = self._explained(event)
        done = self.tell(event)
        [reply] = _replies(done)
        if foreseen.allowed:
            [picked] = [row for row in done.facts if isinstance(row, OutboundPicked)]
            assert reply.attempt == foreseen.attempts[0]
            assert (picked.attempts, picked.carrier) == (foreseen.attempts, foreseen.carrier)
        else:
            assert (reply.attempt, reply.refusal) == (None, foreseen.reason)
        if self.wishes[event.call].callee.kind == "emergency":
            self.passes_everything(reply.attempt is not None)
        if reply.attempt is None:
            self.tell(PhoneChannel(event.endpoint, event.call, "gone"))

    def _explained(self, event: OutboundAsked) -> trunks.Decision:
        """What is said beforehand: the question has a name of its own and was put a moment before it is answered."""
        today = figures.today(self.world, self.now_ms)
        before = list(self.world.entities())
        asked = replace(event, call=f"explain/{event.dialled}", endpoint="")
        question = asking.question(self.world, self.now_ms - MOMENT_MS, today, asked, event.endpoint)
        foreseen = trunks.decide(replace(question, now_ms=self.now_ms))
        assert list(self.world.entities()) == before, "asking changes nothing"
        return foreseen

    def next(self, call: str, status: str) -> None:
        """The dialplan asks for another trunk, which it may only get when the last one failed for its own reasons."""
        if self.oracle.up[call].up_ms is not None:
            return
        if status in TRUNK_FAILED:
            self.oracle.let_go(call)
        left = any(row.attempt is not None for row in _replies(self.tell(OutboundNextAsked(call, status, 34))))
        assert status in TRUNK_FAILED or not left, "the callee was reached: no reason to try another trunk"

    def picked_up(self, call: str) -> None:
        """The callee answers: a channel that dialled goes up, of one that is up already we are told."""
        up = PhoneChannel(self.wishes[call].agent, call, "up")
        self.tell(CalleeAnswered(call) if call in self.clicked else up)
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

    def _dies(self, call: str, channel: str) -> None:
        if call in self.oracle.up:
            self.end(call, "CANCEL")


def _replies(done: Step) -> list[ReplyTrunks]:
    return [row for row in done.commands if isinstance(row, ReplyTrunks)]
