"""A call centre in a box: the core on one side, `exchange.Exchange` on the other, and every check after every step.

`do(action, n, m)` does one of ACTIONS, with n and m choosing whom it concerns; the same three always do the same, so
that a list of them is a scenario. `heal` lets the faults stop and asks for liveness.
"""

from __future__ import annotations

from dataclasses import replace

from controller.core import codec, events, ids, invariants
from controller.core.events import Event
from controller.core.facts import OddEvent
from controller.core.model import AgentPhase, Call, Phase
from controller.core.outbound import OUT
from controller.core.setup import Setup, Strategy
from controller.core.step import Step, step
from controller.core.world import World
from tests.core import setups
from tests.core.exchange import Exchange
from tests.core.stories import Stories

START_MS = 1_763_000_000_000
REFUSALS = ((17, 486), (21, 603), (19, 480), (20, None), (0, None), (16, None), (18, 408), (127, 487))
CALLERS = (setups.STRANGER, "", "0967000002", "0967000003", setups.BANNED, "0967000004", setups.QUEUE_BANNED)
HOTLINES = (setups.SALES, setups.SALES, setups.SUPPORT, setups.MENU, setups.MENU, setups.CLOSED, setups.TOLL, "+840000")
NUMBERS = ("0967123456", "0912345678", setups.BANNED, "113", "", "0281234567")
DIAL_ENDS = ("BUSY", "NOANSWER", "CONGESTION", "CHANUNAVAIL", "ANSWER", "CANCEL", "INVALID")


def together(call: Call) -> list[set[str]]:
    """Who may be in the bridge of a talk: caller and far side; agent and phone while a caller waits for the two."""
    if not call.consult:
        return [{call.id, call.leg}]
    return [{call.leg, call.consult}] if call.consulted_at_ms is not None else [{call.leg}]


class BrokenError(AssertionError):
    """The floor met something that may not be."""


