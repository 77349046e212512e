"""A call centre, its callers and its troubles on virtual time: everything that happens is decided by one seed.

`Town` holds the model switch, the dialplan, the books and the present life of the controller with its supervisor.
What people do is one of `ACTIONS` at random instants, weighted; what breaks is one of `FAULTS`. `heal` ends all faults
and asks for liveness.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from controller.core import events, ids
from controller.core.model import Phase
from controller.core.setup import Setup
from controller.ports import Line
from tests.core import setups
from tests.fakes.ledger import Books
from tests.sim import centre
from tests.sim.books import Shelf, SimLedger
from tests.sim.dialplan import APP, Carried, Dialplan, Talk
from tests.sim.life import Joint, Life
from tests.sim.line import Weather, Wire
from tests.sim.rude import Manners, RudeEars
from tests.sim.switch import Channel, Switch
from tests.sim.watch import Watch, lost

START_MS = 1_763_000_000_000
REFUSALS = ((17, 486), (21, 603), (19, 480), (20, None), (0, None), (16, None), (18, 408), (127, 487))
CALLERS = (setups.STRANGER, "", "0967000002", "0967000003", setups.BANNED, "0967000004", setups.QUEUE_BANNED)
HOTLINES = (setups.SALES, setups.SALES, setups.SUPPORT, setups.MENU, setups.MENU, setups.CLOSED, setups.TOLL, "+840000")
NUMBERS = ("0967123456", "0912345678", setups.BANNED, "113", "", "0281234567")
DIAL_ENDS = ("ANSWER", "ANSWER", "ANSWER", "BUSY", "NOANSWER", "CONGESTION", "CHANUNAVAIL", "DECLINED", "INVALID")
CLOCK_STEPS_MS = (1_000, -1_000, 1_500, -1_500, 61_000, -61_000, 3_600_000, -3_600_000, 86_400_000, -86_400_000)

PEOPLE = {
    "caller_arrives": 10.0,
    "caller_hangs_up": 6.0,
    "digit": 5.0,
    "agent_acts": 6.0,
    "leg": 12.0,
    "setup_changes": 0.5,
    "outbound": 4.0,
}
RUDENESS = {"duplicate": 3.0, "drop": 3.0, "swap": 3.0}
FAULTS = {
    "socket_cut": 1.0,
    "controller_killed": 0.5,
    "asterisk_restarted": 0.3,
    "ledger_fails": 0.5,
    "clock_step": 0.2,
    "second_controller": 0.1,
    "http_fails": 0.2,
}
"""How often each happens against the others. Requests that fail are ours to add; the rest is the programme's."""


class Clock:
    """The wall clock: it runs with the loop and may be set."""

    def __init__(self) -> None:
        self.offset_ms = START_MS

    def now_ms(self) -> int:
        return self.offset_ms + int(asyncio.get_running_loop().time() * 1000)


@dataclass(frozen=True)
class Shape:
    """How large a run is: agents, mean seconds between two actions, how long faults last, which things may happen."""

    agents: int = 12
    pause_s: float = 1.0
    seconds: float = 300.0
    rude: bool = True
    faults: bool = True
    only: tuple[tuple[str, float], ...] = ()

    @property
    def weights(self) -> dict[str, float]:
        """What may happen and how often; `only` replaces the rudeness and the faults."""
        return PEOPLE | dict(self.only) | (RUDENESS if self.rude else {}) | (FAULTS if self.faults else {})


