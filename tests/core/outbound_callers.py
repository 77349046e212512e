"""Callers in a day of calling out: led on by a queue without agents, or by the agent who talks to them.

An agent sends a caller on blind (`sends_on`), or asks a phone first (`asks`) and then decides; every way such a call
can end is here, but for those nobody hears (`outbound_away`).
"""

from __future__ import annotations

from controller.core import ids
from controller.core.commands import RingPhone
from controller.core.events import (
    AgentStatusAsked,
    CallArrived,
    CallGone,
    CommandFailed,
    ConsultAsked,
    HangupAsked,
    LegAnswered,
    LegGone,
    SnapshotTaken,
    TransferAsked,
)
from controller.core.setup import Setup
from tests.core.outbound_books import CALLEES, TRUNK_FAILED
from tests.core.outbound_day import Caller
from tests.core.outbound_oracle import Wish
from tests.core.outbound_phones import Phones
from tests.core.outbound_setups import keys_of

STRANGER = "+842812345678"
DEAF_PAUSE_MS = 1_000
"""What was due while nobody could be heard is looked at again within this time."""
RING_MAX_MS = 45_000 + DEAF_PAUSE_MS
CODES: dict[str, tuple[tuple[int, int | None], ...]] = {
    "BUSY": ((17, 486), (17, 600), (21, 603)),
    "NOANSWER": ((19, 480), (127, 487), (1, 404), (22, 410), (28, 484)),
    "CONGESTION": ((34, 503), (21, 403), (127, 408), (58, 488), (34, None)),
    "CHANUNAVAIL": ((27, 500), (38, None), (21, 401)),
}
"""Q.850 and SIP as a leg to a phone ends: the callee was reached, or cannot be had, or the trunk failed (rule 4)."""