class Floor:
    def __init__(self, setup: Setup, polite: bool = True) -> None:
        self.setup = setup
        self.polite = polite
        self.now_ms = START_MS
        self.world = World()
        self.exchange = Exchange({row.endpoint: True for row in setup.agents})
        self.stories = Stories()
        self.linked = True
        self.swapped = False
        self.dumps: list[str] = []
        self.snapshots: list[events.SnapshotTaken] = []
        self.tell(events.SetupChanged(setup))
        self.tell(self.exchange.snapshot())
        self.everybody_comes(0, 0)

    # -- one step --------------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> Step:
        done = step(self.world, event, self.now_ms)
        self.look(event, done)
        for command in done.commands:
            self.exchange.obey(command)
        return done

    def look(self, event: Event, done: Step) -> None:
        self.stories.read(done.facts)
        wrong = invariants.check(self.world, self.world.now_ms, done) + self.stories.breaches
        if done.broken:
            wrong.append(f"broken: {done.broken}")
        wrong += [fact.why for fact in done.facts if isinstance(fact, OddEvent) and "given up" in fact.why]
        if self.polite:
            wrong += [f"a name used twice: {name}" for name in self.exchange.named_twice]
            wrong += [f"a phone in use was rung: {leg}" for leg in self.exchange.rung_in_use]
        self.write(event, done)
        if wrong:
            raise BrokenError("\n".join([f"after {event}"[:300], *wrong[:6]]))

    def write(self, event: Event, done: Step) -> None:
        """S15: everything can be written and read back; the texts are kept for S14."""
        rows = [change.after for change in done.changes if change.after is not None]
        for value in (event, *done.commands, *done.facts, *rows):
            text = codec.dumps(value)
            self.dumps.append(text)
            if codec.loads(text) != value:
                raise BrokenError(f"S15 {value} is read back as {codec.loads(text)}")

    # -- the wire ----------------------------------------------------------------------------------------------------

    def deliver(self, most: int = 1_000) -> None:
        """Hand over what Asterisk has told, in order, and what follows from it."""
        for _ in range(most):
            if not self.exchange.wire:
                return
            event = self.exchange.wire.pop(0)
            if self.linked or isinstance(event, events.OutboundEnded | events.CommandFailed):
                self.tell(event)

    def do(self, action: str, n: int, m: int) -> None:
        getattr(self, action)(n, m)
        if self.polite:
            self.deliver()

    # -- callers -----------------------------------------------------------------------------------------------------

    def caller_arrives(self, n: int, m: int) -> None:
        if len(self.exchange.channels) < 60:
            self.exchange.call_in(HOTLINES[n % len(HOTLINES)], CALLERS[m % len(CALLERS)])

    def caller_hangs_up(self, n: int, _m: int) -> None:
        if (name := self._one(n, "inbound")) is not None:
            self.exchange.hang_up(name, cause=0)

    def hold(self, n: int, m: int) -> None:
        """Any phone holds or comes back, also one that does not talk."""
        names = list(self.exchange.channels)
        if names:
            name = names[n % len(names)]
            ours = ids.parse(name)
            self.tell(events.HoldChanged(ours.call if ours else name, name, bool(m % 2)))

    def digit(self, n: int, m: int) -> None:
        menus = [call.id for call in self.world.calls.values() if call.phase is Phase.MENU]
        if menus:
            self.tell(events.DigitPressed(menus[n % len(menus)], "0123456789*#"[m % 12]))

    def prompt_ends(self, n: int, m: int) -> None:
        playing = list(self.exchange.playbacks)
        if playing:
            self.exchange.prompt_ends(playing[n % len(playing)])
        elif self.exchange.messages:
            self.exchange.message_ends(next(iter(self.exchange.messages)), ok=bool(m % 4))

    # -- agents ------------------------------------------------------------------------------------------------------

    def agent_acts(self, n: int, m: int) -> None:
        name = self._agent(n)
        match m % 8:
            case 0 | 1 | 2:
                self.tell(events.AgentStatusAsked(name, "available", by="test"))
            case 3:
                self.tell(events.AgentStatusAsked(name, "not_ready", "lunch"))
            case 4:
                self.tell(events.AgentStatusAsked(name, "offline"))
            case 5:
                self.tell(events.WrapUpEndAsked(name))
            case 6:
                self.tell(events.WrapUpExtendAsked(name, 1 + m % 40))
            case _:
                calls = list(self.world.calls)
                self.tell(events.HangupAsked(calls[n % len(calls)] if calls else "1.1", "supervisor"))

    def transfers(self, n: int, m: int) -> None:
        """An agent who talks sends the caller on, or asks the phone first; sometimes nobody talks at all."""
        talks = [call.id for call in self.world.calls.values() if call.phase is Phase.TALKING] or [*self.world.calls]
        call, number = talks[n % len(talks)] if talks else "1.1", NUMBERS[m % len(NUMBERS)]
        match m % 7:
            case 0:
                self.tell(events.TransferAsked(call, number, by="test"))
            case 1:
                self.tell(events.ConsultAsked(call, "cancel", by="test"))
            case 2 | 3:
                self.tell(events.ConsultAsked(call, "complete", by="test"))
            case _:
                self.tell(events.ConsultAsked(call, "begin", number, by="test"))

    def everybody_comes(self, _n: int, _m: int) -> None:
        for row in self.setup.agents:
            self.tell(events.AgentStatusAsked(row.name, "available"))

    def leg(self, n: int, m: int) -> None:
        """A phone we ring does something: mostly it rings or answers."""
        legs = [c.id for c in self.exchange.channels.values() if c.role == "leg"]
        if not legs:
            return
        leg = legs[n % len(legs)]
        match m % 8:
            case 0 | 1:
                self.exchange.ring(leg)
            case 2 | 3 | 4:
                self.exchange.answer(leg)
            case _:
                self.exchange.hang_up(leg, *REFUSALS[m % len(REFUSALS)])

    def phone(self, n: int, m: int) -> None:
        """A phone vanishes or comes back, or is used without us."""
        endpoint = list(self.exchange.phones)[n % len(self.exchange.phones)]
        match m % 4:
            case 0:
                self.exchange.phones[endpoint] = not self.exchange.phones[endpoint]
                self.exchange.wire.append(events.PhoneChanged(endpoint, self.exchange.phones[endpoint]))
            case 1 if not self._in_use(endpoint):
                self.exchange.pick_up_phone(endpoint)
            case _:
                if (name := self._one(n, "other")) is not None:
                    self.exchange.hang_up(name)

    # -- outbound ------------------------------------------------------------------------------------------------------

    def dials(self, n: int, m: int) -> None:
        endpoint = list(self.exchange.phones)[n % len(self.exchange.phones)]
        if self._in_use(endpoint) and m % 3:
            return
        channel = self.exchange.pick_up_phone(endpoint)
        if m % 2:
            self.deliver()
        self.tell(events.OutboundAsked(channel, endpoint, NUMBERS[m % len(NUMBERS)]))

    def dialled(self, n: int, m: int) -> None:
        """What becomes of a call that is being dialled."""
        name = self._one(n, "other")
        if name is None:
            return
        match m % 5:
            case 0 | 1:
                self.exchange.answer(name)
            case 2:
                self.tell(events.OutboundNextAsked(name, DIAL_ENDS[m % len(DIAL_ENDS)], 34))
            case 3:
                self.exchange.wire.append(events.OutboundEnded(name, DIAL_ENDS[m % len(DIAL_ENDS)], 17, m % 9))
            case _:
                self.exchange.hang_up(name, 17, status=DIAL_ENDS[m % len(DIAL_ENDS)])

    # -- time ----------------------------------------------------------------------------------------------------------

    def time_passes(self, n: int, m: int) -> None:
        """A moment, up to the next deadline, or far beyond it."""
        due_ms = self.world.next_due_ms()
        match m % 4:
            case 0:
                self.now_ms += n * 10
            case 1 | 2 if due_ms is not None:
                self.now_ms = max(self.now_ms, due_ms)
            case _:
                self.now_ms += n * 500
        self.tell(events.Ticked())

    def clock_steps(self, n: int, m: int) -> None:
        delta_ms = (n - 32) * 60_000 if m % 2 else (n - 32) * 10
        self.now_ms += delta_ms
        if abs(delta_ms) >= 1_000:
            self.tell(events.ClockMoved(delta_ms))
        else:
            self.tell(events.Ticked())

    # -- rudeness ------------------------------------------------------------------------------------------------------

    def repeated(self, n: int, _m: int) -> None:
        wire = self.exchange.wire
        if wire:
            wire.insert(n % (len(wire) + 1), wire[n % len(wire)])

    def dropped(self, n: int, _m: int) -> None:
        if self.exchange.wire:
            self.exchange.wire.pop(n % min(16, len(self.exchange.wire)))

    def swap(self, n: int, m: int) -> None:
        wire = self.exchange.wire
        if wire:
            a, b = n % min(16, len(wire)), m % min(16, len(wire))
            wire[a], wire[b] = wire[b], wire[a]

    def delivered(self, n: int, _m: int) -> None:
        self.deliver(1 + n % 8)

    def commands_fail(self, _n: int, _m: int) -> None:
        self.exchange.failing = not self.exchange.failing

    # -- snapshots, cuts, deaths ---------------------------------------------------------------------------------------

    def audit_begins(self, _n: int, _m: int) -> None:
        self.snapshots.append(self.exchange.snapshot(self.now_ms))

    def audit_ends(self, n: int, m: int) -> None:
        """An audit is heard, however old; in bad times it is not even whole."""
        if self.snapshots:
            seen = self.snapshots.pop(0)
            if not self.polite and m % 3 == 0:
                seen = replace(seen, channels=seen.channels[n % 3 :], bridges=seen.bridges[n % 2 :])
            self.tell(seen)

    def link_cut(self, _n: int, _m: int) -> None:
        if self.linked:
            self.linked = False
            self.exchange.wire.clear()
            self.tell(events.LinkLost("cut"))

    def link_back(self, _n: int, _m: int) -> None:
        if not self.linked:
            self.linked = True
            self.exchange.failing = False
            self.exchange.wire.clear()
            self.tell(self.exchange.snapshot())

    def asterisk_dies(self, n: int, m: int) -> None:
        self.link_cut(n, m)
        self.exchange.die()
        self.snapshots.clear()
        if m % 2:
            self.link_back(n, m)

    def controller_dies(self, n: int, m: int) -> None:
        """The rows are all that is left, and they must be enough."""
        rows = [codec.loads(codec.dumps(row)) for row in self.world.entities()]
        self.world = World(self.world.setup, rows, list(self.world._over))
        self.snapshots.clear()
        self.exchange.wire.clear()
        self.now_ms += m * 200
        if n % 2:
            self.tell(events.Ticked())
        self.tell(events.SetupChanged(self.world.setup))
        self.linked = False
        self.link_back(n, m)

    # -- the setup ---------------------------------------------------------------------------------------------------

    def setup_changes(self, n: int, m: int) -> None:
        """As the daemon does: an audit follows, and older ones say nothing about agents who are new."""
        self.snapshots.clear()
        self.tell(events.SetupChanged(self._changed(n, m)))
        if self.linked:
            self.tell(self.exchange.snapshot(self.now_ms))

    def _changed(self, n: int, m: int) -> Setup:
        setup = self.setup
        match n % 6:
            case 0:
                return setup
            case 1:
                gone = setup.queues[m % len(setup.queues)].name
                return replace(setup, queues=tuple(row for row in setup.queues if row.name != gone))
            case 2:
                gone = setup.agents[m % len(setup.agents)].name
                return replace(setup, agents=tuple(row for row in setup.agents if row.name != gone))
            case 3:
                strategy = list(Strategy)[m % len(Strategy)]
                return replace(setup, queues=tuple(replace(row, strategy=strategy) for row in setup.queues))
            case 4:
                return replace(setup, trunks=tuple(replace(row, max_channels=1) for row in setup.trunks[m % 3 :]))
            case _:
                return replace(setup, menus=setup.menus[m % 3 :], agents=tuple(reversed(setup.agents)))

    # -- the end of all faults -----------------------------------------------------------------------------------------

    def heal(self) -> None:
        """Faults stop. Within 60 s: L1, L2, L4, and nobody stays in hand without a channel."""
        self.link_back(0, 0)
        self.exchange.failing = False
        for _ in range(6):
            self.deliver()
            self.now_ms += 10_000
            self.tell(events.Ticked())
            self.deliver()
            self.tell(self.exchange.snapshot(self.now_ms))
            self.deliver()
        self._must_be_live()

    def _must_be_live(self) -> None:
        wrong = [*self._lost_calls(), *self._lost_agents(), *self._orphans()]
        if wrong:
            raise BrokenError("\n".join(wrong))

    def _lost_calls(self) -> list[str]:
        channels, calls = self.exchange.channels, self.world.calls
        wrong = [f"L1 call {call} has no channel" for call in calls if call not in channels]
        wrong += [
            f"L1 caller {c.id} is unknown" for c in channels.values() if c.role == "inbound" and c.id not in calls
        ]
        for call in calls.values():
            inside = set(self.exchange.bridges.get(ids.bridge(call.id), ()))
            if call.phase is Phase.TALKING and inside not in together(call):
                wrong.append(f"S3 call {call.id} talks with {inside}")
        return wrong

    def _lost_agents(self) -> list[str]:
        wrong = []
        channels = self.exchange.channels.values()
        for agent in self.world.agents.values():
            far = agent.call if agent.phase in OUT else agent.leg
            if agent.phase is not AgentPhase.IDLE and far not in self.exchange.channels:
                wrong.append(f"L2 agent {agent.name} is {agent.phase} without a channel")
            alive = any(c.endpoint == agent.name and c.role == "other" for c in channels)
            known = agent.name in self.world.setup.agent and agent.phase not in OUT
            if known and bool(agent.foreign) != alive:
                wrong.append(f"L2 agent {agent.name} has {agent.foreign} on the phone")
        return wrong

    def _orphans(self) -> list[str]:
        """L4: nothing in Asterisk carries our name without a call of ours."""
        named = [*self.exchange.channels, *self.exchange.bridges]
        return [f"L4 {n} belongs to no call" for n in named if (i := ids.parse(n)) and i.call not in self.world.calls]

    # -- choosing ------------------------------------------------------------------------------------------------------

    def _one(self, n: int, role: str) -> str | None:
        names = [c.id for c in self.exchange.channels.values() if c.role == role]
        return names[n % len(names)] if names else None

    def _agent(self, n: int) -> str:
        return self.setup.agents[n % len(self.setup.agents)].name

    def _in_use(self, endpoint: str) -> bool:
        return any(channel.endpoint == endpoint for channel in self.exchange.channels.values())


CALM = {
    "caller_arrives": 30,
    "caller_hangs_up": 10,
    "hold": 3,
    "digit": 12,
    "prompt_ends": 14,
    "agent_acts": 8,
    "everybody_comes": 4,
    "transfers": 8,
    "leg": 36,
    "phone": 4,
    "dials": 6,
    "dialled": 8,
    "time_passes": 24,
    "setup_changes": 2,
    "audit_begins": 2,
    "audit_ends": 2,
    "link_cut": 1,
    "link_back": 4,
    "controller_dies": 2,
    "asterisk_dies": 1,
}
"""What happens on a polite day, and how often."""
RUDE = CALM | {
    "delivered": 60,
    "repeated": 9,
    "dropped": 5,
    "swap": 9,
    "clock_steps": 2,
    "commands_fail": 2,
}
"""On a bad one, besides."""
