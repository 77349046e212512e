"""Times in a day of calling out when nobody is heard: a cut, or the daemon dies. A snapshot tells what is left."""

from __future__ import annotations

from dataclasses import replace

from controller.core import codec, ids
from controller.core.commands import HangUp, Join, RingPhone
from controller.core.events import BridgeSeen, ChannelSeen, EndpointSeen, LinkLost, SetupChanged, SnapshotTaken
from controller.core.world import World
from tests.core.outbound_callers import DEAF_PAUSE_MS, STRANGER, Callers
from tests.core.outbound_day import BOOT, Caller
from tests.core.outbound_setups import AGENTS

UNHEARD = ("picked up", "phone gone", "agent gone", "both gone", "caller gone", "nothing")

CHANGED, BLOCKED = 2, 3


class Away(Callers):
    """A day that is not heard all the time."""

    def away(self, how: int, n: int) -> None:
        """Asterisk cannot be heard, or the daemon dies: one thing happens meanwhile, and a snapshot tells of it.

        The setup may change too, or whoever that thing is about be blocked.
        """
        if n & 1:
            self.tell(LinkLost("cut"))
        else:
            rows = [codec.loads(codec.dumps(row)) for row in self.world.entities()]
            self.world = World(self.world.setup, rows, list(self.world._over))
            self.tell(SetupChanged(self.world.setup))
        self.edges["cut" if n & 1 else "restart"] += 1
        if n & 2:
            self.passes(2_500)
        calls = [*(name for name, row in self.callers.items() if row.phone), *self.own()]
        call = calls[(n >> 2) % len(calls)] if calls else ""
        what = UNHEARD[(n >> 4) % len(UNHEARD)] if call else "nothing"
        self.edges[f"unheard: {what}"] += 1
        if how == BLOCKED and call:
            self.put_in_force(replace(self.world.setup, blocked=self.blocks(call)))
        elif how == CHANGED:
            self.changes(n)
        (self._unheard if call in self.callers else self._own_unheard)(call, what)
        self.passes(DEAF_PAUSE_MS)

    def audited(self) -> None:
        """We look at what Asterisk has while nothing was missed: there is nothing to mend."""
        seen = replace(self.snapshot(), asked_at_ms=self.now_ms)
        mended = [row for row in self.tell(seen).commands if isinstance(row, HangUp | RingPhone | Join)]
        assert not mended, f"an audit asks for {mended}"
        self.edges["audit"] += 1

    def _own_unheard(self, call: str, what: str) -> None:
        """Something happens to a call of an agent's own, if there is one."""
        match what:
            case "picked up" if call not in self.clicked:
                self.tell(self.snapshot(up=call))
                self.oracle.answered(call, self.now_ms)
            case "agent gone" | "both gone" | "caller gone":
                self.tell(self.snapshot(without=call))
                self.oracle.over(call, self.now_ms)
            case _:
                self.tell(self.snapshot())

    def _unheard(self, call: str, what: str) -> None:
        caller = self.callers.get(call, Caller(""))
        talked = call in self.oracle.up and self.oracle.up[call].up_ms is not None
        match what:
            case "picked up":
                self.tell(self.snapshot(up=call))
                self.oracle.answered(call, self.now_ms)
            case "phone gone":
                if not talked:
                    self.oracle.lost(call)
                self._phone_lost(call, "")
                done = self.tell(self.snapshot())
                self._rung_again(call, any(isinstance(row, RingPhone) for row in done.commands), not talked)
            case "agent gone" if caller.agent:
                caller.leg = ""
                self._left_by(caller, self.snapshot())
            case "both gone" if caller.asks:
                caller.leg = ""
                self._phone_lost(call, "")
                self._left_by(caller, self.snapshot())
                self.oracle.over(call, self.now_ms)
            case "caller gone":
                self.tell(self.snapshot(without=call))
                self._forget(call)
            case _:
                self.tell(self.snapshot())

    def snapshot(self, up: str = "", without: str = "") -> SnapshotTaken:
        """What Asterisk has now; the phone of call `up` was picked up, whoever began call `without` is gone."""
        gone = [without, *(channel for _, channel in self.dying)]
        channels, bridges = [], []
        for call, agent in self.own().items():
            talks = call == up or self.oracle.up[call].up_ms is not None
            state = "Up" if talks or call in self.clicked else "Ring"
            channels.append(ChannelSeen(call, agent, state, ours=False, role="other"))
        for call, caller in self.callers.items():
            talks = call == up or (call in self.oracle.up and self.oracle.up[call].up_ms is not None)
            channels.append(ChannelSeen(call, "v1", "Up", True, caller.dialled, STRANGER, "", "inbound"))
            if caller.agent and caller.leg:
                channels.append(ChannelSeen(caller.leg, caller.agent, "Up", ours=True, role="leg"))
            if caller.phone:
                channels.append(ChannelSeen(caller.phone, "", "Up" if talks else "Ring", ours=True, role="leg"))
            inside = ("" if caller.asks else call, caller.leg if caller.agent else "", caller.phone if talks else "")
            bridges.append(BridgeSeen(ids.bridge(call), tuple(name for name in inside if name)))
        seen = tuple(row for row in channels if row.id not in gone)
        phones = tuple(EndpointSeen(a, True, tuple(c.id for c in seen if c.endpoint == a)) for a in AGENTS)
        return SnapshotTaken(BOOT, seen, tuple(bridges), phones)