class Callers(Phones):
    """A day with callers. A caller has one phone at most; whose call that is stands in `wishes`."""

    def __init__(self, setup: Setup) -> None:
        self.given_up: dict[str, bool] = {}
        super().__init__(setup)

    # -- how they come to a phone --------------------------------------------------------------------------------------

    def arrive(self, dialled: str) -> None:
        """A caller nobody is there for is led on to a phone."""
        call, [queue] = self.new_call(), self.world.setup.queues
        callee = next(row for row in CALLEES if keys_of(row) == queue.on_no_agent.target)
        self.wishes[call] = Wish("", callee, queue.on_no_agent.hotline or dialled)
        self.callers[call] = Caller(dialled)
        self.edges["led on"] += 1
        self.tell(CallArrived(call, dialled, STRANGER))

    def talks(self, n: int, dialled: str) -> str:
        """A caller gets an agent who is free; which call it is, empty when nobody is free."""
        free = self.free()
        if not free:
            return ""
        call, agent = self.new_call(), free[n % len(free)]
        self.callers[call] = caller = Caller(dialled)
        self.tell(AgentStatusAsked(agent, "available"))
        self.tell(CallArrived(call, dialled, STRANGER))
        assert caller.leg, "the only agent who is there is rung"
        self.tell(LegAnswered(call, caller.leg))
        caller.agent = agent
        self.tell(AgentStatusAsked(agent, "offline"))
        return call

    def sends_on(self, call: str, callee: int, via: str) -> None:
        """A blind transfer: the agent is let go and the phone rings, or everything stays as it was."""
        event = TransferAsked(call, keys_of(CALLEES[callee]), via)
        if self._led(call, callee, via, event):
            self.callers[call].agent = ""
            self.edges["sent on"] += 1

    def asks(self, call: str, callee: int, via: str) -> None:
        """The agent asks a phone while the caller hears music."""
        event = ConsultAsked(call, "begin", keys_of(CALLEES[callee]), via)
        if self._led(call, callee, via, event):
            self.callers[call].asks = True
            self.edges["asked"] += 1

    def _led(self, call: str, callee: int, via: str, event: TransferAsked | ConsultAsked) -> bool:
        """Whether a phone is rung for a caller, which only one who talks to an agent can have."""
        caller, before = self.callers[call], self.wishes.get(call)
        may = bool(caller.agent) and not caller.asks
        self.wishes[call] = Wish(caller.agent, CALLEES[callee], via or caller.dialled)
        done = self.tell(event)
        rang = any(isinstance(row, RingPhone) for row in done.commands)
        assert done.answer.ok == rang, f"{done.answer} and yet {rang}"
        assert may or not rang, "only a caller who talks to an agent is sent on, to one phone"
        if may and CALLEES[callee].kind == "emergency":
            self.passes_everything(rang)
        if rang:
            self.last = callee
        elif before is not None:
            self.wishes[call] = before
        self.edges["not sent on"] += may and not rang
        return rang

    # -- how it goes on ------------------------------------------------------------------------------------------------

    def completes(self, call: str) -> None:
        """The caller gets the phone, picked up or not."""
        caller = self.callers[call]
        assert self.tell(ConsultAsked(call, "complete")).answer.ok == caller.asks
        self._handed_over(caller)

    def _handed_over(self, caller: Caller) -> None:
        self.edges["handed over"] += caller.asks
        if caller.asks:
            caller.agent, caller.asks = "", False

    def cancels(self, call: str) -> None:
        """Agent and caller talk again."""
        asks = self.callers[call].asks
        assert self.tell(ConsultAsked(call, "cancel")).answer.ok == asks
        assert not self.callers[call].phone or not asks, "the phone is let go"
        self.edges["called off"] += asks

    def picked_up(self, call: str) -> None:
        if call not in self.callers:
            super().picked_up(call)
            return
        self.tell(LegAnswered(call, self.callers[call].phone))
        self.oracle.answered(call, self.now_ms)

    def next(self, call: str, status: str) -> None:
        """The phone cannot be reached, does not want to talk, or hangs up; another trunk may ring it."""
        if call not in self.callers:
            super().next(call, status)
            return
        leg = self._phone_lost(call, status)
        codes = CODES[status]
        cause, sip = codes[self.calls % len(codes)]
        done = self.tell(LegGone(call, leg, cause, sip))
        self._rung_again(call, any(isinstance(row, RingPhone) for row in done.commands), status in TRUNK_FAILED)

    def not_made(self, call: str) -> None:
        """Asterisk could not even ring the phone."""
        leg = self._phone_lost(call, "CONGESTION")
        done = self.tell(CommandFailed(call, "RingPhone", leg, "no"))
        self._rung_again(call, any(isinstance(row, RingPhone) for row in done.commands), True)

    def _phone_lost(self, call: str, status: str) -> str:
        """The phone's leg is gone; its name."""
        caller, out = self.callers[call], self.oracle.up[call]
        leg, caller.phone = caller.phone, ""
        if out.up_ms is not None:
            self.oracle.over(call, self.now_ms)
        elif status in TRUNK_FAILED:
            self.oracle.let_go(call)
        elif status == "BUSY":
            self.oracle.reached(call)
        return leg

    def _rung_again(self, call: str, rang: bool, may: bool) -> None:
        """Either another leg rings, or nothing of the call is out any more and who asked has the caller back."""
        assert may or not rang, "the callee was reached: no reason to try another trunk"
        if not rang:
            self.oracle.over(call, self.now_ms)
            self.callers[call].asks = False

    # -- how it ends ---------------------------------------------------------------------------------------------------

    def end(self, call: str, status: str) -> None:
        if call in self.callers:
            self.gone(call)
        else:
            super().end(call, status)

    def gone(self, call: str) -> None:
        """The caller is gone, and so are the agent and the phone they had."""
        self.edges["gone while asking"] += self.callers[call].asks
        self.tell(CallGone(call))
        self._forget(call)

    def _forget(self, call: str) -> None:
        assert not self.callers[call].phone, "the caller is gone, and the phone that was theirs is still there"
        self.oracle.over(call, self.now_ms)
        del self.callers[call]

    def agent_gone(self, call: str) -> None:
        """The agent hangs up: a caller for whom a phone is asked is left to the phone."""
        caller = self.callers[call]
        leg, caller.leg = caller.leg, ""
        self._left_by(caller, LegGone(call, leg, 16))

    def _left_by(self, caller: Caller, told: LegGone | SnapshotTaken) -> None:
        asks = caller.asks and bool(caller.phone)
        self.edges["left to the phone"] += asks
        self.tell(told)
        assert caller.phone or not asks, "an agent who hangs up wants the caller to have the phone"
        self._handed_over(caller)
        caller.agent = ""

    def thrown_out(self, call: str) -> None:
        """Somebody ends the call from outside."""
        self.callers[call].thrown_out = True
        assert self.tell(HangupAsked(call, "boss")).answer.ok

    def not_joined(self, call: str) -> None:
        """Asterisk could not put agent and phone together."""
        self.tell(CommandFailed(call, "Consult", self.callers[call].phone, "no"))

    def _dies(self, call: str, channel: str) -> None:
        if channel == call:
            if call in self.callers:
                self.gone(call)
            else:
                super()._dies(call, channel)
            return
        name = ids.parse(channel)
        if name is not None and name.kind == "p" and self._answers_late(channel):
            # It was picked up in the very moment it was given up; nobody waits for it, and it is hung up again.
            self.tell(LegAnswered(call, channel))
            assert (call, channel) in self.dying, "a phone nobody waits for is hung up, however late it answers"
        else:
            self.tell(LegGone(call, channel, 16))

    def _answers_late(self, leg: str) -> bool:
        """Every other phone that is given up answers all the same, once."""
        if leg in self.given_up:
            return False
        self.given_up[leg] = len(self.given_up) % 2 == 0
        return self.given_up[leg]

    def judge(self) -> None:
        """Besides: no phone of a caller rings for longer than we ring one."""
        super().judge()
        for name, out in self.oracle.up.items():
            rings = name in self.callers and out.up_ms is None
            assert not rings or self.now_ms - out.tried_ms <= RING_MAX_MS, f"the phone of {name} rings on and on"