class Town:
    """`tests.sim.run` makes one, lets it live and heals it; the named tests drive it by hand.

    `answering` is the share of picked-up phones that are really picked up; `vanished` phones say nothing. `building_s`
    is how long a controller builds its rooms between the books and its first step.
    """

    def __init__(self, seed: int, shape: Shape | None = None, setup: Setup | None = None, bell: Any = None) -> None:
        self.seed = seed
        self.dice = Random(seed)
        self.shape = shape or Shape()
        self.whole = setup or centre.of(self.dice, self.shape.agents)
        self.clock = Clock()
        self.books = Books(setup=self.whole)
        self.shelf = Shelf()
        self.weather = Weather()
        self.journal: list[Line] = []
        self.switch = Switch(self.dice, {row.endpoint: True for row in self.whole.agents}, self._trunks())
        self.switch.far = self._dialled
        self.switch.prompt_s = self._prompt_s
        self.dialplan = Dialplan(self.switch, self.dice, self, self._carrier, lambda: self.clock.now_ms() // 1000)
        self.switch.on_kept_asked = self.dialplan.tell_kept
        self.switch.on_picked_up = self.dialplan.picked_up
        self.switch.on_limit = self.dialplan.time_over
        self.watch = Watch(self.books, lambda: asyncio.get_running_loop().time(), round_trip=seed % 16 == 0)
        self.ears: RudeEars = RudeEars(self.dice, Manners.of(self.dice))
        self.bell = bell
        self.lives: list[Life] = []
        self.ringing: dict[str, Channel] = {}
        self.vanished: dict[str, None] = {}
        self.supervised = True
        self.answering = 1.0
        self.building_s = 0.0
        self.callers = self.clicks = 0
        self.starts = 0
        self._later: set[asyncio.Task[None]] = set()

    def _trunks(self) -> dict[str, None]:
        return dict.fromkeys(row.endpoint for row in self.whole.trunks)

    # -- the controller and its supervisor ---------------------------------------------------------------------------

    @property
    def life(self) -> Life:
        return self.lives[-1]

    async def open(self) -> None:
        """Start the controller and sign everybody in."""
        await self.new_life()
        await self.ready()
        for row in self.whole.agents:
            self.life.ask(events.AgentStatusAsked(row.name, "available", by="test"))
        await asyncio.sleep(0.05)

    async def ready(self, within_s: float = 30.0) -> None:
        until_s = asyncio.get_running_loop().time() + within_s
        while not (self.lives and self.life.ready):
            if asyncio.get_running_loop().time() > until_s:
                self.watch.breach(f"L6 the link is not live after {within_s} s")
                return
            await asyncio.sleep(0.01)

    async def new_life(self) -> Life:
        """Start a process on the same books and journal."""
        self.starts += 1
        life = Life(
            Wire(self.switch, self.dice, self.weather),
            SimLedger(self.books, self.shelf, self.dice),
            self.clock,
            self.journal,
            self.ears,
            on_step=self.watch.look,
            on_said=self.watch.said,
            on_broken=lambda text: self.watch.breach(f"S0 a room broke: {text[-1500:]}"),
            on_end=self._ended,
            on_load=self.watch.begins,
            bell=self.bell,
            building_s=self.building_s,
            arrears=self._hand_in,
        )
        self.lives.append(life)
        self.watch.note("-- a controller starts")
        await life.start()
        return life

    def _ended(self, life: Life) -> None:
        """A process is gone, or has lost the lead and goes."""
        self.watch.note(f"-- a controller is gone (killed {life.dead}, lost the lead {life.lost_lead})")
        if not life.dead:
            if life.engine is not None:
                life.engine._books.keep()  # as `Owed.close` does
            life.kill()
            return
        for channel in self.switch.apps.values():
            if channel.stream is not None and life.house is not None and life is self.life:
                self.switch.closed(APP, channel.stream)
                break
        self.watch.died(life, life.engine)
        if life is self.life and self.supervised:
            self.after(0.2 + 2.8 * self.dice.random(), self._restart, life)

    async def _hand_in(self, ledger: SimLedger) -> None:
        """As `controller.arrears`: what lives that are over have left."""
        for life in self.lives:
            if life.spool.over and life.spool.kept:
                whole = await ledger.settle(life.spool)
                self.watch.note(f"-- {life.spool.kept} owed turns are handed in (all of it: {whole})")
                self.watch.settled(life, life.spool.turns(), whole)
                life.spool.clear()

    def _restart(self, dead: Life) -> None:
        if self.life is dead:
            self.spawn(self._start_again())

    async def _start_again(self) -> None:
        await self.new_life()

    def after(self, seconds: float, what: Any, *arguments: Any) -> None:
        asyncio.get_running_loop().call_later(seconds, what, *arguments)

    def spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def session(self, path: str, talk: Talk) -> bool:
        """The side door of whichever controller lives now."""
        return bool(self.lives) and await self.life.session(path, talk)

    # -- the network's part ------------------------------------------------------------------------------------------

    def _prompt_s(self, media: str) -> float:
        return 0.0 if "nosuch" in media else 0.3 + 6 * self.dice.random()

    def _dialled(self, channel: Channel, _endpoint: str) -> None:
        """A leg of ours is dialled: whoever is there may ring and will do something later."""
        self.ringing[channel.id] = channel
        channel.on_gone.append(lambda gone, *_: self.ringing.pop(gone.id, None))
        if self.dice.random() < 0.85:
            self.after(0.05 + 0.4 * self.dice.random(), self._rings, channel)

    def _rings(self, channel: Channel) -> None:
        if channel.endpoint not in self.vanished and channel.state == "Down":
            self.switch.change(channel, "Ringing")

    def _carrier(self, _trunk: str, _number: str) -> Carried:
        status = self.dice.choice(DIAL_ENDS)
        cause = {"CONGESTION": 34, "CHANUNAVAIL": 20, "BUSY": 17, "NOANSWER": 19, "DECLINED": 21}.get(status, 16)
        return Carried(status, 0.2 + 5 * self.dice.random(), 40 * self.dice.random(), cause)

    # -- what people do ----------------------------------------------------------------------------------------------

    def caller_arrives(self) -> None:
        if self.switch.alive and len(self.switch.channels) < 8 * self.shape.agents + 20:
            self.callers += 1
            trunk = self.dice.choice(list(self.switch.trunks))
            channel = self.dialplan.call_in(trunk, self.dice.choice(HOTLINES), self.dice.choice(CALLERS))
            self.watch.note(f"caller {channel.id} arrives")

    def caller_hangs_up(self) -> None:
        callers = [c for c in self.switch.channels.values() if c.app_data]
        if callers:
            self.switch.gives_up(self.dice.choice(callers))

    def digit(self) -> None:
        callers = [c for c in self.switch.channels.values() if c.app_data]
        if callers:
            channel = self.dice.choice(callers)
            for _ in range(self.dice.choice((1, 1, 1, 2, 5))):
                self.switch.press(channel, self.dice.choice("0123456789*#ABCD"))

    def agent_acts(self) -> None:
        name = self.dice.choice(self.whole.agents).name
        calls = list(self.life.engine.world.calls) if self.life.engine else []
        match self.dice.randrange(13):
            case 11 | 12:
                self.consults(calls)
            case 10:
                call = self.dice.choice(calls) if calls else "1.1"
                self.life.ask(events.TransferAsked(call, self.dice.choice(NUMBERS), by="test"))
            case 9:
                self.clicks += 1
                call = f"clk-{self.seed}.{self.clicks}"
                self.life.ask(events.ClickToCallAsked(call, name, self.dice.choice(NUMBERS), by="test"))
            case 0 | 1 | 2 | 3:
                self.life.ask(events.AgentStatusAsked(name, "available", by="test"))
            case 4:
                self.life.ask(events.AgentStatusAsked(name, "not_ready", "lunch"))
            case 5:
                self.life.ask(events.AgentStatusAsked(name, "offline"))
            case 6:
                self.life.ask(events.WrapUpEndAsked(name))
            case 7:
                self.life.ask(events.WrapUpExtendAsked(name, self.dice.randint(1, 40)))
            case _:
                self.life.ask(events.HangupAsked(self.dice.choice(calls) if calls else "1.1", "supervisor"))

    def consults(self, calls: list[str]) -> None:
        """An agent asks a phone before sending the caller on, or decides."""
        world = self.life.engine.world if self.life.engine else None
        talks = [name for name in calls if world is not None and world.calls[name].phase is Phase.TALKING] or calls
        call = self.dice.choice(talks) if talks else "1.1"
        action = self.dice.choice(("begin", "begin", "begin", "complete", "cancel"))
        self.life.ask(events.ConsultAsked(call, action, self.dice.choice(NUMBERS), by="test"))

    def leg(self) -> None:
        """A phone we ring does something, or somebody who talks ends it."""
        legs = list(self.ringing.values())
        if not legs:
            return
        leg = self.dice.choice(legs)
        if leg.state == "Up":
            if self.dice.random() < 0.5:
                self.switch.hang_up(leg, 16)
            return
        match self.dice.randrange(8):
            case 0 | 1:
                self._rings(leg)
            case 2 | 3 | 4 | 5:
                if leg.endpoint not in self.vanished and self.dice.random() < self.answering:
                    self.switch.change(leg, "Up")
            case 6:
                self.switch.hang_up(leg, *self.dice.choice(REFUSALS))
            case _:
                self.vanish(leg.endpoint)

    def vanish(self, endpoint: str, seconds: float | None = None) -> None:
        """A phone is gone from the network; its registration is missed some time later; it comes back."""
        if endpoint in self.vanished or endpoint not in self.switch.phones:
            return
        self.vanished[endpoint] = None
        self.after(5 * self.dice.random(), self._missed, endpoint)
        self.after(6 + 50 * self.dice.random() if seconds is None else seconds, self.come_back, endpoint)

    def _missed(self, endpoint: str) -> None:
        if endpoint in self.vanished:
            self.switch.phone(endpoint, False)
            for channel in self.switch.on_phone(endpoint):
                self.after(10 * self.dice.random(), self.switch.hang_up, channel, 18, 408)

    def come_back(self, endpoint: str) -> None:
        if self.vanished.pop(endpoint, "gone") is None:
            self.switch.phone(endpoint, True)

    def setup_changes(self) -> None:
        self.life.change_setup(centre.changed(self.dice, self.books.setup, self.whole))

    def outbound(self) -> None:
        """An agent dials, or gives up a call that was dialled."""
        dialled = [c for c in self.switch.channels.values() if c.endpoint in self.switch.phones and not ids.parse(c.id)]
        if dialled and self.dice.random() < 0.4:
            self.switch.hang_up(self.dice.choice(dialled))
            return
        endpoint = self.dice.choice(list(self.switch.phones))
        if self.switch.alive and endpoint not in self.vanished and not self.switch.on_phone(endpoint):
            number = self.dice.choice(NUMBERS)
            self.dialplan.dial(endpoint, number, emergency=number == "113")

    # -- what goes wrong ---------------------------------------------------------------------------------------------

    def duplicate(self) -> None:
        self.ears.burst("repeat")

    def drop(self) -> None:
        self.ears.burst("drop")

    def swap(self) -> None:
        self.ears.burst("swap")

    def socket_cut(self, half_open: bool | None = None) -> None:
        """RST or FIN; or a peer that says nothing any more and hears nothing."""
        app = self.switch.apps.get(APP)
        if app is None or app.stream is None:
            return
        if self.dice.random() < 0.3 if half_open is None else half_open:
            self.watch.note("-- the stream is half open")
            app.stream.frozen = True
        else:
            self.watch.note("-- the stream is cut")
            self.switch.closed(APP, app.stream)

    def controller_killed(self) -> None:
        """At any moment, or at the next joint of the engine."""
        joint = self.dice.choice((None, None, *Joint))
        self.watch.note(f"-- the controller is killed: {joint or 'now'}")
        if joint is None:
            self.life.kill()
        else:
            self.life.kill_at = joint

    def asterisk_restarted(self) -> None:
        if self.switch.alive:
            self.watch.note("-- Asterisk dies")
            self.switch.die()
            for task in list(self.dialplan.tasks):
                task.cancel()
            self.after(0.3 + 4 * self.dice.random(), self._asterisk_starts)

    def _asterisk_starts(self) -> None:
        if not self.switch.alive:
            self.watch.note("-- Asterisk starts")
            self.switch.start()

    def ledger_fails(self) -> None:
        self.shelf.kind = self.dice.choice(("down", "slow", "hangs", "lossy"))
        self.shelf.slow_s = 0.05 + 0.4 * self.dice.random()
        self.watch.note(f"-- the ledger is {self.shelf.kind}")
        self.after(0.5 + 20 * self.dice.random(), self._ledger_fine)

    def _ledger_fine(self) -> None:
        self.shelf.kind = "fine"

    def clock_step(self) -> None:
        self.clock.offset_ms += self.dice.choice(CLOCK_STEPS_MS)

    def second_controller(self) -> None:
        if self.lives and not self.life.dead:
            self.watch.note("-- a second controller starts")
            self.spawn(self._start_again())

    def http_fails(self) -> None:
        kind = self.dice.choice(("refuses", "slow", "mute", "lossy"))
        self.weather.kind, self.weather.p, self.weather.slow_s = kind, self.dice.random(), 5 * self.dice.random()
        self.watch.note(f"-- HTTP {kind} for {self.weather.p:.0%}")
        self.after(0.5 + 8 * self.dice.random(), self._http_fine)

    def _http_fine(self) -> None:
        self.weather.kind = "fine"

    # -- the two phases ----------------------------------------------------------------------------------------------

    async def live(self, seconds: float) -> None:
        """Everything the shape allows, at random instants, until the time is over or something broke."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + seconds
        names, weights = list(self.shape.weights), list(self.shape.weights.values())
        while loop.time() < until_s and not self.watch.breaches:
            await asyncio.sleep(self.dice.expovariate(1 / self.shape.pause_s))
            getattr(self, self.dice.choices(names, weights)[0])()
            self._look_at_switch()

    def _look_at_switch(self) -> None:
        """What the callers would notice, whatever the controller believes, and what a controller who lost it asks."""
        self.watch.breach(*self.switch.complaints)
        for life in self.lives:
            late, life.wire.asked_after_replaced = life.wire.asked_after_replaced, []
            if late:
                self.watch.breach(f"F10 asked after another controller had taken over: {late}")
        crowds = [name for name, members in self.switch.bridges.items() if len(members) > 2]
        if crowds:
            self.watch.breach(f"S3 more than two are in {crowds}")

    def calm(self) -> None:
        """All faults end: the network, Asterisk, the books, the phones and the supervisor are well."""
        self.watch.note("-- all faults end")
        self.ears.calm()
        self._http_fine()
        self._ledger_fine()
        self._asterisk_starts()
        for endpoint in list(self.vanished):
            self.come_back(endpoint)
        if self.lives:
            self.life.kill_at = None

    async def heal(self) -> None:
        """Faults stop: within 60 s everything must have settled, then everybody goes home and nothing is left."""
        self.calm()
        await asyncio.sleep(9.0)  # a half-open stream is noticed in 5 s, a dead process is started again in 3
        if not self.life.ready:
            self.watch.breach("L6 the link is not live 9 s after the last fault")
        await asyncio.sleep(53.0)
        await self.settled()
        for channel in [c for c in self.switch.channels.values() if not ids.parse(c.id)]:
            self.switch.gives_up(channel)
        await asyncio.sleep(45.0)
        await self.settled()
        self._nothing_left()
        self.watch.compare_books()

    async def settled(self) -> None:
        """L1 to L4 against the switch; what is under way at this very moment is given a second."""
        for _ in range(20):
            world = self.life.engine.world if self.life.engine else None
            wrong = lost(world, self.switch) if world is not None and self.life.ready else ["L6 not ready"]
            if not wrong:
                return
            await asyncio.sleep(0.05)
        self.watch.breach(*wrong)

    def _nothing_left(self) -> None:
        engine = self.life.engine
        assert engine is not None
        left = [*engine.world.calls, *self.switch.channels, *self.switch.bridges]
        if left or engine.owed or engine.degraded:
            self.watch.breach(f"L4 left after everybody went: {left[:8]}, owed {engine.owed}")
        trunks = [state for state in engine.world.trunks.values() if state.live]
        # A fraud warning stands for an hour after the last odd call: its deadline must be there, it need not have come.
        standing = {row.alert for row in engine.world.agent_uses.values() if row.calm_at_ms is not None}
        alerts = [alert for alert in engine.world.alerts if alert not in standing]
        if trunks or alerts:
            self.watch.breach(f"S8 left on the trunks: {trunks}, alerts {alerts[:4]}")

    async def close(self) -> None:
        self.supervised = False
        for life in self.lives:
            life.kill()
        for task in (*self._later, *self.dialplan.tasks):
            task.cancel()
        await asyncio.sleep(0)


def sized(seed: int, seconds: float) -> Shape:
    """The size of a seed's run: from a handful of agents to a floor of sixty, calm days among the bad ones."""
    dice = Random(seed ^ 0x5EED)
    agents = dice.choice((2, 4, 6, 8, 12, 20, 60))
    pause_s = {2: 1.2, 4: 1.0, 6: 0.9, 8: 0.8, 12: 0.6, 20: 0.5, 60: 0.35}[agents]
    kind = dice.random()
    shape = Shape(agents, pause_s, seconds)
    return replace(shape, rude=kind > 0.25, faults=kind > 0.1)
